/* The seam: the few things an operating system must do. src/posix and src/win32 implement it, with
 * the same file names on both sides; everything above knows no operating system.
 *
 * Said once for all of them:
 *   - They report facts and decide nothing. They hold no lock while they wait, and print nothing.
 *   - A mproc_err other than MPROC_OK means: nothing has changed, out-parameters are untouched, and
 *     the system's own number has been given to error_remember. Never an invented code: the
 *     backend's error.c has the one table from errno / GetLastError() to mproc_err (EMFILE, ENFILE,
 *     EAGAIN, ETOOMANYREFS, EPERM on RLIMIT_NPROC -> MPROC_EAGAIN; ENOMEM, ENOSPC, EDQUOT, EFBIG ->
 *     MPROC_ENOMEM; EACCES, EPERM -> MPROC_EACCES; ENOENT -> MPROC_ENOENT; EEXIST -> MPROC_EEXIST;
 *     EPIPE, ECONNRESET -> MPROC_EEOF; everything else -> MPROC_EOS).
 *   - Handles are descriptors or HANDLEs in an intptr_t; OS_NO_HANDLE is invalid on both sides, and
 *     closing it does nothing. Those that the backend makes are not inherited by programs the host
 *     starts, and lie above 9, so that a spawned child can be given them at 3, 4, 5...
 *   - Deadlines are absolute, in nanoseconds of os_now; OS_FOREVER never comes, 0 has always
 *     passed.
 *   - Addresses that other processes see lie in the arena. */
#ifndef MPROC_OS_H
#define MPROC_OS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mproc/process.h>

#include "names.h"

typedef intptr_t os_handle;
#define OS_NO_HANDLE ((os_handle)-1)
void os_handle_close(os_handle handle);
mproc_err os_handle_copy(os_handle handle, os_handle *copy);

/* ---- time, chance, machine (clock.c, machine.c) ---- */

#define OS_FOREVER INT64_MAX
int64_t os_now(void); /* monotonic; stands still for nobody's clock change */
void os_yield(void);  /* lets another thread run */
void os_pause(void);  /* the processor's hint inside a spin loop */
mproc_err os_random(void *bytes, size_t size); /* good enough for keys */
/* min(affinity, cgroup v1/v2 quota rounded up, job limits); at least 1. */
int os_cpu_count(void);
uint64_t os_memory_limit(void); /* min(machine, cgroup v1/v2) in bytes; never 0 */
/* What this process has of its own, not shared, in bytes; where the system does not say (not Linux,
 * not Windows): the most that it has ever had. 0: unknown. */
uint64_t os_memory_used(void);

/* Waits end with MPROC_EINTR after a signal handler ran, when this is on; else they go on. Off at
 * first. */
void os_set_interruptible(bool on);

/* ---- threads of mproc's own (thread.c) ---- */

typedef struct os_mutex {
    _Alignas(8) unsigned char bytes[64];
} os_mutex;
void os_mutex_init(os_mutex *mutex); /* also over one that a fork copied in any state */
void os_mutex_lock(os_mutex *mutex);
void os_mutex_unlock(os_mutex *mutex);

/* Writers are not starved. */
typedef struct os_rwlock {
    _Alignas(8) unsigned char bytes[272]; /* macOS: a mutex of 64 and a lock of 200 */
} os_rwlock;
void os_rwlock_init(os_rwlock *lock);
void os_rwlock_read(os_rwlock *lock);
void os_rwlock_read_end(os_rwlock *lock);
void os_rwlock_write(os_rwlock *lock);
void os_rwlock_write_end(os_rwlock *lock);

/* Runs `run(argument)` in a new thread with all signals blocked and a stack of at least
 * max(RLIMIT_STACK if finite, 8 MiB), for user code may run on it after a fork. */
mproc_err os_thread_start(os_handle *thread, void (*run)(void *), void *argument);
void os_thread_join(os_handle thread); /* once for each thread */
bool os_thread_is_alone(void);         /* false when the process is known to have several threads */
/* `ended` is called by each thread that has asked for it (os_thread_tell_end), at its end, in no
 * order with whatever else is called there. Once for each process, before any thread asks; the
 * library cannot be unloaded from then on. A forked child may be told of what its parent has asked for. */
void os_on_thread_end(void (*ended)(void));
/* The calling thread asks to be told once. `ended` may ask again, but not every system tells it
 * then. Any error: it will not be told. */
mproc_err os_thread_tell_end(void);

/* ---- shared memory without a name (memory.c) ---- */

typedef struct os_shared {
    unsigned char *base;
    uint64_t size;
    os_handle object; /* what a spawned child must inherit */
} os_shared;

/* Reserves `size` bytes that can be shared, zeroed once committed; as much less as the system asks
 * for (RLIMIT_AS, RLIMIT_FSIZE, sanitizers), but at least `least`: tries halves. A multiple of 64
 * KiB. A fork inherits the mapping. */
mproc_err os_shared_create(os_shared *shared, uint64_t size, uint64_t least);
/* Maps what a parent created and this process inherited. Takes the handle over. */
mproc_err os_shared_open(os_shared *shared, os_handle object, uint64_t size);
void os_shared_close(os_shared *shared); /* unmaps it and closes its handle */
/* Makes [offset, offset + size) usable, in multiples of 64 KiB; again is fine. Full is
 * MPROC_ENOMEM: afterwards no access faults. Signals are blocked meanwhile (an interrupted
 * fallocate starts over). */
mproc_err os_shared_commit(const os_shared *shared, uint64_t offset, uint64_t size);
/* Gives committed memory back, where the system can. Content is undefined until the next commit;
 * true: that commit is needed, and the range will be zero. false: nothing happened, the range stays
 * as it is. */
bool os_shared_decommit(const os_shared *shared, uint64_t offset, uint64_t size);
/* Debug builds assert this before a span is handed out: wine lets uncommitted pages be touched. */
bool os_shared_is_committed(const os_shared *shared, uint64_t offset, uint64_t size);

/* ---- named shared memory (segment.c) ---- */

#define OS_SEGMENT_NAME 256 /* with its end */

typedef struct os_segment {
    unsigned char *base;
    uint64_t size;
    os_handle object;
    char name[OS_SEGMENT_NAME];
} os_segment;

extern const char os_segment_prefix[];  /* of a name made at random, as Python's have it */
extern const size_t os_segment_longest; /* name in bytes */
/* Whether it can be a name, were it short enough. */
bool os_segment_allows(const char *name);

/* None of these waits for another process. MPROC_ETIMEDOUT: one is just changing something there,
 * and may stand still; nothing has been done.
 *
 * Names are allowed and short enough. A new one, zeroed and committed, mapped and in use by this
 * process. MPROC_EEXIST: there is one, and it is not dead. Killed at any point it leaves a dead one
 * or none. */
mproc_err os_segment_create(os_segment *segment, const char *name, uint64_t size);
/* Removes the one of that name if it is dead. */
mproc_err os_segment_settle(const char *name);
/* Maps what is there, and uses it. MPROC_ERANGE: smaller than `least`, or still without bytes. */
mproc_err os_segment_open(os_segment *segment, const char *name, uint64_t least);
/* Frees its name. MPROC_ENOENT: that segment has no name any more. Windows: nothing. */
mproc_err os_segment_unlink(const os_segment *segment);
/* From now on it lives without users, until it is unlinked. `forced`: also while another process is
 * changing something there, which may remove it yet. Windows: nothing. */
mproc_err os_segment_keep(const os_segment *segment, bool forced);
void os_segment_close(os_segment *segment); /* this use of it */
/* Removes the dead: segments that os_segment_create made, that nobody kept, and that no process
 * uses. How many it has left alone, since they live or another process is at them. Nothing where
 * names cannot be listed. */
size_t os_segment_sweep(void);

/* ---- waiting on a word of the arena (park.c) ---- */

/* Whether the system can wait on a word itself (Linux futex, not FUTEX_PRIVATE). Else family/park.c
 * builds that of os_signals. */
extern const bool os_has_futex;
/* Sleeps while *word == expected. MPROC_OK: woken, changed, or for no reason; MPROC_ETIMEDOUT;
 * MPROC_EINTR. */
mproc_err os_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);
void os_futex_wake(_Atomic uint32_t *word, uint32_t count); /* UINT32_MAX: all */

/* A semaphore in the arena for one waiting thread at a time; posts are counted. On Windows a named
 * kernel semaphore `Local\mproc-<nonce>-<index>`, opened once by each process that uses it and then
 * kept. */
typedef struct os_signal {
    _Alignas(8) unsigned char bytes[64];
} os_signal;
mproc_err os_signal_init(os_signal *signal, const unsigned char nonce[16], uint32_t index);
/* As os_futex_wait; MPROC_OK: a post was taken. */
mproc_err os_signal_wait(os_signal *signal, int64_t deadline);
void os_signal_post(os_signal *signal); /* by any process; to a dead waiter: harmless */

/* ---- code that travels (image.c) ---- */

typedef void (*os_function)(void);
typedef struct os_code {
    /* Of the module: build id, or a hash of its headers and code; PE: time stamp, size,
     * checksum. */
    uint64_t identity;
    uint64_t offset; /* from the module's base */
} os_code;

/* MPROC_EIMAGE: the address lies in no loaded module's executable part. */
mproc_err os_code_from(os_function function, os_code *code);
/* MPROC_EIMAGE: no module of that identity here, or the offset is outside its executable part. */
mproc_err os_code_find(const os_code *code, os_function *function);

/* ---- the environment, and a plain file that many processes write (file.c) ---- */

#define OS_PATH 4096 /* with its end */

/* The value of an environment variable, in UTF-8. MPROC_ENOENT: not set, or this is a set-uid
 * program, whose caller is not to tell it what to write; MPROC_ERANGE: it is longer. */
mproc_err os_variable(const char *name, char *value, size_t size);
/* Makes it, or empties the one that is there; `absolute` receives a path that
 * stays right wherever the process goes. MPROC_EINVAL, MPROC_EACCES: it is there, and no plain file;
 * MPROC_ERANGE: the path is longer. */
mproc_err os_file_create(const char *path, os_handle *file, char *absolute, size_t size);
mproc_err os_file_open(const char *absolute, os_handle *file); /* one that is there; to write */
/* All of it, or an error: then some of it may be there. MPROC_ENOMEM: no room, or more than this
 * process may write; no signal is raised. */
mproc_err os_file_write(os_handle file, uint64_t at, const void *bytes, size_t size);
mproc_err os_file_truncate(os_handle file, uint64_t size);

/* ---- the guard's private argument (entry.c) ---- */

#define OS_SPAWN_TEXT 128 /* at most, with its end */

typedef struct os_entry {
    char text[OS_SPAWN_TEXT];
    os_handle *handles; /* no longer inheritable; from malloc, or NULL */
    size_t handle_count;
} os_entry;

/* Tells from main's arguments whether this process was made by os_spawn; if so, takes the private
 * argument out of argv (argv[argc] is NULL again), so that it is accepted once. Remembers argv[0].
 * MPROC_OK: a child, `entry` is filled; MPROC_ENOENT: an ordinary start; MPROC_EACCES: a set-uid
 * program was given the argument (AT_SECURE); MPROC_EINVAL: the argument is forged: its handles do
 * not exist. */
mproc_err os_entry_claim(int argc, char **argv, os_entry *entry);
/* Whether os_spawn made this process and os_entry_claim has not been called: main went past the
 * guard. */
bool os_entry_is_unclaimed(void);

/* ---- processes (process.c, fork.c, spawn.c) ---- */

bool os_can_start(mproc_start_method method);
mproc_start_method os_default_method(void);

typedef struct os_process {
    int64_t pid;
    uint64_t born;    /* os_birth_time at its start: with the pid the identity of a process */
    os_handle handle; /* Windows: the process; POSIX: the sentinel once there is one */
    os_handle extra;  /* the backend's own */
    bool foreign;     /* not a child of this process: no status to be had from the system */
} os_process;

uint64_t os_birth_time(void); /* of the clock by which the system stamps new processes */
int64_t os_getpid(void);

/* A copy of this process. *in_child tells the two apart; in the child, `child` is untouched. Forked
 * by a thread of mproc's own it has the signal mask of the thread that started that one. */
mproc_err os_fork(os_process *child, bool *in_child);
/* `in_raw_child` is called in the child of every fork, by mproc or not (pthread_atfork). Windows:
 * nothing. */
void os_on_fork(void (*in_raw_child)(void));
/* The same executable anew, standard input from the null device, with these handles and no others
 * but the standard ones; its first argument carries text and handles. `mortal`: ends with this
 * process (Windows: put into the life line's job; POSIX: the child arms it by itself). Handles:
 * any number; too many for the system (Windows: for a command line, thousands) are MPROC_EAGAIN.
 * Linux: /proc/self/exe, so that a deleted executable still works. */
struct os_lifeline;
mproc_err os_spawn(os_process *child, const char *text, const os_handle *handles,
                   size_t handle_count, const struct os_lifeline *mortal);

/* Waits until the process has ended; leaves it to be reaped. MPROC_OK, MPROC_ETIMEDOUT,
 * MPROC_EINTR. Any thread, several at once. OK also when somebody else has reaped it. Without a
 * descriptor left it looks at a growing beat of 1 to 20 ms. */
mproc_err os_process_wait(os_process *process, int64_t deadline);
/* Never blocks, never reaps. RUNNING, EXITED, SIGNALED, CRASHED (Windows: a status >= 0xC0000000);
 * LOST: ended, but its status is not to be had (reaped by somebody else, or foreign). */
void os_process_status(os_process *process, mproc_exit_status *status);
/* Both at once: as os_process_status, and once it has ended, its pid is let go. */
void os_process_collect(os_process *process, mproc_exit_status *status);
void os_process_reap(os_process *process); /* after it has ended: lets its pid go. Once. */
/* terminate: SIGTERM, or SIGKILL with `hard`; Windows: TerminateProcess with 15 or 9. Checks that
 * the pid is still that process; MPROC_OK also when it has ended. */
mproc_err os_process_signal(os_process *process, bool hard);
/* Readable / signalled once it has ended. Made when first asked for; belongs to `process`. */
mproc_err os_process_sentinel(os_process *process, os_handle *sentinel);
void os_process_close(os_process *process); /* lets its handles go; the process is left alone */
/* A proof for a process that is nobody's child here: true when no process, or only a zombie, has
 * this pid and was born then. */
bool os_process_is_gone(int64_t pid, uint64_t born);

void os_stdin_null(void); /* in a child that os_fork made: standard input becomes the null device */
/* What stdout and stderr have buffered; costs nothing when that is nothing. */
void os_flush_output(void);
void os_flush_all(void);        /* every output stream; likewise */
void os_ignore_interrupt(void); /* Ctrl-C does nothing to this process */
/* What this thread forks and spawns until it says off begins with Ctrl-C held back, until it calls
 * one of os_ignore_interrupt and os_heed_interrupt; what a forkserver makes always does. Windows: it
 * ignores Ctrl-C. */
void os_hold_interrupt(bool on);
void os_heed_interrupt(void);

/* ---- the life line: a child learns that its parent has ended (lifeline.c) ---- */

typedef struct os_lifeline {
    /* Children inherit it: readable / signalled when the process that made it has ended. */
    os_handle watch;
    os_handle hold; /* POSIX: the only write end; Windows: the job of the mortal ones */
} os_lifeline;

mproc_err os_lifeline_create(os_lifeline *line);
void os_lifeline_close(os_lifeline *line); /* in a forked child: lets go of what its parent holds */
/* The calling process is ended when the line breaks, or at once if it has; even when it is stopped
 * (Linux: F_SETSIG and O_ASYNC on a read end of its own, opened through /proc/self/fd; else a
 * thread). Windows: nothing, the job does it. */
mproc_err os_lifeline_arm(os_handle watch);
/* Whether a forked child finds a life line to its parent by itself, so that none must be made for
 * it to inherit. */
extern const bool os_can_find_lifeline;
/* In such a child: one to wait on, but not to arm. `parent`: its parent's pid, from before the
 * fork. */
mproc_err os_lifeline_find(int64_t parent, os_handle *watch);
/* MPROC_OK: broken; MPROC_ETIMEDOUT; MPROC_EINTR. */
mproc_err os_lifeline_wait(os_handle watch, int64_t deadline);

/* ---- being told of ends (watcher.c) ---- */

typedef struct os_watcher os_watcher;
/* `ended(context, key)` is called when a watched process has ended (keys are not 0), on a thread of
 * the watcher's (made by os_thread_start), one call at a time, once for each key. It may add and
 * remove. */
mproc_err os_watcher_create(os_watcher **watcher, void (*ended)(void *context, uint64_t key),
                            void *context);
/* The watcher keeps its own handle: `process` need not live on. Foreign ones, too. */
mproc_err os_watcher_add(os_watcher *watcher, os_process *process, uint64_t key);
/* Calls `ended(context, 0)` once, at about that time: a second alarm before then only makes it
 * earlier. */
void os_watcher_alarm(os_watcher *watcher, int64_t deadline);
/* No idle wake-ups: a watcher with nothing to report costs nothing. Stops its thread and frees it;
 * not from `ended`. */
void os_watcher_free(os_watcher *watcher);
/* In a forked child, where its thread is not: closes its handles. Its memory stays, for freeing
 * would copy pages. */
void os_watcher_after_fork(os_watcher *watcher);

/* ---- byte channels between processes (channel.c) ---- */

/* Two connected ends; each may be held by several processes. Not `duplex`: bytes go from the second
 * to the first only. */
mproc_err os_channel_pair(os_handle ends[2], bool duplex);

/* What a process needs to use an end; `handle` stays the caller's. Not a pair's: a stream socket, a
 * pipe; Windows: a pipe made for overlapped I/O, else MPROC_EINVAL. Flags that all its holders
 * share are left as they are. One thread may read and another write at the same time. */
typedef struct os_channel {
    os_handle handle;
    void *side; /* the backend's own */
} os_channel;
mproc_err os_channel_open(os_channel *channel, os_handle handle);
void os_channel_close(os_channel *channel); /* while nobody uses it; the handle stays open */

/* Waits until something is there, and takes at most `size` bytes (not 0) of it. `passed`, if not
 * NULL, receives a handle that came attached to the first of them, or OS_NO_HANDLE; others that
 * come are closed. MPROC_EEOF: the other side is gone and all is read. */
mproc_err os_channel_read(os_channel *channel, void *bytes, size_t size, size_t *got,
                          os_handle *passed, int64_t deadline);

typedef struct os_part {
    const void *bytes;
    size_t size;
} os_part;
/* Writes both parts, with one call if they fit. `attached` travels with the first byte of the
 * second, where handles can; else it is OS_NO_HANDLE. *done receives how many bytes were taken, on failure, too:
 * those are sent, none of them may be written again. Windows: the last of them may still be under
 * way when the deadline comes (so that all are taken, and it is MPROC_ETIMEDOUT): the next write,
 * also one of nothing, waits for them first; a thread that ends too early takes them with it, and
 * that is MPROC_EBROKEN then. MPROC_EEOF: nobody can read it any more; no signal is raised. */
mproc_err os_channel_write(os_channel *channel, const os_part parts[2], os_handle attached,
                           size_t *done, int64_t deadline);

/* What an end can be sent by, besides being attached: a word in the message. */
extern const bool os_can_attach;
/* Where it cannot be attached: a copy that waits in this process. MPROC_OK, and 0, where it can. */
mproc_err os_handle_offer(os_handle handle, uint64_t *word);
/* The offer was not sent. */
void os_handle_withdraw(uint64_t word);
/* What that process has offered becomes this one's; where handles are attached, `attached` does,
 * taken over in every case. MPROC_EBROKEN: it is not to be had any more. After MPROC_EAGAIN and
 * MPROC_ENOMEM, which only others give, it still is. */
mproc_err os_handle_accept(int64_t pid, uint64_t born, uint64_t word, os_handle attached,
                           os_handle *handle);

/* Anything that becomes readable / signalled; of a channel: bytes are there, or it is at its end. */
typedef struct os_wait_item {
    os_handle handle;
    bool is_channel;
    bool ready; /* receives */
} os_wait_item;
/* Waits until one is ready, and tells of all that are. MPROC_ETIMEDOUT: none. Takes nothing from
 * any of them. Any number, also 0. */
mproc_err os_wait_ready(os_wait_item *items, size_t count, int64_t deadline);

/* ---- the terminal behind the standard error (terminal.c) ---- */

typedef struct os_terminal {
    int columns; /* in sight; 0: it does not say */
    /* Whether it obeys escape sequences. POSIX: true, unless TERM says other, which is for the
     * caller to read; Windows: what the console's mode says now. */
    bool escapes;
} os_terminal;
/* False: there is no terminal; nothing is written. */
bool os_terminal_look(os_terminal *terminal);

#define OS_TERMINAL_MOST 8192 /* bytes */
/* Writes UTF-8, with one call when the terminal takes it at once. Not while there is no
 * terminal. */
mproc_err os_terminal_write(const char *text, size_t size);

/* ---- the forkserver's two sides (forkserver.c); Windows: MPROC_ENOSYS ---- */

mproc_err os_forkserver_channel(os_handle ends[2]); /* 0: the parent's, 1: the server's */
/* Asks the server for a child that knows `word` and has copies of these handles, any number.
 * MPROC_EBROKEN: there is no server at the other end. The child is this process's own where the
 * system can do that (Linux with glibc: CLONE_PARENT), else `foreign`. */
mproc_err os_forkserver_request(os_handle server, uint64_t word, const os_handle *handles,
                                size_t handle_count, os_process *child);

typedef struct os_order {
    uint64_t word;
    os_handle *handles; /* from malloc, or NULL; the server keeps none of them */
    size_t handle_count;
} os_order;
/* The server: ends (with _exit) when the channel closes. Returns in each child, with what was asked
 * for it, the channel closed. Where children are not the parent's own, `ended` is called with each
 * one's status before it is reaped. */
os_order os_forkserver_serve(os_handle channel,
                             void (*ended)(uint64_t word, mproc_exit_status status));

#endif
