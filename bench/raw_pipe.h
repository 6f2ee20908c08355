/* What mproc's pipes are compared with: a pair of stream sockets; on Windows a named pipe.
 * raw_pipe_posix.c and raw_pipe_win32.c. */
#ifndef RAW_PIPE_H
#define RAW_PIPE_H

#include <stdbool.h>
#include <stddef.h>

extern const bool raw_pipe_is_socket;

/* Another process, which holds the other end: it runs that, or, where there is no fork, plays that
 * role, whose `prepare` is the same function. It begins with raw_pipe_join. */
bool raw_pipe_start(const char *role, void (*run)(double argument), double argument);
double raw_pipe_join(double argument); /* the argument of the start */
void raw_pipe_end(void);

bool raw_pipe_send(const void *bytes, size_t size); /* all of them */
bool raw_pipe_recv(void *bytes, size_t size);       /* all of them; false also at the end */

#endif
