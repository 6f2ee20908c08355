/* The files behind segments, by name: how they are opened, removed and locked. Failures are errno. */
#ifndef MPROC_POSIX_SEGMENT_FILE_H
#define MPROC_POSIX_SEGMENT_FILE_H

#include "posix.h"

#if POSIX_LINUX
#define SEGMENT_FOLDER "/dev/shm" /* where they lie, to be listed */
#endif

int segment_file_open(const char *name, int flags); /* -1 with errno */
int segment_file_remove(const char *name);
bool segment_file_is_current(int fd, const char *name); /* it has not lost its name */
uint64_t segment_file_inode(int fd);

bool segment_file_is_ours(int fd); /* a plain file of this user */

/* LOCK_SH or LOCK_EX. EWOULDBLOCK: another process has it, and may be stopped, so nobody waits for
 * it here; ENOTSUP: this system does not lock shared memory. */
int segment_file_lock(int fd, int how);
int segment_file_use(int fd);      /* a shared lock, where there are any */
void segment_file_unlock(int fd);  /* and closes it; -1 is fine */
bool segment_file_is_free(int fd); /* nobody else uses it; it is locked then */

#endif
