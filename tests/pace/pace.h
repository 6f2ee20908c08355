/* How long a test waits at most, and how much a long one does.
 *
 * A limit is for hangs: what it was written for, times the factor that measure.c has found for this
 * machine. Only a wait for what must not happen may be short; so may be the time-out of a call whose
 * coming about is what is tested.
 *
 * A long test goes through what it could do in an order drawn at random, as far as its budget allows; it always does the least that it states, and prints what it did of
 * what there was. So many runs see everything, and a slow machine is given no more than a fast one
 * can do.
 *   MPROC_TEST_BUDGET=SECONDS   of each such test, in place of its own
 *   MPROC_TEST_SEED=NUMBER      the order that an earlier run has printed
 *   MPROC_SOAK=1                everything */
#ifndef MPROC_TESTS_PACE_H
#define MPROC_TESTS_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool pace_is_soak(void);
/* Milliseconds; `usual` are seconds. */
int64_t pace_budget(int usual);
/* The same for the whole program. */
unsigned pace_seed(void);
/* A number less than `limit`; pace_draw begins with the seed. */
size_t pace_draw(size_t limit);

/* Milliseconds. */
int pace_limit(int usual);

#endif
