#include "posix.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#if defined(__linux__)
#include <stdio_ext.h>
#endif
#include <sys/resource.h>
#if POSIX_LINUX
#include <sys/syscall.h>
#endif
#include <unistd.h>

/* A table of our own beside pthread_atfork, for the forkserver's children by clone pass that by. */
enum { MAX_HANDLERS = 8 };
static void (*handlers[MAX_HANDLERS])(void);
static size_t handler_count;

/* Needs memory; without it the next one tries again. Twice at once would do no harm: the handlers
 * may run twice. */
bool posix_has_fork_handlers(void)
{
    static atomic_bool registered;
    if (!atomic_load(&registered) && !pthread_atfork(NULL, NULL, posix_run_fork_handlers))
        atomic_store(&registered, true);
    return atomic_load(&registered);
}

void os_on_fork(void (*in_raw_child)(void))
{
    assert(handler_count < MAX_HANDLERS);
    if (handler_count < MAX_HANDLERS)
        handlers[handler_count++] = in_raw_child;
    posix_has_fork_handlers();
}

/* The null device, opened by the parent once, so that each child needs no more than a dup2. */
static int null_fd = -1;
/* The parent's stdin has a buffer: looked at where the page is present. */
static bool has_read_ahead;

static void prepare_stdin(void)
{
    if (null_fd < 0)
        null_fd = posix_raise(open("/dev/null", O_RDONLY | O_CLOEXEC));
#if defined(__linux__)
    has_read_ahead = __fbufsize(stdin) != 0;
#else
    has_read_ahead = true;
#endif
}

/* Not by the C library's function where that can be avoided: its page would be one more to fault
 * in, a thirtieth of what a start and join cost. */
static void become_stdin(int fd)
{
#if POSIX_LINUX && defined(__x86_64__)
    long result = SYS_dup2;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"((long)fd), "S"((long)STDIN_FILENO)
                     : "rcx", "r11", "memory");
#else
    dup2(fd, STDIN_FILENO);
#endif
}

void os_stdin_null(void)
{
    if (null_fd >= 0) {
        become_stdin(null_fd);
    } else {
        /* A new child has one thread: the lowest descriptor is this one again. */
        close(STDIN_FILENO);
        int fd = open("/dev/null", O_RDONLY);
        (void)fd;
    }
    if (!has_read_ahead)
        return;
#if defined(__linux__)
    __fpurge(stdin);
#else
    fpurge(stdin);
#endif
}

#if POSIX_LINUX

void posix_run_fork_handlers(void)
{
    for (size_t i = 0; i < handler_count; i++)
        handlers[i]();
}

mproc_err os_fork(os_process *child, bool *in_child)
{
    /* Asked before: the answer's page need not be faulted in by each child. */
    bool own_thread = posix_is_own_thread();
    if (!posix_has_fork_handlers())
        return posix_error(ENOMEM);
    prepare_stdin();
    pid_t pid = fork();
    if (pid < 0)
        return posix_error(errno);
    if (pid == 0 && own_thread)
        posix_leave_own_thread();
    *in_child = pid == 0;
    if (pid > 0)
        *child = (os_process){
            .pid = pid, .born = os_birth_time(), .handle = OS_NO_HANDLE, .extra = OS_NO_HANDLE};
    return MPROC_OK;
}

#else

static int held_sentinel = -1;

void posix_run_fork_handlers(void)
{
    if (held_sentinel >= 0)
        close(held_sentinel);
    held_sentinel = -1;
    for (size_t i = 0; i < handler_count; i++)
        handlers[i]();
}

void posix_hold_sentinel(int fd)
{
    held_sentinel = fd;
    posix_has_fork_handlers();
}

void posix_sentinel_pipe(int ends[2])
{
    struct rlimit limit;
    ends[0] = ends[1] = -1;
    if (posix_pipe(ends))
        return;
    /* The program itself needs descriptors more than its children need sentinels. */
    if (!getrlimit(RLIMIT_NOFILE, &limit) && (rlim_t)ends[1] >= limit.rlim_cur / 4 * 3) {
        close(ends[0]);
        close(ends[1]);
        ends[0] = ends[1] = -1;
    }
}

mproc_err os_fork(os_process *child, bool *in_child)
{
    int sentinel[2];
    bool own_thread = posix_is_own_thread();
    if (!posix_has_fork_handlers())
        return posix_error(ENOMEM);
    posix_sentinel_pipe(sentinel);
    prepare_stdin();
    pid_t pid = fork();
    mproc_err err = pid < 0 ? posix_error(errno) : MPROC_OK;
    if (pid == 0) {
        os_handle_close(sentinel[0]);
        if (sentinel[1] >= 0)
            posix_hold_sentinel(sentinel[1]);
        if (own_thread)
            posix_leave_own_thread();
    } else {
        os_handle_close(sentinel[1]);
    }
    if (pid < 0) {
        os_handle_close(sentinel[0]);
        return err;
    }
    *in_child = pid == 0;
    if (pid > 0)
        *child = (os_process){
            .pid = pid, .born = os_birth_time(), .handle = sentinel[0], .extra = OS_NO_HANDLE};
    return MPROC_OK;
}

#endif
