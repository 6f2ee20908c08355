#include "bell.h"

#include "../killpoint.h"

mproc_err bell_sleep(bell_wait *wait)
{
    if (wait->deadline == 0)
        return MPROC_ETIMEDOUT;
    if (!wait->armed) {
        wait->armed = true;
        return object_flag(wait->bell, wait->id, BELL_WAITERS) ? MPROC_OK : MPROC_ESTALE;
    }
    wait->armed = false;
    wait->slept = true;
    return object_sleep(wait->bell, wait->seq, wait->deadline);
}

/* Whoever changed something before the flag stood did not ring: so the look comes after it. */
void bell_pass(const bell_wait *wait, bool (*is_missing)(const void *context), const void *context)
{
    if (!wait->slept)
        return;
    bool gone = !object_flag(wait->bell, wait->id, BELL_WAITERS);
    if (gone || !is_missing(context))
        bell_ring_slowly(wait->bell, wait->id);
}

void bell_watch(object *bell, uint64_t id)
{
    object_watch(bell);
    object_flag(bell, id, BELL_WATCHED);
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
