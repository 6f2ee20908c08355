/* What the program or its environment has chosen for the family. */
#ifndef MPROC_FAMILY_SETTINGS_H
#define MPROC_FAMILY_SETTINGS_H

#include "../os.h"

uint64_t settings_arena_size(void);
uint64_t settings_arena_limit(void);
/* MPROC_ENOENT: none is wanted. */
mproc_err settings_trace_path(char *path, size_t size);

#endif
