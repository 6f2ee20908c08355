#include "eventcount.h"

bool eventcount_announce(const eventcount *wait)
{
    if (!object_flag(wait->cell, wait->id, wait->flag))
        return false;
    if (wait->lock)
        atomic_fetch_add(&wait->lock->word, 0);
    return true;
}

mproc_err eventcount_sleep(eventcount *wait)
{
    if (wait->deadline == 0)
        return MPROC_ETIMEDOUT;
    if (!wait->announced) {
        wait->announced = true;
        return eventcount_announce(wait) ? MPROC_OK : MPROC_ESTALE;
    }
    wait->announced = false;
    wait->slept = true;
    return object_sleep(wait->cell, wait->seq, wait->deadline);
}
