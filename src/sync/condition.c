#include <mproc/condition.h>

#include "../family/robust.h"
#include "../family/waiters.h"

/* field[LOCK] is the handle of the lock that it was given; 0: the cell is a recursive lock of its
 * own. Who waits stands in the table of waiters. */
enum { LOCK };

/* What a call needs to know about it. */
typedef struct view {
    uint64_t id;
    object *lock;
    uint64_t lock_id;
    bool recursive;
} view;

static mproc_err find_lock(uint64_t id, object_type type, view *v)
{
    v->lock_id = id;
    v->recursive = type == OBJECT_RLOCK;
    return object_check(id, type, &v->lock);
}

static mproc_err find(mproc_condition condition, view *v)
{
    object *cell;
    mproc_err err = object_check(condition.id, OBJECT_CONDITION, &cell);
    if (err)
        return err;
    *v = (view){.id = condition.id, .lock = cell, .lock_id = condition.id, .recursive = true};
    uint64_t given = atomic_load(&cell->field[LOCK]);
    if (!object_matches(atomic_load(&cell->word), condition.id))
        return MPROC_ESTALE;
    if (!given)
        return MPROC_OK;
    return find_lock(given, object_is(given, OBJECT_RLOCK) ? OBJECT_RLOCK : OBJECT_LOCK, v);
}

static mproc_err check_given(const mproc_condition_options *options, uint64_t *given)
{
    view v;
    *given = 0;
    if (!options || (!options->lock.id && !options->rlock.id))
        return MPROC_OK;
    if (options->lock.id && options->rlock.id)
        return MPROC_EINVAL;
    *given = options->lock.id ? options->lock.id : options->rlock.id;
    mproc_err err = find_lock(*given, options->lock.id ? OBJECT_LOCK : OBJECT_RLOCK, &v);
    if (!err && !object_matches(atomic_load(&v.lock->word), *given))
        err = MPROC_ESTALE;
    return err;
}

mproc_err mproc_condition_create(mproc_condition *condition, const mproc_condition_options *options)
{
    object_draft draft;
    uint64_t given;
    mproc_err err = condition ? check_given(options, &given) : MPROC_EINVAL;
    if (!err)
        err = object_draft_new(OBJECT_CONDITION, &draft);
    if (err)
        return err;
    atomic_store(&draft.cell->field[LOCK], given);
    object_commit(&draft, 0, &condition->id);
    return MPROC_OK;
}

mproc_err mproc_condition_acquire(mproc_condition condition, int timeout_ms)
{
    view v;
    mproc_err err = find(condition, &v);
    return err ? err : robust_acquire(v.lock, v.lock_id, v.recursive, timeout_ms);
}

mproc_err mproc_condition_release(mproc_condition condition)
{
    view v;
    mproc_err err = find(condition, &v);
    return err ? err : robust_release(v.lock, v.lock_id, v.recursive);
}

mproc_err mproc_condition_mark_consistent(mproc_condition condition)
{
    view v;
    mproc_err err = find(condition, &v);
    return err ? err : robust_mark_consistent(v.lock, v.lock_id, v.recursive);
}

static mproc_err find_held(mproc_condition condition, view *v)
{
    mproc_err err = find(condition, v);
    return err ? err : robust_check_holder(v->lock, v->lock_id, v->recursive);
}

/* ---- waiting ---- */

/* The place is kept until the lock is held again: a thread that is killed before that has not used
 * up its notification. */
static mproc_err wait_until(const view *v, int64_t deadline)
{
    waiting wait;
    mproc_err err = waiters_join(&wait, v->id, v->lock_id);
    if (err)
        return err;
    uint64_t depth = robust_suspend(v->lock, v->lock_id, v->recursive);
    err = waiters_await(&wait, deadline);
    mproc_err back = robust_resume(v->lock, v->lock_id, v->recursive, depth);
    if (!err)
        waiters_leave(&wait);
    return back && err != MPROC_ESTALE ? back : err;
}

mproc_err mproc_condition_wait(mproc_condition condition, int timeout_ms)
{
    view v;
    int64_t deadline;
    mproc_err err = find_held(condition, &v);
    if (!err)
        err = park_deadline(timeout_ms, &deadline);
    return err ? err : wait_until(&v, deadline);
}

mproc_err mproc_condition_wait_for(mproc_condition condition, mproc_predicate predicate,
                                   void *context, int timeout_ms)
{
    view v;
    int64_t deadline;
    mproc_err err = predicate ? find_held(condition, &v) : MPROC_EINVAL;
    if (!err)
        err = park_deadline(timeout_ms, &deadline);
    while (!err && !predicate(context)) {
        if (deadline != OS_FOREVER && os_now() >= deadline)
            return MPROC_ETIMEDOUT;
        err = wait_until(&v, deadline);
        if (err == MPROC_ETIMEDOUT)
            err = MPROC_OK;
    }
    return err;
}

/* ---- notifying ---- */

mproc_err mproc_condition_notify(mproc_condition condition, unsigned n)
{
    view v;
    mproc_err err = find_held(condition, &v);
    if (!err)
        waiters_notify(v.id, n);
    return err;
}

mproc_err mproc_condition_notify_all(mproc_condition condition)
{
    return mproc_condition_notify(condition, UINT32_MAX);
}

mproc_err mproc_condition_destroy(mproc_condition condition)
{
    return robust_end_lock(condition.id, OBJECT_CONDITION);
}
