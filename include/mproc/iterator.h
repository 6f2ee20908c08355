/* The replies of many items one by one, while the workers go on. */
#ifndef MPROC_ITERATOR_H
#define MPROC_ITERATOR_H

#include <mproc/result.h>

MPROC_BEGIN

typedef struct mproc_iterator mproc_iterator;

/* Produces the next item: writes it to *item, where it must live until the next call (it is copied).
 * Called by the thread that is in mproc_pool_imap or mproc_iterator_next.
 * **Returns** whether there was one. */
typedef bool (*mproc_source)(void *context, mproc_bytes *item);

typedef struct mproc_imap_options {
    /* Where the items come from when there is no array of them. */
    mproc_source source;
    void *source_context;
    /* How many items are in flight at most: submitted, and not yet taken by mproc_iterator_next.
     * Fewer while memory is short. Default: 32 for each worker. */
    size_t window;
    /* Of each item, in milliseconds, as in mproc_task_options; grace_ms also for those that still run
     * when the iterator is freed. */
    int timeout_ms, grace_ms;
} mproc_imap_options;

/* Begins to run the function for each item; replies come in the order of the items.
 *
 * items     `count` items of `item_size` bytes, which must live until the iterator is freed: each is
 *           read when its turn comes. NULL with 0, 0 and options->source.
 * iterator  receives the iterator. **Ownership**: the caller's, until mproc_iterator_free.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: also an array and a source, or neither; MPROC_ERANGE: count
 * times size overflows; and as mproc_pool_apply_async. What fails for an item, such as MPROC_EIMAGE,
 * is told by mproc_iterator_next.
 * **Threads**: safe.
 * *Like* `Pool.imap(func, iterable)`, without reading all of the input first. So close the pool only
 * when the last item is in flight: items that come later are not taken any more. */
MPROC_API mproc_err mproc_pool_imap(mproc_pool *pool, mproc_function function, const void *items,
                                    size_t item_size, size_t count,
                                    const mproc_imap_options *options, mproc_iterator **iterator);

/* The same with the replies as they come.
 * *Like* `Pool.imap_unordered(func, iterable)`. */
MPROC_API mproc_err mproc_pool_imap_unordered(mproc_pool *pool, mproc_function function,
                                              const void *items, size_t item_size, size_t count,
                                              const mproc_imap_options *options,
                                              mproc_iterator **iterator);

/* Waits for the next reply.
 *
 * reply, size  receive it, aligned for any type. Either may be NULL. They live until the next call
 *              on this iterator.
 *
 * **Returns** MPROC_OK; MPROC_EEMPTY: there are no more; MPROC_ETIMEDOUT: not yet, or the item ran
 * for too long itself (mproc_iterator_error tells which); the item's error: it has been passed, and
 * the next call goes on with the next one; MPROC_ENOMEM, MPROC_EAGAIN: likewise, with nothing else
 * in flight there was no room for it; MPROC_ECLOSED: the pool was terminated, MPROC_EBROKEN,
 * MPROC_EIMAGE: this item could not be submitted, and none after it will be; MPROC_EINVAL: also an item with a size and no data, which
 * is passed; and as mproc_result_get.
 * **Threads**: one at a time.
 * *Like* `IMapIterator.next(timeout)`. */
MPROC_API mproc_err mproc_iterator_next(mproc_iterator *iterator, int timeout_ms,
                                        const void **reply, size_t *size);

/* About the item that mproc_iterator_next has come to: its index, and why it has failed (err is
 * MPROC_OK when it has not).
 * **Returns** MPROC_OK with *error; MPROC_ESTATE: it has come to none yet; MPROC_EINVAL.
 * **Threads**: as mproc_iterator_next. */
MPROC_API mproc_err mproc_iterator_error(mproc_iterator *iterator, mproc_task_error *error);

/* Cancels what has not been done yet, as mproc_result_cancel does: workers that are at it are killed
 * after mproc_imap_options.grace_ms. NULL is fine.
 * **Threads**: as mproc_iterator_next. Before or after mproc_pool_free. */
MPROC_API void mproc_iterator_free(mproc_iterator *iterator);

MPROC_END

#endif
