/* What saves work at an object, and may be wrong: a few words for each cell of the table of objects,
 * which share them when their indices are a whole table apart. The words are never anything else, so
 * a process that comes late writes a hint that is wrong, and nothing worse. */
#ifndef MPROC_FAMILY_HINT_H
#define MPROC_FAMILY_HINT_H

#include "arena.h"

enum { HINTS = 4096 };

typedef struct hint {
    /* Announcements of waiters << 1 | HINT_AUDIENCE. The bit stands as long as one of those that are
     * in the table of waiters for such a cell may be there; perhaps longer. */
    _Atomic uint64_t audience;
    _Atomic int64_t
        due; /* until then one of those who sleep on a lock there looks after its holder */
} hint;

#define HINT_AUDIENCE UINT64_C(1)

/* Of the object with that handle. NULL: nobody has used any of them yet. */
static inline hint *hint_find(uint64_t id)
{
    return arena_entry(ARENA_HINTS, (uint32_t)id % HINTS);
}

/* NULL: no memory. */
hint *hint_use(uint64_t id);

/* Before a waiter can be notified: from now on there may be somebody. */
void hint_announce(hint *of);
/* What is handed to hint_retract after a look at all waiters has found nobody. */
static inline uint64_t hint_look(const hint *of)
{
    return of ? atomic_load(&of->audience) : 0;
}
void hint_retract(hint *of, uint64_t seen);

#endif
