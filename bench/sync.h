/* What several processes do with locks and semaphores, on one side of a comparison or the other. */
#ifndef SYNC_H
#define SYNC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mproc/mproc.h>

#define SYNC_MOST_TRIPS 1000

/* ---- sync_side.c ---- */

/* What all processes of a side see. */
struct board {
    mproc_lock lock;
    mproc_rlock rlock;
    mproc_semaphore passed[2], never;
    mproc_event event;
    mproc_queue queues[2];
    bool apart; /* whether two that hand over have a processor each, or one for both */
    _Alignas(64) _Atomic uint32_t ready, go, stop;
    _Alignas(64) volatile uint64_t counter; /* what the lock protects */
    _Alignas(64) _Atomic uint64_t counted;  /* what each has counted for itself */
    _Alignas(64) volatile double at;        /* when something happened */
    _Alignas(64) _Atomic uint32_t line;     /* for handing over without anything */
};

enum passing { THERE, BACK };

/* What a child does. */
enum job { JOB_COUNT, JOB_ECHO, JOB_ECHO_LATE, JOB_HOLD, JOB_INHERIT, JOB_SLEEP, JOB_IDLE };

struct side {
    void (*open)(void);         /* makes the board and the objects */
    int (*start)(enum job job); /* a child; counted from 0 */
    void (*kill)(int child);
    void (*reap)(int child);
    void (*lock)(void); /* also after the death of its holder */
    void (*unlock)(void);
    void (*give)(enum passing which);
    void (*take)(enum passing which);
};
extern const struct side side_mproc;
extern const struct side side_queue;  /* the same, but handing over by two queues */
extern const struct side side_system; /* its mutex and its semaphore */
extern const struct side side_word;   /* the same, but handing over by a word to sleep on */
extern const struct side side_line;   /* handing over by a line of the cache */

/* Of this process, which may be a child. */
extern const struct side *side;
extern struct board *board;

void side_open(const struct side *chosen);
int side_start(enum job job);
void side_start_many(enum job job, int count);
void side_remove(int child); /* the one that was started last: kills and reaps it */
void side_close(void);       /* kills and reaps all */

/* ---- sync_work.c ---- */

void sync_work(enum job job);

/* All these measure together with children that do the job for it, and give seconds. */
double sync_count(int processes, double seconds); /* for each addition under the lock */
void sync_stay(bool apart); /* this process; before those are started that hand over */
double sync_round_trip(int trips);
double sync_wake_up(int trips); /* from the giving until one that sleeps has taken */
double sync_inherit(void);      /* from the holder's death until another holds the lock */
void sync_await_ready(uint32_t processes);

#endif
