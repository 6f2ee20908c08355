/* What the drives need of the operating system. */
#ifndef MPROC_TESTS_CRASH_HOST_H
#define MPROC_TESTS_CRASH_HOST_H

void host_end_self(void); /* as kill -9 does it */
/* Descendants whose parent has died become this process's own, where that can be had: some init
 * processes take their time to reap, and without pidfds a zombie is not known to be dead. */
void host_adopt_orphans(void);
/* Those that have ended. Of the library's own children none may have ended unnoticed. `stopped`, or
 * NULL: of one that has been left stopped for its tracer, which is this process. */
void host_reap_orphans(void (*stopped)(long long pid));
/* Only the latter. */
void host_find_stopped(void (*stopped)(long long pid));

#endif
