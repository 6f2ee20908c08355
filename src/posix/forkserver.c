#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

/* The raw call's arguments have this order on most machines; the sanitizer has to see its forks. */
#if POSIX_LINUX && defined(__GLIBC__) && !defined(__s390__) && !defined(__SANITIZE_THREAD__)
#define HAS_CLONE_PARENT 1
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#else
#define HAS_CLONE_PARENT 0
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the socket has SO_NOSIGPIPE */
#endif

typedef struct request {
    uint64_t word;
    uint64_t count; /* of the handles that follow */
} request;

typedef struct reply {
    int64_t pid; /* with `failure`: none */
    int64_t server;
    int32_t failure;
    int32_t foreign;
} reply;

mproc_err os_forkserver_channel(os_handle ends[2])
{
    int made[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, made))
        return posix_error(errno);
#if defined(SO_NOSIGPIPE)
    const int on = 1;
    for (int i = 0; i < 2; i++)
        setsockopt(made[i], SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    mproc_err err = posix_raise_both(made);
    if (err)
        return err;
    ends[0] = made[0];
    ends[1] = made[1];
    return MPROC_OK;
}

/* ---- whole messages; the first byte may carry descriptors ---- */

enum { MOST_AT_ONCE = 250 }; /* Linux takes 253 */

typedef union fd_message {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MOST_AT_ONCE * sizeof(int))];
} fd_message;

static void attach(struct msghdr *message, fd_message *control, const os_handle *handles,
                   size_t count)
{
    if (!count)
        return;
    memset(control, 0, sizeof *control);
    message->msg_control = control;
    message->msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; i++) {
        int fd = (int)handles[i];
        memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
    }
}

/* At most MOST_AT_ONCE handles. What cannot carry them goes without, for the other side waits for
 * it: *failure then says why, unless something has failed before. False: the other side is gone. */
static bool send_all(int channel, const void *data, size_t size, const os_handle *handles,
                     size_t count, int *failure)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    fd_message control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    attach(&message, &control, handles, count);
    while (part.iov_len > 0) {
        ssize_t sent = sendmsg(channel, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0 && !message.msg_control)
            return false;
        if (sent < 0 && !*failure)
            *failure = errno;
        if (sent > 0) {
            part.iov_base = (char *)part.iov_base + sent;
            part.iov_len -= (size_t)sent;
        }
        message.msg_control = NULL;
        message.msg_controllen = 0;
    }
    return true;
}

typedef struct received {
    os_handle *handles;
    size_t count, capacity;
    int failure; /* some are missing, and why */
} received;

static void keep(received *got, int fd)
{
    if (got->count == got->capacity) {
        size_t wanted = got->capacity ? 2 * got->capacity : 8;
        os_handle *grown = realloc(got->handles, wanted * sizeof *grown);
        if (!grown) {
            close(fd);
            got->failure = ENOMEM;
            return;
        }
        got->handles = grown;
        got->capacity = wanted;
    }
    int raised = posix_raise(fd);
    if (raised < 0)
        got->failure = errno;
    else
        got->handles[got->count++] = raised;
}

/* All that came with one message stand behind one header. */
static void detach(struct msghdr *message, received *got)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        size_t count = ((size_t)header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            keep(got, fd);
        }
    }
    if (message->msg_flags & MSG_CTRUNC)
        got->failure = EMFILE;
}

/* `handles` may be NULL: then none are taken. false: the other side is gone. */
static bool receive_all(int channel, void *data, size_t size, received *handles)
{
    struct iovec part = {.iov_base = data, .iov_len = size};
    while (part.iov_len > 0) {
        fd_message control;
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (handles) {
            message.msg_control = &control;
            message.msg_controllen = sizeof control;
        }
        ssize_t got = recvmsg(channel, &message, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        part.iov_base = (char *)part.iov_base + got;
        part.iov_len -= (size_t)got;
        if (handles)
            detach(&message, handles);
    }
    return true;
}

/* ---- the parent ---- */

/* The request, with the sentinel; then a byte for each batch of handles. */
static bool ask(int channel, const request *wanted, const os_handle *handles, os_handle sentinel,
                int *failure)
{
    int scarce = 0; /* a child without a sentinel is waited for in another way */
    if (!send_all(channel, wanted, sizeof *wanted, &sentinel, sentinel >= 0, &scarce))
        return false;
    for (size_t i = 0; i < wanted->count; i += MOST_AT_ONCE) {
        size_t left = wanted->count - i, batch = left < MOST_AT_ONCE ? left : MOST_AT_ONCE;
        if (!send_all(channel, "", 1, handles + i, batch, failure))
            return false;
    }
    return true;
}

mproc_err os_forkserver_request(os_handle server, uint64_t word, const os_handle *handles,
                                size_t handle_count, os_process *child)
{
    int sentinel[2] = {-1, -1}, failure = 0;
    reply answer;
#if !POSIX_LINUX
    posix_sentinel_pipe(sentinel);
#endif
    const request wanted = {.word = word, .count = handle_count};
    mproc_err err = MPROC_OK;
    if (!ask((int)server, &wanted, handles, sentinel[1], &failure)) {
        error_remember(errno);
        err = MPROC_EBROKEN;
    }
    os_handle_close(sentinel[1]);
    if (!err && !receive_all((int)server, &answer, sizeof answer, NULL)) {
        error_remember(EPIPE);
        err = MPROC_EBROKEN;
    }
    if (!err && answer.failure)
        err = posix_error(failure ? failure : answer.failure);
    if (err) {
        os_handle_close(sentinel[0]);
        return err;
    }
    *child = (os_process){.pid = answer.pid,
                          .born = os_birth_time(),
                          .handle = sentinel[0],
                          .extra = answer.foreign ? (os_handle)answer.server : OS_NO_HANDLE,
                          .foreign = answer.foreign};
    return MPROC_OK;
}

/* ---- the server, a process without threads ---- */

typedef struct born {
    struct born *next;
    pid_t pid;
    uint64_t word;
} born;

static struct {
    int channel;
    int wake[2]; /* SIGCHLD writes to it; -1 as long as no child is the server's own */
    born *children;
    struct sigaction interrupt, child; /* as they were */
    void (*ended)(uint64_t word, mproc_exit_status status);
} server;

static void on_child(int number)
{
    int kept = errno;
    (void)number;
    ssize_t ignored = write(server.wake[1], "", 1); /* full is as good */
    (void)ignored;
    errno = kept;
}

static mproc_err notice_children(void)
{
    if (server.wake[0] >= 0)
        return MPROC_OK;
    mproc_err err = posix_pipe(server.wake);
    if (err)
        return err;
    fcntl(server.wake[0], F_SETFL, O_NONBLOCK);
    fcntl(server.wake[1], F_SETFL, O_NONBLOCK);
    struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_NOCLDSTOP | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGCHLD, &action, &server.child);
    return MPROC_OK;
}

static void report_ended(void)
{
    char bytes[64];
    while (read(server.wake[0], bytes, sizeof bytes) > 0) {
    }
    for (born **link = &server.children; *link;) {
        siginfo_t info = {0};
        born *one = *link;
        if (waitid(P_PID, (id_t)one->pid, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid) {
            link = &one->next;
            continue;
        }
        if (server.ended)
            server.ended(one->word, posix_status(info.si_code, info.si_status));
        waitpid(one->pid, NULL, 0);
        *link = one->next;
        free(one);
    }
}

/* In the child: nothing of the server is left. */
static void leave_server(void)
{
    os_hold_interrupt(true);
    sigaction(SIGINT, &server.interrupt, NULL);
    if (server.wake[0] >= 0)
        sigaction(SIGCHLD, &server.child, NULL);
    os_handle_close(server.wake[0]);
    os_handle_close(server.wake[1]);
    os_handle_close(server.channel);
    for (born *next; server.children; server.children = next) {
        next = server.children->next;
        free(server.children);
    }
}

/* A child of the server's own. As fork. */
static pid_t fork_own(uint64_t word, int sentinel)
{
    born *one = malloc(sizeof *one);
    bool can = one && posix_has_fork_handlers();
    if (!can || notice_children()) {
        errno = can ? mproc_os_error() : ENOMEM;
        free(one);
        return -1;
    }
    pid_t pid = fork();
    if (pid > 0) {
        *one = (born){.next = server.children, .pid = pid, .word = word};
        server.children = one;
        return pid;
    }
    int number = errno;
    free(one);
    errno = number;
#if !POSIX_LINUX
    if (pid == 0 && sentinel >= 0)
        posix_hold_sentinel(sentinel);
#else
    (void)sentinel;
#endif
    return pid;
}

#if HAS_CLONE_PARENT

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

/* A child of the server's parent: a sibling. What fork in glibc does beyond the call is done here:
 * the thread's id lies where the kernel clears it at the thread's end, and the list of robust locks
 * is announced again. */
static pid_t fork_sibling(void)
{
    const unsigned long flags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
    int *tid = NULL;
    void *robust = NULL;
    size_t robust_size = 0;
    if (prctl(PR_GET_TID_ADDRESS, &tid) || !tid ||
        syscall(SYS_get_robust_list, 0, &robust, &robust_size)) {
        errno = ENOSYS;
        return -1;
    }
    /* x86-64 takes the address as the fourth argument, the others as the fifth; the other one is
     * unused. */
    pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, tid, tid);
    if (pid == 0) {
        if (robust)
            syscall(SYS_set_robust_list, robust, robust_size);
        posix_run_fork_handlers();
    }
    return pid;
}

#else

static pid_t fork_sibling(void)
{
    errno = ENOSYS;
    return -1;
}

#endif

/* What the server will need it makes now, where its children are to be its own: its limits stay as
 * they are today, and one that could serve nobody must not come to life. */
static mproc_err begin(os_handle channel, void (*ended)(uint64_t word, mproc_exit_status status))
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    server.channel = (int)channel;
    server.wake[0] = server.wake[1] = -1;
    server.ended = ended;
    sigaction(SIGINT, &ignore, &server.interrupt);
    return HAS_CLONE_PARENT ? MPROC_OK : notice_children();
}

static void drop(received *handles)
{
    for (size_t i = 0; i < handles->count; i++)
        os_handle_close(handles->handles[i]);
    free(handles->handles);
}

typedef struct order {
    uint64_t word;
    os_handle sentinel;
    received handles;
} order;

/* Whole, also when the server has no descriptors for it. False: the parent is gone. */
static bool receive_order(order *next)
{
    request wanted;
    received sentinel = {0};
    *next = (order){.sentinel = OS_NO_HANDLE};
    bool alive = receive_all(server.channel, &wanted, sizeof wanted, &sentinel);
    if (sentinel.count)
        next->sentinel = sentinel.handles[0];
    free(sentinel.handles);
    if (!alive)
        return false;
    next->word = wanted.word;
    for (uint64_t i = 0; i < wanted.count; i += MOST_AT_ONCE) {
        char byte;
        if (!receive_all(server.channel, &byte, 1, &next->handles))
            return false;
    }
    if (next->handles.count != wanted.count && !next->handles.failure)
        next->handles.failure = EMFILE;
    return true;
}

/* As fork: 0 in the child. */
static pid_t carry_out(const order *next, bool *foreign)
{
    *foreign = false;
    if (next->handles.failure) {
        errno = next->handles.failure;
        return -1;
    }
    pid_t pid = fork_sibling();
    if (pid >= 0 || (errno != ENOSYS && errno != EINVAL)) /* EINVAL: the server is an init */
        return pid;
    *foreign = true;
    return fork_own(next->word, (int)next->sentinel);
}

os_order os_forkserver_serve(os_handle channel,
                             void (*ended)(uint64_t word, mproc_exit_status status))
{
    if (begin(channel, ended))
        _exit(1);
    for (;;) {
        struct pollfd polled[2] = {{.fd = server.channel, .events = POLLIN},
                                   {.fd = server.wake[0], .events = POLLIN}};
        if (poll(polled, 2, -1) <= 0)
            continue;
        if (polled[1].revents)
            report_ended();
        if (!polled[0].revents)
            continue;
        order next;
        if (!receive_order(&next)) {
            report_ended();
            _exit(0);
        }
        bool foreign;
        pid_t pid = carry_out(&next, &foreign);
        if (pid == 0) {
            leave_server();
            return (os_order){next.word, next.handles.handles, next.handles.count};
        }
        reply answer = {
            .pid = pid, .server = getpid(), .failure = pid < 0 ? errno : 0, .foreign = foreign};
        os_handle_close(next.sentinel);
        drop(&next.handles);
        int failure = 0;
        send_all(server.channel, &answer, sizeof answer, NULL, 0, &failure);
    }
}
