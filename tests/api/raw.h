/* Pipes as other programs use them. */
#ifndef MPROC_TESTS_API_RAW_H
#define MPROC_TESTS_API_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All of it, as long as it takes. */
bool raw_write(intptr_t handle, const void *bytes, size_t size);
bool raw_read(intptr_t handle, void *bytes, size_t size);
/* Both ends of a socket pair, or of a pipe from the second to the first; Windows: of a named pipe.
 * Not blocking: where descriptors have such a flag. */
bool raw_pair(intptr_t handles[2], bool socket, bool blocking);

#endif
