#include "trace.h"

#include <string.h>

#include "family.h"
#include "json.h"
#include "log.h"
#include "settings.h"
#include "trace_file.h"

enum { BUFFER = 32768, MAIN_TRACK = 1 };

_Atomic bool trace_is_running;

static os_mutex lock; /* of the buffer */
static char buffer[BUFFER];
static size_t used;
static uint64_t lost; /* events, while somebody stopped held the file */

/* ---- tracks ---- */

/* Threads are numbered as they come; in a forked child anew. */
static _Atomic int64_t tracks;
static _Atomic uint32_t numbering;
static _Thread_local int64_t own_track;
static _Thread_local uint32_t own_numbering;

static void begin_tracks(void)
{
    atomic_store(&tracks, MAIN_TRACK);
    own_track = MAIN_TRACK;
    own_numbering = atomic_fetch_add(&numbering, 1) + 1;
}

static int64_t track(void)
{
    uint32_t now = atomic_load_explicit(&numbering, memory_order_relaxed);
    if (own_numbering != now) {
        own_track = atomic_fetch_add(&tracks, 1) + 1;
        own_numbering = now;
    }
    return own_track;
}

/* ---- the buffer ---- */

static void give_up(mproc_err err)
{
    atomic_store(&trace_is_running, false);
    trace_file_end();
    if (err != MPROC_ECLOSED)
        log_write(MPROC_LOG_WARNING, "the trace ends here: %s", mproc_strerror(err));
}

static uint64_t count_lines(void)
{
    uint64_t count = 0;
    for (size_t i = 0; i < used; i++)
        count += buffer[i] == '\n';
    return count;
}

/* Under the lock. */
static void empty_buffer(void)
{
    mproc_err err = used ? trace_file_append(buffer, used) : MPROC_OK;
    if (err == MPROC_ETIMEDOUT)
        lost += count_lines();
    else if (err)
        give_up(err);
    used = 0;
}

static void add(const json_line *line)
{
    if (line->used > sizeof buffer - used)
        empty_buffer();
    memcpy(buffer + used, line->text, line->used);
    used += line->used;
}

static void emit(const json_line *line)
{
    os_mutex_lock(&lock);
    if (trace_is_on())
        add(line);
    os_mutex_unlock(&lock);
}

/* ---- events ---- */

/* Microseconds, with three decimals. */
static void put_time(json_line *line, const char *key, int64_t time)
{
    char decimals[5] = ".000";
    int64_t rest = time % 1000;
    json_raw(line, key);
    json_number(line, time / 1000);
    for (int i = 3; i > 0; i--, rest /= 10)
        decimals[i] = (char)('0' + rest % 10);
    json_raw(line, decimals);
}

static void begin_event(json_line *line, const char *phase, const char *name, int64_t pid,
                        int64_t tid)
{
    line->used = 0;
    json_raw(line, "{\"ph\":\"");
    json_raw(line, phase);
    json_raw(line, "\",\"pid\":");
    json_number(line, pid);
    json_raw(line, ",\"tid\":");
    json_number(line, tid);
    json_raw(line, ",\"name\":");
    json_string(line, name);
}

static void put_category(json_line *line, const char *category)
{
    json_raw(line, ",\"cat\":");
    json_string(line, category);
}

static void put_key(json_line *line, const char **before, const char *key)
{
    json_raw(line, *before);
    json_raw(line, key);
    *before = ",";
}

static void end_event(json_line *line, const trace_args *args)
{
    const char *before = "";
    json_raw(line, ",\"args\":{");
    if (args && args->index != TRACE_NO_INDEX) {
        put_key(line, &before, "\"index\":");
        json_number(line, args->index);
    }
    if (args && args->err) {
        put_key(line, &before, "\"error\":");
        json_string(line, mproc_strerror(args->err));
    }
    if (args && args->note) {
        put_key(line, &before, "\"note\":");
        json_string(line, args->note);
    }
    json_raw(line, "}},\n");
}

static void span(int64_t pid, int64_t tid, const char *name, const char *category, int64_t begin,
                 int64_t end, const trace_args *args)
{
    json_line line;
    begin_event(&line, "X", name, pid, tid);
    put_category(&line, category);
    put_time(&line, ",\"ts\":", begin);
    put_time(&line, ",\"dur\":", end > begin ? end - begin : 0);
    end_event(&line, args);
    emit(&line);
}

/* `scope`: "t", or "p" for a line across all tracks of the process. */
static void instant(int64_t pid, int64_t tid, const char *scope, const char *name,
                    const char *category, const trace_args *args)
{
    json_line line;
    begin_event(&line, "i", name, pid, tid);
    put_category(&line, category);
    put_time(&line, ",\"ts\":", os_now());
    json_raw(&line, ",\"s\":\"");
    json_raw(&line, scope);
    json_raw(&line, "\"");
    end_event(&line, args);
    emit(&line);
}

static void call(const char *what, int64_t pid, int64_t tid, const char *name)
{
    json_line line;
    begin_event(&line, "M", what, pid, tid);
    json_raw(&line, ",\"args\":{\"name\":");
    json_string(&line, name);
    json_raw(&line, "}},\n");
    emit(&line);
}

void trace_span(const char *name, const char *category, int64_t begin, int64_t end,
                const trace_args *args)
{
    if (trace_is_on())
        span(os_getpid(), track(), name, category, begin, end, args);
}

void trace_instant(const char *name, const char *category, const trace_args *args)
{
    if (trace_is_on())
        instant(os_getpid(), track(), "t", name, category, args);
}

void trace_mark(int64_t pid, const char *name, const char *category, const trace_args *args)
{
    if (trace_is_on())
        instant(pid, MAIN_TRACK, "p", name, category, args);
}

void trace_track(const char *process_name)
{
    if (trace_is_on())
        call("process_name", os_getpid(), MAIN_TRACK, process_name);
}

void trace_thread(const char *name)
{
    if (trace_is_on())
        call("thread_name", os_getpid(), track(), name);
}

void trace_flush(void)
{
    if (!trace_is_on())
        return;
    os_mutex_lock(&lock);
    empty_buffer();
    os_mutex_unlock(&lock);
}

/* ---- the life of a process ---- */

static const char *own_name(void)
{
    return slot_at(family.self)->name;
}

/* Its track is there from now on, even if it is killed before it writes again. */
static void begin_life(void)
{
    os_mutex_init(&lock);
    used = 0;
    lost = 0;
    begin_tracks();
    atomic_store(&trace_is_running, true);
    trace_track(own_name());
    trace_thread("main");
    trace_flush();
    _Atomic int64_t *life = trace_file_life(family.self);
    atomic_store(life, -atomic_load(life));
}

void trace_starts(slot_id id)
{
    if (trace_is_on())
        atomic_store(trace_file_life(id), os_now());
}

void trace_begin(void)
{
    char path[OS_PATH] = "";
    mproc_err err = settings_trace_path(path, sizeof path);
    if (err == MPROC_ENOENT)
        return;
    if (!err)
        err = trace_file_create(path);
    if (err) {
        log_write(MPROC_LOG_WARNING, "there will be no trace, its file cannot be written (%s): %s",
                  mproc_strerror(err), path);
        return;
    }
    atomic_store(trace_file_life(family.self), os_now());
    begin_life();
}

/* Most forks copy no trace: then not a page of it is written to. */
void trace_in_raw_child(void)
{
    if (trace_is_on())
        atomic_store(&trace_is_running, false);
}

void trace_after_fork(void)
{
    if (trace_file_is_open())
        begin_life();
}

void trace_join(void)
{
    mproc_err err = trace_file_open();
    if (!err)
        begin_life();
    else if (err != MPROC_ENOENT)
        log_write(MPROC_LOG_WARNING, "this process is not in the trace: %s", mproc_strerror(err));
}

/* The array's last event has no comma behind it. */
static void close_file(void)
{
    json_line line;
    begin_event(&line, "M", "process_sort_index", os_getpid(), MAIN_TRACK);
    json_raw(&line, ",\"args\":{\"sort_index\":-1}}");
    mproc_err err = trace_file_close(line.text, line.used);
    if (err)
        log_write(MPROC_LOG_WARNING, "the trace is not complete: %s", mproc_strerror(err));
}

/* Under the lock, once all is written. */
static void leave_file(void)
{
    if (lost)
        log_write(MPROC_LOG_WARNING,
                  "the trace lacks %llu events: its file was held by a process "
                  "that was stopped",
                  (unsigned long long)lost);
    if (!family.parent)
        close_file();
    atomic_store(&trace_is_running, false);
    trace_file_end();
}

void trace_end(void)
{
    if (!trace_is_on())
        return;
    int64_t began = -atomic_load(trace_file_life(family.self));
    span(os_getpid(), MAIN_TRACK, own_name(), "process", began, os_now(), NULL);
    os_mutex_lock(&lock);
    empty_buffer();
    if (trace_is_on())
        leave_file();
    os_mutex_unlock(&lock);
    atomic_store(trace_file_life(family.self), 0);
}

static const char *end_named(mproc_exit_kind kind)
{
    switch (kind) {
    case MPROC_EXIT_SIGNALED:
        return "killed by a signal";
    case MPROC_EXIT_CRASHED:
        return "crashed";
    case MPROC_EXIT_TERMINATED:
        return "terminated";
    case MPROC_EXIT_REFUSED:
        return "could not run its target";
    case MPROC_EXIT_LOST:
        return "ended, nobody knows how";
    case MPROC_EXIT_RUNNING:
    case MPROC_EXIT_EXITED:
        break;
    }
    return NULL;
}

static void mark_end(int64_t pid, const char *what, const char *category, int64_t code)
{
    json_line line;
    begin_event(&line, "i", what, pid, MAIN_TRACK);
    put_category(&line, category);
    put_time(&line, ",\"ts\":", os_now());
    json_raw(&line, ",\"s\":\"p\",\"args\":{\"code\":");
    json_number(&line, code);
    json_raw(&line, "}},\n");
    emit(&line);
}

void trace_ended(slot_id id, int64_t pid, const char *name, const mproc_exit_status *status)
{
    if (!trace_is_on())
        return;
    const char *what = end_named(status->kind);
    int64_t began = atomic_exchange(trace_file_life(id), 0);
    if (began > 0)
        call("process_name", pid, MAIN_TRACK, name);
    if (began)
        span(pid, MAIN_TRACK, name, "process", began < 0 ? -began : began, os_now(), NULL);
    if (what)
        mark_end(pid, what, status->kind == MPROC_EXIT_TERMINATED ? "process" : "crash",
                 status->code);
}
