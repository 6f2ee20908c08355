/* The pool's side of the pool. */
#ifndef MPROC_POOL_POOL_H
#define MPROC_POOL_POOL_H

#include <mproc/pool.h>

#include "../process/process.h"
#include "job.h"
#include "worker.h"

/* Why an item has no outcome of its own: its worker's end. */
typedef struct pool_crash {
    uint64_t index;
    long long pid;
    mproc_exit_status status;
} pool_crash;

/* One worker's place; the processes in it change. */
typedef struct pool_seat {
    mproc_pool *pool;
    uint32_t index;
    mproc_process *process;
} pool_seat;

struct mproc_pool {
    slot_id owner;
    arena_ref shared_ref;
    pool_shared *shared;
    os_mutex mapping; /* one map at a time */
    worker_args *args;
    size_t args_size;
    mproc_connection *connections; /* of each worker */
    size_t connection_count;
    mproc_start_method method;
    char name[SLOT_NAME];
    uint32_t count;
    uint64_t serial;
    uint16_t generation;
    arena_ref
        /* The last map's block, for the next one: its pages are there, and mapped, in every
         * worker */
        spare;
    size_t spare_size;

    /* Of pools_lock. */
    bool closed, terminated, broken;
    bool
        /* A map was let in and has not yet got its results: the workers stay, closed or not */
        active;
    unsigned starts_failed; /* in a row, before the initializer had succeeded */
    unsigned hooks_left;    /* processes whose end has not been dealt with yet */
    uint64_t job;           /* the running map's word, 0: none */
    pool_crash *crashes;    /* of the running map */
    size_t crash_count, crash_capacity;
    record_chain estate; /* records of its dead workers */
    arena_ref *retired;  /* jobs that a worker was still looking at when their map was done */
    size_t retired_count, retired_capacity;

    pool_seat seats[];
};

/* Of all pools of this process, for they are freed while a hook may still be on its way. Held
 * for moments, never while a process starts. */
void pools_lock(void);
void pools_unlock(void);

/* MPROC_EINVAL for NULL, MPROC_ESTATE in another process. */
mproc_err pool_check(const mproc_pool *pool);
/* Tells the workers to end when they find no work; under the lock, when the pool is closed and
 * no map is active. */
void pool_dismiss(mproc_pool *pool);
/* Waits until every worker's end has been dealt with. */
mproc_err pool_await_workers(mproc_pool *pool, int64_t deadline);
/* Room for one more in a growing array. False: no memory. */
bool pool_grow(void **array, size_t *capacity, size_t count, size_t size);

#endif
