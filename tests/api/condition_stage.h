/* What the tests of conditions share: a condition, and those who wait on it. */
#ifndef MPROC_TESTS_API_CONDITION_STAGE_H
#define MPROC_TESTS_API_CONDITION_STAGE_H

#include "crew.h"

enum { BRIEFLY = 20, OWN_LOCK = 0, PLAIN_LOCK, RECURSIVE_LOCK, LOCK_KINDS };

/* In shared memory; under the condition's lock, but for the atomic ones. */
typedef struct scene {
    int waiting;           /* have begun to wait, ever */
    int woken, timed_out;  /* have ended */
    int order[CREW_MOST];  /* of those who were woken */
    int phase;             /* the test's: what it has done so far */
    int phases[CREW_MOST]; /* in which each one was woken */
    int turn, sum, items[4], count, put, got;
    _Atomic int held, told;
} scene;

/* A value, for arguments. */
typedef struct stage {
    mproc_condition condition;
    mproc_lock lock;
    mproc_rlock rlock;
    mproc_memory memory;
    int number; /* of a waiter */
    int depth;  /* how often it takes the lock; 0: once */
    int timeout;
    mproc_err expected; /* of its wait */
    bool keeps_nothing; /* afterwards the lock is gone */
} stage;

scene *scene_of(const stage *at);
stage stage_set(int lock_kind);
void stage_clear(const stage *at);
/* Takes the lock when so many have begun to wait, or were woken: no more than that. */
void take_when_waiting(const stage *at, int count);
void take_when_woken(const stage *at, int count);
void let_go(const stage *at);
/* Gives them the time to do what they should not. */
void expect_no_more_than(const stage *at, int woken);

/* Targets, of a stage. */
int wait_once(void *args, size_t size);
/* Each gets a number, in the order of adding. */
void add_waiters(crew *them, const stage *at, int count);

#endif
