/* Single tasks in the pool's process: submitted as cells of lanes, collected as results. All of it
 * under the pool's lock. */
#ifndef MPROC_POOL_LANE_H
#define MPROC_POOL_LANE_H

#include <mproc/result.h>

#include "work.h"

struct mproc_result {
    mproc_pool *pool; /* NULL: gone */
    slot_id owner;
    unsigned references; /* the caller's, and the pool's until it is ready */
    /* Where it stands, until it has ended; of a map `map`. */
    pool_work *work;
    uint64_t cell;
    struct map_call *map;

    mproc_callback callback;
    mproc_error_callback error_callback;
    void *context;
    mproc_result *next; /* in the pool's to_call */

    bool owed;          /* the pool's join waits until it is ready */
    bool ended;         /* what follows is final */
    _Atomic bool ready; /* and the callback has returned */
    mproc_err err;
    mproc_task_error *error; /* NULL: it did not fail, or there was no memory to say more */
    const void *reply;
    size_t reply_size;
    arena_ref block; /* with the reply, this process's */
    _Alignas(16) unsigned char small[CELL_ROOM];
};

/* A task, with all of its memory. */
typedef struct lane_task {
    os_code code;
    const void *input; /* at most CELL_ROOM bytes, or `block` */
    size_t input_size;
    arena_ref block;
    int timeout_ms, grace_ms;
    unsigned attempts;
    uint64_t flags;
    const pool_guest *guest; /* who submits it, or NULL */
} lane_task;

/* Takes the task's block over. `result` may be NULL. */
mproc_err lane_submit(mproc_pool *pool, const lane_task *task, mproc_result *result);
/* Whether it has ended; collects what there is to collect then. */
bool lane_look(mproc_result *result);
/* Its worker is to ring the pool when it has ended. False: it has. */
bool lane_await(mproc_result *result);
/* Without the lock: waits until something has settled since `seen`, or for no reason. When that has
 * lasted until *patience, at first LANE_PATIENCE from now, or until the deadline, all who sleep are
 * rung if there is a task that nobody has taken: who was rung for it may have been stopped before he
 * looked. */
#define LANE_PATIENCE INT64_C(20000000)
mproc_err lane_sleep(mproc_pool *pool, uint32_t seen, int64_t deadline, int64_t *patience);
/* MPROC_ESTATE: it had ended. */
mproc_err lane_cancel(mproc_result *result);

/* The item that this worker is at has lasted too long: its cell, now at its end. */
void lane_time_out(const mproc_pool *pool, pool_work *lane, uint64_t cell);
/* Of a lane that a dead worker looked at: what it was at, and what it had claimed. True: a task was
 * lost by it. */
bool lane_bury(mproc_pool *pool, pool_work *lane, uint32_t worker, const pool_crash *crash);
/* All that has not ended does so, with an error. */
void lane_fail_all(mproc_pool *pool, mproc_err err);
/* Looks at all that its thread is to be told of. */
void lane_look_at_all(mproc_pool *pool);
/* What its cells still hold: at the end of the pool. */
void lane_free_blocks(pool_work *lane);
/* Whether every task has ended. Frees lanes of which that is so. */
bool lane_is_idle(mproc_pool *pool);

/* ---- results (result.c) ---- */

/* For what can be submitted. The caller has the one reference. */
mproc_err result_new(mproc_pool *pool, const mproc_task_options *options, mproc_result **result);
mproc_err result_check_limits(int timeout_ms, int grace_ms);
/* Without the lock: copies the input. */
mproc_err result_submit(mproc_pool *pool, mproc_function function, lane_task *task,
                        mproc_result *result);
/* Without the lock: waits until it is ready. */
mproc_err result_await(mproc_result *result, int64_t deadline);
/* Its callback is to be called, or its map to be ended, before the pool has been joined. */
void result_owe(mproc_result *result);
/* Nothing more will be done about it; the pool's reference goes. */
void result_be_ready(mproc_result *result);
/* It has ended: `err`, and what else is in it, is final. */
void result_end(mproc_result *result, mproc_err err);
/* Likewise, with more to say. `why` may be NULL. */
void result_fail(mproc_result *result, mproc_err err, const mproc_task_error *why);
void result_release(mproc_result *result);

#endif
