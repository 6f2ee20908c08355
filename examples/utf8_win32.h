/* Windows names and UTF-8. */
#ifndef UTF8_WIN32_H
#define UTF8_WIN32_H

#include <wchar.h>

/* New memory, to be freed. NULL with errno: no memory, or no UTF-8. */
wchar_t *utf8_to_wide(const char *text);
char *utf8_from_wide(const wchar_t *text);

#endif
