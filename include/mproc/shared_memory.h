/* Shared memory with a name, for programs that are not related. */
#ifndef MPROC_SHARED_MEMORY_H
#define MPROC_SHARED_MEMORY_H

#include <stddef.h>

#include <mproc/error.h>

MPROC_BEGIN

/* A segment that this process has created or opened. Every byte of it is the programs' own: there
 * is no header, and Python's `SharedMemory` of the same name is the same memory.
 *
 * Names. A name means the same segment to all programs of the machine (Windows: of the session).
 * Any text that is not empty; on POSIX one '/' at its beginning is no part of it, and no other may
 * stand in it; on Windows '\' stands only behind `Local` and `Global`. A name of up to 255 bytes
 * (macOS: 30) is given to the system as it is. A longer one is replaced by `mproc_` and 24
 * hexadecimal digits of its hash, by create and open alike: mproc_shared_memory_name tells what
 * other libraries have to ask for.
 *
 * Life. Unlike other handles of mproc these need no family: a program that only opens a segment
 * gets no arena and no slot. A segment lives until it is unlinked, and its memory until the last
 * process that has it open is done with it. One whose creator ends without closing it, killed or
 * not, is removed when the last process that has it open ends, too: at once when they are of a
 * family that goes on and no other program is looking at it just then, else when a program creates
 * the next segment or asks for this one. A creator
 * that closes it without unlinking leaves it there on purpose. A process made by a fork has open
 * what its parent had open, until it closes it or ends.
 *
 * **Platform**: Windows removes a segment when the last process has closed it or ended, whatever
 * was called before. On Linux users of other libraries, such as Python, keep a segment from being
 * removed as mproc's do, and where a system does not tell of them because it gives no leases,
 * nothing is removed; other systems do not tell of them. What nobody has open any more is found
 * under any name on Linux, elsewhere only when its own name is asked for; where shared memory
 * cannot be locked (macOS, FreeBSD) nothing is removed but by unlink. */
typedef struct mproc_shared_memory mproc_shared_memory;

/* Makes a new segment, zeroed, its memory committed: using it cannot fail later.
 *
 * memory  receives it, open. **Ownership**: the caller's, until mproc_shared_memory_close.
 * name    see above; copied. NULL: a fresh one, `psm_` (Windows: `wnsm_`) and 8 random hexadecimal
 *         digits.
 * size    in bytes, at least 1. That is what every opener sees, too; Windows shows it whole
 *         pages.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: no `memory`, size 0, a name that cannot be one; MPROC_EEXIST:
 * the name is in use; MPROC_ENOMEM: more than there is, or than a file may have (RLIMIT_FSIZE);
 * MPROC_EAGAIN: no descriptors left; MPROC_EACCES; MPROC_ENOENT: the system has no place for shared
 * memory; MPROC_ETIMEDOUT: another program has stood still for five seconds in the midst of making
 * or removing a segment of that name; MPROC_EOS. On failure no segment is left.
 * **Threads**: safe. Large ones take the time of touching every page. No fork waits for this call.
 * *Like* `SharedMemory(name, create=True, size=size)`. */
MPROC_API mproc_err mproc_shared_memory_create(mproc_shared_memory **memory, const char *name,
                                               size_t size);

/* Opens a segment that somebody has created, with mproc or without.
 *
 * memory  receives it. **Ownership**: the caller's, until mproc_shared_memory_close.
 * name    see above; copied.
 * least   how many bytes it must have; 0: any size. What it has, all of it is mapped.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: no `memory`, a name that cannot be one; MPROC_ENOENT: there
 * is none; MPROC_ERANGE: it is smaller than `least`, or has no bytes yet, because its creator is
 * just making it; MPROC_ENOMEM: no addresses left, or it was not committed by its creator and
 * cannot be; MPROC_EAGAIN: no descriptors left; MPROC_EACCES; MPROC_ETIMEDOUT: another program has
 * stood still for five seconds in the midst of looking whether it is in use; MPROC_EOS.
 * **Threads**: safe. The same segment may be opened several times, at addresses of its own.
 * *Like* `SharedMemory(name)`. */
MPROC_API mproc_err mproc_shared_memory_open(mproc_shared_memory **memory, const char *name,
                                             size_t least);

/* Its first byte, aligned to a page; NULL for NULL. Differs from process to process.
 * **Ownership**: lives until mproc_shared_memory_close. **Threads**: safe; what lies there is
 * shared without a lock, by threads and programs.
 * *Like* `SharedMemory.buf`. */
MPROC_API void *mproc_shared_memory_data(const mproc_shared_memory *memory);

/* In bytes; 0 for NULL. **Threads**: safe.
 * **Platform**: an opened segment has on Windows, and may have on macOS, more than was asked for
 * at its creation: whole pages.
 * *Like* `SharedMemory.size`. */
MPROC_API size_t mproc_shared_memory_size(const mproc_shared_memory *memory);

/* The name by which the system knows it; NULL for NULL.
 * **Ownership**: lives until mproc_shared_memory_close. **Threads**: safe.
 * *Like* `SharedMemory.name`. */
MPROC_API const char *mproc_shared_memory_name(const mproc_shared_memory *memory);

/* Takes the name away: nobody can open this segment any more, and the name is free for a new one.
 * Those who have it open go on using it, this process, too; it still has to be closed. Any of them
 * may unlink, once.
 *
 * **Returns** MPROC_OK; MPROC_ENOENT: it has been unlinked already, even if the name is in use
 * again; MPROC_EINVAL: NULL; MPROC_EACCES; MPROC_EAGAIN: no descriptors left; MPROC_ETIMEDOUT: as
 * mproc_shared_memory_create, and it has not been unlinked; MPROC_EOS.
 * **Threads**: safe.
 * **Platform**: Windows does nothing, as in Python, and returns MPROC_OK: there the name ends with
 * its last user.
 * *Like* `SharedMemory.unlink()`. */
MPROC_API mproc_err mproc_shared_memory_unlink(mproc_shared_memory *memory);

/* Unmaps it and frees the object. Closed by its creator without having been unlinked, the segment
 * stays, for others to open, until somebody unlinks it; the creator's forks are openers. To say
 * that it stays, its creator waits up to five seconds for another program that is just changing
 * something there; should that one stand still for longer and then go on, it may remove the
 * segment. NULL is fine.
 *
 * **Returns** MPROC_OK.
 * **Threads**: no other thread may still use the object or its bytes.
 * *Like* `SharedMemory.close()`. */
MPROC_API mproc_err mproc_shared_memory_close(mproc_shared_memory *memory);

MPROC_END

#endif
