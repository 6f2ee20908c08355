#include "worker.h"

#include <string.h>

#include "../family/family.h"
#include "../family/park.h"
#include "task.h"

/* After a cut the rest of the victim's work and the cut itself are each worth another thief. */
static void offer(pool_shared *shared, const pool_worker *own)
{
    for (uint32_t i = 0; i < shared->worker_count; i++) {
        if (&shared->workers[i] != own && !atomic_load(&shared->workers[i].busy)) {
            job_ring_workers(shared, 1);
            return;
        }
    }
    /* Somebody about to sleep has read the bell before his last look: it must have changed
     * since. */
    atomic_fetch_add(&shared->bell, 1);
}

static pool_worker *richest(pool_shared *shared, const pool_worker *own, uint16_t generation)
{
    pool_worker *best = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; i < shared->worker_count; i++) {
        uint32_t left = range_left(atomic_load(&shared->workers[i].range), generation);
        if (&shared->workers[i] != own && left > most) {
            most = left;
            best = &shared->workers[i];
        }
    }
    return best;
}

/* Fills the own, empty range from somebody else's. Between the cut and the store the range is in
 * no word; `busy` says that it may be here. */
static bool steal(pool_shared *shared, pool_worker *own, uint16_t generation)
{
    pool_worker *victim;
    while ((victim = richest(shared, own, generation))) {
        uint64_t cut;
        if (!range_cut(&victim->range, generation, &cut))
            continue;
        atomic_store(&own->range, cut);
        if (range_left(cut, generation) > 1)
            offer(shared, own);
        return true;
    }
    return false;
}

static void run_unit(mproc_task *task, uint64_t unit)
{
    const pool_job *job = task->job;
    uint64_t end = (unit + 1) * job->unit < job->count ? (unit + 1) * job->unit : job->count;
    for (uint64_t i = unit * job->unit; i < end; i++)
        task_run(task, i);
}

static void run_job(pool_shared *shared, pool_worker *own, uint64_t word)
{
    const pool_job *job = job_at(word);
    const uint16_t generation = job_generation(word);
    mproc_task task;
    if (atomic_load(&own->serial) != job->serial) {
        records_reset(&own->records, family.self);
        atomic_store(&own->serial, job->serial);
    }
    task_prepare(&task, job, own);
    do {
        uint32_t unit, count;
        while ((count = range_take(&own->range, generation, &unit))) {
            for (; count; count--, unit++) {
                atomic_store_explicit(&own->current, (uint64_t)generation << 48 | (unit + 1),
                                      memory_order_relaxed);
                run_unit(&task, unit);
            }
        }
    } while (steal(shared, own, generation));
}

/* Announce, then look again: the pool takes the job word away before it looks who is busy with
 * it, and frees the job when nobody is. */
static void look_at_job(pool_shared *shared, pool_worker *own, uint64_t word)
{
    bool settled = false;
    atomic_store(&own->busy, word);
    if (atomic_load(&shared->job) == word) {
        run_job(shared, own, word);
        settled = job_is_settled(shared, word);
    }
    atomic_store(&own->busy, 0);
    /* Quiet as well: to hand out lost items, the pool waits until nobody is busy. */
    if (settled || job_is_quiet(shared, word))
        job_ring_pool(shared);
}

static void serve(pool_shared *shared, pool_worker *own)
{
    for (;;) {
        uint32_t bell = atomic_load(&shared->bell);
        uint64_t word = atomic_load(&shared->job);
        if (word)
            look_at_job(shared, own, word);
        else if (atomic_load(&shared->closing))
            return;
        park(&shared->bell, bell, OS_FOREVER, family.self);
    }
}

static bool initialize(worker_args *args)
{
    os_function initializer;
    if (!args->has_initializer)
        return true;
    if (os_code_find(&args->initializer, &initializer))
        return false;
    void *own_args = args->initializer_size ? args->initializer_args : NULL;
    return ((mproc_target)initializer)(own_args, args->initializer_size) == 0;
}

int worker_main(void *data, size_t size)
{
    (void)size;
    worker_args *args = data;
    pool_shared *shared = arena_at(args->shared);
    pool_worker *own = &shared->workers[args->index];
    os_ignore_interrupt();
    if (!initialize(args))
        return WORKER_INITIALIZER_FAILED;
    atomic_store(&own->ready, 1);
    serve(shared, own);
    records_free(&own->records, family.self);
    return 0;
}
