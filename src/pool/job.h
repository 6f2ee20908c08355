/* What a pool and its workers share. All of it lies in the arena, in blocks of the pool's
 * process. */
#ifndef MPROC_POOL_JOB_H
#define MPROC_POOL_JOB_H

#include "../family/heap.h"
#include "../os.h"
#include "ranges.h"
#include "records.h"

/* What has become of an item; one byte each, written once. */
enum outcome {
    OUTCOME_NONE,
    OUTCOME_DONE,
    OUTCOME_FAILED,   /* there is a record */
    OUTCOME_CRASHED,  /* the pool's process knows more */
    OUTCOME_NO_MEMORY /* not even for a record */
};

/* An item of any size: where it stands, from `items` on; aligned to 16. */
typedef struct job_span {
    uint64_t offset, size;
} job_span;

static inline uint64_t job_span_space(uint64_t size)
{
    return (size + 15) & ~UINT64_C(15);
}

/* One map. Published by the pool's job word, freed when no worker's `busy` names it. */
typedef struct pool_job {
    os_code function;
    uint64_t serial; /* the maps of a pool in their order */
    uint64_t count;
    uint64_t unit; /* items of a unit */
    uint64_t item_size;
    uint64_t result_size;
    bool wants_results;
    bool
        /* Items are of any size: `items` begins with a table of job_span; replies are records */
        spans;
    arena_ref outcomes, items, results;
} pool_job;

typedef struct pool_worker {
    _Alignas(128) range_word range;
    /* generation << 48 | unit + 1: the last unit that it took. Whose items are not all done
     * there when it has died, it died of the first of them. */
    _Atomic uint64_t current;
    _Atomic uint64_t done, failed; /* items, ever: for progress */
    /* The job word that it is looking at, 0 when it is not: it may read the job and hold a range
     * that is in no word. */
    _Alignas(128) _Atomic uint64_t busy;
    record_chain records;
    _Atomic uint64_t serial; /* of the job whose records stand in the chain */
    _Atomic uint32_t ready;  /* its initializer has succeeded */
} pool_worker;

typedef struct pool_shared {
    _Atomic uint64_t job; /* generation << 48 | offset; 0: nothing to do */
    _Atomic uint32_t closing;
    uint32_t worker_count;
    _Alignas(64) _Atomic uint32_t bell;    /* the workers sleep on it */
    _Alignas(64) _Atomic uint32_t settled; /* the pool's process sleeps on it */
    pool_worker workers[];
} pool_shared;

uint16_t job_generation(uint64_t word);
pool_job *job_at(uint64_t word);

void job_ring_workers(pool_shared *shared, uint32_t count);
void job_ring_pool(pool_shared *shared);

/* Nobody has anything left in his range, and nobody is in the middle of a unit. */
bool job_is_settled(pool_shared *shared, uint64_t word);
/* No worker is looking at the job. */
bool job_is_quiet(pool_shared *shared, uint64_t word);
/* The first item in [from, end) of that outcome, else `end`. */
uint64_t job_find(const pool_job *job, enum outcome outcome, uint64_t from, uint64_t end);
/* The worker's current unit as items [*from, *end). False: none of this generation. */
bool job_current(pool_worker *worker, uint64_t word, uint64_t *from, uint64_t *end);
_Atomic unsigned char *job_outcomes(const pool_job *job);

#endif
