/* A flag that threads and processes wait for. */
#ifndef MPROC_EVENT_H
#define MPROC_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include <mproc/error.h>

MPROC_BEGIN

/* A value, as mproc_lock. */
typedef struct mproc_event {
    uint64_t id;
} mproc_event;

/* Makes an event that is not set.
 *
 * **Returns** as mproc_lock_create.
 * **Ownership**: the family's, until mproc_event_destroy.
 * **Threads**: safe.
 * *Like* `multiprocessing.Event()`. */
MPROC_API mproc_err mproc_event_create(mproc_event *event);

/* Sets it and wakes all who wait. Those who waited then are released even when it is cleared at
 * once. Again is fine.
 *
 * **Returns** MPROC_OK; MPROC_ESTALE: destroyed, or no event; MPROC_ESTATE, MPROC_EGUARD as
 * mproc_lock_create.
 * **Threads**: safe.
 * *Like* `Event.set()`. */
MPROC_API mproc_err mproc_event_set(mproc_event event);

/* Clears it: later waits wait. **Returns** as mproc_event_set. *Like* `Event.clear()`. */
MPROC_API mproc_err mproc_event_clear(mproc_event event);

/* Whether it is set; false also when there is no such event. One load. *Like* `Event.is_set()`. */
MPROC_API bool mproc_event_is_set(mproc_event event);

/* Waits until it is set.
 *
 * timeout_ms  milliseconds; MPROC_FOREVER; 0: does not wait.
 *
 * **Returns** MPROC_OK: it is set, or was while this call waited; MPROC_ETIMEDOUT: it is not;
 * MPROC_ESTALE: destroyed, also while waiting, or no event; MPROC_EINVAL: a negative time-out
 * other than MPROC_FOREVER; MPROC_EINTR, MPROC_EAGAIN, MPROC_ESTATE, MPROC_EGUARD as
 * mproc_lock_acquire.
 * **Threads**: safe; threads and processes wait alike.
 * *Like* `Event.wait(timeout)`. */
MPROC_API mproc_err mproc_event_wait(mproc_event event, int timeout_ms);

/* As mproc_lock_destroy. */
MPROC_API mproc_err mproc_event_destroy(mproc_event event);

MPROC_END

#endif
