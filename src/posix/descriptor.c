#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

void os_handle_close(os_handle handle)
{
    if (handle >= 0)
        close((int)handle);
}

int posix_copy(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, POSIX_FIRST_FD);
    if (copy < 0 && errno == EINVAL) /* a limit so low that there are none so high */
        errno = EMFILE;
    return copy;
}

mproc_err os_handle_copy(os_handle handle, os_handle *copy)
{
    int fd = posix_copy((int)handle);
    if (fd < 0)
        return posix_error(errno);
    *copy = fd;
    return MPROC_OK;
}

int posix_raise(int fd)
{
    if (fd < 0)
        return -1;
    if (fd >= POSIX_FIRST_FD) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        return fd;
    }
    int raised = posix_copy(fd);
    int number = errno;
    close(fd);
    errno = number;
    return raised;
}

mproc_err posix_raise_both(int made[2])
{
    for (int i = 0; i < 2; i++) {
        made[i] = posix_raise(made[i]);
        if (made[i] < 0) {
            mproc_err err = posix_error(errno);
            close(made[1 - i]);
            return err;
        }
    }
    return MPROC_OK;
}

mproc_err posix_pipe(int ends[2])
{
    int made[2];
#if POSIX_LINUX
    int failed = pipe2(made, O_CLOEXEC);
#else
    int failed = pipe(made);
#endif
    if (failed)
        return posix_error(errno);
    mproc_err err = posix_raise_both(made);
    if (err)
        return err;
    ends[0] = made[0];
    ends[1] = made[1];
    return MPROC_OK;
}

int posix_poll_timeout(int64_t deadline)
{
    const int64_t millisecond = 1000000;
    if (deadline == OS_FOREVER)
        return -1;
    int64_t now = deadline ? os_now() : 0;
    if (deadline <= now)
        return 0;
    int64_t wait = (deadline - now - 1) / millisecond + 1;
    return wait < INT_MAX ? (int)wait : INT_MAX;
}

mproc_err posix_poll(struct pollfd *watched, size_t count, int64_t deadline)
{
    for (;;) {
        int timeout = posix_poll_timeout(deadline);
        int found = poll(watched, (nfds_t)count, timeout);
        if (found > 0)
            return MPROC_OK;
        if (found == 0 && (timeout == 0 || os_now() >= deadline))
            return MPROC_ETIMEDOUT;
        if (found < 0 && errno == EINTR && posix_is_interruptible())
            return MPROC_EINTR;
        if (found < 0 && errno != EINTR && errno != EAGAIN)
            return posix_error(errno);
    }
}

mproc_err posix_wait_for(int fd, short events, int64_t deadline)
{
    struct pollfd watched = {.fd = fd, .events = events};
    mproc_err err = posix_poll(&watched, 1, deadline);
    return !err && watched.revents & POLLNVAL ? posix_error(EBADF) : err;
}

mproc_err posix_wait_readable(int fd, int64_t deadline)
{
    return posix_wait_for(fd, POLLIN, deadline);
}
