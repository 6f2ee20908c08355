#include "map.h"

#include <stdlib.h>

#include "../family/park.h"
#include "results.h"
#include "thread.h"
#include "watch.h"

#define TENTH INT64_C(100000000) /* between two calls of a progress callback */

/* ---- handing out ---- */

static mproc_err publish(map_call *call, uint64_t first, uint64_t end)
{
    return work_publish(call->pool, call->work, (uint32_t)first, (uint32_t)end);
}

static uint64_t units_of(const pool_job *job)
{
    return job->count / job->unit + (job->count % job->unit != 0);
}

/* What a killed worker had cut off, and not written to its word: from the first item that has no
 * outcome on; those in between that have theirs are passed by. Nobody is at work. */
static void hand_out_lost(map_call *call)
{
    const pool_job *job = call->work->job;
    uint64_t first = job_find(job, OUTCOME_NONE, 0, job->count);
    if (publish(call, first / job->unit, units_of(job)))
        pool_break(call->pool, "there is no memory to hand out again what a worker had taken");
}

/* ---- how far it is ---- */

static uint64_t count_failed(const pool_job *job)
{
    const _Atomic unsigned char *outcomes = job_outcomes(job);
    uint64_t failed = 0;
    for (uint64_t i = 0; i < job->count; i++)
        failed += atomic_load_explicit(&outcomes[i], memory_order_relaxed) > OUTCOME_DONE;
    return failed;
}

static void report(const map_call *call, uint64_t done, uint64_t failed)
{
    call->options.progress(call->options.progress_context, (size_t)done, call->count,
                           (size_t)failed);
}

/* What is handed out again makes it look less. */
void map_report_progress(map_call *call)
{
    if (!call->options.progress)
        return;
    pools_lock();
    uint64_t done = job_progress(call->pool->shared, call->work->word);
    uint64_t failed = atomic_load(&call->work->job->failed) + call->work->failed;
    pools_unlock();
    if (done > call->progress)
        call->progress = done;
    report(call, call->progress, failed < call->progress ? failed : call->progress);
}

/* Under the lock, for a hook may be blaming a dead worker for an item meanwhile. */
map_state map_look(map_call *call)
{
    mproc_pool *pool = call->pool;
    pool_work *work = call->work;
    if (pool->terminated || pool->broken || call->canceled)
        return MAP_STOPPED;
    if (!job_is_settled(pool->shared, work->word))
        return MAP_RUNS;
    /* Before the items: one that is quiet now leaves no item unfinished later. */
    bool lost = job_is_quiet(pool->shared, work->word);
    if (job_find(work->job, OUTCOME_NONE, 0, work->job->count) == work->job->count)
        return MAP_DONE;
    if (lost && work_suspend(pool, work))
        hand_out_lost(call);
    return MAP_RUNS;
}

static map_state await_items(map_call *call)
{
    pool_shared *shared = call->pool->shared;
    int64_t deadline = call->options.progress ? os_now() + TENTH : OS_FOREVER;
    for (;;) {
        uint32_t seen = atomic_load(&shared->settled);
        pools_lock();
        map_state state = map_look(call);
        pools_unlock();
        if (state != MAP_RUNS)
            return state;
        if (park(&shared->settled, seen, deadline, family.self) == MPROC_ETIMEDOUT) {
            map_report_progress(call);
            deadline = os_now() + TENTH;
        }
    }
}

/* ---- single items ---- */

static bool remember(pool_work *work, uint64_t index, const pool_crash *crash)
{
    if (!pool_grow((void **)&work->crashes, &work->crash_capacity, work->crash_count,
                   sizeof *work->crashes))
        return false;
    work->crashes[work->crash_count] = *crash;
    work->crashes[work->crash_count++].index = index;
    return true;
}

static unsigned count_crashes(const pool_work *work, uint64_t index)
{
    unsigned count = 0;
    for (size_t i = 0; i < work->crash_count; i++)
        count += work->crashes[i].index == index;
    return count;
}

bool map_bury(mproc_pool *pool, pool_work *work, pool_worker *worker, const pool_crash *crash)
{
    uint64_t from, end;
    if (!job_current(worker, work->word, &from, &end))
        return false;
    uint64_t index = job_find(work->job, OUTCOME_NONE, from, end);
    if (index == end)
        return false;
    const bool wanted =
        pool->on_crash == MPROC_CRASH_RETRIES && count_crashes(work, index) < pool->retries;
    const bool again = remember(work, index, crash) && wanted;
    pool_mark_loss(crash->pid, index, again);
    if (!again) {
        atomic_store(&job_outcomes(work->job)[index], OUTCOME_CRASHED);
        work->failed++;
    }
    return true;
}

/* To the front of the range, so that its successor, or who steals from it, begins with it. */
void map_give_back(const pool_work *work, pool_worker *worker)
{
    const pool_job *job = work->job;
    const uint64_t taken = atomic_load(&worker->taken);
    if (job_generation(taken) != job_generation(work->word))
        return;
    const uint64_t behind = range_end(taken) * job->unit;
    const uint64_t end = behind < job->count ? behind : job->count;
    const uint64_t item = job_find(job, OUTCOME_NONE, range_first(taken) * job->unit, end);
    if (item != end)
        range_give_back(&worker->range, taken, (uint32_t)(item / job->unit));
}

static bool end_item(const pool_work *work, uint64_t index, outcome how)
{
    unsigned char none = OUTCOME_NONE;
    return atomic_compare_exchange_strong(&job_outcomes(work->job)[index], &none,
                                          (unsigned char)how);
}

void map_time_out(pool_work *work, uint64_t item, long long pid)
{
    if (!end_item(work, item, OUTCOME_TIMED_OUT))
        return;
    remember(work, item, &(pool_crash){.pid = pid});
    work->failed++;
}

/* ---- the end ---- */

/* Who is at an item of it has to stop, too. */
static void stop_items(const map_call *call)
{
    const pool_work *work = call->work;
    pool_shared *shared = call->pool->shared;
    const uint32_t count = atomic_load(&shared->worker_count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t from, end;
        if (atomic_load(&shared->workers[i].busy) == work->word &&
            job_current(&shared->workers[i], work->word, &from, &end) &&
            end_item(work, from, OUTCOME_CANCELED))
            watch_doom(call->pool, work, from, i, work->job->grace_ms);
    }
}

mproc_err map_cancel(map_call *call)
{
    if (call->canceled)
        return MPROC_ESTATE;
    call->canceled = true;
    atomic_store(&call->work->job->canceled, 1);
    stop_items(call);
    job_ring_thread(call->pool->shared);
    return MPROC_OK;
}

/* The killed workers may write into the caller's memory until they are gone. */
static mproc_err stopped(const map_call *call)
{
    mproc_pool *pool = call->pool;
    pools_lock();
    mproc_err err = pool->terminated ? MPROC_ECANCELED : pool->broken ? MPROC_EBROKEN : MPROC_OK;
    pools_unlock();
    while (err && pool_await_workers(pool, OS_FOREVER)) {
    }
    return call->canceled ? MPROC_ECANCELED : err;
}

mproc_err map_end(map_call *call, map_state state, mproc_task_error *first)
{
    mproc_pool *pool = call->pool;
    mproc_err err;
    pools_lock();
    work_withdraw(pool, call->work);
    pools_unlock();
    if (state == MAP_STOPPED) {
        err = stopped(call);
    } else {
        if (call->options.progress)
            report(call, call->count, count_failed(call->work->job));
        err = results_deliver(call, first);
    }
    pools_lock();
    work_retire(pool, call->work);
    pool->maps--;
    pool_dismiss(pool);
    pools_unlock();
    return err;
}

/* ---- the calls ---- */

static mproc_err check(const map_call *call)
{
    const mproc_map_options *options = &call->options;
    mproc_err err = pool_check(call->pool);
    if (err)
        return err;
    if (!call->function || (call->count && !call->items) || (call->result_size && !call->results) ||
        (options->error_capacity && !options->errors))
        return MPROC_EINVAL;
    return result_check_limits(options->timeout_ms, options->grace_ms);
}

static mproc_err admit(map_call *call)
{
    mproc_pool *pool = call->pool;
    pools_lock();
    mproc_err err = pool_admits(pool, NULL);
    if (!err)
        err = publish(call, 0, units_of(call->work->job));
    if (!err)
        pool->maps++;
    pools_unlock();
    if (err)
        work_discard(pool, call->work);
    return err;
}

static mproc_err begin(map_call *call)
{
    mproc_err err = watch_start(call->pool, call->options.timeout_ms,
                                call->result ? call->options.grace_ms : 0);
    if (err || (err = layout_job(call)))
        return err;
    return admit(call);
}

static mproc_err map_nothing(const map_call *call)
{
    pools_lock();
    mproc_err err = pool_admits(call->pool, NULL);
    pools_unlock();
    if (err || (err = results_empty(call->kept)))
        return err;
    if (call->options.error_count)
        *call->options.error_count = 0;
    return MPROC_OK;
}

static mproc_err map(map_call *call, const mproc_map_options *options)
{
    if (options)
        call->options = *options;
    mproc_err err = check(call);
    if (err)
        return err;
    if (call->count == 0)
        return map_nothing(call);
    if ((err = begin(call)))
        return err;
    mproc_task_error first;
    return map_end(call, await_items(call), &first);
}

static map_call of_size(mproc_pool *pool, mproc_function function, const void *items,
                        size_t item_size, size_t count, void *results, size_t result_size)
{
    return (map_call){.pool = pool,
                      .function = function,
                      .items = items,
                      .item_size = item_size,
                      .count = count,
                      .results = results,
                      .result_size = result_size,
                      .wants_results = result_size != 0};
}

static map_call of_bytes(mproc_pool *pool, mproc_function function, const mproc_bytes *items,
                         size_t count, mproc_results **results)
{
    return (map_call){.pool = pool,
                      .function = function,
                      .items = items,
                      .count = count,
                      .kept = results,
                      .wants_results = results != NULL};
}

mproc_err mproc_pool_map(mproc_pool *pool, mproc_function function, const void *items,
                         size_t item_size, size_t count, void *results, size_t result_size,
                         const mproc_map_options *options)
{
    map_call call = of_size(pool, function, items, item_size, count, results, result_size);
    return count && !item_size ? MPROC_EINVAL : map(&call, options);
}

mproc_err mproc_pool_map_bytes(mproc_pool *pool, mproc_function function, const mproc_bytes *items,
                               size_t count, mproc_results **results,
                               const mproc_map_options *options)
{
    map_call call = of_bytes(pool, function, items, count, results);
    return map(&call, options);
}

/* ---- and those that do not wait ---- */

/* What a map without items comes to is known at once. */
static mproc_err begin_async(map_call *call)
{
    mproc_result *result = call->result;
    const bool any = call->count;
    mproc_err err = any ? begin(call) : map_nothing(call);
    if (err)
        return err;
    pools_lock();
    result_owe(result);
    result->references++;
    result->reply = call->results;
    result->reply_size = call->count * call->result_size;
    if (any) { /* it is the thread's from now on */
        result->map = call;
        call->next = call->pool->running;
        call->pool->running = call;
        job_ring_thread(call->pool->shared);
    } else {
        result_end(result, MPROC_OK);
    }
    pools_unlock();
    if (!any)
        free(call);
    return MPROC_OK;
}

static mproc_err map_async(const map_call *call, const mproc_map_options *options,
                           const mproc_task_options *task, mproc_result **result)
{
    mproc_result *made = NULL;
    map_call *kept = malloc(sizeof *kept);
    if (!kept)
        return MPROC_ENOMEM;
    *kept = *call;
    if (options)
        kept->options = *options;
    mproc_err err = task && (task->timeout_ms || task->grace_ms) ? MPROC_EINVAL : check(kept);
    if (!err)
        err = thread_start(call->pool);
    if (!err)
        err = result_new(call->pool, task, &made);
    kept->result = made;
    if (!err)
        err = begin_async(kept);
    if (err)
        free(kept);
    if (made && (err || !result))
        mproc_result_free(made);
    else if (result && !err)
        *result = made;
    return err;
}

mproc_err mproc_pool_map_async(mproc_pool *pool, mproc_function function, const void *items,
                               size_t item_size, size_t count, void *results, size_t result_size,
                               const mproc_map_options *options, const mproc_task_options *task,
                               mproc_result **result)
{
    map_call call = of_size(pool, function, items, item_size, count, results, result_size);
    return count && !item_size ? MPROC_EINVAL : map_async(&call, options, task, result);
}

mproc_err mproc_pool_map_bytes_async(mproc_pool *pool, mproc_function function,
                                     const mproc_bytes *items, size_t count,
                                     mproc_results **results, const mproc_map_options *options,
                                     const mproc_task_options *task, mproc_result **result)
{
    map_call call = of_bytes(pool, function, items, count, results);
    return map_async(&call, options, task, result);
}
