/* What the tests of shared objects have in common: users of an object that are threads and
 * processes at once, and meet in shared memory. */
#ifndef MPROC_TESTS_API_SYNC_SUPPORT_H
#define MPROC_TESTS_API_SYNC_SUPPORT_H

#include <stdatomic.h>

#include "support.h"

enum { MOST_PARTIES = 64, UNTOUCHED = 4711 };

/* Zeroes, until unshare; these assert. */
void *alloc_shared(mproc_memory *memory, size_t size);
void free_shared(mproc_memory memory);

bool await_value(const _Atomic int *value, int wanted);
bool await_at_least(const _Atomic int *value, int wanted);

/* One of those who do something together, in a thread or in a process. */
typedef struct party {
    mproc_memory place; /* what they share */
    int who, of, rounds, timeout_ms;
} party;
void *place_of(const void *args, size_t size); /* NULL: that is no party */

typedef struct team {
    mproc_target part;
    int threads, processes;
    party parties[MOST_PARTIES];
    int code[MOST_PARTIES];
    mproc_process *process[MOST_PARTIES];
    host_thread thread[MOST_PARTIES];
} team;

/* The threads come first. Both assert, the latter that each one has returned 0. */
void start_team(team *all, mproc_target part, int threads, int processes, party like);
void join_team(team *all);

mproc_process *start_party(mproc_target part, party like);

/* Whether two handles lie in the same place of the table, one after the other. */
bool is_successor(uint64_t id, uint64_t former);

uint64_t next_random(uint64_t *state);

#endif
