/* POSIX only: signals that come while somebody waits for a shared object, and how often those who wait
 * for one wake. */
#include "posix_alarm.h"

#include <stdio.h>
#include <sys/resource.h>

static mproc_lock lock;
static mproc_rlock rlock;
static mproc_semaphore semaphore;
static mproc_event event;
static mproc_barrier barrier;

static mproc_err wait_for_lock(int timeout_ms)
{
    return mproc_lock_acquire(lock, timeout_ms);
}

static mproc_err wait_for_rlock(int timeout_ms)
{
    return mproc_rlock_acquire(rlock, timeout_ms);
}

static mproc_err wait_for_semaphore(int timeout_ms)
{
    return mproc_semaphore_acquire(semaphore, timeout_ms);
}

static mproc_err wait_for_event(int timeout_ms)
{
    return mproc_event_wait(event, timeout_ms);
}

static mproc_err wait_at_barrier(int timeout_ms)
{
    mproc_err err = mproc_barrier_wait(barrier, timeout_ms, NULL);
    mproc_err reset = mproc_barrier_is_broken(barrier) ? mproc_barrier_reset(barrier) : MPROC_EOS;
    return reset ? reset : err;
}

static const timed_wait waits[] = {
    wait_for_lock, wait_for_rlock, wait_for_semaphore, wait_for_event, wait_at_barrier,
};

static void hold_rlock(void *unused)
{
    (void)unused;
    mproc_rlock_acquire(rlock, 0);
}

/* None of it can be had. */
static bool make_all(void)
{
    host_thread thread;
    if (mproc_lock_create(&lock) || mproc_lock_acquire(lock, 0) || mproc_rlock_create(&rlock) ||
        !host_thread_start(&thread, hold_rlock, NULL))
        return false;
    host_thread_join(&thread);
    return !mproc_semaphore_create(&semaphore, 0, 0) && !mproc_event_create(&event) &&
           !mproc_barrier_create(&barrier, 2, NULL);
}

static int wait_on(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (!make_all())
        return 1;
    return wait_uninterruptibly(waits, COUNT_OF(waits), 0);
}

static void signals_end_no_wait(void **state)
{
    (void)state;
    assert_int_equal(run_role("wait_on", NULL, NULL)->code, 0);
}

static int wait_to_be_interrupted(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (mproc_init(&(mproc_options){.interruptible = true}) || !make_all())
        return 1;
    return wait_interruptibly(waits, COUNT_OF(waits), 0);
}

static void a_signal_ends_a_wait_when_the_program_asked_for_it(void **state)
{
    (void)state;
    assert_int_equal(run_role("wait_to_be_interrupted", NULL, NULL)->code, 0);
}

/* ---- how often sleepers wake ---- */

static long voluntary_switches(void)
{
    struct rusage used;
    return getrusage(RUSAGE_SELF, &used) ? -1 : used.ru_nvcsw;
}

static void take_and_release(void *unused)
{
    (void)unused;
    if (mproc_lock_acquire(lock, MPROC_FOREVER) == MPROC_OK)
        mproc_lock_release(lock);
}

static void await_event(void *unused)
{
    (void)unused;
    mproc_event_wait(event, MPROC_FOREVER);
}

static mproc_err release_lock(void)
{
    return mproc_lock_release(lock);
}

static mproc_err set_event(void)
{
    return mproc_event_set(event);
}

enum { SLEEPERS = 50 };

/* How often threads of this process went to sleep while so many of them slept. */
static long switches_of_sleepers(void (*sleeper)(void *), mproc_err (*let_go)(void))
{
    enum { WHILE_MS = 700 };
    host_thread threads[SLEEPERS];
    const long before = voluntary_switches();
    for (int i = 0; i < SLEEPERS; i++) {
        if (!host_thread_start(&threads[i], sleeper, NULL))
            return -1;
    }
    if (mproc_event_wait(event, WHILE_MS) != MPROC_ETIMEDOUT)
        return -1;
    const long switches = voluntary_switches() - before;
    if (let_go())
        return -1;
    for (int i = 0; i < SLEEPERS; i++)
        host_thread_join(&threads[i]);
    return switches;
}

/* Nobody is told of the end of a first process, so those who sleep on its lock look after it. If each of
 * them looked, it would wake twice in this time. Threads that sleep on an event, at which nobody looks
 * that often, show what the threads themselves cost. */
static int sleep_beside_many(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (!make_all())
        return 1;
    const long at_event = switches_of_sleepers(await_event, set_event);
    if (mproc_event_clear(event))
        return 3;
    const long at_lock = switches_of_sleepers(take_and_release, release_lock);
    fprintf(stderr, "%d sleepers: %ld switches at a lock, %ld at an event\n", (int)SLEEPERS,
            at_lock, at_event);
    if (at_lock < 0 || at_event < 0)
        return 2;
    return at_lock < at_event + 3 * SLEEPERS / 2 ? 0 : 5;
}

static void one_of_many_sleepers_looks_after_the_holder(void **state)
{
    (void)state;
    assert_int_equal(run_role("sleep_beside_many", NULL, NULL)->code, 0);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    static const role roles[] = {{"wait_on", wait_on},
                                 {"wait_to_be_interrupted", wait_to_be_interrupted},
                                 {"sleep_beside_many", sleep_beside_many}};
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_end_no_wait),
        cmocka_unit_test(a_signal_ends_a_wait_when_the_program_asked_for_it),
        cmocka_unit_test(one_of_many_sleepers_looks_after_the_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
