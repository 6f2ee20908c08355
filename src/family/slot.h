/* Who lives: one slot for each process of the family.
 *
 * A slot's `life` word holds who is in charge, generation and state, and every change is one CAS
 * on it:
 *   FREE -> CLAIMED{claimer}      by the parent, before the child exists
 *   CLAIMED -> LIVING{pid}        by the child itself
 *   CLAIMED -> DISOWNED{sweeper}  by whoever has proved the claimer dead, or by a claimer that gives
 *                                 up: the child's own CAS then fails, and it ends; again, when
 *                                 that sweeper has died
 *   LIVING, DISOWNED -> FREE      when what the process held has been swept
 *
 * A generation is never claimed again: a slot whose last one is over stays FREE for ever. */
#ifndef MPROC_FAMILY_SLOT_H
#define MPROC_FAMILY_SLOT_H

#include "arena.h"

#define SLOT_COUNT 8192
#define SLOT_NAME 64

typedef uint64_t slot_id; /* generation << 16 | index; 0 is nobody */

/* What a process has used, so that its end may find something to sweep there. */
typedef enum slot_use {
    SLOT_USES_SEGMENTS = 1, /* named shared memory */
    SLOT_USES_OBJECTS = 2,
    SLOT_USES_WAITERS = 4,  /* their table: it has waited, or notified somebody */
    SLOT_USES_CHILDREN = 8, /* it has claimed slots, or adopted somebody */
} slot_use;

typedef enum slot_state { SLOT_FREE, SLOT_CLAIMED, SLOT_LIVING, SLOT_DISOWNED } slot_state;

typedef struct slot {
    /* In charge << 26 | generation << 2 | state. In charge is, when LIVING, the pid; else a slot_id
     * without the gap in it. */
    _Alignas(64) _Atomic uint64_t life;
    _Atomic uint64_t
        ending; /* its generation, or how it ended as it says itself: see slot_report */
    /* With the pid its identity: os_birth_time, told by the parent; 0: not yet. */
    _Atomic uint64_t born;
    _Atomic uint64_t parent;  /* slot_id; the adopter's after the parent's death */
    _Atomic arena_ref record; /* what a spawned child is to do */
    /* To wait on: changes after a forkserver has reported, or something watched has come. */
    _Atomic uint32_t rung;
    _Atomic bool monitors;      /* it notices at once when a child of its ends */
    _Atomic unsigned char uses; /* of slot_use: what its end has to look at */
    bool daemon;                /* this and the name are written by the claimer only */
    /* Of shared objects, one bit for several: it may owe a wake-up there, or take one with it. */
    _Atomic uint64_t touched;
    /* Likewise: it wants its `rung` to change when something comes there. See object_watch. */
    _Atomic uint64_t watched;
    char name[SLOT_NAME];
} slot;
_Static_assert(sizeof(slot) == 128, "slots fill cache lines");

/* MPROC_EAGAIN: all are in use, or used up. */
mproc_err slot_claim(slot_id parent, const char *name, bool daemon, slot_id *id);
/* The child's first act. MPROC_ESTATE: its parent is dead, or gave it up, and the slot has been
 * taken back. */
mproc_err slot_enter(slot_id id, int64_t pid);
/* NULL: no such slot, or another generation lives there. */
slot *slot_at(slot_id id);
bool slot_is(slot_id id, slot_state state);
slot_id slot_id_of(uint64_t life, uint32_t index); /* who has that life word */
int64_t slot_pid(slot_id id);                      /* 0 when nobody lives there */
/* Takes over from `charged`, who is dead or the caller, before a child has come to life: from
 * then on it is the caller's to sweep and to free. False: the child lives, or somebody else is
 * at it. */
bool slot_disown(slot_id id, slot_id charged, slot_id self);
/* Only after the sweep. */
void slot_free(slot_id id);

/* What is known of an end: by the process itself (a clean end: nothing of it needs sweeping), or
 * by a forkserver that reaped it. The first report stands. */
void slot_report(slot_id id, mproc_exit_status status, bool clean);
void slot_ring(slot_id id); /* wakes those who wait on `rung` for a report */
bool slot_reported(slot_id id, mproc_exit_status *status, bool *clean);

void slot_note_use(slot_id id, slot_use what); /* before the first store there */
bool slot_has_used(slot_id id, slot_use what);

/* Calls `visit` for each slot that is not free, until it returns false. */
void slot_each(bool (*visit)(slot_id id, slot *slot, void *context), void *context);

#endif
