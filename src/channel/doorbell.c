#include "doorbell.h"

#include "../family/family.h"
#include "../family/gate.h"
#include "../family/holding.h"
#include "../family/park.h"
#include "../family/spin.h"

/* The ends are among the holdings, so that a forked child closes them. */
static struct {
    _Atomic slot_id owner; /* of these; somebody else in a forked child; MAKING for a while */
    os_channel hear, ring;
    uint32_t seen;
    _Atomic bool rung; /* a byte is on its way */
    os_mutex lock;     /* of the list and of both ends */
    doorbell_waiter *waiters;
} bell;

#define MAKING UINT64_MAX

/* Under the lock; there is room for a single byte. False: it could not be sent. */
static bool send_byte(void)
{
    const os_part part[2] = {{"", 1}, {NULL, 0}};
    size_t done;
    if (atomic_exchange(&bell.rung, true) ||
        !os_channel_write(&bell.ring, part, OS_NO_HANDLE, &done, OS_FOREVER))
        return true;
    atomic_store(&bell.rung, false);
    return false;
}

static void answer_the_door(void *unused)
{
    (void)unused;
    _Atomic uint32_t *rung = &slot_at(family.self)->rung;
    uint32_t turns = 0;
    for (uint32_t seen = bell.seen;;) {
        park(rung, seen, OS_FOREVER, family.self);
        const uint32_t now = atomic_load(rung);
        if (now == seen)
            continue;
        os_mutex_lock(&bell.lock);
        const bool sent = send_byte();
        os_mutex_unlock(&bell.lock);
        if (sent)
            seen = now;
        else
            spin_give_way(&turns); /* and once more */
    }
}

static mproc_err make_ends(uint64_t ids[2])
{
    os_handle ends[2];
    gate_enter();
    mproc_err err = os_channel_pair(ends, false);
    if (!err && (err = holding_add(ends[0], 0, &ids[0])))
        os_handle_close(ends[1]);
    else if (!err)
        err = holding_add(ends[1], 0, &ids[1]);
    gate_leave();
    return err;
}

static mproc_err make(void)
{
    uint64_t ids[2] = {0, 0};
    os_handle thread;
    mproc_err err = make_ends(ids);
    holding *hear = holding_enter(ids[0]), *ring = holding_enter(ids[1]);
    bool opened = false, both = false;
    if (!err && !(err = os_channel_open(&bell.hear, hear->handle)))
        opened = true;
    if (!err && !(err = os_channel_open(&bell.ring, ring->handle)))
        both = true;
    if (!err) {
        os_mutex_init(&bell.lock);
        bell.waiters = NULL; /* after a fork, the parent's */
        bell.seen = atomic_load(&slot_at(family.self)->rung);
        atomic_store(&bell.rung, false);
        err = os_thread_start(&thread, answer_the_door, NULL);
    }
    if (!err)
        return MPROC_OK; /* it stays inside of both for good */
    if (both)
        os_channel_close(&bell.ring);
    if (opened)
        os_channel_close(&bell.hear);
    for (int i = 0; i < 2; i++) {
        holding *end = i ? ring : hear;
        if (end) {
            holding_close(ids[i], NULL);
            holding_leave(end);
        }
    }
    return err;
}

mproc_err doorbell_handle(os_handle *handle)
{
    for (uint32_t turns = 0;;) {
        slot_id owner = atomic_load(&bell.owner);
        if (owner == family.self)
            break;
        if (owner == MAKING)
            spin_give_way(&turns);
        else if (atomic_compare_exchange_strong(&bell.owner, &owner, MAKING)) {
            mproc_err err = make();
            atomic_store(&bell.owner, err ? 0 : family.self);
            if (err)
                return err;
        }
    }
    *handle = bell.hear.handle;
    return MPROC_OK;
}

void doorbell_look(doorbell_waiter *waiter)
{
    atomic_store(&waiter->seen, atomic_load(&slot_at(family.self)->rung));
}

void doorbell_enter(doorbell_waiter *waiter)
{
    doorbell_look(waiter);
    os_mutex_lock(&bell.lock);
    waiter->previous = NULL;
    waiter->next = bell.waiters;
    if (waiter->next)
        waiter->next->previous = waiter;
    bell.waiters = waiter;
    os_mutex_unlock(&bell.lock);
}

void doorbell_leave(doorbell_waiter *waiter)
{
    os_mutex_lock(&bell.lock);
    *(waiter->previous ? &waiter->previous->next : &bell.waiters) = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    os_mutex_unlock(&bell.lock);
}

static bool have_all_seen(uint32_t rung)
{
    const doorbell_waiter *each = bell.waiters;
    while (each && atomic_load(&each->seen) == rung)
        each = each->next;
    return !each;
}

/* In this order: a ring that finds the mark still there writes nothing, but it is counted in the
 * slot's `rung` by then; one that comes later writes a byte of its own. */
bool doorbell_answer(doorbell_waiter *waiter)
{
    unsigned char bytes[16];
    size_t got;
    os_mutex_lock(&bell.lock);
    os_channel_read(&bell.hear, bytes, sizeof bytes, &got, NULL, 0);
    atomic_exchange(&bell.rung, false); /* reads, too, so that what follows is after that ring */
    doorbell_look(waiter);
    const bool all = have_all_seen(atomic_load(&waiter->seen));
    if (!all)
        send_byte();
    os_mutex_unlock(&bell.lock);
    return all;
}
