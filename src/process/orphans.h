/* Descendants whose parent has died. All of it under the children's lock; their sweeps are not. */
#ifndef MPROC_PROCESS_ORPHANS_H
#define MPROC_PROCESS_ORPHANS_H

#include "process.h"

/* Takes over the living children of one that is proved dead; `watch` has their ends told of,
 * from which the caller is to call orphans_remove. True: the dead one has heirs, and its sweep
 * must wait for them. */
bool orphans_adopt(slot_id dead, mproc_err (*watch)(mproc_process *orphan));
/* One has ended and has been swept. True: it was the last heir of its `estate`, which can be
 * swept now. */
bool orphans_remove(mproc_process *orphan);
bool orphans_exist(void);
void orphans_after_fork(void);

#endif
