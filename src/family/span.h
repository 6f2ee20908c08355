/* The heap's spans of 64 KiB: taken whole, or opened to be cut into small blocks of one size. For
 * heap.c alone.
 *
 * Every span has a state word, in a table beside the spans:
 *
 *   FREE, or KEPT          likewise, and still committed: who claims it need not ask the system
 *   CLAIMED{owner}         being made by the owner, being freed by it, or the rest of a run
 *   RUN{owner, length}     the first of `length` spans that are one large block
 *   FREEING{owner, length} such a run, while the owner frees it
 *   SMALL{class, epoch}    cut into blocks of one size
 *
 * A run's commit store is RUN; before it every span of it is CLAIMED by one that sweeping
 * recognises. Its end begins with the CAS to FREEING, which gives the sole right to go on; a
 * sweeper takes that right over by a CAS of its own. Whoever has it first tags the rest of the
 * run CLAIMED by itself, then lets go of the first span, then of the others: killed anywhere,
 * each span is either under a FREEING word or CLAIMED by the dead one. A sweeper walks by
 * lengths, so it never takes the rest of a living run for an orphan.
 *
 * The words of small blocks lie in another table, where they are nothing else for ever:
 *
 *   FREE{epoch}   HELD{owner}   CLOSED{closer}
 *
 * An epoch is used for one opening of one span. So a free word alone says that the block exists, is
 * of the class that one believes and can be had, and a CAS by somebody who was paused while its
 * span was closed and opened again fails.
 *
 * A span is opened by filling in its blocks' words while it is CLAIMED; the commit store is SMALL.
 * It is closed when it is empty: from the first to the last, each word goes from FREE to CLOSED;
 * the commit store is KEPT in the state word. One that is not free on the way, and they all go
 * back, the first one last: who has that is the only closer. A dead closer's are put back by its
 * sweep; after the commit store nobody believes them. */
#ifndef MPROC_FAMILY_SPAN_H
#define MPROC_FAMILY_SPAN_H

#include "slot.h"

typedef enum span_kind { SPAN_FREE, SPAN_CLAIMED, SPAN_RUN, SPAN_FREEING, SPAN_SMALL } span_kind;
#define SPAN_KEPT UINT64_C(1) /* a word of the kind SPAN_FREE */
typedef enum block_use { BLOCK_FREE, BLOCK_HELD, BLOCK_CLOSED } block_use;

enum { SPAN_BLOCKS = 1024, SMALLEST_BITS = 6, CLASSES = 9 };
_Static_assert(ARENA_SPAN == SPAN_BLOCKS << SMALLEST_BITS, "a span full of the smallest ones");

/* An owner is generation << 13 | index of a slot, or LINKED | a tag. */
enum {
    OWNER_BITS = 38,
    OWNER_INDEX_BITS = 13,
    LENGTH_BITS = 22,
    EPOCH_BITS = 55,
    CLASS_SHIFT = 56
};
_Static_assert(SLOT_COUNT <= 1 << OWNER_INDEX_BITS, "an owner fits");
#define OWNER_MASK ((UINT64_C(1) << OWNER_BITS) - 1)
#define LINKED (UINT64_C(1) << (OWNER_BITS - 1))
#define RUN_MAX ((UINT64_C(1) << LENGTH_BITS) - 1)
#define SPAN_FULL (UINT64_C(1) << EPOCH_BITS) /* of a small one: a search found nothing in it */
#define EPOCH_MASK (SPAN_FULL - 1)

typedef _Atomic uint64_t span_word;

/* The last number that a block at the beginning of a span, or within it, was given: each one is given
 * once. A line of the cache for each, for processes allocate in spans of their own. */
typedef struct span_numbers {
    _Alignas(64) span_word last;
} span_numbers;

/* Where they are in this process's view. */
extern struct span_view {
    arena_ref begin;
    uint64_t limit;    /* how many there may ever be */
    span_word *states; /* one for each */
    span_word *blocks; /* SPAN_BLOCKS for each */
    span_word *high;   /* beyond that one none has ever been in use */
    span_word *epochs; /* the last one used */
    span_numbers *numbers;
    uint64_t numbers_each; /* that a span can give */
    unsigned place_bits;   /* of a block's place, in units of HEAP_ALIGNMENT */
} spans;

void span_begin_at(arena_ref first);

static inline uint64_t owner_of(slot_id id)
{
    return (id >> 16 << OWNER_INDEX_BITS & (LINKED - 1)) | (id & ((1 << OWNER_INDEX_BITS) - 1));
}

static inline uint64_t span_state(span_kind kind, uint64_t length, slot_id owner)
{
    return (uint64_t)kind << 60 | length << OWNER_BITS | owner_of(owner);
}

static inline uint64_t span_small(uint64_t class, uint64_t epoch)
{
    return (uint64_t)SPAN_SMALL << 60 | class << CLASS_SHIFT | epoch;
}

static inline span_kind kind_of(uint64_t state)
{
    return (span_kind)(state >> 60);
}

static inline uint64_t length_of(uint64_t state)
{
    return state >> OWNER_BITS & RUN_MAX;
}

/* How many spans a walk goes on by. */
static inline uint64_t span_step(uint64_t state)
{
    return kind_of(state) == SPAN_RUN || kind_of(state) == SPAN_FREEING ? length_of(state) : 1;
}

static inline uint64_t class_of(uint64_t state)
{
    return state >> CLASS_SHIFT & 15;
}

static inline uint64_t epoch_of(uint64_t state)
{
    return state & EPOCH_MASK;
}

static inline uint64_t owner_in(uint64_t word)
{
    return word & OWNER_MASK;
}

static inline uint64_t block_free(uint64_t epoch)
{
    return epoch;
}

static inline uint64_t block_word(block_use use, uint64_t epoch, uint64_t owner)
{
    return (uint64_t)use << 62 | (epoch << OWNER_BITS & ~(UINT64_C(3) << 62)) | owner;
}

static inline block_use use_of(uint64_t word)
{
    return (block_use)(word >> 62);
}

/* In that epoch: not in one that began after the span's state was read. */
static inline bool block_is_held(uint64_t word, uint64_t epoch)
{
    return (word & ~OWNER_MASK) == block_word(BLOCK_HELD, epoch, 0);
}

static inline uint64_t block_size(uint64_t class)
{
    return UINT64_C(1) << (class + SMALLEST_BITS);
}

static inline uint64_t block_count(uint64_t class)
{
    return SPAN_BLOCKS >> class;
}

static inline arena_ref span_at(uint64_t index)
{
    return spans.begin + index * ARENA_SPAN;
}

static inline uint64_t span_high(void)
{
    return atomic_load_explicit(spans.high, memory_order_acquire);
}

static inline bool swap(span_word *word, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong(word, &from, to);
}

/* It has given all of its numbers. */
static inline bool span_is_used_up(uint64_t index)
{
    return atomic_load_explicit(&spans.numbers[index].last, memory_order_relaxed) >=
           spans.numbers_each;
}

/* The next number. False: it is used up. */
static inline bool span_give_number(uint64_t index, uint64_t *number)
{
    *number = atomic_fetch_add(&spans.numbers[index].last, 1) + 1;
    return *number <= spans.numbers_each;
}

/* How many spans, and whether the first one must have numbers to give. */
typedef struct span_need {
    uint64_t count;
    bool numbered;
} span_need;

/* A run. MPROC_ENOMEM. */
mproc_err span_make_run(span_need need, slot_id self, uint64_t *first);
/* False: `state` is no longer what is there. */
bool span_free_run(uint64_t first, uint64_t state, slot_id self);
/* *state: of the new one. MPROC_ENOMEM. */
mproc_err span_open(uint64_t class, bool numbered, slot_id self, uint64_t *index, uint64_t *state);
/* Puts a word back that a dead closer has changed, or frees the block. */
void span_release(uint64_t index, uint64_t state, uint64_t block, uint64_t word);
/* Nothing is closed by this process any more: it ends. */
void span_stop_closing(slot_id self);

#endif
