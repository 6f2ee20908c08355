/* The pool's own thread: calls callbacks, drives the maps that nobody waits in, and ends what has
 * lasted too long. It sleeps as long as there is nothing of that. */
#ifndef MPROC_POOL_THREAD_H
#define MPROC_POOL_THREAD_H

#include "lane.h"

/* Once there is one it stays until the pool is freed. */
mproc_err thread_start(mproc_pool *pool);
/* When there is nothing left to do; not by itself. */
void thread_stop(mproc_pool *pool);
/* Whether the calling thread is in one of its callbacks. */
bool thread_is_this(const mproc_pool *pool);

/* Under the lock. */

/* The worker is killed if it is still at that item of the job after so many milliseconds;
 * MPROC_FOREVER: it is not. */
void thread_doom(mproc_pool *pool, const pool_work *work, uint64_t item, uint32_t worker,
                 int grace_ms);

#endif
