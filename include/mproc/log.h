/* What mproc itself tells about its work. Quiet unless asked. */
#ifndef MPROC_LOG_H
#define MPROC_LOG_H

#include <mproc/error.h>

MPROC_BEGIN

typedef enum mproc_log_level {
    MPROC_LOG_DEFAULT = 0, /* as WARNING */
    MPROC_LOG_DEBUG,       /* every start, end and sweep */
    MPROC_LOG_INFO,        /* workers that were replaced, pools created and ended */
    MPROC_LOG_WARNING,     /* what is likely a mistake, such as a fork in a threaded program */
    MPROC_LOG_ERROR,       /* what could not be done */
    MPROC_LOG_OFF
} mproc_log_level;

/* Writes mproc's own messages of this level and above to the standard error, each as one line
 * `[LEVEL/process name] text` in one write. Children started afterwards do the same.
 *
 * **Returns** MPROC_OK, or MPROC_EINVAL for a number that is no level.
 * **Threads**: safe. Without a call nothing is written, with two exceptions: a main without the
 * guard is shown the lines that it lacks, and a child that cannot run its target says why.
 * *Like* `multiprocessing.log_to_stderr(level)`. */
MPROC_API mproc_err mproc_log_to_stderr(mproc_log_level level);

MPROC_END

#endif
