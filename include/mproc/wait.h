/* Waiting for any of many things at once. */
#ifndef MPROC_WAIT_H
#define MPROC_WAIT_H

#include <mproc/connection.h>
#include <mproc/process.h>
#include <mproc/queue.h>

MPROC_BEGIN

typedef enum mproc_waitable_kind {
    MPROC_WAITABLE_NONE = 0, /* is never ready: a place that is left out */
    /* recv would not block: a message, a part of one, or the end of file */
    MPROC_WAITABLE_CONNECTION = 1,
    MPROC_WAITABLE_PROCESS = 2, /* it has ended */
    MPROC_WAITABLE_QUEUE = 3,   /* get would not block: a message, or it is closed or destroyed */
    /* the program's own: a descriptor that becomes readable; Windows: a handle that is signalled */
    MPROC_WAITABLE_HANDLE = 4
} mproc_waitable_kind;

/* One thing to wait for: `kind` says which of the others counts. */
typedef struct mproc_waitable {
    mproc_waitable_kind kind;
    bool ready; /* receives */
    mproc_connection connection;
    mproc_process *process;
    mproc_queue queue;
    intptr_t handle;
} mproc_waitable;

/* Waits until at least one of them is ready, and tells of all that are. Takes nothing from any of
 * them: somebody else may do that at once.
 *
 * items       `count` of them, any number, also more than 64 on Windows; `ready` of each is written.
 * ready       receives how many are ready; may be NULL.
 * timeout_ms  milliseconds; MPROC_FOREVER; 0: does not wait.
 *
 * **Returns** MPROC_OK; MPROC_ETIMEDOUT: none is; MPROC_EINVAL: NULL with a count, an unknown kind,
 * a negative time-out other than MPROC_FOREVER, nothing to wait for without a time-out;
 * MPROC_ENOTHELD: a connection that this process does not hold; MPROC_EACCES: one that only writes;
 * MPROC_ESTATE: a process that has not been started, or of another process; MPROC_EINTR: see
 * mproc_options.interruptible; MPROC_EAGAIN: no descriptors left; MPROC_ENOMEM,
 * MPROC_EOS; MPROC_ESTATE also after a raw fork, and MPROC_EGUARD.
 * **Threads**: safe. The first wait for queues together with other things starts a thread.
 * *Like* `multiprocessing.connection.wait(object_list, timeout)`. */
MPROC_API mproc_err mproc_wait(mproc_waitable *items, size_t count, size_t *ready, int timeout_ms);

MPROC_END

#endif
