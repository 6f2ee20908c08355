/* What a crash test may take, and what it has cost. */
#ifndef MPROC_TESTS_CRASH_BUDGET_H
#define MPROC_TESTS_CRASH_BUDGET_H

#include <stdint.h>

/* The time at which the budget is spent of which `usual` are the seconds, or one of `parts` equal parts
 * of it; in the soak never. */
int64_t budget_end(int usual, int parts);
uint64_t count_starts(void); /* of processes of this family, the first one not among them */

#endif
