#include <mproc/rlock.h>

#include "../family/robust.h"

mproc_err mproc_rlock_create(mproc_rlock *rlock)
{
    object_draft draft;
    mproc_err err = rlock ? object_draft_new(OBJECT_RLOCK, &draft) : MPROC_EINVAL;
    if (!err)
        object_commit(&draft, 0, &rlock->id);
    return err;
}

mproc_err mproc_rlock_acquire(mproc_rlock rlock, int timeout_ms)
{
    object *cell;
    mproc_err err = object_check(rlock.id, OBJECT_RLOCK, &cell);
    return err ? err : robust_acquire(cell, rlock.id, true, timeout_ms);
}

mproc_err mproc_rlock_release(mproc_rlock rlock)
{
    object *cell;
    mproc_err err = object_check(rlock.id, OBJECT_RLOCK, &cell);
    return err ? err : robust_release(cell, rlock.id, true);
}

mproc_err mproc_rlock_mark_consistent(mproc_rlock rlock)
{
    object *cell;
    mproc_err err = object_check(rlock.id, OBJECT_RLOCK, &cell);
    return err ? err : robust_mark_consistent(cell, rlock.id, true);
}

mproc_err mproc_rlock_destroy(mproc_rlock rlock)
{
    return robust_end_lock(rlock.id, OBJECT_RLOCK);
}
