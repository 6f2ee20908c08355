/* POSIX only: alarms that hit whatever a program does, and what that makes of its waits. */
#ifndef MPROC_TESTS_API_POSIX_ALARM_H
#define MPROC_TESTS_API_POSIX_ALARM_H

#include <signal.h>
#include <stdatomic.h>

#include "support.h"

extern atomic_int alarms; /* so many have rung, in whatever thread */
/* 0: no more. With the flags of sigaction, such as SA_RESTART. */
void ring_every(int milliseconds, int flags);

/* Each of these waits is for what does not come. The flags are those for every second one. */
typedef mproc_err (*timed_wait)(int timeout_ms);
/* In a role; 0: each wait took its time, whatever rang. */
int wait_uninterruptibly(const timed_wait *waits, size_t count, int flags);
/* In a role that has asked for it; 0: each wait was ended. */
int wait_interruptibly(const timed_wait *waits, size_t count, int flags);

#endif
