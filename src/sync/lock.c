#include <mproc/lock.h>

#include "../family/robust.h"

mproc_err mproc_lock_create(mproc_lock *lock)
{
    object_draft draft;
    mproc_err err = lock ? object_draft_new(OBJECT_LOCK, &draft) : MPROC_EINVAL;
    if (!err)
        object_commit(&draft, 0, &lock->id);
    return err;
}

mproc_err mproc_lock_acquire(mproc_lock lock, int timeout_ms)
{
    object *cell;
    mproc_err err = object_check(lock.id, OBJECT_LOCK, &cell);
    return err ? err : robust_acquire(cell, lock.id, false, timeout_ms);
}

mproc_err mproc_lock_release(mproc_lock lock)
{
    object *cell;
    mproc_err err = object_check(lock.id, OBJECT_LOCK, &cell);
    return err ? err : robust_release(cell, lock.id, false);
}

mproc_err mproc_lock_mark_consistent(mproc_lock lock)
{
    object *cell;
    mproc_err err = object_check(lock.id, OBJECT_LOCK, &cell);
    return err ? err : robust_mark_consistent(cell, lock.id, false);
}

mproc_err mproc_lock_destroy(mproc_lock lock)
{
    return robust_end_lock(lock.id, OBJECT_LOCK);
}
