#include "ranges.h"

#include "../killpoint.h"

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

/* Thieves cut off its end meanwhile, and change nothing at its front. */
void range_give_back(range_word *range, uint64_t taken, uint32_t first)
{
    const uint16_t generation = (uint16_t)(taken >> 48);
    uint64_t word = atomic_load(range);
    while ((uint16_t)(word >> 48) == generation && range_first(word) == range_end(taken) &&
           !atomic_compare_exchange_weak(range, &word,
                                         range_make(generation, first, range_end(word)))) {
    }
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
