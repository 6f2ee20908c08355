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

/* MPROC_ESTALE, and the errors of family_enter. */
mproc_err ends_find(uint64_t id, ends *q);
/* Whether it is still that queue; *word: its flags. */
bool ends_exist(const ends *q, uint64_t *word);

/* Recovers what a dead holder has left. A lock held by another for more than a moment: waits until
 * the deadline, but at least a second. MPROC_ETIMEDOUT, MPROC_ESTALE, MPROC_EINTR, MPROC_EAGAIN. */
mproc_err ends_lock(const ends *q, const end *one, int64_t deadline);
void ends_unlock(const end *one);

mark end_mark(const end *one);
void end_commit(const end *one, mark m);
/* The other end's, from `one`'s own memory; and as it is now. */
mark end_seen(const end *one);
mark end_look(const end *one, const end *other);

ring *ends_ring(const ends *q);
/* Under the tail's lock: a ring with room for so many units behind `tail`, which is its mark or lies
 * behind that. MPROC_ENOMEM; and those of ends_lock. */
mproc_err ends_grow(const ends *q, mark tail, uint32_t need, int64_t deadline);

mproc_err ends_create(uint32_t max_items, uint64_t *home);
mproc_err ends_destroy(uint64_t id);
/* Of a process that was just destroying one. */
void ends_sweep(slot_id dead);

#endif
