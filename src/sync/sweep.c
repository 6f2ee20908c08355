#include "sweep.h"

#include "../family/robust.h"
#include "../family/waiters.h"

typedef struct departure {
    slot_id id;
    const slot *slot;
    object_set rung; /* bells whose watchers are to be told */
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
    if (robust_finish(cell, gone->id))
        return;
    const uint64_t id = object_id(cell);
    if (object_is_ending_by(cell, id, gone->id)) {
        object_retire(cell, id);
        waiters_wake(id);
    }
    object_finish(cell, gone->id);
}

static void sweep_one(object *cell, void *context)
{
    departure *gone = context;
    uint64_t orphan = object_orphan(cell);
    if (orphan)
        object_destroy(orphan, object_is(orphan, OBJECT_BELL) ? OBJECT_BELL : OBJECT_LOCK);
    /* What is just being ended may still be held, too. */
    if (!object_is_live(cell) && object_type_of(cell) != OBJECT_LOCK) {
        robust_finish(cell, gone->id);
        return;
    }
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
            object_wake(cell, UINT32_MAX); /* the dead one may have closed the queue */
            object_add_watched(&gone->rung, cell);
        }
        break;
    case OBJECT_BARRIER:
        barrier_sweep(cell, gone->id, gone->slot, false);
        break;
    default:
        lock_sweep(cell, gone);
        break;
    }
}

void sync_sweep(slot_id dead)
{
    departure gone = {.id = dead, .slot = slot_at(dead)};
    if (gone.slot) {
        object_each_noted(dead, finish_one,
                          &gone); /* all of them, before one of their parts is looked at */
        object_each_noted(dead, sweep_one, &gone);
        object_ring_watchers_of(gone.rung);
    }
    waiters_sweep(dead);
}

static void leave_one(object *cell, void *self)
{
    if (object_type_of(cell) == OBJECT_BARRIER)
        barrier_sweep(cell, family.self, self, true);
}

bool sync_leave(void)
{
    if (!objects_were_used())
        return true;
    object_each_noted(family.self, leave_one, slot_at(family.self));
    return waiters_close();
}
