#include "job.h"

#include <string.h>

#include "../family/family.h"
#include "../family/park.h"
#include "../killpoint.h"

#define OFFSET_MASK ((UINT64_C(1) << 47) - 1)

uint16_t job_generation(uint64_t word)
{
    return (uint16_t)(word >> 48);
}

pool_job *job_at(uint64_t word)
{
    return arena_at(word & OFFSET_MASK);
}

bool job_is_published(const pool_shared *shared, uint64_t word)
{
    uint64_t other;
    for (uint32_t i = 0; i < JOBS_MOST && (other = atomic_load(&shared->jobs[i])); i++) {
        if (other == word)
            return true;
    }
    return false;
}

static void ring(pool_worker *worker)
{
    atomic_fetch_add(&worker->bell, 1);
    killpoint();
    unpark(&worker->bell, 1);
}

/* Who takes the bit away has to ring: each sleeper is rung once, and not again before it has run. */
static bool take_sleeper(_Atomic uint64_t *asleep, uint64_t bit)
{
    bool was_there = atomic_fetch_and(asleep, ~bit) & bit;
    killpoint();
    return was_there;
}

/* Each of them once: who finds nothing and sleeps again has seen what there is. */
void job_ring_workers(pool_shared *shared, uint32_t count)
{
    const uint32_t workers = atomic_load(&shared->worker_count);
    for (uint32_t first = 0; count && first < workers; first += 64) {
        _Atomic uint64_t *asleep = &shared->asleep[first / 64];
        uint64_t bits = atomic_load(asleep);
        for (uint32_t i = first; count && bits; i++, bits >>= 1) {
            if (!(bits & 1) || !take_sleeper(asleep, UINT64_C(1) << i % 64))
                continue;
            ring(&shared->workers[i]);
            count--;
        }
    }
}

void job_ring_all(pool_shared *shared)
{
    const uint32_t workers = atomic_load(&shared->worker_count);
    for (uint32_t i = 0; i < workers; i++)
        ring(&shared->workers[i]);
}

void job_ring_pool(pool_shared *shared)
{
    atomic_fetch_add(&shared->settled, 1);
    killpoint();
    unpark(&shared->settled, UINT32_MAX);
}

void alarm_ring(pool_alarm *alarm)
{
    atomic_fetch_add(&alarm->word, 1);
    killpoint();
    if (atomic_load(&alarm->awaited))
        unpark(&alarm->word, 1);
}

void alarm_await(pool_alarm *alarm, uint32_t seen, int64_t deadline)
{
    atomic_store(&alarm->awaited, 1);
    if (atomic_load(&alarm->word) == seen)
        park(&alarm->word, seen, deadline, family.self);
    atomic_store(&alarm->awaited, 0);
}

void job_ring_thread(pool_shared *shared)
{
    alarm_ring(&shared->alarm);
}

void job_ring_watch(pool_shared *shared)
{
    alarm_ring(&shared->watch);
}

/* If that still stands where it did after the next one was read, nothing has moved there: whoever is
 * moving comes by there first. */
uint64_t job_after(const pool_shared *shared, uint64_t word, uint32_t *place)
{
    for (;;) {
        while (word && atomic_load(&shared->jobs[*place]) != word) {
            if (*place)
                --*place;
            else
                word = 0;
        }
        const uint32_t next = word ? *place + 1 : 0;
        const uint64_t found = next < JOBS_MOST ? atomic_load(&shared->jobs[next]) : 0;
        if (word && atomic_load(&shared->jobs[*place]) != word)
            continue;
        *place = next;
        return found;
    }
}

_Atomic unsigned char *job_outcomes(const pool_job *job)
{
    return arena_at(job->outcomes);
}

/* Reads bytes that workers are writing: memchr may see any of them old, as a load would. */
uint64_t job_find(const pool_job *job, outcome wanted, uint64_t from, uint64_t end)
{
    const unsigned char *outcomes = arena_at(job->outcomes);
    const unsigned char *found =
        from < end ? memchr(outcomes + from, (int)wanted, end - from) : NULL;
    return found ? (uint64_t)(found - outcomes) : end;
}

bool job_current(pool_worker *worker, uint64_t word, uint64_t *from, uint64_t *end)
{
    uint64_t current = atomic_load(&worker->current);
    const pool_job *job = job_at(word);
    if (job_generation(current) != job_generation(word) || !(current & OFFSET_MASK))
        return false;
    const uint64_t unit = job->limited ? 1 : job->unit;
    *from = ((current & OFFSET_MASK) - 1) * unit;
    *end = *from + unit < job->count ? *from + unit : job->count;
    return true;
}

bool job_is_settled(pool_shared *shared, uint64_t word)
{
    const pool_job *job = job_at(word);
    const uint32_t count = atomic_load(&shared->worker_count);
    if (range_left(atomic_load((range_word *)&job->rest), job_generation(word)))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        pool_worker *worker = &shared->workers[i];
        uint64_t from, end;
        if (range_left(atomic_load(&worker->range), job_generation(word)))
            return false;
        if (atomic_load(&worker->busy) == word && job_current(worker, word, &from, &end) &&
            job_find(job, OUTCOME_NONE, from, end) != end)
            return false;
    }
    return true;
}

bool job_is_quiet(const pool_shared *shared, uint64_t word)
{
    const uint32_t count = atomic_load(&shared->worker_count);
    for (uint32_t i = 0; i < count; i++) {
        if ((atomic_load(&shared->workers[i].busy) & ~BUSY_LOOKS) == word)
            return false;
    }
    return true;
}

uint64_t job_progress(pool_shared *shared, uint64_t word)
{
    const pool_job *job = job_at(word);
    const uint16_t generation = job_generation(word);
    const uint32_t count = atomic_load(&shared->worker_count);
    uint64_t left = range_left(atomic_load((range_word *)&job->rest), generation);
    for (uint32_t i = 0; i < count; i++) {
        pool_worker *worker = &shared->workers[i];
        uint64_t from, end;
        left += range_left(atomic_load(&worker->range), generation);
        left += atomic_load(&worker->busy) == word && job_current(worker, word, &from, &end) &&
                job_find(job, OUTCOME_NONE, from, end) != end;
    }
    return left * job->unit < job->count ? job->count - left * job->unit : 0;
}
