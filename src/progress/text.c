#include "progress/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct range {
    uint32_t first, last;
} range;

/* Of each block that terminals draw above or below the character before it. */
static const range combining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f},
    {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1abe}, {0x1dc0, 0x1df5},
    {0x20d0, 0x20f0}, {0x3099, 0x309a}, {0xfe20, 0xfe2f},
};

static const range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23f3},
    {0x25fd, 0x25fe},   {0x2600, 0x27bf},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b55},
    {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97c},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe10, 0xfe19},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},
    {0xffe0, 0xffe6},   {0x16fe0, 0x18d08}, {0x1aff0, 0x1b2fb}, {0x1f000, 0x1faff},
    {0x20000, 0x3fffd},
};

/* Control characters, line ends, and what turns the direction of the rest of the line. */
static const range dangerous[] = {
    {0x0000, 0x001f}, {0x007f, 0x009f}, {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff},
};

#define IS_IN(ranges, character) is_in(ranges, sizeof(ranges) / sizeof *(ranges), character)

static bool is_in(const range *ranges, size_t count, uint32_t character)
{
    for (size_t i = 0; i < count; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}

/* How many bytes the first character has; 0: it is none. */
static size_t decode(const char *text, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    size_t size = bytes[0] < 0x80   ? 1
                  : bytes[0] < 0xc0 ? 0
                  : bytes[0] < 0xe0 ? 2
                  : bytes[0] < 0xf0 ? 3
                  : bytes[0] < 0xf8 ? 4
                                    : 0;
    if (size < 2) {
        *character = bytes[0];
        return size;
    }
    uint32_t value = bytes[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3f);
    }
    *character = value;
    return value < least[size] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0
                                                                                          : size;
}

void progress_text_clean(char *to, size_t size, const char *from)
{
    size_t at = 0;
    while (*from) {
        uint32_t character;
        size_t length = decode(from, &character);
        bool shown = length > 0 && !IS_IN(dangerous, character);
        size_t needed = shown ? length : 1;
        if (needed > size - 1 - at)
            break;
        if (shown)
            memcpy(to + at, from, length);
        else
            to[at] = '?';
        at += needed;
        from += length > 0 ? length : 1;
    }
    to[at] = '\0';
}

static int columns_of(uint32_t character)
{
    if (IS_IN(combining, character))
        return 0;
    return IS_IN(wide, character) ? 2 : 1;
}

size_t progress_text_cut(const char *text, int columns)
{
    size_t at = 0;
    while (text[at]) {
        uint32_t character;
        size_t length = decode(text + at, &character);
        columns -= columns_of(character);
        if (length == 0 || columns < 0)
            break;
        at += length;
    }
    return at;
}

int progress_text_columns(const char *text)
{
    int columns = 0;
    uint32_t character;
    for (size_t length; *text && (length = decode(text, &character)) > 0; text += length)
        columns += columns_of(character);
    return columns;
}
