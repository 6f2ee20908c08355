#include "pool.h"

mproc_err helper_start(mproc_pool *pool, pool_helper *helper, void (*run)(void *pool))
{
    pools_lock();
    mproc_err err = MPROC_OK;
    if (!helper->started && !pool->terminated) {
        err = os_thread_start(&helper->handle, run, pool);
        helper->started = !err;
    }
    pools_unlock();
    return err;
}

void helper_stop(pool_helper *helper, pool_alarm *alarm)
{
    pools_lock();
    const bool was_there = helper->started;
    helper->stopping = true;
    pools_unlock();
    if (!was_there)
        return;
    alarm_ring(alarm);
    os_thread_join(helper->handle);
}
