/* Where a process may be killed: `killpoint();` stands behind every store that other processes
 * see. The crash tests build the library with MPROC_KILLPOINTS and count them; elsewhere nothing is
 * left of it. */
#ifndef MPROC_KILLPOINT_H
#define MPROC_KILLPOINT_H

#include "names.h"

#ifdef MPROC_KILLPOINTS
extern void (*killpoint_reached)(void); /* NULL: nothing happens */
#define killpoint() (killpoint_reached ? killpoint_reached() : (void)0)
#else
#define killpoint() ((void)0)
#endif

#endif
