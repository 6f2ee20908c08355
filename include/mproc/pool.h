/* A pool of worker processes. */
#ifndef MPROC_POOL_H
#define MPROC_POOL_H

#include <mproc/process.h>

MPROC_BEGIN

typedef struct mproc_pool mproc_pool;
typedef struct mproc_task mproc_task;
typedef struct mproc_results mproc_results;

/* What a worker runs for each item. **Returns** 0, or a failure code of the program's own. */
typedef int (*mproc_function)(mproc_task *task);

typedef struct mproc_bytes {
    const void *data;
    size_t size;
} mproc_bytes;

typedef struct mproc_pool_options {
    int workers; /* default: mproc_cpu_count(); at most 1024 */
    /* Run once in each worker before its first task; a result that is not 0 is a failed start. When
     * three workers in a row have ended before it had succeeded, the pool is broken. */
    mproc_target initializer;
    const void *initializer_args; /* copied */
    size_t initializer_args_size;
    /* What each worker is to hold, as in mproc_process_options; the array is copied. A worker that
     * replaces one which has ended gets them, too, and is not started when one has been closed here
     * meanwhile. */
    const mproc_connection *connections;
    size_t connection_count;
    mproc_start_method method; /* default: mproc_get_start_method() */
    const char *name;          /* of the workers, with "-1", "-2"...; default "Pool-1-worker" */
} mproc_pool_options;

#define MPROC_MESSAGE_SIZE 240

/* Why an item failed. */
typedef struct mproc_task_error {
    size_t index; /* of the item */
    /* MPROC_ETASK: the function said so; MPROC_ECRASHED: its worker ended; MPROC_EMSGSIZE: the
     * reply did not fit; MPROC_ENOMEM. */
    mproc_err err;
    int code;                         /* what the function returned; 0 when it did not return */
    long long pid;                    /* of the worker */
    mproc_exit_status status;         /* of the worker, with MPROC_ECRASHED */
    char message[MPROC_MESSAGE_SIZE]; /* of mproc_task_fail, or made by mproc; cut at a character */
} mproc_task_error;

/* Called from the thread that waits in map, at most ten times a second and once at the end. */
typedef void (*mproc_progress)(void *context, size_t done, size_t total, size_t failed);

typedef struct mproc_map_options {
    /* How many items make a unit, which is done by one worker; default 1, which is cheap here.
     * While much is left, a worker takes up to 16 units at once, a 64th of its share at most: those
     * wait when it is stopped. */
    size_t chunk_size;
    mproc_task_error *errors; /* receives the failures, by ascending index */
    size_t error_capacity;    /* of `errors`; the failures with the lowest indices are kept */
    size_t *error_count;      /* receives how many items failed, also beyond the capacity */
    mproc_progress progress;
    void *progress_context;
} mproc_map_options;

/* Starts the workers.
 *
 * pool     receives the pool. **Ownership**: the caller's, until mproc_pool_free.
 * options  may be NULL.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: negative or more than 1024 workers, a size without a pointer,
 * an unknown method; and the errors of mproc_process_create and mproc_process_start. On failure no
 * worker is left.
 * **Threads**: safe. Workers ignore Ctrl-C and end with their parent, however it ends.
 * *Like* `multiprocessing.Pool(processes, initializer, initargs)`. */
MPROC_API mproc_err mproc_pool_create(mproc_pool **pool, const mproc_pool_options *options);

/* Calls `function` for each item in the workers and waits for all of them, failed ones or not.
 *
 * items        `count` items of `item_size` bytes; copied unless they lie in shared memory.
 * results      receives the replies, `result_size` bytes each, zeroed where there is none; the
 *              replies of failed items are not written. NULL with 0: no replies.
 * options      may be NULL.
 *
 * A worker that crashes fails the item it was working on and is replaced; the others go on. One
 * that is stopped delays what it has taken, up to 16 units at once (see
 * mproc_map_options.chunk_size).
 *
 * **Returns** MPROC_OK: every item succeeded. Else the error of the failed item with the lowest
 * index (MPROC_ETASK, MPROC_ECRASHED, MPROC_EMSGSIZE, MPROC_ENOMEM; the results of the others are
 * written), or of the call: MPROC_EINVAL: no function, a size without a pointer, `item_size` 0 with
 * a count; MPROC_ERANGE: count times size overflows; MPROC_ENOMEM; MPROC_EIMAGE; MPROC_ECLOSED: the
 * pool is closed; MPROC_EBROKEN: workers cannot be started any more, or three in a row have ended
 * before their initializer had succeeded; MPROC_ECANCELED: terminated meanwhile;
 * MPROC_ESTATE: a pool of another process. `error_count` is written whenever the items ran.
 * **Threads**: safe; maps of several threads run one after the other.
 * *Like* `Pool.map(func, iterable, chunksize)`. */
MPROC_API mproc_err mproc_pool_map(mproc_pool *pool, mproc_function function, const void *items,
                                   size_t item_size, size_t count, void *results,
                                   size_t result_size, const mproc_map_options *options);

/* The same for items and replies of any size.
 *
 * results  receives an object with all replies, also when items failed; NULL: no replies.
 *          **Ownership**: the caller's, until mproc_results_free.
 * Otherwise as mproc_pool_map; an item's data may be NULL when its size is 0. */
MPROC_API mproc_err mproc_pool_map_bytes(mproc_pool *pool, mproc_function function,
                                         const mproc_bytes *items, size_t count,
                                         mproc_results **results, const mproc_map_options *options);

/* How many items there were; 0 for NULL. **Threads**: safe. */
MPROC_API size_t mproc_results_count(const mproc_results *results);

/* The reply to item `index`, or its error.
 *
 * reply, size  receive the bytes, aligned for any type; either may be NULL. A task without a reply
 *              has size 0.
 *
 * **Returns** MPROC_OK; the item's error; MPROC_ERANGE; MPROC_EINVAL.
 * **Ownership**: the bytes live as long as `results`. **Threads**: safe. */
MPROC_API mproc_err mproc_results_get(const mproc_results *results, size_t index,
                                      const void **reply, size_t *size);

/* NULL is fine. */
MPROC_API void mproc_results_free(mproc_results *results);

/* Takes no new work; workers end when the running map is done. Closing twice is fine.
 * **Returns** MPROC_OK; MPROC_ESTATE: a pool of another process; MPROC_EINVAL.
 * **Threads**: safe. *Like* `Pool.close()`. */
MPROC_API mproc_err mproc_pool_close(mproc_pool *pool);

/* Waits until all workers have ended.
 * **Returns** MPROC_OK; MPROC_ETIMEDOUT; MPROC_EINTR; MPROC_EAGAIN: no room for one more sleeper, on
 * a system without futexes; MPROC_ESTATE: neither closed nor terminated, or a pool of another
 * process; MPROC_EINVAL. **Threads**: safe. *Like* `Pool.join()`. */
MPROC_API mproc_err mproc_pool_join(mproc_pool *pool, int timeout_ms);

/* Ends all workers at once. A map that is running in another thread returns MPROC_ECANCELED.
 * **Returns** MPROC_OK; MPROC_ESTATE; MPROC_EINVAL. **Threads**: safe. *Like*
 * `Pool.terminate()`. */
MPROC_API mproc_err mproc_pool_terminate(mproc_pool *pool);

/* Terminates the pool if need be, waits for its workers and frees it. NULL is fine.
 * **Threads**: no other thread may still use the pool. */
MPROC_API void mproc_pool_free(mproc_pool *pool);

/* The item. `size` may be NULL. Read only; lives until the function returns. */
MPROC_API const void *mproc_task_input(const mproc_task *task, size_t *size);

/* The item's index. */
MPROC_API size_t mproc_task_index(const mproc_task *task);

/* Copies a reply, also from within the task's own reply buffer; a second one replaces the first.
 * **Returns** 0, or non-zero with the task failed (MPROC_EMSGSIZE: larger than the map's
 * result_size; MPROC_ENOMEM): `return mproc_task_reply(...)`. In a map without results it does
 * nothing. */
MPROC_API int mproc_task_reply(mproc_task *task, const void *data, size_t size);

/* Room for a reply of this size, aligned for any type when replies are of any size, to be written
 * in place: no copy. Counts as the reply when the function returns 0.
 * **Returns** NULL with the task failed, as mproc_task_reply. */
MPROC_API void *mproc_task_reply_buffer(mproc_task *task, size_t size);

/* Fails the task with a message in printf's format, cut to MPROC_MESSAGE_SIZE.
 * **Returns** -1: `return mproc_task_fail(task, "cannot open %s", path)`. */
MPROC_API int mproc_task_fail(mproc_task *task, const char *format, ...) MPROC_PRINTF(2, 3);

MPROC_END

#endif
