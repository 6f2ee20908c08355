/* Where a process may have left something: what its end has to look at.
 *
 * Each slot has an entry in a table of its own with two maps of bits: one for chunks of neighbouring
 * cells of shared objects, one for the heap's spans of small blocks. Chunks, or spans, that are a whole
 * map apart share a bit. A summary stands before each map, with a bit for each word of it.
 *
 * A process notes a place before its first store to anything there: one load when the bit stands
 * already. The summary's bit is set first, so that no bit stands without it. Nothing is taken back
 * while the slot is in use; the next claimer of the slot clears the entry, the map's words before the
 * summary. So a sweep visits what the dead process touched, all of it, and again does no harm. */
#ifndef MPROC_FAMILY_JOURNAL_H
#define MPROC_FAMILY_JOURNAL_H

#include "slot.h"

typedef enum journal_map { JOURNAL_CELLS, JOURNAL_SPANS, JOURNAL_MAPS } journal_map;

/* A map of one process. NULL: it notes nothing. */
typedef _Atomic uint64_t journal_word;
typedef journal_word *journal;

enum { JOURNAL_CHUNK = 64 /* cells */ };

extern uint32_t journal_bits; /* of each map, a power of two; the same in the whole family */

/* For the arena: bytes of an entry, for a table of so many cells. */
uint32_t journal_entry_size(uint32_t cells);
void journal_begin(uint32_t cells);

/* For the claimer of a slot. False: no memory. */
bool journal_reset(uint32_t slot_index);
/* Also of a process that has ended. NULL: there is no such slot. */
journal journal_of(slot_id id, journal_map map);

void journal_note_slowly(journal noted, uint32_t bit);
static inline void journal_note(journal noted, uint32_t bit)
{
    if (noted &&
        !(atomic_load_explicit(&noted[bit / 64], memory_order_relaxed) & UINT64_C(1) << bit % 64))
        journal_note_slowly(noted, bit);
}

/* The bits of a map: of a cell, by its index; of a span. */
static inline uint32_t journal_bit_of_cell(uint32_t cell)
{
    return cell / JOURNAL_CHUNK & (journal_bits - 1);
}

static inline uint32_t journal_bit_of_span(uint64_t span)
{
    return (uint32_t)span & (journal_bits - 1);
}

static inline bool journal_has(journal noted, uint32_t bit)
{
    return noted && atomic_load(&noted[bit / 64]) & UINT64_C(1) << bit % 64;
}

/* Calls `visit` for each bit that stands. */
void journal_each(journal noted, void (*visit)(uint32_t bit, void *context), void *context);

#endif
