#include "posix.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#if POSIX_LINUX && defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 32)
#include <sys/single_threaded.h>
#define KNOWS_SINGLE_THREADED 1
#endif
#endif

/* Only glibc can be asked to let writers in before new readers; elsewhere all pass a turnstile. */
#if defined(__GLIBC__)
#define HAS_TURNSTILE 0
#else
#define HAS_TURNSTILE 1
#endif

typedef struct rwlock {
    pthread_rwlock_t lock;
#if HAS_TURNSTILE
    pthread_mutex_t turnstile;
#endif
} rwlock;

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(os_mutex), "os_mutex is too small");
_Static_assert(sizeof(rwlock) <= sizeof(os_rwlock), "os_rwlock is too small");
_Static_assert(sizeof(pthread_t) <= sizeof(os_handle), "a thread does not fit into a handle");

static pthread_mutex_t *mutex_of(os_mutex *mutex)
{
    return (pthread_mutex_t *)(void *)mutex->bytes;
}

static rwlock *rwlock_of(os_rwlock *lock)
{
    return (rwlock *)(void *)lock->bytes;
}

/* A lock that fails to lock would let two threads in: better no process than a wrong one. */
static void must(int failure)
{
    if (failure)
        abort();
}

void os_mutex_init(os_mutex *mutex)
{
    *mutex_of(mutex) = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

void os_mutex_lock(os_mutex *mutex)
{
    must(pthread_mutex_lock(mutex_of(mutex)));
}

void os_mutex_unlock(os_mutex *mutex)
{
    must(pthread_mutex_unlock(mutex_of(mutex)));
}

void os_rwlock_init(os_rwlock *lock)
{
#if HAS_TURNSTILE
    rwlock_of(lock)->turnstile = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    rwlock_of(lock)->lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
#else
    rwlock_of(lock)->lock = (pthread_rwlock_t)PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
#endif
}

static void turnstile_enter(rwlock *lock)
{
#if HAS_TURNSTILE
    must(pthread_mutex_lock(&lock->turnstile));
#else
    (void)lock;
#endif
}

static void turnstile_leave(rwlock *lock)
{
#if HAS_TURNSTILE
    must(pthread_mutex_unlock(&lock->turnstile));
#else
    (void)lock;
#endif
}

void os_rwlock_read(os_rwlock *lock)
{
    turnstile_enter(rwlock_of(lock));
    must(pthread_rwlock_rdlock(&rwlock_of(lock)->lock));
    turnstile_leave(rwlock_of(lock));
}

void os_rwlock_read_end(os_rwlock *lock)
{
    must(pthread_rwlock_unlock(&rwlock_of(lock)->lock));
}

void os_rwlock_write(os_rwlock *lock)
{
    turnstile_enter(rwlock_of(lock));
    must(pthread_rwlock_wrlock(&rwlock_of(lock)->lock));
    turnstile_leave(rwlock_of(lock));
}

void os_rwlock_write_end(os_rwlock *lock)
{
    must(pthread_rwlock_unlock(&rwlock_of(lock)->lock));
}

/* In a thread of mproc's own: the mask of the thread that made it, for the children it forks. */
static _Thread_local const sigset_t *outer_mask;

bool posix_is_own_thread(void)
{
    return outer_mask != NULL;
}

void posix_leave_own_thread(void)
{
    sigset_t mask = *outer_mask;
    if (posix_holds_interrupt())
        sigaddset(&mask, SIGINT);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    outer_mask = NULL;
}

typedef struct start {
    void (*run)(void *);
    void *argument;
    sigset_t outer_mask;
} start;

static void *run_thread(void *data)
{
    start begin = *(start *)data;
    free(data);
    outer_mask = &begin.outer_mask;
    begin.run(begin.argument);
    return NULL;
}

static size_t stack_size(void)
{
    const rlim_t least = (rlim_t)8 << 20;
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur < least)
        return (size_t)least;
    return (size_t)limit.rlim_cur;
}

mproc_err os_thread_start(os_handle *thread, void (*run)(void *), void *argument)
{
    start *begin = malloc(sizeof *begin);
    if (!begin)
        return posix_error(ENOMEM);
    *begin = (start){.run = run, .argument = argument};
    pthread_attr_t attributes;
    int failure = pthread_attr_init(&attributes);
    if (!failure) {
        pthread_t made;
        sigset_t all, before;
        sigfillset(&all);
        pthread_attr_setstacksize(&attributes, stack_size());
        pthread_sigmask(SIG_SETMASK, &all, &before);
        begin->outer_mask = outer_mask ? *outer_mask : before;
        failure = pthread_create(&made, &attributes, run_thread, begin);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
        if (!failure)
            *thread = (os_handle)made;
    }
    if (failure) {
        free(begin);
        return posix_error(failure);
    }
    return MPROC_OK;
}

void os_thread_join(os_handle thread)
{
    must(pthread_join((pthread_t)thread, NULL));
}

/* ---- their ends ---- */

/* The library is linked so that it stays: the key's destructor is its code. */
static pthread_key_t end_key;
static void (*thread_ended)(void);

static void end_thread(void *asked)
{
    (void)asked;
    thread_ended();
}

void os_on_thread_end(void (*ended)(void))
{
    if (!thread_ended && !pthread_key_create(&end_key, end_thread))
        thread_ended = ended;
}

mproc_err os_thread_tell_end(void)
{
    int failure = thread_ended ? pthread_setspecific(end_key, &end_key) : EAGAIN;
    return failure ? posix_error(failure) : MPROC_OK;
}

bool os_thread_is_alone(void)
{
#if defined(KNOWS_SINGLE_THREADED)
    if (__libc_single_threaded)
        return true;
#endif
#if POSIX_LINUX
    struct stat tasks; /* one link for each thread, and two as every directory has */
    return stat("/proc/self/task", &tasks) || tasks.st_nlink <= 3;
#else
    return true;
#endif
}
