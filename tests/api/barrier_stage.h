/* What the tests of barriers share: a barrier, and its parties, threads and processes at once. */
#ifndef MPROC_TESTS_API_BARRIER_STAGE_H
#define MPROC_TESTS_API_BARRIER_STAGE_H

#include "sync_support.h"

enum { MOST = 8, ROUNDS = 1000 };

/* In shared memory. */
typedef struct court {
    mproc_barrier barrier, second;
    _Atomic int err[MOST], arrivals[MOST], passes[MOST];
    _Atomic unsigned index[MOST][ROUNDS];
    _Atomic int action_runs, action_sees_wrong;
    _Atomic long long action_pid;
    _Atomic int stage, go, overtaken;
} court;

extern mproc_memory place;
extern court *the;

void open_court(unsigned parties, const mproc_barrier_options *options);
void close_court(void);
bool await_waiting(mproc_barrier barrier, unsigned wanted);

/* ---- parties ---- */

extern const party once;

/* A target, of a party: waits as often as it is told to, or until it fails. */
int take_part(void *args, size_t size);
void start_waits(team *all, int threads, int processes, party like);
/* Two threads and two processes wait where one is missing. */
void start_waiters(team *all);
void assert_team_got(const team *all, mproc_err err);
void assert_it_works(int parties);

/* ---- the action ---- */

int action(void *args, size_t size);
void open_court_with_action(unsigned parties, int returns, int wait_for);

#endif
