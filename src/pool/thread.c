#include "thread.h"

#include <stdlib.h>

#include "../family/park.h"
#include "../killpoint.h"
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
        atomic_store(&result->ready, true);
        result_release(result);
        pools_unlock();
        job_ring_pool(pool->shared);
    }
}

/* ---- maps that nobody waits in ---- */

static void end_map(map_call *done, map_state state)
{
    mproc_result *result = done->result;
    mproc_task_error first = {.err = MPROC_OK};
    mproc_err err = map_end(done, state, &first);
    pools_lock();
    result->map = NULL;
    if (err)
        result_fail(result, err, first.err ? &first : NULL);
    else
        result_end(result, MPROC_OK);
    pools_unlock();
    job_ring_pool(done->pool->shared);
    free(done);
}

/* *next_look: earlier, if there is progress to report. */
static void look_at_maps(mproc_pool *pool, int64_t *next_look)
{
    pools_lock();
    map_call *next = pool->running;
    pools_unlock();
    while (next) {
        map_call *at = next;
        map_state state = map_look(at);
        pools_lock();
        next = at->next;
        for (map_call **link = &pool->running; state != MAP_RUNS && *link; link = &(*link)->next) {
            if (*link == at) {
                *link = next;
                break;
            }
        }
        pools_unlock();
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

/* ---- what lasts too long ---- */

void thread_doom(mproc_pool *pool, const pool_work *work, uint64_t item, uint32_t worker,
                 int grace_ms)
{
    pool_seat *seat = &pool->seats[worker];
    if (grace_ms == MPROC_FOREVER)
        return;
    seat->kill_word = (uint64_t)job_generation(work->word) << 48 | (item + 1);
    seat->kill_at = os_now() + grace_ms * INT64_C(1000000);
    job_ring_thread(pool->shared);
}

static void time_out(mproc_pool *pool, pool_work *work, uint64_t item, uint32_t worker)
{
    const pool_job *job = work->job;
    const int grace_ms = job->is_lane ? job_cell(job, item)->grace_ms : job->grace_ms;
    thread_doom(pool, work, item, worker, grace_ms);
    if (job->is_lane)
        lane_time_out(work, item);
    else
        map_time_out(work, item, mproc_process_pid(pool->seats[worker].process));
}

/* When the worker is to be looked at again. */
static int64_t look_at_deadline(mproc_pool *pool, uint32_t index, int64_t now)
{
    pool_worker *worker = &pool->shared->workers[index];
    const uint64_t current = atomic_load(&worker->current);
    const int64_t deadline = atomic_load(&worker->deadline);
    pool_work *work = work_find(pool, atomic_load(&worker->busy));
    uint64_t from, end;
    if (!work || deadline == OS_FOREVER || !(work->job->is_lane || work->job->limited) ||
        !job_current(worker, work->word, &from, &end) || current != atomic_load(&worker->current) ||
        pool->seats[index].late_word == current)
        return OS_FOREVER;
    if (deadline > now)
        return deadline;
    pool->seats[index].late_word = current;
    time_out(pool, work, from, index);
    return now;
}

/* The worker itself is asked by the CAS: it is at that item, or has gone on. */
static int64_t look_at_kill(pool_seat *seat, int64_t now)
{
    pool_worker *worker = &seat->pool->shared->workers[seat->index];
    uint64_t word = seat->kill_word;
    if (!word || atomic_load(&worker->current) != word) {
        seat->kill_word = 0;
        return OS_FOREVER;
    }
    if (seat->kill_at > now)
        return seat->kill_at;
    if (atomic_compare_exchange_strong(&worker->current, &word, word | CURRENT_DOOMED))
        mproc_process_kill(seat->process);
    seat->kill_word = 0;
    return OS_FOREVER;
}

/* When there is something to do next. */
static int64_t look_at_workers(mproc_pool *pool)
{
    const int64_t now = os_now();
    int64_t next = OS_FOREVER;
    const uint32_t count = atomic_load(&pool->shared->worker_count);
    for (uint32_t i = 0; i < count; i++) {
        int64_t at = look_at_deadline(pool, i, now);
        next = at < next ? at : next;
        at = look_at_kill(&pool->seats[i], now);
        next = at < next ? at : next;
    }
    return next;
}

/* ---- its life ---- */

/* Whether to stop. */
static bool look_at_all(mproc_pool *pool, int64_t *next_look)
{
    pools_lock();
    lane_look_at_all(pool);
    *next_look = look_at_workers(pool);
    atomic_store(&pool->shared->next_look, *next_look);
    int64_t again = look_at_workers(pool); /* who began something before that did not ring */
    *next_look = again < *next_look ? again : *next_look;
    pool_dismiss(pool);
    pools_unlock();
    look_at_maps(pool, next_look);
    call_all(pool);
    pools_lock();
    bool stopping = pool->stopping && !pool->running && !pool->to_call;
    pools_unlock();
    return stopping;
}

static void sleep_until(pool_shared *shared, uint32_t seen, int64_t deadline)
{
    atomic_store(&shared->alarm_awaited, 1);
    if (atomic_load(&shared->alarm) == seen)
        park(&shared->alarm, seen, deadline, family.self);
    atomic_store(&shared->alarm_awaited, 0);
}

static void run(void *argument)
{
    mproc_pool *pool = argument;
    serving = pool;
    int64_t next_report = os_now() + TENTH, next_look;
    for (;;) {
        uint32_t seen = atomic_load(&pool->shared->alarm);
        if (look_at_all(pool, &next_look))
            return;
        sleep_until(pool->shared, seen, next_look);
        if (os_now() < next_report)
            continue;
        report_progress(pool);
        next_report = os_now() + TENTH;
    }
}

mproc_err thread_start(mproc_pool *pool)
{
    pools_lock();
    mproc_err err =
        pool->has_thread || pool->terminated ? MPROC_OK : os_thread_start(&pool->thread, run, pool);
    pool->has_thread |= !err && !pool->terminated;
    pools_unlock();
    return err;
}

void thread_stop(mproc_pool *pool)
{
    pools_lock();
    bool was_there = pool->has_thread;
    pool->stopping = true;
    pools_unlock();
    if (!was_there)
        return;
    job_ring_thread(pool->shared);
    os_thread_join(pool->thread);
}
