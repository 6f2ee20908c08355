/* What goes into queues and comes out of them. */
#include <mproc/queue.h>

#include <string.h>

#include "../family/heap.h"
#include "../killpoint.h"
#include "ends.h"

/* ---- waiting at an end ---- */

/* How often this thread has waited at one kind of end without having been at the other kind. Who
 * only takes, or only puts, keeps nobody waiting for an answer. */
static _Thread_local struct {
    unsigned puts, gets;
} streak;

/* What is tried at one end, and what it waits for while that fails. */
typedef struct turn {
    mproc_err (*try)(const ends *q, void *what, int64_t deadline);
    void *what;
    bool (*is_missing)(const void *q); /* room, or a message */
    mproc_err missing;
    const end *bell;
    const end *lock; /* of the other end, which brings it */
    unsigned in_a_row;
} turn;

/* Whether something comes while it is looked for. Ever more seldom: each look takes a line of the
 * cache from the one that is waited for; and the one that only takes gets more at a time. */
static bool look_for(const ends *q, const turn *t, const eventcount *wait, spin *looking)
{
    enum { MANY = 4, SELDOM = 16, VERY_SELDOM = 1024 };
    unsigned gap = t->in_a_row > MANY ? VERY_SELDOM : 1;
    if (wait->deadline == 0 || wait->slept)
        return !t->is_missing(q);
    for (;;) {
        for (unsigned i = 0; i < gap; i++) {
            if (!spin_once(looking))
                return !t->is_missing(q);
        }
        if (!t->is_missing(q))
            return true;
        gap = gap < SELDOM ? gap * 2 : gap;
    }
}

static mproc_err wait_until(const ends *q, const turn *t, int64_t deadline)
{
    eventcount wait = {.cell = t->bell->cell,
                       .id = t->bell->id,
                       .flag = BELL_WAITERS,
                       .lock = t->lock->cell,
                       .deadline = deadline};
    spin looking = spin_begin();
    mproc_err err;
    for (;;) {
        eventcount_look(&wait);
        err = t->try(q, t->what, deadline);
        if (err != t->missing)
            break;
        if (look_for(q, t, &wait, &looking))
            continue;
        if ((err = eventcount_sleep(&wait))) {
            err = err == MPROC_ETIMEDOUT ? t->missing : err;
            break;
        }
    }
    spin_end(&looking, !wait.slept);
    bell_pass(&wait, t->is_missing, q);
    return err;
}

/* After a first try that did not ask for the time: also when somebody stands still at that end. */
static bool is_worth_waiting(mproc_err err, mproc_err missing, int timeout_ms)
{
    return timeout_ms && (err == missing || err == MPROC_ETIMEDOUT);
}

static mproc_err wait_and_try(const ends *q, const turn *t, int timeout_ms)
{
    int64_t deadline;
    mproc_err err = park_deadline(timeout_ms, &deadline);
    return err ? err : wait_until(q, t, deadline);
}

/* What is left of a time-out. */
static int milliseconds_until(int64_t deadline)
{
    const int64_t millisecond = 1000000;
    if (deadline == OS_FOREVER)
        return MPROC_FOREVER;
    int64_t left = deadline ? deadline - os_now() : 0;
    return left > 0 ? (int)((left + millisecond - 1) / millisecond) : 0;
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
    ends_unlock(q, &q->tail);
    if (written)
        bell_ring(q->items.cell, q->items.id);
    *done += written;
    return err;
}

static bool looks_full(const void *context)
{
    const ends *q = context;
    return !has_room(q, end_now(&q->tail), end_now(&q->head));
}

/* Several parcels on their way, and how many have been put. */
typedef struct putting {
    const parcel *parcels;
    size_t count, done;
} putting;

static mproc_err try_putting(const ends *q, void *what, int64_t deadline)
{
    putting *p = what;
    return try_put(q, p->parcels + p->done, p->count - p->done, &p->done, deadline);
}

static mproc_err put(mproc_queue queue, const parcel *parcels, size_t count, size_t *done,
                     int timeout_ms)
{
    mproc_err err;
    putting all = {.parcels = parcels, .count = count};
    const ends *q = ends_find(queue.id, &err);
    streak.gets = 0;
    if (err || (err = timeout_ms < MPROC_FOREVER ? MPROC_EINVAL : MPROC_OK))
        return err;
    err = try_putting(q, &all, 0);
    if (is_worth_waiting(err, MPROC_EFULL, timeout_ms)) {
        streak.puts++;
        err = wait_and_try(
            q, &(turn){try_putting, &all, looks_full, MPROC_EFULL, &q->room, &q->head, streak.puts},
            timeout_ms);
    }
    *done += all.done;
    return err;
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
    int64_t deadline;
    mproc_err err = messages || !count ? park_deadline(timeout_ms, &deadline) : MPROC_EINVAL;
    for (size_t i = 0; !err && i < count; i++) {
        if (!messages[i].data && messages[i].size)
            err = MPROC_EINVAL;
    }
    while (!err && sent < count) {
        size_t batch = count - sent < BATCH ? count - sent : BATCH;
        err = pack_and_put(queue, messages + sent, batch, &sent, milliseconds_until(deadline));
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

/* What a wild write has left where a block's reference stood leads nowhere. */
static bool is_whole(const ends *q, const record *found)
{
    if (found->data)
        return true;
    uint64_t usable = heap_linked_size(found->block, object_tag(q->id));
    return usable && usable >= found->size;
}

/* Under the head's lock: the message at the mark, which is not committed yet. */
static mproc_err take(const ends *q, mark *head, delivery *d)
{
    mark tail = end_seen(&q->head);
    if (tail.items == head->items && (tail = end_look(&q->head, &q->tail)).items == head->items)
        return MPROC_EEMPTY;
    record found;
    if (!ring_read(ends_ring(q), *head, tail, &found) || !is_whole(q, &found))
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
    ends_unlock(q, &q->head);
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
    ends_unlock(q, &q->head);
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

static mproc_err try_get(const ends *q, void *what, int64_t deadline)
{
    deliveries *all = what;
    return all->sizes ? take_many(q, all, deadline) : take_one(q, &all->one, deadline);
}

static mproc_err get(mproc_queue queue, deliveries *all, int timeout_ms)
{
    mproc_err err;
    const ends *q = ends_find(queue.id, &err);
    streak.puts = 0;
    if (err || (err = timeout_ms < MPROC_FOREVER ? MPROC_EINVAL : MPROC_OK))
        return err;
    err = try_get(q, all, 0);
    if (is_worth_waiting(err, MPROC_EEMPTY, timeout_ms)) {
        streak.gets++;
        err = wait_and_try(
            q, &(turn){try_get, all, looks_empty, MPROC_EEMPTY, &q->items, &q->tail, streak.gets},
            timeout_ms);
    }
    return err;
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
