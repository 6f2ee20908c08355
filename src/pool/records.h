/* What the workers have to say about the items of a map, beyond "done": failures, and replies of
 * any size.
 *
 * Each worker appends records to chunks of his own; all chunks of a job hang in one chain. A record
 * counts once `used` of its chunk covers it, and for its item once that item's outcome says so; so
 * one that a killed worker left half-written is not there. A chunk is linked by one CAS when it is
 * complete, and then given to the job's owner; before that the worker's sweep frees it, and
 * records_inherit gives away what a dead one had linked and not yet given. */
#ifndef MPROC_POOL_RECORDS_H
#define MPROC_POOL_RECORDS_H

#include "../family/heap.h"

typedef struct record {
    uint64_t index; /* of the item */
    uint64_t size;  /* of `bytes` */
    int32_t err;    /* mproc_err: OK for a reply, else a failure and `bytes` is its message */
    int32_t code;
    int64_t pid;
    _Alignas(16) unsigned char bytes[];
} record;

typedef _Atomic arena_ref record_chain;

/* Where one worker is writing; private to it. All zeroes but for the two ids at first. */
typedef struct record_writer {
    slot_id self, owner; /* of the worker, and of whom the chain belongs to */
    arena_ref chunk;     /* 0: none yet in this chain */
} record_writer;

/* Room for one more record of `size` bytes, not yet counted. NULL: no memory. */
record *records_reserve(record_chain *chain, record_writer *writer, size_t size);
/* Counts the record that was reserved last. */
void records_commit(const record_writer *writer, const record *last);
/* Makes a dead worker's chunks its heir's, to whom the others belong already. */
void records_inherit(record_chain *chain, slot_id dead, slot_id heir);
/* By their owner, when nobody writes any more. */
void records_free(record_chain *chain, slot_id self);
void records_each(record_chain *chain, void (*visit)(const record *record, void *context),
                  void *context);

#endif
