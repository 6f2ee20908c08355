/* The threads of this process, as holders of recursive locks.
 *
 * A lock's word names its holder by slot and mark, and a mark has 24 bits. So each thread that takes
 * a recursive lock gets a number that no other living thread of its process has. It gives the number
 * back at its end, unless it still holds a lock: then the word of that lock keeps the number, and no
 * other thread gets it. */
#ifndef MPROC_FAMILY_THREADS_H
#define MPROC_FAMILY_THREADS_H

#include "object.h"

#define THREADS_MOST (UINT32_C(1) << 24)
extern uint32_t threads_most; /* numbers to be had; tests do with fewer */

void threads_begin(void);
void threads_after_fork(void); /* in the child of every fork */

/* The calling thread in a lock's word; 0: it has no number yet. */
uint64_t threads_me(void);
/* Gives it a number if it has none. 0: there is none to be had. */
uint64_t threads_join(void);

/* It has taken a recursive lock, or let go of one. */
void threads_hold(void);
void threads_let_go(void);

#endif
