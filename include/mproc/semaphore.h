/* A counting semaphore among threads and processes. */
#ifndef MPROC_SEMAPHORE_H
#define MPROC_SEMAPHORE_H

#include <stdint.h>

#include <mproc/error.h>

MPROC_BEGIN

#define MPROC_SEMAPHORE_MAX 2147483647u

/* A value, as mproc_lock. */
typedef struct mproc_semaphore {
    uint64_t id;
} mproc_semaphore;

/* Makes a semaphore.
 *
 * value    what it counts at first, at most MPROC_SEMAPHORE_MAX.
 * maximum  beyond which no release raises it; 0: unbounded, which is MPROC_SEMAPHORE_MAX.
 *
 * **Returns** as mproc_lock_create; and MPROC_EINVAL: a value above the maximum, a maximum above
 * MPROC_SEMAPHORE_MAX.
 * **Ownership**: the family's, until mproc_semaphore_destroy.
 * **Threads**: safe.
 * *Like* `multiprocessing.Semaphore(value)`; with maximum = value, `BoundedSemaphore(value)`. */
MPROC_API mproc_err mproc_semaphore_create(mproc_semaphore *semaphore, unsigned value,
                                           unsigned maximum);

/* Waits until the semaphore counts more than 0 and takes one.
 *
 * timeout_ms  milliseconds; MPROC_FOREVER; 0: does not wait.
 *
 * A semaphore has no owner: what a process has taken and not given back is lost when it dies, as
 * in Python. Whoever needs it back uses a lock. A process that dies while it waits takes nothing
 * with it.
 *
 * **Returns** MPROC_OK; MPROC_ETIMEDOUT; MPROC_ESTALE: destroyed, also while waiting, or no
 * semaphore; MPROC_EINVAL: a negative time-out other than MPROC_FOREVER; MPROC_EINTR,
 * MPROC_EAGAIN, MPROC_ESTATE, MPROC_EGUARD as mproc_lock_acquire.
 * **Threads**: safe; threads and processes wait alike. Without waiting it makes no system call.
 * *Like* `Semaphore.acquire(block, timeout)`. */
MPROC_API mproc_err mproc_semaphore_acquire(mproc_semaphore semaphore, int timeout_ms);

/* Gives one back, or adds one.
 *
 * **Returns** MPROC_OK; MPROC_ERANGE: it counts its maximum already, and stays so; MPROC_ESTALE,
 * MPROC_ESTATE, MPROC_EGUARD as above.
 * **Threads**: safe.
 * *Like* `Semaphore.release()`. */
MPROC_API mproc_err mproc_semaphore_release(mproc_semaphore semaphore);

/* Tells what it counts now; somebody may change that at once.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: NULL; MPROC_ESTALE, MPROC_ESTATE, MPROC_EGUARD as above.
 * **Threads**: safe.
 * *Like* `Semaphore.get_value()`, on every system. */
MPROC_API mproc_err mproc_semaphore_get_value(mproc_semaphore semaphore, unsigned *value);

/* As mproc_lock_destroy. */
MPROC_API mproc_err mproc_semaphore_destroy(mproc_semaphore semaphore);

MPROC_END

#endif
