/* Who does which part of a map: each worker has one word with the range of units that are its
 * own.
 *
 *   word = generation << 48 | first << 24 | end;   a unit is one or several consecutive items
 *
 * The owner takes a few units from the front, a thief cuts off the upper half; each is one CAS,
 * and the ranges of all words are disjoint at any time. A dead worker's word needs no repair:
 * thieves empty it, or its successor goes on with it. What can be lost is only what somebody
 * killed had cut off and not yet written to his own word, or taken and not yet begun: the caller
 * finds that by the units' results when nobody is at work any more, and hands it out again under
 * a new generation, so that a CAS prepared under the old one fails. */
#ifndef MPROC_POOL_RANGES_H
#define MPROC_POOL_RANGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../names.h"

#define RANGE_UNITS_MAX ((UINT32_C(1) << 24) - 1)
#define RANGE_BATCH 16u /* taken at once, at most */
#define RANGE_SHARE 64u /* and at most this part of what is left */

typedef _Atomic uint64_t range_word;

uint64_t range_make(uint16_t generation, uint32_t first, uint32_t end);

/* In units; 0 also for another generation. */
static inline uint32_t range_left(uint64_t word, uint16_t generation)
{
    uint32_t first = (uint32_t)(word >> 24) & RANGE_UNITS_MAX;
    uint32_t end = (uint32_t)word & RANGE_UNITS_MAX;
    return (uint16_t)(word >> 48) == generation && first < end ? end - first : 0;
}

/* The next units of the own range: few enough that what is left can still be shared out evenly,
 * one when little is left. How many; 0: none left. */
static inline uint32_t range_take(range_word *own, uint16_t generation, uint32_t *first)
{
    uint64_t word = atomic_load_explicit(own, memory_order_relaxed);
    uint32_t count, left;
    do {
        left = range_left(word, generation);
        if (!left)
            return 0;
        count = left / RANGE_SHARE;
        count = count < 1 ? 1 : count > RANGE_BATCH ? RANGE_BATCH : count;
        *first = (uint32_t)(word >> 24) & RANGE_UNITS_MAX;
    } while (!atomic_compare_exchange_weak_explicit(own, &word, word + ((uint64_t)count << 24),
                                                    memory_order_seq_cst, memory_order_relaxed));
    return count;
}

/* Cuts the upper half, or the last unit, off a range of somebody else's. */
bool range_cut(range_word *victim, uint16_t generation, uint64_t *cut);

#endif
