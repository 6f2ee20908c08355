/* Runs a process up to a kill point, and kills it there, without its help: its arena is made
 * read-only, so that every store to it stops the process.
 *
 * Kill points are: before the first instruction; behind each store that changed the arena; before
 * and after each system call. Or, in single steps: behind each instruction. */
#ifndef MPROC_TESTS_CRASH_TRACER_H
#define MPROC_TESTS_CRASH_TRACER_H

#include <stdbool.h>
#include <stdint.h>

bool tracer_can(void); /* false: this system does not let itself be traced */
void tracer_pin(void); /* tracer and traced on one processor: a step costs a third */

/* By the traced one. */
void tracer_enter(void); /* lets its parent trace it */
void tracer_mark(void);  /* what is between the first and the second mark is traced */

/* By its parent. Returns when it has stopped at the point, or at the second mark, or has ended on
 * the way. False: it has ended before the first one. */
bool tracer_bring(long long pid, uint32_t point, bool each_step);
uint32_t tracer_count(void); /* the points that it has come by */
void tracer_kill(void);
/* A child that it was just making in another thread. */
void tracer_let_go(long long pid);

#endif
