/* Messages of mproc's own, one line and one write each. */
#ifndef MPROC_FAMILY_LOG_H
#define MPROC_FAMILY_LOG_H

#include <mproc/log.h>

#include <stddef.h>

#include "../names.h"

void log_write(mproc_log_level level, const char *format, ...) MPROC_PRINTF(2, 3);
/* To the standard error whatever the level: for what a program's author must see. */
void log_complain(const char *format, ...) MPROC_PRINTF(1, 2);
mproc_log_level log_get_level(void);
void log_set_level(mproc_log_level level);

/* From now on the last message of this process's that mproc_log was given, shown or not, stands
 * here, cut at a character: in shared memory, where it outlives the process. It is a string at any
 * moment: the old one, none, or the new one. A forked child keeps its own elsewhere, or nowhere.
 * Size 0: nowhere. One thread calls it. */
void log_keep_in(char *room, size_t size);
void log_in_raw_child(void); /* in the child of every fork */

#endif
