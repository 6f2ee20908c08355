#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "family.h"
#include "text.h"
#include "trace.h"

enum { LINE = 1024 };

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

/* ---- lines ---- */

static const char *name_of(mproc_log_level level)
{
    static const char *const names[] = {"", "DEBUG", "INFO", "WARNING", "ERROR"};
    return names[level];
}

/* Room for one character more than is used: a text that fills all of it has been cut somewhere. */
static void format_text(char text[LINE + 4], const char *format, va_list arguments)
{
    int length = vsnprintf(text, LINE + 4, format, arguments);
    if (length < 0)
        text[0] = '\0';
    else if (length > LINE)
        text_cut(text, LINE);
}

/* One fwrite of a whole line: lines of several processes do not mix. */
static void write_line(const char *level, const char *text)
{
    char line[LINE + 4];
    const slot *self = family.self ? slot_at(family.self) : NULL;
    int head = snprintf(line, sizeof line, "[%s/%s] ", level, self ? self->name : "MainProcess");
    text_copy(line + head, sizeof line - (size_t)head, text);
    size_t length = strlen(line);
    if (length > LINE - 1) {
        text_cut(line, LINE - 1);
        length = strlen(line);
    }
    line[length++] = '\n';
    fwrite(line, 1, length, stderr);
    fflush(stderr);
}

void log_write(mproc_log_level level, const char *format, ...)
{
    if (level < log_get_level())
        return;
    char text[LINE + 4];
    va_list arguments;
    va_start(arguments, format);
    format_text(text, format, arguments);
    va_end(arguments);
    write_line(name_of(level), text);
}

void log_complain(const char *format, ...)
{
    char text[LINE + 4];
    va_list arguments;
    va_start(arguments, format);
    format_text(text, format, arguments);
    va_end(arguments);
    write_line("mproc", text);
}

/* ---- the program's own messages ---- */

/* Where the last one is kept. The lock is made with the first room, and in a forked child anew. */
static os_mutex room_lock;
static bool has_lock;
static char *_Atomic room;
static size_t room_size;

void log_keep_in(char *given, size_t size)
{
    if (!has_lock)
        os_mutex_init(&room_lock);
    has_lock = true;
    os_mutex_lock(&room_lock);
    if (size)
        given[0] = given[size - 1] = '\0';
    room_size = size;
    atomic_store(&room, size ? given : NULL);
    os_mutex_unlock(&room_lock);
}

void log_in_raw_child(void)
{
    if (!has_lock)
        return;
    atomic_store(&room, NULL);
    has_lock = false;
}

/* The first byte says whether there is a text: killed while the others change, it leaves none.
 * Volatile, so that they change in this order. */
static void write_text(volatile char *to, const char *text, size_t length)
{
    to[0] = '\0';
    for (size_t i = 1; i <= length; i++)
        to[i] = i < length ? text[i] : '\0';
    if (length)
        to[0] = text[0];
}

static void keep(const char *text)
{
    os_mutex_lock(&room_lock);
    char *kept = atomic_load_explicit(&room, memory_order_relaxed);
    if (kept) {
        size_t length = strlen(text);
        write_text(kept, text, length < room_size ? length : text_whole(text, room_size - 1));
    }
    os_mutex_unlock(&room_lock);
}

mproc_err mproc_log(mproc_log_level level, const char *format, ...)
{
    if (level < MPROC_LOG_DEBUG || level > MPROC_LOG_ERROR || !format)
        return MPROC_EINVAL;
    const bool shown = level >= log_get_level(), kept = atomic_load(&room), traced = trace_is_on();
    if (!shown && !kept && !traced)
        return MPROC_OK;
    char text[LINE + 4];
    va_list arguments;
    va_start(arguments, format);
    format_text(text, format, arguments);
    va_end(arguments);
    if (kept)
        keep(text);
    if (traced)
        trace_instant(text, "log", &(trace_args){.index = TRACE_NO_INDEX, .note = name_of(level)});
    if (shown)
        write_line(name_of(level), text);
    return MPROC_OK;
}
