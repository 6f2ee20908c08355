/* The children of this process: who they are, and the one place where they are reaped. */
#ifndef MPROC_PROCESS_CHILDREN_H
#define MPROC_PROCESS_CHILDREN_H

#include "process.h"

void children_begin(void);      /* once a process, before anything else here */
void children_after_fork(void); /* in a forked child: none of them are its own */

/* One thread at a time may start it, and only once; a start that failed may be repeated. */
bool children_begin_start(mproc_process *child);
void children_cancel_start(mproc_process *child);
/* A started child; `os` and `slot` are set. An error says that it runs, but cannot be watched,
 * on which its hooks rely. */
mproc_err children_add(mproc_process *child);
/* From now on every end is noticed at once, by a thread. */
mproc_err children_monitor(void);
bool children_are_monitored(void);

/* Looks whether it has ended. True once it has: `status` is final. */
bool children_has_ended(mproc_process *child);
mproc_err children_join(mproc_process *child, int64_t deadline);
mproc_err children_signal(mproc_process *child, bool hard);
mproc_err children_sentinel(mproc_process *child, os_handle *sentinel);
mproc_err children_list(mproc_process **list, size_t capacity, size_t *count);

/* Descendants that this process has adopted still run. */
bool children_have_orphans(void);

/* At the end of this process: ends the daemons, joins the others. */
void children_end(void);

#endif
