/* Where a process may be killed: `killpoint();` stands behind every store that other processes
 * see. The crash tests build the library with MPROC_KILLPOINTS and count them; elsewhere nothing is
 * left of it.
 *
 * Likewise `looked_at();` stands where a walk through a table of the family looks at an entry: so a
 * test can tell what something costs without a clock. */
#ifndef MPROC_KILLPOINT_H
#define MPROC_KILLPOINT_H

#include "names.h"

#ifdef MPROC_KILLPOINTS
#include <stdatomic.h>
extern void (*killpoint_reached)(void); /* NULL: nothing happens */
extern _Atomic unsigned long entries_looked_at;
#define killpoint() (killpoint_reached ? killpoint_reached() : (void)0)
#define looked_at() ((void)atomic_fetch_add(&entries_looked_at, 1))
#else
#define killpoint() ((void)0)
#define looked_at() ((void)0)
#endif

#endif
