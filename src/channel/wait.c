#include <mproc/wait.h>

#include <stdlib.h>

#include "../data/ends.h"
#include "../family/park.h"
#include "../family/spin.h"
#include "doorbell.h"

/* One call's wait. */
typedef struct many {
    mproc_waitable *items;
    size_t count, queues, ready;
    os_wait_item *handles; /* of those that are not queues, and the doorbell */
    size_t handle_count;
    bool at_door; /* the last of the handles is the doorbell */
    doorbell_waiter door;
    uint32_t turns;
} many;

/* ---- what is ready by now ---- */

static mproc_err look_at(mproc_waitable *item)
{
    mproc_err err = MPROC_OK;
    switch (item->kind) {
    case MPROC_WAITABLE_CONNECTION:
        err = mproc_connection_poll(item->connection, 0);
        break;
    case MPROC_WAITABLE_PROCESS:
        err = mproc_process_is_alive(item->process) ? MPROC_ETIMEDOUT : MPROC_OK;
        break;
    case MPROC_WAITABLE_QUEUE:
        err = ends_are_ready(item->queue.id) ? MPROC_OK : MPROC_ETIMEDOUT;
        break;
    default:
        err = MPROC_ETIMEDOUT;
        break;
    }
    item->ready = err == MPROC_OK;
    return err == MPROC_ETIMEDOUT ? MPROC_OK : err;
}

static mproc_err look(many *m)
{
    mproc_err err = MPROC_OK;
    m->ready = 0;
    for (size_t i = 0; !err && i < m->count; i++) {
        err = look_at(&m->items[i]);
        m->ready += m->items[i].ready;
    }
    return err;
}

/* ---- what the system waits for ---- */

static mproc_err handle_of(const mproc_waitable *item, os_wait_item *handle)
{
    mproc_err err = MPROC_OK;
    intptr_t found = item->handle;
    if (item->kind == MPROC_WAITABLE_CONNECTION)
        err = mproc_connection_handle(item->connection, &found);
    else if (item->kind == MPROC_WAITABLE_PROCESS)
        err = mproc_process_sentinel(item->process, &found);
    *handle =
        (os_wait_item){.handle = found, .is_channel = item->kind == MPROC_WAITABLE_CONNECTION};
    return err;
}

static bool has_handle(const mproc_waitable *item)
{
    return item->kind != MPROC_WAITABLE_QUEUE && item->kind != MPROC_WAITABLE_NONE;
}

static mproc_err collect_handles(many *m)
{
    mproc_err err = MPROC_OK;
    m->handle_count = 0;
    for (size_t i = 0; !err && i < m->count; i++) {
        if (has_handle(&m->items[i]))
            err = handle_of(&m->items[i], &m->handles[m->handle_count++]);
    }
    return err;
}

/* The program's own handles are known by nobody else. */
static void take_over_ready(many *m)
{
    const os_wait_item *handle = m->handles;
    for (size_t i = 0; i < m->count; i++) {
        mproc_waitable *item = &m->items[i];
        if (!has_handle(item))
            continue;
        if (item->kind == MPROC_WAITABLE_HANDLE && handle->ready) {
            m->ready += !item->ready;
            item->ready = true;
        }
        handle++;
    }
}

/* ---- waiting ---- */

static void watch_queues(const many *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i].kind == MPROC_WAITABLE_QUEUE)
            ends_watch(m->items[i].queue.id);
    }
}

/* Until a queue rings, or one of the handles is ready; the program's own are known only here.
 * MPROC_OK: look again. */
static mproc_err sleep_for_any(many *m, uint32_t seen, int64_t deadline)
{
    if (m->handle_count == 0 && m->queues)
        return deadline ? park(&slot_at(family.self)->rung, seen, deadline, family.self)
                        : MPROC_ETIMEDOUT;
    mproc_err err = os_wait_ready(m->handles, m->handle_count, deadline);
    if (!err) {
        take_over_ready(m);
        if (m->at_door && m->handles[m->handle_count - 1].ready && !doorbell_answer(&m->door))
            spin_give_way(&m->turns);
    }
    return err;
}

/* All queues are watched before the look. A put whose process is killed before it rings is swept,
 * and rung for, but for that of a first process: so this looks at a slow beat, too. */
static mproc_err wait_for_any(many *m, int64_t deadline)
{
    _Atomic uint32_t *rung = &slot_at(family.self)->rung;
    for (bool last = deadline == 0;;) {
        const uint32_t seen = atomic_load(rung);
        if (m->at_door)
            doorbell_look(&m->door);
        if (m->queues)
            watch_queues(m);
        mproc_err err = look(m);
        if (err)
            return err;
        const bool hurry = m->ready || last;
        int64_t until = hurry ? 0 : m->queues ? object_next_beat(deadline) : deadline;
        err = sleep_for_any(m, seen, until);
        if (err && err != MPROC_ETIMEDOUT)
            return err;
        if (m->ready)
            return MPROC_OK;
        if (last)
            return MPROC_ETIMEDOUT;
        last = err && until == deadline; /* one last look */
    }
}

static mproc_err watch_and_wait(many *m, int64_t deadline)
{
    if (m->queues)
        object_begin_watch();
    if (m->at_door)
        doorbell_enter(&m->door);
    mproc_err err = wait_for_any(m, deadline);
    if (m->at_door)
        doorbell_leave(&m->door);
    if (m->queues)
        object_end_watch();
    return err;
}

static mproc_err prepare(many *m)
{
    mproc_err err = collect_handles(m);
    if (err || !m->queues || !m->handle_count)
        return err;
    os_handle doorbell;
    if ((err = doorbell_handle(&doorbell)))
        return err;
    m->handles[m->handle_count++] = (os_wait_item){.handle = doorbell, .is_channel = true};
    m->at_door = true;
    return MPROC_OK;
}

static mproc_err check(const mproc_waitable *items, size_t count, int timeout_ms, size_t *queues)
{
    size_t things = 0;
    *queues = 0;
    if ((!items && count) || timeout_ms < MPROC_FOREVER)
        return MPROC_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind < MPROC_WAITABLE_NONE || items[i].kind > MPROC_WAITABLE_HANDLE)
            return MPROC_EINVAL;
        things += items[i].kind != MPROC_WAITABLE_NONE;
        *queues += items[i].kind == MPROC_WAITABLE_QUEUE;
    }
    return things || timeout_ms != MPROC_FOREVER ? MPROC_OK : MPROC_EINVAL;
}

mproc_err mproc_wait(mproc_waitable *items, size_t count, size_t *ready, int timeout_ms)
{
    enum { FEW = 16 };
    os_wait_item few[FEW];
    many m = {.items = items, .count = count, .handles = few};
    int64_t deadline;
    mproc_err err = check(items, count, timeout_ms, &m.queues);
    if (err || (err = object_enter()) || (err = park_deadline(timeout_ms, &deadline)))
        return err;
    if (count >= FEW && !(m.handles = malloc((count + 1) * sizeof *m.handles)))
        return MPROC_ENOMEM;
    for (size_t i = 0; i < count; i++)
        items[i].ready = false;
    if (!(err = prepare(&m)))
        err = watch_and_wait(&m, deadline);
    if (!err && ready)
        *ready = m.ready;
    if (m.handles != few)
        free(m.handles);
    return err;
}
