/* Counts lines and characters of a text that comes in blocks, as `wc -lm` does in C.UTF-8. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Starts as all zeros. */
struct text {
    uint64_t lines; /* newline characters */
    /* Well-formed UTF-8 sequences; bytes that belong to none are not counted. */
    uint64_t characters;
    unsigned missing;  /* bytes of the sequence that the last block broke off */
    unsigned char low; /* the next one must lie between these */
    unsigned char high;
};

void text_add(struct text *text, const unsigned char *block, size_t size);

#endif
