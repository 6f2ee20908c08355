#include "connection.h"

#include <stdlib.h>

#include "../family/family.h"
#include "../family/gate.h"
#include "../family/heap.h"
#include "../family/park.h"

/* ---- turns ---- */

enum { FREE, TAKEN, WANTED };

mproc_err connection_take_turn(_Atomic uint32_t *turn, int64_t deadline)
{
    uint32_t free_one = FREE;
    if (atomic_compare_exchange_strong(turn, &free_one, TAKEN))
        return MPROC_OK;
    if (deadline == 0)
        return MPROC_ETIMEDOUT;
    while (atomic_exchange(turn, WANTED) != FREE) {
        mproc_err err = park(turn, WANTED, deadline, family.self);
        if (err) {
            unpark(turn, 1); /* it may have come for this thread: another one takes it */
            return err;
        }
    }
    return MPROC_OK;
}

void connection_end_turn(_Atomic uint32_t *turn)
{
    if (atomic_exchange(turn, FREE) == WANTED)
        unpark(turn, 1);
}

/* ---- the state in this process ---- */

static void free_state(void *attached)
{
    connection_state *state = attached;
    outbox_flush(&state->out, &state->channel, 0);
    outbox_clear(&state->out);
    inbox_drop(&state->in);
    os_channel_close(&state->channel);
    heap_free(state->turns_ref, family.self);
    free(state);
}

static mproc_err new_state(os_handle handle, connection_state **state)
{
    connection_state *made = calloc(1, sizeof *made);
    if (!made)
        return MPROC_ENOMEM;
    mproc_err err = heap_alloc(sizeof *made->turns, family.self, &made->turns_ref);
    if (err) {
        free(made);
        return err;
    }
    made->turns = arena_at(made->turns_ref);
    atomic_store(&made->turns->receive, FREE);
    atomic_store(&made->turns->send, FREE);
    if ((err = os_channel_open(&made->channel, handle))) {
        heap_free(made->turns_ref, family.self);
        free(made);
        return err;
    }
    inbox_init(&made->in);
    outbox_init(&made->out);
    *state = made;
    return MPROC_OK;
}

static mproc_err find_state(holding *held, connection_state **state)
{
    void *known = atomic_load_explicit(&held->attached, memory_order_acquire);
    if (!known) {
        connection_state *made;
        mproc_err err = new_state(held->handle, &made);
        if (err)
            return err;
        if (atomic_compare_exchange_strong(&held->attached, &known, made))
            known = made;
        else
            free_state(made);
    }
    *state = known;
    return MPROC_OK;
}

mproc_err connection_enter(mproc_connection connection, uint32_t direction, holding **held,
                           connection_state **state)
{
    mproc_err err = family_enter();
    if (err)
        return err;
    holding *entered = holding_enter(connection.id);
    if (!entered)
        return MPROC_ENOTHELD;
    err = entered->flags & direction ? find_state(entered, state) : MPROC_EACCES;
    if (err)
        holding_leave(entered);
    else
        *held = entered;
    return err;
}

/* ---- making and ending ---- */

/* Inside the gate: a fork finds both ends in the table, or none. */
static mproc_err add_pair(const os_handle ends[2], mproc_pipe_mode mode, uint64_t ids[2])
{
    const uint32_t both = CONNECTION_READS | CONNECTION_WRITES;
    bool duplex = mode == MPROC_DUPLEX;
    mproc_err err = holding_add(ends[0], duplex ? both : CONNECTION_READS, &ids[0]);
    if (err) {
        os_handle_close(ends[1]);
        return err;
    }
    return holding_add(ends[1], duplex ? both : CONNECTION_WRITES, &ids[1]);
}

mproc_err mproc_pipe(mproc_connection *a, mproc_connection *b, mproc_pipe_mode mode)
{
    if (!a || !b || (mode != MPROC_DUPLEX && mode != MPROC_SIMPLEX))
        return MPROC_EINVAL;
    os_handle ends[2];
    uint64_t ids[2] = {0, 0};
    mproc_err err = family_enter();
    if (err)
        return err;
    gate_enter();
    err = os_channel_pair(ends, mode == MPROC_DUPLEX);
    if (!err)
        err = add_pair(ends, mode, ids);
    gate_leave();
    if (err) {
        if (ids[0])
            holding_close(ids[0], NULL);
        return err;
    }
    a->id = ids[0];
    b->id = ids[1];
    return MPROC_OK;
}

mproc_err mproc_connection_from_handle(mproc_connection *connection, intptr_t handle, bool readable,
                                       bool writable)
{
    if (!connection || handle == OS_NO_HANDLE || (!readable && !writable))
        return MPROC_EINVAL;
    os_channel channel;
    uint64_t id;
    mproc_err err = family_enter();
    if (!err)
        err = os_channel_open(&channel, handle);
    if (err)
        return err;
    os_channel_close(&channel);
    gate_enter();
    err = holding_add(
        handle, (readable ? CONNECTION_READS : 0u) | (writable ? CONNECTION_WRITES : 0u), &id);
    gate_leave();
    if (!err)
        connection->id = id;
    return err;
}

mproc_err mproc_connection_handle(mproc_connection connection, intptr_t *handle)
{
    mproc_err err = handle ? family_enter() : MPROC_EINVAL;
    if (err)
        return err;
    holding *held = holding_enter(connection.id);
    if (!held)
        return MPROC_ENOTHELD;
    *handle = held->handle;
    holding_leave(held);
    return MPROC_OK;
}

mproc_err mproc_connection_close(mproc_connection connection)
{
    mproc_err err = family_enter();
    return err ? err : holding_close(connection.id, free_state);
}

/* ---- sending ---- */

mproc_err mproc_connection_send(mproc_connection connection, const void *data, size_t size,
                                int timeout_ms)
{
    holding *held;
    connection_state *state;
    int64_t deadline;
    unsigned char header[FRAME_LONG];
    if (!data && size)
        return MPROC_EINVAL;
    if (size > FRAME_MOST)
        return MPROC_EMSGSIZE;
    mproc_err err = park_deadline(timeout_ms, &deadline);
    if (!err)
        err = connection_enter(connection, CONNECTION_WRITES, &held, &state);
    if (err)
        return err;
    const os_part parts[2] = {{header, frame_write(header, size)}, {data, size}};
    err = connection_take_turn(&state->turns->send, deadline);
    if (!err) {
        err = outbox_send(&state->out, &state->channel, parts, OS_NO_HANDLE, deadline);
        connection_end_turn(&state->turns->send);
    }
    holding_leave(held);
    return err;
}

mproc_err mproc_connection_flush(mproc_connection connection, int timeout_ms)
{
    holding *held;
    connection_state *state;
    int64_t deadline;
    mproc_err err = park_deadline(timeout_ms, &deadline);
    if (!err)
        err = connection_enter(connection, CONNECTION_WRITES, &held, &state);
    if (err)
        return err;
    err = connection_take_turn(&state->turns->send, deadline);
    if (!err) {
        err = outbox_flush(&state->out, &state->channel, deadline);
        connection_end_turn(&state->turns->send);
    }
    holding_leave(held);
    return err;
}

/* ---- receiving ---- */

void connection_end_receive(connection_receive *it)
{
    connection_end_turn(&it->state->turns->receive);
    holding_leave(it->held);
}

mproc_err connection_begin_receive(mproc_connection connection, int timeout_ms,
                                   connection_receive *it)
{
    mproc_err err = park_deadline(timeout_ms, &it->deadline);
    if (!err)
        err = connection_enter(connection, CONNECTION_READS, &it->held, &it->state);
    if (err)
        return err;
    err = connection_take_turn(&it->state->turns->receive, it->deadline);
    if (err)
        holding_leave(it->held);
    return err;
}

mproc_err mproc_connection_recv(mproc_connection connection, void *buffer, size_t capacity,
                                size_t *size, int timeout_ms)
{
    connection_receive it;
    if (!buffer && capacity)
        return MPROC_EINVAL;
    mproc_err err = connection_begin_receive(connection, timeout_ms, &it);
    if (err)
        return err;
    inbox *in = &it.state->in;
    err = inbox_begin(in, &it.state->channel, it.deadline);
    if (!err) {
        uint64_t needed = in->size;
        err = needed > capacity ? MPROC_EMSGSIZE
                                : inbox_take(in, &it.state->channel, buffer, it.deadline);
        if (size && (!err || err == MPROC_EMSGSIZE))
            *size = (size_t)needed;
    }
    connection_end_receive(&it);
    return err;
}

mproc_err mproc_connection_recv_alloc(mproc_connection connection, void **data, size_t *size,
                                      size_t limit, int timeout_ms)
{
    connection_receive it;
    if (!data || !size)
        return MPROC_EINVAL;
    mproc_err err = connection_begin_receive(connection, timeout_ms, &it);
    if (err)
        return err;
    inbox *in = &it.state->in;
    err = inbox_begin(in, &it.state->channel, it.deadline);
    if (!err) {
        uint64_t needed = in->size;
        err = limit && needed > limit ? MPROC_EMSGSIZE
                                      : inbox_fill(in, &it.state->channel, false, it.deadline);
        if (!err || err == MPROC_EMSGSIZE)
            *size = (size_t)needed;
        if (!err)
            *data = inbox_give(in);
    }
    connection_end_receive(&it);
    return err;
}

void mproc_connection_free_message(void *data)
{
    free(data);
}

mproc_err mproc_connection_poll(mproc_connection connection, int timeout_ms)
{
    connection_receive it;
    mproc_err err = connection_begin_receive(connection, timeout_ms, &it);
    if (err)
        return err;
    if (!inbox_is_stocked(&it.state->in)) {
        os_wait_item item = {.handle = it.held->handle, .is_channel = true};
        err = os_wait_ready(&item, 1, it.deadline);
    }
    connection_end_receive(&it);
    return err;
}
