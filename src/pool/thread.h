/* The pool's own thread: calls callbacks, and drives the maps that nobody waits in. It sleeps as long
 * as there is nothing of that. */
#ifndef MPROC_POOL_THREAD_H
#define MPROC_POOL_THREAD_H

#include "lane.h"

/* Once there is one it stays until the pool is freed. */
mproc_err thread_start(mproc_pool *pool);
/* When there is nothing left to do; not by itself. */
void thread_stop(mproc_pool *pool);
/* Whether the calling thread is in one of its callbacks. */
bool thread_is_this(const mproc_pool *pool);

#endif
