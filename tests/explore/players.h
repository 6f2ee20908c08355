/* The players of a schedule: which one runs, which ones sleep and on what, which ones are dead. For
 * the engine and the seams alone. */
#ifndef MPROC_TESTS_EXPLORE_PLAYERS_H
#define MPROC_TESTS_EXPLORE_PLAYERS_H

#include "engine.h"

enum { NOBODY = -1 };

/* Before the first schedule, when arena and images stand. */
void players_open(const explore_play *play);
/* From the beginning until nobody can go on. */
void players_run(const explore_limits *limits);
const char *players_complaint(void); /* what they have found wrong, or NULL */
const char *players_stuck(void);     /* of one that sleeps: why that is wrong, or NULL */
long players_steps(void);
long players_words(void);   /* that several players use */
bool players_learned(void); /* of a new one of these, in this schedule */
/* From now on each step is printed. */
void players_trace(void);
void players_say(const char *format, ...);
/* By the handler of a signal: the player that runs has crashed. False: none runs. */
bool players_crash(void *context, const char *text);

/* ---- for the seams ---- */

int players_process(int who); /* the player whose process it is a thread of, or itself */
int players_current(void);    /* NOBODY: the engine itself */
int64_t players_clock(void);
void players_yield(void);
/* Until woken, or its time is up: false. */
bool players_sleep(const volatile void *word, int64_t until);
void players_wake(const volatile void *word, uint32_t count);
void players_reach_killpoint(void);
/* Nothing more of this schedule is run. */
_Noreturn void players_abandon(const char *why);

#endif
