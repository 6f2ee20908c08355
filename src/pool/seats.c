#include <stdio.h>

#include "../family/log.h"
#include "../family/text.h"
#include "map.h"

enum { STARTS_MAX = 3 };

/* ---- starting a worker ---- */

static void inherit(void *context, mproc_process *process);
static void ended(void *context, mproc_process *process);

/* Under the lock: before the process there is nothing that could end. */
static mproc_err create(pool_seat *seat, mproc_process **worker)
{
    static const process_hooks hooks = {.inherit = inherit, .ended = ended};
    mproc_pool *pool = seat->pool;
    char name[SLOT_NAME + 12];
    snprintf(name, sizeof name, "%.50s-%u", pool->name, (unsigned)seat->index + 1);
    pool->args->index = seat->index; /* the process copies it */
    return process_create(worker,
                          &(mproc_process_options){.target = worker_main,
                                                   .args = pool->args,
                                                   .args_size = pool->args_size,
                                                   .connections = pool->connections,
                                                   .connection_count = pool->connection_count,
                                                   .name = name,
                                                   .method = pool->method,
                                                   .daemon = true},
                          &hooks, seat);
}

/* Nobody wrote there before, or the one that did has ended. What he had left in his range stays. */
static void prepare_place(mproc_pool *pool, uint32_t index)
{
    pool_worker *place = &pool->shared->workers[index];
    atomic_store(&place->ready, 0);
    atomic_store(&place->retired, 0);
    place->log[0] = '\0';
    if (atomic_load(&pool->shared->worker_count) <= index)
        atomic_store(&pool->shared->worker_count, index + 1);
}

mproc_err seat_start(pool_seat *seat)
{
    mproc_pool *pool = seat->pool;
    mproc_process *worker;
    pools_lock();
    if (seat->taken || seat->index >= pool->count) { /* another thread has resized meanwhile */
        pools_unlock();
        return MPROC_OK;
    }
    mproc_err err = create(seat, &worker);
    mproc_process *before = err ? NULL : seat->process;
    if (!err) {
        prepare_place(pool, seat->index);
        seat->process = worker;
        /* It may end, and its successor sit here, before its start has returned */
        process_retain(worker);
        seat->taken = true;
        seat->doomed = false;
        pool->hooks_left++;
    }
    pools_unlock();
    if (err)
        return err;
    mproc_process_free(before);
    err = mproc_process_start(worker);
    pools_lock();
    if (err) {
        pool->hooks_left--;
        seat->taken = false;
    } else if (pool->terminated || pool->broken || seat->doomed) {
        mproc_process_kill(worker); /* there was no process yet when it was to be killed */
    }
    pools_unlock();
    mproc_process_free(worker);
    return err;
}

void seats_kill(mproc_pool *pool)
{
    const uint32_t count = atomic_load(&pool->shared->worker_count);
    for (uint32_t i = 0; i < count; i++) {
        if (pool->seats[i].process)
            mproc_process_kill(pool->seats[i].process);
    }
}

/* ---- when one has ended ---- */

/* What it was looking at, published or withdrawn meanwhile, but not freed. The look at the list makes
 * seen here what was written before it was published. */
static pool_job *job_of(const pool_shared *shared, const pool_worker *worker, uint64_t *word)
{
    *word = atomic_load(&worker->busy);
    if (!*word || (*word & BUSY_LOOKS))
        return NULL;
    job_is_published(shared, *word);
    return job_at(*word);
}

/* What it was about to give to the pool, and had only linked. Before its sweep. */
static void inherit(void *context, mproc_process *process)
{
    const pool_seat *seat = context;
    pool_worker *worker = &seat->pool->shared->workers[seat->index];
    uint64_t word, from, end;
    pool_job *job = job_of(seat->pool->shared, worker, &word);
    if (!job)
        return;
    records_inherit(&job->records, process->slot, family.self);
    if (!job->is_lane || !job_current(worker, word, &from, &end))
        return;
    arena_ref reply = atomic_load(&job_cell(job, from)->reply);
    if (reply)
        heap_give(reply, process->slot, family.self);
}

static void describe(pool_crash *crash, const pool_worker *worker, mproc_process *process)
{
    crash->pid = mproc_process_pid(process);
    mproc_process_exit_status(process, &crash->status);
    text_copy(crash->log, sizeof crash->log, worker->log);
}

/* Whether a task was lost by it. */
static bool bury(pool_seat *seat, mproc_process *process)
{
    mproc_pool *pool = seat->pool;
    pool_worker *worker = &pool->shared->workers[seat->index];
    pool_work *work = work_find(pool, atomic_load(&worker->busy));
    pool_crash crash = {.index = 0};
    describe(&crash, worker, process);
    bool lost = false;
    if (work && work->job->is_lane)
        lost = lane_bury(pool, work, seat->index, &crash);
    else if (work)
        lost = map_bury(pool, work, worker, &crash);
    if (work && !work->job->is_lane)
        map_give_back(work, worker);
    /* A successor that ends before its first task is blamed for nothing */
    atomic_store(&worker->current, 0);
    atomic_store(&worker->taken, 0);
    atomic_store(&worker->busy, 0);
    atomic_fetch_and(&pool->shared->asleep[seat->index / 64], ~(UINT64_C(1) << seat->index % 64));
    return lost;
}

static bool needs_workers(const mproc_pool *pool)
{
    return !pool->terminated && !pool->broken && !atomic_load(&pool->shared->closing);
}

static bool needs_successor(const pool_seat *seat)
{
    mproc_pool *pool = seat->pool;
    const pool_worker *worker = &pool->shared->workers[seat->index];
    pool->starts_failed = atomic_load(&worker->ready) ? 0 : pool->starts_failed + 1;
    if (!needs_workers(pool) || seat->index >= pool->count)
        return false;
    if (pool->starts_failed < STARTS_MAX)
        return true;
    pool_break(pool, "its workers end before they are ready, see the initializer");
    return false;
}

static void ended(void *context, mproc_process *process)
{
    pool_seat *seat = context;
    mproc_pool *pool = seat->pool;
    pools_lock();
    bool lost = bury(seat, process);
    seat->kill_word = 0;
    if (lost && pool->on_crash == MPROC_CRASH_BREAKS && !pool->terminated && !pool->broken)
        pool_break(pool, "a worker crashed in the midst of a task");
    bool again = needs_successor(seat);
    seat->taken = false;
    pools_unlock();
    if (again)
        log_write(MPROC_LOG_INFO, "%s (pid %lld) is replaced", mproc_process_name(process),
                  mproc_process_pid(process));
    mproc_err err = again ? seat_start(seat) : MPROC_OK;
    pools_lock();
    if (pool->hooks_left == 1 && needs_workers(pool)) /* else the others take over its work */
        pool_break(pool, err ? mproc_strerror(err) : "no worker is left");
    job_ring_all(pool->shared); /* it may have been rung, or about to ring one of them */
    job_ring_pool(pool->shared);
    job_ring_thread(pool->shared);
    pool->hooks_left--; /* the pool may be gone as soon as the lock is open */
    pools_unlock();
}
