/* What the tests of connections share: pipes, and what goes over them. */
#ifndef MPROC_TESTS_API_CONNECTION_SUPPORT_H
#define MPROC_TESTS_API_CONNECTION_SUPPORT_H

#include "support.h"

typedef struct ends {
    mproc_connection a, b;
} ends;

ends new_pipe(mproc_pipe_mode mode);
void close_end(mproc_connection end);
void close_pipe(ends it);
intptr_t handle_of(mproc_connection connection);

void send_text(mproc_connection to, const char *text);
void assert_receives(mproc_connection from, const char *text);
void assert_ends(mproc_connection end);

/* For a thread: receives messages that are patterns. */
typedef struct receiving {
    mproc_connection from;
    size_t count; /* of messages to come */
    size_t size;
    unsigned *seeds;
    bool good;
} receiving;

void receive_there(void *argument);

#endif
