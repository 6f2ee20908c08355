/* The numbers of threads that hold recursive locks: there are few of them here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mproc/condition.h>
#include <mproc/process.h>
#include <mproc/rlock.h>
#include <mproc/value.h>

#include "family/threads.h"

enum { FEW = 4 };

static struct shared {
    mproc_rlock one, other;
} locks;
typedef struct shared shared;
static mproc_condition condition;

/* What a thread found: in an order of its own, so that the test says which call went wrong. */
typedef struct found {
    mproc_err held, take, release, again;
} found;

/* `one` is held by another thread, `other` is free. */
static void use_both(void *data)
{
    found *f = data;
    f->held = mproc_rlock_acquire(locks.one, 0);
    f->take = mproc_rlock_acquire(locks.other, 0);
    f->again = f->take ? f->take : mproc_rlock_acquire(locks.other, 0);
    if (!f->again)
        mproc_rlock_release(locks.other);
    f->release = mproc_rlock_release(locks.other);
}

static void keep_it(void *lock)
{
    mproc_rlock_acquire(*(mproc_rlock *)lock, 0);
}

static void destroy_it_held(void *lock)
{
    mproc_rlock mine;
    (void)lock;
    if (!mproc_rlock_create(&mine) && !mproc_rlock_acquire(mine, 0))
        mproc_rlock_destroy(mine);
}

/* A value's own lock; with an `other`, somebody else destroys it meanwhile. */
static void destroy_the_value(void *value)
{
    mproc_value_destroy(*(mproc_value *)value);
}

static void use_a_value(void *other)
{
    mproc_value value;
    os_handle thread;
    if (mproc_value_create(&value, 8, NULL, NULL) || mproc_value_acquire(value, 0, NULL))
        return;
    if (!other) {
        mproc_value_destroy(value);
    } else if (!os_thread_start(&thread, destroy_the_value, &value)) {
        os_thread_join(thread);
        mproc_value_release(value);
    }
}

static void wait_in_vain(void *data)
{
    mproc_err *err = data;
    if (!(*err = mproc_condition_acquire(condition, 0))) {
        *err = mproc_condition_wait(condition, 1);
        mproc_condition_release(condition);
    }
}

static void run(void (*what)(void *), void *data)
{
    os_handle thread;
    assert_int_equal(os_thread_start(&thread, what, data), MPROC_OK);
    os_thread_join(thread);
}

static void assert_all_works(void)
{
    found f;
    run(use_both, &f);
    assert_int_equal(f.held, MPROC_ETIMEDOUT);
    assert_int_equal(f.take, MPROC_OK);
    assert_int_equal(f.again, MPROC_OK);
    assert_int_equal(f.release, MPROC_OK);
}

/* Sixteen million threads for a number that comes round took twelve minutes. */
static void however_many_threads_come_and_go_none_is_taken_for_the_holder(void **state)
{
    (void)state;
    assert_int_equal(mproc_rlock_acquire(locks.one, 0), MPROC_OK);
    for (int i = 0; i < 10 * FEW; i++)
        assert_all_works();
    assert_int_equal(mproc_rlock_release(locks.one), MPROC_OK);
}

static void a_thread_that_waits_gives_its_number_back(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * FEW; i++) {
        mproc_err err = MPROC_OK;
        run(wait_in_vain, &err);
        assert_int_equal(err, MPROC_ETIMEDOUT);
    }
}

static void a_thread_that_destroys_what_it_holds_gives_its_number_back(void **state)
{
    (void)state;
    assert_int_equal(mproc_rlock_acquire(locks.one, 0), MPROC_OK);
    for (int i = 0; i < 3 * FEW; i++) {
        run(destroy_it_held, NULL);
        run(use_a_value, NULL);
        run(use_a_value, &locks);
    }
    assert_all_works();
    assert_int_equal(mproc_rlock_release(locks.one), MPROC_OK);
}

/* In a child, for what ends with a lock leaves its number used for ever. */
static int use_all_up(void *args, size_t size)
{
    mproc_rlock kept[FEW];
    found f;
    os_handle thread;
    locks = *(shared *)args;
    (void)size;
    threads_most = FEW;
    for (int i = 0; i < FEW; i++) {
        if (mproc_rlock_create(&kept[i]) || os_thread_start(&thread, keep_it, &kept[i]))
            return 1;
        os_thread_join(thread);
    }
    if (mproc_rlock_acquire(kept[0], 0) != MPROC_EAGAIN ||
        mproc_rlock_release(kept[0]) != MPROC_ENOTOWNER ||
        mproc_rlock_release(locks.other) != MPROC_ENOTOWNER ||
        mproc_rlock_mark_consistent(locks.other) != MPROC_ENOTOWNER)
        return 2;
    if (os_thread_start(&thread, use_both, &f))
        return 3;
    os_thread_join(thread);
    if (f.held != MPROC_EAGAIN || f.take != MPROC_EAGAIN || f.release != MPROC_ENOTOWNER)
        return 4;
    threads_most = FEW + 1;
    for (int i = 0; i < FEW; i++) {
        if (mproc_rlock_acquire(kept[i], 0) != MPROC_ETIMEDOUT)
            return 5;
    }
    return mproc_rlock_acquire(locks.other, 0) || mproc_rlock_release(locks.other) ? 6 : 0;
}

/* Its exit code, or -1. */
static int run_child(mproc_process_options options)
{
    mproc_process *child;
    mproc_exit_status status = {.code = -1};
    if (mproc_process_create(&child, &options))
        return -1;
    bool ran = !mproc_process_start(child) && !mproc_process_join(child, MPROC_FOREVER) &&
               !mproc_process_exit_status(child, &status) && status.kind == MPROC_EXIT_EXITED;
    mproc_process_free(child);
    return ran ? (int)status.code : -1;
}

static void who_ends_holding_a_lock_keeps_its_number(void **state)
{
    (void)state;
    assert_int_equal(run_child((mproc_process_options){
                         .target = use_all_up, .args = &locks, .args_size = sizeof locks}),
                     0);
}

/* The parent's threads are not the child's. */
static int use_one(void *args, size_t size)
{
    locks = *(shared *)args;
    (void)size;
    threads_most = 1;
    if (mproc_rlock_acquire(locks.one, 0) != MPROC_ETIMEDOUT ||
        mproc_rlock_release(locks.one) != MPROC_ENOTOWNER)
        return 1;
    return mproc_rlock_acquire(locks.other, 0) || mproc_rlock_release(locks.other) ? 2 : 0;
}

/* Holds a lock while it starts a child. */
static void start_holding(void *code)
{
    mproc_rlock mine;
    *(int *)code = -1;
    if (!mproc_rlock_create(&mine) && !mproc_rlock_acquire(mine, 0))
        *(int *)code = run_child(
            (mproc_process_options){.target = use_one, .args = &locks, .args_size = sizeof locks});
    mproc_rlock_destroy(mine);
}

static void a_child_has_all_numbers_to_give(void **state)
{
    (void)state;
    int code;
    assert_int_equal(mproc_rlock_acquire(locks.one, 0), MPROC_OK);
    run(start_holding, &code);
    assert_int_equal(code, 0);
    assert_int_equal(mproc_rlock_release(locks.one), MPROC_OK);
}

static int make(void **state)
{
    (void)state;
    threads_most = FEW;
    return mproc_rlock_create(&locks.one) || mproc_rlock_create(&locks.other) ||
           mproc_condition_create(&condition, NULL);
}

static int end(void **state)
{
    (void)state;
    return mproc_rlock_destroy(locks.one) || mproc_rlock_destroy(locks.other) ||
           mproc_condition_destroy(condition);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_many_threads_come_and_go_none_is_taken_for_the_holder),
        cmocka_unit_test(a_thread_that_waits_gives_its_number_back),
        cmocka_unit_test(a_thread_that_destroys_what_it_holds_gives_its_number_back),
        cmocka_unit_test(who_ends_holding_a_lock_keeps_its_number),
        cmocka_unit_test(a_child_has_all_numbers_to_give),
    };
    return cmocka_run_group_tests(tests, make, end);
}
