#include <stdlib.h>
#include <string.h>

#include "../family/family.h"
#include "../family/park.h"
#include "pool.h"
#include "results.h"

#define TENTH INT64_C(100000000) /* between two calls of a progress callback */
#define ALIGNMENT 64

typedef struct map_call {
    mproc_pool *pool;
    mproc_function function;
    const void *items; /* `count` items of `item_size`, or mproc_bytes when item_size is 0 */
    size_t item_size, count;
    void *results; /* of `result_size` each */
    size_t result_size;
    bool wants_results;
    const mproc_map_options *options;
    pool_job *job;
    arena_ref job_ref;
    size_t block_size;
    uint64_t done_before, failed_before;
} map_call;

/* ---- the job's block: header, outcomes, items, results ---- */

static bool add(size_t *sum, size_t count, size_t size)
{
    if (size && count > (SIZE_MAX - *sum - ALIGNMENT) / size)
        return false;
    *sum = (*sum + count * size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    return true;
}

static mproc_err check(const map_call *call)
{
    const mproc_map_options *options = call->options;
    mproc_err err = pool_check(call->pool);
    if (err)
        return err;
    if (!call->function || (call->count && !call->items) || (call->result_size && !call->results) ||
        (options->error_capacity && !options->errors))
        return MPROC_EINVAL;
    return MPROC_OK;
}

/* The table of all spans, then their bytes. */
static mproc_err measure_spans(const map_call *call, size_t *size)
{
    const mproc_bytes *spans = call->items;
    *size = 0;
    if (!add(size, call->count, sizeof(job_span)))
        return MPROC_ERANGE;
    for (size_t i = 0; i < call->count; i++) {
        if (spans[i].size && !spans[i].data)
            return MPROC_EINVAL;
        if (spans[i].size > SIZE_MAX / 2 - *size)
            return MPROC_ERANGE;
        *size += job_span_space(spans[i].size);
    }
    return MPROC_OK;
}

static void copy_spans(const map_call *call, unsigned char *to)
{
    const mproc_bytes *spans = call->items;
    job_span *table = (job_span *)(void *)to;
    size_t at = 0;
    add(&at, call->count, sizeof(job_span));
    for (size_t i = 0; i < call->count; i++) {
        table[i] = (job_span){.offset = at, .size = spans[i].size};
        if (spans[i].size)
            memcpy(to + at, spans[i].data, spans[i].size);
        at += job_span_space(spans[i].size);
    }
}

/* Where the parts stand; those that lie in the arena already stay where they are. */
typedef struct layout {
    size_t outcomes, items, results, total;
    bool items_shared, results_shared;
} layout;

static mproc_err lay_out(const map_call *call, layout *to)
{
    size_t items = 0, results = 0;
    mproc_err err = MPROC_OK;
    if (!call->item_size)
        err = measure_spans(call, &items);
    else if (!add(&items, call->count, call->item_size))
        err = MPROC_ERANGE;
    if (!err && !add(&results, call->count, call->result_size))
        err = MPROC_ERANGE;
    if (err)
        return err;
    to->items_shared = call->item_size && arena_contains(call->items, items);
    to->results_shared = call->result_size && arena_contains(call->results, results);
    to->total = 0;
    bool fits = add(&to->total, 1, sizeof(pool_job));
    to->outcomes = to->total;
    fits = fits && add(&to->total, 1, call->count);
    to->items = to->total;
    fits = fits && add(&to->total, 1, to->items_shared ? 0 : items);
    to->results = to->total;
    fits = fits && add(&to->total, 1, to->results_shared ? 0 : results);
    return fits ? MPROC_OK : MPROC_ERANGE;
}

static uint64_t unit_of(const map_call *call)
{
    size_t chosen = call->options->chunk_size ? call->options->chunk_size : 1;
    size_t least = (call->count + RANGE_UNITS_MAX - 1) / RANGE_UNITS_MAX;
    return chosen > least ? chosen : least;
}

/* A new block of that size, or the last map's if that is not much too large. */
static mproc_err get_block(map_call *call, size_t size)
{
    mproc_pool *pool = call->pool;
    bool fits = pool->spare && size <= pool->spare_size && size >= pool->spare_size / 4;
    arena_ref spare = pool->spare;
    pool->spare = 0;
    call->block_size = fits ? pool->spare_size : size;
    call->job_ref = spare;
    if (fits)
        return MPROC_OK;
    heap_free(spare, family.self);
    return heap_alloc(size, family.self, &call->job_ref);
}

/* When the job has to be kept, it is too late to have no memory for that. */
static bool reserve_retirement(mproc_pool *pool)
{
    return pool_grow((void **)&pool->retired, &pool->retired_capacity, pool->retired_count,
                     sizeof *pool->retired);
}

static mproc_err make_job(map_call *call)
{
    layout at;
    os_code function;
    mproc_err err = os_code_from((os_function)call->function, &function);
    if (err || (err = lay_out(call, &at)))
        return err;
    if (!reserve_retirement(call->pool))
        return MPROC_ENOMEM;
    if ((err = get_block(call, at.total)))
        return err;
    pool_job *job = call->job = arena_at(call->job_ref);
    *job = (pool_job){
        .function = function,
        .serial = ++call->pool->serial,
        .count = call->count,
        .unit = unit_of(call),
        .item_size = call->item_size,
        .result_size = call->result_size,
        .wants_results = call->wants_results,
        .spans = call->item_size == 0,
        .outcomes = call->job_ref + at.outcomes,
        .items = at.items_shared ? arena_offset(call->items) : call->job_ref + at.items,
        .results = at.results_shared ? arena_offset(call->results) : call->job_ref + at.results,
    };
    memset(arena_at(job->outcomes), OUTCOME_NONE, call->count);
    if (job->spans)
        copy_spans(call, arena_at(job->items));
    else if (!at.items_shared)
        memcpy(arena_at(job->items), call->items, call->count * call->item_size);
    return MPROC_OK;
}

/* ---- handing out ---- */

/* One that no worker can still have in mind: a paused one may hold a word for very long. */
static uint16_t next_generation(mproc_pool *pool)
{
    bool taken = true;
    while (taken) {
        pool->generation++;
        taken = pool->generation == 0;
        for (uint32_t i = 0; i < pool->count; i++)
            taken |=
                job_generation(atomic_load(&pool->shared->workers[i].busy)) == pool->generation;
    }
    return pool->generation;
}

static void publish(map_call *call, uint16_t generation)
{
    uint64_t word = (uint64_t)generation << 48 | call->job_ref;
    pools_lock();
    call->pool->job = word;
    atomic_store(&call->pool->shared->job, word);
    pools_unlock();
    job_ring_workers(call->pool->shared, UINT32_MAX);
}

static void hand_out_all(map_call *call)
{
    mproc_pool *pool = call->pool;
    uint16_t generation = next_generation(pool);
    uint64_t units = (call->job->count + call->job->unit - 1) / call->job->unit;
    for (uint64_t i = 0; i < pool->count; i++) {
        uint32_t first = (uint32_t)(units * i / pool->count);
        uint32_t end = (uint32_t)(units * (i + 1) / pool->count);
        atomic_store(&pool->shared->workers[i].range, range_make(generation, first, end));
    }
    publish(call, generation);
}

/* What a killed worker had taken but not begun: the runs of units with items that have no
 * outcome, one run for each worker; should there be more, there will be another round. Nobody is
 * at work. */
static void hand_out_lost(map_call *call)
{
    mproc_pool *pool = call->pool;
    const pool_job *job = call->job;
    uint16_t generation = next_generation(pool);
    uint64_t item = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        item = job_find(job, OUTCOME_NONE, item, job->count);
        uint64_t first = item / job->unit, end = first;
        while (item < job->count && end < RANGE_UNITS_MAX &&
               atomic_load(&job_outcomes(job)[item]) == OUTCOME_NONE) {
            end++;
            item = end * job->unit;
        }
        item = item < job->count ? item : job->count;
        atomic_store(&pool->shared->workers[i].range,
                     range_make(generation, (uint32_t)first, (uint32_t)end));
    }
    publish(call, generation);
}

/* ---- waiting ---- */

static void count_items(const mproc_pool *pool, uint64_t *done, uint64_t *failed)
{
    *done = *failed = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        *done += atomic_load_explicit(&pool->shared->workers[i].done, memory_order_relaxed);
        *failed += atomic_load_explicit(&pool->shared->workers[i].failed, memory_order_relaxed);
    }
}

static uint64_t count_failed(const pool_job *job)
{
    const _Atomic unsigned char *outcomes = job_outcomes(job);
    uint64_t failed = 0;
    for (uint64_t i = 0; i < job->count; i++)
        failed += atomic_load_explicit(&outcomes[i], memory_order_relaxed) > OUTCOME_DONE;
    return failed;
}

static void report_progress(const map_call *call, bool at_end)
{
    uint64_t done, failed;
    if (!call->options->progress)
        return;
    count_items(call->pool, &done, &failed);
    pools_lock();
    size_t crashed = call->pool->crash_count;
    pools_unlock();
    done += crashed - call->done_before;
    failed += crashed - call->failed_before;
    /* One that was killed at the wrong moment has counted its failure, or not its success */
    if (at_end) {
        done = call->count;
        failed = count_failed(call->job);
    }
    call->options->progress(call->options->progress_context, (size_t)done, call->count,
                            (size_t)failed);
}

typedef enum { MAP_RUNS, MAP_DONE, MAP_STOPPED } map_state;

/* Under the lock, for a hook may be blaming a dead worker for an item meanwhile. */
static map_state look_locked(mproc_pool *pool, const pool_job *job, bool *lost)
{
    if (pool->terminated || pool->broken)
        return MAP_STOPPED;
    if (!job_is_settled(pool->shared, pool->job))
        return MAP_RUNS;
    /* Before the items: one that is quiet now leaves no item unfinished later. */
    *lost = job_is_quiet(pool->shared, pool->job);
    return job_find(job, OUTCOME_NONE, 0, job->count) == job->count ? MAP_DONE : MAP_RUNS;
}

/* That nobody was busy at the first look does not mean that nobody is: one may have begun since.
 * With the job word taken away nobody can begin, so the second look is certain. */
static bool suspend(map_call *call)
{
    pool_shared *shared = call->pool->shared;
    uint64_t word = call->pool->job;
    atomic_store(&shared->job, 0);
    if (job_is_quiet(shared, word))
        return true;
    atomic_store(&shared->job, word);
    job_ring_workers(shared, UINT32_MAX);
    return false;
}

static map_state look(map_call *call)
{
    bool lost = false;
    pools_lock();
    map_state state = look_locked(call->pool, call->job, &lost);
    pools_unlock();
    if (state == MAP_RUNS && lost && suspend(call))
        hand_out_lost(call);
    return state;
}

static map_state await_items(map_call *call)
{
    pool_shared *shared = call->pool->shared;
    int64_t deadline = call->options->progress ? os_now() + TENTH : OS_FOREVER;
    for (;;) {
        uint32_t seen = atomic_load(&shared->settled);
        map_state state = look(call);
        if (state != MAP_RUNS)
            return state;
        if (park(&shared->settled, seen, deadline, family.self) == MPROC_ETIMEDOUT) {
            report_progress(call, false);
            deadline = os_now() + TENTH;
        }
    }
}

/* ---- the end ---- */

/* A worker that woke late, or is paused, may still read the job. */
static void retire_job(map_call *call)
{
    mproc_pool *pool = call->pool;
    bool in_use = false;
    for (uint32_t i = 0; i < pool->count; i++) {
        uint64_t busy = atomic_load(&pool->shared->workers[i].busy);
        in_use |= busy && job_at(busy) == call->job;
    }
    if (!in_use) {
        pool->spare = call->job_ref;
        pool->spare_size = call->block_size;
    } else {
        pool->retired[pool->retired_count++] = call->job_ref;
    }
}

static void free_retired(mproc_pool *pool)
{
    size_t kept = 0;
    for (size_t i = 0; i < pool->retired_count; i++) {
        bool in_use = false;
        for (uint32_t w = 0; w < pool->count; w++) {
            uint64_t busy = atomic_load(&pool->shared->workers[w].busy);
            in_use |= busy && job_at(busy) == arena_at(pool->retired[i]);
        }
        if (in_use)
            pool->retired[kept++] = pool->retired[i];
        else
            heap_free(pool->retired[i], family.self);
    }
    pool->retired_count = kept;
}

static void finish(map_call *call)
{
    mproc_pool *pool = call->pool;
    pools_lock();
    pool->job = 0;
    records_free(&pool->estate, family.self);
    pool->crash_count = 0;
    pools_unlock();
    retire_job(call);
    free_retired(pool);
}

static mproc_err enter(mproc_pool *pool, bool with_items)
{
    pools_lock();
    mproc_err err = pool->terminated || pool->closed ? MPROC_ECLOSED
                    : pool->broken                   ? MPROC_EBROKEN
                                                     : MPROC_OK;
    if (!err && with_items)
        pool->active = true;
    pools_unlock();
    return err;
}

static void leave(mproc_pool *pool)
{
    pools_lock();
    pool->active = false;
    if (pool->closed)
        pool_dismiss(pool);
    pools_unlock();
}

static mproc_err stopped(map_call *call)
{
    pools_lock();
    mproc_err err = call->pool->terminated ? MPROC_ECANCELED : MPROC_EBROKEN;
    pools_unlock();
    while (pool_await_workers(call->pool, OS_FOREVER)) {
    }
    return err;
}

static mproc_err work(map_call *call, mproc_results **results)
{
    mproc_err err = make_job(call);
    if (err)
        return err;
    count_items(call->pool, &call->done_before, &call->failed_before);
    hand_out_all(call);
    map_state state = await_items(call);
    atomic_store(&call->pool->shared->job,
                 0); /* to the pool it is still this map's: its records are needed */
    if (state == MAP_STOPPED) {
        err = stopped(call);
    } else {
        report_progress(call, true);
        err = results_deliver(call->pool, call->job, call->options, call->results, results);
    }
    finish(call);
    return err;
}

static mproc_err run(map_call *call, mproc_results **results)
{
    mproc_err err = enter(call->pool, true);
    if (err)
        return err;
    err = work(call, results);
    leave(call->pool);
    return err;
}

static mproc_err map(map_call *call, mproc_results **results)
{
    static const mproc_map_options defaults;
    if (!call->options)
        call->options = &defaults;
    mproc_err err = check(call);
    if (err)
        return err;
    if (call->count == 0) {
        if ((err = enter(call->pool, false)) || (err = results_empty(results)))
            return err;
        if (call->options->error_count)
            *call->options->error_count = 0;
        return MPROC_OK;
    }
    os_mutex_lock(&call->pool->mapping);
    err = run(call, results);
    os_mutex_unlock(&call->pool->mapping);
    return err;
}

mproc_err mproc_pool_map(mproc_pool *pool, mproc_function function, const void *items,
                         size_t item_size, size_t count, void *results, size_t result_size,
                         const mproc_map_options *options)
{
    if (count && !item_size)
        return MPROC_EINVAL;
    return map(&(map_call){.pool = pool,
                           .function = function,
                           .items = items,
                           .item_size = item_size,
                           .count = count,
                           .results = results,
                           .result_size = result_size,
                           .wants_results = result_size != 0,
                           .options = options},
               NULL);
}

mproc_err mproc_pool_map_bytes(mproc_pool *pool, mproc_function function, const mproc_bytes *items,
                               size_t count, mproc_results **results,
                               const mproc_map_options *options)
{
    return map(&(map_call){.pool = pool,
                           .function = function,
                           .items = items,
                           .count = count,
                           .wants_results = results != NULL,
                           .options = options},
               results);
}
