/* What was tried, and what was found. */
#ifndef MPROC_TESTS_EXPLORE_REPORT_H
#define MPROC_TESTS_EXPLORE_REPORT_H

#include "engine.h"

/* Of one scenario, explored in one way. */
typedef struct report_line {
    const explore_play *play;
    bool futex, ended; /* ended: else its process has died */
    int kills;
    int wanted, bound; /* preemptions; it came to `bound` */
    long sum;          /* schedules of all bounds */
    double seconds;
    explore_outcome outcome; /* of the last bound */
} report_line;

void report_begin(void);
void report_add(const report_line *line);
bool report_has_findings(void);
int report_end(void); /* prints the sums. Not 0: something was found */

#endif
