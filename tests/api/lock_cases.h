/* What locks and recursive locks have in common: each case runs for the kind under test. */
#ifndef MPROC_TESTS_API_LOCK_CASES_H
#define MPROC_TESTS_API_LOCK_CASES_H

#include "lock_stage.h"

/* The cases, and those of this kind alone. */
int lock_main(int argc, char **argv, lock_kind kind, const struct CMUnitTest *own, size_t count);

/* ---- lock_crash_cases.c ---- */

int run_lock_crash_cases(void);
int be_first(int argc, char **argv); /* a role */

/* ---- lock_bad_input_cases.c ---- */

int run_lock_bad_input_cases(void);
int fill_arena(int argc, char **argv); /* a role */

#endif
