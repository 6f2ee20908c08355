#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

mproc_err os_lifeline_create(os_lifeline *line)
{
    int ends[2];
    mproc_err err = posix_pipe(ends);
    if (!err)
        *line = (os_lifeline){.watch = ends[0], .hold = ends[1]};
    return err;
}

void os_lifeline_close(os_lifeline *line)
{
    os_handle_close(line->watch);
    os_handle_close(line->hold);
    *line = (os_lifeline){.watch = OS_NO_HANDLE, .hold = OS_NO_HANDLE};
}

mproc_err os_lifeline_wait(os_handle watch, int64_t deadline)
{
    return posix_wait_readable((int)watch, deadline);
}

static void end_here(void)
{
    kill(getpid(), SIGKILL);
    _exit(128 + SIGKILL);
}

static void watch_line(void *argument)
{
    int fd = (int)(intptr_t)argument;
    /* An error, too, means that nobody will ever tell: ending is the safe side. */
    struct pollfd line = {.fd = fd, .events = POLLIN};
    while (poll(&line, 1, -1) < 0 && (errno == EINTR || errno == EAGAIN)) {
    }
    end_here();
}

static mproc_err arm_thread(int fd)
{
    os_handle thread;
    int own = posix_copy(fd);
    if (own < 0)
        return posix_error(errno);
    mproc_err err = os_thread_start(&thread, watch_line, (void *)(intptr_t)own);
    if (err)
        close(own);
    else
        pthread_detach((pthread_t)thread);
    return err;
}

#if POSIX_LINUX

/* Owner and signal belong to the open file, which all heirs of the pipe share: hence a new one. */
static int open_again(int fd)
{
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return posix_raise(open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

static bool arm_signal(int fd)
{
    int own = open_again(fd);
    if (own < 0)
        return false;
    if (fcntl(own, F_SETOWN, getpid()) || fcntl(own, F_SETSIG, SIGKILL) ||
        fcntl(own, F_SETFL, O_ASYNC | O_NONBLOCK)) {
        close(own);
        return false;
    }
    if (posix_wait_readable(own, 0) == MPROC_OK)
        end_here();
    return true; /* `own` stays open as long as the process lives */
}

#else

static bool arm_signal(int fd)
{
    (void)fd;
    return false;
}

#endif

mproc_err os_lifeline_arm(os_handle watch)
{
    if (fcntl((int)watch, F_GETFD) < 0)
        return posix_error(errno);
    return arm_signal((int)watch) ? MPROC_OK : arm_thread((int)watch);
}

#if POSIX_LINUX

const bool os_can_find_lifeline = true;

/* The parent's pid is its own as long as this process is its child. */
mproc_err os_lifeline_find(int64_t parent, os_handle *watch)
{
    const os_process process = {
        .pid = parent, .born = os_birth_time(), .handle = OS_NO_HANDLE, .foreign = true};
    int fd = getppid() == parent ? posix_process_open(&process) : -1;
    if (getppid() != parent) {
        os_handle_close(fd);
        fd = posix_ended_fd();
    }
    if (fd < 0)
        return posix_error(errno);
    *watch = fd;
    return MPROC_OK;
}

#else

const bool os_can_find_lifeline = false;

mproc_err os_lifeline_find(int64_t parent, os_handle *watch)
{
    (void)parent;
    (void)watch;
    return posix_error(ENOSYS);
}

#endif
