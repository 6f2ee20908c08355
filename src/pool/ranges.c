#include "ranges.h"

#include "../killpoint.h"

uint64_t range_make(uint16_t generation, uint32_t first, uint32_t end)
{
    return (uint64_t)generation << 48 | (uint64_t)first << 24 | end;
}

bool range_claim(range_word *rest, uint16_t generation, uint32_t shares, uint32_t most,
                 uint64_t *claimed)
{
    uint64_t word = atomic_load(rest);
    for (;;) {
        uint32_t left = range_left(word, generation);
        if (!left)
            return false;
        uint32_t first = range_first(word), count = left / shares;
        count = count < 1 ? 1 : count > most ? most : count;
        if (atomic_compare_exchange_weak(rest, &word, word + ((uint64_t)count << 24))) {
            killpoint();
            *claimed = range_make(generation, first, first + count);
            return true;
        }
    }
}

void range_append(range_word *rest)
{
    atomic_fetch_add(rest, 1);
    killpoint();
}

bool range_cut(range_word *victim, uint16_t generation, uint64_t *cut)
{
    uint64_t word = atomic_load(victim);
    for (;;) {
        uint32_t left = range_left(word, generation);
        if (!left)
            return false;
        uint32_t first = range_first(word);
        uint32_t middle = first + left / 2;
        if (atomic_compare_exchange_weak(victim, &word, range_make(generation, first, middle))) {
            killpoint();
            *cut = range_make(generation, middle, first + left);
            return true;
        }
    }
}
