/* What the files of this backend share. POSIX_LINUX: the calls that only Linux has may be used. */
#ifndef MPROC_POSIX_H
#define MPROC_POSIX_H

#include "os.h"

#include <sys/types.h>

#include "error.h"

#if defined(__linux__) && !defined(MPROC_PORTABLE)
#define POSIX_LINUX 1
#else
#define POSIX_LINUX 0
#endif

/* ---- error.c ---- */

/* Remembers the number and gives the library's code for it. */
mproc_err posix_error(int number);

/* ---- descriptor.c ---- */

#define POSIX_FIRST_FD 10 /* below lie the standard ones and those that a spawned child is given */

/* Moves a fresh descriptor up and makes it close-on-exec. Takes it over: -1 (with errno) means that
 * it is closed. -1 stays -1. */
int posix_raise(int fd);
mproc_err posix_raise_both(int made[2]); /* likewise; on an error both are closed */
/* A second one for the same, as high and as close-on-exec; -1 with errno. */
int posix_copy(int fd);
mproc_err posix_pipe(int ends[2]); /* both raised; 0 is the read end */
/* As poll. MPROC_OK: one of them at least; MPROC_ETIMEDOUT; MPROC_EINTR. */
struct pollfd;
mproc_err posix_poll(struct pollfd *watched, size_t count, int64_t deadline);
mproc_err posix_wait_for(int fd, short events, int64_t deadline);
/* MPROC_OK: readable or hung up; MPROC_ETIMEDOUT; MPROC_EINTR. */
mproc_err posix_wait_readable(int fd, int64_t deadline);
int posix_poll_timeout(int64_t deadline); /* for poll: milliseconds, rounded up */

/* ---- clock.c ---- */

bool posix_is_interruptible(void);
/* Sleeps for so long, but not beyond the deadline. MPROC_OK or MPROC_EINTR. */
mproc_err posix_nap(int64_t nanoseconds, int64_t deadline);

/* ---- thread.c ---- */

/* Whether os_thread_start made this thread, and all its signals are blocked. Then a child
 * that it forks calls the other one: it gets the mask of the thread that made this one. */
bool posix_is_own_thread(void);
void posix_leave_own_thread(void);
bool posix_holds_interrupt(void); /* this thread, see os_hold_interrupt */

/* ---- process.c ---- */

/* A descriptor of the caller's own that becomes readable when the process has ended; -1: errno, and
 * ESRCH says that it has ended. In the portable flavour becoming readable is only a hint. */
int posix_process_open(const os_process *process);
int posix_ended_fd(void); /* one that is readable from the start; -1 with errno */
bool posix_has_ended(const os_process *process);
/* What waitid said of a child that has ended. */
mproc_exit_status posix_status(int code, int status);

/* ---- fork.c ---- */

void posix_run_fork_handlers(void);
/* Whether a fork would run them. False: no memory, as yet; such a child would take itself for its
 * parent. */
bool posix_has_fork_handlers(void);
#if !POSIX_LINUX
/* The write end of this process's sentinel, open until it ends. Its forks let go of it. */
void posix_hold_sentinel(int fd);
/* A sentinel's pipe; both ends -1 when descriptors have become scarce. */
void posix_sentinel_pipe(int ends[2]);
#endif

/* ---- entry.c ---- */

#define POSIX_ENTRY_PREFIX "--mproc-child="
#define POSIX_ENTRY_VARIABLE "MPROC_CHILD"
#define POSIX_ENTRY_SENTINEL '+' /* after the number of handles: the sentinel follows them */
#define POSIX_ENTRY_DIGITS 6     /* of that number, at most */
#define POSIX_ENTRY_HANDLES 999999

bool posix_is_set_id(void); /* whoever started this program had fewer rights than it has */
char *posix_argv0(void);    /* as os_entry_claim saw it; NULL before */
#if !POSIX_LINUX
const char *posix_own_path(void); /* resolved by os_entry_claim; NULL when that was not possible */
#endif

#endif
