/* What a pool and its workers share. All of it lies in the arena, in blocks of the pool's process.
 *
 * Work is a list of jobs in the order of their submission. A map is one; single tasks stand in
 * lanes, jobs whose cells are filled one after the other. A worker does what he finds in the first
 * job that has something for him, so that the next job begins while the last items of the one
 * before still run. */
#ifndef MPROC_POOL_JOB_H
#define MPROC_POOL_JOB_H

#include <mproc/task.h>

#include "../family/heap.h"
#include "../os.h"
#include "ranges.h"
#include "records.h"

/* What has become of an item of a map, one byte each, or of a cell. Written once. */
typedef enum outcome {
    OUTCOME_NONE,
    OUTCOME_DONE,
    OUTCOME_FAILED,    /* there is a record, or the cell says why */
    OUTCOME_CRASHED,   /* the pool's process knows more */
    OUTCOME_NO_MEMORY, /* not even for a record */
    OUTCOME_TIMED_OUT,
    OUTCOME_CANCELED
} outcome;

/* An item of any size: where it stands, from `items` on; aligned to 16. */
typedef struct job_span {
    uint64_t offset, size;
} job_span;

static inline uint64_t job_span_space(uint64_t size)
{
    return (size + 15) & ~UINT64_C(15);
}

/* Published by a job word, freed when no worker's `busy` names it. */
typedef struct pool_job {
    os_code function; /* of a map */
    slot_id owner;
    uint64_t count; /* items, or cells */
    uint64_t unit;  /* items of a unit */
    uint64_t item_size;
    uint64_t result_size;
    bool is_lane; /* `items` are cells, and each of them says what is to be done */
    bool wants_results;
    bool spans;    /* items are of any size: `items` begins with a table of job_span; replies are
                     records */
    bool limited;  /* items may be ended from outside: `outcomes` by a CAS, each item a task of its
                     own in `current` */
    bool notifies; /* the pool's thread waits for its end */
    int timeout_ms, grace_ms;
    arena_ref outcomes, items, results;
    _Alignas(128) range_word rest;
    _Alignas(128) record_chain records;
    _Atomic uint64_t failed;   /* items, for progress */
    _Atomic uint32_t canceled; /* nothing of it is begun any more */
} pool_job;

/* ---- lanes ---- */

#define CELL_ROOM 64 /* bytes of an input or a reply that need no block of their own */

/* One single task. `state` = worker << 32 | flags | kind, and every change is one CAS:
 *
 *   EMPTY -> QUEUED           when it is filled; after it the lane's range is extended
 *   QUEUED -> RUNNING         by the worker who takes it
 *   RUNNING -> DONE, FAILED   by that worker; what he has to say is in place before
 *   QUEUED -> CANCELED        by the pool's process; so are the next ones:
 *   RUNNING -> CANCELED, TIMED_OUT
 *   RUNNING -> CRASHED        when that worker's end is known
 *   QUEUED, RUNNING -> MOVED  when a killed worker had claimed it: it goes on as another cell
 *
 * So who ever comes late finds that it is not his any more. */
typedef enum cell_kind {
    CELL_EMPTY,
    CELL_QUEUED,
    CELL_RUNNING,
    CELL_MOVED,
    CELL_ENDED /* plus the outcome */
} cell_kind;

#define CELL_KIND UINT64_C(0xff)
#define CELL_WAITED UINT64_C(0x100)  /* somebody waits for it alone */
#define CELL_GROUPED UINT64_C(0x200) /* somebody may wait for any of several */
#define CELL_NOTIFY UINT64_C(0x400)  /* the pool's thread wants to know */
#define CELL_UNHEARD UINT64_C(0x800) /* nobody will ask what became of it */
#define CELL_WORKER_SHIFT 32

typedef struct pool_cell {
    _Alignas(64) _Atomic uint64_t state;
    os_code function;
    uint64_t input_size, reply_size;
    arena_ref input; /* blocks of the pool's process; 0: in the cell */
    _Atomic arena_ref reply;
    int32_t err, code; /* of a failure; its message is the reply */
    int64_t pid;       /* of the worker */
    int timeout_ms, grace_ms;
    unsigned attempts; /* that have crashed */
    _Alignas(16) unsigned char small_input[CELL_ROOM];
    _Alignas(16) unsigned char small_reply[CELL_ROOM];
} pool_cell;

static inline unsigned cell_kind_of(uint64_t state)
{
    return (unsigned)(state & CELL_KIND);
}

static inline uint64_t cell_with_kind(uint64_t state, unsigned kind)
{
    return (state & ~CELL_KIND) | kind;
}

static inline uint32_t cell_worker(uint64_t state)
{
    return (uint32_t)(state >> CELL_WORKER_SHIFT);
}

static inline pool_cell *job_cell(const pool_job *lane, uint64_t index)
{
    return (pool_cell *)arena_at(lane->items) + index;
}

/* ---- workers ---- */

typedef struct pool_worker {
    _Alignas(128) range_word range;
    range_word taken; /* of it, as it says before it takes them: see range_take */
    /* generation << 48 | unit + 1: the last unit that it took; of a limited job or a lane the very
     * item. Whose items are not all done there when it has died, it died of the first of them. */
    _Atomic uint64_t current;
    _Atomic int64_t deadline; /* of that item; OS_FOREVER: none */
    /* The job word that it is looking at, 0 when it is not: it may read the job and hold a range
     * that is in no word. With BUSY_LOOKS it does not know yet whether there still is such a job. */
    _Alignas(128) _Atomic uint64_t busy;
    _Atomic uint32_t bell;    /* it sleeps on it */
    _Atomic uint32_t ready;   /* its initializer has succeeded */
    _Atomic uint32_t retired; /* it is one too many */
    _Atomic uint32_t doomed;  /* those that wait to be killed sleep on it; it never changes */
    char log[MPROC_MESSAGE_SIZE];
} pool_worker;

/* In `current`: the pool is about to kill it. Set and found by a CAS on the whole word, so that it
 * meets nobody who has gone on to another item. */
#define CURRENT_DOOMED (UINT64_C(1) << 47)

#define BUSY_LOOKS (UINT64_C(1) << 47) /* in `busy` */

#define JOBS_MOST 1024
#define WORKERS_MOST 1024

/* What a thread of the pool's process sleeps on. */
typedef struct pool_alarm {
    _Atomic uint32_t word, awaited;
} pool_alarm;

typedef struct pool_shared {
    uint32_t capacity; /* of `workers` */
    uint64_t max_tasks, max_memory;
    _Atomic uint32_t worker_count; /* places that have been in use; grows only */
    _Atomic uint32_t closing;      /* workers end when they find nothing to do */
    _Atomic uint32_t draining;     /* workers tell the pool's thread when they find nothing to do */
    /* When the watch wakes by itself: who begins something that ends before rings it. */
    _Atomic int64_t next_look;
    /* Whose bit is set sleeps, or is about to, and has not been rung. */
    _Alignas(128) _Atomic uint64_t asleep[WORKERS_MOST / 64];
    _Alignas(128) _Atomic uint32_t settled; /* threads of the pool's process sleep on it */
    _Atomic uint32_t harvesting;            /* somebody waits for any of several cells */
    _Alignas(128) pool_alarm alarm;         /* of the pool's own thread */
    _Alignas(128) pool_alarm watch;         /* of its watch */
    /* generation << 48 | offset, without gaps, the oldest first. Taking one out moves those behind it
     * one place towards the front, the foremost first. */
    _Alignas(128) _Atomic uint64_t jobs[JOBS_MOST];
    pool_worker workers[];
} pool_shared;

uint16_t job_generation(uint64_t word);
pool_job *job_at(uint64_t word);
bool job_is_published(const pool_shared *shared, uint64_t word);
/* The one behind `word`, which stood at *place; the first one for 0, and when that is away. 0: there
 * are no more. */
uint64_t job_after(const pool_shared *shared, uint64_t word, uint32_t *place);

/* Wakes so many workers, if any sleep. After the store that gives them something to do. */
void job_ring_workers(pool_shared *shared, uint32_t count);
/* Also those that somebody was about to ring when he was killed. */
void job_ring_all(pool_shared *shared);
void job_ring_pool(pool_shared *shared);
/* The pool's thread, or its watch, if it sleeps. */
void job_ring_thread(pool_shared *shared);
void job_ring_watch(pool_shared *shared);
void alarm_ring(pool_alarm *alarm);
/* Until it has been rung since its word was `seen`. */
void alarm_await(pool_alarm *alarm, uint32_t seen, int64_t deadline);

/* Nobody has anything left in his range, and nobody is in the middle of a unit. */
bool job_is_settled(pool_shared *shared, uint64_t word);
/* No worker is looking at the job. */
bool job_is_quiet(const pool_shared *shared, uint64_t word);
/* How many items of a map have been done, or are under way. */
uint64_t job_progress(pool_shared *shared, uint64_t word);
/* The first item in [from, end) of that outcome, else `end`. */
uint64_t job_find(const pool_job *job, outcome wanted, uint64_t from, uint64_t end);
/* The worker's current unit as items [*from, *end). False: none of this generation. */
bool job_current(pool_worker *worker, uint64_t word, uint64_t *from, uint64_t *end);
_Atomic unsigned char *job_outcomes(const pool_job *job);

#endif
