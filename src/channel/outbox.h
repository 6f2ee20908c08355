/* The sending half of a connection in this process: what is left of a message that the time-out cut
 * off goes before everything else. */
#ifndef MPROC_CHANNEL_OUTBOX_H
#define MPROC_CHANNEL_OUTBOX_H

#include "../os.h"

typedef struct outbox {
    unsigned char *rest; /* of a message; NULL: all is through */
    size_t from, size;   /* 0: all is taken, but not all of it is through */
    size_t attached_at;  /* where `attached` belongs */
    os_handle attached;  /* a copy of its own */
    mproc_err broken;
} outbox;

void outbox_init(outbox *out);
void outbox_clear(outbox *out);

/* Sends what is left. MPROC_OK: nothing is any more. */
mproc_err outbox_flush(outbox *out, os_channel *to, int64_t deadline);
/* Sends that, and then a message of two parts, with a handle that is attached to the second.
 * MPROC_ETIMEDOUT, MPROC_EINTR: nothing of this message has been sent. MPROC_EFULL: some of it has,
 * and the rest is kept. MPROC_EEOF; MPROC_EBROKEN: what was kept has been lost, for good. */
mproc_err outbox_send(outbox *out, os_channel *to, const os_part parts[2], os_handle attached,
                      int64_t deadline);

#endif
