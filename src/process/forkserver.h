/* The forkserver of this process: a small process without threads that forks on request. */
#ifndef MPROC_PROCESS_FORKSERVER_H
#define MPROC_PROCESS_FORKSERVER_H

#include "../family/family.h"
#include "handover.h"

void forkserver_begin(void);
void forkserver_after_fork(void);
/* Starts the server when there is none, or when it has died. */
mproc_err forkserver_start_child(slot_id id, const handover *given, os_process *child,
                                 unsigned *incarnation);
/* Whether that very one lives, which can still report how its children end. */
bool forkserver_is_alive(unsigned incarnation);
void forkserver_end(void);

/* In the server: does not return there, but in each child; its word is its slot. */
os_order forkserver_serve(os_handle channel);

#endif
