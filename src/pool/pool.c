#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../family/log.h"
#include "../family/park.h"

enum { WORKERS_MAX = 1024, STARTS_MAX = 3 };

static os_mutex lock;

/* A forked worker may make pools of its own: its copy of the lock is as it was in its parent. */
static void begin(void)
{
    static _Atomic slot_id ready, preparing;
    slot_id self = family.self, before = atomic_load(&preparing);
    if (atomic_load_explicit(&ready, memory_order_acquire) == self)
        return;
    if (before != self && atomic_compare_exchange_strong(&preparing, &before, self)) {
        os_mutex_init(&lock);
        atomic_store(&ready, self);
    }
    while (atomic_load(&ready) != self)
        os_yield();
}

void pools_lock(void)
{
    os_mutex_lock(&lock);
}

void pools_unlock(void)
{
    os_mutex_unlock(&lock);
}

mproc_err pool_check(const mproc_pool *pool)
{
    if (!pool)
        return MPROC_EINVAL;
    return family_is_member() && pool->owner == family.self ? MPROC_OK : MPROC_ESTATE;
}

bool pool_grow(void **array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = realloc(*array, wanted * size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

/* ---- starting a worker ---- */

static void inherit(void *context, mproc_process *process)
{
    const pool_seat *seat = context;
    records_inherit(&seat->pool->shared->workers[seat->index].records, process->slot, family.self);
}

static void worker_ended(void *context, mproc_process *process);

static mproc_err start_worker(pool_seat *seat)
{
    mproc_pool *pool = seat->pool;
    char name[SLOT_NAME + 12];
    snprintf(name, sizeof name, "%.50s-%u", pool->name, (unsigned)seat->index + 1);
    atomic_store(&pool->shared->workers[seat->index].ready, 0);
    mproc_process *worker;
    pools_lock();
    pool->args->index = seat->index; /* the process copies it */
    static const process_hooks hooks = {.inherit = inherit, .ended = worker_ended};
    mproc_err err =
        process_create(&worker,
                       &(mproc_process_options){.target = worker_main,
                                                .args = pool->args,
                                                .args_size = pool->args_size,
                                                .connections = pool->connections,
                                                .connection_count = pool->connection_count,
                                                .name = name,
                                                .method = pool->method,
                                                .daemon = true},
                       &hooks, seat);
    mproc_process *before = err ? NULL : seat->process;
    if (!err) {
        seat->process = worker;
        process_retain(
            worker); /* it may end, and its successor sit here, before its start has returned */
        pool->hooks_left++;
    }
    pools_unlock();
    if (err)
        return err;
    mproc_process_free(before);
    err = mproc_process_start(worker);
    pools_lock();
    if (err)
        pool->hooks_left--;
    else if (pool->terminated || pool->broken)
        mproc_process_kill(worker); /* it had no process yet when the others were killed */
    pools_unlock();
    mproc_process_free(worker);
    return err;
}

/* ---- when one has ended ---- */

static void blame(mproc_pool *pool, pool_worker *worker, mproc_process *process)
{
    uint64_t from, end;
    if (!pool->job || !job_current(worker, pool->job, &from, &end))
        return;
    pool_job *job = job_at(pool->job);
    uint64_t index = job_find(job, OUTCOME_NONE, from, end);
    if (index == end)
        return;
    if (pool_grow((void **)&pool->crashes, &pool->crash_capacity, pool->crash_count,
                  sizeof *pool->crashes)) {
        pool->crashes[pool->crash_count++] =
            (pool_crash){.index = index, .pid = mproc_process_pid(process)};
        mproc_process_exit_status(process, &pool->crashes[pool->crash_count - 1].status);
    }
    atomic_store(&job_outcomes(job)[index], OUTCOME_CRASHED);
}

/* What it had said of its items outlives it. */
static void keep_records(mproc_pool *pool, pool_worker *worker)
{
    if (pool->job && atomic_load(&worker->serial) == job_at(pool->job)->serial)
        records_join(&pool->estate, &worker->records);
    else
        records_free(&worker->records, family.self);
}

static void kill_workers(mproc_pool *pool)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        if (pool->seats[i].process)
            mproc_process_kill(pool->seats[i].process);
    }
}

static void break_pool(mproc_pool *pool, const char *why)
{
    pool->broken = true;
    kill_workers(pool);
    log_write(MPROC_LOG_ERROR, "%s: the pool is broken: %s", pool->name, why);
}

static bool needs_successor(mproc_pool *pool, const pool_worker *worker)
{
    pool->starts_failed = atomic_load(&worker->ready) ? 0 : pool->starts_failed + 1;
    if (pool->terminated || pool->broken || (pool->closed && !pool->active))
        return false;
    if (pool->starts_failed < STARTS_MAX)
        return true;
    break_pool(pool, "its workers end before they are ready, see the initializer");
    return false;
}

static void worker_ended(void *context, mproc_process *process)
{
    pool_seat *seat = context;
    mproc_pool *pool = seat->pool;
    pool_worker *worker = &pool->shared->workers[seat->index];
    pools_lock();
    blame(pool, worker, process);
    keep_records(pool, worker);
    atomic_store(&worker->current,
                 0); /* a successor that ends before its first task is blamed for nothing */
    atomic_store(&worker->busy, 0);
    bool again = needs_successor(pool, worker);
    pools_unlock();
    if (again)
        log_write(MPROC_LOG_INFO, "%s (pid %lld) is replaced", mproc_process_name(process),
                  mproc_process_pid(process));
    mproc_err err = again ? start_worker(seat) : MPROC_OK;
    pools_lock();
    if (err && !pool->terminated && pool->hooks_left == 1) /* the others take over its work */
        break_pool(pool, mproc_strerror(err));
    job_ring_pool(pool->shared);
    pool->hooks_left--; /* the pool may be gone as soon as the lock is open */
    pools_unlock();
}

/* ---- creating ---- */

static mproc_err check(const mproc_pool_options *options)
{
    if (options->workers < 0 || options->workers > WORKERS_MAX ||
        (options->initializer_args_size && !options->initializer_args) ||
        (options->connection_count && !options->connections) ||
        options->method < MPROC_START_DEFAULT || options->method > MPROC_FORKSERVER)
        return MPROC_EINVAL;
    if (options->initializer_args_size > SIZE_MAX - sizeof(worker_args))
        return MPROC_ENOMEM;
    return MPROC_OK;
}

static mproc_err make_args(mproc_pool *pool, const mproc_pool_options *options)
{
    size_t size = options->initializer_args_size;
    pool->args_size = sizeof(worker_args) + size;
    pool->args = calloc(1, pool->args_size);
    if (!pool->args)
        return MPROC_ENOMEM;
    pool->args->shared = pool->shared_ref;
    pool->args->initializer_size = size;
    if (size)
        memcpy(pool->args->initializer_args, options->initializer_args, size);
    if (!options->initializer)
        return MPROC_OK;
    pool->args->has_initializer = true;
    return os_code_from((os_function)options->initializer, &pool->args->initializer);
}

static mproc_err copy_connections(mproc_pool *pool, const mproc_pool_options *options)
{
    size_t count = options->connection_count;
    if (!count)
        return MPROC_OK;
    pool->connections = calloc(count, sizeof *pool->connections);
    if (!pool->connections)
        return MPROC_ENOMEM;
    memcpy(pool->connections, options->connections, count * sizeof *pool->connections);
    pool->connection_count = count;
    return MPROC_OK;
}

static mproc_err make_shared(mproc_pool *pool)
{
    size_t size = sizeof(pool_shared) + pool->count * sizeof(pool_worker);
    mproc_err err = heap_alloc(size, family.self, &pool->shared_ref);
    if (err)
        return err;
    pool->shared = arena_at(pool->shared_ref);
    memset(pool->shared, 0, size);
    pool->shared->worker_count = pool->count;
    return MPROC_OK;
}

static void set_name(mproc_pool *pool, const char *name)
{
    static _Atomic unsigned pools;
    if (name)
        snprintf(pool->name, sizeof pool->name, "%s", name);
    else
        snprintf(pool->name, sizeof pool->name, "Pool-%u-worker", atomic_fetch_add(&pools, 1) + 1);
}

static void release(mproc_pool *pool)
{
    for (uint32_t i = 0; i < pool->count; i++)
        mproc_process_free(pool->seats[i].process);
    for (size_t i = 0; i < pool->retired_count; i++)
        heap_free(pool->retired[i], family.self);
    heap_free(pool->spare, family.self);
    heap_free(pool->shared_ref, family.self);
    free(pool->retired);
    free(pool->crashes);
    free(pool->connections);
    free(pool->args);
    free(pool);
}

mproc_err mproc_pool_create(mproc_pool **pool, const mproc_pool_options *options)
{
    static const mproc_pool_options defaults;
    const mproc_pool_options *chosen = options ? options : &defaults;
    mproc_err err = pool ? check(chosen) : MPROC_EINVAL;
    if (err || (err = family_enter()))
        return err;
    begin();
    uint32_t count = (uint32_t)(chosen->workers ? chosen->workers : mproc_cpu_count());
    mproc_pool *made = calloc(1, sizeof *made + count * sizeof made->seats[0]);
    if (!made)
        return MPROC_ENOMEM;
    made->owner = family.self;
    made->count = count;
    made->method = chosen->method;
    os_mutex_init(&made->mapping);
    set_name(made, chosen->name);
    if (!(err = make_shared(made)))
        err = make_args(made, chosen);
    if (!err)
        err = copy_connections(made, chosen);
    for (uint32_t i = 0; i < count; i++)
        made->seats[i] = (pool_seat){.pool = made, .index = i};
    for (uint32_t i = 0; !err && i < count; i++)
        err = start_worker(&made->seats[i]);
    if (err)
        mproc_pool_free(made);
    else
        *pool = made;
    return err;
}

/* ---- ending ---- */

void pool_dismiss(mproc_pool *pool)
{
    atomic_store(&pool->shared->closing, 1);
    job_ring_workers(pool->shared, UINT32_MAX);
}

mproc_err mproc_pool_close(mproc_pool *pool)
{
    mproc_err err = pool_check(pool);
    if (err)
        return err;
    pools_lock();
    pool->closed = true;
    if (!pool->active)
        pool_dismiss(pool);
    pools_unlock();
    return MPROC_OK;
}

mproc_err pool_await_workers(mproc_pool *pool, int64_t deadline)
{
    for (;;) {
        uint32_t seen = atomic_load(&pool->shared->settled);
        pools_lock();
        bool all = pool->hooks_left == 0;
        pools_unlock();
        if (all)
            return MPROC_OK;
        mproc_err err = park(&pool->shared->settled, seen, deadline, family.self);
        if (err)
            return err;
    }
}

mproc_err mproc_pool_join(mproc_pool *pool, int timeout_ms)
{
    int64_t deadline;
    mproc_err err = pool_check(pool);
    if (err || (err = park_deadline(timeout_ms, &deadline)))
        return err;
    pools_lock();
    bool ending = pool->closed || pool->terminated;
    pools_unlock();
    return ending ? pool_await_workers(pool, deadline) : MPROC_ESTATE;
}

mproc_err mproc_pool_terminate(mproc_pool *pool)
{
    mproc_err err = pool_check(pool);
    if (err)
        return err;
    pools_lock();
    pool->terminated = true;
    kill_workers(pool);
    job_ring_pool(pool->shared);
    pools_unlock();
    return MPROC_OK;
}

void mproc_pool_free(mproc_pool *pool)
{
    if (!pool || pool_check(pool))
        return;
    if (pool->shared) { /* else there was no memory to create it */
        mproc_pool_terminate(pool);
        while (pool_await_workers(pool, OS_FOREVER)) {
        }
    }
    release(pool);
}
