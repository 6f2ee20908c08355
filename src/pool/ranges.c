#include "ranges.h"

uint64_t range_make(uint16_t generation, uint32_t first, uint32_t end)
{
    return (uint64_t)generation << 48 | (uint64_t)first << 24 | end;
}

bool range_cut(range_word *victim, uint16_t generation, uint64_t *cut)
{
    uint64_t word = atomic_load(victim);
    for (;;) {
        uint32_t left = range_left(word, generation);
        if (!left)
            return false;
        uint32_t first = (uint32_t)(word >> 24) & RANGE_UNITS_MAX;
        uint32_t middle = first + left / 2;
        if (atomic_compare_exchange_weak(victim, &word, range_make(generation, first, middle))) {
            *cut = range_make(generation, middle, first + left);
            return true;
        }
    }
}
