#include "sweep.h"

#include "../family/robust.h"
#include "../family/waiters.h"

typedef struct departure {
    slot_id id;
    const slot *slot;
    bool clean;
} departure;

/* A lock's waiter may have died with its wake-up, or its holder before waking the next one. */
static void lock_sweep(object *cell, const departure *gone)
{
    robust_sweep(cell, gone->id);
    if (object_was_touched(cell, gone->slot))
        object_wake(cell, 1);
}

static void finish_one(object *cell, void *context)
{
    const departure *gone = context;
    object_finish(cell, gone->id);
}

static void sweep_one(object *cell, void *context)
{
    const departure *gone = context;
    if (object_is_orphan(cell))
        object_destroy(object_id(cell), object_type_of(cell));
    /* A lock that is just being ended may still be held, too. */
    if (!object_is_live(cell) && object_type_of(cell) != OBJECT_LOCK)
        return;
    switch (object_type_of(cell)) {
    case OBJECT_SEMAPHORE:
        semaphore_sweep(cell, gone->slot);
        break;
    case OBJECT_QUEUE:
    case OBJECT_EVENT:
        event_sweep(cell, gone->slot);
        break;
    case OBJECT_BELL:
        if (object_was_touched(cell, gone->slot)) {
            object_wake(cell, 1);
            object_ring_watchers(cell);
        }
        break;
    case OBJECT_BARRIER:
        barrier_sweep(cell, gone->id, gone->slot, gone->clean);
        break;
    default:
        lock_sweep(cell, gone);
        break;
    }
}

static void sweep(slot_id id, bool clean)
{
    departure gone = {.id = id, .slot = slot_at(id), .clean = clean};
    if (!gone.slot)
        return;
    object_each(finish_one, &gone); /* all of them, before one of their parts is looked at */
    object_each(sweep_one, &gone);
}

void sync_sweep(slot_id dead)
{
    sweep(dead, false);
    waiters_sweep(dead);
}

bool sync_leave(void)
{
    if (!objects_were_used())
        return true;
    sweep(family.self, true);
    return waiters_close();
}
