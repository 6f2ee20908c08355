#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if POSIX_LINUX
#include <sys/epoll.h>
#endif

/* A watch is in the list from add until it is reported. What its descriptor says is a hint; one
 * that has given it, or has no descriptor, is due: looked at on a beat until the end is certain. On
 * Linux the first look suffices, except where a forkserver still has to report. */
typedef struct watch {
    struct watch *_Atomic next; /* single stores, for a fork may copy the list in any state */
    struct watch *previous;
    struct watch *next_due;
    bool is_due;
    os_process process; /* its handle is the watcher's own */
    uint64_t key;
} watch;

struct os_watcher {
    os_mutex lock; /* over the list, `due` and `count` */
    watch *_Atomic first;
    watch *due;
    size_t count;
    int64_t alarm; /* OS_FOREVER: none */
    int poller;    /* epoll; portable: none */
    int wake[2];   /* a pipe: written to when there is something new to look at */
    atomic_bool stop;
    os_handle thread;
    void (*ended)(void *context, uint64_t key);
    void *context;
    struct pollfd *polled; /* portable: what poll was given, and whose it is */
    watch **polled_whose;
    size_t polled_capacity;
};

static void wake_up(os_watcher *watcher)
{
    /* A full pipe wakes, too. */
    while (write(watcher->wake[1], "", 1) < 0 && errno == EINTR) {
    }
}

static void drain(os_watcher *watcher)
{
    char bytes[64];
    while (read(watcher->wake[0], bytes, sizeof bytes) > 0) {
    }
}

/* Under the lock. */
static void make_due(os_watcher *watcher, watch *one)
{
    if (one->is_due)
        return;
    one->is_due = true;
    one->next_due = watcher->due;
    watcher->due = one;
}

#if POSIX_LINUX

enum { EVENTS = 64 };

static mproc_err poller_create(os_watcher *watcher)
{
    watcher->poller = posix_raise(epoll_create1(EPOLL_CLOEXEC));
    if (watcher->poller < 0)
        return posix_error(errno);
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
    return epoll_ctl(watcher->poller, EPOLL_CTL_ADD, watcher->wake[0], &wake) ? posix_error(errno)
                                                                              : MPROC_OK;
}

static mproc_err poller_add(os_watcher *watcher, watch *one)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = one};
    return epoll_ctl(watcher->poller, EPOLL_CTL_ADD, (int)one->process.handle, &event)
               ? posix_error(errno)
               : MPROC_OK;
}

/* Closing does not do it: forks share the open file. */
static void poller_remove(os_watcher *watcher, const watch *one)
{
    struct epoll_event unused;
    if (one->process.handle >= 0)
        epoll_ctl(watcher->poller, EPOLL_CTL_DEL, (int)one->process.handle, &unused);
}

static void poller_wait(os_watcher *watcher, int timeout)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(watcher->poller, events, EVENTS, timeout);
    os_mutex_lock(&watcher->lock);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr)
            make_due(watcher, events[i].data.ptr);
        else
            drain(watcher);
    }
    os_mutex_unlock(&watcher->lock);
}

#else

static mproc_err poller_create(os_watcher *watcher)
{
    (void)watcher;
    return MPROC_OK;
}

static mproc_err poller_add(os_watcher *watcher, watch *one)
{
    (void)one;
    wake_up(watcher);
    return MPROC_OK;
}

static void poller_remove(os_watcher *watcher, const watch *one)
{
    (void)watcher;
    (void)one;
}

static bool make_room(os_watcher *watcher, size_t wanted)
{
    if (wanted <= watcher->polled_capacity)
        return true;
    struct pollfd *polled = realloc(watcher->polled, 2 * wanted * sizeof *polled);
    if (polled)
        watcher->polled = polled;
    watch **whose = polled ? realloc(watcher->polled_whose, 2 * wanted * sizeof(watch *)) : NULL;
    if (!whose)
        return false;
    watcher->polled_whose = whose;
    watcher->polled_capacity = 2 * wanted;
    return true;
}

/* Only this thread removes watches, so they live through the poll. */
static void poller_wait(os_watcher *watcher, int timeout)
{
    size_t count = 0;
    os_mutex_lock(&watcher->lock);
    if (!make_room(watcher, watcher->count + 1)) /* those left out are looked at on the beat */
        timeout = timeout < 0 ? 20 : timeout;
    if (watcher->polled_capacity > 0)
        watcher->polled[count++] = (struct pollfd){.fd = watcher->wake[0], .events = POLLIN};
    for (watch *one = watcher->first; one; one = one->next) {
        if (one->is_due || one->process.handle < 0)
            continue;
        if (count >= watcher->polled_capacity) {
            make_due(watcher, one);
            continue;
        }
        watcher->polled_whose[count] = one;
        watcher->polled[count++] =
            (struct pollfd){.fd = (int)one->process.handle, .events = POLLIN};
    }
    os_mutex_unlock(&watcher->lock);
    if (poll(watcher->polled, (nfds_t)count, timeout) <= 0)
        return;
    os_mutex_lock(&watcher->lock);
    if (watcher->polled[0].revents)
        drain(watcher);
    for (size_t i = 1; i < count; i++) {
        if (watcher->polled[i].revents)
            make_due(watcher, watcher->polled_whose[i]);
    }
    os_mutex_unlock(&watcher->lock);
}

#endif

static void unlink_watch(os_watcher *watcher, watch *one)
{
    if (one->previous)
        one->previous->next = one->next;
    else
        watcher->first = one->next;
    if (one->next)
        one->next->previous = one->previous;
    watcher->count--;
}

/* One that has ended leaves both lists. NULL: none is due, or none of them has ended yet. */
static watch *take_ended(os_watcher *watcher)
{
    watch *found = NULL;
    os_mutex_lock(&watcher->lock);
    for (watch **link = &watcher->due; *link && !found; link = found ? link : &(*link)->next_due) {
        if (!posix_has_ended(&(*link)->process))
            continue;
        found = *link;
        *link = found->next_due;
        unlink_watch(watcher, found);
        break;
    }
    os_mutex_unlock(&watcher->lock);
    return found;
}

void os_watcher_alarm(os_watcher *watcher, int64_t deadline)
{
    os_mutex_lock(&watcher->lock);
    bool earlier = deadline < watcher->alarm;
    if (earlier)
        watcher->alarm = deadline;
    os_mutex_unlock(&watcher->lock);
    if (earlier)
        wake_up(watcher);
}

static void ring_alarm(os_watcher *watcher)
{
    os_mutex_lock(&watcher->lock);
    bool now = watcher->alarm != OS_FOREVER && watcher->alarm <= os_now();
    if (now)
        watcher->alarm = OS_FOREVER;
    os_mutex_unlock(&watcher->lock);
    if (now)
        watcher->ended(watcher->context, 0);
}

static void run_watcher(void *data)
{
    enum { SHORTEST = 1, LONGEST = 20 }; /* milliseconds */
    os_watcher *watcher = data;
    int beat = SHORTEST;
    while (!atomic_load(&watcher->stop)) {
        watch *one;
        while (!atomic_load(&watcher->stop) && (one = take_ended(watcher)) != NULL) {
            uint64_t key = one->key;
            poller_remove(watcher, one);
            os_handle_close(one->process.handle);
            free(one);
            watcher->ended(watcher->context, key);
            beat = SHORTEST;
        }
        os_mutex_lock(&watcher->lock);
        bool waits = watcher->due != NULL;
        int until_alarm = posix_poll_timeout(watcher->alarm);
        os_mutex_unlock(&watcher->lock);
        bool beats = waits && (until_alarm < 0 || beat < until_alarm);
        poller_wait(watcher, beats ? beat : until_alarm);
        ring_alarm(watcher);
        beat = waits && beat < LONGEST / 2 ? beat * 2 : waits ? LONGEST : SHORTEST;
    }
}

/* Without the poller's registrations, which a fork shares with its parent. */
static void close_descriptors(const os_watcher *watcher)
{
    for (const watch *one = watcher->first; one; one = one->next)
        os_handle_close(one->process.handle);
    os_handle_close(watcher->poller);
    os_handle_close(watcher->wake[0]);
    os_handle_close(watcher->wake[1]);
}

static void dismantle(os_watcher *watcher)
{
    close_descriptors(watcher);
    for (watch *one = watcher->first, *next; one; one = next) {
        next = one->next;
        free(one);
    }
    free(watcher->polled);
    free(watcher->polled_whose);
    free(watcher);
}

mproc_err os_watcher_create(os_watcher **watcher, void (*ended)(void *context, uint64_t key),
                            void *context)
{
    os_watcher *made = calloc(1, sizeof *made);
    if (!made)
        return posix_error(ENOMEM);
    made->poller = made->wake[0] = made->wake[1] = -1;
    made->ended = ended;
    made->context = context;
    made->alarm = OS_FOREVER;
    os_mutex_init(&made->lock);
    mproc_err err = posix_pipe(made->wake);
    if (!err) {
        fcntl(made->wake[0], F_SETFL, O_NONBLOCK);
        fcntl(made->wake[1], F_SETFL, O_NONBLOCK);
        err = poller_create(made);
    }
    if (!err)
        err = os_thread_start(&made->thread, run_watcher, made);
    if (err) {
        dismantle(made);
        return err;
    }
    *watcher = made;
    return MPROC_OK;
}

/* Whether a process is watched on the beat alone when it has no descriptor. */
static bool can_do_without(int failure)
{
#if POSIX_LINUX
    return failure == ESRCH;
#else
    return failure == ESRCH || failure == EMFILE || failure == ENFILE;
#endif
}

mproc_err os_watcher_add(os_watcher *watcher, os_process *process, uint64_t key)
{
    watch *one = calloc(1, sizeof *one);
    if (!one)
        return posix_error(ENOMEM);
    one->process = *process;
    one->key = key;
    int fd = posix_process_open(process);
    one->process.handle = fd;
    if (fd < 0 && !can_do_without(errno)) {
        mproc_err err = posix_error(errno);
        free(one);
        return err;
    }
    mproc_err err = MPROC_OK;
    os_mutex_lock(&watcher->lock);
    watch *first = watcher->first;
    one->next = first;
    if (first)
        first->previous = one;
    watcher->first = one;
    watcher->count++;
    if (fd >= 0) {
        err = poller_add(watcher, one);
    } else {
        make_due(watcher, one);
        wake_up(watcher);
    }
    if (err)
        unlink_watch(watcher, one);
    os_mutex_unlock(&watcher->lock);
    if (err) {
        os_handle_close(fd);
        free(one);
    }
    return err;
}

void os_watcher_free(os_watcher *watcher)
{
    if (!watcher)
        return;
    atomic_store(&watcher->stop, true);
    wake_up(watcher);
    os_thread_join(watcher->thread);
    for (const watch *one = watcher->first; one; one = one->next)
        poller_remove(watcher, one);
    dismantle(watcher);
}

void os_watcher_after_fork(os_watcher *watcher)
{
    if (watcher)
        close_descriptors(watcher);
}
