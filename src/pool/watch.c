#include "watch.h"

#include "../family/park.h"
#include "map.h"

#define TENTH INT64_C(100000000) /* between two tries to kill one */

/* ---- what lasts too long ---- */

/* The worker itself is asked by the CAS: it is at that item, or has gone on. When there is
 * something to do next. */
static int64_t look_at_kill(pool_seat *seat, int64_t now)
{
    pool_worker *worker = &seat->pool->shared->workers[seat->index];
    uint64_t word = seat->kill_word;
    if (!word || (!seat->doomed && atomic_load(&worker->current) != word)) {
        seat->kill_word = 0;
        return OS_FOREVER;
    }
    if (seat->kill_at > now)
        return seat->kill_at;
    seat->doomed |= atomic_compare_exchange_strong(&worker->current, &word, word | CURRENT_DOOMED);
    if (seat->doomed && mproc_process_kill(seat->process)) /* it waits for that for ever */
        return seat->kill_at = now + TENTH;
    seat->kill_word = 0;
    return OS_FOREVER;
}

void watch_doom(mproc_pool *pool, const pool_work *work, uint64_t item, uint32_t worker,
                int grace_ms)
{
    pool_seat *seat = &pool->seats[worker];
    const int64_t now = os_now();
    if (grace_ms == MPROC_FOREVER)
        return;
    seat->kill_word = (uint64_t)job_generation(work->word) << 48 | (item + 1);
    seat->kill_at = now + grace_ms * INT64_C(1000000);
    if (look_at_kill(seat, now) != OS_FOREVER)
        job_ring_watch(pool->shared);
}

static void time_out(mproc_pool *pool, pool_work *work, uint64_t item, uint32_t worker)
{
    const pool_job *job = work->job;
    const int grace_ms = job->is_lane ? job_cell(job, item)->grace_ms : job->grace_ms;
    if (job->is_lane)
        lane_time_out(pool, work, item);
    else
        map_time_out(work, item, mproc_process_pid(pool->seats[worker].process));
    watch_doom(pool, work, item, worker, grace_ms);
    job_ring_pool(pool->shared); /* it may have been the map's last item */
    job_ring_thread(pool->shared);
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

/* When to look again; 0: never more. */
static int64_t look(mproc_pool *pool)
{
    pools_lock();
    int64_t next = look_at_workers(pool);
    atomic_store(&pool->shared->next_look, next);
    const int64_t again = look_at_workers(pool); /* who began something before that did not ring */
    const bool stopping = pool->watch.stopping;
    pools_unlock();
    return stopping ? 0 : again < next ? again : next;
}

static void run(void *argument)
{
    mproc_pool *pool = argument;
    for (;;) {
        const uint32_t seen = atomic_load(&pool->shared->watch.word);
        const int64_t next = look(pool);
        if (!next)
            return;
        alarm_await(&pool->shared->watch, seen, next);
    }
}

mproc_err watch_start(mproc_pool *pool, int timeout_ms, int grace_ms)
{
    return timeout_ms || grace_ms > 0 ? helper_start(pool, &pool->watch, run) : MPROC_OK;
}

void watch_stop(mproc_pool *pool)
{
    helper_stop(&pool->watch, &pool->shared->watch);
}
