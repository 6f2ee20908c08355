/* A segment is the file of its name. What mproc made and nobody has said is to stay has a marker
 * beside it, `mproc-` and the hash of its name. Who changes either holds the marker's exclusive
 * flock; who uses the segment holds a shared one on that. A segment is dead when its marker stands
 * for it and an exclusive flock on it succeeds. Then what a kill leaves is found, step by step:
 *
 *   create 1  the marker, empty, and locked  an empty marker                  removed
 *          2  its record: name, inode 0      no segment, or an older one that
 *                                            has bytes: not ours              marker removed
 *          3  the segment, empty (O_EXCL)    inode 0, a segment without bytes
 *          4  its shared lock                  that nobody uses               both removed
 *          5  the record's inode             the marker's own segment, and
 *          6  its memory, its size             nobody uses it                 both removed
 *   unlink 1  the segment's name             a marker without a segment       removed
 *          2  the marker                     nothing
 *   keep   1  the marker                     a segment that stays
 *   sweep     as unlink, with the exclusive lock on the segment
 *
 * Others unlink and make files of that name without asking for locks: the inode tells whether the
 * record speaks of the file that is there. A process that has got a lock starts over if the file
 * has lost its name meanwhile.
 *
 * No lock is waited for: any program may be stopped with it, and forks of this one may wait for the
 * caller. A file that has a marker's name, but is not this user's, no plain file or no record of a
 * segment with that marker, is no marker: then it is as if locks were not supported, and a segment
 * is made without one. */
#include "segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#if POSIX_LINUX
#include <dirent.h>
#endif

#include "hash.h"
#include "killpoint.h"

#define MARKER_PREFIX "mproc-"
enum { MARKER_DIGITS = 16, MARKER_LENGTH = sizeof MARKER_PREFIX - 1 + MARKER_DIGITS };

typedef struct record {
    char magic[8];
    uint64_t inode; /* 0: not made yet */
    char name[OS_SEGMENT_NAME];
} record;
static const char magic[8] = "mproc 1";

const char os_segment_prefix[] = "psm_";
#if defined(__APPLE__)
const size_t os_segment_longest = 30;
#else
const size_t os_segment_longest = OS_SEGMENT_NAME - 1;
#endif

static bool is_marker(const char *name)
{
    const size_t prefix = sizeof MARKER_PREFIX - 1;
    return strlen(name) == MARKER_LENGTH && !memcmp(name, MARKER_PREFIX, prefix) &&
           strspn(name + prefix, "0123456789abcdef") == MARKER_DIGITS;
}

bool os_segment_allows(const char *name)
{
    return !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..") && !is_marker(name);
}

/* ---- markers ---- */

static void marker_name(const char *name, char marker[MARKER_LENGTH + 1])
{
    snprintf(marker, MARKER_LENGTH + 1, MARKER_PREFIX "%016llx",
             (unsigned long long)hash_text(name, HASH_SEED));
}

/* What stands at a marker's name and cannot be one: of another user, a folder, a link. */
static bool is_foreign(int failure)
{
    return failure == EACCES || failure == EPERM || failure == EISDIR || failure == ELOOP ||
           failure == ENXIO;
}

static int marker_open(const char *marker, int flags)
{
    int fd = posix_raise(segment_file_open(marker, O_RDWR | flags));
    if (fd < 0 && is_foreign(errno))
        errno = ENOTSUP;
    if (fd < 0 || segment_file_is_ours(fd))
        return fd;
    close(fd);
    errno = ENOTSUP;
    return -1;
}

/* Opens and locks it; -1 with errno. EWOULDBLOCK: another process changes something; ENOTSUP: there
 * can be no marker. */
static int marker_lock(const char *marker, int flags)
{
    for (;;) {
        int fd = marker_open(marker, flags);
        if (fd < 0)
            return -1;
        killpoint();
        int failure = segment_file_lock(fd, LOCK_EX);
        if (!failure && segment_file_is_current(fd, marker))
            return fd;
        close(fd);
        if (failure == ENOTSUP)
            segment_file_remove(marker); /* it would stand for nothing */
        if (failure) {
            errno = failure;
            return -1;
        }
    }
}

/* False: it is no record of a segment that has this marker. */
static bool read_record(int fd, const char *marker, record *told)
{
    char named[MARKER_LENGTH + 1];
    if (pread(fd, told, sizeof *told, 0) != (ssize_t)sizeof *told ||
        memcmp(told->magic, magic, sizeof magic) || !memchr(told->name, '\0', OS_SEGMENT_NAME) ||
        !*told->name || !os_segment_allows(told->name))
        return false;
    marker_name(told->name, named);
    return !strcmp(named, marker);
}

static int write_record(int marker, const record *told)
{
    if (marker < 0)
        return 0;
    ssize_t written = pwrite(marker, told, sizeof *told, 0);
    return written == (ssize_t)sizeof *told ? 0 : written < 0 ? errno : ENOSPC;
}

static bool speaks_of(const record *told, const struct stat *segment)
{
    return told->inode ? told->inode == (uint64_t)segment->st_ino : segment->st_size == 0;
}

/* Removes the segment that a locked marker stands for, if it is dead. 0: the marker stands for
 * nothing (any more); EEXIST: for a segment in use; ENOTSUP: it is no marker; or an errno. */
static int settle(int fd, const char *marker)
{
    record told;
    struct stat own, facts;
    if (fstat(fd, &own))
        return errno;
    if (!read_record(fd, marker, &told))
        return own.st_size == 0 ? 0 : ENOTSUP;
    int segment = posix_raise(segment_file_open(told.name, O_RDONLY));
    if (segment < 0)
        return errno == ENOENT ? 0 : errno;
    int failure = 0;
    /* A marker must not talk us into removing what another user has put in the segment's place. */
    if (fstat(segment, &facts))
        failure = errno;
    else if (segment_file_is_ours(segment) && speaks_of(&told, &facts)) {
        if (!segment_file_is_free(segment))
            failure = EEXIST;
        else if (segment_file_is_current(segment, told.name))
            failure = segment_file_remove(told.name);
        killpoint();
    }
    segment_file_unlock(segment);
    return failure == ENOENT ? 0 : failure;
}

/* 0: it stands for nothing, and is removed; ENOENT; EWOULDBLOCK: another process is at it; or why
 * it has been left alone. */
static int sweep_marker(const char *name)
{
    int marker = marker_lock(name, 0);
    if (marker < 0)
        return errno;
    int failure = settle(marker, name);
    if (!failure)
        segment_file_remove(name);
    killpoint();
    segment_file_unlock(marker);
    return failure;
}

/* Locks the marker if there is one; else it is -1. 0, EWOULDBLOCK, or why it cannot be known. */
static int find_marker(const char *name, int *marker)
{
    char file[MARKER_LENGTH + 1];
    marker_name(name, file);
    *marker = marker_lock(file, 0);
    return *marker >= 0 || errno == ENOENT || errno == ENOTSUP ? 0 : errno;
}

static void remove_marker_of(const os_segment *segment, int marker)
{
    char file[MARKER_LENGTH + 1];
    record told;
    marker_name(segment->name, file);
    if (marker >= 0 && read_record(marker, file, &told) &&
        told.inode == segment_file_inode((int)segment->object))
        segment_file_remove(file);
    killpoint();
}

/* ---- segments ---- */

/* Would a file of this size raise SIGXFSZ, or be more than there is? To ask for the latter costs
 * more than a small one. */
static int check_size(uint64_t size)
{
    const uint64_t small = UINT64_C(1) << 20;
    struct rlimit limit;
    if (size > (uint64_t)INT64_MAX || (size > small && size > os_memory_limit()))
        return ENOMEM;
    const uint64_t largest = size > sizeof(record) ? size : sizeof(record);
    return !getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY &&
                   largest > (uint64_t)limit.rlim_cur
               ? EFBIG
               : 0;
}

/* The steps 2 to 5. The marker is locked, or -1: then a kill leaves what it leaves. */
static int make_named(int marker, const char *name, int *made)
{
    record told = {.inode = 0};
    memcpy(told.magic, magic, sizeof magic);
    memcpy(told.name, name, strlen(name) + 1);
    int failure = write_record(marker, &told);
    killpoint();
    if (failure)
        return failure;
    int fd = segment_file_open(name, O_RDWR | O_CREAT | O_EXCL);
    if (fd < 0)
        return errno;
    killpoint();
    fd = posix_raise(fd);
    if (fd < 0) {
        failure = errno;
        segment_file_remove(name);
        return failure;
    }
    told.inode = segment_file_inode(fd);
    failure = segment_file_use(fd);
    if (!failure)
        failure = write_record(marker, &told);
    killpoint();
    if (failure) {
        segment_file_remove(name);
        close(fd);
        return failure;
    }
    *made = fd;
    return 0;
}

static int make_marked(const char *name, int *fd)
{
    char file[MARKER_LENGTH + 1];
    marker_name(name, file);
    int marker = marker_lock(file, O_CREAT);
    int failure = marker < 0 ? errno : settle(marker, file);
    if (!failure && (failure = make_named(marker, name, fd)))
        segment_file_remove(file);
    segment_file_unlock(marker);
    return failure == ENOTSUP ? make_named(-1, name, fd) : failure;
}

static mproc_err error_of(int failure)
{
    return failure == EWOULDBLOCK ? MPROC_ETIMEDOUT : posix_error(failure);
}

static mproc_err map(os_segment *segment)
{
    void *base = mmap(NULL, (size_t)segment->size, PROT_READ | PROT_WRITE, MAP_SHARED,
                      (int)segment->object, 0);
    if (base == MAP_FAILED)
        return posix_error(errno);
    segment->base = base;
    return MPROC_OK;
}

static mproc_err commit(const os_segment *segment)
{
    const os_shared bytes = {segment->base, segment->size, segment->object};
    mproc_err err = os_shared_commit(&bytes, 0, segment->size);
    killpoint();
    return err;
}

/* On Linux the committed file gets its size at the end: nobody who opens it sees bytes that are not
 * there. Elsewhere the size can be set but once, and before. */
static mproc_err fill(os_segment *segment)
{
#if POSIX_LINUX
    mproc_err err = commit(segment);
    return err ? err : map(segment);
#else
    if (ftruncate((int)segment->object, (off_t)segment->size))
        return posix_error(errno);
    killpoint();
    mproc_err err = map(segment);
    if (err || !(err = commit(segment)))
        return err;
    munmap(segment->base, (size_t)segment->size);
    return err;
#endif
}

mproc_err os_segment_create(os_segment *segment, const char *name, uint64_t size)
{
    int fd = -1, failure = check_size(size);
    if (!failure)
        failure = make_marked(name, &fd);
    if (failure)
        return error_of(failure);
    os_segment made = {.size = size, .object = fd};
    memcpy(made.name, name, strlen(name) + 1);
    mproc_err err = fill(&made);
    if (err) {
        int number = mproc_os_error();
        os_segment_unlink(&made);
        error_remember(number);
        close(fd);
        return err;
    }
    *segment = made;
    return MPROC_OK;
}

/* Open and in use by us; -1 with errno. */
static int open_locked(const char *name)
{
    for (;;) {
        int fd = posix_raise(segment_file_open(name, O_RDWR));
        if (fd < 0)
            return -1;
        int failure = segment_file_use(fd);
        if (!failure && segment_file_is_current(fd, name))
            return fd;
        close(fd);
        if (failure) {
            errno = failure;
            return -1;
        }
    }
}

mproc_err os_segment_settle(const char *name)
{
    char marker[MARKER_LENGTH + 1];
    marker_name(name, marker);
    return sweep_marker(marker) == EWOULDBLOCK ? MPROC_ETIMEDOUT : MPROC_OK;
}

mproc_err os_segment_open(os_segment *segment, const char *name, uint64_t least)
{
    struct stat facts;
    int fd = open_locked(name);
    if (fd < 0 || fstat(fd, &facts)) {
        mproc_err err = error_of(errno);
        os_handle_close(fd);
        return err;
    }
    os_segment opened = {.size = (uint64_t)facts.st_size, .object = fd};
    memcpy(opened.name, name, strlen(name) + 1);
    mproc_err err = MPROC_OK;
    if (opened.size == 0 || opened.size < least) {
        error_remember(ERANGE);
        err = MPROC_ERANGE;
    }
    if (!err)
        err = map(&opened);
    /* Python leaves holes. */
    if (!err && (uint64_t)facts.st_blocks * 512 < opened.size && (err = commit(&opened)))
        munmap(opened.base, (size_t)opened.size);
    if (err) {
        close(fd);
        return err;
    }
    *segment = opened;
    return MPROC_OK;
}

mproc_err os_segment_unlink(const os_segment *segment)
{
    int marker, failure = find_marker(segment->name, &marker);
    if (failure)
        return error_of(failure);
    failure = ENOENT;
    if (segment_file_is_current((int)segment->object, segment->name))
        failure = segment_file_remove(segment->name);
    killpoint();
    if (failure == 0 || failure == ENOENT)
        remove_marker_of(segment, marker);
    segment_file_unlock(marker);
    return failure ? posix_error(failure) : MPROC_OK;
}

mproc_err os_segment_keep(const os_segment *segment, bool forced)
{
    char file[MARKER_LENGTH + 1];
    int marker, failure = find_marker(segment->name, &marker);
    marker_name(segment->name, file);
    if (failure == EWOULDBLOCK && !forced)
        return MPROC_ETIMEDOUT;
    if (!failure)
        remove_marker_of(segment, marker);
    /* No lock, or no descriptor, is left to look at it with; it is ours by all odds. */
    else if (segment_file_is_current((int)segment->object, segment->name))
        segment_file_remove(file);
    segment_file_unlock(marker);
    return MPROC_OK;
}

void os_segment_close(os_segment *segment)
{
    munmap(segment->base, (size_t)segment->size);
    os_handle_close(segment->object);
    *segment = (os_segment){.object = OS_NO_HANDLE};
}

size_t os_segment_sweep(void)
{
    size_t left = 0;
#if POSIX_LINUX
    int fd = posix_raise(open(SEGMENT_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        os_handle_close(fd);
        return 0;
    }
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        const int failure = is_marker(entry->d_name) ? sweep_marker(entry->d_name) : 0;
        left += failure && failure != ENOENT;
    }
    closedir(folder);
#endif
    return left;
}
