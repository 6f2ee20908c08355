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
} bell;

#define MAKING UINT64_MAX

static void answer_the_door(void *unused)
{
    (void)unused;
    _Atomic uint32_t *rung = &slot_at(family.self)->rung;
    const os_part part[2] = {{"", 1}, {NULL, 0}};
    uint32_t turns = 0;
    for (uint32_t seen = bell.seen;;) {
        park(rung, seen, OS_FOREVER, family.self);
        const uint32_t now = atomic_load(rung);
        size_t done;
        if (now == seen)
            continue;
        if (atomic_exchange(&bell.rung, true) ||
            !os_channel_write(&bell.ring, part, OS_NO_HANDLE, &done, OS_FOREVER)) {
            seen = now;
        } else { /* once more */
            atomic_store(&bell.rung, false);
            spin_give_way(&turns);
        }
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

/* In this order: a ring that finds the mark still there writes nothing, but what it rang for is seen
 * by the look that follows. The other way round it could leave a mark without a byte. */
void doorbell_answer(void)
{
    unsigned char bytes[16];
    size_t got;
    os_channel_read(&bell.hear, bytes, sizeof bytes, &got, NULL, 0);
    atomic_exchange(&bell.rung, false); /* reads, too, so that the look is after that ring */
}
