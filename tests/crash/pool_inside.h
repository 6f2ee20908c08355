/* What the crash tests have to know of a pool that it does not tell. */
#ifndef MPROC_TESTS_CRASH_POOL_INSIDE_H
#define MPROC_TESTS_CRASH_POOL_INSIDE_H

#include <mproc/mproc.h>

/* The process that was started last in that place; to be freed by mproc_process_free. */
mproc_process *pool_worker_of(mproc_pool *pool, int index);
bool pool_worker_is_ready(const mproc_pool *pool, int index); /* it has begun to work */
bool pool_has_work(const mproc_pool *pool);                   /* something has been published */

#endif
