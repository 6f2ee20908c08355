#include "inbox.h"

#include <stdlib.h>
#include <string.h>

/* So much is there before anything has come: a size that somebody made up costs no more. */
enum { FIRST_ROOM = 1 << 18 };

void inbox_init(inbox *in)
{
    *in = (inbox){.passed = OS_NO_HANDLE};
}

void inbox_drop(inbox *in)
{
    free(in->part);
    os_handle_close(in->passed);
    *in = (inbox){.passed = OS_NO_HANDLE, .broken = in->broken};
}

bool inbox_is_stocked(const inbox *in)
{
    return in->broken || (in->is_known && in->part_have == in->size);
}

static mproc_err break_off(inbox *in, mproc_err why)
{
    in->broken = why;
    inbox_drop(in);
    return why;
}

mproc_err inbox_begin(inbox *in, os_channel *from, int64_t deadline)
{
    size_t need, got;
    while (!in->is_known) {
        if (in->broken)
            return in->broken;
        frame_state state = frame_read(in->header, in->header_have, &need, &in->size);
        if (state == FRAME_WRONG)
            return break_off(in, MPROC_EPROTO);
        in->is_known = state == FRAME_WHOLE;
        if (in->is_known)
            break;
        mproc_err err = os_channel_read(from, in->header + in->header_have, need - in->header_have,
                                        &got, NULL, deadline);
        if (err == MPROC_EEOF && in->header_have > 0)
            return break_off(in, MPROC_EPROTO);
        if (err)
            return err;
        in->header_have += got;
    }
    return MPROC_OK;
}

/* Room for at least `need` bytes, and for as many again, up to the whole message. */
static mproc_err make_room(inbox *in, size_t need)
{
    if (in->part && need <= in->part_room)
        return MPROC_OK;
    size_t room = need > FIRST_ROOM / 2 ? need * 2 : FIRST_ROOM;
    if (room > in->size)
        room = (size_t)in->size;
    unsigned char *part = realloc(in->part, room ? room : 1);
    if (!part)
        return MPROC_ENOMEM;
    in->part = part;
    in->part_room = room;
    return MPROC_OK;
}

mproc_err inbox_fill(inbox *in, os_channel *from, bool passes, int64_t deadline)
{
    mproc_err err = make_room(in, in->part_have);
    while (!err && in->part_have < in->size) {
        size_t got;
        bool first = in->part_have == 0;
        if (in->part_have == in->part_room && (err = make_room(in, in->part_have + 1)))
            break;
        err = os_channel_read(from, in->part + in->part_have, in->part_room - in->part_have, &got,
                              passes && first ? &in->passed : NULL, deadline);
        if (!err)
            in->part_have += got;
    }
    return err == MPROC_EEOF ? break_off(in, MPROC_EPROTO) : err;
}

static mproc_err keep(inbox *in, const void *bytes, size_t size)
{
    mproc_err err = make_room(in, size);
    if (err) {
        break_off(in, MPROC_EBROKEN);
        return err;
    }
    memcpy(in->part, bytes, size);
    in->part_have = size;
    return MPROC_OK;
}

/* Straight to where it is wanted, unless a part has been kept: then all of it goes that way. */
mproc_err inbox_take(inbox *in, os_channel *from, void *buffer, int64_t deadline)
{
    unsigned char *to = buffer;
    size_t have = 0, got, size = (size_t)in->size;
    mproc_err err = MPROC_OK;
    if (in->part_have > 0) {
        if ((err = inbox_fill(in, from, false, deadline)))
            return err;
        memcpy(to, in->part, size);
        have = size;
    }
    while (!err && have < size) {
        err = os_channel_read(from, to + have, size - have, &got, NULL, deadline);
        if (!err)
            have += got;
    }
    if (err == MPROC_EEOF)
        return break_off(in, MPROC_EPROTO);
    if (err) {
        mproc_err lost = have > 0 ? keep(in, buffer, have) : MPROC_OK;
        return lost ? lost : err;
    }
    inbox_drop(in);
    return MPROC_OK;
}

void *inbox_give(inbox *in)
{
    void *bytes = in->part;
    in->part = NULL;
    inbox_drop(in);
    return bytes;
}
