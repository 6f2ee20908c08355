/* What mproc is compared with: the operating system itself. raw_posix.c and raw_win32.c. */
#ifndef RAW_H
#define RAW_H

#include <stdbool.h>
#include <stdio.h>

void raw_begin(const char *program); /* main's argv[0] */

double raw_now(void); /* seconds */
void raw_sleep(double seconds);
void raw_idle(void); /* for ever */

/* The first line of main: a child of raw_spawn_and_wait ends there. */
#define RAW_CHILD "--raw-child"
#define RAW_CHILD_WIDE L"--raw-child"

extern const bool raw_can_fork;
bool raw_fork_and_wait(void);  /* an empty child */
bool raw_spawn_and_wait(void); /* this executable, ended in the first line of main */
bool raw_start_idle_thread(void);
/* Forks children that are idle, and ends them all. */
bool raw_fork_idle(int count);
void raw_end_idle(void);

/* This executable once more, to be talked to over its standard input and output. */
struct raw_program {
    FILE *to;
    FILE *from;
    long long handle;
};
bool raw_program_start(struct raw_program *program, const char *role, const char *argument);
void raw_program_wait(struct raw_program *program);

/* Another program's standard output, to be read to its end. */
FILE *raw_output_of(const char *command);
void raw_output_close(FILE *output);

/* Seconds of processor time that others have used so far; 0 where that is not known. What this
 * process started counts as its own once it has ended. */
double raw_used_by_others(void);

bool raw_knows_processes(void); /* whether the rest is known here */
double raw_private_bytes(long long pid);
/* What a process and its descendants have done so far: times that they gave a processor up or had
 * it taken, and seconds of processor time. */
void raw_family_activity(long long root, double *switches, double *seconds);

#endif
