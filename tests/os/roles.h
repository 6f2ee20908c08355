/* What the contract tests of the seam share. A child is the test's own executable in another role;
 * what it finds it tells by its exit code, never by CMocka. */
#ifndef MPROC_TESTS_OS_ROLES_H
#define MPROC_TESTS_OS_ROLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "os.h"

typedef struct role {
    const char *name; /* what stands before a '/' in the text, if there is one */
    int (*play)(const os_entry *entry, const char *argument);
} role;

/* In main: true when this process is a child, and *code is what its role returned. */
bool play_role(int argc, char **argv, const role *roles, size_t count, int *code);

/* In a role, or in a forked child: names the failure and ends with 99. */
#define CHILD_FAILED 99
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            return CHILD_FAILED;                                                                   \
        }                                                                                          \
    } while (0)

/* A point in time that is far enough for every machine. */
int64_t soon(void);
int64_t in_milliseconds(int64_t count);

os_process start_role(const char *text, const os_handle *handles, size_t count);
/* Waits until it has ended, and lets it go. */
mproc_exit_status finish(os_process *child);
void assert_exits_with(os_process *child, int code);
/* Ended by os_process_signal: by a signal, or on Windows with its number as exit code. */
void assert_was_ended(os_process *child, bool hard);

/* What children hang on, from its opening on: none of them outlives the test. */
extern os_lifeline lifeline;
int open_lifeline(void **state); /* for cmocka_run_group_tests */
int close_lifeline(void **state);

/* Roles: stays until the lifeline is closed, which is its only handle; ends with the argument. */
int play_sleeper(const os_entry *entry, const char *argument);
int play_exit(const os_entry *entry, const char *argument);

/* One shared object of a known size, for test and children; its first bytes are a board. */
#define BOARD_SIZE (UINT64_C(1) << 20)
typedef struct board {
    _Atomic uint32_t word[8];
    _Atomic int64_t pid;
    _Atomic uint64_t born;
    os_signal signal[2];
    _Atomic uint32_t told[256];
    unsigned char bytes[1024];
} board;
board *make_board(os_shared *shared);
board *find_board(os_shared *shared, os_handle object); /* NULL: it cannot be mapped */
void drop_board(os_shared *shared);
/* Yields until the word has that value. false: it did not come in time. */
bool comes_to(_Atomic uint32_t *word, uint32_t value);

#endif
