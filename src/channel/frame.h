/* Where a message begins and ends in a stream of bytes, as Python's multiprocessing.connection has
 * it: its size as 4 bytes, signed, the highest first; above 2^31 - 1 a -1 instead, and 8 bytes. */
#ifndef MPROC_CHANNEL_FRAME_H
#define MPROC_CHANNEL_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "../names.h"

enum { FRAME_SHORT = 4, FRAME_LONG = 12 };
#define FRAME_MOST (UINT64_C(1) << 62) /* bytes of a message: more is no message */

/* Returns how many bytes the header has. */
size_t frame_write(unsigned char header[FRAME_LONG], uint64_t size);

/* FRAME_WRONG: such a size is none. */
typedef enum frame_state { FRAME_PART, FRAME_WHOLE, FRAME_WRONG } frame_state;
/* Of a header's first `have` bytes. PART: *need tells how many it has at least; WHOLE: *size. */
frame_state frame_read(const unsigned char *header, size_t have, size_t *need, uint64_t *size);

#endif
