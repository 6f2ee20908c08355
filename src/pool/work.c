#include "work.h"

#include <stdlib.h>
#include <string.h>

#include "../killpoint.h"

/* ---- blocks ---- */

/* The last map's block if that is not much too large. */
static bool take_spare(mproc_pool *pool, size_t size, pool_work *work)
{
    pools_lock();
    bool fits = pool->spare && size <= pool->spare_size && size >= pool->spare_size / 4;
    if (fits) {
        work->ref = pool->spare;
        work->size = pool->spare_size;
        pool->spare = 0;
    }
    pools_unlock();
    return fits;
}

mproc_err work_new(mproc_pool *pool, size_t size, uint64_t cells, pool_work **work)
{
    pool_work *made = calloc(1, sizeof *made + cells * sizeof made->results[0]);
    if (!made)
        return MPROC_ENOMEM;
    if (cells || !take_spare(pool, size, made)) {
        made->size = size;
        mproc_err err = heap_alloc(size, family.self, &made->ref);
        if (err) {
            free(made);
            return err;
        }
    }
    made->job = arena_at(made->ref);
    *work = made;
    return MPROC_OK;
}

static void free_work(pool_work *work)
{
    records_free(&work->job->records, family.self);
    heap_free(work->ref, family.self);
    free(work->crashes);
    free(work);
}

void work_discard(mproc_pool *pool, pool_work *work)
{
    (void)pool;
    heap_free(work->ref, family.self);
    free(work);
}

/* ---- publishing ---- */

static bool is_in_use(const mproc_pool *pool, uint16_t generation)
{
    const uint32_t count = atomic_load(&pool->shared->worker_count);
    for (uint32_t i = 0; i < count; i++) {
        const pool_worker *worker = &pool->shared->workers[i];
        const pool_seat *seat = &pool->seats[i];
        if (job_generation(atomic_load(&worker->busy)) == generation ||
            job_generation(atomic_load(&worker->range)) == generation ||
            job_generation(atomic_load(&worker->taken)) == generation ||
            job_generation(atomic_load(&worker->current)) == generation ||
            job_generation(seat->late_word) == generation ||
            job_generation(seat->kill_word) == generation)
            return true;
    }
    for (size_t i = 0; i < pool->work_count; i++) {
        if (job_generation(pool->works[i]->word) == generation)
            return true;
    }
    return false;
}

/* 16 bits come round within a second. So one is used again only when no word holds it any more: a
 * worker that has begun with a job holds it in `busy`, later in the range that it claimed (its task's
 * writer goes with that), and the watch in what it remembers of an item. A worker that has only read
 * the job's word, and was stopped, compares all of it once more when it has become busy. */
static uint16_t next_generation(mproc_pool *pool)
{
    do
        pool->generation++;
    while (pool->generation == 0 || is_in_use(pool, pool->generation));
    return pool->generation;
}

mproc_err work_publish(mproc_pool *pool, pool_work *work, uint32_t first, uint32_t end)
{
    if (pool->work_count == JOBS_MOST)
        return MPROC_EAGAIN;
    if (!pool_grow((void **)&pool->works, &pool->work_capacity, pool->work_count,
                   sizeof(pool_work *)))
        return MPROC_ENOMEM;
    const uint16_t generation = next_generation(pool);
    atomic_store(&work->job->rest, range_make(generation, first, end));
    work->word = (uint64_t)generation << 48 | work->ref;
    atomic_store(&pool->shared->jobs[pool->work_count], work->word);
    killpoint();
    pool->works[pool->work_count++] = work;
    job_ring_workers(pool->shared, UINT32_MAX);
    return MPROC_OK;
}

void work_withdraw(mproc_pool *pool, pool_work *work)
{
    size_t i = 0;
    while (i < pool->work_count && pool->works[i] != work)
        i++;
    if (i == pool->work_count)
        return;
    pool->work_count--;
    for (; i < pool->work_count; i++) {
        pool->works[i] = pool->works[i + 1];
        atomic_store(&pool->shared->jobs[i], pool->works[i]->word);
    }
    atomic_store(&pool->shared->jobs[i], 0);
    job_ring_workers(pool->shared, UINT32_MAX);
}

/* That nobody is busy at the first look does not mean that nobody will be; once the word is away
 * nobody can begin, so the second look is certain. */
bool work_suspend(mproc_pool *pool, pool_work *work)
{
    if (!job_is_quiet(pool->shared, work->word))
        return false;
    work_withdraw(pool, work);
    if (job_is_quiet(pool->shared, work->word))
        return true;
    atomic_store(&pool->shared->jobs[pool->work_count], work->word);
    pool->works[pool->work_count++] = work;
    job_ring_workers(pool->shared, UINT32_MAX);
    return false;
}

/* ---- freeing ---- */

/* Under any of its words: it may have been published several times. */
static bool is_looked_at(const mproc_pool *pool, const pool_work *work)
{
    const uint32_t count = atomic_load(&pool->shared->worker_count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t busy = atomic_load(&pool->shared->workers[i].busy);
        if (busy && job_at(busy) == work->job)
            return true;
    }
    return false;
}

static void keep_as_spare(mproc_pool *pool, pool_work *work)
{
    arena_ref before = pool->spare;
    pool->spare = work->ref;
    pool->spare_size = work->size;
    work->ref = before;
}

void work_retire(mproc_pool *pool, pool_work *work)
{
    work->next = pool->retired;
    pool->retired = work;
    work_free_retired(pool, false);
}

void work_free_retired(mproc_pool *pool, bool all)
{
    pool_work **link = &pool->retired;
    while (*link) {
        pool_work *work = *link;
        if (!all && is_looked_at(pool, work)) {
            link = &work->next;
            continue;
        }
        *link = work->next;
        if (!work->job->is_lane && !all)
            keep_as_spare(pool, work);
        free_work(work);
    }
}

pool_work *work_find(const mproc_pool *pool, uint64_t word)
{
    for (size_t i = 0; word && i < pool->work_count; i++) {
        if (pool->works[i]->word == word)
            return pool->works[i];
    }
    return NULL;
}
