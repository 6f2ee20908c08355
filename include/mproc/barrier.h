/* A point that threads and processes pass only together. */
#ifndef MPROC_BARRIER_H
#define MPROC_BARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mproc/error.h>
#include <mproc/process.h>

MPROC_BEGIN

#define MPROC_BARRIER_PARTIES_MAX 65535u

/* A value, as mproc_lock. */
typedef struct mproc_barrier {
    uint64_t id;
} mproc_barrier;

/* Every field may be 0. */
typedef struct mproc_barrier_options {
    /* Called once for each pass, by the party that came last, before any of them goes on; any
     * function of the program or of a library that it has loaded, as the target of a process. When
     * it does not return 0, the barrier breaks. It must not wait at the same barrier. */
    mproc_target action;
    const void *args; /* copied; the action gets a fresh copy each time */
    size_t args_size;
    /* Milliseconds, of waits that are called with MPROC_FOREVER; 0 and MPROC_FOREVER: none. */
    int timeout_ms;
} mproc_barrier_options;

/* Makes a barrier.
 *
 * parties  how many have to come, 1 to MPROC_BARRIER_PARTIES_MAX.
 * options  NULL: no action, no time-out.
 *
 * **Returns** as mproc_lock_create; and MPROC_EINVAL: a number of parties outside that range, a
 * size without a pointer, arguments without an action, a negative time-out other than
 * MPROC_FOREVER; MPROC_EIMAGE: the action lies in no loaded module.
 * **Ownership**: the family's, until mproc_barrier_destroy.
 * **Threads**: safe.
 * *Like* `multiprocessing.Barrier(parties, action, timeout)`. */
MPROC_API mproc_err mproc_barrier_create(mproc_barrier *barrier, unsigned parties,
                                         const mproc_barrier_options *options);

/* Waits until as many have come as the barrier has parties. Then all go on, and it is as new.
 *
 * timeout_ms  milliseconds; MPROC_FOREVER: the barrier's own; 0: goes on only if it is the last.
 *             The time that the action takes counts, too.
 * index       receives a number below the parties, another one for each of them, so that one can
 *             do what is to be done once; may be NULL.
 *
 * A barrier breaks when one leaves it before all have come: by a time-out or an error of its wait.
 * It also breaks when a process dies that has waited at it since the last reset, were it between
 * two passes; a process counts as dead when it ends otherwise than by returning from its target.
 * One that returns takes its leave and breaks nothing, unless another thread of it still waits
 * there.
 *
 * **Returns** MPROC_OK; MPROC_EBROKEN: the barrier is broken, or was reset while this call waited,
 * or its action has failed; MPROC_ETIMEDOUT: it is broken now; MPROC_ESTALE: destroyed, also while
 * waiting, or no barrier; MPROC_EINVAL: a negative time-out other than MPROC_FOREVER; MPROC_EINTR,
 * MPROC_EAGAIN as mproc_lock_acquire, and it is broken now; MPROC_EIMAGE, MPROC_ENOMEM: this
 * process came last and does not have the action, or no memory for its arguments, and it is broken
 * now; MPROC_ENOMEM: also before it began to wait; MPROC_ESTATE, MPROC_EGUARD as mproc_lock_create.
 * **Threads**: safe; threads and processes are parties alike. More of them than it has parties may
 * use it: those that come first pass together.
 * *Like* `Barrier.wait(timeout)`. */
MPROC_API mproc_err mproc_barrier_wait(mproc_barrier barrier, int timeout_ms, unsigned *index);

/* Breaks the barrier: who waits gets MPROC_EBROKEN, and so does every wait until it is reset.
 *
 * **Returns** MPROC_OK; MPROC_ESTALE: destroyed, or no barrier; MPROC_ESTATE, MPROC_EGUARD as
 * mproc_lock_create.
 * **Threads**: safe.
 * *Like* `Barrier.abort()`. */
MPROC_API mproc_err mproc_barrier_abort(mproc_barrier barrier);

/* Makes it as new, broken or not: who waits gets MPROC_EBROKEN, later waits wait for all parties
 * again. It forgets which processes have used it, so that their deaths do not matter any more.
 *
 * **Returns** as mproc_barrier_abort.
 * **Threads**: safe.
 * *Like* `Barrier.reset()`. */
MPROC_API mproc_err mproc_barrier_reset(mproc_barrier barrier);

/* Whether it is broken; false also when there is no such barrier. *Like* `Barrier.broken`. */
MPROC_API bool mproc_barrier_is_broken(mproc_barrier barrier);

/* Tells how many wait there now; somebody may change that at once. 0 when it is broken.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: NULL; MPROC_ESTALE, MPROC_ESTATE, MPROC_EGUARD as above.
 * **Threads**: safe.
 * *Like* `Barrier.n_waiting`. */
MPROC_API mproc_err mproc_barrier_n_waiting(mproc_barrier barrier, unsigned *count);

/* Tells how many have to come. **Returns** as mproc_barrier_n_waiting. *Like* `Barrier.parties`. */
MPROC_API mproc_err mproc_barrier_parties(mproc_barrier barrier, unsigned *parties);

/* As mproc_lock_destroy. */
MPROC_API mproc_err mproc_barrier_destroy(mproc_barrier barrier);

MPROC_END

#endif
