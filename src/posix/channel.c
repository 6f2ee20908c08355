#include "posix.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the socket has SO_NOSIGPIPE */
#endif
#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0
#endif

#if !defined(PIPE_BUF)
#define PIPE_BUF _POSIX_PIPE_BUF
#endif

/* ---- ends ---- */

/* A socket raises no signal for a missing reader. */
static void stay_quiet(int fd)
{
#if defined(SO_NOSIGPIPE)
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#else
    (void)fd;
#endif
}

/* Sockets for one direction, too: only they can be used without waiting and without signals,
 * whatever the flags that all holders share. */
mproc_err os_channel_pair(os_handle ends[2], bool duplex)
{
    int made[2];
    int type = SOCK_STREAM;
#if defined(SOCK_CLOEXEC)
    type |= SOCK_CLOEXEC;
#endif
    if (socketpair(AF_UNIX, type, 0, made))
        return posix_error(errno);
    for (int i = 0; i < 2; i++)
        stay_quiet(made[i]);
    mproc_err err = posix_raise_both(made);
    if (err)
        return err;
    if (!duplex) {
        shutdown(made[0], SHUT_WR);
        shutdown(made[1], SHUT_RD);
    }
    ends[0] = made[0];
    ends[1] = made[1];
    return MPROC_OK;
}

/* `side` tells sockets from what is none. */
static char socket_mark;

mproc_err os_channel_open(os_channel *channel, os_handle handle)
{
    int type;
    socklen_t size = sizeof type;
    bool is_socket = !getsockopt((int)handle, SOL_SOCKET, SO_TYPE, &type, &size);
    if (!is_socket && errno != ENOTSOCK)
        return posix_error(errno);
    if (is_socket)
        stay_quiet((int)handle);
    *channel = (os_channel){.handle = handle, .side = is_socket ? &socket_mark : NULL};
    return MPROC_OK;
}

void os_channel_close(os_channel *channel)
{
    *channel = (os_channel){.handle = OS_NO_HANDLE};
}

static bool is_socket(const os_channel *channel)
{
    return channel->side != NULL;
}

/* The system's own waiting is one call less, but knows neither deadlines nor, with SA_RESTART,
 * interruptions. */
static bool may_block(int64_t deadline)
{
    return deadline == OS_FOREVER && !posix_is_interruptible();
}

/* What to do about errno: MPROC_OK is to try again, after a wait if need be. */
static mproc_err after_failure(int fd, short events, int64_t deadline)
{
    if (errno == EINTR)
        return posix_is_interruptible() ? MPROC_EINTR : MPROC_OK;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return posix_wait_for(fd, events, deadline);
    return posix_error(errno);
}

/* ---- reading ---- */

typedef union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
} control;

/* There is room for one header only, but its padding may have let in a second handle. */
static os_handle take_handle(struct msghdr *message)
{
    os_handle taken = OS_NO_HANDLE;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return taken;
    for (size_t at = CMSG_LEN(0); at + sizeof(int) <= header->cmsg_len; at += sizeof(int)) {
        int fd;
        memcpy(&fd, (char *)header + at, sizeof fd);
        if (taken == OS_NO_HANDLE)
            taken = posix_raise(fd);
        else
            close(fd);
    }
    return taken;
}

static ssize_t receive(int fd, void *bytes, size_t size, os_handle *passed, int flags)
{
    if (!passed)
        return recv(fd, bytes, size, flags);
    control space;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &space, .msg_controllen = sizeof space};
    ssize_t got = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
    if (got >= 0)
        *passed = take_handle(&message);
    return got;
}

/* A handle for which there is no descriptor is lost with its byte: better to leave both. */
static mproc_err check_descriptors(int fd)
{
    int spare = posix_copy(fd);
    if (spare < 0)
        return posix_error(errno);
    close(spare);
    return MPROC_OK;
}

mproc_err os_channel_read(os_channel *channel, void *bytes, size_t size, size_t *got,
                          os_handle *passed, int64_t deadline)
{
    int fd = (int)channel->handle;
    os_handle handle = OS_NO_HANDLE;
    mproc_err err = passed ? check_descriptors(fd) : MPROC_OK;
    if (!err && !is_socket(channel) && !may_block(deadline))
        err = posix_wait_for(fd, POLLIN, deadline);
    while (!err) {
        int flags = may_block(deadline) ? 0 : MSG_DONTWAIT;
        ssize_t count = is_socket(channel)
                            ? receive(fd, bytes, size, passed ? &handle : NULL, flags)
                            : read(fd, bytes, size);
        if (count > 0) {
            if (passed)
                *passed = handle;
            *got = (size_t)count;
            return MPROC_OK;
        }
        if (count == 0) {
            os_handle_close(handle);
            return MPROC_EEOF;
        }
        err = after_failure(fd, POLLIN, deadline);
    }
    return err;
}

/* ---- writing ---- */

enum { SMALL = 1024 };

/* One piece costs the system less than two, and to copy a few bytes costs nothing. */
static ssize_t send_few(int fd, const struct iovec parts[2], int flags)
{
    char bytes[SMALL];
    memcpy(bytes, parts[0].iov_base, parts[0].iov_len);
    memcpy(bytes + parts[0].iov_len, parts[1].iov_base, parts[1].iov_len);
    return send(fd, bytes, parts[0].iov_len + parts[1].iov_len, flags);
}

static ssize_t send_parts(int fd, struct iovec *parts, int count, os_handle attached,
                          int64_t deadline)
{
    int flags = may_block(deadline) ? MSG_NOSIGNAL : MSG_NOSIGNAL | MSG_DONTWAIT;
    if (count == 2 && parts[0].iov_len <= SMALL && parts[1].iov_len <= SMALL - parts[0].iov_len)
        return send_few(fd, parts, flags);
    control space;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (unsigned char)count};
    if (attached != OS_NO_HANDLE) {
        int passed = (int)attached;
        memset(&space, 0, sizeof space);
        message.msg_control = &space;
        message.msg_controllen = CMSG_SPACE(sizeof passed);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof passed);
        memcpy(CMSG_DATA(header), &passed, sizeof passed);
    }
    return sendmsg(fd, &message, flags);
}

/* As writev, but a missing reader raises no signal. */
static ssize_t write_quietly(int fd, const struct iovec *parts, int count)
{
    sigset_t pipe_signal, before, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t written = writev(fd, parts, count);
    int number = errno;
    if (written < 0 && number == EPIPE && !was_pending) {
        int taken;
        sigpending(&pending);
        if (sigismember(&pending, SIGPIPE) == 1)
            sigwait(&pipe_signal, &taken);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return written;
}

/* A pipe that is writable takes so much without waiting; EAGAIN while it is not. */
static ssize_t write_pipe(int fd, struct iovec *parts, int count, int64_t deadline)
{
    struct pollfd watched = {.fd = fd, .events = POLLOUT};
    if (may_block(deadline))
        return write_quietly(fd, parts, count);
    if (poll(&watched, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    struct iovec little = {.iov_base = parts->iov_base,
                           .iov_len = parts->iov_len < PIPE_BUF ? parts->iov_len : PIPE_BUF};
    return write_quietly(fd, &little, 1);
}

static void advance(struct iovec parts[2], size_t by)
{
    for (int i = 0; i < 2; i++) {
        size_t step = by < parts[i].iov_len ? by : parts[i].iov_len;
        parts[i].iov_base = (char *)parts[i].iov_base + step;
        parts[i].iov_len -= step;
        by -= step;
    }
}

mproc_err os_channel_write(os_channel *channel, const os_part parts[2], os_handle attached,
                           size_t *done, int64_t deadline)
{
    int fd = (int)channel->handle;
    struct iovec left[2] = {
        {.iov_base = (void *)(uintptr_t)parts[0].bytes, .iov_len = parts[0].size},
        {.iov_base = (void *)(uintptr_t)parts[1].bytes, .iov_len = parts[1].size}};
    mproc_err err = MPROC_OK;
    *done = 0;
    if (!is_socket(channel) && attached != OS_NO_HANDLE)
        return posix_error(ENOTSOCK);
    while (!err && left[0].iov_len + left[1].iov_len > 0) {
        struct iovec *first = left[0].iov_len ? left : left + 1;
        bool apart = attached != OS_NO_HANDLE;
        int count = left[0].iov_len && left[1].iov_len && !apart ? 2 : 1;
        os_handle with_these = left[0].iov_len ? OS_NO_HANDLE : attached;
        ssize_t written = is_socket(channel) ? send_parts(fd, first, count, with_these, deadline)
                                             : write_pipe(fd, first, count, deadline);
        if (written < 0) {
            err = after_failure(fd, POLLOUT, deadline);
            continue;
        }
        advance(left, (size_t)written);
        *done += (size_t)written;
        if (with_these != OS_NO_HANDLE)
            attached = OS_NO_HANDLE;
    }
    return err;
}

/* ---- handing over ---- */

const bool os_can_attach = true;

mproc_err os_handle_offer(os_handle handle, uint64_t *word)
{
    (void)handle;
    *word = 0;
    return MPROC_OK;
}

void os_handle_withdraw(uint64_t word)
{
    (void)word;
}

mproc_err os_handle_accept(int64_t pid, uint64_t born, uint64_t word, os_handle attached,
                           os_handle *handle)
{
    (void)pid;
    (void)born;
    (void)word;
    if (attached == OS_NO_HANDLE) {
        error_remember(EBADF);
        return MPROC_EBROKEN;
    }
    *handle = attached;
    return MPROC_OK;
}

/* ---- waiting for any of many ---- */

mproc_err os_wait_ready(os_wait_item *items, size_t count, int64_t deadline)
{
    enum { FEW = 32 };
    struct pollfd few[FEW];
    struct pollfd *watched = count <= FEW ? few : calloc(count, sizeof *watched);
    if (!watched)
        return posix_error(ENOMEM);
    for (size_t i = 0; i < count; i++)
        watched[i] = (struct pollfd){.fd = (int)items[i].handle, .events = POLLIN};
    mproc_err err = posix_poll(watched, count, deadline);
    for (size_t i = 0; !err && i < count; i++) {
        if (watched[i].revents & POLLNVAL)
            err = posix_error(EBADF);
    }
    for (size_t i = 0; !err && i < count; i++)
        items[i].ready = watched[i].revents != 0;
    if (watched != few)
        free(watched);
    return err;
}
