#include "bell.h"

#include "../killpoint.h"

static bool mark_waiting(object *bell, uint64_t id)
{
    uint64_t word = atomic_load(&bell->word);
    while (object_matches(word, id)) {
        if (word & BELL_WAITERS ||
            atomic_compare_exchange_weak(&bell->word, &word, word | BELL_WAITERS)) {
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
        return mark_waiting(wait->bell, wait->id) ? MPROC_OK : MPROC_ESTALE;
    }
    wait->armed = false;
    wait->slept = true;
    return park(&wait->bell->seq, wait->seq, wait->deadline, family.self);
}

void bell_pass(const bell_wait *wait, bool more)
{
    if (!wait->slept)
        return;
    if (!mark_waiting(wait->bell, wait->id) || more)
        bell_ring_slowly(wait->bell, wait->id);
}

void bell_ring_slowly(object *bell, uint64_t id)
{
    uint64_t word = atomic_load(&bell->word);
    while (object_matches(word, id) && word & BELL_WAITERS &&
           !atomic_compare_exchange_weak(&bell->word, &word, word & ~BELL_WAITERS)) {
    }
    killpoint();
    object_wake(bell, 1);
}
