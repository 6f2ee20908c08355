#include "span.h"

#include <assert.h>

#include "../killpoint.h"
#include "heap.h"
#include "journal.h"
#include "spin.h"

/* Runs from this size on go back to the system. Smaller ones come back soon, and a page that comes from
 * the system costs more than what is done with it. */
#define GIVE_BACK (UINT64_C(4) << 20)

enum { NUMBER_BITS = HEAP_TAG_BITS - 1 }; /* at most, beside HEAP_TAG_MEMORY */

struct span_view spans;

void span_begin_at(arena_ref first)
{
    unsigned place_bits = 0;
    while (arena_capacity() / HEAP_ALIGNMENT >> place_bits)
        place_bits++;
    const unsigned number_bits = place_bits < 64 - NUMBER_BITS ? NUMBER_BITS : 64 - place_bits;
    spans = (struct span_view){.begin = first,
                               .limit = (arena_capacity() - first) / ARENA_SPAN,
                               .states = arena_table_begin(ARENA_STATES),
                               .blocks = arena_table_begin(ARENA_BLOCKS),
                               .high = arena_counter(ARENA_HIGH),
                               .epochs = arena_counter(ARENA_EPOCHS),
                               .numbers = arena_table_begin(ARENA_NUMBERS),
                               .numbers_each = (UINT64_C(1) << number_bits) - 1,
                               .place_bits = place_bits};
}

/* ---- taking spans ---- */

static void let_go(uint64_t first, uint64_t count, slot_id self, uint64_t free)
{
    while (count--) {
        swap(&spans.states[first + count], span_state(SPAN_CLAIMED, 0, self), free);
        killpoint();
    }
}

static void unclaim(uint64_t first, uint64_t count, slot_id self)
{
    let_go(first, count, self, SPAN_FREE);
}

/* Before the first one is in use, so that no walk misses it. */
static bool raise_high(uint64_t to)
{
    uint64_t high = span_high();
    if (to > high && (!arena_use_table(ARENA_STATES, (uint32_t)to, NULL) ||
                      !arena_use_table(ARENA_NUMBERS, (uint32_t)to, NULL)))
        return false;
    while (to > high && !atomic_compare_exchange_weak(spans.high, &high, to)) {
    }
    killpoint();
    return true;
}

/* *kept: all of them are committed. */
static bool claim(uint64_t first, uint64_t count, slot_id self, bool *kept)
{
    *kept = true;
    for (uint64_t i = 0; i < count; i++) {
        span_word *word = &spans.states[first + i];
        const uint64_t free = atomic_load_explicit(word, memory_order_relaxed);
        if (kind_of(free) != SPAN_FREE || !swap(word, free, span_state(SPAN_CLAIMED, 0, self))) {
            unclaim(first, i, self);
            return false;
        }
        killpoint();
        *kept &= free == SPAN_KEPT;
    }
    return true;
}

/* A stretch of spans that were claimed. */
typedef struct stretch {
    uint64_t first;
    bool kept;
} stretch;

/* The first stretch of as many free ones between `begin` and `end`. What was never in use has all of
 * its numbers. */
static bool find(uint64_t begin, uint64_t end, span_need need, slot_id self, stretch *found)
{
    const uint64_t count = need.count;
    uint64_t high = span_high(), run = 0;
    if (end > spans.limit)
        end = spans.limit;
    for (uint64_t i = begin; i < end;) {
        uint64_t state =
            i < high ? atomic_load_explicit(&spans.states[i], memory_order_relaxed) : SPAN_FREE;
        if (kind_of(state) != SPAN_FREE) {
            i += span_step(state);
            run = 0;
            continue;
        }
        i++;
        if (++run < count)
            continue;
        found->first = i - count;
        if (need.numbered && found->first < high && span_is_used_up(found->first)) {
            run--;
            continue;
        }
        if (!raise_high(i))
            return false;
        if (claim(found->first, count, self, &found->kept))
            return true;
        i = found->first + 1; /* somebody else was faster with a part of it */
        high = span_high();
        run = 0;
    }
    return false;
}

static bool close_empty_spans(slot_id self);

/* What was in use before comes before what never was: else free memory would be left behind, and
 * the committed part grow without end. But a search in vain is long, and so is the closing of empty
 * small spans: after it the heap may grow by a part of its size before the next one. */
static bool find_room(span_need need, slot_id self, stretch *room)
{
    const uint64_t count = need.count;
    static _Atomic uint64_t next_fit, may_grow;
    const uint64_t high = span_high();
    uint64_t start = atomic_load_explicit(&next_fit, memory_order_relaxed);
    uint64_t grow = atomic_load_explicit(&may_grow, memory_order_relaxed);
    bool found = false;
    if (count <= grow && find(high, high + count, need, self, room)) {
        atomic_store_explicit(&may_grow, grow - count, memory_order_relaxed);
        return true;
    }
    found = find(start, high, need, self, room) || find(0, high, need, self, room) ||
            (close_empty_spans(self) && find(0, high, need, self, room));
    if (!found) {
        atomic_store_explicit(&may_grow, high / 16, memory_order_relaxed);
        found = find(0, high + count, need, self, room) || find(0, spans.limit, need, self, room);
    }
    if (found)
        atomic_store_explicit(&next_fit, room->first + count, memory_order_relaxed);
    return found;
}

/* They stay CLAIMED by `self`, and committed. */
static mproc_err take(span_need need, slot_id self, uint64_t *first)
{
    const uint64_t count = need.count;
    stretch room;
    if (count > spans.limit || count > RUN_MAX || !find_room(need, self, &room))
        return MPROC_ENOMEM;
    *first = room.first;
    assert(!room.kept || arena_is_committed(span_at(*first), count * ARENA_SPAN));
    mproc_err err = room.kept ? MPROC_OK : arena_commit(span_at(*first), count * ARENA_SPAN);
    if (err)
        unclaim(*first, count, self);
    return err;
}

/* Not a mere store: this process may have been swept, by its own end in another thread. */
static mproc_err commit(uint64_t first, uint64_t count, uint64_t state, slot_id self)
{
    bool done = swap(&spans.states[first], span_state(SPAN_CLAIMED, 0, self), state);
    killpoint();
    if (!done)
        unclaim(first, count, self);
    return done ? MPROC_OK : MPROC_ENOMEM;
}

/* ---- runs ---- */

mproc_err span_make_run(span_need need, slot_id self, uint64_t *first)
{
    const uint64_t count = need.count;
    mproc_err err = take(need, self, first);
    return err ? err : commit(*first, count, span_state(SPAN_RUN, count, self), self);
}

bool span_free_run(uint64_t first, uint64_t state, slot_id self)
{
    const uint64_t length = length_of(state);
    if (!swap(&spans.states[first], state, span_state(SPAN_FREEING, length, self)))
        return false;
    killpoint();
    for (uint64_t i = 1; i < length; i++) {
        atomic_store(&spans.states[first + i], span_state(SPAN_CLAIMED, 0, self));
        killpoint();
    }
    const bool kept =
        length * ARENA_SPAN < GIVE_BACK || !arena_decommit(span_at(first), length * ARENA_SPAN);
    const uint64_t free = kept ? SPAN_KEPT : SPAN_FREE;
    killpoint();
    atomic_store(&spans.states[first], free);
    killpoint();
    let_go(first + 1, length - 1, self, free);
    return true;
}

/* ---- spans of small blocks ---- */

mproc_err span_open(uint64_t class, bool numbered, slot_id self, uint64_t *index, uint64_t *state)
{
    mproc_err err = take((span_need){1, numbered}, self, index);
    if (err)
        return err;
    if (!arena_use_entry(ARENA_BLOCKS, (uint32_t)*index)) {
        unclaim(*index, 1, self);
        return MPROC_ENOMEM;
    }
    const uint64_t epoch = (atomic_fetch_add(spans.epochs, 1) + 1) & EPOCH_MASK;
    killpoint();
    for (uint64_t i = 0; i < block_count(class); i++) {
        atomic_store_explicit(&spans.blocks[*index * SPAN_BLOCKS + i], block_free(epoch),
                              memory_order_relaxed);
    }
    killpoint();
    *state = span_small(class, epoch);
    return commit(*index, 1, *state, self);
}

void span_release(uint64_t index, uint64_t state, uint64_t block, uint64_t word)
{
    swap(&spans.blocks[index * SPAN_BLOCKS + block], word, block_free(epoch_of(state)));
    killpoint();
}

static bool is_empty(const span_word *block, uint64_t count, uint64_t epoch)
{
    while (count &&
           atomic_load_explicit(&block[count - 1], memory_order_relaxed) == block_free(epoch))
        count--;
    return count == 0;
}

static bool close_span(uint64_t index, uint64_t state, slot_id self)
{
    const uint64_t epoch = epoch_of(state), count = block_count(class_of(state));
    const uint64_t closed = block_word(BLOCK_CLOSED, epoch, owner_of(self));
    span_word *block = &spans.blocks[index * SPAN_BLOCKS];
    uint64_t done = 0;
    if (!is_empty(block, count, epoch))
        return false;
    journal_note(journal_of(self, JOURNAL_SPANS), journal_bit_of_span(index));
    while (done < count && swap(&block[done], block_free(epoch), closed)) {
        killpoint();
        done++;
    }
    if (done < count) {
        while (done--)
            span_release(index, state, done, closed);
        return false;
    }
    /* Somebody may find it full meanwhile. */
    while (!swap(&spans.states[index], state, SPAN_KEPT))
        state ^= SPAN_FULL;
    killpoint();
    return true;
}

/* The process in which a thread is closing: after a fork, another one. */
static _Atomic slot_id closing;

void span_stop_closing(slot_id self)
{
    uint32_t turns = 0;
    slot_id other = atomic_load(&closing);
    do {
        while (other == self) {
            spin_give_way(&turns);
            other = atomic_load(&closing);
        }
    } while (!atomic_compare_exchange_weak(&closing, &other, self));
}

static bool close_empty_spans(slot_id self)
{
    bool any = false;
    span_stop_closing(self);
    for (uint64_t i = 0, high = span_high(), step; i < high; i += step) {
        uint64_t state = atomic_load(&spans.states[i]);
        step = span_step(state);
        if (kind_of(state) == SPAN_SMALL && close_span(i, state, self))
            any = true;
    }
    atomic_store(&closing, 0);
    return any;
}
