#include "bell.h"

#include "../killpoint.h"

/* A thread that changed something before the flag stood did not ring: so the look comes after it. */
void bell_pass(const eventcount *wait, bool (*is_missing)(const void *context), const void *context)
{
    if (!wait->slept)
        return;
    bool gone = !eventcount_announce(wait);
    if (gone || !is_missing(context))
        bell_ring_slowly(wait->cell, wait->id);
}

void bell_watch(object *bell, uint64_t id, object *lock)
{
    object_watch(bell);
    eventcount_announce(&(eventcount){.cell = bell, .id = id, .flag = BELL_WATCHED, .lock = lock});
}

void bell_ring_slowly(object *bell, uint64_t id)
{
    const uint64_t flags = BELL_WAITERS | BELL_WATCHED;
    uint64_t word = atomic_load(&bell->word);
    while (object_matches(word, id) && word & flags &&
           !atomic_compare_exchange_weak(&bell->word, &word, word & ~flags)) {
    }
    killpoint();
    object_wake(bell, 1);
    if (word & BELL_WATCHED)
        object_ring_watchers(bell);
}
