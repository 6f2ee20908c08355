/* Runs the operations of the table, each with a kill at one of its kill points, and again with the
 * recovery itself killed at one of its own: as many as the budget allows, drawn at random. */
#ifndef MPROC_TESTS_CRASH_DRIVE_H
#define MPROC_TESTS_CRASH_DRIVE_H

#include "operation.h"
#include "plan.h"

/* How a process is killed at its kill point number `point`; 0 is the first, THE_END none of them. What
 * it comes by is counted in `counter`, which lies in the arena. */
typedef struct kill_method {
    const char *name;
    /* By the process itself: before anything else, before the first kill point, after the last. */
    void (*enter)(void);
    void (*begin)(uint32_t point, _Atomic uint32_t *counter);
    void (*end)(void);
    /* By a process that is not killed: instead of `begin`; NULL where it cannot count. */
    void (*count)(_Atomic uint32_t *counter);
    /* By its parent: once it has been started, returns when it is at the point, or about to go
     * there; false: something is wrong. Then lets it be killed. */
    bool (*bring)(long long pid, scene *s, uint32_t point, _Atomic uint32_t *counter);
    void (*finish)(scene *s);
    void (*let_go)(long long pid); /* one that its killed parent has left stopped; or NULL */
} kill_method;

extern const kill_method method; /* of this program */

typedef struct drive_options {
    bool recovery; /* is killed as well */
    bool repeats;  /* kill points have the same numbers in each run; system calls need not */
    uint32_t
        dense;   /* so many are tried one by one, then ever fewer; in the soak ten times as many */
    int seconds; /* the budget, where MPROC_TEST_BUDGET does not say another one */
} drive_options;

int drive_set_up(void **state);
int drive_tear_down(void **state);
/* From a test's function. Prints a summary. MPROC_CRASH_ONLY names what is to run, such as "lock" or
 * "lock: acquire in vain", MPROC_CRASH_WITHOUT what is not; MPROC_CRASH_POINT is one kill point,
 * such as 3, or 3:5 with that of the recovery, or 3:end. */
void drive_operations(const drive_options *options);

/* ---- for drive_operations ---- */

typedef struct subject {
    const operation *operation; /* NULL: there are no more */
    const char *noun;
    int kind;
    uint32_t index;
} subject;

typedef struct reached {
    bool end;                 /* the victim came to the end of its act */
    bool second_end;          /* the one who joined it came to the end of that */
    uint32_t points, seconds; /* of theirs, the end being one; 0: they were not counted */
    outcome found;
} reached;

subject subject_at(uint32_t index);
reached drive_case(const subject *of, kill_at at);

#endif
