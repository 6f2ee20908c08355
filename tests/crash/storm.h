/* The storm's shared objects, and what its workers do with them. */
#ifndef MPROC_TESTS_CRASH_STORM_H
#define MPROC_TESTS_CRASH_STORM_H

#include <mproc/mproc.h>

#include "family/heap.h"

enum { WORKERS = 6, HOMES = 3, LOCKS = 2, TOKENS = 3, ITEMS = 8, TEXT = 200, PARTIES = 2 };

/* What a lock protects: two numbers that are equal whenever nobody holds it. */
typedef struct guarded {
    uint64_t first, second;
    _Atomic uint32_t inside;
} guarded;

/* A worker creates into its homes only: what it leaves there its successor finds. */
typedef struct homes {
    mproc_lock lock[HOMES];
    mproc_memory memory[HOMES];
    mproc_value value[HOMES];
    _Atomic uint64_t rounds;
} homes;

typedef struct storm_board {
    mproc_lock lock[LOCKS];
    mproc_rlock rlock;
    mproc_semaphore semaphore;
    mproc_event event;
    mproc_condition condition;
    mproc_barrier barrier;
    mproc_value value; /* a guarded */
    mproc_array array; /* its elements are equal whenever nobody holds it */
    mproc_string text; /* one letter, again and again */
    guarded by_lock[LOCKS], by_rlock, by_condition;
    homes of[WORKERS];
    _Atomic uint32_t stop;
    _Atomic uint32_t wrong; /* a line where somebody saw what must not be */
} storm_board;

typedef struct storm_order {
    arena_ref board;
    int who;
    uint32_t seed;
} storm_order;

int storm_work(void *args, size_t size); /* a worker's target: until `stop` */

#endif
