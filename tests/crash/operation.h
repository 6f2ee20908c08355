/* What the crash drives kill: operations on shared state, in one table.
 *
 * A case is one operation with one kill point. The root sets the scene up; a victim prepares, acts,
 * and is killed on its way; whoever is its parent joins it, so that it is swept; then the root
 * checks, uses everything once more, and destroys it. Companions are other processes that hold or
 * wait meanwhile.
 *
 * To add an operation, write its functions and a line in the list of its file; to add a file, name
 * its list in operations.c. */
#ifndef MPROC_TESTS_CRASH_OPERATION_H
#define MPROC_TESTS_CRASH_OPERATION_H

#include <mproc/mproc.h>

#include "family/family.h"
#include "family/heap.h"

#define PATIENCE_MS 30000 /* nothing here takes as long */

enum { COMPANIONS = 2, DOOMED = COMPANIONS, NOTES = 8, REFS = 4 };

typedef struct companion {
    _Atomic uint64_t slot;
    _Atomic uint32_t order; /* changes when it is to begin */
    _Atomic uint32_t done;  /* the order that it has carried out */
    _Atomic uint32_t stage; /* what it says of itself */
    _Atomic int result;
} companion;

enum { STAGE_NONE, STAGE_HOLDS, STAGE_CALLS }; /* `stage` */

/* Where operations are the same for several nouns. */
enum { KIND_NONE, KIND_LOCK, KIND_RLOCK, KIND_WORKER };

/* In the arena. All of it but the companions' orders is zero when a case begins. */
typedef struct scene {
    companion companions[COMPANIONS];
    _Atomic uint32_t nap;         /* to sleep on for a while */
    _Atomic uint32_t operation;   /* for those who are not told otherwise */
    _Atomic uint64_t victim;      /* its slot */
    _Atomic uint32_t employed;    /* of a worker: its parent has prepared */
    _Atomic uint32_t ready, go;   /* it has prepared; it may act */
    _Atomic uint32_t points;      /* that it has come by */
    _Atomic uint32_t seconds;     /* that the one who joined it has come by */
    _Atomic uint32_t done;        /* it has come to the end of its act */
    _Atomic uint32_t second_done; /* likewise the one who joined it */
    _Atomic uint32_t over;        /* it is dead and swept */
    _Atomic uint32_t wrong; /* a line where a process other than the root saw what must not be */
    _Atomic uint32_t note[NOTES];
    arena_ref ref[REFS];
    slot_id receiver;
    int kind;
    mproc_lock lock;
    mproc_rlock rlock;
    mproc_semaphore semaphore;
    mproc_event event;
    mproc_barrier barrier;
    mproc_condition condition;
    mproc_memory memory;
    mproc_queue queue;
    mproc_value value;
    mproc_array array;
    mproc_string string;
} scene;

/* What a check finds out: as if the act had not happened, or as if it had. Where it is only one of
 * these two, the drives hold that against the order of the kill points: an operation happens
 * once. */
typedef enum outcome { OUTCOME_ANY, OUTCOME_BEFORE, OUTCOME_AFTER } outcome;

typedef struct operation {
    const char *name;
    void (*set_up)(scene *s);             /* by the root; or NULL */
    void (*prepare)(scene *s);            /* by the victim, where nothing kills it yet; or NULL */
    void (*act)(scene *s);                /* by the victim; NULL: its own end */
    void (*accompany)(scene *s, int who); /* by each companion that is called; or NULL */
    outcome (*check)(scene *s);           /* by the root: leaves nothing behind */
} operation;

/* Of KIND_WORKER the victim is a worker of a pool, and acts as the library lets it, until it has done
 * as many tasks as a worker may. `prepare` is its parent's then, the root's or another's: makes the
 * pool by victim_employ, and gives it work. So is `act`, after the victim's end: looks what has
 * become of it, and frees the pool. */

/* NULL: there are no more. A list may serve several kinds of objects. */
const operation *operation_at(uint32_t index, const char **noun, int *kind);

/* ---- for checks and set-ups: the root's, in which a test may fail ---- */

#define EXPECT(condition) scene_expect((condition), #condition, __FILE__, __LINE__)
void scene_expect(bool condition, const char *text, const char *file, int line);
void scene_context(const char *format, ...); /* which case it is */

/* ---- for all others ---- */

#define MUST(condition) ((condition) ? (void)0 : scene_blame(s, __LINE__))
void scene_blame(scene *s, uint32_t line);

/* ---- for everybody ---- */

void scene_tell(_Atomic uint32_t *word, uint32_t value);
bool scene_await(const _Atomic uint32_t *word, uint32_t value); /* false: not in time */
void scene_nap(scene *s);
bool scene_sleeps(slot_id id);      /* asleep in a call, waiting for somebody else */
bool scene_is_over(const scene *s); /* or will be, for the victim has come to its end */

/* A pool whose worker 0 is the victim; the options' initializer is the drive's own. */
mproc_pool *victim_employ(scene *s, const mproc_pool_options *options);
/* In its workers. */
scene *worker_scene(void);

/* Waits until the victim sleeps, or is dead. */
void victim_await_sleep(scene *s);

void companions_start(arena_ref of_scene); /* by the root, once */
void companions_end(void);
void companion_call(scene *s, int who);
void companion_await_stage(scene *s, int who, uint32_t stage);
void companion_await_sleep(scene *s, int who);          /* in its call; or has done with it */
bool companion_finish(scene *s, int who, int *result);  /* false: it hangs */
void companion_says(scene *s, int who, uint32_t stage); /* by itself */
/* By the root: one more, DOOMED, has come to the end of its part, and has been killed there. */
void doomed_call(scene *s);

#endif
