/* What a worker has to say about its items, beyond "done": failures, and replies of any size.
 *
 * Each worker appends records to a chain of chunks of its own, newest chunk first. A record
 * counts once `used` of its chunk covers it, and for its item once that item's outcome says so;
 * so one that a killed worker left half-written is not there. */
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

/* Room for one more record of `size` bytes, not yet counted. NULL: no memory. */
record *records_reserve(record_chain *chain, size_t size, slot_id self);
/* Counts the record that was reserved last. */
void records_commit(record_chain *chain, const record *last);
/* Empties the chain; one chunk of ordinary size stays for the next time. */
void records_reset(record_chain *chain, slot_id self);
void records_free(record_chain *chain, slot_id self);
/* Makes a dead worker's chunks another process's. */
void records_inherit(record_chain *chain, slot_id dead, slot_id heir);
/* Moves all chunks, which are the caller's, from one chain to another. */
void records_join(record_chain *chain, record_chain *from);
void records_each(record_chain *chain, void (*visit)(const record *record, void *context),
                  void *context);

#endif
