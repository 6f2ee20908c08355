/* One item, while the program's function runs on it. */
#ifndef MPROC_POOL_TASK_H
#define MPROC_POOL_TASK_H

#include <mproc/pool.h>

#include "job.h"

struct mproc_task {
    /* The same for all items of a job. */
    const pool_job *job;
    pool_worker *own;
    mproc_function function; /* NULL: this process does not have it */
    _Atomic unsigned char *outcomes;
    const unsigned char *items;
    unsigned char *results;
    size_t item_size, result_size;
    /* This item's. */
    uint64_t index;
    const void *input;
    size_t input_size;
    mproc_err err; /* why it has failed, else MPROC_OK */
    bool replied;
    record *reply; /* of any size: reserved, not yet committed */
    char message[MPROC_MESSAGE_SIZE];
};

void task_prepare(mproc_task *task, const pool_job *job, pool_worker *own);
/* Does nothing for an item that has its outcome already. */
void task_run(mproc_task *task, uint64_t index);

#endif
