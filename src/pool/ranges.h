/* Who does which part of a job. A range is some of its units that nobody has begun:
 *
 *   word = generation << 48 | first << 24 | end;   a unit is one or several consecutive items
 *
 * The job has one with all that has not been dealt out, to which more may be appended; each worker
 * has one with what he has claimed of it. A claim cuts off the front of the job's, the owner takes
 * a few units from the front of his own, a thief cuts off the upper half of another's; each is one
 * CAS, and the ranges of all words are disjoint at any time. A dead worker's word needs no repair:
 * thieves empty it, or its successor goes on with it. What it had taken and not begun goes back
 * there when its end is known. What can be lost is only what somebody killed had cut off and not
 * yet written to his own word: the pool's process finds that when all else is done, by what has not
 * been begun and is in no word. */
#ifndef MPROC_POOL_RANGES_H
#define MPROC_POOL_RANGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../killpoint.h"

#define RANGE_UNITS_MAX ((UINT32_C(1) << 24) - 1)
#define RANGE_BATCH 16u /* taken at once, unless there is a reason for less */
#define RANGE_SHARE 64u /* and at most this part of what is left */

typedef _Atomic uint64_t range_word;

static inline uint64_t range_make(uint16_t generation, uint32_t first, uint32_t end)
{
    return (uint64_t)generation << 48 | (uint64_t)first << 24 | end;
}

static inline uint32_t range_first(uint64_t word)
{
    return (uint32_t)(word >> 24) & RANGE_UNITS_MAX;
}

static inline uint32_t range_end(uint64_t word)
{
    return (uint32_t)word & RANGE_UNITS_MAX;
}

/* In units; 0 also for another generation. */
static inline uint32_t range_left(uint64_t word, uint16_t generation)
{
    uint32_t first = range_first(word), end = range_end(word);
    return (uint16_t)(word >> 48) == generation && first < end ? end - first : 0;
}

/* The next units of the own range, at most so many: few enough that what is left can still be
 * shared out evenly, one when little is left. How many; 0: none left. `taken` says which before
 * they are: they have been when the own range begins at their end. */
static inline uint32_t range_take(range_word *own, uint16_t generation, uint32_t most,
                                  range_word *taken, uint32_t *first)
{
    uint64_t word = atomic_load_explicit(own, memory_order_relaxed);
    uint32_t count, left;
    do {
        left = range_left(word, generation);
        if (!left) {
            /* Somebody else has what it said, and the next range may begin behind that. */
            atomic_store_explicit(taken, 0, memory_order_relaxed);
            return 0;
        }
        count = left / RANGE_SHARE;
        count = count < 1 ? 1 : count > most ? most : count;
        *first = range_first(word);
        atomic_store_explicit(taken, range_make(generation, *first, *first + count),
                              memory_order_relaxed);
        killpoint();
    } while (!atomic_compare_exchange_weak_explicit(own, &word, word + ((uint64_t)count << 24),
                                                    memory_order_seq_cst, memory_order_relaxed));
    killpoint();
    return count;
}

/* Cuts a share off the front: one of `shares`, but at least one unit and at most so many. */
bool range_claim(range_word *rest, uint16_t generation, uint32_t shares, uint32_t most,
                 uint64_t *claimed);

/* One more unit at the end, which has been made ready before. */
void range_append(range_word *rest);

/* Of a dead owner: what it had taken goes back to the front of its range, from `first` on. Does
 * nothing if it has not taken it. */
void range_give_back(range_word *range, uint64_t taken, uint32_t first);

/* Cuts the upper half, or the last unit, off a range of somebody else's. */
bool range_cut(range_word *victim, uint16_t generation, uint64_t *cut);

#endif
