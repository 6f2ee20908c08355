/* A trace made and read back: strictly, as the JSON that it is to be, and event by event. */
#ifndef MPROC_TESTS_API_TRACE_SUPPORT_H
#define MPROC_TESTS_API_TRACE_SUPPORT_H

#include "support.h"

typedef struct timeline {
    char *text; /* NULL: there is no such file */
    size_t size;
} timeline;

#define TRACE_VARIABLE "MPROC_TRACE"

/* Plays a role that is to trace to that path; NULL: to none. */
const run_result *run_traced(const char *name, const char *argument, const char *path);
/* Likewise; it ends well, and so does what it has written. Asserts. */
timeline trace_of(const char *name, const char *argument, const note *place);

timeline read_timeline(const note *place);
void drop_timeline(timeline *read, const note *place); /* and the file */
/* One JSON value and nothing else (RFC 8259), in valid UTF-8. */
bool is_strict_json(const char *text, size_t size);
/* Strict, an array, each event on a line of its own. Asserts. */
void assert_well_formed(const timeline *read);
/* How many events have all of these in them; a NULL ends them. */
size_t count_events(const timeline *read, const char *const *parts);
#define COUNT_EVENTS(read, ...) count_events((read), (const char *const[]){__VA_ARGS__, NULL})
/* The number behind that key in the first event that has both parts; -1: none. */
double number_in(const timeline *read, const char *part, const char *other, const char *key);

#endif
