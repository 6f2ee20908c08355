#include "posix.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <stdio_ext.h>
#endif
#if POSIX_LINUX
#include <sys/syscall.h>
#endif

static const int64_t millisecond = 1000000;

int64_t os_getpid(void)
{
    return getpid();
}

/* The sentinel is made when it is first asked for, by any thread. */
static int handle_of(const os_process *process)
{
    return (int)__atomic_load_n(&process->handle, __ATOMIC_ACQUIRE);
}

/* waitid; the flags say whether it blocks and reaps. 0: `info` is filled, its si_pid is 0 while the
 * process runs; else errno: ECHILD when somebody else has reaped it. */
static int look(const os_process *process, int flags, siginfo_t *info)
{
    idtype_t type = P_PID;
    id_t id = (id_t)process->pid;
#if POSIX_LINUX
    const idtype_t by_descriptor = (idtype_t)3; /* P_PIDFD, which old headers lack */
    int fd = handle_of(process);
    if (fd >= 0) {
        type = by_descriptor;
        id = (id_t)fd;
    }
#endif
    for (;;) {
        memset(info, 0, sizeof *info);
        if (!waitid(type, id, info, WEXITED | flags))
            return 0;
        if (type != P_PID && (errno == EBADF || errno == EINVAL)) {
            /* The sentinel of one that had ended is no pidfd; Linux 5.3 does not know the type. */
            type = P_PID;
            id = (id_t)process->pid;
        } else if (errno != EINTR || (!(flags & WNOHANG) && posix_is_interruptible())) {
            return errno;
        }
    }
}

#if POSIX_LINUX

typedef struct facts {
    char state;
    int64_t parent;
    int64_t threads;
    uint64_t start; /* nanoseconds of os_birth_time, rounded down to a clock tick */
} facts;

/* false: there is no such process. */
static bool read_facts(int64_t pid, facts *read_ones)
{
    char name[64], text[1024];
    snprintf(name, sizeof name, "/proc/%lld/stat", (long long)pid);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        /* Gone; or no descriptor or no /proc is there, and nothing else can be known. */
        *read_ones = (facts){.state = 'R', .threads = 1};
        return !kill((pid_t)pid, 0) || errno != ESRCH;
    }
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0)
        return false;
    text[length] = '\0';
    const char *at = strrchr(text, ')'); /* a program's name may contain anything */
    long long parent = 0, threads = 1;
    unsigned long long start = 0;
    if (!at || sscanf(at + 1,
                      " %c %lld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld "
                      "%*s %llu",
                      &read_ones->state, &parent, &threads, &start) != 4)
        return false;
    const uint64_t second = UINT64_C(1000000000);
    read_ones->parent = parent;
    read_ones->threads = threads;
    read_ones->start = (uint64_t)start * (second / (uint64_t)sysconf(_SC_CLK_TCK));
    return true;
}

/* A leader that has ended while other threads go on is a zombie, too. */
static bool is_dead(const facts *of)
{
    return of->state == 'X' || of->state == 'x' || (of->state == 'Z' && of->threads <= 1);
}

/* `born` was taken after the process started, however long after: who started later is another. */
static bool is_another(const facts *of, uint64_t born)
{
    const uint64_t tick = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
    return of->start > born && of->start - born > tick;
}

bool os_process_is_gone(int64_t pid, uint64_t born)
{
    facts found;
    return pid <= 0 || !read_facts(pid, &found) || is_dead(&found) || is_another(&found, born);
}

/* As long as the forkserver has not reaped its child, it has not told how that ended. */
static bool foreign_has_ended(const os_process *process)
{
    facts found;
    return process->pid <= 0 || !read_facts(process->pid, &found) ||
           is_another(&found, process->born) ||
           (is_dead(&found) && (process->extra <= 0 || found.parent != process->extra));
}

#else

bool os_process_is_gone(int64_t pid, uint64_t born)
{
    (void)born;
    siginfo_t info = {0};
    if (pid <= 0 || (!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid))
        return true;
    return kill((pid_t)pid, 0) && errno == ESRCH; /* last, for somebody may just be reaping it */
}

/* Only the forkserver sees its child's end and reaps it. Without a server its sentinel must do. */
static bool foreign_has_ended(const os_process *process)
{
    if (os_process_is_gone(process->pid, process->born))
        return true;
    struct pollfd sentinel = {.fd = handle_of(process), .events = POLLIN};
    return sentinel.fd >= 0 && poll(&sentinel, 1, 0) == 1 &&
           (process->extra <= 0 || os_process_is_gone(process->extra, 0));
}

#endif

bool posix_has_ended(const os_process *process)
{
    siginfo_t info;
    if (process->foreign)
        return foreign_has_ended(process);
    return look(process, WNOHANG | WNOWAIT, &info) || info.si_pid != 0;
}

#if POSIX_LINUX

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

/* Whether the pid is still the process's, were it a zombie. */
static bool holds_pid(const os_process *process)
{
    facts found;
    siginfo_t info;
    if (process->foreign)
        return read_facts(process->pid, &found) && !is_another(&found, process->born);
    return look(process, WNOHANG | WNOWAIT, &info) == 0;
}

int posix_process_open(const os_process *process)
{
    int shared = handle_of(process);
    if (shared >= 0)
        return posix_copy(shared);
    if (process->pid <= 0) {
        errno = ESRCH;
        return -1;
    }
    int fd = posix_raise((int)syscall(SYS_pidfd_open, (pid_t)process->pid, 0U));
    /* A pid that is still its own after the opening was its own before. */
    if (fd >= 0 && !holds_pid(process)) {
        close(fd);
        errno = ESRCH;
        return -1;
    }
    return fd;
}

/* The pid of one that has been reaped may be another child's by now. */
static bool has_successor(const os_process *process)
{
    facts found;
    return read_facts(process->pid, &found) && is_another(&found, process->born);
}

static int send_signal(const os_process *process, int number)
{
    int fd = posix_process_open(process), failed;
    if (fd >= 0) {
        failed =
            has_successor(process) ? 0 : (int)syscall(SYS_pidfd_send_signal, fd, number, NULL, 0U);
        int reason = errno;
        close(fd);
        /* EBADF: the sentinel of one that had ended is no pidfd. */
        return failed && reason != EBADF ? reason : 0;
    }
    if (errno == ESRCH || posix_has_ended(process))
        return 0;
    return kill((pid_t)process->pid, number) ? errno : 0;
}

#else

int posix_process_open(const os_process *process)
{
    int shared = handle_of(process);
    if (shared >= 0)
        return posix_copy(shared);
    errno = posix_has_ended(process) ? ESRCH : EMFILE;
    return -1;
}

/* A sentinel comes with the process here, or never. */
static bool has_successor(const os_process *process)
{
    (void)process;
    return false;
}

static int send_signal(const os_process *process, int number)
{
    if (posix_has_ended(process))
        return 0;
    return kill((pid_t)process->pid, number) ? errno : 0;
}

#endif

int posix_ended_fd(void)
{
    int ends[2];
    if (posix_pipe(ends)) {
        errno = mproc_os_error();
        return -1;
    }
    close(ends[1]);
    return ends[0];
}

static int make_sentinel(const os_process *process)
{
    int fd = posix_process_open(process);
    if (fd < 0 && errno == ESRCH)
        return posix_ended_fd();
    if (fd < 0 || !has_successor(process))
        return fd;
    close(fd);
    return posix_ended_fd();
}

mproc_err os_process_sentinel(os_process *process, os_handle *sentinel)
{
    int fd = handle_of(process);
    if (fd < 0) {
        fd = make_sentinel(process);
        if (fd < 0)
            return posix_error(errno);
        os_handle none = OS_NO_HANDLE;
        if (!__atomic_compare_exchange_n(&process->handle, &none, fd, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE)) {
            close(fd);
            fd = (int)none;
        }
    }
    *sentinel = fd;
    return MPROC_OK;
}

/* For what cannot be waited for: no descriptor left, or a sign of the end that precedes it. */
static mproc_err wait_by_beat(const os_process *process, int64_t deadline)
{
    for (int64_t nap = millisecond / 8;;
         nap = nap < 10 * millisecond ? nap * 2 : 20 * millisecond) {
        if (posix_has_ended(process))
            return MPROC_OK;
        if (deadline != OS_FOREVER && os_now() >= deadline)
            return MPROC_ETIMEDOUT;
        mproc_err err = posix_nap(nap, deadline);
        if (err)
            return err;
    }
}

mproc_err os_process_wait(os_process *process, int64_t deadline)
{
    siginfo_t info;
    /* A handler with SA_RESTART would not end waitid. */
    if (!process->foreign && deadline == OS_FOREVER && !posix_is_interruptible())
        return look(process, WNOWAIT, &info) == EINTR ? MPROC_EINTR : MPROC_OK;
    if (posix_has_ended(process))
        return MPROC_OK;
    if (deadline == 0)
        return MPROC_ETIMEDOUT;
    int fd = posix_process_open(process);
    if (fd >= 0) {
        mproc_err err = posix_wait_readable(fd, deadline);
        close(fd);
        if (err == MPROC_EINTR || err == MPROC_ETIMEDOUT)
            return err;
    }
    return wait_by_beat(process, deadline);
}

mproc_exit_status posix_status(int code, int status)
{
    return (mproc_exit_status){.kind = code == CLD_EXITED ? MPROC_EXIT_EXITED : MPROC_EXIT_SIGNALED,
                               .code = code == CLD_EXITED ? status & 0xff : status};
}

static void take_status(os_process *process, int options, mproc_exit_status *status)
{
    siginfo_t info;
    *status = (mproc_exit_status){.kind = MPROC_EXIT_RUNNING};
    if (process->foreign) {
        if (foreign_has_ended(process))
            status->kind = MPROC_EXIT_LOST;
    } else if (look(process, options, &info)) {
        status->kind = MPROC_EXIT_LOST;
    } else if (info.si_pid != 0) {
        *status = posix_status(info.si_code, info.si_status);
    }
}

void os_process_status(os_process *process, mproc_exit_status *status)
{
    take_status(process, WNOHANG | WNOWAIT, status);
}

void os_process_collect(os_process *process, mproc_exit_status *status)
{
    take_status(process, WNOHANG, status);
}

void os_process_reap(os_process *process)
{
    siginfo_t info;
    if (!process->foreign)
        look(process, WNOHANG, &info);
}

mproc_err os_process_signal(os_process *process, bool hard)
{
    /* 0 and negative numbers are whole groups of processes. */
    if (process->pid <= 0)
        return posix_error(EINVAL);
    int failure = send_signal(process, hard ? SIGKILL : SIGTERM);
    return failure && failure != ESRCH ? posix_error(failure) : MPROC_OK;
}

void os_process_close(os_process *process)
{
    os_handle_close(process->handle);
    process->handle = OS_NO_HANDLE;
}

void os_flush_output(void)
{
#if defined(__linux__)
    if (__fpending(stdout))
        fflush(stdout);
    if (__fpending(stderr))
        fflush(stderr);
#else
    fflush(stdout);
    fflush(stderr);
#endif
}

#if defined(__GLIBC__)
/* The list of all open streams: exported since glibc 2.2.5, though declared nowhere. */
extern FILE *_IO_list_all __attribute__((weak));

static bool has_buffered(const FILE *stream)
{
    return stream->_mode > 0 || stream->_IO_write_ptr > stream->_IO_write_base;
}

/* fflush(NULL) writes to its locks, and so costs a new child a copied page even when there is
 * nothing to write. */
void os_flush_all(void)
{
    const FILE *stream = &_IO_list_all ? _IO_list_all : stdout;
    while (stream && !has_buffered(stream))
        stream = stream->_chain;
    if (stream || !&_IO_list_all)
        fflush(NULL);
}
#else
void os_flush_all(void)
{
    fflush(NULL);
}
#endif

/* ---- Ctrl-C ---- */

static _Thread_local bool holding, held_before;

static bool change_interrupt(int how)
{
    sigset_t interrupt, before;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_sigmask(how, &interrupt, &before);
    return sigismember(&before, SIGINT) == 1;
}

/* Written only where it changes: after a fork each page that is written to costs a fault. */
void os_hold_interrupt(bool on)
{
    if (on)
        held_before = change_interrupt(SIG_BLOCK);
    else if (holding && !held_before)
        change_interrupt(SIG_UNBLOCK);
    if (holding != on)
        holding = on;
}

bool posix_holds_interrupt(void)
{
    return holding;
}

void os_heed_interrupt(void)
{
    holding = false;
    change_interrupt(SIG_UNBLOCK);
}

/* One that was held back is gone with it. */
void os_ignore_interrupt(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGINT, &ignore, NULL);
    os_heed_interrupt();
}
