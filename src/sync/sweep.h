/* What an ended process leaves in the shared objects. */
#ifndef MPROC_SYNC_SWEEP_H
#define MPROC_SYNC_SWEEP_H

#include "../family/object.h"

/* Of a proven dead process, before its slot is swept: no object is held by it afterwards, and
 * nobody sleeps because of it. Again does no harm. */
void sync_sweep(slot_id dead);
/* Of this process at its clean end; nothing to do when it has used no object. False: threads of it
 * still wait, so that it has to be swept as well. */
bool sync_leave(void);

/* Of each type. `clean`: it has ended by itself. */
void semaphore_sweep(object *cell, const slot *dead);
void event_sweep(object *cell, const slot *dead);
void barrier_sweep(object *cell, slot_id gone, const slot *of_gone, bool clean);

#endif
