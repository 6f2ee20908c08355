/* One item, while the program's function runs on it. */
#ifndef MPROC_POOL_TASK_H
#define MPROC_POOL_TASK_H

#include <mproc/pool.h>

#include "job.h"

/* Does nothing for an item that has its outcome already. */
void task_run(const pool_job *job, pool_worker *own, mproc_function function, uint64_t index);

#endif
