/* The system as the explored library sees it. For the engine alone. */
#ifndef MPROC_TESTS_EXPLORE_SEAMS_H
#define MPROC_TESTS_EXPLORE_SEAMS_H

#include <stdbool.h>

enum { SEAMS_FIRST_PID = 1000000 }; /* player 0's */

void seams_choose(bool futex); /* how sleepers sleep */
void seams_keep(void);         /* what has been allocated until now */
void seams_begin(void);        /* of a schedule */

#endif
