#include "lock_stage.h"

mproc_memory place;
room *the;
lock_kind tested;

/* ---- either kind ---- */

mproc_err lock_create(any_lock *lock, lock_kind kind)
{
    mproc_lock plain = {lock->id};
    mproc_rlock recursive = {lock->id};
    mproc_err err = kind == PLAIN ? mproc_lock_create(&plain) : mproc_rlock_create(&recursive);
    *lock = (any_lock){kind, kind == PLAIN ? plain.id : recursive.id};
    return err;
}

mproc_err lock_acquire(any_lock lock, int timeout_ms)
{
    return lock.kind == PLAIN ? mproc_lock_acquire((mproc_lock){lock.id}, timeout_ms)
                              : mproc_rlock_acquire((mproc_rlock){lock.id}, timeout_ms);
}

mproc_err lock_release(any_lock lock)
{
    return lock.kind == PLAIN ? mproc_lock_release((mproc_lock){lock.id})
                              : mproc_rlock_release((mproc_rlock){lock.id});
}

mproc_err lock_mark_consistent(any_lock lock)
{
    return lock.kind == PLAIN ? mproc_lock_mark_consistent((mproc_lock){lock.id})
                              : mproc_rlock_mark_consistent((mproc_rlock){lock.id});
}

mproc_err lock_destroy(any_lock lock)
{
    return lock.kind == PLAIN ? mproc_lock_destroy((mproc_lock){lock.id})
                              : mproc_rlock_destroy((mproc_rlock){lock.id});
}

void open_room(lock_kind kind)
{
    the = alloc_shared(&place, sizeof *the);
    assert_int_equal(lock_create(&the->lock, kind), MPROC_OK);
    for (int i = 0; i < MOST_PARTIES; i++)
        the->err[i] = UNTOUCHED;
}

void close_room(void)
{
    assert_int_equal(lock_destroy(the->lock), MPROC_OK);
    free_shared(place);
}

/* ---- parts ---- */

int take_and_release(void *args, size_t size)
{
    const party *me = args;
    room *here = place_of(args, size);
    if (!here)
        return 1;
    here->calls++;
    mproc_err err = lock_acquire(here->lock, me->timeout_ms);
    here->err[me->who] = err;
    return !err || err == MPROC_EOWNERDEAD ? -lock_release(here->lock) : 0;
}

int take_and_keep(void *args, size_t size)
{
    const party *me = args;
    room *here = place_of(args, size);
    if (!here)
        return 1;
    mproc_err err = lock_acquire(here->lock, me->timeout_ms);
    here->err[me->who] = err;
    here->inside = 1;
    return await_value(&here->go, 1) ? 0 : 2;
}

static const party patient = {.timeout_ms = MPROC_FOREVER};

void start_users(team *all, mproc_target part, int threads, int processes, party like)
{
    like.place = place;
    start_team(all, part, threads, processes, like);
}

void assert_all_got(const team *all, mproc_err err)
{
    for (int i = 0; i < all->threads + all->processes; i++)
        assert_int_equal(the->err[i], err);
}

void assert_free(void)
{
    team all;
    start_users(&all, take_and_release, 1, 1, (party){.timeout_ms = SOON});
    join_team(&all);
    assert_all_got(&all, MPROC_OK);
}

mproc_process *start_keeper(mproc_target part)
{
    the->inside = the->go = 0;
    mproc_process *keeper =
        start_party(part, (party){.place = place, .who = MOST_PARTIES - 1, .timeout_ms = SOON});
    assert_true(await_value(&the->inside, 1));
    return keeper;
}

void start_waiters(team *all)
{
    the->calls = 0;
    start_users(all, take_and_release, 2, 2, patient);
    assert_true(await_value(&the->calls, 4));
    host_nap(10); /* so that most of them sleep; it holds for the others as well */
}
