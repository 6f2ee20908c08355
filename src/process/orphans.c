#include "orphans.h"

#include <stdlib.h>
#include <string.h>

#include "../family/log.h"

/* Each is held by a reference while it runs. */
static mproc_process *orphans;
static mproc_process *inherited; /* a forked child's parent's: for leak checkers to find */

void orphans_after_fork(void)
{
    if (!orphans)
        return;
    inherited = orphans;
    orphans = NULL;
}

bool orphans_exist(void)
{
    return orphans != NULL;
}

static mproc_process *make_orphan(slot_id id, const slot *of_orphan, slot_id estate)
{
    uint64_t born = atomic_load(&of_orphan->born); /* 0: its parent was killed before it told */
    mproc_process *orphan = malloc(sizeof *orphan + SLOT_NAME);
    if (!orphan)
        return NULL;
    *orphan = (mproc_process){.role = PROCESS_ADOPTED,
                              .owner = family.self,
                              .references = 1,
                              .phase = PROCESS_STARTED,
                              .slot = id,
                              .estate = estate,
                              .reaped = true,
                              .os = {.pid = slot_pid(id),
                                     .born = born ? born : os_birth_time(),
                                     .handle = OS_NO_HANDLE,
                                     .extra = OS_NO_HANDLE,
                                     .foreign = true}};
    orphan->name = memcpy(orphan->args, of_orphan->name, SLOT_NAME);
    return orphan;
}

typedef struct succession {
    slot_id dead;
    mproc_err (*watch)(mproc_process *orphan);
    bool heirs; /* somebody may still write into the dead one's blocks */
} succession;

static mproc_err take_over(slot_id id, const slot *of_orphan, slot_id estate,
                           const succession *after)
{
    mproc_process *orphan = make_orphan(id, of_orphan, estate);
    mproc_err err = orphan ? after->watch(orphan) : MPROC_ENOMEM;
    if (err) {
        free(orphan);
        return err;
    }
    orphan->next = orphans;
    if (orphans)
        orphans->previous = orphan;
    orphans = orphan;
    return MPROC_OK;
}

/* Where the dead one stood in the tree, this process stands now. One CAS: a second sweeper finds
 * nothing left. Its daemons and workers are about to end, too, but until they have, they use
 * what it owned: they stay its own, and its sweep waits for them; also for ever, should one of
 * them not be watched. */
static bool adopt(slot_id id, slot *of_orphan, void *context)
{
    succession *after = context;
    slot_id parent = after->dead;
    if (atomic_load(&of_orphan->parent) != parent || !slot_is(id, SLOT_LIVING))
        return true;
    bool mortal = of_orphan->daemon;
    slot_note_use(family.self, SLOT_USES_CHILDREN);
    if (!mortal && !atomic_compare_exchange_strong(&of_orphan->parent, &parent, family.self))
        return true;
    mproc_err err = take_over(id, of_orphan, mortal ? after->dead : 0, after);
    after->heirs |= mortal;
    if (err)
        log_write(MPROC_LOG_WARNING, "an orphan is not watched: %s", mproc_strerror(err));
    return true;
}

bool orphans_adopt(slot_id dead, mproc_err (*watch)(mproc_process *orphan))
{
    succession after = {.dead = dead, .watch = watch};
    slot_each(adopt, &after);
    return after.heirs;
}

static bool has_heirs(slot_id dead)
{
    for (const mproc_process *orphan = orphans; orphan; orphan = orphan->next) {
        if (orphan->estate == dead)
            return true;
    }
    return false;
}

bool orphans_remove(mproc_process *orphan)
{
    *(orphan->previous ? &orphan->previous->next : &orphans) = orphan->next;
    if (orphan->next)
        orphan->next->previous = orphan->previous;
    return orphan->estate && !has_heirs(orphan->estate);
}
