/* One line of JSON at a time, without printf: it is written between tasks that take a
 * microsecond. */
#ifndef MPROC_FAMILY_JSON_H
#define MPROC_FAMILY_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "../names.h"

#define JSON_TEXT 240 /* what a string becomes at most, in bytes */

/* What does not fit is left out; its writer sees to it that everything does. */
typedef struct json_line {
    size_t used;
    char text[1024];
} json_line;

void json_raw(json_line *line, const char *text);
void json_number(json_line *line, int64_t number);
/* In quotes. UTF-8 stays as it is, bytes that are none become U+FFFD; cut at a character. */
void json_string(json_line *line, const char *text);

#endif
