#include "job.h"

#include <string.h>

#include "../family/park.h"

#define OFFSET_MASK ((UINT64_C(1) << 48) - 1)

uint16_t job_generation(uint64_t word)
{
    return (uint16_t)(word >> 48);
}

pool_job *job_at(uint64_t word)
{
    return arena_at(word & OFFSET_MASK);
}

void job_ring_workers(pool_shared *shared, uint32_t count)
{
    atomic_fetch_add(&shared->bell, 1);
    unpark(&shared->bell, count);
}

void job_ring_pool(pool_shared *shared)
{
    atomic_fetch_add(&shared->settled, 1);
    unpark(&shared->settled, UINT32_MAX);
}

_Atomic unsigned char *job_outcomes(const pool_job *job)
{
    return arena_at(job->outcomes);
}

/* Reads bytes that workers are writing: memchr may see any of them old, as a load would. */
uint64_t job_find(const pool_job *job, enum outcome outcome, uint64_t from, uint64_t end)
{
    const unsigned char *outcomes = arena_at(job->outcomes);
    const unsigned char *found =
        from < end ? memchr(outcomes + from, (int)outcome, end - from) : NULL;
    return found ? (uint64_t)(found - outcomes) : end;
}

bool job_current(pool_worker *worker, uint64_t word, uint64_t *from, uint64_t *end)
{
    uint64_t current = atomic_load(&worker->current);
    const pool_job *job = job_at(word);
    if (job_generation(current) != job_generation(word) || !(current & OFFSET_MASK))
        return false;
    *from = ((current & OFFSET_MASK) - 1) * job->unit;
    *end = *from + job->unit < job->count ? *from + job->unit : job->count;
    return true;
}

bool job_is_settled(pool_shared *shared, uint64_t word)
{
    for (uint32_t i = 0; i < shared->worker_count; i++) {
        pool_worker *worker = &shared->workers[i];
        uint64_t from, end;
        if (range_left(atomic_load(&worker->range), job_generation(word)))
            return false;
        if (atomic_load(&worker->busy) == word && job_current(worker, word, &from, &end) &&
            job_find(job_at(word), OUTCOME_NONE, from, end) != end)
            return false;
    }
    return true;
}

bool job_is_quiet(pool_shared *shared, uint64_t word)
{
    for (uint32_t i = 0; i < shared->worker_count; i++) {
        if (atomic_load(&shared->workers[i].busy) == word)
            return false;
    }
    return true;
}
