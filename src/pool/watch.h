/* The pool's watch: a thread that ends what lasts too long. It is not the one that calls callbacks,
 * for those may take their time. */
#ifndef MPROC_POOL_WATCH_H
#define MPROC_POOL_WATCH_H

#include "lane.h"

/* Before anything is submitted that may have to be ended later, by a time-out or after a grace. */
mproc_err watch_start(mproc_pool *pool, int timeout_ms, int grace_ms);
/* When no worker is left. */
void watch_stop(mproc_pool *pool);

/* The worker is killed if it is still at that item of the job after so many milliseconds: at once
 * with 0; MPROC_FOREVER: it is not. Under the lock. */
void watch_doom(mproc_pool *pool, const pool_work *work, uint64_t item, uint32_t worker,
                int grace_ms);

#endif
