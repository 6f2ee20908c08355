#include <mproc/iterator.h>

#include <stdlib.h>
#include <string.h>

#include "../family/park.h"
#include "lane.h"
#include "thread.h"
#include "watch.h"

enum { WINDOW_FOR_EACH = 32 };

typedef struct flight {
    mproc_result *result;
    size_t index;
} flight;

/* Results in flight stand in a ring. Unordered, those that have ended are swapped to its front. */
struct mproc_iterator {
    mproc_pool *pool;
    pool_guest guest; /* until all items are in flight */
    slot_id owner;
    mproc_function function;
    const unsigned char *items;
    size_t item_size, count;
    mproc_imap_options options;
    bool unordered, exhausted;
    bool has_item; /* `item` has been taken from the source, and is not yet in flight */
    mproc_bytes item;
    size_t next;                /* index of the next item */
    size_t head, flying, ended; /* in the ring: where it begins, how many, how many have ended */
    flight current;             /* what was passed last; its reply is the caller's */
    size_t window;
    flight ring[];
};

static flight *at(mproc_iterator *iterator, size_t i)
{
    return &iterator->ring[(iterator->head + i) % iterator->window];
}

/* ---- submitting ---- */

/* False: there are no more. */
static bool next_item(mproc_iterator *iterator, mproc_bytes *item)
{
    if (iterator->options.source)
        return iterator->options.source(iterator->options.source_context, item);
    if (iterator->next == iterator->count)
        return false;
    *item =
        (mproc_bytes){iterator->items + iterator->next * iterator->item_size, iterator->item_size};
    return true;
}

static mproc_err submit(mproc_iterator *iterator, const mproc_bytes *item)
{
    mproc_result *result;
    mproc_err err = item->size && !item->data ? MPROC_EINVAL : MPROC_OK;
    if (err || (err = result_new(iterator->pool, NULL, &result)))
        return err;
    lane_task task = {.input = item->data,
                      .input_size = item->size,
                      .timeout_ms = iterator->options.timeout_ms,
                      .grace_ms = iterator->options.grace_ms,
                      .flags = iterator->unordered ? CELL_GROUPED : 0,
                      .guest = &iterator->guest};
    err = result_submit(iterator->pool, iterator->function, &task, result);
    if (err)
        mproc_result_free(result);
    else
        *at(iterator, iterator->flying++) = (flight){result, iterator->next++};
    return err;
}

/* Whether there is one in `item`: it stays there, for it cannot be drawn again, until it is in
 * flight. */
static bool draw(mproc_iterator *iterator)
{
    if (!iterator->has_item && !iterator->exhausted) {
        iterator->has_item = next_item(iterator, &iterator->item);
        iterator->exhausted = !iterator->has_item;
    }
    return iterator->has_item;
}

static mproc_err submit_failure(mproc_iterator *iterator, mproc_err why)
{
    mproc_result *result;
    mproc_err err = result_new(iterator->pool, NULL, &result);
    if (err)
        return err;
    pools_lock();
    result->references++;
    result_fail(result, why, NULL);
    pools_unlock();
    *at(iterator, iterator->flying++) = (flight){result, iterator->next++};
    return MPROC_OK;
}

/* MPROC_ENOMEM, MPROC_EAGAIN: it may fit in when some that are in flight have come down. */
static mproc_err submit_many(mproc_iterator *iterator)
{
    while (iterator->flying < iterator->window && draw(iterator)) {
        mproc_err err = submit(iterator, &iterator->item);
        const bool lacks = err == MPROC_ENOMEM || err == MPROC_EAGAIN;
        if (lacks || (err && submit_failure(iterator, err)))
            return err;
        iterator->has_item = false;
        iterator->exhausted |= err && err != MPROC_EINVAL;
    }
    return MPROC_OK;
}

static mproc_err fill(mproc_iterator *iterator)
{
    mproc_err err = submit_many(iterator);
    if (!iterator->options.source && iterator->next == iterator->count)
        iterator->exhausted = true;
    if (iterator->exhausted && !iterator->has_item)
        pool_leave(&iterator->guest);
    return err;
}

/* With nothing in flight there is nothing to wait for. */
static mproc_err fill_empty(mproc_iterator *iterator)
{
    mproc_result *passed = iterator->current.result;
    if (passed) {
        heap_free(passed->block, family.self);
        passed->block = 0;
    }
    mproc_err err = fill(iterator);
    if (iterator->flying || !iterator->has_item)
        return MPROC_OK;
    err = submit_failure(iterator, err);
    iterator->has_item = err != MPROC_OK;
    return err;
}

/* ---- creating ---- */

static mproc_err check(const mproc_pool *pool, mproc_function function, const void *items,
                       size_t item_size, size_t count, const mproc_imap_options *options)
{
    mproc_err err = pool_check(pool);
    if (err)
        return err;
    if (!function || (options->source ? items || item_size || count : !items && count) ||
        (count && !item_size))
        return MPROC_EINVAL;
    if (item_size && count > SIZE_MAX / item_size)
        return MPROC_ERANGE;
    return result_check_limits(options->timeout_ms, options->grace_ms);
}

static mproc_err begin(const mproc_iterator *from, mproc_iterator **iterator)
{
    pools_lock();
    mproc_err err = pool_admits(from->pool, NULL);
    size_t window =
        from->options.window ? from->options.window : (size_t)WINDOW_FOR_EACH * from->pool->count;
    pools_unlock();
    if (!err)
        err = thread_start(from->pool);
    if (!err)
        err = watch_start(from->pool, from->options.timeout_ms, from->options.grace_ms);
    if (err)
        return err;
    if (!from->options.source && window > from->count)
        window = from->count ? from->count : 1;
    mproc_iterator *made = NULL;
    if (window <= (SIZE_MAX - sizeof *made) / sizeof made->ring[0])
        made = malloc(sizeof *made + window * sizeof made->ring[0]);
    if (!made)
        return MPROC_ENOMEM;
    *made = *from;
    made->window = window;
    pool_enter(made->pool, &made->guest);
    fill(made);
    *iterator = made;
    return MPROC_OK;
}

static mproc_err imap(mproc_iterator *from, const mproc_imap_options *options,
                      mproc_iterator **iterator)
{
    if (options)
        from->options = *options;
    mproc_err err = !iterator ? MPROC_EINVAL
                              : check(from->pool, from->function, from->items, from->item_size,
                                      from->count, &from->options);
    if (err)
        return err;
    from->owner = family.self;
    return begin(from, iterator);
}

mproc_err mproc_pool_imap(mproc_pool *pool, mproc_function function, const void *items,
                          size_t item_size, size_t count, const mproc_imap_options *options,
                          mproc_iterator **iterator)
{
    mproc_iterator from = {
        .pool = pool, .function = function, .items = items, .item_size = item_size, .count = count};
    return imap(&from, options, iterator);
}

mproc_err mproc_pool_imap_unordered(mproc_pool *pool, mproc_function function, const void *items,
                                    size_t item_size, size_t count,
                                    const mproc_imap_options *options, mproc_iterator **iterator)
{
    mproc_iterator from = {.pool = pool,
                           .function = function,
                           .items = items,
                           .item_size = item_size,
                           .count = count,
                           .unordered = true};
    return imap(&from, options, iterator);
}

/* ---- iterating ---- */

static void swap(flight *a, flight *b)
{
    flight kept = *a;
    *a = *b;
    *b = kept;
}

/* Behind those that are known to have ended already. Mostly they have ended in a row: what is looked
 * at behind its end is a line of the cache that a worker is writing. */
static void gather_ended(mproc_iterator *iterator)
{
    bool in_row = true;
    pools_lock();
    for (size_t i = iterator->ended; i < iterator->flying && in_row; i++) {
        const bool has_ended = lane_look(at(iterator, i)->result);
        if (has_ended)
            swap(at(iterator, i), at(iterator, iterator->ended++));
        in_row = has_ended || !iterator->ended;
    }
    pools_unlock();
}

/* Who ends one after the look sees that somebody waits. */
static mproc_err await_any(mproc_iterator *iterator, int64_t deadline)
{
    pool_shared *shared = iterator->pool->shared;
    int64_t patience = os_now() + LANE_PATIENCE;
    if (!iterator->ended)
        gather_ended(iterator);
    while (!iterator->ended) {
        uint32_t seen = atomic_load(&shared->settled);
        atomic_store(&shared->harvesting, 1);
        gather_ended(iterator);
        if (iterator->ended)
            return MPROC_OK;
        mproc_err err = lane_sleep(iterator->pool, seen, deadline, &patience);
        gather_ended(iterator);
        if (err && !iterator->ended)
            return err;
    }
    return MPROC_OK;
}

static mproc_err await_next(mproc_iterator *iterator, int64_t deadline)
{
    if (!iterator->unordered)
        return result_await(at(iterator, 0)->result, deadline);
    mproc_err err = await_any(iterator, deadline);
    if (!err)
        iterator->ended--;
    return err;
}

static void pass(mproc_iterator *iterator)
{
    mproc_result_free(iterator->current.result);
    iterator->current = *at(iterator, 0);
    iterator->head = (iterator->head + 1) % iterator->window;
    iterator->flying--;
}

static mproc_err check_iterator(const mproc_iterator *iterator)
{
    if (!iterator)
        return MPROC_EINVAL;
    return family_is_member() && iterator->owner == family.self ? MPROC_OK : MPROC_ESTATE;
}

mproc_err mproc_iterator_next(mproc_iterator *iterator, int timeout_ms, const void **reply,
                              size_t *size)
{
    int64_t deadline;
    mproc_err err = check_iterator(iterator);
    if (err || (err = park_deadline(timeout_ms, &deadline)))
        return err;
    if (!iterator->flying && (err = fill_empty(iterator)))
        return err;
    if (!iterator->flying)
        return MPROC_EEMPTY;
    if ((err = await_next(iterator, deadline)))
        return err;
    pass(iterator);
    if (iterator->guest.pool) {
        pool_meet(&iterator->guest);
        fill(iterator);
    }
    const mproc_result *passed = iterator->current.result;
    if (passed->err)
        return passed->err;
    if (reply)
        *reply = passed->reply;
    if (size)
        *size = passed->reply_size;
    return MPROC_OK;
}

mproc_err mproc_iterator_error(mproc_iterator *iterator, mproc_task_error *error)
{
    mproc_err err = error ? check_iterator(iterator) : MPROC_EINVAL;
    if (err)
        return err;
    if (!iterator->current.result)
        return MPROC_ESTATE;
    err = mproc_result_error(iterator->current.result, error);
    error->index = iterator->current.index;
    return err;
}

void mproc_iterator_free(mproc_iterator *iterator)
{
    if (!iterator || check_iterator(iterator))
        return;
    pool_leave(&iterator->guest);
    for (size_t i = 0; i < iterator->flying; i++) {
        mproc_result_cancel(at(iterator, i)->result);
        mproc_result_free(at(iterator, i)->result);
    }
    mproc_result_free(iterator->current.result);
    free(iterator);
}
