/* The seam beside a POSIX host that has signal handlers, or does with its children as it likes. */
#include "posix_apart.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- children ---- */

static int lose_children(void)
{
    static const int64_t at_once = 0;
    os_process child;
    mproc_exit_status status;
    _Atomic uint32_t told = 0;
    os_watcher *watcher;
    CHECK(os_watcher_create(&watcher, note_end, (void *)&told) == MPROC_OK);
    for (int i = 0; i < 3; i++) {
        CHECK(spawn(&child, "sleeper"));
        if (i == 1)
            CHECK(os_watcher_add(watcher, &child, 1) == MPROC_OK);
        CHECK(os_process_wait(&child, in_milliseconds(5)) == MPROC_ETIMEDOUT);
        CHECK(os_process_signal(&child, true) == MPROC_OK);
        if (i == 1)
            CHECK(comes_to(&told, 1));
        CHECK(os_process_wait(&child, i == 2 ? OS_FOREVER : soon()) == MPROC_OK);
        waitpid((pid_t)child.pid, NULL, 0);
        CHECK(os_process_wait(&child, at_once) == MPROC_OK);
        os_process_status(&child, &status);
        CHECK(status.kind == MPROC_EXIT_LOST && status.code == 0);
        CHECK(os_process_signal(&child, true) == MPROC_OK);
        CHECK(os_process_is_gone(child.pid, child.born));
        os_process_reap(&child);
        os_process_close(&child);
    }
    os_watcher_free(watcher);
    return 0;
}

static int ignore_children(void)
{
    signal(SIGCHLD, SIG_IGN);
    return lose_children();
}

static void a_host_may_ignore_its_children(void **state)
{
    (void)state;
    apart(ignore_children);
}

static void reap_all(int number)
{
    int kept = errno;
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    errno = kept;
}

static int reap_in_handler(void)
{
    struct sigaction action = {.sa_handler = reap_all, .sa_flags = SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    return lose_children();
}

static void a_host_may_reap_its_children(void **state)
{
    (void)state;
    apart(reap_in_handler);
}

/* As if the host had reaped a child, and the pid had come back to the next one. */
static int take_for_another(void)
{
    const uint64_t second = UINT64_C(1000000000);
    os_process child;
    os_handle sentinel;
    CHECK(spawn(&child, "sleeper"));
    os_process reaped = child;
    reaped.born -= reaped.born < second ? reaped.born : second;
    CHECK(os_process_sentinel(&reaped, &sentinel) == MPROC_OK);
    CHECK(os_lifeline_wait(sentinel, 0) == MPROC_OK);
    os_process_close(&reaped);
    CHECK(os_process_signal(&reaped, true) == MPROC_OK);
    CHECK(os_process_sentinel(&child, &sentinel) == MPROC_OK);
    CHECK(os_lifeline_wait(sentinel, 0) == MPROC_ETIMEDOUT);
    CHECK(os_process_wait(&child, in_milliseconds(20)) == MPROC_ETIMEDOUT);
    CHECK(os_process_signal(&child, true) == MPROC_OK);
    CHECK(ends_as(&child, MPROC_EXIT_SIGNALED, SIGKILL));
    return 0;
}

static void a_later_child_with_the_same_pid_is_another_one(void **state)
{
    (void)state;
    if (!os_has_futex) /* not Linux: nobody tells when a process was born */
        skip();
    apart(take_for_another);
}

/* ---- signals ---- */

static _Atomic uint32_t alarms;

static void count_alarm(int number)
{
    (void)number;
    atomic_fetch_add(&alarms, 1);
}

static void start_alarms(void)
{
    struct sigaction action = {.sa_handler = count_alarm, .sa_flags = SA_RESTART};
    const struct itimerval often = {{0, 2000}, {0, 2000}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

static int be_interrupted(void)
{
    os_process child;
    os_shared shared;
    static const unsigned char nonce[16] = {0};
    CHECK(spawn(&child, "sleeper"));
    CHECK(os_shared_create(&shared, 1 << 20, 1 << 20) == MPROC_OK);
    CHECK(os_shared_commit(&shared, 0, 1 << 16) == MPROC_OK);
    board *on = (board *)(void *)shared.base;
    CHECK(os_signal_init(&on->signal[0], nonce, 0) == MPROC_OK);
    start_alarms();
    CHECK(os_process_wait(&child, in_milliseconds(20)) == MPROC_ETIMEDOUT);
    CHECK(os_lifeline_wait(lifeline.watch, in_milliseconds(20)) == MPROC_ETIMEDOUT);
    CHECK(os_signal_wait(&on->signal[0], in_milliseconds(20)) == MPROC_ETIMEDOUT);
    CHECK(!os_has_futex || os_futex_wait(&on->word[0], 0, in_milliseconds(20)) == MPROC_ETIMEDOUT);
    CHECK(atomic_load(&alarms) > 3);
    os_set_interruptible(true);
    const int64_t deadlines[] = {soon(), OS_FOREVER};
    for (int i = 0; i < 2; i++) {
        CHECK(os_process_wait(&child, deadlines[i]) == MPROC_EINTR);
        CHECK(os_lifeline_wait(lifeline.watch, deadlines[i]) == MPROC_EINTR);
        CHECK(os_signal_wait(&on->signal[0], deadlines[i]) == MPROC_EINTR);
        CHECK(!os_has_futex || os_futex_wait(&on->word[0], 0, deadlines[i]) == MPROC_EINTR);
    }
    os_set_interruptible(false);
    CHECK(os_process_signal(&child, true) == MPROC_OK);
    CHECK(ends_as(&child, MPROC_EXIT_SIGNALED, SIGKILL));
    return 0;
}

static void a_signal_ends_a_wait_only_when_asked_for(void **state)
{
    (void)state;
    apart(be_interrupted);
}

static int commit_under_signals(void)
{
    os_shared shared;
    CHECK(os_shared_create(&shared, 64 << 20, 64 << 20) == MPROC_OK);
    start_alarms();
    for (int i = 0; i < 8; i++) {
        CHECK(os_shared_commit(&shared, 0, shared.size) == MPROC_OK);
        os_shared_decommit(&shared, 0, shared.size);
    }
    return 0;
}

static void signals_do_not_disturb_a_commit(void **state)
{
    (void)state;
    apart(commit_under_signals);
}

static int play_signals(const os_entry *entry, const char *argument)
{
    (void)entry;
    (void)argument;
    struct sigaction handled, ignored;
    sigset_t mask;
    CHECK(!sigaction(SIGUSR1, NULL, &handled) && handled.sa_handler == SIG_DFL);
    CHECK(!sigaction(SIGUSR2, NULL, &ignored) && ignored.sa_handler == SIG_IGN);
    CHECK(!sigprocmask(SIG_SETMASK, NULL, &mask) && !sigismember(&mask, SIGTERM));
    return 14;
}

static int change_signals(void)
{
    sigset_t mask;
    os_process child;
    signal(SIGUSR1, count_alarm);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    CHECK(spawn(&child, "signals") && ends_as(&child, MPROC_EXIT_EXITED, 14));
    CHECK(!sigprocmask(SIG_SETMASK, NULL, &mask) && sigismember(&mask, SIGTERM));
    return 0;
}

static void a_spawned_child_keeps_only_ignored_signals(void **state)
{
    (void)state;
    apart(change_signals);
}

static int ignore_interrupt(void)
{
    os_ignore_interrupt();
    raise(SIGINT);
    return 0;
}

static void an_interrupt_can_be_ignored(void **state)
{
    (void)state;
    apart(ignore_interrupt);
}

/* One that comes before the child has said so is held back, and gone then; or it ends the child. */
static int hold_interrupt(bool ignores)
{
    os_process child;
    bool in_child;
    os_hold_interrupt(true);
    CHECK(os_fork(&child, &in_child) == MPROC_OK);
    if (in_child) {
        raise(SIGINT);
        if (ignores)
            os_ignore_interrupt();
        else
            os_heed_interrupt();
        raise(SIGINT);
        return 17;
    }
    os_hold_interrupt(false);
    CHECK(ignores ? ends_as(&child, MPROC_EXIT_EXITED, 17)
                  : ends_as(&child, MPROC_EXIT_SIGNALED, SIGINT));
    sigset_t now;
    CHECK(!pthread_sigmask(SIG_BLOCK, NULL, &now) && !sigismember(&now, SIGINT));
    return 0;
}

static int hold_and_ignore(void)
{
    return hold_interrupt(true);
}

static int hold_and_heed(void)
{
    return hold_interrupt(false);
}

static void a_child_s_interrupts_can_be_held_back(void **state)
{
    (void)state;
    apart(hold_and_ignore);
    apart(hold_and_heed);
}

static int lose_input(void)
{
    int ends[2];
    os_process child;
    bool in_child;
    CHECK(!pipe(ends) && write(ends[1], "abc", 3) == 3);
    CHECK(dup2(ends[0], 0) == 0 && getchar() == 'a');
    CHECK(os_fork(&child, &in_child) == MPROC_OK);
    if (in_child) {
        os_stdin_null();
        return getchar() == EOF ? 16 : CHILD_FAILED;
    }
    CHECK(ends_as(&child, MPROC_EXIT_EXITED, 16));
    CHECK(getchar() == 'b');
    return 0;
}

static void what_was_read_ahead_is_forgotten(void **state)
{
    (void)state;
    apart(lose_input);
}

/* SIGKILL ends a stopped process, a thread of its own cannot. */
static int play_mortal(const os_entry *entry, const char *argument)
{
    (void)argument;
    CHECK(os_lifeline_arm(entry->handles[0]) == MPROC_OK);
    raise(SIGSTOP);
    return 15;
}

static void a_stopped_child_dies_with_the_line(void **state)
{
    (void)state;
    if (!os_has_futex)
        skip();
    os_lifeline other;
    int status;
    assert_int_equal(os_lifeline_create(&other), MPROC_OK);
    os_process child = start_role("mortal", &other.watch, 1);
    assert_int_equal(waitpid((pid_t)child.pid, &status, WUNTRACED), child.pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(os_process_wait(&child, in_milliseconds(10)), MPROC_ETIMEDOUT);
    os_lifeline_close(&other);
    assert_was_ended(&child, true);
}

int main(int argc, char **argv)
{
    static const role roles[] = {
        {"sleeper", play_sleeper}, {"signals", play_signals}, {"mortal", play_mortal}};
    int code;
    if (play_role(argc, argv, roles, sizeof roles / sizeof roles[0], &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_may_ignore_its_children),
        cmocka_unit_test(a_host_may_reap_its_children),
        cmocka_unit_test(a_later_child_with_the_same_pid_is_another_one),
        cmocka_unit_test(a_signal_ends_a_wait_only_when_asked_for),
        cmocka_unit_test(signals_do_not_disturb_a_commit),
        cmocka_unit_test(a_spawned_child_keeps_only_ignored_signals),
        cmocka_unit_test(an_interrupt_can_be_ignored),
        cmocka_unit_test(a_child_s_interrupts_can_be_held_back),
        cmocka_unit_test(what_was_read_ahead_is_forgotten),
        cmocka_unit_test(a_stopped_child_dies_with_the_line),
    };
    return cmocka_run_group_tests_name("os signals", tests, open_lifeline, close_lifeline);
}
