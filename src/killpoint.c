#include "killpoint.h"

#ifdef MPROC_KILLPOINTS
void (*killpoint_reached)(void);
#else
typedef int killpoint_unused; /* ISO C wants a declaration */
#endif
