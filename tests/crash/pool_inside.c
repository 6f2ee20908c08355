#include "pool_inside.h"

#include "pool/pool.h"

mproc_process *pool_worker_of(mproc_pool *pool, int index)
{
    pools_lock();
    mproc_process *worker = pool->seats[index].process;
    if (worker)
        process_retain(worker);
    pools_unlock();
    return worker;
}

bool pool_has_work(const mproc_pool *pool)
{
    pools_lock();
    bool has = pool->work_count != 0;
    pools_unlock();
    return has;
}

bool pool_worker_is_ready(const mproc_pool *pool, int index)
{
    return atomic_load(&pool->shared->workers[index].ready);
}
