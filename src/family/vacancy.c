#include "vacancy.h"

#include "journal.h"

enum { WORD = 64 };

typedef _Atomic uint64_t vacancy_word;

uint32_t vacancy_words(uint32_t cells)
{
    return (cells + JOURNAL_CHUNK * WORD - 1) / (JOURNAL_CHUNK * WORD);
}

/* No kill point: whether a bit has been there before is different each time, and nothing depends on
 * it. */
void vacancy_note(uint32_t chunk)
{
    const uint64_t bit = UINT64_C(1) << chunk % WORD;
    vacancy_word *words = arena_use_table(ARENA_VACANCIES, chunk / WORD + 1, NULL);
    if (words && !(atomic_load(&words[chunk / WORD]) & bit))
        atomic_fetch_or(&words[chunk / WORD], bit);
}

static bool take_in(vacancy_word *word, uint32_t *bit)
{
    uint64_t now = atomic_load(word);
    while (now) {
        for (*bit = 0; !(now >> *bit & 1); ++*bit) {
        }
        if (atomic_compare_exchange_weak(word, &now, now & (now - 1)))
            return true;
    }
    return false;
}

bool vacancy_take(uint32_t *chunk)
{
    uint32_t used = 0, bit;
    vacancy_word *words = arena_use_table(ARENA_VACANCIES, 0, &used);
    for (uint32_t i = 0; words && i < used; i++) {
        if (take_in(&words[i], &bit)) {
            *chunk = i * WORD + bit;
            return true;
        }
    }
    return false;
}
