#include "segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "killpoint.h"

#if POSIX_LINUX

/* What every C library does here, but some of them allow only shorter names. Without O_NONBLOCK it
 * would wait for a process that is stopped with a lease on the file. */
int segment_file_open(const char *name, int flags)
{
    char path[sizeof SEGMENT_FOLDER + OS_SEGMENT_NAME];
    snprintf(path, sizeof path, SEGMENT_FOLDER "/%s", name);
    return open(path, flags | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int segment_file_remove(const char *name)
{
    char path[sizeof SEGMENT_FOLDER + OS_SEGMENT_NAME];
    snprintf(path, sizeof path, SEGMENT_FOLDER "/%s", name);
    return unlink(path) ? errno : 0;
}

bool segment_file_is_current(int fd, const char *name)
{
    struct stat facts;
    (void)name;
    return !fstat(fd, &facts) && facts.st_nlink > 0;
}

/* A lease is given only when nobody has the file open, or mapped, to write: users without a lock,
 * such as Python. Only the lease proves it: a refusal may have other reasons, too. A process that
 * opens the file meanwhile waits for a moment, and this process gets a signal that nobody minds. */
static bool may_have_other_users(int fd)
{
    if (fcntl(fd, F_SETSIG, SIGURG) || fcntl(fd, F_SETLEASE, F_RDLCK))
        return true;
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return false;
}

#else

int segment_file_open(const char *name, int flags)
{
    char path[OS_SEGMENT_NAME + 1];
    snprintf(path, sizeof path, "/%s", name);
    return shm_open(path, flags, 0600);
}

int segment_file_remove(const char *name)
{
    char path[OS_SEGMENT_NAME + 1];
    snprintf(path, sizeof path, "/%s", name);
    return shm_unlink(path) ? errno : 0;
}

/* Not every system counts the names of shared memory. */
bool segment_file_is_current(int fd, const char *name)
{
    struct stat facts, named;
    int other = segment_file_open(name, O_RDONLY);
    if (other < 0)
        return errno != ENOENT;
    bool same = fstat(fd, &facts) || fstat(other, &named) ||
                (facts.st_dev == named.st_dev && facts.st_ino == named.st_ino);
    close(other);
    return same;
}

static bool may_have_other_users(int fd)
{
    (void)fd;
    return false;
}

#endif

int segment_file_lock(int fd, int how)
{
    return !flock(fd, how | LOCK_NB) ? 0 : errno == EOPNOTSUPP ? ENOTSUP : errno;
}

bool segment_file_is_ours(int fd)
{
    struct stat facts;
    return !fstat(fd, &facts) && S_ISREG(facts.st_mode) && facts.st_uid == geteuid();
}

int segment_file_use(int fd)
{
    int failure = segment_file_lock(fd, LOCK_SH);
    killpoint();
    return failure == ENOTSUP ? 0 : failure;
}

/* A fork may have copied the descriptor: closing it alone would leave it locked. */
void segment_file_unlock(int fd)
{
    if (fd >= 0) {
        flock(fd, LOCK_UN);
        close(fd);
    }
}

bool segment_file_is_free(int fd)
{
    return !segment_file_lock(fd, LOCK_EX) && !may_have_other_users(fd);
}

uint64_t segment_file_inode(int fd)
{
    struct stat facts;
    return fstat(fd, &facts) ? 0 : (uint64_t)facts.st_ino;
}
