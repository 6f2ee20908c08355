/* Explores how players interleave: runs a play again and again, each time with another schedule,
 * until all schedules within some bounds have been tried.
 *
 * Players are processes of one family, and threads of such processes. They are coroutines of this
 * one program, and one of them runs at a time. The library that they call is compiled with hook.h:
 * before each atomic access to the arena, the engine may let another player go on. A process's
 * own state is swapped with the player (image.h). The pages of the arena that a schedule has changed are
 * restored before the next one (pages.h). Nothing else is left to chance, so a schedule can be
 * repeated.
 *
 * A schedule is a row of decisions:
 *   - who goes on. To take the processor from a player that could go on is a preemption; there are at
 *     most `bound` of them. Who goes on when a player sleeps, yields or ends is free.
 *   - whom a wake-up of one wakes, when several sleep on that word.
 *   - whether a player is killed where it stands: behind each of its stores, and when it has been woken.
 *   - whether the time of an impatient player is up while it sleeps. Otherwise, time stands still.
 *
 * At an access to a word that only one player uses, or that nobody writes, an order makes no
 * difference: there is no decision. Which words are used by several is learned while the search
 * runs. When it learns a new one it begins anew, so a complete search knew them all.
 *
 * When a process is killed, a sweeper comes on: a further process, which does what a parent does
 * when it has proved that death. It can be killed as well; then a second sweeper sweeps both.
 *
 * A program that uses this engine founds one family (explore_open), for one play; to explore several
 * plays, it forks for each of them before. Not to be had here: weak memory, the spurious failure of
 * a weak CAS, races on what is not atomic. */
#ifndef MPROC_TESTS_EXPLORE_ENGINE_H
#define MPROC_TESTS_EXPLORE_ENGINE_H

#include "family/slot.h"

enum {
    EXPLORE_PLAYERS = 4,
    EXPLORE_SWEEPERS = 2, /* as many processes can be killed in a schedule */
    EXPLORE_ALL = EXPLORE_PLAYERS + EXPLORE_SWEEPERS,
    EXPLORE_TIMEOUT_MS = 10000 /* what an impatient player asks for */
};

/* Sets of players have a bit for each. */
typedef struct explore_play {
    const char *name;
    void (*set_up)(void);                  /* by the family's first process, once */
    void (*act[EXPLORE_PLAYERS])(int who); /* up to the first NULL */
    /* Of a player that sleeps when nobody can go on: why that is wrong, or NULL. Without this
     * function, it always is. */
    const char *(*stuck)(int who);
    const char *(*check)(void);   /* at the end, by the first process: what is wrong, or NULL */
    void (*at_death)(int victim); /* where it stands; looks only */
    unsigned mortal;              /* players that can be killed */
    unsigned impatient;           /* players whose time can be up while they sleep, once */
    unsigned threads;             /* players that are threads of the player before */
} explore_play;

/* What plays write besides the arena: all zero, or as set_up has left it, when a schedule begins. */
void explore_keep(void *bytes, size_t size);

/* Founds the family and sets the play up. Sleepers sleep on words themselves, as with futexes, or
 * else on signals at places (family/park.c). Ends the program when that fails. */
void explore_open(const explore_play *play, bool futex);

typedef struct explore_limits {
    int bound;      /* preemptions in a schedule */
    int kills;      /* processes that are killed in a schedule */
    double seconds; /* of the processor, then the search is cut off */
    bool go_on;     /* after a finding, to count the others */
} explore_limits;

enum { EXPLORE_TEXT = 200, EXPLORE_SCHEDULE = 4000 };

typedef struct explore_outcome {
    long schedules;
    long findings; /* schedules at whose end something was wrong */
    long first;    /* the number of the first one */
    long deepest;  /* decisions in one schedule */
    long steps;    /* in all schedules */
    long words;    /* that several players use */
    bool complete; /* all schedules within the bounds have been tried */
    double seconds;
    double first_seconds;
    char text[EXPLORE_TEXT];         /* what was wrong at first */
    char schedule[EXPLORE_SCHEDULE]; /* to replay it */
} explore_outcome;

/* Also what a complete search cannot have, a schedule that does not repeat itself or has more
 * decisions than there is room for, is a finding. */
void explore_search(const explore_limits *limits, explore_outcome *outcome);
/* Runs that one, and prints each step of it. Returns a sentence that says what was wrong, or NULL. */
const char *explore_replay(const explore_limits *limits, const char *schedule);

/* ---- for plays ---- */

void explore_wrong(const char *text); /* the first one of a schedule counts */
bool explore_killed(void);            /* somebody has been killed */
bool explore_is_dead(int who);
bool explore_is_done(int who); /* has come to the end of its act */
slot_id explore_slot(int who); /* of its process */
const volatile void *explore_sleeps_on(int who);
void explore_sweep(slot_id dead); /* as the parent of a process does it */

#endif
