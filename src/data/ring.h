/* The bytes of a queue: records one behind the other in a ring of units.
 *
 * A place counts units from the queue's beginning and never goes back, so a ring that is replaced by
 * one twice as large keeps all places: a place is found under it modulo the capacity, and what did
 * not cross the end of the smaller one does not cross that of the larger one. Together with the
 * number of messages before it a place is one 64-bit word, the `mark`; each end of the queue has
 * one, and storing it is the commit of all that lies before it.
 *
 * Nothing here is atomic: the head's lock protects what lies between head and tail from being
 * overwritten, the tail's what lies beyond. */
#ifndef MPROC_DATA_RING_H
#define MPROC_DATA_RING_H

#include "../family/arena.h"

enum { RING_UNIT = 8, RING_INLINE = 2040 /* larger messages lie in blocks of their own */ };
#define RING_LEAST 256u      /* units at first */
#define RING_MOST (1u << 30) /* units */

typedef struct ring {
    uint32_t units; /* a power of two */
    uint32_t done;  /* messages of which a taker has said so */
    _Alignas(64) uint64_t unit[];
} ring;

typedef struct mark {
    uint32_t place; /* units, modulo 2^32 */
    uint32_t items; /* messages, modulo 2^32 */
} mark;

static inline mark mark_of(uint64_t word)
{
    return (mark){(uint32_t)(word >> 32), (uint32_t)word};
}

static inline uint64_t mark_word(mark m)
{
    return (uint64_t)m.place << 32 | m.items;
}

static inline size_t ring_bytes(uint32_t units)
{
    return sizeof(ring) + (size_t)units * RING_UNIT;
}

/* A message as it lies in the ring. */
typedef struct record {
    uint64_t size;
    const void *data; /* NULL: in a block */
    arena_ref block;
    mark next; /* behind it */
} record;

/* Writes a record at the mark and moves that behind it. False: it does not fit before `head`. */
bool ring_write(ring *r, mark head, mark *tail, const void *data, size_t size);
bool ring_write_block(ring *r, mark head, mark *tail, arena_ref block, size_t size);
/* The record at the head, which is not the tail. False: what lies there is no record. */
bool ring_read(const ring *r, mark head, mark tail, record *found);
/* All that lies between the marks, into one of more units. */
void ring_copy(ring *to, const ring *from, mark head, mark tail);
/* The next few will be read, or written. */
void ring_expect(const ring *r, mark head, mark tail);
void ring_expect_room(const ring *r, mark head, mark tail);
/* Units that one more message may need, at most. */
uint32_t ring_need(size_t size);

#endif
