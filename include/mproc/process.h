/* Processes: the main guard, start and end, and who is whose child. */
#ifndef MPROC_PROCESS_H
#define MPROC_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <mproc/connection.h>
#include <mproc/error.h>

MPROC_BEGIN

/* Any time-out: milliseconds, 0 = do not wait, MPROC_FOREVER = as long as it takes; another
 * negative number is MPROC_EINVAL. Measured on the monotonic clock. A signal does not end a wait,
 * unless mproc_options.interruptible was set (then MPROC_EINTR). */
#define MPROC_FOREVER (-1)

/* How a child comes to be.
 *   MPROC_FORK        a copy of the parent. POSIX only; the default there (on macOS: spawn).
 *   MPROC_SPAWN       the same executable, started fresh; needs mproc_main_guard. The default on
 *                     Windows.
 *   MPROC_FORKSERVER  a fork of a small server without threads that was spawned early; POSIX only,
 *                     needs mproc_main_guard.
 * Where a method does not exist, it is MPROC_ENOSYS. */
typedef enum mproc_start_method {
    MPROC_START_DEFAULT = 0,
    MPROC_FORK,
    MPROC_SPAWN,
    MPROC_FORKSERVER
} mproc_start_method;

/* For the whole process; every field may be 0. Children inherit them all. */
typedef struct mproc_options {
    mproc_start_method method; /* the default start method */
    bool interruptible;        /* a signal handler that ran ends a wait with MPROC_EINTR */
    /* Bytes of address space for shared memory (default 64 GiB; Windows 4 GiB); less where the
     * system grants less, but never under 16 MiB. Environment: MPROC_ARENA_SIZE. */
    uint64_t arena_size;
    /* Bytes of it that may be in use (default: half of the memory of the machine or of the cgroup).
     * Not counted are mproc's own tables: 2.5 MiB at most, 1.2 MiB for each GiB that was in use, and
     * about an eighth of what is in blocks of 64 bytes, less for larger ones. Environment:
     * MPROC_ARENA_LIMIT. */
    uint64_t arena_limit;
} mproc_options;

/* Sets the options of this process and of its children. Optional; must come before the first
 * process, pool or shared object.
 *
 * options  NULL or zero fields mean the defaults. The environment variables hold bytes, or a number
 *          with the suffix K, M or G; a field that is not zero wins over them.
 *
 * Without any call, MPROC_TRACE=file.json in the environment makes a timeline of the program's
 * processes and tasks in the Chrome trace event format, to look at in Perfetto or chrome://tracing.
 * The first process makes the file when it first uses processes; one that cannot be made is a
 * warning in mproc's log. At the clean end of the first process it is strict JSON; what a killed
 * process had gathered last is not in it.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL for an unknown method or a size under 1 MiB; MPROC_ENOSYS for
 * a method that this system does not have; MPROC_ESTATE when it is too late.
 * **Threads**: not safe against other mproc calls. */
MPROC_API mproc_err mproc_init(const mproc_options *options);

/* What a child runs. `args` is a copy of the start options' bytes, aligned for any type, NULL when
 * their size is 0; it lives as long as the child. The value returned is the exit code (its low 8
 * bits on POSIX). */
typedef int (*mproc_target)(void *args, size_t size);

typedef struct mproc_process mproc_process;

typedef struct mproc_process_options {
    /* Required; any function of the program or of a library that it has loaded. */
    mproc_target target;
    const void *args; /* copied before mproc_process_create returns */
    size_t args_size;
    /* What the child is to hold of the connections that this process holds; the array is copied.
     * The child holds these and no others, whatever the start method; this process keeps its own.
     * They must still be held here when it starts. Windows: a few thousand at most. */
    const mproc_connection *connections;
    size_t connection_count;
    /* Copied, at most 63 bytes are kept; default "Process-1", in its children "Process-1:1". */
    const char *name;
    mproc_start_method method; /* default: mproc_get_start_method() */
    /* Ended when its parent ends, however that ends. Children of a daemon are daemons anyway. */
    bool daemon;
} mproc_process_options;

/* How a process ended.
 *
 * | kind       | code               | POSIX                        | Windows                     |
 * | ---------- | ------------------ | ---------------------------- | --------------------------- |
 * | RUNNING    | 0                  | not ended yet                | the same                    |
 * | EXITED     | exit code          | exit, _exit, target returned | the same; abort() is exit 3 |
 * | SIGNALED   | signal number      | a signal ended it            | never                       |
 * | TERMINATED | signal number; on  | a signal that mproc's        | TerminateProcess by mproc's |
 * |            | Windows 15 or 9    | terminate or kill sent       | terminate or kill           |
 * | CRASHED    | such as 0xC0000005 | never (a crash is a signal)  | ended by an exception       |
 * | REFUSED    | 0; see `err`       | ended before its target ran  | the same                    |
 * | LOST       | 0                  | somebody else reaped it and  | never                       |
 * |            |                    | it had not said its code     |                             |
 */
typedef enum mproc_exit_kind {
    MPROC_EXIT_RUNNING = 0,
    MPROC_EXIT_EXITED,
    MPROC_EXIT_SIGNALED,
    MPROC_EXIT_TERMINATED,
    MPROC_EXIT_CRASHED,
    MPROC_EXIT_REFUSED,
    MPROC_EXIT_LOST
} mproc_exit_kind;

typedef struct mproc_exit_status {
    mproc_exit_kind kind;
    int64_t code;  /* see mproc_exit_kind */
    mproc_err err; /* with REFUSED: why, such as MPROC_EIMAGE; else MPROC_OK */
} mproc_exit_status;

/* The first line of main. A spawned child runs main again: this call recognises it, runs its target
 * and ends the process with the target's exit code, so what stands below it is what a Python
 * program has under `if __name__ == '__main__':`. What stands above it runs once more in every
 * spawned child, and in the forkserver. In the first process it remembers that it was called and
 * returns.
 *
 * argc, argv  as main got them. In a child, the private argument is removed before the target runs.
 *
 * A program that starts processes by spawn or forkserver without it gets MPROC_EGUARD. A program
 * that uses fork alone needs no guard. A set-uid program refuses to be anybody's child.
 *
 * **Threads**: call it once, from main, before other threads exist.
 * *Like* `if __name__ == '__main__':` with `multiprocessing.freeze_support()`. */
static inline void mproc_main_guard(int argc, char **argv);

/* Makes a process object; nothing runs yet.
 *
 * process  receives the object. **Ownership**: the caller's, until mproc_process_free.
 * options  required for its target. Name and args are copied.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: no target, a size without a pointer, an unknown method;
 * MPROC_ENOSYS: no such method on this system; MPROC_EGUARD: spawn or forkserver without the guard,
 * with the two missing lines on the standard error, or a child that got past it; MPROC_EIMAGE:
 * spawn or forkserver with a target that lies in no loaded module; MPROC_ENOTHELD: one of the
 * connections is not held by this process; MPROC_ESTATE: after a raw fork; MPROC_ENOMEM; of the
 * family's first object also MPROC_EAGAIN and MPROC_EOS: its shared memory cannot be had.
 * **Threads**: safe.
 * *Like* `multiprocessing.Process(target, name, args, daemon)`. */
MPROC_API mproc_err mproc_process_create(mproc_process **process,
                                         const mproc_process_options *options);

/* Starts it. Both standard outputs are flushed first, so that no line appears twice.
 *
 * **Returns** MPROC_OK: the child exists. MPROC_ESTATE: started before, an object of another
 * process, or this process is ending; MPROC_EAGAIN: the system has no process, no descriptor, or
 * the family no slot left; MPROC_ENOTHELD: one of its connections has been closed here meanwhile;
 * MPROC_ENOMEM; MPROC_EIMAGE: the target's library has been unloaded;
 * MPROC_ENOENT, MPROC_EACCES: the program's file is gone or may not be run; MPROC_EBROKEN: the
 * forkserver cannot be started, such as that of a program which ends above its guard; MPROC_EOS.
 * After a failure the object can be started again. A child that cannot find its target ends with
 * MPROC_EXIT_REFUSED.
 * **Threads**: safe. A fork copies the calling thread only.
 * **Platform**: the child's standard input is the null device. A forked child keeps signal mask and
 * handlers; a spawned one keeps only what was ignored. A raw fork() outside of mproc gives a
 * process that is not of the family: its mproc calls return MPROC_ESTATE.
 * *Like* `Process.start()`. */
MPROC_API mproc_err mproc_process_start(mproc_process *process);

/* Waits until the process has ended. May be called again, and by several threads at once.
 *
 * **Returns** MPROC_OK: it has ended; MPROC_ETIMEDOUT; MPROC_EINTR; MPROC_EINVAL;
 * MPROC_ESTATE: not started, or another process's child; MPROC_EDEADLK: the process itself.
 * **Threads**: safe.
 * *Like* `Process.join(timeout)`. */
MPROC_API mproc_err mproc_process_join(mproc_process *process, int timeout_ms);

/* **Returns** true from start until its end; false for NULL and for another process's child.
 * **Threads**: safe. *Like* `Process.is_alive()`. */
MPROC_API bool mproc_process_is_alive(mproc_process *process);

/* The exit code as Python gives it: n, or -N when signal N ended it. On Windows: the low 32 bits of
 * the exit status; -15 and -9 after mproc's own terminate and kill. A lost or refused child: 255.
 *
 * **Returns** MPROC_OK; MPROC_ESTATE: not started or still running; MPROC_EINVAL.
 * **Threads**: safe. *Like* `Process.exitcode`. */
MPROC_API mproc_err mproc_process_exitcode(mproc_process *process, int *code);

/* How it ended, with everything told apart; MPROC_EXIT_RUNNING while it runs.
 *
 * **Returns** MPROC_OK; MPROC_ESTATE: not started; MPROC_EINVAL.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_process_exit_status(mproc_process *process, mproc_exit_status *status);

/* Asks it to end: SIGTERM; on Windows TerminateProcess. Does nothing to one that has ended.
 *
 * **Returns** MPROC_OK; MPROC_ESTATE: not started, or not a child of the caller; MPROC_EINVAL;
 * MPROC_EACCES. **Threads**: safe. *Like* `Process.terminate()`. */
MPROC_API mproc_err mproc_process_terminate(mproc_process *process);

/* Ends it at once: SIGKILL; on Windows TerminateProcess. Else as mproc_process_terminate.
 * *Like* `Process.kill()`. */
MPROC_API mproc_err mproc_process_kill(mproc_process *process);

/* The process id; 0 before start and for NULL. **Threads**: safe. *Like* `Process.pid`. */
MPROC_API long long mproc_process_pid(const mproc_process *process);

/* The name; NULL for NULL. Lives as long as the object. **Threads**: safe.
 * *Like* `Process.name`. */
MPROC_API const char *mproc_process_name(const mproc_process *process);

/* Whether it is a daemon. **Threads**: safe. *Like* `Process.daemon`. */
MPROC_API bool mproc_process_is_daemon(const mproc_process *process);

/* Something for the program's own event loop that becomes ready (readable; signalled) when the
 * process has ended: a file descriptor on POSIX, a HANDLE on Windows. Never read, never close it.
 *
 * **Returns** MPROC_OK; MPROC_ESTATE: not started; MPROC_EAGAIN: no descriptor left; MPROC_EINVAL.
 * **Ownership**: the object's; valid until mproc_process_free. **Threads**: safe.
 * *Like* `Process.sentinel`. */
MPROC_API mproc_err mproc_process_sentinel(mproc_process *process, intptr_t *sentinel);

/* Frees the object. Never blocks, never kills: a running child stays a child of this process, is
 * joined (a daemon: ended) at exit and may be found again by mproc_active_children. NULL is fine;
 * the objects of mproc_process_current and mproc_process_parent stay.
 * **Threads**: no other thread may still use the object. *Like* `Process.close()`. */
MPROC_API void mproc_process_free(mproc_process *process);

/* The calling process. **Ownership**: mproc's. NULL only when there is no memory for it, and after
 * a raw fork. **Threads**: safe. *Like* `multiprocessing.current_process()`. */
MPROC_API mproc_process *mproc_process_current(void);

/* The process that started the caller; can be asked for name, pid, is_alive, sentinel and be
 * joined.
 * **Returns** NULL in the first process of the family.
 * **Ownership**: mproc's. **Threads**: safe. *Like* `multiprocessing.parent_process()`. */
MPROC_API mproc_process *mproc_process_parent(void);

/* The children that have been started and have not ended; joins those that have.
 *
 * list      receives up to `capacity` new objects, in the order of their start; may be NULL when
 *           `capacity` is 0. **Ownership**: free each one.
 * count     receives how many there are, also beyond the capacity.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL; MPROC_ENOMEM; MPROC_ESTATE: after a raw fork; MPROC_EGUARD: a
 * child that got past the guard; MPROC_EAGAIN and MPROC_EOS as mproc_process_create.
 * **Threads**: safe. *Like* `multiprocessing.active_children()`. */
MPROC_API mproc_err mproc_active_children(mproc_process **list, size_t capacity, size_t *count);

/* How many processors this process may use: the least of its affinity, the cgroup's quota (on
 * Windows: the job's limits), and the environment variable MPROC_CPU_COUNT. At least 1.
 * **Threads**: safe. *Like* `os.process_cpu_count()`. */
MPROC_API int mproc_cpu_count(void);

/* The start method for processes and pools that name none. Inherited by children.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL; MPROC_ENOSYS. MPROC_START_DEFAULT restores the system's.
 * **Threads**: safe. *Like* `multiprocessing.set_start_method(method, force=True)`. */
MPROC_API mproc_err mproc_set_start_method(mproc_start_method method);

/* Never MPROC_START_DEFAULT. *Like* `multiprocessing.get_start_method()`. */
MPROC_API mproc_start_method mproc_get_start_method(void);

/* Not for programs: what mproc_main_guard is made of. The exit handler is registered by the
 * executable itself, for in a DLL it would run too late. */
MPROC_API void mproc__main_guard(int argc, char **argv);
MPROC_API void mproc__at_exit(void);

static inline void mproc_main_guard(int argc, char **argv)
{
    atexit(mproc__at_exit);
    mproc__main_guard(argc, argv);
}

MPROC_END

#endif
