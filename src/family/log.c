#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "family.h"

static _Atomic int threshold = MPROC_LOG_OFF;
mproc_log_level log_get_level(void)
{
    return (mproc_log_level)atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_set_level(mproc_log_level level)
{
    atomic_store(&threshold, (int)level);
}

mproc_err mproc_log_to_stderr(mproc_log_level level)
{
    if (level < MPROC_LOG_DEFAULT || level > MPROC_LOG_OFF)
        return MPROC_EINVAL;
    log_set_level(level == MPROC_LOG_DEFAULT ? MPROC_LOG_WARNING : level);
    return MPROC_OK;
}

/* One fwrite of a whole line: lines of several processes do not mix. */
static void write_line(const char *level, const char *format, va_list arguments)
{
    char line[1024];
    const slot *self = family.self ? slot_at(family.self) : NULL;
    int head = snprintf(line, sizeof line, "[%s/%s] ", level, self ? self->name : "MainProcess");
    int text = vsnprintf(line + head, sizeof line - 1 - (size_t)head, format, arguments);
    size_t length = (size_t)head + (text < 0 ? 0 : (size_t)text);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    fwrite(line, 1, length, stderr);
    fflush(stderr);
}

void log_write(mproc_log_level level, const char *format, ...)
{
    static const char *const names[] = {"", "DEBUG", "INFO", "WARNING", "ERROR"};
    if (level < log_get_level())
        return;
    va_list arguments;
    va_start(arguments, format);
    write_line(names[level], format, arguments);
    va_end(arguments);
}

void log_complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line("mproc", format, arguments);
    va_end(arguments);
}
