#include "heap.h"

#include <assert.h>

#include "../killpoint.h"
#include "journal.h"
#include "span.h"

_Static_assert(HEAP_BLOCK_WORDS == SPAN_BLOCKS * sizeof(uint64_t), "a word for each block");
_Static_assert(HEAP_TAG_BITS == OWNER_BITS - 1, "a tag is an owner");

void heap_begin_at(arena_ref first)
{
    span_begin_at(first);
}

/* ---- where a thread looks first ---- */

typedef struct class_hint {
    /* The block that it freed last, and the one to try next: numbers in the table of blocks, and
     * the epochs to find there (0: none). */
    uint64_t freed, freed_epoch;
    uint64_t next, next_epoch;
    uint64_t cursor; /* the span that a search begins at */
} class_hint;

/* Belief only: each step proves what it needs by its CAS. */
static _Thread_local struct {
    slot_id owner;
    journal noted;   /* of the owner: its sweep looks at the blocks of these spans */
    uint64_t chance; /* keeps processes and threads apart */
    class_hint class[CLASSES];
} hints;

/* Those of the parent, which a fork has copied, would lead to its words. */
static void forget_hints(slot_id self)
{
    uint64_t mix = (self + (uintptr_t)&hints) * UINT64_C(0x9e3779b97f4a7c15);
    hints.owner = self;
    hints.noted = journal_of(self, JOURNAL_SPANS);
    hints.chance = mix >> 32;
    for (int i = 0; i < CLASSES; i++)
        hints.class[i] = (class_hint){.cursor = hints.chance};
}

static inline class_hint *hint_for(uint64_t class, slot_id self)
{
    if (hints.owner != self)
        forget_hints(self);
    return &hints.class[class];
}

/* ---- small blocks ---- */

/* After hint_for: the hints are the owner's. */
static inline bool take(uint64_t number, uint64_t epoch, slot_id self)
{
    span_word *word = &spans.blocks[number];
    if (atomic_load(word) != block_free(epoch))
        return false;
    journal_note(hints.noted, journal_bit_of_span(number / SPAN_BLOCKS));
    if (!swap(word, block_free(epoch), block_word(BLOCK_HELD, epoch, owner_of(self))))
        return false;
    killpoint();
    return true;
}

static inline arena_ref block_at(uint64_t number, uint64_t class)
{
    return span_at(number / SPAN_BLOCKS) + number % SPAN_BLOCKS * block_size(class);
}

static bool take_within(uint64_t first, uint64_t class, slot_id self, class_hint *hint,
                        arena_ref *ref)
{
    const uint64_t begin = first / SPAN_BLOCKS * SPAN_BLOCKS, last = block_count(class) - 1;
    for (uint64_t i = 0; i <= last; i++) {
        uint64_t at = (first + i) & last;
        if (take(begin + at, hint->next_epoch, self)) {
            hint->next = begin + ((at + 1) & last);
            *ref = block_at(begin + at, class);
            return true;
        }
    }
    return false;
}

/* Marked before the last look, so that whoever frees a block after that look sees the mark: both
 * sides store, then load, in one order for all. */
static bool take_or_mark_full(uint64_t class, slot_id self, class_hint *hint, arena_ref *ref)
{
    const uint64_t state = span_small(class, hint->next_epoch);
    span_word *word = &spans.states[hint->next / SPAN_BLOCKS];
    if (take_within(hint->next, class, self, hint, ref))
        return true;
    swap(word, state, state | SPAN_FULL);
    killpoint();
    if (!take_within(hint->next, class, self, hint, ref))
        return false;
    swap(word, state | SPAN_FULL, state);
    killpoint();
    return true;
}

enum { SEARCH = 1024 }; /* spans that are looked at before a new one is opened */

/* By whom, and whether the block needs a number: then not in a span that has none left. */
typedef struct search {
    slot_id self;
    bool numbered;
} search;

static inline bool suits(const search *s, uint64_t span)
{
    return !s->numbered || !span_is_used_up(span);
}

/* `desperate`: everywhere, also where a killed process may have left a block behind a mark. */
static bool take_elsewhere(uint64_t class, const search *s, bool desperate, arena_ref *ref)
{
    class_hint *hint = hint_for(class, s->self);
    const uint64_t high = span_high(), end = desperate || high < SEARCH ? high : SEARCH;
    for (uint64_t i = 0; i < end; i++) {
        uint64_t at = hint->cursor++ % high;
        uint64_t state = atomic_load_explicit(&spans.states[at], memory_order_acquire);
        if (kind_of(state) != SPAN_SMALL || class_of(state) != class ||
            (state & SPAN_FULL && !desperate) || !suits(s, at))
            continue;
        hint->next = at * SPAN_BLOCKS + (hints.chance & (block_count(class) - 1));
        hint->next_epoch = epoch_of(state);
        if (take_or_mark_full(class, s->self, hint, ref)) {
            hint->cursor = at;
            return true;
        }
    }
    return false;
}

static mproc_err alloc_slowly(uint64_t class, const search *s, arena_ref *ref)
{
    class_hint *hint = hint_for(class, s->self);
    while (!take_elsewhere(class, s, false, ref)) {
        uint64_t index, state;
        mproc_err err = span_open(class, s->numbered, s->self, &index, &state);
        if (err)
            return take_elsewhere(class, s, true, ref) ? MPROC_OK : err;
        hint->cursor = index;
        hint->next = index * SPAN_BLOCKS;
        hint->next_epoch = epoch_of(state);
        if (take_within(hint->next, class, s->self, hint, ref))
            break;
    }
    return MPROC_OK;
}

static mproc_err alloc_small(uint64_t class, const search *s, arena_ref *ref)
{
    class_hint *hint = hint_for(class, s->self);
    const uint64_t epoch = hint->freed_epoch;
    hint->freed_epoch = 0;
    if (epoch && suits(s, hint->freed / SPAN_BLOCKS) && take(hint->freed, epoch, s->self)) {
        *ref = block_at(hint->freed, class);
        return MPROC_OK;
    }
    if (hint->next_epoch && suits(s, hint->next / SPAN_BLOCKS) &&
        take_or_mark_full(class, s->self, hint, ref))
        return MPROC_OK;
    return alloc_slowly(class, s, ref);
}

/* ---- all blocks ---- */

/* Whose allocations this process has last made: after a fork, not its own. And who has swept
 * itself, at its end: what it got now would be nobody's. */
static _Atomic slot_id allocator, ended;

bool heap_was_used_by(slot_id self)
{
    return atomic_load_explicit(&allocator, memory_order_relaxed) == self;
}

static mproc_err note_allocator(slot_id self)
{
    if (atomic_load(&ended) == self)
        return MPROC_ESTATE;
    atomic_store(&allocator, self);
    return MPROC_OK;
}

static mproc_err alloc(size_t size, const search *s, arena_ref *ref)
{
    if (size == 0)
        return MPROC_EINVAL;
    mproc_err err = heap_was_used_by(s->self) ? MPROC_OK : note_allocator(s->self);
    if (err)
        return err;
    for (uint64_t class = 0; class < CLASSES; class ++) {
        if (size <= block_size(class))
            return alloc_small(class, s, ref);
    }
    if (size > arena_capacity())
        return MPROC_ENOMEM;
    uint64_t first;
    const span_need need = {(size + ARENA_SPAN - 1) / ARENA_SPAN, s->numbered};
    err = span_make_run(need, s->self, &first);
    if (!err)
        *ref = span_at(first);
    return err;
}

mproc_err heap_alloc(size_t size, slot_id self, arena_ref *ref)
{
    const search s = {self, false};
    return alloc(size, &s, ref);
}

static uint64_t span_of(arena_ref ref)
{
    return (ref - spans.begin) / ARENA_SPAN;
}

/* A number is given once, also when its taker is killed before he uses it. */
mproc_err heap_alloc_numbered(size_t size, slot_id self, arena_ref *ref, uint64_t *number)
{
    const search s = {self, true};
    mproc_err err;
    while (!(err = alloc(size, &s, ref)) && !span_give_number(span_of(*ref), number))
        heap_free(*ref, self); /* others have had the last ones meanwhile */
    killpoint();
    return err;
}

uint64_t heap_id(arena_ref ref, uint64_t number)
{
    return number << spans.place_bits | ref / HEAP_ALIGNMENT;
}

arena_ref heap_ref_of(uint64_t id, uint64_t *tag)
{
    const uint64_t number = id >> spans.place_bits;
    *tag = number <= spans.numbers_each ? HEAP_TAG_MEMORY | number : 0;
    return (id & ((UINT64_C(1) << spans.place_bits) - 1)) * HEAP_ALIGNMENT;
}

/* A block's own word, and what was in it. */
typedef struct block {
    span_word *word; /* NULL: no block is there */
    uint64_t now;
    uint64_t span, state; /* of its span */
    uint64_t size;
} block;

static inline block find_block(arena_ref ref)
{
    block found = {.span = span_of(ref)};
    const uint64_t offset = (ref - spans.begin) % ARENA_SPAN;
    if (!spans.states || ref < spans.begin || found.span >= span_high())
        return found;
    found.state = atomic_load(&spans.states[found.span]);
    if (kind_of(found.state) == SPAN_RUN && offset == 0) {
        found.size = length_of(found.state) * ARENA_SPAN;
        found.word = &spans.states[found.span];
        found.now = found.state;
    } else if (kind_of(found.state) == SPAN_SMALL) {
        found.size = block_size(class_of(found.state));
        span_word *word = &spans.blocks[found.span * SPAN_BLOCKS + offset / found.size];
        found.now = atomic_load(word);
        if (offset % found.size == 0 && block_is_held(found.now, epoch_of(found.state)))
            found.word = word;
    }
    return found;
}

/* The states of runs and the words of blocks have their owners at the same place. */
static bool change_owner(arena_ref ref, uint64_t from, uint64_t to)
{
    block b = find_block(ref);
    bool done = b.word && owner_in(b.now) == from && swap(b.word, b.now, (b.now ^ from) | to);
    killpoint();
    return done;
}

static bool release(const block *b, slot_id self)
{
    if (kind_of(b->state) == SPAN_RUN)
        return span_free_run(b->span, b->state, self);
    const uint64_t epoch = epoch_of(b->state), state = b->state & ~SPAN_FULL;
    if (!swap(b->word, b->now, block_free(epoch)))
        return false;
    killpoint();
    span_word *span = &spans.states[b->span];
    if (atomic_load(span) & SPAN_FULL) {
        swap(span, state | SPAN_FULL, state);
        killpoint();
    }
    class_hint *hint = hint_for(class_of(state), self);
    hint->freed = (uint64_t)(b->word - spans.blocks);
    hint->freed_epoch = epoch;
    return true;
}

/* To a process, which from now on has something in that span. */
static bool hand_over(arena_ref ref, uint64_t from, slot_id to)
{
    journal_note(journal_of(to, JOURNAL_SPANS),
                 journal_bit_of_span((ref - spans.begin) / ARENA_SPAN));
    return change_owner(ref, from, owner_of(to));
}

void heap_give(arena_ref ref, slot_id from, slot_id to)
{
    hand_over(ref, owner_of(from), to);
}

void heap_free(arena_ref ref, slot_id self)
{
    if (!ref)
        return;
    block b = find_block(ref);
    assert(b.word && !(b.now & LINKED));
    if (b.word)
        release(&b, self);
}

static bool is_tag(uint64_t tag)
{
    return tag && tag < LINKED;
}

void heap_link(arena_ref ref, slot_id from, uint64_t tag)
{
    assert(is_tag(tag));
    bool done = change_owner(ref, owner_of(from), LINKED | tag);
    assert(done || heap_is_linked(ref, tag) || atomic_load(&ended) == from);
    (void)done;
}

bool heap_unlink(arena_ref ref, uint64_t tag, slot_id to)
{
    return is_tag(tag) && !note_allocator(to) && hand_over(ref, LINKED | tag, to);
}

static void each_linked_within(uint64_t index, uint64_t state, uint64_t tag,
                               void (*visit)(arena_ref ref, void *context), void *context)
{
    const uint64_t class = class_of(state);
    for (uint64_t i = 0; i < block_count(class); i++) {
        uint64_t number = index * SPAN_BLOCKS + i, word = atomic_load(&spans.blocks[number]);
        if (block_is_held(word, epoch_of(state)) && owner_in(word) == (LINKED | tag))
            visit(block_at(number, class), context);
    }
}

void heap_each_linked(uint64_t tag, void (*visit)(arena_ref ref, void *context), void *context)
{
    for (uint64_t i = 0, high = span_high(), step; i < high; i += step) {
        uint64_t state = atomic_load(&spans.states[i]);
        step = span_step(state);
        if (kind_of(state) == SPAN_SMALL)
            each_linked_within(i, state, tag, visit, context);
        else if (kind_of(state) == SPAN_RUN && owner_in(state) == (LINKED | tag))
            visit(span_at(i), context);
    }
}

uint64_t heap_linked_size(arena_ref ref, uint64_t tag)
{
    block b = find_block(ref);
    return b.word && is_tag(tag) && owner_in(b.now) == (LINKED | tag) ? b.size : 0;
}

uint64_t heap_owned_size(arena_ref ref, slot_id owner)
{
    block b = find_block(ref);
    return b.word && owner_in(b.now) == owner_of(owner) ? b.size : 0;
}

bool heap_is_linked(arena_ref ref, uint64_t tag)
{
    return heap_linked_size(ref, tag) > 0;
}

bool heap_free_linked(arena_ref ref, uint64_t tag, slot_id self)
{
    block b = find_block(ref);
    return b.word && is_tag(tag) && owner_in(b.now) == (LINKED | tag) && release(&b, self);
}

/* ---- sweeping ---- */

static void sweep_small(uint64_t index, uint64_t state, slot_id dead)
{
    bool any = false;
    for (uint64_t i = 0; i < block_count(class_of(state)); i++) {
        uint64_t word =
            atomic_load_explicit(&spans.blocks[index * SPAN_BLOCKS + i], memory_order_acquire);
        looked_at();
        if (use_of(word) == BLOCK_FREE || owner_in(word) != owner_of(dead))
            continue;
        span_release(index, state, i, word);
        any = true;
    }
    if (any)
        swap(&spans.states[index], state | SPAN_FULL, state & ~SPAN_FULL);
}

void heap_sweep(slot_id dead, slot_id self)
{
    if (dead == self) {
        atomic_store(&ended, self);
        atomic_store(&allocator, 0);
        span_stop_closing(self);
    }
    journal noted = journal_of(dead, JOURNAL_SPANS);
    for (uint64_t i = 0, high = span_high(), step; i < high; i += step) {
        uint64_t state = atomic_load(&spans.states[i]);
        span_kind kind = kind_of(state);
        step = span_step(state);
        looked_at();
        if (kind == SPAN_SMALL) {
            if (!noted || journal_has(noted, journal_bit_of_span(i)))
                sweep_small(i, state, dead);
        } else if (kind != SPAN_FREE && owner_in(state) == owner_of(dead)) {
            if (kind == SPAN_CLAIMED)
                swap(&spans.states[i], state, SPAN_FREE);
            else
                span_free_run(i, state, self);
            killpoint();
        }
    }
}

static uint64_t used_in_span(uint64_t index, uint64_t class)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < block_count(class); i++) {
        uint64_t word = atomic_load(&spans.blocks[index * SPAN_BLOCKS + i]);
        sum += use_of(word) == BLOCK_HELD ? block_size(class) : 0;
    }
    return sum;
}

uint64_t heap_used(void)
{
    uint64_t sum = 0;
    for (uint64_t i = 0, high = span_high(), step; i < high; i += step) {
        uint64_t state = atomic_load(&spans.states[i]);
        step = span_step(state);
        if (kind_of(state) == SPAN_SMALL)
            sum += used_in_span(i, class_of(state));
        else if (kind_of(state) == SPAN_RUN || kind_of(state) == SPAN_FREEING)
            sum += step * ARENA_SPAN;
    }
    return sum;
}
