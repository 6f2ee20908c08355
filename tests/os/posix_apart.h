/* For tests that change what belongs to the whole process: each does it to a fork. */
#ifndef MPROC_TESTS_OS_POSIX_APART_H
#define MPROC_TESTS_OS_POSIX_APART_H

#include "roles.h"

/* Runs `body` in a raw fork and asserts that it returns 0. It tells by CHECK. */
void apart(int (*body)(void));
/* Waits, reaps, and says whether it ended so. */
bool ends_as(os_process *child, mproc_exit_kind kind, int code);

#endif
