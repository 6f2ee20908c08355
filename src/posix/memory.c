#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#if POSIX_LINUX
#include <sys/syscall.h>
#endif

#if POSIX_LINUX && !defined(MFD_NOEXEC_SEAL)
#define MFD_NOEXEC_SEAL 8U
#endif
#if POSIX_LINUX && !defined(SYS_cachestat)
#define SYS_cachestat 451
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

static const uint64_t granule = UINT64_C(64) << 10;

#if POSIX_LINUX

static int object_create(void)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("mproc", flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create("mproc", flags);
    return posix_raise(fd);
}

/* A member that shrinks it would let the others run into SIGBUS. Without seals it works as well. */
static void object_seal(int fd)
{
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

#else

static int object_create(void)
{
    unsigned char chance[10];
    char name[32];
    if (os_random(chance, sizeof chance))
        return -1;
    size_t length = (size_t)snprintf(name, sizeof name, "/mproc-");
    for (size_t i = 0; i < sizeof chance; i++)
        length += (size_t)snprintf(name + length, sizeof name - length, "%02x", chance[i]);
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd >= 0)
        shm_unlink(name);
    return posix_raise(fd);
}

static void object_seal(int fd)
{
    (void)fd;
}

#endif

static void *map(int fd, uint64_t size)
{
    void *base =
        mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
#if POSIX_LINUX
    /* A core dump would fault in every page of the reserve. */
    if (base != MAP_FAILED)
        madvise(base, (size_t)size, MADV_DONTDUMP);
#endif
    return base;
}

static mproc_err try_size(os_shared *shared, uint64_t size)
{
    int fd = object_create();
    if (fd < 0)
        return posix_error(errno);
    void *base = MAP_FAILED;
    if (!ftruncate(fd, (off_t)size))
        base = map(fd, size);
    if (base == MAP_FAILED) {
        mproc_err err = posix_error(errno);
        close(fd);
        return err;
    }
    object_seal(fd);
    *shared = (os_shared){.base = base, .size = size, .object = fd};
    return MPROC_OK;
}

static uint64_t round_up(uint64_t size)
{
    return size > (uint64_t)INT64_MAX - granule ? (uint64_t)INT64_MAX / granule * granule
                                                : (size + granule - 1) / granule * granule;
}

/* Truncating beyond RLIMIT_FSIZE raises SIGXFSZ. Of the address space others need some, too. */
static uint64_t clip(uint64_t size)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY &&
        size > (uint64_t)limit.rlim_cur)
        size = (uint64_t)limit.rlim_cur;
#ifdef RLIMIT_AS
    if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY &&
        size > (uint64_t)limit.rlim_cur / 2)
        size = (uint64_t)limit.rlim_cur / 2;
#endif
    return size / granule * granule;
}

mproc_err os_shared_create(os_shared *shared, uint64_t size, uint64_t least)
{
    least = round_up(least > 0 ? least : 1);
    size = clip(round_up(size));
    if (size < least) {
        /* Half of the address space is a guess, the limit on a file's size is not. */
        size = least;
        struct rlimit limit;
        if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY &&
            size > (uint64_t)limit.rlim_cur)
            return posix_error(EFBIG);
    }
    for (;;) {
        mproc_err err = try_size(shared, size);
        if (!err || size == least || (err != MPROC_ENOMEM && err != MPROC_EOS))
            return err;
        size = size / 2 > least ? size / 2 / granule * granule : least;
    }
}

mproc_err os_shared_open(os_shared *shared, os_handle object, uint64_t size)
{
    struct stat facts;
    if (fstat((int)object, &facts))
        return posix_error(errno);
    /* What lies behind its end would be SIGBUS. */
    if (size == 0 || size > (uint64_t)facts.st_size)
        return posix_error(EINVAL);
    void *base = map((int)object, size);
    if (base == MAP_FAILED)
        return posix_error(errno);
    *shared = (os_shared){.base = base, .size = size, .object = object};
    return MPROC_OK;
}

void os_shared_close(os_shared *shared)
{
    munmap(shared->base, shared->size);
    os_handle_close(shared->object);
    *shared = (os_shared){.object = OS_NO_HANDLE};
}

#if POSIX_LINUX

static int commit(const os_shared *shared, uint64_t offset, uint64_t size)
{
    return fallocate((int)shared->object, 0, (off_t)offset, (off_t)size) ? errno : 0;
}

#else

/* Adding nothing, atomically, is what others who use the page already do not notice. */
static int touch(const os_shared *shared, uint64_t offset, uint64_t size)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    for (uint64_t at = offset; at < offset + size; at += page)
        atomic_fetch_or((_Atomic unsigned char *)shared->base + at, 0);
    return 0;
}

static int commit(const os_shared *shared, uint64_t offset, uint64_t size)
{
#if !defined(__APPLE__)
    int failure = posix_fallocate((int)shared->object, (off_t)offset, (off_t)size);
    if (failure != EINVAL && failure != EOPNOTSUPP && failure != ENODEV)
        return failure;
#endif
    return touch(shared, offset, size);
}

#endif

mproc_err os_shared_commit(const os_shared *shared, uint64_t offset, uint64_t size)
{
    if (offset > shared->size || size > shared->size - offset)
        return posix_error(ENOMEM);
    if (size == 0)
        return MPROC_OK;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure;
    do
        failure = commit(shared, offset, size);
    while (failure == EINTR);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure ? posix_error(failure) : MPROC_OK;
}

bool os_shared_decommit(const os_shared *shared, uint64_t offset, uint64_t size)
{
    if (offset > shared->size || size > shared->size - offset || size == 0)
        return false;
#if POSIX_LINUX
    return !fallocate((int)shared->object, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)offset, (off_t)size);
#else
    return false;
#endif
}

bool os_shared_is_committed(const os_shared *shared, uint64_t offset, uint64_t size)
{
    if (offset > shared->size || size > shared->size - offset)
        return false;
#if POSIX_LINUX
    /* Pages that were allocated but never touched count here alone: to mincore and SEEK_DATA they
     * are holes. Linux before 6.5 cannot tell. */
    struct {
        uint64_t offset, length;
    } range = {offset, size};
    struct {
        uint64_t cached, dirty, writeback, evicted, recently_evicted;
    } pages;
    memset(&pages, 0, sizeof pages);
    if (size > 0 && !syscall(SYS_cachestat, (int)shared->object, &range, &pages, 0U))
        return (pages.cached + pages.evicted) * (uint64_t)sysconf(_SC_PAGESIZE) >= size;
#endif
    return true;
}
