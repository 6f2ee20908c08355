/* The plays that `explore` tries. To add one, write a line in the table of its noun, and a function
 * or two; to add a table, name it in scenarios.c.
 *
 * A line is explored without a kill, and if it has mortal players also with one and with two.
 *
 * What a player that sleeps for ever waits for is said by `stuck`, from what it sleeps on. After a
 * kill, some sleep is right: a barrier of three waits for its third. */
#ifndef MPROC_TESTS_EXPLORE_SCENARIO_H
#define MPROC_TESTS_EXPLORE_SCENARIO_H

#include <mproc/mproc.h>

#include "engine.h"

/* Sets of players. */
enum { FIRST = 1, SECOND = 2, THIRD = 4, FOURTH = 8 };

/* What the plays write; all of it is as set_up has left it when a schedule begins. */
extern struct stage {
    mproc_queue queue;
    mproc_lock lock;
    mproc_rlock rlock;
    mproc_semaphore semaphore;
    mproc_event event;
    mproc_condition condition;
    mproc_barrier barrier;
    mproc_value value;
    mproc_array array;
    mproc_string string;
    mproc_memory memory;
    mproc_err result[EXPLORE_PLAYERS];
    char got[EXPLORE_PLAYERS][16]; /* messages, each a character */
    int sent;
    int inside;         /* what a lock protects */
    int flag;           /* what a condition tells */
    bool owed;          /* at a death, by what the dead one was: see at_death */
    bool holds;         /* likewise */
    uint64_t heap_used; /* by set_up's end */
    uint32_t objects;
} stage;

/* The table's number i; NULL: there are no more. */
const explore_play *scenario_at(int i);
const explore_play *scenario_named(const char *name);

/* ---- for all tables ---- */

void stage_open(void); /* before set_up */
void note_heap(
    void); /* what the heap holds and how many objects there are, to be the same at the end */
const char *heap_is_as_before(void);
/* The word on which a player sleeps, also when it does so at a place. */
const volatile void *scenario_word(int who);
/* An act's call that must not fail: a failure is a finding. */
void must(mproc_err err, const char *call);
#define MUST(call) must((call), #call)

extern const explore_play queue_scenarios[], lock_scenarios[], semaphore_scenarios[],
    event_scenarios[], condition_scenarios[], barrier_scenarios[], data_scenarios[],
    heap_scenarios[], object_scenarios[];

#endif
