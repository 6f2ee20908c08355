/* What the tests of the public interface share. A child never asserts: it answers by its exit code,
 * by what it prints, or by a note: a file in the temporary folder. */
#ifndef MPROC_TESTS_API_SUPPORT_H
#define MPROC_TESTS_API_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "../pace/pace.h"
#include "host.h"

/* Milliseconds: for what comes at once unless the machine is busy. */
#define SOON pace_limit(30000)

/* ---- the program ---- */

/* A test program is also the programs that it tests: `PROGRAM --role NAME ARGUMENT...`. */
typedef struct role {
    const char *name;
    int (*play)(int argc, char **argv); /* of the arguments only; argv[argc] is NULL */
} role;

/* In main, after the guard. Makes MPROC_TEST_METHOD the default. True: a role was played. */
bool play_role(int argc, char **argv, const role *roles, size_t count, int *code);

/* ---- processes; these assert ---- */

mproc_process *create_process(const mproc_process_options *options);
mproc_process *start_process(mproc_target target, const void *args, size_t args_size);
mproc_process *start_options(mproc_process_options options);
/* Waits until it has ended, and frees it. */
int exit_code_of(mproc_process *process);
mproc_exit_status exit_status_of(mproc_process *process);
int run_process(mproc_target target, const void *args, size_t args_size);
/* Kills, waits and frees. */
void end_process(mproc_process *process);

/* For roles and children, without an assertion: its exit code, or -1 when something else fails. */
int try_process(const mproc_process_options *options);

/* ---- bytes that tell where they belong ---- */

unsigned char *new_pattern(size_t size, unsigned seed); /* to be freed; asserts */
bool is_pattern(const void *bytes, size_t size, unsigned seed);

/* ---- notes ---- */

typedef struct note {
    char path[400];
} note;

note new_note(const char *name); /* a place; there is nothing yet */
note note_at(const char *path);
bool leave_note(const note *place, const char *text); /* appears at once and whole */
bool find_note(const note *place, char *text, size_t capacity);
/* False: not even soon. `text` may be NULL. */
bool await_note(const note *place, char *text, size_t capacity);
void drop_note(const note *place);
/* The number in a note; -1: none came. */
long long await_number(const note *place);
void leave_number(const note *place, long long number);

/* A target that waits for a note and returns a code. */
typedef struct hold {
    note until;
    int code;
} hold;
int hold_on(void *args, size_t size);
int wait_forever(void *args, size_t size);
int return_code(void *args, size_t size); /* an int */

/* ---- programs ---- */

enum { OUTPUT_SIZE = 65536 };
typedef struct run_result {
    int code; /* -1: did not end */
    char output[OUTPUT_SIZE];
} run_result;

/* These assert that it starts. The result is static: until the next call. */
const run_result *run_role(const char *name, const char *argument, const char *other);
const run_result *run_command(const host_command *command);
host_program start_role(const char *name, const char *const *arguments, const char *output);
/* So that it and its descendants can be counted, as host.h says. */
host_program start_marked_role(const char *mark, const char *name, const char *const *arguments);
bool await_end_of_marked(const char *mark); /* where nobody can tell, at once */
void read_file(const char *path, char *text, size_t capacity);
bool copy_file(const char *from, const char *to);

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#endif
