/* Single tasks of a pool, and work that goes on while the program does something else. */
#ifndef MPROC_RESULT_H
#define MPROC_RESULT_H

#include <mproc/pool.h>

MPROC_BEGIN

/* What will have become of a task or of a map. */
typedef struct mproc_result mproc_result;

/* Runs one task and waits for it.
 *
 * input     `input_size` bytes, which are copied; NULL with 0: none.
 * reply     receives the reply, at most `capacity` bytes; NULL with 0: not wanted.
 * size      receives the reply's size in bytes; may be NULL.
 *
 * **Returns** MPROC_OK; MPROC_EMSGSIZE: the reply is larger than `capacity`: *size tells how large,
 * and it is lost; the errors of mproc_pool_apply_async and of mproc_result_get (after MPROC_EINTR
 * the task goes on).
 * **Threads**: safe.
 * *Like* `Pool.apply(func, args)`. */
MPROC_API mproc_err mproc_pool_apply(mproc_pool *pool, mproc_function function, const void *input,
                                     size_t input_size, void *reply, size_t capacity, size_t *size);

/* Called by a thread of the pool, one call at a time, never in a signal handler; those who wait for
 * the result, and mproc_pool_join, return after it. It may submit further tasks, wait for their
 * results, map and iterate. What needs the same thread it cannot wait for: a result with a callback,
 * that of an asynchronous map, and mproc_pool_join give MPROC_EDEADLK instead of hanging, and
 * mproc_pool_free does nothing. While it runs other callbacks wait, but no time-out does. */
typedef void (*mproc_callback)(void *context, const void *reply, size_t size);
typedef void (*mproc_error_callback)(void *context, const mproc_task_error *error);

typedef struct mproc_task_options {
    /* Milliseconds from its begin on a worker; 0: no limit. When they are over mproc_task_canceled
     * turns true, and the task fails with MPROC_ETIMEDOUT... */
    int timeout_ms;
    /* ...and its worker is killed and replaced when it has not returned after these; 0: at once;
     * MPROC_FOREVER: never. Also for mproc_result_cancel. */
    int grace_ms;
    mproc_callback callback;             /* after success */
    mproc_error_callback error_callback; /* after failure, also after a cancel */
    void *callback_context;              /* of both */
} mproc_task_options;

/* Submits one task; workers take them in the order of their submission.
 *
 * input    `input_size` bytes, copied before it returns; NULL with 0: none.
 * options  may be NULL.
 * result   receives what tells of its end. **Ownership**: the caller's, until mproc_result_free.
 *          NULL: nobody wants to know; without callbacks its failure is a warning in mproc's log then
 *          (mproc_log_to_stderr), when the pool is closed and joined at the latest.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: no function, a size without a pointer, a negative time-out;
 * MPROC_ENOMEM; MPROC_EIMAGE; MPROC_ECLOSED; MPROC_EBROKEN; MPROC_ESTATE: a pool of another process;
 * MPROC_EAGAIN: the pool's thread cannot be started, or as mproc_pool_map.
 * **Threads**: safe.
 * *Like* `Pool.apply_async(func, args, callback=..., error_callback=...)`. */
MPROC_API mproc_err mproc_pool_apply_async(mproc_pool *pool, mproc_function function,
                                           const void *input, size_t input_size,
                                           const mproc_task_options *options,
                                           mproc_result **result);

/* As mproc_pool_map, but returns at once: the items have been copied then, unless they lie in shared
 * memory, which must stay until the result is ready. What receives results and failures must live
 * until then, too, and is complete then; the progress callback and those of `task` are called by a
 * thread of the pool. The map's errors are the result's.
 *
 * task  its callbacks get all results at once, or the first failure; its timeout_ms and grace_ms are
 *       0, for those of mproc_map_options count; may be NULL.
 *
 * **Returns** as mproc_pool_apply_async; MPROC_EINVAL: also a limit in `task`; MPROC_ERANGE: count
 * times size overflows.
 * **Threads**: safe.
 * *Like* `Pool.map_async(func, iterable, chunksize, callback, error_callback)`. */
MPROC_API mproc_err mproc_pool_map_async(mproc_pool *pool, mproc_function function,
                                         const void *items, size_t item_size, size_t count,
                                         void *results, size_t result_size,
                                         const mproc_map_options *options,
                                         const mproc_task_options *task, mproc_result **result);

/* Likewise of mproc_pool_map_bytes; *results is written before the result is ready. */
MPROC_API mproc_err mproc_pool_map_bytes_async(mproc_pool *pool, mproc_function function,
                                               const mproc_bytes *items, size_t count,
                                               mproc_results **results,
                                               const mproc_map_options *options,
                                               const mproc_task_options *task,
                                               mproc_result **result);

/* Waits for the end.
 *
 * reply, size  receive the reply, aligned for any type; of a map all its results. Either may be NULL.
 *              **Ownership**: they live as long as the result.
 *
 * **Returns** MPROC_OK; MPROC_ETIMEDOUT: not ready yet, or the task ran for too long itself (then it
 * is ready, see mproc_result_ready); the task's error, see mproc_task_error; of a map the error of
 * the failed item with the lowest index; MPROC_ECANCELED: also when the pool was terminated;
 * MPROC_EBROKEN: the pool broke meanwhile; MPROC_EINTR; MPROC_EAGAIN: no room for one more sleeper;
 * MPROC_EDEADLK: in a callback of the same pool, and it has callbacks, or is of a map (not when it
 * is ready); MPROC_ESTATE: of another process; MPROC_EINVAL.
 * **Threads**: safe; any number may wait for the same.
 * *Like* `AsyncResult.get(timeout)`. */
MPROC_API mproc_err mproc_result_get(mproc_result *result, int timeout_ms, const void **reply,
                                     size_t *size);

/* Waits for the end, whatever it is.
 * **Returns** MPROC_OK: it is ready; MPROC_ETIMEDOUT, MPROC_EINTR, MPROC_EAGAIN, MPROC_EDEADLK,
 * MPROC_ESTATE, MPROC_EINVAL as mproc_result_get. **Threads**: safe. *Like* `AsyncResult.wait(timeout)`. */
MPROC_API mproc_err mproc_result_wait(mproc_result *result, int timeout_ms);

/* Whether it has ended and its callback has run. false for NULL.
 * **Threads**: safe. *Like* `AsyncResult.ready()`. */
MPROC_API bool mproc_result_ready(mproc_result *result);

/* Whether it has ended well.
 * **Returns** MPROC_OK with *successful; MPROC_ESTATE: not ready yet; MPROC_EINVAL.
 * **Threads**: safe. *Like* `AsyncResult.successful()`. */
MPROC_API mproc_err mproc_result_successful(mproc_result *result, bool *successful);

/* Why it failed; of a map its failed item with the lowest index.
 * **Returns** MPROC_OK with *error (err is MPROC_OK when it did not fail); MPROC_ESTATE: not ready
 * yet; MPROC_EINVAL. **Threads**: safe. */
MPROC_API mproc_err mproc_result_error(mproc_result *result, mproc_task_error *error);

/* A task that has not begun never will; one that runs is told by mproc_task_canceled, and its worker
 * is killed and replaced after mproc_task_options.grace_ms: at once if that is 0, the default. Of a
 * map: all of its items, and nothing of it is delivered. Items that lie in shared memory may be read
 * until those that run have ended.
 *
 * **Returns** MPROC_OK: the result is MPROC_ECANCELED; MPROC_ESTATE: it had ended before, or belongs
 * to another process; MPROC_EINVAL. **Threads**: safe. */
MPROC_API mproc_err mproc_result_cancel(mproc_result *result);

/* Its task goes on. NULL is fine.
 * **Threads**: no other thread may still use the result. Before or after mproc_pool_free. */
MPROC_API void mproc_result_free(mproc_result *result);

MPROC_END

#endif
