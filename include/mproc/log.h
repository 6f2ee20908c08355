/* What mproc itself tells about its work, and what the program tells in the same way. Quiet unless
 * asked. */
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

/* Writes a message of the program's own into the same log: as one line `[LEVEL/process name] text`
 * in one write to the standard error, if the level that mproc_log_to_stderr has set lets it through;
 * before that call nothing is written.
 *
 * level   MPROC_LOG_DEBUG to MPROC_LOG_ERROR.
 * format  as of printf, UTF-8, without a newline at its end. A line is at most 1024 bytes long;
 *         what is longer is cut at a character.
 *
 * With MPROC_TRACE in the environment every message stands in the timeline, whatever the level; and
 * a pool reports the last message of a worker that crashes (mproc_task_error.message).
 *
 * **Returns** MPROC_OK, also when nothing was written; MPROC_EINVAL: MPROC_LOG_DEFAULT,
 * MPROC_LOG_OFF, a number that is no level, or no format.
 * **Ownership**: nothing is kept of the arguments. **Threads**: safe; not in a signal handler.
 * *Like* `multiprocessing.get_logger().info(...)`. */
MPROC_API mproc_err mproc_log(mproc_log_level level, const char *format, ...) MPROC_PRINTF(2, 3);

MPROC_END

#endif
