/* Queues among processes and threads: messages of bytes, first in, first out. */
#ifndef MPROC_QUEUE_H
#define MPROC_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mproc/error.h>

MPROC_BEGIN

/* A value, as mproc_lock. */
typedef struct mproc_queue {
    uint64_t id;
} mproc_queue;

typedef struct mproc_queue_options {
    size_t
        max_items; /* how many may wait in it, at most 2^31; default: as many as there is memory for */
} mproc_queue_options;

/* One message of several. */
typedef struct mproc_message {
    const void *data;
    size_t size;
} mproc_message;

/* A message in shared memory, held by this process: to be written and sent, or received and read.
 * It ends with its process, and with mproc_queue_commit or mproc_loan_release. */
typedef struct mproc_loan {
    void *data;
    size_t size;
    uint64_t id; /* the library's own */
} mproc_loan;

/* Makes an empty queue.
 *
 * options  may be NULL.
 *
 * **Returns** as mproc_lock_create; and MPROC_EINVAL: more than 2^31 items.
 * **Ownership**: the family's, until mproc_queue_destroy.
 * **Threads**: safe.
 * *Like* `multiprocessing.JoinableQueue(maxsize)`. There is no feeder thread: a put has happened
 * when it returns, and what has been put stays although its sender ends. */
MPROC_API mproc_err mproc_queue_create(mproc_queue *queue, const mproc_queue_options *options);

/* Appends a copy of a message, of any size; an empty one is real, too.
 *
 * data        may be NULL with size 0.
 * timeout_ms  milliseconds to wait for room in a bounded queue; MPROC_FOREVER; 0: does not wait.
 *
 * A process that is killed in here has put the message or has not; never a part of it.
 *
 * **Returns** MPROC_OK; MPROC_EFULL: full, also after the time-out; MPROC_ECLOSED; MPROC_ENOMEM: the
 * family's memory has no room for it, and never will as it is; MPROC_ESTALE: destroyed, also while
 * waiting, or no queue; MPROC_EINVAL: NULL with a size, a negative time-out other than
 * MPROC_FOREVER; MPROC_ETIMEDOUT: another process stands still in the midst of a put (for that it
 * waits a second at least, and with MPROC_FOREVER for ever); MPROC_EINTR, MPROC_EAGAIN, MPROC_ESTATE, MPROC_EGUARD as mproc_lock_acquire.
 * **Threads**: safe; producers and consumers do not hinder one another.
 * *Like* `Queue.put(item, block, timeout)`. */
MPROC_API mproc_err mproc_queue_put(mproc_queue queue, const void *data, size_t size,
                                    int timeout_ms);

/* Puts several, in their order, which nobody else's come between as long as there is room.
 *
 * done        receives how many have been put, also on failure; may be NULL.
 * timeout_ms  of the whole call.
 *
 * **Returns** as mproc_queue_put; MPROC_OK: all of them.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_queue_put_many(mproc_queue queue, const mproc_message *messages,
                                         size_t count, size_t *done, int timeout_ms);

/* Takes the oldest message.
 *
 * buffer      receives its bytes; may be NULL with capacity 0.
 * size        receives its size in bytes; may be NULL.
 * timeout_ms  milliseconds; MPROC_FOREVER; 0: does not wait.
 *
 * A process that is killed in here has taken the message or has not.
 *
 * **Returns** MPROC_OK; MPROC_EEMPTY: nothing there, also after the time-out; MPROC_ECLOSED: nothing
 * there, and closed; MPROC_EMSGSIZE: the buffer is too small: the message stays, and *size tells
 * what it needs; MPROC_EBROKEN: some process of the family has written where it must not, and what
 * lies there is no message: nothing can be taken any more; MPROC_ESTALE, MPROC_EINVAL,
 * MPROC_ETIMEDOUT, MPROC_EINTR, MPROC_EAGAIN, MPROC_ESTATE, MPROC_EGUARD as mproc_queue_put.
 * **Threads**: safe.
 * *Like* `Queue.get(block, timeout)`. */
MPROC_API mproc_err mproc_queue_get(mproc_queue queue, void *buffer, size_t capacity, size_t *size,
                                    int timeout_ms);

/* Takes as many messages as are there and fit, at least one; waits only for the first.
 *
 * buffer  receives their bytes, one message directly behind the other.
 * sizes   receives the size of each; room for `most`.
 * count   receives how many.
 *
 * **Returns** as mproc_queue_get; MPROC_EMSGSIZE: the first does not fit, and sizes[0] tells what it
 * needs.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_queue_get_many(mproc_queue queue, void *buffer, size_t capacity,
                                         size_t *sizes, size_t most, size_t *count, int timeout_ms);

/* Lends `size` bytes in shared memory to be written in place and sent by mproc_queue_commit.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: NULL or size 0; MPROC_ENOMEM; MPROC_ESTALE, MPROC_ECLOSED,
 * MPROC_ESTATE, MPROC_EGUARD as mproc_queue_put.
 * **Ownership**: the caller's, until it is sent or released; nobody else's business until then.
 * **Threads**: safe. The memory is undefined at first. */
MPROC_API mproc_err mproc_queue_reserve(mproc_queue queue, size_t size, mproc_loan *loan);

/* Sends what was lent, without a copy. loan->size may have been made smaller.
 *
 * **Returns** as mproc_queue_put. On success the loan has ended; on failure it has not.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_queue_commit(mproc_queue queue, mproc_loan *loan, int timeout_ms);

/* As mproc_queue_get, but leaves the message in shared memory: large ones are not copied.
 *
 * **Returns** as mproc_queue_get; and MPROC_ENOMEM: the message stays.
 * **Ownership**: the caller's, until mproc_loan_release.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_queue_get_loan(mproc_queue queue, mproc_loan *loan, int timeout_ms);

/* Gives a loan back that was received, or is not to be sent. All zeroes are fine. */
MPROC_API void mproc_loan_release(mproc_loan *loan);

/* How many messages wait in it; somebody may change that at once.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: NULL; MPROC_ESTALE, MPROC_ESTATE, MPROC_EGUARD as above.
 * **Threads**: safe.
 * *Like* `Queue.qsize()`, on every system. */
MPROC_API mproc_err mproc_queue_size(mproc_queue queue, size_t *items);

/* Whether nothing waits in it, or no more fits; false also when there is no such queue.
 * *Like* `Queue.empty()`, `Queue.full()`. */
MPROC_API bool mproc_queue_is_empty(mproc_queue queue);
MPROC_API bool mproc_queue_is_full(mproc_queue queue);

/* Takes nothing new from now on, in all processes. What is in it can still be taken; then, and for
 * those who wait, every get is MPROC_ECLOSED. Again is fine.
 *
 * **Returns** MPROC_OK; MPROC_ESTALE, MPROC_ESTATE, MPROC_EGUARD as above.
 * **Threads**: safe.
 * *Like* `queue.Queue.shutdown()`. */
MPROC_API mproc_err mproc_queue_close(mproc_queue queue);

/* Says that one message that was taken is done with.
 *
 * **Returns** MPROC_OK; MPROC_ERANGE: more often than messages were put; MPROC_ESTALE,
 * MPROC_ETIMEDOUT, MPROC_EINTR, MPROC_EAGAIN, MPROC_ESTATE, MPROC_EGUARD as mproc_queue_put.
 * **Threads**: safe.
 * *Like* `JoinableQueue.task_done()`. */
MPROC_API mproc_err mproc_queue_task_done(mproc_queue queue);

/* Waits until as many have been done as have been put. A message whose taker has died before it
 * said so is never done. It counts up to 4,294,967,295 messages that are not done.
 *
 * **Returns** MPROC_OK; MPROC_ETIMEDOUT; MPROC_ESTALE: destroyed, also while waiting, or no queue;
 * MPROC_EINVAL, MPROC_EINTR, MPROC_EAGAIN, MPROC_ESTATE, MPROC_EGUARD as mproc_lock_acquire.
 * **Threads**: safe.
 * *Like* `JoinableQueue.join()`. */
MPROC_API mproc_err mproc_queue_join(mproc_queue queue, int timeout_ms);

/* Ends the queue and all that is in it. Who waits gets MPROC_ESTALE, and so does every later call.
 * Waits for calls of others that are just copying, but not longer than a second: if one of them
 * stands still, the queue's memory is freed when this call goes on, or when its process has ended.
 *
 * **Returns** MPROC_OK; MPROC_ESTALE: destroyed before, or no queue; MPROC_ESTATE, MPROC_EGUARD as
 * above.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_queue_destroy(mproc_queue queue);

MPROC_END

#endif
