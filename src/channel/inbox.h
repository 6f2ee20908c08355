/* The receiving half of a connection in this process: the message that is just coming, of which
 * some may have been read by a call that was too late or had too small a buffer. */
#ifndef MPROC_CHANNEL_INBOX_H
#define MPROC_CHANNEL_INBOX_H

#include "../os.h"
#include "frame.h"

typedef struct inbox {
    unsigned char header[FRAME_LONG];
    size_t header_have;
    bool is_known; /* the header is whole: */
    uint64_t size;
    unsigned char *part; /* of its bytes; NULL: none has been kept */
    size_t part_have, part_room;
    os_handle passed; /* came with them */
    mproc_err broken; /* MPROC_EPROTO: nothing can be understood any more; EBROKEN: some was lost */
} inbox;

void inbox_init(inbox *in);

/* Whether the next message is here, or nothing will come, without a look at the channel. */
bool inbox_is_stocked(const inbox *in);
/* Waits for the next message's size: `size`. MPROC_EEOF: there is none; MPROC_EPROTO. */
mproc_err inbox_begin(inbox *in, os_channel *from, int64_t deadline);

/* What follows takes the bytes of the message that has begun; after a failure another call goes on.
 * MPROC_EPROTO: the stream ended before the message did. */

/* Into a buffer that is large enough. On MPROC_OK the next message can begin. */
mproc_err inbox_take(inbox *in, os_channel *from, void *buffer, int64_t deadline);
/* Into memory of its own, that grows with what comes: `part`. `passes`: with a handle, if one
 * comes. */
mproc_err inbox_fill(inbox *in, os_channel *from, bool passes, int64_t deadline);
/* After a fill: the bytes become the caller's, to be freed; never NULL. */
void *inbox_give(inbox *in);
/* The message is done with; frees what it had. */
void inbox_drop(inbox *in);

#endif
