/* UTF-8 from strangers, and how much room it takes on a terminal. */
#ifndef MPROC_PROGRESS_TEXT_H
#define MPROC_PROGRESS_TEXT_H

#include <stddef.h>

#include "names.h"

/* Copies what fits into `size` bytes, the end included, and ends it at a character. What a terminal
 * might obey, and what is no UTF-8, becomes a question mark. */
void progress_text_clean(char *to, size_t size, const char *from);
/* Of a clean text. Where terminals differ, the larger number: a line that is too short does no
 * harm, one that is too long wraps. */
int progress_text_columns(const char *text);
/* How many bytes of a clean text take at most so many columns. */
size_t progress_text_cut(const char *text, int columns);

#endif
