#include "journal.h"

#include "../killpoint.h"

enum { WORD = 64, BITS_MOST = 16384, INDEX_MASK = 0xffff };

uint32_t journal_bits;

/* ---- the layout: summary and map of the cells, summary and map of the spans ---- */

static uint32_t bits_for(uint32_t cells)
{
    uint32_t bits = WORD;
    while (bits < BITS_MOST && bits < cells / JOURNAL_CHUNK)
        bits *= 2;
    return bits;
}

static uint32_t words_of_map(uint32_t bits)
{
    return bits / WORD;
}

static uint32_t words_of_summary(uint32_t bits)
{
    return (words_of_map(bits) + WORD - 1) / WORD;
}

uint32_t journal_entry_size(uint32_t cells)
{
    const uint32_t line = 64, bits = bits_for(cells);
    const uint32_t words = JOURNAL_MAPS * (words_of_summary(bits) + words_of_map(bits));
    return (words * (uint32_t)sizeof(journal_word) + line - 1) / line * line;
}

void journal_begin(uint32_t cells)
{
    journal_bits = bits_for(cells);
}

static journal map_in(journal_word *entry, journal_map map)
{
    const uint32_t summary = words_of_summary(journal_bits);
    return entry + (uint32_t)map * (summary + words_of_map(journal_bits)) + summary;
}

static journal_word *summary_of(journal noted)
{
    return noted - words_of_summary(journal_bits);
}

journal journal_of(slot_id id, journal_map map)
{
    journal_word *entry = arena_entry(ARENA_JOURNALS, id & INDEX_MASK);
    return entry ? map_in(entry, map) : NULL;
}

/* ---- writing ---- */

void journal_note_slowly(journal noted, uint32_t bit)
{
    const uint32_t word = bit / WORD;
    atomic_fetch_or(&summary_of(noted)[word / WORD], UINT64_C(1) << word % WORD);
    killpoint();
    atomic_fetch_or(&noted[word], UINT64_C(1) << bit % WORD);
    killpoint();
}

static void each_bit(uint64_t word, uint32_t first, void (*visit)(uint32_t bit, void *context),
                     void *context)
{
    for (uint32_t bit = first; word; bit++, word >>= 1) {
        if (word & 1)
            visit(bit, context);
    }
}

static void each_word(journal noted, void (*visit)(uint32_t word, void *context), void *context)
{
    const uint32_t count = words_of_summary(journal_bits);
    for (uint32_t i = 0; i < count; i++)
        each_bit(atomic_load(&summary_of(noted)[i]), i * WORD, visit, context);
}

static void clear_word(uint32_t word, void *noted)
{
    atomic_store(&((journal)noted)[word], 0);
    killpoint();
}

/* The claimer is the only one that writes here. Killed on the way, it leaves what the next claimer
 * clears. */
static void clear(journal noted)
{
    each_word(noted, clear_word, noted);
    for (uint32_t i = 0; i < words_of_summary(journal_bits); i++) {
        if (!atomic_load(&summary_of(noted)[i]))
            continue;
        atomic_store(&summary_of(noted)[i], 0);
        killpoint();
    }
}

bool journal_reset(uint32_t slot_index)
{
    if (!journal_of(slot_index, JOURNAL_CELLS) &&
        !arena_use_table(ARENA_JOURNALS, slot_index + 1, NULL))
        return false;
    for (journal_map map = 0; map < JOURNAL_MAPS; map++)
        clear(journal_of(slot_index, map));
    return true;
}

/* ---- reading ---- */

typedef struct walk {
    journal noted;
    void (*visit)(uint32_t bit, void *context);
    void *context;
} walk;

static void walk_word(uint32_t word, void *context)
{
    const walk *w = context;
    each_bit(atomic_load(&w->noted[word]), word * WORD, w->visit, w->context);
}

void journal_each(journal noted, void (*visit)(uint32_t bit, void *context), void *context)
{
    walk w = {noted, visit, context};
    if (noted)
        each_word(noted, walk_word, &w);
}
