#include "json.h"

#include <stdbool.h>
#include <string.h>

static void put(json_line *line, const char *bytes, size_t size)
{
    if (size > sizeof line->text - line->used)
        return;
    memcpy(line->text + line->used, bytes, size);
    line->used += size;
}

void json_raw(json_line *line, const char *text)
{
    put(line, text, strlen(text));
}

void json_number(json_line *line, int64_t number)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        digits[--at] = '-';
    put(line, digits + at, sizeof digits - at);
}

/* How many bytes the character has that begins here; 0: these bytes are none. */
static size_t character_size(const unsigned char *at)
{
    const unsigned char first = at[0];
    size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first > 0xf4)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    bool too_long = (first == 0xe0 && at[1] < 0xa0) || (first == 0xf0 && at[1] < 0x90);
    bool surrogate = first == 0xed && at[1] > 0x9f, beyond = first == 0xf4 && at[1] > 0x8f;
    return too_long || surrogate || beyond ? 0 : size;
}

static size_t escape(unsigned char character, char escaped[8])
{
    static const char digits[] = "0123456789abcdef";
    if (character == '"' || character == '\\') {
        escaped[0] = '\\';
        escaped[1] = (char)character;
        return 2;
    }
    memcpy(escaped, "\\u00", 4);
    escaped[4] = digits[character >> 4];
    escaped[5] = digits[character & 0xf];
    return 6;
}

void json_string(json_line *line, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    put(line, "\"", 1);
    for (size_t written = 0; *at;) {
        char escaped[8];
        const char *piece = (const char *)at;
        size_t read = character_size(at), size = read;
        if (!read) {
            piece = "\xef\xbf\xbd";
            size = 3;
            read = 1;
        } else if (*at < 0x20 || *at == '"' || *at == '\\') {
            size = escape(*at, escaped);
            piece = escaped;
        }
        if (written + size > JSON_TEXT)
            break;
        put(line, piece, size);
        written += size;
        at += read;
    }
    put(line, "\"", 1);
}
