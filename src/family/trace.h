/* MPROC_TRACE=file.json: a timeline of processes and tasks in Chrome's trace event format, one event
 * a line. Each process gathers its events in a buffer of its own and appends it to the family's
 * file when it is full, when it is told to, and at its clean end; what a killed one had not written
 * is lost, the file stays well-formed. Off, and between trace_end and the process's end, every call
 * does nothing.
 *
 * Times are of os_now. Texts are UTF-8, and escaped here; long ones are cut. */
#ifndef MPROC_FAMILY_TRACE_H
#define MPROC_FAMILY_TRACE_H

#include <mproc/process.h>

#include "slot.h"

extern _Atomic bool trace_is_running;

/* To be asked before what is traced is put together: one load. */
static inline bool trace_is_on(void)
{
    return atomic_load_explicit(&trace_is_running, memory_order_relaxed);
}

#define TRACE_NO_INDEX INT64_MIN

/* What an event tells besides; a NULL instead of it: nothing. */
typedef struct trace_args {
    int64_t index;    /* of an item; TRACE_NO_INDEX: none */
    mproc_err err;    /* MPROC_OK: none */
    const char *note; /* NULL: none */
} trace_args;

/* ---- events; any thread. Those of one thread stand on a track of its own ---- */

/* Spans of one thread lie beside or within each other. */
void trace_span(const char *name, const char *category, int64_t begin, int64_t end,
                const trace_args *args);
void trace_instant(const char *name, const char *category, const trace_args *args);
/* On another process's track, such as a worker's that has crashed. */
void trace_mark(int64_t pid, const char *name, const char *category, const trace_args *args);
/* What this process is called instead of its name; what this thread is called. */
void trace_track(const char *process_name);
void trace_thread(const char *name);
/* Before a sleep of unknown length. */
void trace_flush(void);

/* ---- the life of a process ---- */

/* In the first one: makes the file, if the environment names one. Complains in the log otherwise. */
void trace_begin(void);
/* The parent's, before it makes a child in that slot: its life begins. */
void trace_starts(slot_id id);
/* In the child of every fork: it is silent, unless the next one follows. */
void trace_in_raw_child(void);
void trace_after_fork(void); /* in a forked child: drops its parent's buffer */
void trace_join(void);       /* in a child that is no copy of its parent */
/* At the clean end: tells of the own life and writes everything. In the first process no other may
 * write from then on. */
void trace_end(void);
/* The parent's: that one is proved dead, and its slot not free yet. Tells of its life, if it has
 * not done so itself, and of its end, if that was none of its own. */
void trace_ended(slot_id id, int64_t pid, const char *name, const mproc_exit_status *status);

#endif
