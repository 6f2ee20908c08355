/* A lock with a place to wait until somebody who holds it says that something has changed. */
#ifndef MPROC_CONDITION_H
#define MPROC_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#include <mproc/error.h>
#include <mproc/lock.h>
#include <mproc/rlock.h>

MPROC_BEGIN

/* A value, as mproc_lock. */
typedef struct mproc_condition {
    uint64_t id;
} mproc_condition;

/* At most one of them; several conditions may share it. None: a recursive lock of its own. */
typedef struct mproc_condition_options {
    mproc_lock lock;
    mproc_rlock rlock;
} mproc_condition_options;

typedef bool (*mproc_predicate)(void *context);

/* Makes a condition.
 *
 * options  NULL: a recursive lock of its own.
 *
 * **Returns** as mproc_lock_create; and MPROC_EINVAL: two locks given; MPROC_ESTALE: that lock does
 * not exist.
 * **Ownership**: the family's, until mproc_condition_destroy. A lock that was given stays its
 * maker's; destroy it after the condition.
 * **Threads**: safe.
 * *Like* `multiprocessing.Condition(lock)`. */
MPROC_API mproc_err mproc_condition_create(mproc_condition *condition,
                                           const mproc_condition_options *options);

/* Takes its lock. **Returns** as mproc_rlock_acquire, or mproc_lock_acquire when it was given a
 * plain one; MPROC_ESTALE also when only the lock is gone. *Like* `Condition.acquire()`. */
MPROC_API mproc_err mproc_condition_acquire(mproc_condition condition, int timeout_ms);

/* Lets go of its lock once. **Returns** as mproc_rlock_release or mproc_lock_release. *Like*
 * `Condition.release()`. */
MPROC_API mproc_err mproc_condition_release(mproc_condition condition);

/* Of its lock, as mproc_lock_mark_consistent. */
MPROC_API mproc_err mproc_condition_mark_consistent(mproc_condition condition);

/* Lets go of the lock, however often the calling thread has taken it, waits to be notified, and
 * takes the lock as often again.
 *
 * timeout_ms  milliseconds until it gives up being notified; MPROC_FOREVER; 0: lets go of the lock
 *             and takes it again. Taking it may last longer.
 *
 * A notification is for one thread that waits at that moment. One that is killed before it holds
 * the lock again hands it on to the next one. Rarely, when somebody was killed in the middle of
 * that, one thread too many is notified: so what was waited for is looked at afterwards, as in
 * mproc_condition_wait_for.
 *
 * **Returns** with the lock held again: MPROC_OK: notified; MPROC_ETIMEDOUT; MPROC_EOWNERDEAD: as
 * mproc_lock_acquire, whether notified or not; MPROC_EINTR: see mproc_options.interruptible;
 * MPROC_EAGAIN: 16383 threads of the family wait already, or too many sleep on a system without
 * futexes. With the lock as it was: MPROC_ENOTOWNER: the calling thread does not hold it, or for a
 * plain lock its process; MPROC_EINVAL: a negative time-out other than MPROC_FOREVER; MPROC_ESTATE:
 * this process is ending, or as mproc_lock_create; MPROC_EGUARD.
 * MPROC_ESTALE: destroyed, also while waiting, or no condition. A lock that it was given is held
 * again, unless that is gone, too; its own is gone with it.
 * **Threads**: safe; threads and processes wait alike.
 * *Like* `Condition.wait(timeout)`. */
MPROC_API mproc_err mproc_condition_wait(mproc_condition condition, int timeout_ms);

/* Waits until predicate(context) is true. It is called with the lock held, at first before any
 * waiting.
 *
 * timeout_ms  as above, for all of it; 0: does not let go of the lock.
 *
 * **Returns** MPROC_OK: it is true; MPROC_ETIMEDOUT: it is not; MPROC_EOWNERDEAD: somebody died
 * with the lock held, so that what the predicate looks at may be half-done: put that right, call
 * mproc_condition_mark_consistent, and wait again; MPROC_EINVAL: NULL, too; else as above.
 * **Threads**: safe.
 * *Like* `Condition.wait_for(predicate, timeout)`. */
MPROC_API mproc_err mproc_condition_wait_for(mproc_condition condition, mproc_predicate predicate,
                                             void *context, int timeout_ms);

/* Wakes n of those who wait, the oldest first, or all when they are less. They go on when the
 * caller lets go of the lock. Nothing is stored for those who wait later; it never waits for those
 * it wakes. 0 is fine.
 *
 * **Returns** MPROC_OK; MPROC_ENOTOWNER: the lock is not held, as above; MPROC_ESTALE, MPROC_ESTATE,
 * MPROC_EGUARD as above.
 * **Threads**: safe.
 * *Like* `Condition.notify(n)`. */
MPROC_API mproc_err mproc_condition_notify(mproc_condition condition, unsigned n);

/* Wakes all who wait; else as mproc_condition_notify. *Like* `Condition.notify_all()`. */
MPROC_API mproc_err mproc_condition_notify_all(mproc_condition condition);

/* As mproc_lock_destroy. A lock that it was given stays. */
MPROC_API mproc_err mproc_condition_destroy(mproc_condition condition);

MPROC_END

#endif
