/* Work of a pool in its own process: how a job is published, kept while workers look at it, and
 * freed. */
#ifndef MPROC_POOL_WORK_H
#define MPROC_POOL_WORK_H

#include "pool.h"

typedef struct mproc_result mproc_result;

/* Why an item of a map has no outcome of its own. */
typedef struct pool_crash {
    uint64_t index;
    long long pid;
    mproc_exit_status status;
    char log[MPROC_MESSAGE_SIZE]; /* its worker's last message */
} pool_crash;

struct pool_work {
    pool_job *job;
    arena_ref ref;
    size_t size;
    uint64_t word; /* the last one under which it was published */
    pool_work *next;
    /* Of a map. */
    pool_crash *crashes;
    size_t crash_count, crash_capacity;
    uint64_t failed; /* items that have ended without an outcome of their own */
    /* Of a lane: who wants to know of each cell, or NULL; how many cells are filled, and before
     * which all are done with. */
    uint64_t used, low;
    mproc_result *results[];
};

/* With a job of `size` bytes, not yet published. `cells` of a lane, else 0. */
mproc_err work_new(mproc_pool *pool, size_t size, uint64_t cells, pool_work **work);
/* One that has never been published. */
void work_discard(mproc_pool *pool, pool_work *work);

/* The rest under the lock. */

/* Units [first, end) are the workers' to do. MPROC_EAGAIN: there are too many jobs. */
mproc_err work_publish(mproc_pool *pool, pool_work *work, uint32_t first, uint32_t end);
/* Nobody begins to look at it any more. */
void work_withdraw(mproc_pool *pool, pool_work *work);
/* Withdraws it if no worker is looking at it: then none can. */
bool work_suspend(mproc_pool *pool, pool_work *work);
/* After it was withdrawn: frees it, now or when no worker looks at it any more. */
void work_retire(mproc_pool *pool, pool_work *work);
void work_free_retired(mproc_pool *pool, bool all);
pool_work *work_find(const mproc_pool *pool, uint64_t word);

#endif
