#include "text.h"

/* One vector register or a few: the loop over them has a constant length, so that compilers unroll
 * it without a remainder. Must stay below 256, for the newlines are counted in a byte. */
#define STRIDE 64

static void expect(struct text *text, unsigned missing, unsigned char low, unsigned char high)
{
    text->missing = missing;
    text->low = low;
    text->high = high;
}

/* The second byte's range keeps out surrogates and codes that have a shorter form. Sequences of
 * five and six bytes are no Unicode any more, but glibc's wc counts them. */
static void begin(struct text *text, unsigned char lead)
{
    if (lead < 0x80)
        text->characters++;
    else if (lead >= 0xC2 && lead <= 0xDF)
        expect(text, 1, 0x80, 0xBF);
    else if (lead >= 0xE0 && lead <= 0xEF)
        expect(text, 2, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    else if (lead >= 0xF0 && lead <= 0xF7)
        expect(text, 3, lead == 0xF0 ? 0x90 : 0x80, 0xBF);
    else if (lead >= 0xF8 && lead <= 0xFB)
        expect(text, 4, lead == 0xF8 ? 0x88 : 0x80, 0xBF);
    else if (lead >= 0xFC && lead <= 0xFD)
        expect(text, 5, lead == 0xFC ? 0x84 : 0x80, 0xBF);
}

static void decode(struct text *text, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text->missing == 0 || bytes[i] < text->low || bytes[i] > text->high) {
            text->missing = 0;
            begin(text, bytes[i]);
        } else {
            expect(text, text->missing - 1, 0x80, 0xBF);
            text->characters += text->missing == 0;
        }
    }
}

static size_t newlines(const unsigned char *bytes, size_t size)
{
    size_t found = 0;
    for (size_t i = 0; i < size; i++)
        found += bytes[i] == '\n';
    return found;
}

void text_add(struct text *text, const unsigned char *block, size_t size)
{
    size_t at = 0;
    for (; at + STRIDE <= size; at += STRIDE) {
        unsigned char lines = 0, any = 0;
        for (size_t i = 0; i < STRIDE; i++) {
            lines = (unsigned char)(lines + (block[at + i] == '\n'));
            any |= block[at + i];
        }
        text->lines += lines;
        if (any < 0x80 && text->missing == 0)
            text->characters += STRIDE;
        else
            decode(text, block + at, STRIDE);
    }
    text->lines += newlines(block + at, size - at);
    decode(text, block + at, size - at);
}
