/* An end is swept without the lock of the children: no end waits for the sweep of another one, and who
 * joins a child comes back when it is swept. A thread that sweeps is stopped at its first kill
 * point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "family/family.h"
#include "killpoint.h"

#define SECOND INT64_C(1000000000)

/* ---- the thread that sweeps ---- */

static _Atomic bool armed, stopped, goes_on;
static _Thread_local bool is_main;
static slot_id self; /* a forked child has another one */

static void stop_first(void)
{
    if (is_main || family.self != self || !atomic_exchange(&armed, false))
        return;
    atomic_store(&stopped, true);
    while (!atomic_load(&goes_on))
        os_yield();
}

/* ---- children ---- */

typedef struct work {
    mproc_lock lock;
    mproc_event go;
} work;

static int die_with_lock(void *args, size_t size)
{
    (void)size;
    const work *w = args;
    if (mproc_event_wait(w->go, MPROC_FOREVER))
        return 1;
    return mproc_lock_acquire(w->lock, 0) ? 2 : 0;
}

static int wait_and_end(void *args, size_t size)
{
    (void)size;
    const work *w = args;
    return mproc_event_wait(w->go, MPROC_FOREVER) ? 1 : 0;
}

static work make_work(void)
{
    work w;
    assert_int_equal(mproc_lock_create(&w.lock), MPROC_OK);
    assert_int_equal(mproc_event_create(&w.go), MPROC_OK);
    return w;
}

static mproc_process *start(mproc_target target, const work *w)
{
    mproc_process *child;
    assert_int_equal(
        mproc_process_create(
            &child, &(mproc_process_options){.target = target, .args = w, .args_size = sizeof *w}),
        MPROC_OK);
    assert_int_equal(mproc_process_start(child), MPROC_OK);
    return child;
}

/* ---- threads that join ---- */

typedef struct joiner {
    mproc_process *child;
    os_handle thread;
    _Atomic bool done;
    bool was_swept;
    mproc_err err;
} joiner;

static void join(void *argument)
{
    joiner *j = argument;
    j->err = mproc_process_join(j->child, MPROC_FOREVER);
    j->was_swept = atomic_load(&goes_on);
    atomic_store(&j->done, true);
}

static void start_joiner(joiner *j, mproc_process *child)
{
    *j = (joiner){.child = child};
    assert_int_equal(os_thread_start(&j->thread, join, j), MPROC_OK);
}

static void end_joiner(joiner *j)
{
    os_thread_join(j->thread);
    assert_int_equal(j->err, MPROC_OK);
    mproc_process_free(j->child);
}

/* Its end is noticed by a joiner or by the monitor, whichever comes first. */
static void let_die_and_await_stop(const work *w)
{
    atomic_store(&stopped, false);
    atomic_store(&goes_on, false);
    atomic_store(&armed, true);
    assert_int_equal(mproc_event_set(w->go), MPROC_OK);
    while (!atomic_load(&stopped))
        os_yield();
}

static void an_end_does_not_wait_for_the_sweep_of_another_one(void **state)
{
    (void)state;
    joiner first, second;
    const work a = make_work(), b = make_work();
    start_joiner(&first, start(die_with_lock, &a));
    start_joiner(&second, start(wait_and_end, &b));
    let_die_and_await_stop(&a);
    assert_int_equal(mproc_event_set(b.go), MPROC_OK);
    const int64_t until = os_now() + 20 * SECOND;
    while (!atomic_load(&second.done) && os_now() < until)
        os_yield();
    const bool was_done = atomic_load(&second.done);
    atomic_store(&goes_on, true);
    end_joiner(&first);
    end_joiner(&second);
    assert_true(was_done);
    assert_int_equal(mproc_lock_acquire(a.lock, 0), MPROC_EOWNERDEAD);
}

static void who_joins_comes_back_when_the_child_is_swept(void **state)
{
    (void)state;
    enum { OFTEN = 1000 };
    joiner first, late;
    const work w = make_work();
    mproc_process *child = start(die_with_lock, &w);
    start_joiner(&first, child);
    let_die_and_await_stop(&w);
    late = (joiner){.child = child};
    assert_int_equal(os_thread_start(&late.thread, join, &late), MPROC_OK);
    for (int i = 0; i < OFTEN; i++)
        os_yield();
    atomic_store(&goes_on, true);
    os_thread_join(late.thread);
    end_joiner(&first);
    assert_true(first.was_swept);
    assert_true(late.was_swept);
    assert_int_equal(mproc_lock_acquire(w.lock, 0), MPROC_EOWNERDEAD);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    if (family_enter())
        return 1;
    is_main = true;
    self = family.self;
    killpoint_reached = stop_first;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_does_not_wait_for_the_sweep_of_another_one),
        cmocka_unit_test(who_joins_comes_back_when_the_child_is_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
