/* Short texts without printf: a new child must not touch half of the C library to learn its
 * name. */
#ifndef MPROC_FAMILY_TEXT_H
#define MPROC_FAMILY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Appends what fits into `size` bytes, the end included. `to` is a string already. */
static inline void text_append(char *to, size_t size, const char *from)
{
    size_t length = strlen(to), more = strlen(from);
    if (more > size - 1 - length)
        more = size - 1 - length;
    memcpy(to + length, from, more);
    to[length + more] = '\0';
}

static inline void text_copy(char *to, size_t size, const char *from)
{
    to[0] = '\0';
    text_append(to, size, from);
}

/* How much of its first `length` bytes is whole characters (UTF-8); the text is longer than that. */
static inline size_t text_whole(const char *text, size_t length)
{
    size_t whole = length;
    while (whole && length - whole < 4 && ((unsigned char)text[whole] & 0xc0) == 0x80)
        whole--;
    return ((unsigned char)text[whole] & 0xc0) == 0x80 ? length : whole;
}

/* Cuts it there. */
static inline void text_cut(char *text, size_t length)
{
    text[text_whole(text, length)] = '\0';
}

static inline void text_append_number(char *to, size_t size, uint64_t number)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    text_append(to, size, digits + at);
}

/* Reads lower-case hexadecimal digits and moves on behind them. False: there is none, or there
 * are too many. */
static inline bool text_read_hex(const char **text, uint64_t *number)
{
    static const char digits[] = "0123456789abcdef";
    const char *begin = *text, *digit;
    *number = 0;
    for (; **text && (digit = strchr(digits, **text)); ++*text)
        *number = *number << 4 | (uint64_t)(digit - digits);
    return *text > begin && *text - begin <= 16;
}

#endif
