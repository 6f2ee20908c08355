/* Named shared memory: what the other floors call. */
#ifndef MPROC_DATA_SHARED_MEMORY_H
#define MPROC_DATA_SHARED_MEMORY_H

#include <mproc/shared_memory.h>

#include "../family/slot.h"

/* After the end of a member, while its slot is still its own: removes the segments that nobody uses
 * any more. One load when it never had a segment. Again does no harm. */
void shared_memory_sweep(slot_id dead);

/* With a program that stands still in the midst of a change, in nanoseconds. Tests have less. */
extern int64_t shared_memory_patience;

#endif
