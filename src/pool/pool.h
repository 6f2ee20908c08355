/* The pool's side of the pool: what the rooms of it know of each other. */
#ifndef MPROC_POOL_POOL_H
#define MPROC_POOL_POOL_H

#include <mproc/pool.h>

#include "../process/process.h"
#include "job.h"
#include "worker.h"

typedef struct pool_work pool_work;

/* Somebody who has begun before the pool was closed, and has more to submit: it stays open for him.
 * Of pools_lock. */
typedef struct pool_guest {
    mproc_pool *pool;   /* NULL: he has left, or the pool is gone */
    const void *thread; /* the one that came last to submit something */
    struct pool_guest *next;
} pool_guest;

/* One worker's place; the processes in it change. */
typedef struct pool_seat {
    mproc_pool *pool;
    uint32_t index;
    mproc_process *process;
    bool taken;  /* a process has been started, and its end not been dealt with */
    bool doomed; /* it has been killed, or is as soon as its start has returned */
    /* Items as in `current`: the last one that lasted too long, and the one for which the worker is
     * to be killed, and when. */
    uint64_t late_word, kill_word;
    int64_t kill_at;
} pool_seat;

/* A thread of the pool itself: there is one from the moment when it is first needed. */
typedef struct pool_helper {
    bool started, stopping;
    os_handle handle;
} pool_helper;

struct mproc_pool {
    slot_id owner;
    arena_ref shared_ref;
    pool_shared *shared;
    worker_args *args;
    size_t args_size;
    mproc_connection *connections; /* of each worker */
    size_t connection_count;
    mproc_start_method method;
    mproc_crash_policy on_crash;
    unsigned retries;
    char name[SLOT_NAME];

    /* Of pools_lock. */
    uint32_t count; /* workers that there should be */
    uint16_t generation;
    bool closed, terminated, broken;
    pool_guest *guests;
    unsigned maps;          /* that have been let in and have not returned */
    unsigned starts_failed; /* in a row, before the initializer had succeeded */
    unsigned hooks_left;    /* processes whose end has not been dealt with yet */
    unsigned owed;          /* results that join waits for */
    pool_work **works;      /* what is published, the oldest first */
    size_t work_count, work_capacity;
    pool_work *retired; /* not published any more, but a worker still looks at them */
    arena_ref spare; /* the last map's block, for the next one: its pages are mapped everywhere */
    size_t spare_size;
    mproc_function known; /* the last function submitted, and where it lies */
    os_code known_code;

    pool_helper thread, watch;
    /* Of the former. */
    struct mproc_result *to_call, **to_call_end; /* ended, and their callbacks not called yet */
    struct map_call *running;                    /* maps that nobody waits in */
    pool_seat seats[];
};

/* Of all pools of this process, for they are freed while a hook may still be on its way. Held
 * for moments, never while a process starts. */
void pools_lock(void);
void pools_unlock(void);

/* MPROC_EINVAL for NULL, MPROC_ESTATE in another process. */
mproc_err pool_check(const mproc_pool *pool);
/* Whether something new may be submitted, by a guest or by anybody else; under the lock. */
mproc_err pool_admits(const mproc_pool *pool, const pool_guest *guest);
void pool_enter(mproc_pool *pool, pool_guest *guest);
/* Who has submitted all that he had; again does no harm. */
void pool_leave(pool_guest *guest);
/* The calling thread is the one that has something for it. */
void pool_meet(pool_guest *guest);
/* If it is closed and has nothing left to do, its workers may end; under the lock. */
void pool_dismiss(mproc_pool *pool);
/* Ends it for a reason that is logged; under the lock. */
void pool_break(mproc_pool *pool, const char *why);
/* Waits until every worker's end has been dealt with. */
mproc_err pool_await_workers(mproc_pool *pool, int64_t deadline);
/* On the timeline: a worker has lost an item by its end. */
void pool_mark_loss(long long pid, uint64_t index, bool again);
/* Room for one more in a growing array. False: no memory. */
bool pool_grow(void **array, size_t *capacity, size_t count, size_t size);

/* Once there is one it stays until it is stopped. */
mproc_err helper_start(mproc_pool *pool, pool_helper *helper, void (*run)(void *pool));
/* Not by itself. */
void helper_stop(pool_helper *helper, pool_alarm *alarm);

/* ---- its workers (seats.c) ---- */

/* Starts one in that place, if there should be one and is none. */
mproc_err seat_start(pool_seat *seat);
/* All of them; under the lock. */
void seats_kill(mproc_pool *pool);

#endif
