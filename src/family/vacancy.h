/* Which chunks of cells of shared objects may have a free one: a bit for each, and a hint only. A process
 * takes a chunk, and claims cells of it one after another; the sweep of its end, and each
 * process that frees a cell there, note the chunk again. A bit may stand for a chunk that is full, or be missing for one
 * that is not: a process that finds no bit and cannot make the table larger looks everywhere. */
#ifndef MPROC_FAMILY_VACANCY_H
#define MPROC_FAMILY_VACANCY_H

#include "arena.h"

/* For the arena: words for a table of so many cells. */
uint32_t vacancy_words(uint32_t cells);

void vacancy_note(uint32_t chunk);
/* Takes the first of them. False: there is none. */
bool vacancy_take(uint32_t *chunk);

#endif
