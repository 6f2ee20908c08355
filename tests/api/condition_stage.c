#include "condition_stage.h"

scene *scene_of(const stage *at)
{
    return mproc_memory_data(at->memory);
}

stage stage_set(int lock_kind)
{
    stage made = {.timeout = SOON};
    mproc_condition_options options = {.lock = {0}};
    if (lock_kind == PLAIN_LOCK)
        assert_int_equal(mproc_lock_create(&made.lock), MPROC_OK);
    if (lock_kind == RECURSIVE_LOCK)
        assert_int_equal(mproc_rlock_create(&made.rlock), MPROC_OK);
    options.lock = made.lock;
    options.rlock = made.rlock;
    assert_int_equal(mproc_condition_create(&made.condition, &options), MPROC_OK);
    assert_int_equal(mproc_memory_alloc(&made.memory, sizeof(scene)), MPROC_OK);
    memset(scene_of(&made), 0, sizeof(scene));
    return made;
}

void stage_clear(const stage *at)
{
    mproc_condition_destroy(at->condition);
    mproc_lock_destroy(at->lock);
    mproc_rlock_destroy(at->rlock);
    assert_int_equal(mproc_memory_free(at->memory), MPROC_OK);
}

static void take_when(const stage *at, const int *what, int count)
{
    int64_t deadline = host_now() + SOON;
    for (;;) {
        assert_int_equal(mproc_condition_acquire(at->condition, SOON), MPROC_OK);
        if (*what >= count)
            break;
        let_go(at);
        assert_true(host_now() < deadline);
        host_nap(1);
    }
    assert_int_equal(*what, count);
}

void take_when_waiting(const stage *at, int count)
{
    take_when(at, &scene_of(at)->waiting, count);
}

void take_when_woken(const stage *at, int count)
{
    take_when(at, &scene_of(at)->woken, count);
}

void let_go(const stage *at)
{
    assert_int_equal(mproc_condition_release(at->condition), MPROC_OK);
}

void expect_no_more_than(const stage *at, int woken)
{
    host_nap(BRIEFLY);
    take_when_woken(at, woken);
    let_go(at);
}

static void note_end(scene *s, const stage *at, mproc_err err)
{
    if (err == MPROC_ETIMEDOUT)
        s->timed_out++;
    if (err)
        return;
    s->phases[at->number] = s->phase;
    s->order[s->woken++] = at->number;
}

int wait_once(void *args, size_t size)
{
    const stage *at = args;
    scene *s = scene_of(at);
    if (size != sizeof *at)
        return 1;
    const int depth = at->depth ? at->depth : 1;
    for (int i = 0; i < depth; i++) {
        mproc_err err = mproc_condition_acquire(at->condition, SOON);
        if (err && err != MPROC_EOWNERDEAD)
            return 2;
    }
    s->waiting++;
    mproc_err err = mproc_condition_wait(at->condition, at->timeout);
    if (err != at->expected)
        return 100 - err;
    if (at->keeps_nothing)
        return 0;
    note_end(s, at, err);
    if (err == MPROC_ESTALE)
        return mproc_lock_release(at->lock) && mproc_rlock_release(at->rlock) ? 3 : 0;
    for (int i = 0; i < depth; i++) {
        if (mproc_condition_release(at->condition))
            return 4;
    }
    /* A plain lock is held by the process: another thread of it may hold it now, and would notify. */
    return at->lock.id || mproc_condition_notify(at->condition, 1) == MPROC_ENOTOWNER ? 0 : 5;
}

void add_waiters(crew *them, const stage *at, int count)
{
    for (int i = 0; i < count; i++) {
        stage its = *at;
        its.number = (int)them->count;
        crew_add(them, wait_once, &its, sizeof its);
    }
}
