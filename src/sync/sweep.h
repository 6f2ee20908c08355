/* What an ended process leaves in the shared objects. */
#ifndef MPROC_SYNC_SWEEP_H
#define MPROC_SYNC_SWEEP_H

#include "../family/object.h"

/* Of a proven dead process, before its slot is swept: no object is held by it afterwards, and
 * nobody sleeps because of it. Again does no harm. */
void sync_sweep(slot_id dead);
/* Of this process at its clean end: it belongs to no barrier any more. What it holds is swept when
 * it is proved dead, for until then others of its threads go on. False: some of them wait, so that
 * its end is to be treated as any other. */
bool sync_leave(void);

/* Of each type. `clean`: it has ended by itself. */
void semaphore_sweep(object *cell, const slot *dead);
void event_sweep(object *cell, const slot *dead);
void barrier_sweep(object *cell, slot_id gone, const slot *of_gone, bool clean);

#endif
