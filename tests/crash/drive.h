/* Runs every operation of the table once for each of its kill points, and again with the recovery
 * itself killed at each of its own. */
#ifndef MPROC_TESTS_CRASH_DRIVE_H
#define MPROC_TESTS_CRASH_DRIVE_H

#include "operation.h"

#define NO_POINT UINT32_MAX

/* How a process is killed at its kill point number `point`; 0 is the first. */
typedef struct kill_method {
    const char *name;
    /* By the process itself: before anything else, before the first kill point, after the last. */
    void (*enter)(void);
    void (*begin)(uint32_t point);
    void (*end)(void);
    /* By its parent: once it has been started, returns when it is at the point, or about to go
     * there; false: something is wrong. Then lets it be killed. */
    bool (*bring)(long long pid, scene *s, uint32_t point);
    void (*finish)(scene *s);
    void (*let_go)(long long pid); /* one that its killed parent has left stopped; or NULL */
} kill_method;

extern const kill_method method; /* of this program */

typedef struct drive_options {
    bool recovery;  /* is killed as well */
    bool repeats;   /* kill points have the same numbers in each run; system calls need not */
    uint32_t every; /* of a recovery's that is tried; in the long form (MPROC_SOAK=1) each */
    uint32_t dense; /* so many are tried one by one; in the long form ten times as many */
} drive_options;

int drive_set_up(void **state);
int drive_tear_down(void **state);
/* From a test's function. Prints a summary; the variable MPROC_CRASH_ONLY names what is to run,
 * such as "lock" or "lock: acquire in vain", MPROC_CRASH_WITHOUT what is not. */
void drive_operations(const drive_options *options);

#endif
