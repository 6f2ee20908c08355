/* The decisions of a schedule, and all schedules one after the other: depth first, so that the next
 * schedule differs from the last one in its latest decision that has something left to try. */
#ifndef MPROC_TESTS_EXPLORE_DECISIONS_H
#define MPROC_TESTS_EXPLORE_DECISIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A player to go on, or one of these. */
enum { TIME_IS_UP = 0x40 /* with a player */, DIES = 0x80, LIVES };
enum { OPTIONS_MOST = 16 };

void decisions_forget(void); /* the next schedule is the first one */
void decisions_begin(void);  /* of a schedule */
/* One of the options; the first one is what happens by itself. */
uint8_t decide(const uint8_t *options, int count);
/* There was nothing to decide. Decisions are numbered by both, so that their numbers do not depend
 * on what the search has learned. */
void decide_nothing(void);
bool decisions_go_on(void); /* to the next schedule. False: there is none */
long decisions_count(void);
/* Why the schedule is none: it has not repeated what it began with, or is too long. Or NULL. */
const char *decisions_fault(void);

/* "12:B,40:!,77:c": number and choice, without what happens by itself. Player B goes on, the player
 * dies, player C's time is up. */
void decisions_write(char *text, size_t size);
void decisions_replay(const char *text); /* of the schedules that follow; NULL: no more */
bool decisions_are_replayed(void);

#endif
