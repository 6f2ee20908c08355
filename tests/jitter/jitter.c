/* Preloaded, it lets every program pause now and then before or behind the calls by which processes
 * and threads meet. So orders come about that a quiet machine hardly ever shows.
 *   LD_PRELOAD=jitter.so [MPROC_JITTER=64] program    one call in 64 pauses, for up to a millisecond
 * Or it makes a slow machine of a fast one: each start of a process or thread, each wait and each
 * wake-up takes so many microseconds longer, and nothing else.
 *   LD_PRELOAD=jitter.so MPROC_JITTER_DELAY=1000 program */
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { USUAL = 64, LONGEST = 1000000 /* nanoseconds */ };

static uint64_t one_in = USUAL;
static long delay; /* nanoseconds; 0: pauses at random */

__attribute__((constructor)) static void read_settings(void)
{
    const char *text = getenv("MPROC_JITTER"), *slow = getenv("MPROC_JITTER_DELAY");
    const int wanted = text ? atoi(text) : 0;
    one_in = wanted > 0 ? (uint64_t)wanted : USUAL;
    delay = slow ? atol(slow) % 1000000 * 1000 : 0;
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

static void sleep_for(long nanoseconds)
{
    const struct timespec nap = {.tv_sec = nanoseconds / 1000000000,
                                 .tv_nsec = nanoseconds % 1000000000};
    nanosleep(&nap, NULL);
}

static void pause_sometimes(void)
{
    const int kept = errno;
    const uint64_t drawn = delay ? 1 : draw();
    if (drawn % one_in == 0)
        sleep_for((long)((drawn >> 20) % LONGEST));
    errno = kept;
}

static void be_slow(void)
{
    const int kept = errno;
    if (delay)
        sleep_for(delay);
    errno = kept;
}

/* ISO C knows no conversion of what dlsym returns. All are found at the beginning: the child of a fork
 * must not ask for the loader's lock. */
#define NEXT(type, name, parameters)                                                               \
    static union {                                                                                 \
        void *found;                                                                               \
        type(*call) parameters;                                                                    \
    } next_##name;                                                                                 \
    __attribute__((constructor)) static void find_##name(void)                                     \
    {                                                                                              \
        next_##name.found = dlsym(RTLD_NEXT, #name);                                               \
    }                                                                                              \
    static type real_##name parameters

#define WRAPPED(type, name, parameters, arguments, before, behind)                                 \
    NEXT(type, name, parameters)                                                                   \
    {                                                                                              \
        if (!next_##name.found)                                                                    \
            find_##name();                                                                         \
        return next_##name.call arguments;                                                         \
    }                                                                                              \
    type name parameters                                                                           \
    {                                                                                              \
        before;                                                                                    \
        type result = real_##name arguments;                                                       \
        behind;                                                                                    \
        return result;                                                                             \
    }

#define PAUSING(type, name, parameters, arguments)                                                 \
    WRAPPED(type, name, parameters, arguments, pause_sometimes(), pause_sometimes())
/* What starts or wakes somebody; what waits, and so is woken. */
#define STARTING(type, name, parameters, arguments)                                                \
    WRAPPED(type, name, parameters, arguments, be_slow(), (void)0)
#define WAITING(type, name, parameters, arguments)                                                 \
    WRAPPED(type, name, parameters, arguments, pause_sometimes(), (pause_sometimes(), be_slow()))

PAUSING(int, close, (int fd), (fd))
PAUSING(int, epoll_ctl, (int poller, int what, int fd, struct epoll_event *event),
        (poller, what, fd, event))
PAUSING(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex))
PAUSING(int, pthread_mutex_unlock, (pthread_mutex_t * mutex), (mutex))

STARTING(pid_t, fork, (void), ())
STARTING(int, posix_spawn,
         (pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *actions,
          const posix_spawnattr_t *restrict attributes, char *const arguments[restrict],
          char *const environment[restrict]),
         (pid, path, actions, attributes, arguments, environment))
STARTING(int, pthread_create,
         (pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
          void *(*run)(void *), void *restrict argument),
         (thread, attributes, run, argument))
STARTING(int, pthread_cond_signal, (pthread_cond_t * condition), (condition))
STARTING(int, pthread_cond_broadcast, (pthread_cond_t * condition), (condition))
STARTING(int, sem_post, (sem_t * semaphore), (semaphore))

WAITING(int, epoll_wait, (int poller, struct epoll_event *events, int most, int timeout),
        (poller, events, most, timeout))
WAITING(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options),
        (type, id, info, options))
WAITING(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
WAITING(int, poll, (struct pollfd * polled, nfds_t count, int timeout), (polled, count, timeout))
WAITING(int, sem_wait, (sem_t * semaphore), (semaphore))
WAITING(int, sem_timedwait, (sem_t *restrict semaphore, const struct timespec *restrict until),
        (semaphore, until))

/* The futex, the pidfd, and a clone, which returns twice: so nothing stands behind that. */
NEXT(long, syscall, (long number, long a, long b, long c, long d, long e, long f))
{
    if (!next_syscall.found)
        find_syscall();
    return next_syscall.call(number, a, b, c, d, e, f);
}

long syscall(long number, ...)
{
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    const int what = number == SYS_futex ? (int)arguments[1] & FUTEX_CMD_MASK : -1;
    if (number == SYS_clone)
        be_slow();
    if (number != SYS_clone)
        pause_sometimes();
    const long result = real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                                     arguments[4], arguments[5]);
    const bool wakes = what == FUTEX_WAKE || what == FUTEX_WAKE_BITSET;
    if (what == FUTEX_WAIT || what == FUTEX_WAIT_BITSET || (wakes && result > 0))
        be_slow();
    if (number != SYS_clone)
        pause_sometimes();
    return result;
}
