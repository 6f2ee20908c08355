/* For tests that change what belongs to the whole process: each does it to a fork. */
#ifndef MPROC_TESTS_OS_POSIX_APART_H
#define MPROC_TESTS_OS_POSIX_APART_H

#include "roles.h"

/* Runs `body` in a raw fork and asserts that it returns 0. It tells by CHECK. */
void apart(int (*body)(void));
/* A child that hangs on the lifeline. */
bool spawn(os_process *child, const char *text);
/* For a watcher with an atomic uint32_t: counts. */
void note_end(void *context, uint64_t key);
/* Waits, reaps, and says whether it ended so. */
bool ends_as(os_process *child, mproc_exit_kind kind, int code);

#endif
