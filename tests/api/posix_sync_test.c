/* POSIX only: signals that come while somebody waits for a shared object. */
#include "sync_support.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

static mproc_lock lock;
static mproc_rlock rlock;
static mproc_semaphore semaphore;
static mproc_event event;
static mproc_barrier barrier;
static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
    (void)number;
    alarms++;
}

static void ring_every(int milliseconds)
{
    struct sigaction action = {.sa_handler = count_alarm}; /* without SA_RESTART */
    const struct itimerval every = {.it_interval.tv_usec = milliseconds * 1000,
                                    .it_value.tv_usec = milliseconds * 1000};
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

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

static mproc_err (*const waits[])(int timeout_ms) = {
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

static int wait_uninterruptibly(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (!make_all())
        return 1;
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        alarms = 0;
        ring_every(5);
        const int64_t before = host_now();
        const mproc_err err = waits[i](150);
        const int64_t took = host_now() - before;
        ring_every(0);
        if (err != MPROC_ETIMEDOUT || took < 150 || alarms < 2)
            return 10 + (int)i;
    }
    return 0;
}

static void signals_end_no_wait(void **state)
{
    (void)state;
    assert_int_equal(run_role("wait_uninterruptibly", NULL, NULL)->code, 0);
}

static int wait_interruptibly(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (mproc_init(&(mproc_options){.interruptible = true}) || !make_all())
        return 1;
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        ring_every(20);
        const mproc_err timed = waits[i](SOON), forever = waits[i](MPROC_FOREVER);
        ring_every(0);
        if (timed != MPROC_EINTR || forever != MPROC_EINTR || waits[i](0) != MPROC_ETIMEDOUT)
            return 10 + (int)i;
    }
    return 0;
}

static void a_signal_ends_a_wait_when_the_program_asked_for_it(void **state)
{
    (void)state;
    assert_int_equal(run_role("wait_interruptibly", NULL, NULL)->code, 0);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    static const role roles[] = {{"wait_uninterruptibly", wait_uninterruptibly},
                                 {"wait_interruptibly", wait_interruptibly}};
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_end_no_wait),
        cmocka_unit_test(a_signal_ends_a_wait_when_the_program_asked_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
