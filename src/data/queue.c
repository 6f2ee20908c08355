#include <mproc/queue.h>

#include <string.h>

#include "../family/heap.h"
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

/* ---- putting ---- */

/* What is to be put: bytes, or a block that this process owns. */
typedef struct parcel {
    const void *data;
    size_t size;
    arena_ref block;
} parcel;

static bool has_room(const ends *q, mark tail, mark head)
{
    return tail.items - head.items < atomic_load_explicit(&q->queue->number, memory_order_relaxed);
}

static bool write(const ends *q, const parcel *p, mark head, mark *tail)
{
    ring *r = ends_ring(q);
    if (!p->block)
        return ring_write(r, head, tail, p->data, p->size);
    return ring_write_block(r, head, tail, p->block, p->size);
}

/* Under the tail's lock: writes behind the mark, which is not committed yet. MPROC_EFULL. */
static mproc_err append(const ends *q, const parcel *p, mark *tail, int64_t deadline)
{
    mark head = end_seen(&q->tail);
    bool fits = has_room(q, *tail, head);
    if (!fits || !write(q, p, head, tail)) {
        head = end_look(&q->tail, &q->head);
        if (!has_room(q, *tail, head))
            return MPROC_EFULL;
        while (!write(q, p, head, tail)) {
            uint32_t need = ring_need(p->block ? RING_UNIT : p->size);
            mproc_err err = ends_grow(q, *tail, need, deadline);
            if (err)
                return err;
            head = end_look(&q->tail, &q->head); /* the other end goes on meanwhile */
        }
    }
    ring_expect_room(ends_ring(q), head, *tail);
    if (p->block) {
        heap_link(p->block, family.self, object_tag(q->id));
        killpoint();
    }
    return MPROC_OK;
}

/* As many as there is room for; one commit for all of them. */
static mproc_err try_put(const ends *q, const parcel *parcels, size_t count, size_t *done,
                         int64_t deadline)
{
    mproc_err err = ends_lock(q, &q->tail, deadline);
    if (err)
        return err;
    uint64_t word;
    mark tail = end_mark(&q->tail);
    size_t written = 0;
    err = ends_exist(q, &word) && word & QUEUE_CLOSED ? MPROC_ECLOSED : MPROC_OK;
    while (!err && written < count) {
        err = append(q, &parcels[written], &tail, deadline);
        written += !err;
    }
    if (written)
        end_commit(&q->tail, tail);
    ends_unlock(&q->tail);
    if (written)
        bell_ring(q->items.cell, q->items.id);
    *done += written;
    return err;
}

/* How often this thread has waited at one kind of end without having been at the other kind. Who
 * only takes, or only puts, keeps nobody waiting for an answer. */
static _Thread_local struct {
    unsigned puts, gets;
} streak;

/* Whether something comes while it is looked for. Ever more seldom: each look takes a line of the
 * cache from the one that is waited for; and the one that only takes gets more at a time. */
static bool look_for(const ends *q, bool (*is_missing)(const void *context), unsigned in_a_row,
                     const bell_wait *wait, spin *looking)
{
    enum { MANY = 4, SELDOM = 16, VERY_SELDOM = 1024 };
    unsigned gap = in_a_row > MANY ? VERY_SELDOM : 1;
    if (wait->deadline == 0 || wait->slept)
        return !is_missing(q);
    for (;;) {
        for (unsigned i = 0; i < gap; i++) {
            if (!spin_once(looking))
                return !is_missing(q);
        }
        if (!is_missing(q))
            return true;
        gap = gap < SELDOM ? gap * 2 : gap;
    }
}

static bool looks_full(const void *context)
{
    const ends *q = context;
    return !has_room(q, end_now(&q->tail), end_now(&q->head));
}

static mproc_err put_and_wait(const ends *q, const parcel *parcels, size_t count, size_t *done,
                              int64_t deadline)
{
    bell_wait wait = {.bell = q->room.cell, .id = q->room.id, .deadline = deadline};
    streak.puts++;
    spin looking = spin_begin();
    mproc_err err;
    for (;;) {
        bell_look(&wait);
        err = try_put(q, parcels + *done, count - *done, done, deadline);
        if (err != MPROC_EFULL)
            break;
        if (look_for(q, looks_full, streak.puts, &wait, &looking))
            continue;
        if ((err = bell_sleep(&wait))) {
            err = err == MPROC_ETIMEDOUT ? MPROC_EFULL : err;
            break;
        }
    }
    spin_end(&looking, !wait.slept);
    bell_pass(&wait, looks_full, q);
    return err;
}

/* After a first try that did not ask for the time: also when somebody stands still at that end. */
static bool is_worth_waiting(mproc_err err, mproc_err missing)
{
    return err == missing || err == MPROC_ETIMEDOUT;
}

static mproc_err put(mproc_queue queue, const parcel *parcels, size_t count, size_t *done,
                     int timeout_ms)
{
    mproc_err err;
    int64_t deadline;
    const ends *q = ends_find(queue.id, &err);
    streak.gets = 0;
    if (err || (err = timeout_ms < MPROC_FOREVER ? MPROC_EINVAL : MPROC_OK) ||
        !is_worth_waiting(err = try_put(q, parcels, count, done, 0), MPROC_EFULL) ||
        timeout_ms == 0)
        return err;
    err = park_deadline(timeout_ms, &deadline);
    return err ? err : put_and_wait(q, parcels, count, done, deadline);
}

/* Copied before the lock is taken. */
static mproc_err pack(const mproc_message *message, parcel *p)
{
    *p = (parcel){message->data, message->size, 0};
    if (message->size <= RING_INLINE)
        return MPROC_OK;
    mproc_err err = heap_alloc(message->size, family.self, &p->block);
    if (!err)
        memcpy(arena_at(p->block), message->data, message->size);
    return err;
}

static mproc_err pack_and_put(mproc_queue queue, const mproc_message *messages, size_t count,
                              size_t *done, int timeout_ms)
{
    parcel parcels[16];
    size_t packed = 0, sent = 0;
    mproc_err err = object_enter();
    for (; !err && packed < count; packed++) {
        if ((err = pack(&messages[packed], &parcels[packed])))
            break;
    }
    mproc_err failure = packed ? put(queue, parcels, packed, &sent, timeout_ms) : MPROC_OK;
    for (size_t i = sent; i < packed; i++)
        heap_free(parcels[i].block, family.self);
    *done += sent;
    return failure ? failure : err;
}

mproc_err mproc_queue_put_many(mproc_queue queue, const mproc_message *messages, size_t count,
                               size_t *done, int timeout_ms)
{
    enum { BATCH = 16 };
    size_t sent = 0;
    mproc_err err = messages || !count ? MPROC_OK : MPROC_EINVAL;
    for (size_t i = 0; !err && i < count; i++) {
        if (!messages[i].data && messages[i].size)
            err = MPROC_EINVAL;
    }
    while (!err && sent < count) {
        size_t batch = count - sent < BATCH ? count - sent : BATCH;
        err = pack_and_put(queue, messages + sent, batch, &sent, timeout_ms);
    }
    if (done)
        *done = sent;
    return err;
}

mproc_err mproc_queue_put(mproc_queue queue, const void *data, size_t size, int timeout_ms)
{
    if (!data && size)
        return MPROC_EINVAL;
    size_t done = 0;
    if (size > RING_INLINE)
        return pack_and_put(queue, &(mproc_message){data, size}, 1, &done, timeout_ms);
    return put(queue, &(parcel){data, size, 0}, 1, &done, timeout_ms);
}

/* ---- getting ---- */

/* Where a message goes, and what it was. */
typedef struct delivery {
    void *buffer;
    size_t capacity;
    bool lend;
    size_t size;
    arena_ref block; /* of a large one, or a lent one: this process's */
} delivery;

/* A small message that is lent is copied after all. */
static mproc_err copy_out(const record *found, delivery *d)
{
    void *to = d->buffer;
    if (d->lend) {
        mproc_err err = heap_alloc(found->size ? (size_t)found->size : 1, family.self, &d->block);
        if (err)
            return err;
        to = arena_at(d->block);
    }
    if (found->size)
        memcpy(to, found->data, (size_t)found->size);
    return MPROC_OK;
}

/* Under the head's lock: the message at the mark, which is not committed yet. */
static mproc_err take(const ends *q, mark *head, delivery *d)
{
    mark tail = end_seen(&q->head);
    if (tail.items == head->items && (tail = end_look(&q->head, &q->tail)).items == head->items)
        return MPROC_EEMPTY;
    record found;
    if (!ring_read(ends_ring(q), *head, tail, &found))
        return MPROC_EBROKEN;
    d->size = (size_t)found.size;
    if (!d->lend && found.size > d->capacity)
        return MPROC_EMSGSIZE;
    mproc_err err = MPROC_OK;
    ring_expect(ends_ring(q), found.next, tail);
    if (found.data)
        err = copy_out(&found, d);
    else
        d->block = found.block;
    if (!err)
        *head = found.next;
    return err;
}

static mproc_err take_one(const ends *q, delivery *d, int64_t deadline)
{
    uint64_t word;
    mproc_err err = ends_lock(q, &q->head, deadline);
    if (err)
        return err;
    mark head = end_mark(&q->head);
    bool closed = ends_exist(q, &word) && word & QUEUE_CLOSED;
    if (!(err = take(q, &head, d))) {
        end_commit(&q->head, head);
        if (d->block)
            heap_unlink(d->block, object_tag(q->id), family.self);
        killpoint();
    }
    ends_unlock(&q->head);
    if (!err)
        bell_ring(q->room.cell, q->room.id);
    return err == MPROC_EEMPTY && closed ? MPROC_ECLOSED : err;
}

typedef struct deliveries {
    delivery one;
    size_t *sizes, most, count; /* of several */
} deliveries;

/* As many as there are and fit; one commit for all of them. Those in blocks are taken one by one. */
static mproc_err take_many(const ends *q, deliveries *all, int64_t deadline)
{
    uint64_t word;
    mproc_err err = ends_lock(q, &q->head, deadline);
    if (err)
        return err;
    mark head = end_mark(&q->head);
    bool closed = ends_exist(q, &word) && word & QUEUE_CLOSED;
    delivery *d = &all->one;
    while (all->count < all->most && !d->block && !(err = take(q, &head, d))) {
        all->sizes[all->count++] = d->size;
        if (d->block)
            break;
        d->buffer = (unsigned char *)d->buffer + d->size;
        d->capacity -= d->size;
    }
    if (all->count) {
        end_commit(&q->head, head);
        if (d->block)
            heap_unlink(d->block, object_tag(q->id), family.self);
        killpoint();
    }
    ends_unlock(&q->head);
    if (all->count) {
        bell_ring(q->room.cell, q->room.id);
        return MPROC_OK;
    }
    return err == MPROC_EEMPTY && closed ? MPROC_ECLOSED : err;
}

static bool looks_empty(const void *context)
{
    const ends *q = context;
    return end_now(&q->tail).items == end_now(&q->head).items;
}

static mproc_err try_get(const ends *q, deliveries *all, int64_t deadline)
{
    return all->sizes ? take_many(q, all, deadline) : take_one(q, &all->one, deadline);
}

static mproc_err get_and_wait(const ends *q, deliveries *all, int64_t deadline)
{
    bell_wait wait = {.bell = q->items.cell, .id = q->items.id, .deadline = deadline};
    streak.gets++;
    spin looking = spin_begin();
    mproc_err err;
    for (;;) {
        bell_look(&wait);
        err = try_get(q, all, deadline);
        if (err != MPROC_EEMPTY)
            break;
        if (look_for(q, looks_empty, streak.gets, &wait, &looking))
            continue;
        if ((err = bell_sleep(&wait))) {
            err = err == MPROC_ETIMEDOUT ? MPROC_EEMPTY : err;
            break;
        }
    }
    spin_end(&looking, !wait.slept);
    bell_pass(&wait, looks_empty, q);
    return err;
}

static mproc_err get(mproc_queue queue, deliveries *all, int timeout_ms)
{
    mproc_err err;
    int64_t deadline;
    const ends *q = ends_find(queue.id, &err);
    streak.puts = 0;
    if (err || (err = timeout_ms < MPROC_FOREVER ? MPROC_EINVAL : MPROC_OK) ||
        !is_worth_waiting(err = try_get(q, all, 0), MPROC_EEMPTY) || timeout_ms == 0)
        return err;
    err = park_deadline(timeout_ms, &deadline);
    return err ? err : get_and_wait(q, all, deadline);
}

/* Outside of the lock: a large one is this process's by now. */
static void unpack(delivery *d)
{
    if (!d->block)
        return;
    if (d->size)
        memcpy(d->buffer, arena_at(d->block), d->size);
    heap_free(d->block, family.self);
}

mproc_err mproc_queue_get(mproc_queue queue, void *buffer, size_t capacity, size_t *size,
                          int timeout_ms)
{
    if (!buffer && capacity)
        return MPROC_EINVAL;
    deliveries all = {.one = {.buffer = buffer, .capacity = capacity}};
    mproc_err err = get(queue, &all, timeout_ms);
    if (!err)
        unpack(&all.one);
    if (size && (!err || err == MPROC_EMSGSIZE))
        *size = all.one.size;
    return err;
}

mproc_err mproc_queue_get_many(mproc_queue queue, void *buffer, size_t capacity, size_t *sizes,
                               size_t most, size_t *count, int timeout_ms)
{
    if ((!buffer && capacity) || !sizes || !most || !count)
        return MPROC_EINVAL;
    deliveries all = {
        .one = {.buffer = buffer, .capacity = capacity}, .sizes = sizes, .most = most};
    mproc_err err = get(queue, &all, timeout_ms);
    if (!err) {
        unpack(&all.one);
        *count = all.count;
    } else if (err == MPROC_EMSGSIZE) {
        sizes[0] = all.one.size;
    }
    return err;
}

/* ---- loans ---- */

mproc_err mproc_queue_reserve(mproc_queue queue, size_t size, mproc_loan *loan)
{
    uint64_t word;
    arena_ref block;
    if (!loan || !size)
        return MPROC_EINVAL;
    mproc_err err;
    const ends *q = ends_find(queue.id, &err);
    if (!err)
        err = !ends_exist(q, &word) ? MPROC_ESTALE : word & QUEUE_CLOSED ? MPROC_ECLOSED : MPROC_OK;
    if (!err && !(err = heap_alloc(size, family.self, &block)))
        *loan = (mproc_loan){arena_at(block), size, block};
    return err;
}

mproc_err mproc_queue_commit(mproc_queue queue, mproc_loan *loan, int timeout_ms)
{
    if (!loan || !loan->id)
        return MPROC_EINVAL;
    uint64_t usable = heap_owned_size(loan->id, family.self);
    if (!usable || loan->size > usable)
        return MPROC_EINVAL;
    size_t done = 0;
    mproc_err err =
        put(queue, &(parcel){.size = loan->size, .block = loan->id}, 1, &done, timeout_ms);
    if (!err)
        *loan = (mproc_loan){0};
    return err;
}

mproc_err mproc_queue_get_loan(mproc_queue queue, mproc_loan *loan, int timeout_ms)
{
    if (!loan)
        return MPROC_EINVAL;
    deliveries all = {.one = {.lend = true}};
    mproc_err err = get(queue, &all, timeout_ms);
    if (!err)
        *loan = (mproc_loan){arena_at(all.one.block), all.one.size, all.one.block};
    return err;
}

void mproc_loan_release(mproc_loan *loan)
{
    if (!loan || !loan->id)
        return;
    /* In the child of a fork that mproc knows nothing of it is still the parent's. */
    if (objects_were_used() && heap_owned_size(loan->id, family.self))
        heap_free(loan->id, family.self);
    *loan = (mproc_loan){0};
}

/* ---- the rest ---- */

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
    ends_unlock(&q->head);
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
    ends_unlock(&q->head);
    return MPROC_OK;
}

/* Looks once more between the flag and the sleep: whoever finishes the last one sees the flag. */
mproc_err mproc_queue_join(mproc_queue queue, int timeout_ms)
{
    int64_t deadline;
    mproc_err err;
    const ends *q = ends_find(queue.id, &err);
    if (!err)
        err = park_deadline(timeout_ms, &deadline);
    for (bool done, armed = false; !err; armed = !armed) {
        uint32_t seq = atomic_load(&q->queue->seq);
        if ((err = look_whether_done(q, deadline, &done)) || done)
            break;
        if (deadline == 0)
            return MPROC_ETIMEDOUT;
        if (armed)
            err = object_sleep(q->queue, seq, deadline);
        else if (!object_flag(q->queue, q->id, QUEUE_JOINERS))
            err = MPROC_ESTALE;
    }
    return err;
}
