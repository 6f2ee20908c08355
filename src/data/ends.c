#include "ends.h"

#include <stdlib.h>

#include "../family/heap.h"
#include "../family/log.h"
#include "../killpoint.h"

int64_t ends_patience = INT64_C(1000000000);

/* ---- finding ---- */

/* The parts' ids stand in the queue's cell, and are right if it is still the same one afterwards. */
static uint64_t part_id(const object *queue, int which)
{
    return which < OBJECT_FIELDS ? atomic_load_explicit(&queue->field[which], memory_order_acquire)
                                 : atomic_load_explicit(&queue->extra, memory_order_acquire);
}

static end part(const object *queue, int which)
{
    uint64_t id = part_id(queue, which);
    return (end){object_find(id), id};
}

/* From now on this process may be killed anywhere between a commit and the wake-up for it, or with a
 * lock of the queue. */
static mproc_err find_parts(uint64_t id, ends *q)
{
    mproc_err err = object_check(id, OBJECT_QUEUE, &q->queue);
    if (err)
        return err;
    q->id = id;
    uint64_t word = atomic_load_explicit(&q->queue->word, memory_order_acquire);
    q->tail = part(q->queue, 0);
    q->head = part(q->queue, 1);
    q->items = part(q->queue, 2);
    q->room = part(q->queue, 3);
    if (!object_matches(word, id) || !ends_exist(q, &word))
        return MPROC_ESTALE;
    object_note(q->tail.id);
    object_note(q->head.id);
    object_touch(q->queue);
    object_touch(q->items.cell);
    object_touch(q->room.cell);
    return MPROC_OK;
}

/* The queues that a thread has used last: their parts stay what they are as long as they exist. */
const ends *ends_find(uint64_t id, mproc_err *err)
{
    enum { KNOWN = 8 };
    static _Thread_local struct {
        uint64_t me; /* after a fork, somebody else */
        ends q;
    } known[KNOWN];
    uint64_t word, me = atomic_load_explicit(&objects.me, memory_order_relaxed);
    ends *q = &known[id % KNOWN].q;
    *err = MPROC_OK;
    if (me && known[id % KNOWN].me == me && q->id == id && ends_exist(q, &word))
        return q;
    known[id % KNOWN].me = 0;
    if ((*err = find_parts(id, q)))
        return NULL;
    known[id % KNOWN].me = objects.me;
    return q;
}

/* ---- recovery ---- */

typedef struct refs {
    arena_ref *list;
    size_t count;
} refs;

static int by_ref(const void *a, const void *b)
{
    arena_ref x = *(const arena_ref *)a, y = *(const arena_ref *)b;
    return (x > y) - (x < y);
}

/* All blocks that the queue still needs. */
static bool collect(const ends *q, mark tail, refs *found)
{
    mark head = end_mark(&q->head);
    const ring *r = ends_ring(q);
    record each;
    found->list = malloc(((size_t)(tail.items - head.items) + 1) * sizeof *found->list);
    if (!found->list)
        return false;
    found->list[0] = atomic_load(&q->queue->block);
    found->count = 1;
    for (; head.items != tail.items && ring_read(r, head, tail, &each); head = each.next) {
        if (!each.data)
            found->list[found->count++] = each.block;
    }
    qsort(found->list, found->count, sizeof *found->list, by_ref);
    return true;
}

typedef struct purge {
    const refs *needed;
    uint64_t tag;
} purge;

static void free_unless_needed(arena_ref ref, void *context)
{
    const purge *p = context;
    if (!p->needed || !bsearch(&ref, p->needed->list, p->needed->count, sizeof ref, by_ref))
        heap_free_linked(ref, p->tag, family.self);
}

/* Marks are always right: what a dead one may have left are blocks that it had taken out, or not
 * put in yet. The ring up to `tail`, which the caller may not have committed yet, is the truth:
 * what it does not refer to is freed. Under both locks. False: it is to be done once more. */
static bool recover(const ends *q, mark tail)
{
    refs needed;
    if (!collect(q, tail, &needed)) {
        log_write(MPROC_LOG_WARNING, "no memory to look for what a dead process left in a queue");
        return false;
    }
    purge unneeded = {&needed, object_tag(q->id)};
    heap_each_linked(unneeded.tag, free_unless_needed, &unneeded);
    free(needed.list);
    return true;
}

/* The ring, too. */
static void free_all(const ends *q)
{
    purge all = {NULL, object_tag(q->id)};
    heap_each_linked(all.tag, free_unless_needed, &all);
}

static mproc_err lock_one(const ends *q, const end *one, int64_t deadline)
{
    mproc_err err = robust_acquire_until(one->cell, one->id, false, deadline);
    uint64_t word;
    if ((err && err != MPROC_EOWNERDEAD) || ends_exist(q, &word))
        return err;
    ends_unlock(q, one);
    return MPROC_ESTALE;
}

/* Holds both; a lock that is not marked consistent yet has the next one do all this again. */
static mproc_err lock_both_and_recover(const ends *q, int64_t deadline)
{
    mproc_err err = lock_one(q, &q->tail, deadline);
    bool dead = err == MPROC_EOWNERDEAD;
    if (err && !dead)
        return err;
    err = lock_one(q, &q->head, deadline);
    if (err && err != MPROC_EOWNERDEAD) {
        ends_unlock(q, &q->tail);
        return err;
    }
    if ((dead || err) && !recover(q, end_mark(&q->tail)))
        return MPROC_OK;
    robust_mark_consistent(q->head.cell, q->head.id, false);
    robust_mark_consistent(q->tail.cell, q->tail.id, false);
    return MPROC_OK;
}

static mproc_err lock_and_recover(const ends *q, const end *one, int64_t deadline)
{
    mproc_err err = lock_both_and_recover(q, deadline);
    if (!err)
        ends_unlock(q, one == &q->tail ? &q->head : &q->tail);
    return err;
}

mproc_err ends_lock_slowly(const ends *q, const end *one, int64_t deadline)
{
    int64_t patience = os_now() + ends_patience;
    int64_t until = deadline > patience ? deadline : patience;
    mproc_err err = lock_one(q, one, until);
    if (err != MPROC_EOWNERDEAD)
        return err;
    ends_unlock(q, one);
    return lock_and_recover(q, one, until);
}

/* ---- watching ---- */

bool ends_are_ready(uint64_t id)
{
    mproc_err err;
    uint64_t word;
    const ends *q = ends_find(id, &err);
    return !q || !ends_exist(q, &word) || word & QUEUE_CLOSED ||
           end_now(&q->tail).items != end_now(&q->head).items;
}

void ends_watch(uint64_t id)
{
    mproc_err err;
    const ends *q = ends_find(id, &err);
    if (q)
        bell_watch(q->items.cell, q->items.id, q->tail.cell);
}

/* ---- growing ---- */

static uint32_t larger(const ring *now, uint32_t used, uint32_t need)
{
    uint32_t units = now->units;
    while (units <= RING_MOST && units - used < need)
        units *= 2;
    return units;
}

/* The ring's reference is the commit; the old one's block is freed after it, or by a recovery. */
mproc_err ends_grow(const ends *q, mark tail, uint32_t need, int64_t deadline)
{
    int64_t patience = os_now() + ends_patience;
    mproc_err err = lock_one(q, &q->head, deadline > patience ? deadline : patience);
    if (err && err != MPROC_EOWNERDEAD)
        return err;
    bool dead = err == MPROC_EOWNERDEAD;
    mark head = end_mark(&q->head);
    ring *old = ends_ring(q);
    uint32_t units = larger(old, tail.place - head.place, need);
    arena_ref ref = 0, before = arena_offset(old);
    err = units > RING_MOST ? MPROC_ENOMEM : MPROC_OK;
    if (!err && units != old->units)
        err = heap_alloc(ring_bytes(units), family.self, &ref);
    if (ref) {
        ring *grown = arena_at(ref);
        grown->units = units;
        ring_copy(grown, old, head, tail);
        heap_link(ref, family.self, object_tag(q->id));
        killpoint();
        atomic_store(&q->queue->block, ref);
        killpoint();
        heap_free_linked(before, object_tag(q->id), family.self);
    }
    if (dead && recover(q, tail))
        robust_mark_consistent(q->head.cell, q->head.id, false);
    ends_unlock(q, &q->head);
    return err;
}

/* ---- making and ending ---- */

static mproc_err make_parts(const object_draft *draft)
{
    static const object_type types[] = {OBJECT_LOCK, OBJECT_LOCK, OBJECT_BELL, OBJECT_BELL};
    for (int i = 0; i < 4; i++) {
        uint64_t id;
        mproc_err err = object_make_part(types[i], draft, &id);
        if (err)
            return err;
        atomic_store(i < OBJECT_FIELDS ? &draft->cell->field[i] : &draft->cell->extra, id);
        killpoint();
    }
    return MPROC_OK;
}

static void destroy_parts(const object *queue)
{
    for (int i = 0; i < 4; i++) {
        uint64_t id = part_id(queue, i);
        object_destroy(id, i < 2 ? OBJECT_LOCK : OBJECT_BELL);
    }
}

mproc_err ends_create(uint32_t max_items, uint64_t *home)
{
    object_draft draft;
    mproc_err err = object_draft_new(OBJECT_QUEUE, &draft);
    if (err)
        return err;
    atomic_store(&draft.cell->extra, 0);
    atomic_store(&draft.cell->number, max_items);
    if ((err = object_draft_block(&draft, ring_bytes(RING_LEAST))) || (err = make_parts(&draft))) {
        destroy_parts(draft.cell);
        object_discard(&draft);
        return err;
    }
    ring *r = arena_at(atomic_load(&draft.cell->block));
    r->units = RING_LEAST;
    object_commit(&draft, 0, home);
    return MPROC_OK;
}

/* Of a queue whose handle is stale, but whose parts still stand. Nobody comes in any more: both
 * locks are taken for good. False: what lies in the ring is no message. */
static bool empty_out(const ends *q)
{
    const uint64_t tag = object_tag(q->id);
    mark head = end_mark(&q->head), tail = end_mark(&q->tail);
    const ring *r = ends_ring(q);
    record each;
    for (; head.items != tail.items; head = each.next) {
        if (!ring_read(r, head, tail, &each))
            return false;
        if (!each.data && !heap_free_linked(each.block, tag, family.self))
            return false;
    }
    return true;
}

/* *dead: what lies between the marks may be half-done, or the marks are gone with the lock: the one
 * who destroyed that had taken it for good before. */
static bool take_for_good(const end *one, int64_t deadline, bool *dead)
{
    mproc_err err;
    uint32_t turns = 0;
    do {
        err = robust_acquire_until(one->cell, one->id, false, deadline);
        if (err == MPROC_EAGAIN)
            spin_give_way(&turns);
    } while ((err == MPROC_EINTR || err == MPROC_EAGAIN) && os_now() < deadline);
    const bool suspicious = err == MPROC_EOWNERDEAD || err == MPROC_ESTALE;
    *dead |= suspicious;
    return !err || suspicious;
}

/* A holder may be dead, and its sweep stand behind this one. */
static bool take_from_dead(const end *one, int64_t deadline, bool *dead)
{
    if (take_for_good(one, deadline, dead))
        return true;
    robust_look_after(one->cell, one->id);
    return take_for_good(one, 0, dead);
}

static bool take_both(const ends *q, int64_t deadline, bool *dead)
{
    if (!take_from_dead(&q->tail, deadline, dead))
        return false;
    if (take_from_dead(&q->head, deadline, dead))
        return true;
    robust_release(q->tail.cell, q->tail.id, false);
    killpoint();
    return false;
}

static bool are_free(const ends *q)
{
    const uint64_t tail = atomic_load(&q->tail.cell->word), head = atomic_load(&q->head.cell->word);
    return !(object_matches(tail, q->tail.id) && tail & OBJECT_OWNER) &&
           !(object_matches(head, q->head.id) && head & OBJECT_OWNER);
}

/* They find it gone. */
static void wake_all(const ends *q)
{
    object_wake(q->items.cell, UINT32_MAX);
    object_wake(q->room.cell, UINT32_MAX);
    object_ring_watchers(q->items.cell);
}

/* Takes a queue that is being ended over, and ends it. A holder that stands still in the midst of
 * it may go on any time, and write into the ring and the cells: then all of it stays, in nobody's
 * charge, and the holder comes here when it has let go. It may have let go before that, and found
 * this process in charge: so the locks are looked at once more. */
static void finish(const ends *q, slot_id from, int64_t deadline)
{
    bool dead = false;
    for (; object_entrust(q->queue, q->id, from, family.self); from = OBJECT_ABANDONED) {
        if (take_both(q, deadline, &dead)) {
            if (dead || !empty_out(q))
                free_all(q);
            destroy_parts(q->queue);
            object_end(q->queue, q->id);
            return;
        }
        wake_all(q);
        object_entrust(q->queue, q->id, family.self, OBJECT_ABANDONED);
        if (!are_free(q))
            return;
    }
}

void ends_leave(const ends *q)
{
    finish(q, OBJECT_ABANDONED, 0);
}

mproc_err ends_destroy(uint64_t id)
{
    mproc_err err;
    object *queue;
    const ends *q = ends_find(id, &err);
    if (err || (err = object_begin_end(id, OBJECT_QUEUE, &queue)))
        return err;
    object_ring_watchers(q->items.cell);
    finish(q, family.self, os_now() + ends_patience);
    return MPROC_OK;
}

/* Whether it is a queue that is being ended by that one. Its fields are right if it is so before
 * and after they are read: another process may end it meanwhile, and the next object live there. */
static bool find_ending(object *cell, slot_id ender, ends *q)
{
    const uint64_t id = object_id(cell);
    if (!object_is(id, OBJECT_QUEUE) || !object_is_ending_by(cell, id, ender))
        return false;
    *q = (ends){.id = id,
                .queue = cell,
                .tail = part(cell, 0),
                .head = part(cell, 1),
                .items = part(cell, 2),
                .room = part(cell, 3)};
    return object_is_ending_by(cell, id, ender);
}

static void sweep_one(object *cell, void *context)
{
    ends q;
    const slot_id dead = *(const slot_id *)context;
    const bool began = find_ending(cell, dead, &q);
    if (!began && !find_ending(cell, OBJECT_ABANDONED, &q))
        return;
    if (began) { /* the dead one may not have come to that */
        object_retire(cell, q.id);
        wake_all(&q);
    }
    robust_sweep(q.tail.cell, dead);
    robust_sweep(q.head.cell, dead);
    finish(&q, began ? dead : OBJECT_ABANDONED, 0);
}

void ends_sweep(slot_id dead)
{
    object_each_noted(dead, sweep_one, &dead);
}
