#include "outbox.h"

#include <stdlib.h>
#include <string.h>

void outbox_init(outbox *out)
{
    *out = (outbox){.attached = OS_NO_HANDLE};
}

void outbox_clear(outbox *out)
{
    free(out->rest);
    os_handle_close(out->attached);
    *out = (outbox){.attached = OS_NO_HANDLE, .broken = out->broken};
}

static mproc_err break_off(outbox *out, mproc_err why)
{
    out->broken = MPROC_EBROKEN;
    outbox_clear(out);
    return why;
}

static bool was_late(mproc_err err)
{
    return err == MPROC_ETIMEDOUT || err == MPROC_EINTR;
}

mproc_err outbox_flush(outbox *out, os_channel *to, int64_t deadline)
{
    if (out->broken)
        return out->broken;
    if (!out->rest)
        return MPROC_OK;
    size_t done = 0, split = out->attached_at > out->from ? out->attached_at : out->from;
    const os_part parts[2] = {{out->rest + out->from, split - out->from},
                              {out->rest + split, out->size - split}};
    mproc_err err = os_channel_write(to, parts, out->attached, &done, deadline);
    if (!err) {
        outbox_clear(out);
        return MPROC_OK;
    }
    if (!was_late(err))
        return break_off(out, err == MPROC_EEOF ? err : MPROC_EBROKEN);
    if (done > split - out->from) {
        os_handle_close(out->attached);
        out->attached = OS_NO_HANDLE;
    }
    out->from += done;
    return err;
}

/* What lies behind the first `done` bytes. */
static mproc_err keep(outbox *out, const os_part parts[2], os_handle attached, size_t done)
{
    size_t skip = done < parts[0].size ? done : parts[0].size;
    size_t first = parts[0].size - skip, second = parts[1].size - (done - skip);
    out->rest = malloc(first + second + 1);
    if (!out->rest)
        return MPROC_ENOMEM;
    if (first)
        memcpy(out->rest, (const unsigned char *)parts[0].bytes + skip, first);
    if (second)
        memcpy(out->rest + first, (const unsigned char *)parts[1].bytes + (done - skip), second);
    out->from = 0;
    out->size = first + second;
    out->attached_at = first;
    bool has_gone = done > parts[0].size;
    return attached == OS_NO_HANDLE || has_gone ? MPROC_OK
                                                : os_handle_copy(attached, &out->attached);
}

mproc_err outbox_send(outbox *out, os_channel *to, const os_part parts[2], os_handle attached,
                      int64_t deadline)
{
    size_t done = 0;
    mproc_err err = outbox_flush(out, to, deadline);
    if (!err)
        err = os_channel_write(to, parts, attached, &done, deadline);
    if (!err || done == 0)
        return err;
    if (!was_late(err))
        return break_off(out, err == MPROC_EEOF ? err : MPROC_EBROKEN);
    err = keep(out, parts, attached, done);
    return err ? break_off(out, err) : MPROC_EFULL;
}
