#include <mproc/queue.h>

#include "../killpoint.h"
#include "ends.h"

#define ITEMS_MOST (UINT32_C(1) << 31)

mproc_err mproc_queue_create(mproc_queue *queue, const mproc_queue_options *options)
{
    size_t most = options && options->max_items ? options->max_items : ITEMS_MOST;
    return queue && most <= ITEMS_MOST ? ends_create((uint32_t)most, &queue->id) : MPROC_EINVAL;
}

mproc_err mproc_queue_destroy(mproc_queue queue)
{
    return ends_destroy(queue.id);
}

/* ---- how it stands ---- */

static mproc_err count(mproc_queue queue, size_t *items, bool *full)
{
    uint64_t word;
    mproc_err err;
    const ends *q = ends_find(queue.id, &err);
    if (err)
        return err;
    mark head = end_mark(&q->head), tail = end_mark(&q->tail);
    uint32_t most = atomic_load(&q->queue->number);
    if (!ends_exist(q, &word))
        return MPROC_ESTALE;
    *items = tail.items - head.items;
    *full = *items >= most;
    return MPROC_OK;
}

mproc_err mproc_queue_size(mproc_queue queue, size_t *items)
{
    bool full;
    return items ? count(queue, items, &full) : MPROC_EINVAL;
}

bool mproc_queue_is_empty(mproc_queue queue)
{
    size_t items;
    bool full;
    return !count(queue, &items, &full) && items == 0;
}

bool mproc_queue_is_full(mproc_queue queue)
{
    size_t items;
    bool full;
    return !count(queue, &items, &full) && full;
}

/* Each one that wakes and finds it closed wakes the next. */
mproc_err mproc_queue_close(mproc_queue queue)
{
    mproc_err err;
    const ends *q = ends_find(queue.id, &err);
    if (err)
        return err;
    if (!object_flag(q->queue, q->id, QUEUE_CLOSED))
        return MPROC_ESTALE;
    object_wake(q->items.cell, UINT32_MAX);
    object_ring_watchers(q->items.cell);
    object_wake(q->room.cell, UINT32_MAX);
    return MPROC_OK;
}

/* ---- what has been done ---- */

static bool all_done(const ends *q)
{
    return ends_ring(q)->done == end_mark(&q->tail).items;
}

static void wake_joiners(const ends *q)
{
    uint64_t word;
    while (ends_exist(q, &word) && word & QUEUE_JOINERS &&
           !atomic_compare_exchange_weak(&q->queue->word, &word, word & ~QUEUE_JOINERS)) {
    }
    killpoint();
    object_wake(q->queue, UINT32_MAX);
}

mproc_err mproc_queue_task_done(mproc_queue queue)
{
    uint64_t word;
    mproc_err err;
    const ends *q = ends_find(queue.id, &err);
    if (err || (err = ends_lock(q, &q->head, 0)))
        return err;
    bool finished = false;
    if (all_done(q)) {
        err = MPROC_ERANGE;
    } else {
        ends_ring(q)->done++;
        killpoint();
        finished = all_done(q);
    }
    ends_unlock(q, &q->head);
    if (finished && ends_exist(q, &word) && word & QUEUE_JOINERS)
        wake_joiners(q);
    return err;
}

static mproc_err look_whether_done(const ends *q, int64_t deadline, bool *done)
{
    mproc_err err = ends_lock(q, &q->head, deadline);
    if (err)
        return err;
    *done = all_done(q);
    ends_unlock(q, &q->head);
    return MPROC_OK;
}

/* A task_done changes the count under the lock that each look takes. */
mproc_err mproc_queue_join(mproc_queue queue, int timeout_ms)
{
    int64_t deadline;
    mproc_err err;
    const ends *q = ends_find(queue.id, &err);
    if (!err)
        err = park_deadline(timeout_ms, &deadline);
    if (err)
        return err;
    eventcount wait = {.cell = q->queue, .id = q->id, .flag = QUEUE_JOINERS, .deadline = deadline};
    for (bool done = false;;) {
        eventcount_look(&wait);
        if ((err = look_whether_done(q, deadline, &done)) || done)
            return err;
        if ((err = eventcount_sleep(&wait)))
            return err;
    }
}
