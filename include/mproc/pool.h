/* A pool of worker processes: its life, and maps. Single tasks and what does not wait stand in
 * result.h, replies one by one in iterator.h, what a task sees in task.h.
 *
 * A pool belongs to the process that made it, with its results and iterators: in a forked child each
 * call with them is MPROC_ESTATE or does nothing. A worker may make pools of its own. */
#ifndef MPROC_POOL_H
#define MPROC_POOL_H

#include <mproc/process.h>
#include <mproc/task.h>

MPROC_BEGIN

typedef struct mproc_pool mproc_pool;
typedef struct mproc_results mproc_results;

typedef struct mproc_bytes {
    const void *data;
    size_t size;
} mproc_bytes;

/* What becomes of a task whose worker crashes, or ends in its midst in any other way: it is killed,
 * it calls exit. One that the pool itself has killed, for a time-out or a cancel, does not count. */
typedef enum mproc_crash_policy {
    MPROC_CRASH_FAILS = 0, /* it fails with MPROC_ECRASHED */
    MPROC_CRASH_RETRIES,   /* it is run again, by another worker; see `retries` */
    MPROC_CRASH_BREAKS     /* it fails, and the pool is broken: all else is MPROC_EBROKEN */
} mproc_crash_policy;

typedef struct mproc_pool_options {
    int workers;     /* default: mproc_cpu_count(); at most 1024 */
    int max_workers; /* what mproc_pool_resize may ask for, at most 1024; default: `workers`, at
                      * least 64 */
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
    /* Of the workers, with "-1", "-2"...; copied, 50 bytes at most are kept; default
     * "Pool-1-worker". */
    const char *name;
    /* A worker is replaced after so many tasks; 0: never. A unit of a map counts as one, see
     * mproc_map_options.chunk_size. */
    unsigned max_tasks;
    /* A worker is replaced after the task that leaves it with more memory of its own than so many
     * bytes (shared memory does not count); 0: never. Looked at ten times a second at most. */
    size_t max_memory;
    mproc_crash_policy on_crash;
    /* How often a task is run again after crashes, with MPROC_CRASH_RETRIES; then it fails. Default
     * 1. What it did before the crash is done again: that must be harmless. */
    unsigned retries;
} mproc_pool_options;

/* How many items of a map are done, `failed` ones included. Called from the thread that waits in it,
 * at most ten times a second and once at the end. mproc_progress_bar_show is one (progress_bar.h). */
typedef void (*mproc_progress)(void *context, size_t done, size_t total, size_t failed);

typedef struct mproc_map_options {
    /* How many items make a unit, which is done by one worker; default 1, which is cheap here.
     * While much is left, a worker takes up to 16 units at once, a 64th of its share at most: those
     * wait when it is stopped. With `timeout_ms` it takes one at a time. What is lost with a worker
     * is done by others when they have done the rest. */
    size_t chunk_size;
    mproc_task_error *errors; /* receives the failures, by ascending index */
    size_t error_capacity;    /* of `errors`; the failures with the lowest indices are kept */
    size_t *error_count;      /* receives how many items failed, also beyond the capacity */
    mproc_progress progress;
    void *progress_context;
    /* Of each item, in milliseconds, as in mproc_task_options: it fails with MPROC_ETIMEDOUT. The map
     * does not wait for one that has been given grace. */
    int timeout_ms, grace_ms;
} mproc_map_options;

/* Starts the workers.
 *
 * pool     receives the pool. **Ownership**: the caller's, until mproc_pool_free.
 * options  may be NULL.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: negative or more than 1024 workers, fewer max_workers than
 * workers, a size without a pointer, an unknown method or policy; and the errors of
 * mproc_process_create and mproc_process_start. On failure no worker is left. An initializer that
 * fails does not fail this call, but the work that waits for it: MPROC_EBROKEN.
 * **Threads**: safe. Workers are daemons: they ignore Ctrl-C and end with their parent, however it
 * ends. They share its standard outputs; what they print is buffered as in any process.
 * *Like* `multiprocessing.Pool(processes, initializer, initargs)`. */
MPROC_API mproc_err mproc_pool_create(mproc_pool **pool, const mproc_pool_options *options);

/* Calls `function` for each item in the workers and waits for all of them, failed ones or not.
 *
 * items        `count` items of `item_size` bytes; copied unless they lie in shared memory.
 * results      receives the replies, `result_size` bytes each: a shorter one is filled up with
 *              zeros, a missing one is all zeros; those of failed items are not written. In shared
 *              memory the workers write there themselves, also what fails after it has replied;
 *              with a time-out, or asynchronously, it is copied. NULL with 0: no replies.
 * options      may be NULL.
 *
 * A worker that crashes fails the item it was working on and is replaced; the others go on. One
 * that is stopped delays what it has taken, up to 16 units at once (see
 * mproc_map_options.chunk_size).
 *
 * **Returns** MPROC_OK: every item succeeded. Else the error of the failed item with the lowest
 * index (MPROC_ETASK, MPROC_ECRASHED, MPROC_ETIMEDOUT, MPROC_EMSGSIZE, MPROC_EIMAGE, MPROC_ENOMEM;
 * the results of the others are written), or of the call: MPROC_EINVAL: no function, a size without
 * a pointer, `item_size` 0 with a count, a negative time-out; MPROC_ERANGE: count times size
 * overflows; MPROC_ENOMEM; MPROC_EIMAGE; MPROC_ECLOSED: the pool is closed; MPROC_EBROKEN: workers
 * cannot be started any more, three in a row have ended before their initializer had succeeded, or
 * a crash broke it (MPROC_CRASH_BREAKS); MPROC_ECANCELED: terminated meanwhile; MPROC_EAGAIN: 1024
 * maps are under way, or there is no thread to look after the time-outs; MPROC_ESTATE: a pool of
 * another process. `error_count` is written when all items have ended, not after MPROC_EBROKEN and
 * MPROC_ECANCELED. No signal ends this wait: one that should, waits for mproc_pool_map_async.
 * **Threads**: safe; maps of several threads begin in their order, and what one of them leaves idle
 * works for the next.
 * *Like* `Pool.map(func, iterable, chunksize)`. */
MPROC_API mproc_err mproc_pool_map(mproc_pool *pool, mproc_function function, const void *items,
                                   size_t item_size, size_t count, void *results,
                                   size_t result_size, const mproc_map_options *options);

/* The same for items and replies of any size.
 *
 * results  receives an object with all replies, also when items failed; NULL: no replies.
 *          **Ownership**: the caller's, until mproc_results_free.
 * Otherwise as mproc_pool_map; an item's data may be NULL when its size is 0.
 * *Like* `Pool.map` with items of any kind. */
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

/* Changes the number of workers, also while they work. Those that are too many end after what they
 * have taken: the task that they are at, of a map up to 16 units (mproc_map_options.chunk_size).
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: less than 1; MPROC_ERANGE: more than
 * mproc_pool_options.max_workers; MPROC_ECLOSED; MPROC_EBROKEN; the errors of mproc_process_start:
 * some of them may have been started; MPROC_ESTATE: a pool of another process.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_pool_resize(mproc_pool *pool, int workers);

/* Takes no new work; workers end when all that was submitted is done. Iterators that have been begun
 * go on to their last item. Closing twice is fine.
 * **Returns** MPROC_OK; MPROC_ESTATE: a pool of another process; MPROC_EINVAL.
 * **Threads**: safe. *Like* `Pool.close()`. */
MPROC_API mproc_err mproc_pool_close(mproc_pool *pool);

/* Waits until all workers have ended, and all callbacks have returned; so also until every iterator
 * has submitted its last item, or has been freed.
 * **Returns** MPROC_OK; MPROC_ETIMEDOUT; MPROC_EINTR; MPROC_EAGAIN: no room for one more sleeper, on
 * a system without futexes; MPROC_EDEADLK: in a callback of this pool, or with
 * MPROC_FOREVER when the calling thread itself has an iterator to go on with; MPROC_ESTATE: neither closed
 * nor terminated, or a pool of another process; MPROC_EINVAL. **Threads**: safe. *Like* `Pool.join()`. */
MPROC_API mproc_err mproc_pool_join(mproc_pool *pool, int timeout_ms);

/* Ends all workers at once, by mproc_process_kill. What they have not done is MPROC_ECANCELED.
 * Twice is fine.
 * **Returns** MPROC_OK; MPROC_ESTATE: a pool of another process; MPROC_EINVAL. **Threads**: safe. *Like*
 * `Pool.terminate()`. */
MPROC_API mproc_err mproc_pool_terminate(mproc_pool *pool);

/* Terminates the pool if need be, waits for its workers and callbacks, and frees it. NULL is fine;
 * a pool of another process stays. To let the work end first, close and join. All
 * results have ended then; they may still be read, and are to be freed. Iterators may be freed
 * afterwards, and are not to be used in any other way; replies that were got from them stay until
 * then.
 * **Threads**: no other thread may still use the pool. In a callback it does nothing but complain in
 * mproc's log.
 * *Like* the end of `with Pool() as pool:`. */
MPROC_API void mproc_pool_free(mproc_pool *pool);

MPROC_END

#endif
