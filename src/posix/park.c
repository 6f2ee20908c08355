#include "posix.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

#if POSIX_LINUX

#include <sys/syscall.h>
#include <unistd.h>

const bool os_has_futex = true;

enum { FUTEX_WAKE_ = 1, FUTEX_WAIT_BITSET_ = 9 }; /* musl's headers do not name them */

mproc_err os_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    const int64_t second = 1000000000;
    struct timespec until = {.tv_sec = (time_t)(deadline / second),
                             .tv_nsec = (long)(deadline % second)};
    for (;;) {
        /* Without a time-out the kernel would go on waiting after a handler with SA_RESTART. */
        bool timed = deadline != OS_FOREVER || posix_is_interruptible();
        if (!syscall(SYS_futex, word, FUTEX_WAIT_BITSET_, expected, timed ? &until : NULL, NULL,
                     UINT32_MAX))
            return MPROC_OK;
        if (errno == EAGAIN)
            return MPROC_OK;
        if (errno == ETIMEDOUT)
            return MPROC_ETIMEDOUT;
        if (errno != EINTR)
            return posix_error(errno);
        if (posix_is_interruptible())
            return MPROC_EINTR;
    }
}

void os_futex_wake(_Atomic uint32_t *word, uint32_t count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_, count < INT_MAX ? (int)count : INT_MAX, NULL, NULL, 0);
}

static _Atomic uint32_t *count_of(os_signal *signal)
{
    return (_Atomic uint32_t *)(void *)signal->bytes;
}

mproc_err os_signal_init(os_signal *signal, const unsigned char nonce[16], uint32_t index)
{
    (void)nonce;
    (void)index;
    atomic_init(count_of(signal), 0);
    return MPROC_OK;
}

mproc_err os_signal_wait(os_signal *signal, int64_t deadline)
{
    _Atomic uint32_t *count = count_of(signal);
    for (;;) {
        uint32_t posts = atomic_load(count);
        while (posts > 0) {
            if (atomic_compare_exchange_weak(count, &posts, posts - 1))
                return MPROC_OK;
        }
        mproc_err err = os_futex_wait(count, 0, deadline);
        if (err)
            return err;
    }
}

void os_signal_post(os_signal *signal)
{
    atomic_fetch_add(count_of(signal), 1);
    os_futex_wake(count_of(signal), 1);
}

#else

const bool os_has_futex = false;

mproc_err os_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    (void)word;
    (void)expected;
    (void)deadline;
    return MPROC_ENOSYS;
}

void os_futex_wake(_Atomic uint32_t *word, uint32_t count)
{
    (void)word;
    (void)count;
}

#if defined(__APPLE__)

/* There are no process-shared semaphores: a count that the waiter looks at, at a growing beat. */
static _Atomic uint32_t *count_of(os_signal *signal)
{
    return (_Atomic uint32_t *)(void *)signal->bytes;
}

mproc_err os_signal_init(os_signal *signal, const unsigned char nonce[16], uint32_t index)
{
    (void)nonce;
    (void)index;
    atomic_init(count_of(signal), 0);
    return MPROC_OK;
}

mproc_err os_signal_wait(os_signal *signal, int64_t deadline)
{
    const int64_t longest = 5000000;
    for (int64_t nap = 20000;; nap = nap * 2 < longest ? nap * 2 : longest) {
        uint32_t posts = atomic_load(count_of(signal));
        while (posts > 0) {
            if (atomic_compare_exchange_weak(count_of(signal), &posts, posts - 1))
                return MPROC_OK;
        }
        if (deadline != OS_FOREVER && os_now() >= deadline)
            return MPROC_ETIMEDOUT;
        mproc_err err = posix_nap(nap, deadline);
        if (err)
            return err;
    }
}

void os_signal_post(os_signal *signal)
{
    atomic_fetch_add(count_of(signal), 1);
}

#else

#include <semaphore.h>

_Static_assert(sizeof(sem_t) <= sizeof(os_signal), "os_signal is too small");

static sem_t *semaphore_of(os_signal *signal)
{
    return (sem_t *)(void *)signal->bytes;
}

mproc_err os_signal_init(os_signal *signal, const unsigned char nonce[16], uint32_t index)
{
    (void)nonce;
    (void)index;
    return sem_init(semaphore_of(signal), 1, 0) ? posix_error(errno) : MPROC_OK;
}

static int wait_until(sem_t *semaphore, int64_t deadline)
{
    const int64_t second = 1000000000;
    struct timespec until = {.tv_sec = (time_t)(deadline / second),
                             .tv_nsec = (long)(deadline % second)};
#if defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 30)
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
#endif
#endif
    /* The only clock that POSIX has here can be set: such a change moves this one wait. */
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t left = deadline - os_now();
    int64_t end = until.tv_nsec + (left > 0 ? left : 0);
    until.tv_sec += (time_t)(end / second);
    until.tv_nsec = (long)(end % second);
    return sem_timedwait(semaphore, &until);
}

mproc_err os_signal_wait(os_signal *signal, int64_t deadline)
{
    sem_t *semaphore = semaphore_of(signal);
    for (;;) {
        /* As with a futex: a handler with SA_RESTART ends only a wait that has a time-out. */
        bool timed = deadline != OS_FOREVER || posix_is_interruptible();
        const int64_t far = os_now() + (INT64_C(1) << 60);
        if (!(timed ? wait_until(semaphore, deadline < far ? deadline : far) : sem_wait(semaphore)))
            return MPROC_OK;
        if (errno == ETIMEDOUT)
            return MPROC_ETIMEDOUT;
        if (errno != EINTR)
            return posix_error(errno);
        if (posix_is_interruptible())
            return MPROC_EINTR;
    }
}

void os_signal_post(os_signal *signal)
{
    sem_post(semaphore_of(signal));
}

#endif
#endif
