#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../family/log.h"
#include "../family/park.h"
#include "../family/spin.h"
#include "../family/trace.h"
#include "lane.h"
#include "thread.h"
#include "watch.h"

enum { USUAL_CAPACITY = 64 };

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
    for (uint32_t turns = 0; atomic_load(&ready) != self;)
        spin_give_way(&turns);
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

void pool_mark_loss(long long pid, uint64_t index, bool again)
{
    const trace_args args = {.index = (int64_t)index, .err = MPROC_ECRASHED};
    if (trace_is_on())
        trace_mark(pid, again ? "crashed, is retried" : "crashed", "pool", &args);
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

mproc_err pool_admits(const mproc_pool *pool, const pool_guest *guest)
{
    const bool is_closed = pool->closed && !(guest && guest->pool);
    return pool->terminated || is_closed ? MPROC_ECLOSED : pool->broken ? MPROC_EBROKEN : MPROC_OK;
}

/* ---- guests ---- */

static const void *this_thread(void)
{
    static _Thread_local char mark;
    return &mark;
}

void pool_enter(mproc_pool *pool, pool_guest *guest)
{
    pools_lock();
    *guest = (pool_guest){.pool = pool, .thread = this_thread(), .next = pool->guests};
    pool->guests = guest;
    pools_unlock();
}

void pool_meet(pool_guest *guest)
{
    pools_lock();
    guest->thread = this_thread();
    pools_unlock();
}

void pool_leave(pool_guest *guest)
{
    pools_lock();
    mproc_pool *pool = guest->pool;
    pool_guest **link = pool ? &pool->guests : NULL;
    while (link && *link && *link != guest)
        link = &(*link)->next;
    if (link && *link)
        *link = guest->next;
    guest->pool = NULL;
    if (pool)
        pool_dismiss(pool);
    pools_unlock();
}

static void send_guests_away(mproc_pool *pool)
{
    pools_lock();
    for (; pool->guests; pool->guests = pool->guests->next)
        pool->guests->pool = NULL;
    pools_unlock();
}

/* Whether it would wait for what only the calling thread does. */
static bool waits_for_this_thread(mproc_pool *pool)
{
    pools_lock();
    const pool_guest *guest = pool->terminated || pool->broken ? NULL : pool->guests;
    while (guest && guest->thread != this_thread())
        guest = guest->next;
    pools_unlock();
    return guest;
}

void pool_break(mproc_pool *pool, const char *why)
{
    pool->broken = true;
    seats_kill(pool);
    lane_fail_all(pool, MPROC_EBROKEN);
    job_ring_pool(pool->shared);
    job_ring_thread(pool->shared);
    log_write(MPROC_LOG_ERROR, "%s: the pool is broken: %s", pool->name, why);
}

/* ---- creating ---- */

static mproc_err check(const mproc_pool_options *options)
{
    if (options->workers < 0 || options->workers > WORKERS_MOST || options->max_workers < 0 ||
        options->max_workers > WORKERS_MOST ||
        (options->max_workers && options->max_workers < options->workers) ||
        options->on_crash < MPROC_CRASH_FAILS || options->on_crash > MPROC_CRASH_BREAKS ||
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

static uint32_t capacity_of(const mproc_pool_options *options, uint32_t count)
{
    if (options->max_workers)
        return (uint32_t)options->max_workers;
    return count > USUAL_CAPACITY ? count : USUAL_CAPACITY;
}

static mproc_err make_shared(mproc_pool *pool, const mproc_pool_options *options, uint32_t capacity)
{
    size_t size = sizeof(pool_shared) + capacity * sizeof(pool_worker);
    mproc_err err = heap_alloc(size, family.self, &pool->shared_ref);
    if (err)
        return err;
    pool->shared = arena_at(pool->shared_ref);
    memset(pool->shared, 0, size);
    pool->shared->capacity = capacity;
    pool->shared->max_tasks = options->max_tasks;
    pool->shared->max_memory = options->max_memory;
    atomic_store(&pool->shared->next_look, OS_FOREVER);
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
    for (uint32_t i = 0; pool->shared && i < pool->shared->worker_count; i++)
        mproc_process_free(pool->seats[i].process);
    while (pool->work_count) {
        pool_work *work = pool->works[0];
        lane_free_blocks(work);
        work_withdraw(pool, work);
        work_retire(pool, work);
    }
    work_free_retired(pool, true);
    heap_free(pool->spare, family.self);
    heap_free(pool->shared_ref, family.self);
    free(pool->works);
    free(pool->connections);
    free(pool->args);
    free(pool);
}

static mproc_pool *make(const mproc_pool_options *options, uint32_t count, uint32_t capacity)
{
    mproc_pool *made = calloc(1, sizeof *made + capacity * sizeof made->seats[0]);
    if (!made)
        return NULL;
    made->owner = family.self;
    made->count = count;
    made->method = options->method;
    made->on_crash = options->on_crash;
    made->retries = options->retries ? options->retries : 1;
    made->to_call_end = &made->to_call;
    set_name(made, options->name);
    for (uint32_t i = 0; i < capacity; i++)
        made->seats[i] = (pool_seat){.pool = made, .index = i};
    return made;
}

mproc_err mproc_pool_create(mproc_pool **pool, const mproc_pool_options *options)
{
    static const mproc_pool_options defaults;
    const mproc_pool_options *chosen = options ? options : &defaults;
    mproc_err err = pool ? check(chosen) : MPROC_EINVAL;
    if (err || (err = family_enter()))
        return err;
    begin();
    spin_prepare();
    uint32_t count = (uint32_t)(chosen->workers ? chosen->workers : mproc_cpu_count());
    const uint32_t capacity = capacity_of(chosen, count);
    count = count < capacity ? count : capacity;
    mproc_pool *made = make(chosen, count, capacity);
    if (!made)
        return MPROC_ENOMEM;
    if (!(err = make_shared(made, chosen, capacity)))
        err = make_args(made, chosen);
    if (!err)
        err = copy_connections(made, chosen);
    for (uint32_t i = 0; !err && i < count; i++)
        err = seat_start(&made->seats[i]);
    if (err)
        mproc_pool_free(made);
    else
        *pool = made;
    return err;
}

/* ---- resizing ---- */

/* One that was told to end, and has not yet, goes on; if it is too late for that, it gets a
 * successor when its end is known. */
static void retire_or_keep(mproc_pool *pool)
{
    const uint32_t count = atomic_load(&pool->shared->worker_count);
    for (uint32_t i = 0; i < count; i++)
        atomic_store(&pool->shared->workers[i].retired, i >= pool->count);
    job_ring_workers(pool->shared, UINT32_MAX);
}

mproc_err mproc_pool_resize(mproc_pool *pool, int workers)
{
    mproc_err err = pool_check(pool);
    if (err || workers < 1)
        return err ? err : MPROC_EINVAL;
    if ((uint32_t)workers > pool->shared->capacity)
        return MPROC_ERANGE;
    pools_lock();
    err = pool_admits(pool, NULL);
    if (!err) {
        pool->count = (uint32_t)workers;
        retire_or_keep(pool);
    }
    pools_unlock();
    for (uint32_t i = 0; !err && i < (uint32_t)workers; i++)
        err = seat_start(&pool->seats[i]);
    return err;
}

/* ---- ending ---- */

/* Until then they stay, for what one of them loses with its end another one must do. */
void pool_dismiss(mproc_pool *pool)
{
    if (!pool->closed || pool->maps || pool->guests || atomic_load(&pool->shared->closing) ||
        !lane_is_idle(pool))
        return;
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
    atomic_store(&pool->shared->draining, 1);
    job_ring_workers(pool->shared, UINT32_MAX);
    pool_dismiss(pool);
    pools_unlock();
    return MPROC_OK;
}

static bool has_no_workers(mproc_pool *pool)
{
    return pool->hooks_left == 0;
}

/* And its thread has nothing left to do. The last task may be one that nobody waits for. */
static bool has_finished(mproc_pool *pool)
{
    pool_dismiss(pool);
    return pool->hooks_left == 0 && pool->owed == 0;
}

static mproc_err await(mproc_pool *pool, bool (*is_so)(mproc_pool *), int64_t deadline)
{
    for (;;) {
        uint32_t seen = atomic_load(&pool->shared->settled);
        pools_lock();
        bool there = is_so(pool);
        pools_unlock();
        if (there)
            return MPROC_OK;
        mproc_err err = park(&pool->shared->settled, seen, deadline, family.self);
        if (err)
            return err;
    }
}

mproc_err pool_await_workers(mproc_pool *pool, int64_t deadline)
{
    return await(pool, has_no_workers, deadline);
}

mproc_err mproc_pool_join(mproc_pool *pool, int timeout_ms)
{
    int64_t deadline;
    mproc_err err = pool_check(pool);
    if (err || (err = park_deadline(timeout_ms, &deadline)))
        return err;
    if (thread_is_this(pool) || (deadline == OS_FOREVER && waits_for_this_thread(pool)))
        return MPROC_EDEADLK;
    pools_lock();
    bool ending = pool->closed || pool->terminated;
    pools_unlock();
    return ending ? await(pool, has_finished, deadline) : MPROC_ESTATE;
}

mproc_err mproc_pool_terminate(mproc_pool *pool)
{
    mproc_err err = pool_check(pool);
    if (err)
        return err;
    pools_lock();
    pool->terminated = true;
    seats_kill(pool);
    lane_fail_all(pool, MPROC_ECANCELED);
    job_ring_pool(pool->shared);
    job_ring_thread(pool->shared);
    pools_unlock();
    return MPROC_OK;
}

static void free_shared(mproc_pool *pool)
{
    mproc_pool_terminate(pool);
    while (pool_await_workers(pool, OS_FOREVER)) {
    }
    send_guests_away(pool);
    thread_stop(pool);
    watch_stop(pool);
}

void mproc_pool_free(mproc_pool *pool)
{
    if (!pool || pool_check(pool))
        return;
    if (thread_is_this(pool)) {
        log_complain("mproc_pool_free: not from a callback of the pool: nothing is done");
        return;
    }
    if (pool->shared) /* else there was no memory to create it */
        free_shared(pool);
    release(pool);
}
