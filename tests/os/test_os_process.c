#include "roles.h"

#include <stdlib.h>
#include <string.h>

static os_process start_sleeper(void)
{
    return start_role("sleeper", &lifeline.watch, 1);
}

static int play_abort(const os_entry *entry, const char *argument)
{
    (void)entry;
    (void)argument;
    abort();
}

/* ---- the private argument ---- */

static void an_ordinary_start_is_no_child(void **state)
{
    (void)state;
    char name[] = "program", other[] = "--verbose", last[] = "--mproc-child=x:0";
    char *plain[] = {name, other, last, NULL};
    os_entry entry;
    assert_int_equal(os_entry_claim(3, plain, &entry), MPROC_ENOENT);
    assert_int_equal(os_entry_claim(1, plain, &entry), MPROC_ENOENT);
    assert_ptr_equal(plain[2], last);
    assert_false(os_entry_is_unclaimed());
}

static void a_forged_argument_is_refused(void **state)
{
    (void)state;
    static const char *const forged[] = {
        "--mproc-child=",         "--mproc-child=x",           "--mproc-child=x:",
        "--mproc-child=x:-1",     "--mproc-child=x:1x",        "--mproc-child=x:00",
        "--mproc-child=x:1001",   "--mproc-child=x:0x",        "--mproc-child=:",
        "--mproc-child=x:999999", "--mproc-child=x:4294967296"};
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        char name[] = "program", argument[64];
        char *arguments[] = {name, argument, NULL};
        os_entry entry = {.handle_count = 55};
        strcpy(argument, forged[i]);
        assert_int_equal(os_entry_claim(2, arguments, &entry), MPROC_EINVAL);
        assert_int_equal(entry.handle_count, 55);
        assert_ptr_equal(arguments[1], argument);
    }
}

/* In a child, whose own handles have been moved away from where the argument says they are. */
static int play_forged(const os_entry *entry, const char *argument)
{
    (void)entry;
    (void)argument;
    for (int handles = 1; handles <= 6; handles++) {
        char name[] = "program", forged[64];
        char *arguments[] = {name, forged, NULL};
        os_entry other = {.handle_count = 55};
        snprintf(forged, sizeof forged, "--mproc-child=x:%d", handles);
        CHECK(os_entry_claim(2, arguments, &other) == MPROC_EINVAL);
        CHECK(other.handle_count == 55);
    }
    return 3;
}

static void handles_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    os_process child = start_role("forged", &lifeline.watch, 1);
    assert_exits_with(&child, 3);
}

static void a_text_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[OS_SPAWN_TEXT + 64], name[] = "program", argument[2 * OS_SPAWN_TEXT];
    char *arguments[] = {name, argument, NULL};
    memset(text, 'x', sizeof text);
    text[OS_SPAWN_TEXT] = '\0';
    os_entry entry;
    snprintf(argument, sizeof argument, "--mproc-child=%s:0", text);
    assert_int_equal(os_entry_claim(2, arguments, &entry), MPROC_EINVAL);
    os_process child = {.pid = 5};
    assert_int_equal(os_spawn(&child, text, NULL, 0, NULL), MPROC_EINVAL);
    assert_int_equal(child.pid, 5);
}

static int play_longest(const os_entry *entry, const char *argument)
{
    CHECK(strlen(entry->text) == OS_SPAWN_TEXT - 1);
    CHECK(strspn(argument, "a:+") == strlen(argument));
    return 4;
}

static void the_longest_text_arrives_whole(void **state)
{
    (void)state;
    char text[OS_SPAWN_TEXT];
    memset(text, 'a', sizeof text);
    memcpy(text, "longest/", 8);
    text[20] = ':';
    text[OS_SPAWN_TEXT - 2] = '+';
    text[OS_SPAWN_TEXT - 1] = '\0';
    os_process child = start_role(text, NULL, 0);
    assert_exits_with(&child, 4);
}

static int play_handles(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_shared shared;
    CHECK(entry->handle_count == 4);
    CHECK(os_lifeline_wait(entry->handles[0], 0) == MPROC_ETIMEDOUT);
    board *on = find_board(&shared, entry->handles[3]);
    CHECK(on != NULL);
    return on->bytes[0];
}

static void handles_arrive_in_their_order(void **state)
{
    (void)state;
    os_shared shared;
    make_board(&shared)->bytes[0] = 21;
    const os_handle handles[] = {lifeline.watch, shared.object, lifeline.watch, shared.object};
    os_process child = start_role("handles", handles, 4);
    assert_exits_with(&child, 21);
    const os_handle wrong[] = {lifeline.watch, OS_NO_HANDLE};
    assert_int_not_equal(os_spawn(&child, "handles", wrong, 2, NULL), MPROC_OK);
    drop_board(&shared);
}

static int play_input(const os_entry *entry, const char *argument)
{
    (void)entry;
    (void)argument;
    return getchar() == EOF ? 6 : CHILD_FAILED;
}

static void a_spawned_child_reads_nothing(void **state)
{
    (void)state;
    os_process child = start_role("input", NULL, 0);
    assert_exits_with(&child, 6);
}

static int (*const in_both)(const os_entry *, const char *) = play_exit;

static int play_code(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_shared shared;
    os_code code;
    os_function found;
    board *on = find_board(&shared, entry->handles[0]);
    CHECK(on != NULL);
    memcpy(&code, on->bytes, sizeof code);
    CHECK(os_code_find(&code, &found) == MPROC_OK);
    CHECK(found == (os_function)in_both);
    return ((int (*)(const os_entry *, const char *))found)(entry, "8");
}

static void code_travels_to_a_spawned_child(void **state)
{
    (void)state;
    os_shared shared;
    os_code code;
    assert_int_equal(os_code_from((os_function)in_both, &code), MPROC_OK);
    memcpy(make_board(&shared)->bytes, &code, sizeof code);
    os_process child = start_role("code", &shared.object, 1);
    assert_exits_with(&child, 8);
    drop_board(&shared);
}

/* ---- starting ---- */

static void the_default_method_can_be_started(void **state)
{
    (void)state;
    assert_true(os_can_start(MPROC_SPAWN));
    assert_true(os_can_start(os_default_method()));
    assert_false(os_can_start(MPROC_START_DEFAULT));
    os_process child;
    bool in_child = true;
    if (!os_can_start(MPROC_FORK))
        assert_int_equal(os_fork(&child, &in_child), MPROC_ENOSYS);
}

static _Atomic int in_forks;

static void count_fork(void)
{
    atomic_fetch_add(&in_forks, 1);
}

static void a_fork_is_a_copy(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORK))
        skip();
    os_process child;
    bool in_child;
    int64_t parent = os_getpid();
    os_on_fork(count_fork);
    assert_int_equal(os_fork(&child, &in_child), MPROC_OK);
    if (in_child)
        _Exit(os_getpid() != parent && atomic_load(&in_forks) == 1 ? 9 : CHILD_FAILED);
    assert_true(child.pid > 0 && child.pid != parent);
    assert_false(child.foreign);
    assert_int_equal(atomic_load(&in_forks), 0);
    assert_exits_with(&child, 9);
}

/* ---- ending ---- */

static void every_exit_code_is_seen(void **state)
{
    (void)state;
    static const int codes[] = {0, 1, 127, 128, 255};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char text[16];
        snprintf(text, sizeof text, "exit/%d", codes[i]);
        os_process child = start_role(text, NULL, 0);
        assert_exits_with(&child, codes[i]);
    }
}

static void an_abort_is_seen(void **state)
{
    (void)state;
    os_process child = start_role("abort", NULL, 0);
    mproc_exit_status status = finish(&child);
    if (os_can_start(MPROC_FORK)) {
        assert_int_equal(status.kind, MPROC_EXIT_SIGNALED);
        assert_int_equal(status.code, 6);
    } else {
        assert_true(status.kind == MPROC_EXIT_EXITED || status.kind == MPROC_EXIT_CRASHED);
    }
}

static void waiting_times_out_while_the_child_runs(void **state)
{
    (void)state;
    os_process child = start_sleeper();
    mproc_exit_status status = {.kind = MPROC_EXIT_LOST};
    assert_int_equal(os_process_wait(&child, 0), MPROC_ETIMEDOUT);
    int64_t deadline = in_milliseconds(30);
    assert_int_equal(os_process_wait(&child, deadline), MPROC_ETIMEDOUT);
    assert_true(os_now() >= deadline);
    os_process_status(&child, &status);
    assert_int_equal(status.kind, MPROC_EXIT_RUNNING);
    assert_int_equal(os_process_signal(&child, false), MPROC_OK);
    assert_was_ended(&child, false);
}

static void a_status_stays_until_it_is_reaped(void **state)
{
    (void)state;
    os_process child = start_role("exit/5", NULL, 0);
    for (int i = 0; i < 3; i++) {
        mproc_exit_status status;
        assert_int_equal(os_process_wait(&child, i ? OS_FOREVER : soon()), MPROC_OK);
        assert_int_equal(os_process_wait(&child, 0), MPROC_OK);
        os_process_status(&child, &status);
        assert_int_equal(status.kind, MPROC_EXIT_EXITED);
        assert_int_equal(status.code, 5);
    }
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    assert_exits_with(&child, 5);
}

static void a_reaped_process_has_ended(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORK))
        skip(); /* Windows: the handle keeps the status */
    os_process child = start_role("exit/5", NULL, 0);
    mproc_exit_status status;
    os_handle sentinel;
    assert_int_equal(os_process_wait(&child, soon()), MPROC_OK);
    os_process_reap(&child);
    assert_int_equal(os_process_wait(&child, OS_FOREVER), MPROC_OK);
    assert_int_equal(os_process_wait(&child, 0), MPROC_OK);
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    os_process_status(&child, &status);
    assert_int_equal(status.kind, MPROC_EXIT_LOST);
    assert_int_equal(os_process_sentinel(&child, &sentinel), MPROC_OK);
    assert_int_equal(os_lifeline_wait(sentinel, 0), MPROC_OK);
    os_process_status(&child, &status);
    assert_int_equal(status.kind, MPROC_EXIT_LOST);
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    assert_int_equal(os_process_wait(&child, soon()), MPROC_OK);
    os_process_close(&child);
}

typedef struct waiting {
    os_process *child;
    int64_t deadline;
    _Atomic uint32_t ready;
    mproc_err err;
} waiting;

static void wait_for_it(void *data)
{
    waiting *of = data;
    atomic_store(&of->ready, 1);
    of->err = os_process_wait(of->child, of->deadline);
}

static void several_threads_wait_at_once(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    os_process child = start_sleeper();
    os_handle threads[THREADS];
    waiting of[THREADS] = {{.child = NULL}};
    for (int i = 0; i < THREADS; i++) {
        of[i] =
            (waiting){.child = &child, .deadline = i % 2 ? soon() : OS_FOREVER, .err = MPROC_EOS};
        assert_int_equal(os_thread_start(&threads[i], wait_for_it, &of[i]), MPROC_OK);
        assert_true(comes_to(&of[i].ready, 1));
    }
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    for (int i = 0; i < THREADS; i++) {
        os_thread_join(threads[i]);
        assert_int_equal(of[i].err, MPROC_OK);
    }
    assert_was_ended(&child, true);
}

static void a_sentinel_tells_of_the_end(void **state)
{
    (void)state;
    os_process child = start_sleeper();
    os_handle sentinel, again;
    assert_int_equal(os_process_sentinel(&child, &sentinel), MPROC_OK);
    assert_int_equal(os_process_sentinel(&child, &again), MPROC_OK);
    assert_true(sentinel == again && sentinel != OS_NO_HANDLE);
    assert_int_equal(os_lifeline_wait(sentinel, 0), MPROC_ETIMEDOUT);
    assert_int_equal(os_process_wait(&child, in_milliseconds(5)), MPROC_ETIMEDOUT);
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    assert_int_equal(os_lifeline_wait(sentinel, soon()), MPROC_OK);
    assert_was_ended(&child, true);
    assert_int_equal(child.handle, OS_NO_HANDLE);
    os_process_close(&child);
}

/* ---- proofs ---- */

static void a_living_process_is_not_gone(void **state)
{
    (void)state;
    os_process child = start_sleeper();
    assert_false(os_process_is_gone(child.pid, child.born));
    assert_false(os_process_is_gone(os_getpid(), os_birth_time()));
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    os_process kept = child;
    assert_was_ended(&child, true);
    assert_true(os_process_is_gone(kept.pid, kept.born));
    assert_true(os_process_is_gone(0, 0));
    assert_true(os_process_is_gone(-1, 0));
}

static void a_process_born_later_is_another(void **state)
{
    (void)state;
    if (os_can_start(MPROC_FORK) && !os_has_futex)
        skip(); /* POSIX alone has no birth times */
    os_process child = start_sleeper();
    uint64_t second = os_can_start(MPROC_FORK) ? UINT64_C(1000000000) : UINT64_C(10000000);
    assert_true(os_process_is_gone(child.pid, child.born - second));
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    assert_was_ended(&child, true);
}

static void a_zombie_is_gone(void **state)
{
    (void)state;
    os_process child = start_role("exit/0", NULL, 0);
    assert_int_equal(os_process_wait(&child, soon()), MPROC_OK);
    assert_true(os_process_is_gone(child.pid, child.born));
    assert_exits_with(&child, 0);
}

int main(int argc, char **argv)
{
    static const role roles[] = {{"sleeper", play_sleeper}, {"exit", play_exit},
                                 {"abort", play_abort},     {"forged", play_forged},
                                 {"longest", play_longest}, {"handles", play_handles},
                                 {"input", play_input},     {"code", play_code}};
    int code;
    if (play_role(argc, argv, roles, sizeof roles / sizeof roles[0], &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_start_is_no_child),
        cmocka_unit_test(a_forged_argument_is_refused),
        cmocka_unit_test(handles_that_do_not_exist_are_refused),
        cmocka_unit_test(a_text_that_is_too_long_is_refused),
        cmocka_unit_test(the_longest_text_arrives_whole),
        cmocka_unit_test(handles_arrive_in_their_order),
        cmocka_unit_test(a_spawned_child_reads_nothing),
        cmocka_unit_test(code_travels_to_a_spawned_child),
        cmocka_unit_test(the_default_method_can_be_started),
        cmocka_unit_test(a_fork_is_a_copy),
        cmocka_unit_test(every_exit_code_is_seen),
        cmocka_unit_test(an_abort_is_seen),
        cmocka_unit_test(waiting_times_out_while_the_child_runs),
        cmocka_unit_test(a_status_stays_until_it_is_reaped),
        cmocka_unit_test(a_reaped_process_has_ended),
        cmocka_unit_test(several_threads_wait_at_once),
        cmocka_unit_test(a_sentinel_tells_of_the_end),
        cmocka_unit_test(a_living_process_is_not_gone),
        cmocka_unit_test(a_process_born_later_is_another),
        cmocka_unit_test(a_zombie_is_gone),
    };
    return cmocka_run_group_tests_name("os process", tests, open_lifeline, close_lifeline);
}
