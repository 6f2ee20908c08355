/* A recursive lock among threads and processes that survives its holders. */
#ifndef MPROC_RLOCK_H
#define MPROC_RLOCK_H

#include <stdint.h>

#include <mproc/error.h>

MPROC_BEGIN

/* A value, as mproc_lock. */
typedef struct mproc_rlock {
    uint64_t id;
} mproc_rlock;

/* Makes a recursive lock that nobody holds; otherwise as mproc_lock_create.
 *
 * **Returns** as mproc_lock_create.
 * **Ownership**: the family's, until mproc_rlock_destroy.
 * **Threads**: safe.
 * *Like* `multiprocessing.RLock()`. */
MPROC_API mproc_err mproc_rlock_create(mproc_rlock *rlock);

/* Takes the lock, at once when the calling thread holds it already. It belongs to that thread until
 * it has been released as often as it was taken.
 *
 * **Returns** as mproc_lock_acquire; MPROC_ERANGE: taken four thousand million times; MPROC_EAGAIN
 * also when 16,777,216 threads of this process live that have ever taken a recursive lock, or have
 * ended while they held one.
 * **Threads**: safe; threads and processes wait alike. A thread that ends while holding it is not
 * noticed as long as its process lives, and no other thread is ever taken for that one.
 * *Like* `RLock.acquire(block, timeout)`. */
MPROC_API mproc_err mproc_rlock_acquire(mproc_rlock rlock, int timeout_ms);

/* Lets go of it once.
 *
 * **Returns** MPROC_OK; MPROC_ENOTOWNER: the calling thread does not hold it; MPROC_ESTALE,
 * MPROC_ESTATE, MPROC_EGUARD as mproc_lock_release.
 * **Threads**: safe.
 * *Like* `RLock.release()`. */
MPROC_API mproc_err mproc_rlock_release(mproc_rlock rlock);

/* As mproc_lock_mark_consistent, for the thread that holds it. */
MPROC_API mproc_err mproc_rlock_mark_consistent(mproc_rlock rlock);

/* As mproc_lock_destroy. */
MPROC_API mproc_err mproc_rlock_destroy(mproc_rlock rlock);

MPROC_END

#endif
