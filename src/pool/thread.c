#include "thread.h"

#include <stdlib.h>

#include "../family/park.h"
#include "map.h"

#define TENTH INT64_C(100000000) /* between two calls of a progress callback */

static _Thread_local const mproc_pool *serving;

bool thread_is_this(const mproc_pool *pool)
{
    return pool && serving == pool;
}

/* ---- callbacks ---- */

static void call(const mproc_result *result)
{
    mproc_task_error nothing_more = {.err = result->err};
    if (!result->err)
        result->callback(result->context, result->reply, result->reply_size);
    else
        result->error_callback(result->context, result->error ? result->error : &nothing_more);
}

static mproc_result *take_calls(mproc_pool *pool)
{
    mproc_result *first = pool->to_call;
    pool->to_call = NULL;
    pool->to_call_end = &pool->to_call;
    return first;
}

static void call_all(mproc_pool *pool)
{
    pools_lock();
    mproc_result *next = take_calls(pool);
    pools_unlock();
    while (next) {
        mproc_result *result = next;
        next = result->next;
        call(result);
        pools_lock();
        result_be_ready(result);
        pools_unlock();
    }
}

/* ---- maps that nobody waits in ---- */

static void end_map(map_call *done, map_state state)
{
    mproc_result *result = done->result;
    mproc_task_error first = {.err = MPROC_OK};
    mproc_err err = map_end(done, state, &first);
    pools_lock();
    if (err)
        result_fail(result, err, first.err ? &first : NULL);
    else
        result_end(result, MPROC_OK);
    pools_unlock();
    free(done);
}

static void take_out(mproc_pool *pool, const map_call *call)
{
    map_call **link = &pool->running;
    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
}

/* In one go with the look: whoever cancels it is in time, or finds that it is too late. */
static map_state take_out_if_over(mproc_pool *pool, map_call *call, map_call **next)
{
    pools_lock();
    map_state state = map_look(call);
    *next = call->next;
    if (state != MAP_RUNS) {
        take_out(pool, call);
        call->result->map = NULL;
    }
    pools_unlock();
    return state;
}

/* *next_look: earlier, if there is progress to report. */
static void look_at_maps(mproc_pool *pool, int64_t *next_look)
{
    pools_lock();
    map_call *next = pool->running;
    pools_unlock();
    while (next) {
        map_call *at = next;
        map_state state = take_out_if_over(pool, at, &next);
        if (state != MAP_RUNS)
            end_map(at, state);
        else if (at->options.progress && os_now() + TENTH < *next_look)
            *next_look = os_now() + TENTH;
    }
}

static void report_progress(mproc_pool *pool)
{
    pools_lock();
    map_call *next = pool->running;
    pools_unlock();
    for (; next; next = next->next) /* only this thread takes one out */
        map_report_progress(next);
}

/* ---- its life ---- */

/* Whether to stop. */
static bool look_at_all(mproc_pool *pool, int64_t *next_look)
{
    *next_look = OS_FOREVER;
    pools_lock();
    lane_look_at_all(pool);
    pool_dismiss(pool);
    pools_unlock();
    look_at_maps(pool, next_look);
    call_all(pool);
    pools_lock();
    bool stopping = pool->thread.stopping && !pool->running && !pool->to_call;
    pools_unlock();
    return stopping;
}

static void run(void *argument)
{
    mproc_pool *pool = argument;
    serving = pool;
    int64_t next_report = os_now() + TENTH, next_look;
    for (;;) {
        uint32_t seen = atomic_load(&pool->shared->alarm.word);
        if (look_at_all(pool, &next_look))
            return;
        alarm_await(&pool->shared->alarm, seen, next_look);
        if (os_now() < next_report)
            continue;
        report_progress(pool);
        next_report = os_now() + TENTH;
    }
}

mproc_err thread_start(mproc_pool *pool)
{
    return helper_start(pool, &pool->thread, run);
}

void thread_stop(mproc_pool *pool)
{
    helper_stop(&pool->thread, &pool->shared->alarm);
}
