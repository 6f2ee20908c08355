/* The fault harness: a scenario, a short program of public calls, runs again and again, each time in
 * a process of its own in which another call of the seam or of malloc fails: the Nth of the first
 * process or of its children, once or from then on. That process is a copy of the harness, which
 * belongs to no family: so it begins as a program does, and costs one fork. Two runs without a fault
 * tell which calls there are. See inject.c for what can fail, and how.
 *
 * A scenario writes each call that may fail as TRY(errors, call) or MAKE(object, errors, call): they
 * are true when it succeeded, and hold it against these rules:
 *   - before a fault has struck, and in the second pass, everything succeeds;
 *   - an error is one of those that are documented;
 *   - what would have received the result is untouched;
 *   - after a fault that strikes once, the same call succeeds.
 * A scenario that cannot go on frees what it has and returns. */
#ifndef MPROC_TESTS_FAULT_H
#define MPROC_TESTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mproc/mproc.h>

#include "../pace/pace.h"
#include "os.h"

#define SOON pace_limit(30000) /* milliseconds */

typedef struct scenario {
    const char *name; /* a sentence */
    void (*play)(void);
    bool interruptible;  /* waits may end with MPROC_EINTR */
    bool can_deny;       /* the system may refuse to end a process */
    bool starts_nothing; /* the start method does not matter */
    bool to_the_end;     /* one pass only: the faults are still there when the program ends */
    bool traced;         /* with MPROC_TRACE */
} scenario;

extern const scenario process_scenarios[], pool_scenarios[], memory_scenarios[], sync_scenarios[],
    data_scenarios[], connection_scenarios[];

/* ---- for scenarios ---- */

#define ERR(name) (UINT32_C(1) << -(int)MPROC_##name)
/* Among the errors: after one of them the object may be done for, and need not work again. */
#define FOR_GOOD (UINT32_C(1) << 31)
/* Likewise, but only after MPROC_EBROKEN and MPROC_EPROTO. */
#define BROKEN_FOR_GOOD (UINT32_C(1) << 30 | ERR(EBROKEN) | ERR(EPROTO))
/* Of the family's first object, whichever it is. */
#define FOUND_ERRORS (ERR(ENOMEM) | ERR(EAGAIN) | ERR(EOS))

#define TRY(errors, call)                                                                          \
    verdict(judge(#call, (call), (errors)) || (must_succeed_now() && judge_again(#call, (call))))
#define MAKE(object, errors, call) (receive(&(object), sizeof(object)), TRY((errors), (call)))
/* What has to hold. */
#define HOLDS(condition) verdict((condition) || (violate("%s", #condition), false))

static inline bool verdict(bool good) /* which nobody has to look at */
{
    return good;
}

bool judge(const char *call, mproc_err err, uint32_t documented);
bool judge_again(const char *call, mproc_err err);
void receive(const void *result, size_t size);
bool must_succeed_now(void);
/* The run has failed; a child ends here. */
void violate(const char *format, ...) MPROC_PRINTF(1, 2);

/* Waits for its end, and frees it. Whether it ended with that code, or as a child does in which
 * something failed. */
bool ends_with(mproc_process *process, int code);
/* A target that returns its argument, an int, and one that never ends (of ../api/support.c). */
int return_number(void *args, size_t size);
int wait_forever(void *args, size_t size);
/* What a target returns that could not go on. */
enum { GAVE_UP = 98, VIOLATED = 99 };

/* A child that a program leaves to its exit says these: one that starts must end before it. */
#define LATE_CHILD_STARTS "late: starts\n"
#define LATE_CHILD_ENDS "late: ends\n"

/* ---- run.c: the program that is tested ---- */

/* Its arguments: the scenario's name, the plan, and what must be left; see fault_test.c. */
int run_scenario(int argc, char **argv);
const scenario *find_scenario(const char *name);

/* ---- inject.c ---- */

typedef struct fault_plan {
    bool in_children; /* else in the first process */
    bool forever;
    unsigned at;      /* 1: the first call; 0: none, but all are listed beside the token */
    unsigned variant; /* which of the errors that the call can give */
    bool can_deny;
    /* A file: as long as it is there, faults strike; one that strikes once removes it. */
    char token[400];
} fault_plan;

#define CALLS_ENDING ".calls" /* of the list's name, behind the token's */

void faults_begin(const fault_plan *plan);
void faults_end(void);
bool faults_strike_here(void); /* in this process, now */
bool fault_has_struck(void);   /* in this process */
bool fault_is_over(void);      /* it struck once, in this process */
bool faults_reach_children(void);
unsigned processes_started(void); /* by this one */
/* Blocks that were allocated and not freed. */
long long blocks_in_use(void);

#endif
