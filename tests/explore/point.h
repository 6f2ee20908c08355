/* What the explored sources call: see hook.h. */
#ifndef MPROC_TESTS_EXPLORE_POINT_H
#define MPROC_TESTS_EXPLORE_POINT_H

#include <stddef.h>
#include <stdint.h>

/* Where words are that several players see: the arena; and what threads of one process share, if
 * the play has such. */
extern struct explore_range {
    uintptr_t begin, size;
} explore_arena, explore_common;

void explore_point(const volatile void *word, int writes, const char *file, int line);
/* What a player has allocated is gone with its schedule. */
void *explore_allocate(size_t count, size_t size);
void explore_release(void *block);

#endif
