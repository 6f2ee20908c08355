/* What a bar draws, without the terminal. */
#ifndef MPROC_PROGRESS_LINE_H
#define MPROC_PROGRESS_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "names.h"

#define PROGRESS_LABEL_SIZE 1024
#define PROGRESS_UNIT_SIZE 128
#define PROGRESS_MOST_COLUMNS 1024
#define PROGRESS_LINE_SIZE 4096

typedef struct progress_state {
    const char *label; /* both clean, never NULL */
    const char *unit;
    size_t done, total, failed;
    double rate;    /* per second; negative: unknown */
    double left;    /* seconds; negative: unknown */
    double elapsed; /* seconds */
    bool ended;     /* it tells the time that has gone, not the one that is left */
} progress_state;

typedef struct progress_line {
    char text[PROGRESS_LINE_SIZE];
    size_t size;
    int columns;
} progress_line;

/* What fits into so many columns but one: in the last one a terminal might go on to the next line.
 * `red`: failures are, by escape sequences. */
void progress_line_format(progress_line *line, const progress_state *state, int columns, bool red);

#endif
