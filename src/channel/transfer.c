#include "connection.h"

#include <stdlib.h>
#include <string.h>

#include "../family/family.h"
#include "../family/gate.h"
#include "../family/park.h"

/* The message that brings an end of a pipe. Its handle is attached to it, or waits in the sender,
 * as the system has it. Who receives it as an ordinary message has just these bytes. */
typedef struct passage {
    char magic[8];
    uint64_t id, word;
    slot_id sender;
    uint32_t flags, unused;
} passage;
_Static_assert(sizeof(passage) == 40, "the same in every process");

static const char magic[8] = "mprocend";

/* ---- sending ---- */

/* What this process has read of a message, or has left to send, the other one could not know. */
static bool is_between_messages(holding *held)
{
    connection_state *state = atomic_load(&held->attached);
    if (!state)
        return true;
    bool idle = false;
    if (!connection_take_turn(&state->turns->receive, 0)) {
        if (!connection_take_turn(&state->turns->send, 0)) {
            idle = !state->in.header_have && !state->in.broken && !state->out.rest &&
                   !state->out.broken;
            connection_end_turn(&state->turns->send);
        }
        connection_end_turn(&state->turns->receive);
    }
    return idle;
}

static mproc_err send_end(connection_state *state, const holding *sent, int64_t deadline)
{
    passage message = {.id = sent->id, .sender = family.self, .flags = sent->flags};
    unsigned char header[FRAME_LONG];
    memcpy(message.magic, magic, sizeof magic);
    mproc_err err = os_handle_offer(sent->handle, &message.word);
    if (err)
        return err;
    const os_part parts[2] = {{header, frame_write(header, sizeof message)},
                              {&message, sizeof message}};
    err = connection_take_turn(&state->turns->send, deadline);
    if (!err) {
        err = outbox_send(&state->out, &state->channel, parts,
                          os_can_attach ? sent->handle : OS_NO_HANDLE, deadline);
        connection_end_turn(&state->turns->send);
    }
    if (err && err != MPROC_EFULL)
        os_handle_withdraw(message.word);
    return err;
}

mproc_err mproc_connection_send_connection(mproc_connection connection, mproc_connection sent,
                                           int timeout_ms)
{
    holding *held, *end;
    connection_state *state;
    int64_t deadline;
    if (connection.id == sent.id)
        return MPROC_EINVAL;
    mproc_err err = park_deadline(timeout_ms, &deadline);
    if (!err)
        err = connection_enter(connection, CONNECTION_WRITES, &held, &state);
    if (err)
        return err;
    end = holding_enter(sent.id);
    if (!end)
        err = MPROC_ENOTHELD;
    else if (!is_between_messages(end))
        err = MPROC_ESTATE;
    else
        err = send_end(state, end, deadline);
    if (end)
        holding_leave(end);
    holding_leave(held);
    return err;
}

/* ---- receiving ---- */

static bool is_passage(const inbox *in, passage *message)
{
    if (in->size != sizeof *message)
        return false;
    memcpy(message, in->part, sizeof *message);
    return !memcmp(message->magic, magic, sizeof magic) && message->id &&
           message->flags & (CONNECTION_READS | CONNECTION_WRITES);
}

/* All that may be wanting is there before the end is taken out of the message: without it that
 * stays. */
static mproc_err accept_end(inbox *in, const passage *message)
{
    os_handle attached = in->passed, handle;
    const slot *sender = slot_at(message->sender);
    void *prepared = holding_prepare();
    if (!prepared)
        return MPROC_ENOMEM;
    in->passed = OS_NO_HANDLE;
    mproc_err err =
        os_handle_accept(slot_pid(message->sender), sender ? atomic_load(&sender->born) : 0,
                         message->word, attached, &handle);
    if (err)
        free(prepared);
    else
        holding_receive_prepared(prepared, message->id, handle, message->flags);
    return err;
}

/* Inside the gate from where the handle comes to where it stands in the table, but not while
 * waiting. MPROC_ESTATE: it is an ordinary message, which stays. */
static mproc_err receive_end(const connection_receive *it, passage *message)
{
    inbox *in = &it->state->in;
    os_wait_item item = {.handle = it->held->handle, .is_channel = true};
    mproc_err err = in->size == sizeof *message ? MPROC_ETIMEDOUT : MPROC_ESTATE;
    while (err == MPROC_ETIMEDOUT) {
        if (!inbox_is_stocked(in) && (err = os_wait_ready(&item, 1, it->deadline)))
            return err;
        gate_enter();
        err = inbox_fill(in, &it->state->channel, true, 0);
        if (!err)
            err = is_passage(in, message) ? accept_end(in, message) : MPROC_ESTATE;
        gate_leave();
    }
    return err;
}

mproc_err mproc_connection_recv_connection(mproc_connection connection, mproc_connection *received,
                                           int timeout_ms)
{
    connection_receive it;
    passage message;
    if (!received)
        return MPROC_EINVAL;
    mproc_err err = connection_begin_receive(connection, timeout_ms, &it);
    if (err)
        return err;
    err = inbox_begin(&it.state->in, &it.state->channel, it.deadline);
    if (!err) {
        err = receive_end(&it, &message);
        if (!err)
            received->id = message.id;
        if (!err || err == MPROC_EBROKEN)
            inbox_drop(&it.state->in);
    }
    connection_end_receive(&it);
    return err;
}
