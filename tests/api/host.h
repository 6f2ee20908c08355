/* What tests need of the operating system beyond standard C and mproc. */
#ifndef MPROC_TESTS_API_HOST_H
#define MPROC_TESTS_API_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const bool host_is_windows;

/* ---- this process ---- */

long long host_pid(void);
int64_t host_now(void); /* milliseconds, monotonic */
void host_nap(int milliseconds);
void host_wait_forever(void);
void host_crash(void);        /* writes to NULL, out of sight of a sanitizer */
void host_quit(int code);     /* _exit */
void host_break_output(void); /* from now on every write to the standard output fails */
bool host_is_output_open(void);
size_t host_open_handles(void); /* how many this process has; 0: nobody can tell */
void host_set_variable(const char *name, const char *value); /* NULL removes it */
bool host_use_one_processor(void);  /* false: this system cannot bind a process */
bool host_limit_handles(int count); /* where there is such a limit */
bool host_own_path(char *path, size_t capacity);
bool host_temporary_folder(char *path, size_t capacity); /* ends with a separator */

/* A function of a shared library; NULL: no library, or nothing can be loaded into this program. */
typedef void (*host_function)(void);
host_function host_load(const char *library, const char *name);

/* A handle that programs started carelessly would inherit, of a number that nothing else has. */
intptr_t host_open_stray(void);
bool host_has_stray(intptr_t stray);
void host_close_stray(intptr_t stray);

/* ---- other processes ---- */

bool host_is_ready(intptr_t sentinel, int timeout_ms);
bool host_is_running(long long pid);
void host_kill(long long pid); /* as the system's own tools do it: nobody is asked */
/* What mproc_process_terminate sends, where that can be ignored. */
void host_ignore_terminate(void);
/* What `run` returned in a child that was forked behind mproc's back; -1: there is no fork. */
int host_raw_fork(int (*run)(void));
void host_stop_self(void); /* until somebody continues it; Windows: waits forever */
/* Stops another process, until host_continue. False: this system cannot do that. */
bool host_pause(long long pid);
void host_continue(long long pid);
/* How many processes were started with MPROC_TEST_MARK=mark in their environment, or descend from
 * such a one; on Windows: how many others run this program. -1: nobody can tell. */
int host_count_marked(const char *mark);

typedef struct host_command {
    const char *program;          /* NULL: this one */
    const char *const *arguments; /* without the program's name, NULL at the end */
    const char *input;            /* files; NULL: the null device */
    const char *output;           /* receives both outputs */
} host_command;

typedef struct host_program {
    intptr_t handle;
    long long pid;
} host_program;

bool host_start(host_program *program, const host_command *command);
/* The same, but a copy of this process that calls `run` and exits with what that returns; where
 * processes cannot be copied, this program anew. */
bool host_start_copy(host_program *program, const host_command *command,
                     int (*run)(int argc, char **argv));
/* From now on a process that descends from this one and loses its parent becomes a child of it, and
 * host_has_children needs no search. False: this system does not know that. */
bool host_adopt_orphans(void);
bool host_has_children(void); /* that run; reaps all others */
/* False: still running. A signal gives 128 + its number. After a true the program is forgotten. */
bool host_wait(host_program *program, int timeout_ms, int *code);

/* ---- Ctrl-C ---- */

/* This process and its descendants are what a later Ctrl-C is for, and nobody else. False: where no
 * terminal can be had that is theirs alone. */
bool host_lead_group(void);
void host_interrupt_group(long long leader);

/* ---- threads ---- */

typedef struct host_thread {
    intptr_t handle;
    void (*run)(void *argument);
    void *argument;
} host_thread;

bool host_thread_start(host_thread *thread, void (*run)(void *), void *argument);
void host_thread_join(host_thread *thread);
void host_thread_leave(host_thread *thread); /* instead of a join: it runs on alone */

#endif
