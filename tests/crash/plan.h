/* Which kill points of an operation are tried, and in which order: at random, none twice. So any part
 * of them is a fair sample, and many runs try all.
 *
 * How many points there are is counted where nobody is killed: the victim's on its way to the end, and
 * for each of those the points of the process that joins it. A number that is not counted yet is
 * taken to be the largest that has been counted. */
#ifndef MPROC_TESTS_CRASH_PLAN_H
#define MPROC_TESTS_CRASH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THE_END (UINT32_MAX - 1) /* not killed on the way */
#define NO_POINT UINT32_MAX      /* of a second process: there is none to be killed */

typedef struct kill_at {
    uint32_t point;  /* of the victim; the first is 0 */
    uint32_t second; /* of the process that joins it */
} kill_at;

typedef struct deck {
    kill_at *cards;
    size_t count, next, room; /* those before `next` have been drawn */
} deck;

typedef struct counted {
    uint32_t points;  /* 0: not yet; else with the end as the last */
    uint32_t planned; /* points below are in the deck */
    bool is_chosen;
} counted;

typedef struct plan {
    uint64_t random;
    bool recovery;  /* is killed as well */
    bool wavers;    /* others are at work: once more, for it is a matter of time what happens */
    uint32_t dense; /* of points from there on ever fewer are tried */
    uint32_t points;
    uint32_t most_seconds;
    counted *seconds; /* of each point */
    deck alone, again, pairs;
} plan;

void plan_begin(plan *p, uint64_t seed, uint32_t points);
void plan_end(plan *p);
uint32_t plan_random(plan *p, uint32_t limit); /* less than `limit` */
uint32_t plan_random_point(plan *p);           /* THE_END included */

/* The process that joins a victim killed at `point` has so many points. The most counts: whether
 * somebody has to be woken, say, is a matter of time. */
void plan_learn(plan *p, uint32_t point, uint32_t seconds);
/* Counted, or else the most; with the end as one. */
uint32_t plan_seconds_of(const plan *p, uint32_t point);
/* The victim's are fewer, or one more: what was there before it may have made the difference. */
void plan_shorten(plan *p, uint32_t points);
void plan_lengthen(plan *p);

/* False: it was drawn before, or does not exist. */
bool plan_take(plan *p, kill_at at);
/* False: there are no more. */
bool plan_draw(plan *p, deck *from, kill_at *at);

uint64_t plan_total(const plan *p, bool pairs, bool *exact);

#endif
