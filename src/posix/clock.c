#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <sys/random.h>
#endif

static const int64_t second = 1000000000;

static atomic_bool interruptible;

static int64_t read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * second + time.tv_nsec;
}

int64_t os_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t os_birth_time(void)
{
#if POSIX_LINUX
    return (uint64_t)read_clock(CLOCK_BOOTTIME);
#else
    return (uint64_t)read_clock(CLOCK_MONOTONIC);
#endif
}

void os_yield(void)
{
    sched_yield();
}

void os_pause(void)
{
#if defined(__x86_64__)
    __asm__ volatile("pause");
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int read_urandom(unsigned char *bytes, size_t size)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int failure = 0;
    while (size > 0 && !failure) {
        ssize_t count = read(fd, bytes, size);
        if (count > 0) {
            bytes += count;
            size -= (size_t)count;
        } else if (count == 0 || errno != EINTR) {
            failure = count == 0 ? EIO : errno;
        }
    }
    close(fd);
    return failure;
}

mproc_err os_random(void *bytes, size_t size)
{
    enum { AT_ONCE = 256 }; /* what getentropy gives at most */
    unsigned char *at = bytes;
    while (size > 0) {
        size_t part = size < AT_ONCE ? size : AT_ONCE;
        int failure = getentropy(at, part) ? read_urandom(at, part) : 0;
        if (failure)
            return posix_error(failure);
        at += part;
        size -= part;
    }
    return MPROC_OK;
}

void os_set_interruptible(bool on)
{
    atomic_store_explicit(&interruptible, on, memory_order_relaxed);
}

bool posix_is_interruptible(void)
{
    return atomic_load_explicit(&interruptible, memory_order_relaxed);
}

mproc_err posix_nap(int64_t nanoseconds, int64_t deadline)
{
    if (deadline != OS_FOREVER) {
        int64_t left = deadline - os_now();
        if (left < nanoseconds)
            nanoseconds = left > 0 ? left : 0;
    }
    struct timespec nap = {.tv_sec = (time_t)(nanoseconds / second),
                           .tv_nsec = (long)(nanoseconds % second)};
    if (nanosleep(&nap, NULL) && errno == EINTR && posix_is_interruptible())
        return MPROC_EINTR;
    return MPROC_OK;
}
