/* What happens in a child, from its first instruction of mproc's to its end. */
#ifndef MPROC_PROCESS_CHILD_H
#define MPROC_PROCESS_CHILD_H

#include "process.h"

/* In a child that os_fork made. */
_Noreturn void child_run_forked(mproc_process *process, const process_identity *identity);
/* In a process that os_spawn made: a child, or a forkserver. */
_Noreturn void child_run_spawned(const os_entry *entry);

#endif
