/* A thread at its end: what the destructors of its keys still do with recursive locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include <mproc/rlock.h>

#include "family/threads.h"

enum { FEW = 3, ROUNDS = 3 /* of destructors; all systems have four at least */ };

static mproc_rlock kept, taken;
static pthread_key_t before, after; /* made before the library's own key, and after it */
static _Atomic int wrong, calls;

static void check(mproc_err err)
{
    if (err)
        atomic_fetch_add(&wrong, 1);
}

/* Lets go of the lock in the last round, and takes the other one in each. */
static void at_end(pthread_key_t key, const int *round)
{
    static const int rounds[ROUNDS + 1] = {0, 1, 2, 3};
    atomic_fetch_add(&calls, 1);
    check(mproc_rlock_acquire(taken, 0));
    check(mproc_rlock_release(taken));
    if (*round < ROUNDS)
        pthread_setspecific(key, &rounds[*round + 1]);
    else if (key == after)
        check(mproc_rlock_release(kept));
}

static void before_it(void *round)
{
    at_end(before, round);
}

static void after_it(void *round)
{
    at_end(after, round);
}

static void *hold_until_the_end(void *unused)
{
    static const int first = 1;
    (void)unused;
    check(mproc_rlock_acquire(kept, 0));
    pthread_setspecific(before, &first);
    pthread_setspecific(after, &first);
    return NULL;
}

static void locks_are_used_until_the_very_end(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hold_until_the_end, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(calls, 2 * ROUNDS);
    assert_int_equal(mproc_rlock_acquire(kept, 0), MPROC_OK);
    assert_int_equal(mproc_rlock_release(kept), MPROC_OK);
}

static void *use_briefly_at_the_end(void *key)
{
    static const int last = ROUNDS;
    check(mproc_rlock_acquire(key == &after ? kept : taken, 0));
    pthread_setspecific(*(pthread_key_t *)key, &last);
    if (key == &before)
        check(mproc_rlock_release(taken));
    return NULL;
}

/* Before the library is told of the end, or after: then it is told again. */
static void what_a_destructor_takes_is_given_back(void **state)
{
    (void)state;
    pthread_t thread;
    pthread_key_t *const keys[] = {&before, &after};
    threads_most = FEW;
    for (int i = 0; i < 8 * FEW; i++) {
        assert_int_equal(pthread_create(&thread, NULL, use_briefly_at_the_end, keys[i % 2]), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(wrong, 0);
}

static int make(void **state)
{
    (void)state;
    return pthread_key_create(&before, before_it) || mproc_rlock_create(&kept) ||
           mproc_rlock_create(&taken) || pthread_key_create(&after, after_it);
}

static int end(void **state)
{
    (void)state;
    return mproc_rlock_destroy(kept) || mproc_rlock_destroy(taken) || pthread_key_delete(before) ||
           pthread_key_delete(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locks_are_used_until_the_very_end),
        cmocka_unit_test(what_a_destructor_takes_is_given_back),
    };
    return cmocka_run_group_tests(tests, make, end);
}
