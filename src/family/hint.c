#include "hint.h"

#include "../killpoint.h"

hint *hint_use(uint64_t id)
{
    hint *found = hint_find(id);
    hint *all = found ? NULL : arena_use_table(ARENA_HINTS, 1, NULL);
    return all ? &all[(uint32_t)id % HINTS] : found;
}

/* The count makes each announcement another word, so that no retraction takes back one that came
 * after the look. */
void hint_announce(hint *of)
{
    uint64_t now = atomic_load(&of->audience);
    while (!atomic_compare_exchange_weak(&of->audience, &now, (now | HINT_AUDIENCE) + 2)) {
    }
    killpoint();
}

void hint_retract(hint *of, uint64_t seen)
{
    if (of && seen & HINT_AUDIENCE)
        atomic_compare_exchange_strong(&of->audience, &seen, seen & ~HINT_AUDIENCE);
    killpoint();
}
