#include "heap.h"

#include <assert.h>
#include <string.h>

/* Every span of 64 KiB has a state word, in a table beside the spans:
 *
 *   FREE
 *   CLAIMED{owner}        being made by the owner, being freed by it, or the rest of a run
 *   RUN{owner, length}    the first of `length` spans that are one large block
 *   FREEING{owner, length} such a run, while the owner frees it
 *   SMALL{class}          cut into blocks of one size, whose own state words stand at its beginning
 *
 * A run's commit store is RUN; before it every span of it is CLAIMED by one that sweeping
 * recognises. Its end begins with the CAS to FREEING, which gives the sole right to go on; a
 * sweeper takes that right over by a CAS of its own. Whoever has it first tags the rest of the
 * run CLAIMED by itself, then lets go of the first span, then of the others: killed anywhere,
 * each span is either under a FREEING word or CLAIMED by the dead one. A sweeper walks by
 * lengths, so it never takes the rest of a living run for an orphan. */
typedef enum { FREE, CLAIMED, RUN, FREEING, SMALL } span_kind;

enum { GENERATION_BITS = 24, INDEX_BITS = 13, OWNER_BITS = 38, LENGTH_BITS = 22 };
_Static_assert(SLOT_COUNT <= 1 << INDEX_BITS, "an owner is a slot...");
#define LINKED (UINT64_C(1) << HEAP_TAG_BITS) /* ...or, with this bit, what a tag names */
#define OWNER_MASK ((UINT64_C(1) << OWNER_BITS) - 1)
enum { SMALLEST_BITS = 6, LARGEST_BITS = 14, CLASSES = LARGEST_BITS - SMALLEST_BITS + 1 };
#define RUN_MAX ((UINT64_C(1) << LENGTH_BITS) - 1)
#define GIVE_BACK (UINT64_C(1) << 20) /* runs from this size on go back to the system */

static arena_ref spans_begin;

void heap_begin_at(arena_ref first)
{
    spans_begin = first;
}

/* word: kind << 60 | length << 38 | owner; owner: generation << 13 | index, or LINKED | tag */
static uint64_t tag(slot_id owner)
{
    return (owner >> 16 & ((1 << GENERATION_BITS) - 1)) << INDEX_BITS |
           (owner & ((1 << INDEX_BITS) - 1));
}

static uint64_t word_of(span_kind kind, uint64_t length, slot_id owner)
{
    return (uint64_t)kind << 60 | length << OWNER_BITS | tag(owner);
}

static span_kind kind_of(uint64_t word)
{
    return (span_kind)(word >> 60);
}

static uint64_t length_of(uint64_t word)
{
    return word >> OWNER_BITS & RUN_MAX;
}

static bool owned_by(uint64_t word, slot_id owner)
{
    return (word & OWNER_MASK) == tag(owner);
}

static bool linked_to(uint64_t word, uint64_t link)
{
    return link && link < LINKED && (word & OWNER_MASK) == (LINKED | link);
}

static bool swap(_Atomic uint64_t *word, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong(word, &from, to);
}

static uint64_t span_count(void)
{
    return (arena_capacity() - spans_begin) / ARENA_SPAN;
}

static arena_ref span_at(uint64_t index)
{
    return spans_begin + index * ARENA_SPAN;
}

static _Atomic uint64_t *states(uint64_t count, uint32_t *used)
{
    return arena_use_table(ARENA_STATES, (uint32_t)count, used);
}

/* ---- runs ---- */

static void unclaim(_Atomic uint64_t *state, uint64_t count, slot_id self)
{
    while (count--)
        swap(&state[count], word_of(CLAIMED, 0, self), FREE);
}

static bool claim(_Atomic uint64_t *state, uint64_t count, slot_id self)
{
    for (uint64_t i = 0; i < count; i++) {
        if (!swap(&state[i], FREE, word_of(CLAIMED, 0, self))) {
            unclaim(state, i, self);
            return false;
        }
    }
    return true;
}

static bool find_and_claim(uint64_t begin, uint64_t end, uint64_t count, slot_id self,
                           uint64_t *first)
{
    uint64_t run = 0;
    for (uint64_t i = begin; i < end;) {
        uint32_t used;
        _Atomic uint64_t *state = states(i + 1, &used);
        if (!state)
            return false;
        uint64_t word = atomic_load_explicit(&state[i], memory_order_acquire);
        if (word != FREE) {
            i += kind_of(word) == RUN || kind_of(word) == FREEING ? length_of(word) : 1;
            run = 0;
            continue;
        }
        i++;
        if (++run < count)
            continue;
        *first = i - count;
        if (claim(&state[*first], count, self))
            return true;
        i = *first + 1; /* somebody else was faster with a part of it */
        run = 0;
    }
    return false;
}

/* Where this process has found room last, and how far it has ever seen spans in use. */
static _Atomic uint64_t next_fit, seen_in_use;

/* The spans stay CLAIMED by `self`, and committed. */
static mproc_err take_spans(uint64_t count, slot_id self, uint64_t *first)
{
    uint64_t end = span_count(), high = atomic_load_explicit(&seen_in_use, memory_order_relaxed);
    uint64_t start = atomic_load_explicit(&next_fit, memory_order_relaxed);
    if (count > end || count > RUN_MAX)
        return MPROC_ENOMEM;
    /* What was in use before comes before what never was: else free memory would be left behind,
     * and the committed part grow without end. */
    uint64_t known = high + count < end ? high + count : end;
    if (!find_and_claim(start < high ? start : high, high, count, self, first) &&
        !find_and_claim(0, known, count, self, first) &&
        !find_and_claim(high, end, count, self, first))
        return MPROC_ENOMEM;
    mproc_err err = arena_commit(span_at(*first), count * ARENA_SPAN);
    if (err) {
        unclaim(states(*first + count, NULL) + *first, count, self);
        return err;
    }
    atomic_store_explicit(&next_fit, *first + count, memory_order_relaxed);
    while (high < *first + count &&
           !atomic_compare_exchange_weak(&seen_in_use, &high, *first + count)) {
    }
    return MPROC_OK;
}

static mproc_err alloc_run(size_t size, slot_id owner, arena_ref *ref)
{
    uint64_t first, count = (size + ARENA_SPAN - 1) / ARENA_SPAN;
    mproc_err err = take_spans(count, owner, &first);
    if (err)
        return err;
    _Atomic uint64_t *state = states(first + 1, NULL) + first;
    atomic_store(state, word_of(RUN, count, owner));
    *ref = span_at(first);
    return MPROC_OK;
}

/* `self` has the right to free it: the word is FREEING{self, length}. */
static void finish_freeing(uint64_t first, uint64_t length, slot_id self)
{
    _Atomic uint64_t *state = states(first + length, NULL) + first;
    for (uint64_t i = 1; i < length; i++)
        atomic_store(&state[i], word_of(CLAIMED, 0, self));
    if (length * ARENA_SPAN >= GIVE_BACK)
        arena_decommit(span_at(first), length * ARENA_SPAN);
    atomic_store(&state[0], FREE);
    unclaim(state + 1, length - 1, self);
}

static bool free_run(uint64_t first, uint64_t word, slot_id self)
{
    uint64_t length = length_of(word);
    if (!swap(states(first + 1, NULL) + first, word, word_of(FREEING, length, self)))
        return false;
    finish_freeing(first, length, self);
    return true;
}

/* ---- small blocks: FREE or CLAIMED{owner} ---- */

static uint64_t block_size(uint64_t class)
{
    return UINT64_C(1) << (class + SMALLEST_BITS);
}

static uint64_t block_count(uint64_t class)
{
    return (ARENA_SPAN - HEAP_LARGER_ALIGNMENT) / (block_size(class) + sizeof(uint64_t));
}

static arena_ref blocks_begin(arena_ref span, uint64_t class)
{
    uint64_t words = block_count(class) * sizeof(uint64_t);
    return span +
           (words + HEAP_LARGER_ALIGNMENT - 1) / HEAP_LARGER_ALIGNMENT * HEAP_LARGER_ALIGNMENT;
}

static bool alloc_in_span(uint64_t index, uint64_t class, slot_id owner, arena_ref *ref)
{
    static _Atomic uint32_t hints[CLASSES];
    _Atomic uint64_t *block = arena_at(span_at(index));
    uint64_t count = block_count(class);
    uint64_t start = atomic_load_explicit(&hints[class], memory_order_relaxed);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = (start + i) % count;
        if (atomic_load_explicit(&block[at], memory_order_relaxed) != FREE ||
            !swap(&block[at], FREE, word_of(CLAIMED, 0, owner)))
            continue;
        atomic_store_explicit(&hints[class], (uint32_t)at + 1, memory_order_relaxed);
        *ref = blocks_begin(span_at(index), class) + at * block_size(class);
        return true;
    }
    return false;
}

static mproc_err new_small_span(uint64_t class, slot_id self, uint64_t *index)
{
    mproc_err err = take_spans(1, self, index);
    if (err)
        return err;
    memset(arena_at(span_at(*index)), 0, block_count(class) * sizeof(uint64_t));
    atomic_store(states(*index + 1, NULL) + *index, word_of(SMALL, class, 0));
    return MPROC_OK;
}

static mproc_err alloc_small(uint64_t class, slot_id owner, arena_ref *ref)
{
    static _Atomic uint64_t last[CLASSES]; /* + 1: the span that served last */
    const uint64_t mine = word_of(SMALL, class, 0);
    uint32_t used;
    _Atomic uint64_t *state = states(1, &used);
    uint64_t hint = atomic_load_explicit(&last[class], memory_order_relaxed);
    if (hint && hint <= used && atomic_load(&state[hint - 1]) == mine &&
        alloc_in_span(hint - 1, class, owner, ref))
        return MPROC_OK;
    for (uint64_t i = 0; state && i < used; i++) {
        if (atomic_load_explicit(&state[i], memory_order_acquire) == mine &&
            alloc_in_span(i, class, owner, ref)) {
            atomic_store_explicit(&last[class], i + 1, memory_order_relaxed);
            return MPROC_OK;
        }
    }
    uint64_t fresh;
    mproc_err err = new_small_span(class, owner, &fresh);
    if (err)
        return err;
    atomic_store_explicit(&last[class], fresh + 1, memory_order_relaxed);
    return alloc_in_span(fresh, class, owner, ref) ? MPROC_OK : alloc_small(class, owner, ref);
}

/* ---- both ---- */

static _Atomic slot_id
    allocator; /* whose allocations this process has last made: after a fork, not its own */

bool heap_was_used_by(slot_id self)
{
    return atomic_load_explicit(&allocator, memory_order_relaxed) == self;
}

mproc_err heap_alloc(size_t size, slot_id owner, arena_ref *ref)
{
    if (size == 0)
        return MPROC_EINVAL;
    if (!heap_was_used_by(owner))
        atomic_store_explicit(&allocator, owner, memory_order_relaxed);
    if (size > arena_capacity())
        return MPROC_ENOMEM;
    for (uint64_t class = 0; class < CLASSES; class ++) {
        if (size <= block_size(class))
            return alloc_small(class, owner, ref);
    }
    return alloc_run(size, owner, ref);
}

/* The word that says whose block this is; NULL when no block begins there. */
static _Atomic uint64_t *word_for(arena_ref ref, uint64_t *span, span_kind *kind)
{
    uint32_t used;
    _Atomic uint64_t *state = states(1, &used);
    if (!state || ref < spans_begin || (*span = (ref - spans_begin) / ARENA_SPAN) >= used)
        return NULL;
    uint64_t word = atomic_load(&state[*span]), class = length_of(word);
    *kind = kind_of(word);
    if (*kind == RUN)
        return ref == span_at(*span) ? &state[*span] : NULL;
    if (*kind != SMALL || class >= CLASSES)
        return NULL;
    arena_ref first = blocks_begin(span_at(*span), class);
    if (ref < first || (ref - first) % block_size(class) ||
        (ref - first) / block_size(class) >= block_count(class))
        return NULL;
    _Atomic uint64_t *block = arena_at(span_at(*span));
    return &block[(ref - first) / block_size(class)];
}

void heap_give(arena_ref ref, slot_id from, slot_id to)
{
    uint64_t span;
    span_kind kind;
    _Atomic uint64_t *word = word_for(ref, &span, &kind);
    uint64_t now = word ? atomic_load(word) : FREE;
    if (word && owned_by(now, from))
        swap(word, now, word_of(kind == RUN ? RUN : CLAIMED, kind == RUN ? length_of(now) : 0, to));
}

void heap_link(arena_ref ref, slot_id from, uint64_t link)
{
    uint64_t span;
    span_kind kind;
    _Atomic uint64_t *word = word_for(ref, &span, &kind);
    uint64_t now = word ? atomic_load(word) : FREE;
    assert(link && link < LINKED && (owned_by(now, from) || linked_to(now, link)));
    if (word && owned_by(now, from))
        swap(word, now, (now & ~OWNER_MASK) | LINKED | link);
}

bool heap_is_linked(arena_ref ref, uint64_t link)
{
    uint64_t span;
    span_kind kind;
    _Atomic uint64_t *word = word_for(ref, &span, &kind);
    return word && linked_to(atomic_load(word), link);
}

bool heap_free_linked(arena_ref ref, uint64_t link, slot_id self)
{
    uint64_t span;
    span_kind kind;
    _Atomic uint64_t *word = word_for(ref, &span, &kind);
    uint64_t now = word ? atomic_load(word) : FREE;
    if (!word || !linked_to(now, link))
        return false;
    return kind == RUN ? free_run(span, now, self) : swap(word, now, FREE);
}

void heap_free(arena_ref ref, slot_id self)
{
    uint64_t span;
    span_kind kind;
    _Atomic uint64_t *word = ref ? word_for(ref, &span, &kind) : NULL;
    uint64_t now = word ? atomic_load(word) : FREE;
    assert(!ref || now != FREE);
    if (now == FREE)
        return;
    if (kind == RUN)
        free_run(span, now, self);
    else
        swap(word, now, FREE);
}

static void sweep_small(uint64_t index, uint64_t class, slot_id dead)
{
    _Atomic uint64_t *block = arena_at(span_at(index));
    for (uint64_t i = 0; i < block_count(class); i++)
        swap(&block[i], word_of(CLAIMED, 0, dead), FREE);
}

void heap_sweep(slot_id dead, slot_id self)
{
    uint32_t used;
    _Atomic uint64_t *state = states(1, &used);
    uint64_t step;
    for (uint64_t i = 0; state && i < used; i += step) {
        uint64_t word = atomic_load(&state[i]);
        span_kind kind = kind_of(word);
        step = kind == RUN || kind == FREEING ? length_of(word) : 1;
        if (kind == SMALL)
            sweep_small(i, length_of(word), dead);
        else if (word == FREE || !owned_by(word, dead))
            continue;
        else if (kind == CLAIMED)
            swap(&state[i], word, FREE);
        else
            free_run(i, word, self);
    }
}

static uint64_t used_in_span(uint64_t index, uint64_t class)
{
    _Atomic uint64_t *block = arena_at(span_at(index));
    uint64_t sum = 0;
    for (uint64_t i = 0; i < block_count(class); i++)
        sum += atomic_load(&block[i]) == FREE ? 0 : block_size(class);
    return sum;
}

uint64_t heap_used(void)
{
    uint32_t used;
    uint64_t sum = 0, step;
    _Atomic uint64_t *state = states(1, &used);
    for (uint64_t i = 0; state && i < used; i += step) {
        uint64_t word = atomic_load(&state[i]);
        bool run = kind_of(word) == RUN || kind_of(word) == FREEING;
        step = run ? length_of(word) : 1;
        if (run)
            sum += step * ARENA_SPAN;
        else if (kind_of(word) == SMALL)
            sum += used_in_span(i, length_of(word));
    }
    return sum;
}
