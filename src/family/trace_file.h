/* The file that all processes of a family write their events into. Whoever writes holds it, and
 * writes where the last one ended; only then the end is moved. So what a killed process has half
 * written is written over, and the file is whole lines up to its end. */
#ifndef MPROC_FAMILY_TRACE_FILE_H
#define MPROC_FAMILY_TRACE_FILE_H

#include "slot.h"

/* The first process: makes the file, with the beginning of an array. */
mproc_err trace_file_create(const char *path);
/* A child. MPROC_ENOENT: the family has none; or the error of opening it. */
mproc_err trace_file_open(void);
/* Whole lines. MPROC_ECLOSED: the first process has closed it; MPROC_ETIMEDOUT: for a second
 * somebody else has held it, who is stopped; else the error of writing. Then nothing is added. */
mproc_err trace_file_append(const char *lines, size_t size);
/* The first process: the array ends with this event, which has no comma. Nobody writes any more. */
mproc_err trace_file_close(const char *last, size_t size);
void trace_file_end(void); /* this process lets go of it */
bool trace_file_is_open(void);
/* When that process was started, on the clock of os_now; less than 0 once its name stands in the
 * file; 0 once its life does. */
_Atomic int64_t *trace_file_life(slot_id id);

#endif
