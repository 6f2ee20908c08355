#include "killpoint.h"

#ifdef MPROC_KILLPOINTS
void (*killpoint_reached)(void);
_Atomic unsigned long entries_looked_at;
#else
typedef int killpoint_unused; /* ISO C wants a declaration */
#endif
