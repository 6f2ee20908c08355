/* Preloaded, it lets every program pause now and then before or behind the calls by which processes
 * and threads meet. So orders come about that a quiet machine hardly ever shows.
 *   LD_PRELOAD=jitter.so [MPROC_JITTER=64] program    one call in 64 pauses, for up to a millisecond */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { USUAL = 64, LONGEST = 1000000 /* nanoseconds */ };

static uint64_t one_in = USUAL;

__attribute__((constructor)) static void read_settings(void)
{
    const char *text = getenv("MPROC_JITTER");
    const int wanted = text ? atoi(text) : 0;
    one_in = wanted > 0 ? (uint64_t)wanted : USUAL;
}

/* Its own in each process and thread, forked ones as well. */
static uint64_t draw(void)
{
    static _Thread_local uint64_t state;
    static _Thread_local pid_t whose;
    if (whose != getpid()) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        whose = getpid();
        state = ((uint64_t)now.tv_nsec << 32 ^ (uint64_t)(uintptr_t)&state ^ (uint64_t)whose) | 1;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void pause_sometimes(void)
{
    const int kept = errno;
    const uint64_t drawn = draw();
    if (drawn % one_in == 0) {
        const struct timespec nap = {.tv_nsec = (long)((drawn >> 20) % LONGEST)};
        nanosleep(&nap, NULL);
    }
    errno = kept;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* ISO C knows no conversion of what dlsym returns. */
#define PAUSING(type, name, parameters, arguments)                                                 \
    type name parameters                                                                           \
    {                                                                                              \
        static union {                                                                             \
            void *found;                                                                           \
            type(*call) parameters;                                                                \
        } real;                                                                                    \
        if (!real.found)                                                                           \
            real.found = next(#name);                                                              \
        pause_sometimes();                                                                         \
        type result = real.call arguments;                                                         \
        pause_sometimes();                                                                         \
        return result;                                                                             \
    }

PAUSING(int, close, (int fd), (fd))
PAUSING(int, epoll_ctl, (int poller, int what, int fd, struct epoll_event *event),
        (poller, what, fd, event))
PAUSING(int, epoll_wait, (int poller, struct epoll_event *events, int most, int timeout),
        (poller, events, most, timeout))
PAUSING(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex))
PAUSING(int, pthread_mutex_unlock, (pthread_mutex_t * mutex), (mutex))
PAUSING(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options),
        (type, id, info, options))

/* The futex, the pidfd. A clone returns twice: that one is left alone. */
long syscall(long number, ...)
{
    static union {
        void *found;
        long (*call)(long, ...);
    } real;
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (!real.found)
        real.found = next("syscall");
    if (number != SYS_clone)
        pause_sometimes();
    long result = real.call(number, arguments[0], arguments[1], arguments[2], arguments[3],
                            arguments[4], arguments[5]);
    if (number != SYS_clone)
        pause_sometimes();
    return result;
}
