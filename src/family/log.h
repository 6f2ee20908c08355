/* Messages of mproc's own, one line and one write each. */
#ifndef MPROC_FAMILY_LOG_H
#define MPROC_FAMILY_LOG_H

#include <mproc/log.h>

#include "../names.h"

void log_write(mproc_log_level level, const char *format, ...) MPROC_PRINTF(2, 3);
/* To the standard error whatever the level: for what a program's author must see. */
void log_complain(const char *format, ...) MPROC_PRINTF(1, 2);
mproc_log_level log_get_level(void);
void log_set_level(mproc_log_level level);

#endif
