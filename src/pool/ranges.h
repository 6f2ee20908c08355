/* Who does which part of a map: each worker has one word with the range of units that are its own.
 *
 *   word = generation << 48 | first << 24 | end;   a unit is one or several consecutive items
 *
 * The owner takes units from the front, a thief cuts off the upper half; each is one CAS, and the ranges of all
 * words are disjoint at any time. A dead worker's word needs no repair: thieves empty it, or its
 * successor goes on with it. What can be lost is only what somebody killed had cut off and not yet written
 * to his own word, or taken and not yet begun: the caller finds that by the units' results when
 * nobody is at work any more, and hands it out again under a new generation, so that a CAS prepared
 * under the old one fails. */
#ifndef MPROC_POOL_RANGES_H
#define MPROC_POOL_RANGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../names.h"

#define RANGE_UNITS_MAX ((UINT32_C(1) << 24) - 1)

typedef _Atomic uint64_t range_word;

uint64_t range_make(uint16_t generation, uint32_t first, uint32_t end);
uint32_t range_left(uint64_t word, uint16_t generation); /* units; 0 also for another generation */

/* The next unit of the own range. */
static inline bool range_take(range_word *own, uint16_t generation, uint32_t *unit)
{
    uint64_t word = atomic_load_explicit(own, memory_order_relaxed);
    do {
        uint32_t first = (uint32_t)(word >> 24) & RANGE_UNITS_MAX;
        if ((uint16_t)(word >> 48) != generation || first >= (word & RANGE_UNITS_MAX))
            return false;
        *unit = first;
    } while (!atomic_compare_exchange_weak_explicit(
        own, &word, word + (UINT64_C(1) << 24), memory_order_seq_cst, memory_order_relaxed));
    return true;
}

/* Cuts the upper half, or the last unit, off a range of somebody else's. */
bool range_cut(range_word *victim, uint16_t generation, uint64_t *cut);

#endif
