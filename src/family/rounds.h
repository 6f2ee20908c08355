/* A number that comes round within a word, made wide: a second word counts how often the number has
 * entered a half of its range. Both carry an object's generation above their lower 40 bits.
 *
 * The count is odd in the upper half of the range, so the number's highest bit tells whether it is up
 * to date. It is one behind at most: a process brings it up to date before it moves the number on
 * (rounds_keep). */
#ifndef MPROC_FAMILY_ROUNDS_H
#define MPROC_FAMILY_ROUNDS_H

#include "../killpoint.h"
#include "object.h"

typedef struct rounds {
    const _Atomic uint64_t *word;
    _Atomic uint64_t *halves;
    unsigned shift, bits; /* of the number in the word */
} rounds;

static inline uint64_t rounds_upper(const rounds *r, uint64_t word)
{
    return word >> (r->shift + r->bits - 1) & 1;
}

/* The number in a word, when that or a later count was seen: then, or later. */
static inline uint64_t rounds_wide(const rounds *r, uint64_t word, uint64_t halves)
{
    const uint64_t half = UINT64_C(1) << (r->bits - 1);
    const uint64_t count = halves & OBJECT_WORD_MASK;
    return (count + ((count ^ rounds_upper(r, word)) & 1)) * half + (word >> r->shift & (half - 1));
}

/* The number of a moment, and the word. */
static inline uint64_t rounds_look(const rounds *r, uint64_t *word)
{
    uint64_t before = atomic_load(r->halves);
    for (;;) {
        *word = atomic_load(r->word);
        const uint64_t after = atomic_load(r->halves);
        if (after == before)
            return rounds_wide(r, *word, after);
        before = after;
    }
}

/* Between a look at the word and the CAS by which the number moves on. The count never goes back: so
 * when the CAS succeeds, the word was read while the count was this one. */
static inline void rounds_keep(const rounds *r, uint64_t id)
{
    uint64_t halves = atomic_load(r->halves);
    const uint64_t word = atomic_load(r->word);
    if (!object_matches(halves, id) || !object_matches(word, id) ||
        (halves & 1) == rounds_upper(r, word))
        return;
    atomic_compare_exchange_strong(r->halves, &halves, halves + 1);
    killpoint();
}

#endif
