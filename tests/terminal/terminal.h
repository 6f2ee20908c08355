/* A terminal of the test's own in place of its standard error, whose screen can be read. While it
 * is open nothing may be asserted: what CMocka has to say would go there. */
#ifndef MPROC_TESTS_TERMINAL_H
#define MPROC_TESTS_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* In main, after the guard. Windows: runs this program once more, with a console that has no
 * window. True: it has run, and *code is what it returned. */
bool terminal_restart(int *code);

/* False: the system gives none. */
bool terminal_open(int columns);
/* The null device instead. */
bool terminal_open_null(void);
void terminal_resize(int columns);
/* Whether it obeys escape sequences. False: that cannot be changed. */
bool terminal_obey(bool escapes);
/* All that was written stands on the screen, and the standard error is what it was before. */
void terminal_close(void);

/* What stands on the screen now or, after the close, stood there last. Without the spaces at the
 * end of the row. */
const char *terminal_row(int row);
int terminal_cursor_row(void);

/* POSIX; nobody can tell elsewhere. */
bool terminal_has_wrapped(void); /* or something stands in the last column */
bool terminal_was_strange(void); /* it was sent what is neither text, line end nor erasing */
bool terminal_had_escapes(void);
long terminal_returns(void); /* how many carriage returns it was sent; -1 */

#endif
