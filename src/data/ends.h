/* A queue's two ends, and what both of them need.
 *
 * A queue is five shared objects: the queue itself, whose block is the ring; a lock for each end,
 * which also holds that end's mark; and a bell for those who wait for messages, one for those who
 * wait for room. So all words that somebody may change late lie in cells, and the ring is touched
 * by nobody but the holder of a lock that was checked after it had been taken.
 *
 * Both locks are taken in the order tail, head. */
#ifndef MPROC_DATA_ENDS_H
#define MPROC_DATA_ENDS_H

#include "../family/robust.h"
#include "../killpoint.h"
#include "bell.h"
#include "ring.h"

#define QUEUE_CLOSED (UINT64_C(1) << 39)
#define QUEUE_JOINERS (UINT64_C(1) << 38)

/* Of an end's cell: its mark, and the other end's as last seen. */
enum { END_MARK, END_SEEN };

typedef struct end {
    object *cell;
    uint64_t id;
} end;

typedef struct ends {
    uint64_t id;
    object *queue;
    end tail, head;
    end items, room; /* bells */
} ends;

/* Its own until the thread's next call. NULL: *err is MPROC_ESTALE, or one of family_enter. */
const ends *ends_find(uint64_t id, mproc_err *err);
/* Whether it is still that queue; *word: its flags. */
static inline bool ends_exist(const ends *q, uint64_t *word)
{
    *word = atomic_load_explicit(&q->queue->word, memory_order_acquire);
    return object_matches(*word, q->id);
}

void ends_leave(const ends *q);

/* A queue that was destroyed while somebody held one of its locks is ended by the holder. Release
 * and look stand in one order with the destroyer's release of its charge and its look at the locks,
 * so one of the two sees the other. */
static inline void ends_unlock(const ends *q, const end *one)
{
    robust_release(one->cell, one->id, false);
    killpoint();
    if (!object_matches(atomic_load(&q->queue->word), q->id))
        ends_leave(q);
}

/* With a holder that stands still, in nanoseconds. Tests have less. */
extern int64_t ends_patience;
mproc_err ends_lock_slowly(const ends *q, const end *one, int64_t deadline);
/* Recovers what a dead holder has left. A lock held by another for more than a moment: waits until
 * the deadline, but at least a second. MPROC_ETIMEDOUT, MPROC_ESTALE, MPROC_EINTR, MPROC_EAGAIN. */
static inline mproc_err ends_lock(const ends *q, const end *one, int64_t deadline)
{
    uint64_t word = object_word(one->id, 0);
    if (!atomic_compare_exchange_strong_explicit(&one->cell->word, &word, word | robust_me(false),
                                                 memory_order_seq_cst, memory_order_relaxed))
        return ends_lock_slowly(q, one, deadline);
    killpoint();
    if (ends_exist(q, &word))
        return MPROC_OK;
    ends_unlock(q, one);
    return MPROC_ESTALE;
}

static inline mark end_mark(const end *one)
{
    return mark_of(atomic_load_explicit(&one->cell->field[END_MARK], memory_order_relaxed));
}

/* For a look after an announcement: see eventcount.h. */
static inline mark end_now(const end *one)
{
    return mark_of(atomic_load(&one->cell->field[END_MARK]));
}

static inline void end_commit(const end *one, mark m)
{
    atomic_store_explicit(&one->cell->field[END_MARK], mark_word(m), memory_order_release);
    killpoint();
}

/* The other end's, from `one`'s own memory; and as it is now. */
static inline mark end_seen(const end *one)
{
    return mark_of(atomic_load_explicit(&one->cell->field[END_SEEN], memory_order_relaxed));
}

static inline mark end_look(const end *one, const end *other)
{
    uint64_t word = atomic_load_explicit(&other->cell->field[END_MARK], memory_order_acquire);
    atomic_store_explicit(&one->cell->field[END_SEEN], word, memory_order_relaxed);
    return mark_of(word);
}

static inline ring *ends_ring(const ends *q)
{
    return arena_at(atomic_load_explicit(&q->queue->block, memory_order_relaxed));
}

/* Under the tail's lock: a ring with room for so many units behind `tail`, which is its mark or lies
 * behind that. MPROC_ENOMEM; and those of ends_lock. */
mproc_err ends_grow(const ends *q, mark tail, uint32_t need, int64_t deadline);

/* For who waits for many things at once: that a message is there, or that it is closed or gone; to
 * be told of it by its slot's `rung`. */
bool ends_are_ready(uint64_t id);
void ends_watch(uint64_t id);

mproc_err ends_create(uint32_t max_items, uint64_t *home);
/* Waits for those who are in the midst of a put or get, but no longer than a second: a queue that
 * one of them still uses then is ended by him when he leaves, or by his sweep. */
mproc_err ends_destroy(uint64_t id);
/* Of a process that was just destroying one, or that used one which was being destroyed. Waits for
 * nobody. */
void ends_sweep(slot_id dead);

#endif
