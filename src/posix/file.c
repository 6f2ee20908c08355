#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static mproc_err too_long(void)
{
    error_remember(ENAMETOOLONG);
    return MPROC_ERANGE;
}

mproc_err os_variable(const char *name, char *value, size_t size)
{
    const char *found = posix_is_set_id() ? NULL : getenv(name);
    if (!found)
        return posix_error(ENOENT);
    size_t length = strlen(found);
    if (length >= size)
        return too_long();
    memcpy(value, found, length + 1);
    return MPROC_OK;
}

static mproc_err make_absolute(const char *path, char *absolute, size_t size)
{
    size_t length = 0;
    if (*path != '/') {
        if (!getcwd(absolute, size))
            return errno == ERANGE ? too_long() : posix_error(errno);
        length = strlen(absolute);
        if (length + 1 >= size)
            return too_long();
        absolute[length++] = '/';
    }
    if (strlen(path) >= size - length)
        return too_long();
    memcpy(absolute + length, path, strlen(path) + 1);
    return MPROC_OK;
}

static mproc_err not_plain(void)
{
    error_remember(EINVAL);
    return MPROC_EINVAL;
}

/* A pipe that nobody reads must not hold the program up. */
static mproc_err open_plain(const char *path, int flags, os_handle *file)
{
    struct stat facts;
    int fd;
    do
        fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags, 0666);
    while (fd < 0 && errno == EINTR);
    fd = posix_raise(fd);
    if (fd < 0)
        return errno == ENXIO || errno == EISDIR ? not_plain() : posix_error(errno);
    mproc_err err = fstat(fd, &facts) ? posix_error(errno) : MPROC_OK;
    if (!err && !S_ISREG(facts.st_mode))
        err = not_plain();
    if (err)
        close(fd);
    else
        *file = fd;
    return err;
}

mproc_err os_file_create(const char *path, os_handle *file, char *absolute, size_t size)
{
    char full[OS_PATH];
    mproc_err err = make_absolute(path, full, size < sizeof full ? size : sizeof full);
    if (err)
        return err;
    if ((err = open_plain(full, O_CREAT | O_TRUNC, file)))
        return err;
    memcpy(absolute, full, strlen(full) + 1);
    return MPROC_OK;
}

mproc_err os_file_open(const char *absolute, os_handle *file)
{
    return open_plain(absolute, 0, file);
}

/* Beyond its limit the kernel would raise SIGXFSZ. */
static bool may_grow_to(uint64_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY ||
           size <= (uint64_t)limit.rlim_cur;
}

mproc_err os_file_write(os_handle file, uint64_t at, const void *bytes, size_t size)
{
    if (!may_grow_to(at + size))
        return posix_error(EFBIG);
    for (const unsigned char *next = bytes; size > 0;) {
        ssize_t written = pwrite((int)file, next, size, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return posix_error(written ? errno : ENOSPC);
        next += written;
        at += (uint64_t)written;
        size -= (size_t)written;
    }
    return MPROC_OK;
}

mproc_err os_file_truncate(os_handle file, uint64_t size)
{
    int failed;
    do
        failed = ftruncate((int)file, (off_t)size);
    while (failed && errno == EINTR);
    return failed ? posix_error(errno) : MPROC_OK;
}
