/* One item, while the program's function runs on it. */
#ifndef MPROC_POOL_TASK_H
#define MPROC_POOL_TASK_H

#include <mproc/task.h>

#include "job.h"

struct mproc_task {
    pool_shared *shared;
    pool_worker *own;
    uint32_t worker;
    int64_t pid;
    /* The same for all items of a job. */
    pool_job *job;
    uint16_t generation;
    record_writer writer;
    os_code code;            /* of `function` */
    mproc_function function; /* one that fails, where this process does not have it */
    _Atomic unsigned char *outcomes;
    const unsigned char *items;
    unsigned char *results;
    size_t item_size, result_size;
    bool wants_reply, is_limited, is_traced;
    /* This item's. */
    pool_cell *cell; /* NULL: of a map */
    uint64_t index;
    const void *input;
    size_t input_size;
    mproc_err err; /* why it has failed, else MPROC_OK */
    bool replied;
    record *reply;   /* of any size, of a map: reserved, not yet committed */
    arena_ref block; /* of any size, of a cell: this process's, not yet in the cell */
    size_t reply_size;
    char message[MPROC_MESSAGE_SIZE];
};

void task_prepare(mproc_task *task, uint64_t job_word);
/* Does nothing for an item that has its outcome already. */
void task_run_item(mproc_task *task, uint64_t index);
void task_run_cell(mproc_task *task, uint64_t index);
/* Ends a process that the program's function has forked, and in which it has returned as well. */
void task_leave_copy(void);

#endif
