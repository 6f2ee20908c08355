#include "bell.h"

#include "../killpoint.h"

static bool mark(object *bell, uint64_t id, uint64_t flag)
{
    uint64_t word = atomic_load(&bell->word);
    while (object_matches(word, id)) {
        if (word & flag || atomic_compare_exchange_weak(&bell->word, &word, word | flag)) {
            killpoint();
            return true;
        }
    }
    return false;
}

mproc_err bell_sleep(bell_wait *wait)
{
    if (wait->deadline == 0)
        return MPROC_ETIMEDOUT;
    if (!wait->armed) {
        wait->armed = true;
        return mark(wait->bell, wait->id, BELL_WAITERS) ? MPROC_OK : MPROC_ESTALE;
    }
    wait->armed = false;
    wait->slept = true;
    return park(&wait->bell->seq, wait->seq, wait->deadline, family.self);
}

void bell_pass(const bell_wait *wait, bool more)
{
    if (!wait->slept)
        return;
    if (!mark(wait->bell, wait->id, BELL_WAITERS) || more)
        bell_ring_slowly(wait->bell, wait->id);
}

void bell_watch(object *bell, uint64_t id)
{
    object_watch(bell);
    mark(bell, id, BELL_WATCHED);
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
