/* A lock among threads and processes that survives its holders. */
#ifndef MPROC_LOCK_H
#define MPROC_LOCK_H

#include <stdint.h>

#include <mproc/error.h>

MPROC_BEGIN

/* A value: copy it into arguments, messages and shared memory; it names the same lock in every
 * process of the family. All zeroes name none. After mproc_lock_destroy it names nothing for ever: no
 * later object has the same handle. */
typedef struct mproc_lock {
    uint64_t id;
} mproc_lock;

/* Makes a lock that nobody holds.
 *
 * lock  receives it. When that lies in shared memory, a process that is killed in here leaves
 *       either a lock or a handle that is MPROC_ESTALE there.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: NULL; MPROC_ENOMEM: no memory, or the family has made as many
 * shared objects as its handles can tell apart (a million in each of the places that it can have at
 * once: 4,000,000,000,000, by default); MPROC_ESTATE: in a child of the program's own fork; MPROC_EGUARD: in a spawned child that went past the guard.
 * **Ownership**: the family's; it stays until mproc_lock_destroy, also when its maker ends.
 * **Threads**: safe.
 * *Like* `multiprocessing.Lock()`. */
MPROC_API mproc_err mproc_lock_create(mproc_lock *lock);

/* Waits until nobody holds the lock and takes it. It is not recursive: who takes it twice waits for
 * himself.
 *
 * timeout_ms  milliseconds; MPROC_FOREVER; 0: does not wait.
 *
 * **Returns** MPROC_OK: held; MPROC_EOWNERDEAD: held as well, but a holder has died or ended
 * without releasing it, so that what it protects may be half-done: put that right, then call
 * mproc_lock_mark_consistent; until somebody does, everyone who takes it gets this code;
 * MPROC_ETIMEDOUT; MPROC_ESTALE: destroyed, also while waiting, or no lock; MPROC_EINVAL: a
 * negative time-out other than MPROC_FOREVER; MPROC_EINTR: see mproc_options.interruptible;
 * MPROC_EAGAIN: too many sleepers on a system without futexes; MPROC_ESTATE, MPROC_EGUARD as
 * above.
 * **Threads**: safe; threads and processes wait alike. Without waiting it makes no system call. A
 * thread that ends while holding it is not noticed as long as its process lives.
 * *Like* `Lock.acquire(block, timeout)`. */
MPROC_API mproc_err mproc_lock_acquire(mproc_lock lock, int timeout_ms);

/* Lets go of the lock. Any thread of any process may do it, as in Python.
 *
 * **Returns** MPROC_OK; MPROC_ENOTOWNER: nobody holds it; MPROC_ESTALE, MPROC_ESTATE, MPROC_EGUARD
 * as above.
 * **Threads**: safe.
 * *Like* `Lock.release()`. */
MPROC_API mproc_err mproc_lock_release(mproc_lock lock);

/* Says that what the lock protects is right again, after MPROC_EOWNERDEAD. Without need it does
 * nothing.
 *
 * **Returns** MPROC_OK; MPROC_ENOTOWNER: this process does not hold it; MPROC_ESTALE, MPROC_ESTATE,
 * MPROC_EGUARD as above.
 * **Threads**: safe.
 * Python has nothing like it: there a dead holder keeps the lock for ever. */
MPROC_API mproc_err mproc_lock_mark_consistent(mproc_lock lock);

/* Ends the lock, held or not. Who waits for it gets MPROC_ESTALE, and so does every later call.
 *
 * **Returns** MPROC_OK; MPROC_ESTALE: destroyed before, or no lock; MPROC_ESTATE, MPROC_EGUARD as
 * above.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_lock_destroy(mproc_lock lock);

MPROC_END

#endif
