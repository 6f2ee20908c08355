/* What a terminal shows of the bytes it is sent: as much of one as a progress bar needs. */
#ifndef MPROC_TESTS_TERMINAL_SCREEN_H
#define MPROC_TESTS_TERMINAL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#define SCREEN_ROWS 8
#define SCREEN_COLUMNS 1100
#define SCREEN_CELL 16 /* bytes of a character and of what combines with it */

typedef struct screen {
    char cells[SCREEN_ROWS][SCREEN_COLUMNS][SCREEN_CELL];
    int columns;
    int row, column;
    bool wrapped;   /* something went on in the next line, or stands in the last column */
    bool strange;   /* a byte or sequence that no progress bar should send */
    bool coloured;  /* a colour is on */
    bool escaped;   /* there was an escape sequence */
    long returns;   /* how many carriage returns there were */
    char begun[16]; /* a character or sequence that is not complete */
    size_t begun_size;
} screen;

void screen_clear(screen *of, int columns);
/* As xterm does it: what no longer fits is cut off. */
void screen_resize(screen *of, int columns);
void screen_feed(screen *of, const char *bytes, size_t size);
/* Without the spaces at its end. */
void screen_read(const screen *of, int row, char *text, size_t capacity);

#endif
