/* Forking against descriptors: whoever makes a descriptor that a child must not keep passes the
 * gate (shared) until the descriptor stands where the child looks for it; a fork closes the gate
 * (exclusive). */
#ifndef MPROC_FAMILY_GATE_H
#define MPROC_FAMILY_GATE_H

#include "../os.h"

void gate_init(void); /* once, and again in a forked child: its state was copied while closed */
void gate_enter(void);
void gate_leave(void);
void gate_close(void); /* before a fork: waits until everybody has left */
void gate_open(void);

#endif
