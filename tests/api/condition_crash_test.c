/* Conditions whose waiters, holders and notifiers are killed, stopped or gone, and conditions that
 * are destroyed under them. */
#include "condition_stage.h"

#include <stdlib.h>

/* Processes, with each kind of lock. */
static void with_processes(void (*play)(const stage *at, crew *them))
{
    for (int lock = 0; lock < LOCK_KINDS; lock++) {
        static crew them;
        them = (crew){.kind = CREW_PROCESSES};
        stage at = stage_set(lock);
        play(&at, &them);
        crew_join(&them);
        stage_clear(&at);
    }
}

static mproc_err take(const stage *at)
{
    return mproc_condition_acquire(at->condition, SOON);
}

/* ---- killed ---- */

static void kill_a_sleeper(const stage *at, crew *them)
{
    add_waiters(them, at, 1);
    take_when_waiting(at, 1);
    let_go(at);
    add_waiters(them, at, 1);
    take_when_waiting(at, 2);
    let_go(at);
    crew_kill(them, 0);
    take_when_waiting(at, 2);
    assert_int_equal(mproc_condition_notify(at->condition, 1), MPROC_OK);
    let_go(at);
    take_when_woken(at, 1);
    assert_int_equal(scene_of(at)->order[0], 1);
    let_go(at);
}

static void a_killed_waiter_swallows_no_notify(void **state)
{
    (void)state;
    with_processes(kill_a_sleeper);
}

/* It cannot have gone on: the lock is held all the time. */
static void kill_a_notified_one(const stage *at, crew *them)
{
    add_waiters(them, at, 1);
    take_when_waiting(at, 1);
    let_go(at);
    add_waiters(them, at, 2);
    take_when_waiting(at, 3);
    assert_int_equal(mproc_condition_notify(at->condition, 1), MPROC_OK);
    crew_kill(them, 0);
    let_go(at);
    take_when_woken(at, 1);
    assert_int_not_equal(scene_of(at)->order[0], 0);
    let_go(at);
    expect_no_more_than(at, 1);
    take_when_woken(at, 1);
    assert_int_equal(mproc_condition_notify(at->condition, 1), MPROC_OK);
    let_go(at);
    take_when_woken(at, 2);
    let_go(at);
}

static void a_notify_of_a_killed_waiter_is_handed_on(void **state)
{
    (void)state;
    with_processes(kill_a_notified_one);
}

static int die_holding(void *args, size_t size)
{
    const stage *at = args;
    if (size != sizeof *at || mproc_condition_acquire(at->condition, SOON) ||
        mproc_condition_notify_all(at->condition))
        return 1;
    host_quit(0);
    return 2;
}

static void kill_a_holder(const stage *at, crew *them)
{
    stage warned = *at;
    warned.expected = MPROC_EOWNERDEAD;
    add_waiters(them, &warned, 2);
    take_when_waiting(at, 2);
    let_go(at);
    crew_add(them, die_holding, at, sizeof *at);
    crew_join(them);
    assert_int_equal(take(at), MPROC_EOWNERDEAD);
    assert_int_equal(mproc_condition_wait(at->condition, 1), MPROC_EOWNERDEAD);
    assert_int_equal(mproc_condition_mark_consistent(at->condition), MPROC_OK);
    assert_int_equal(mproc_condition_wait(at->condition, 1), MPROC_ETIMEDOUT);
    let_go(at);
    assert_int_equal(take(at), MPROC_OK);
    let_go(at);
}

static void a_holder_that_died_is_told_of(void **state)
{
    (void)state;
    with_processes(kill_a_holder);
}

static bool never(void *context)
{
    (void)context;
    return false;
}

static void kill_a_holder_of_wait_for(const stage *at, crew *them)
{
    assert_int_equal(take(at), MPROC_OK);
    crew_add(them, die_holding, at, sizeof *at);
    assert_int_equal(mproc_condition_wait_for(at->condition, never, NULL, SOON), MPROC_EOWNERDEAD);
    assert_int_equal(mproc_condition_mark_consistent(at->condition), MPROC_OK);
    assert_int_equal(mproc_condition_wait_for(at->condition, never, NULL, 1), MPROC_ETIMEDOUT);
    let_go(at);
}

static void wait_for_ends_when_a_holder_died(void **state)
{
    (void)state;
    with_processes(kill_a_holder_of_wait_for);
}

static void kill_many(const stage *at, crew *them)
{
    add_waiters(them, at, 8);
    take_when_waiting(at, 8);
    assert_int_equal(mproc_condition_notify(at->condition, 4), MPROC_OK);
    for (size_t i = 0; i < 6; i++)
        crew_kill(them, i);
    let_go(at);
    take_when_woken(at, 2);
    let_go(at);
}

static void notifies_of_many_killed_waiters_reach_the_others(void **state)
{
    (void)state;
    with_processes(kill_many);
}

/* ---- ended otherwise ---- */

static void sleep_in_thread(void *argument)
{
    wait_once(argument, sizeof(stage));
}

/* Returns while a thread of its own waits. */
static int leave_a_thread_waiting(void *args, size_t size)
{
    static host_thread sleeper;
    const stage *at = args;
    const scene *s = scene_of(at);
    if (size != sizeof *at || !host_thread_start(&sleeper, sleep_in_thread, args))
        return 1;
    for (int waiting = 0; !waiting;) {
        if (take(at))
            return 2;
        waiting = s->waiting;
        if (mproc_condition_release(at->condition))
            return 3;
    }
    return 0;
}

static void leave_a_sleeper(const stage *at, crew *them)
{
    crew_add(them, leave_a_thread_waiting, at, sizeof *at);
    crew_join(them);
    add_waiters(them, at, 1);
    mproc_err err;
    do {
        host_nap(1);
        err = take(at);
        if (err == MPROC_EOWNERDEAD)
            assert_int_equal(mproc_condition_mark_consistent(at->condition), MPROC_OK);
    } while ((!err || err == MPROC_EOWNERDEAD) && scene_of(at)->waiting < 2 &&
             !mproc_condition_release(at->condition));
    assert_int_equal(mproc_condition_notify(at->condition, 1), MPROC_OK);
    let_go(at);
    take_when_woken(at, 1);
    let_go(at);
}

static void a_process_that_ended_while_its_thread_waited_swallows_no_notify(void **state)
{
    (void)state;
    with_processes(leave_a_sleeper);
}

/* Of a family whose first process is killed while it waits: nobody is its parent. */
typedef struct inheritance {
    stage at;
    note answer;
    long long first;
} inheritance;

static int outlive_the_first(void *args, size_t size)
{
    inheritance *it = args;
    static host_thread sleeper;
    const scene *s = scene_of(&it->at);
    if (size != sizeof *it)
        return 1;
    const mproc_condition condition = it->at.condition;
    for (int waiting = 0; waiting < 2;) {
        host_nap(1);
        if (take(&it->at))
            return 2;
        waiting = s->waiting;
        mproc_condition_release(condition);
        if (waiting == 1 && !sleeper.run) {
            host_kill(it->first);
            while (host_is_running(it->first))
                host_nap(1);
            host_thread_start(&sleeper, sleep_in_thread, &it->at);
        }
    }
    if (take(&it->at) || mproc_condition_notify(condition, 1) || mproc_condition_release(condition))
        return 3;
    host_thread_join(&sleeper);
    leave_number(&it->answer, s->woken);
    mproc_condition_destroy(condition);
    return 0;
}

static int wait_and_be_killed(int argc, char **argv)
{
    inheritance it = {.answer = note_at(argc ? argv[0] : ""), .first = host_pid()};
    mproc_process *process;
    const mproc_process_options options = {
        .target = outlive_the_first, .args = &it, .args_size = sizeof it};
    it.at.timeout = SOON;
    if (mproc_condition_create(&it.at.condition, NULL) ||
        mproc_memory_alloc(&it.at.memory, sizeof(scene)))
        return 1;
    memset(scene_of(&it.at), 0, sizeof(scene));
    if (mproc_process_create(&process, &options) || mproc_process_start(process))
        return 2;
    return wait_once(&it.at, sizeof it.at);
}

static void a_killed_first_process_swallows_no_notify(void **state)
{
    (void)state;
    int code;
    note answer = new_note("answer");
    const char *const arguments[] = {answer.path, NULL};
    host_program first = start_role("wait_and_be_killed", arguments, NULL);
    assert_true(host_wait(&first, SOON, &code));
    assert_int_equal(await_number(&answer), 1);
}

/* ---- stopped ---- */

static void stop_a_waiter(const stage *at, crew *them)
{
    if (host_is_windows)
        skip();
    stage stale = *at;
    stale.expected = MPROC_ESTALE;
    stale.keeps_nothing = !at->lock.id && !at->rlock.id;
    add_waiters(them, &stale, 1);
    take_when_waiting(at, 1);
    let_go(at);
    long long pid = mproc_process_pid(them->members[0].process);
    assert_true(host_pause(pid));
    assert_int_equal(mproc_condition_destroy(at->condition), MPROC_OK);
    for (int i = 0; i < 5000; i++) {
        stage next = *at;
        const mproc_condition_options same = {.lock = at->lock, .rlock = at->rlock};
        assert_int_equal(mproc_condition_create(&next.condition, &same), MPROC_OK);
        assert_int_equal(mproc_condition_acquire(next.condition, 0), MPROC_OK);
        assert_int_equal(mproc_condition_notify_all(next.condition), MPROC_OK);
        let_go(&next);
        assert_int_equal(mproc_condition_destroy(next.condition), MPROC_OK);
    }
    host_continue(pid);
}

static void a_stopped_waiter_finds_its_condition_gone(void **state)
{
    (void)state;
    with_processes(stop_a_waiter);
}

static void notify_a_stopped_one(const stage *at, crew *them)
{
    if (host_is_windows)
        skip();
    add_waiters(them, at, 2);
    take_when_waiting(at, 2);
    long long pid = mproc_process_pid(them->members[0].process);
    assert_true(host_pause(pid));
    int64_t begin = host_now();
    assert_int_equal(mproc_condition_notify_all(at->condition), MPROC_OK);
    assert_true(host_now() - begin < SOON);
    let_go(at);
    take_when_woken(at, 1);
    assert_int_equal(scene_of(at)->order[0], 1);
    let_go(at);
    host_continue(pid);
    take_when_woken(at, 2);
    let_go(at);
}

static void notify_all_waits_for_nobody(void **state)
{
    (void)state;
    with_processes(notify_a_stopped_one);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const role roles[] = {{"wait_and_be_killed", wait_and_be_killed}};
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_waiter_swallows_no_notify),
        cmocka_unit_test(a_notify_of_a_killed_waiter_is_handed_on),
        cmocka_unit_test(a_holder_that_died_is_told_of),
        cmocka_unit_test(wait_for_ends_when_a_holder_died),
        cmocka_unit_test(notifies_of_many_killed_waiters_reach_the_others),
        cmocka_unit_test(a_process_that_ended_while_its_thread_waited_swallows_no_notify),
        cmocka_unit_test(a_killed_first_process_swallows_no_notify),
        cmocka_unit_test(a_stopped_waiter_finds_its_condition_gone),
        cmocka_unit_test(notify_all_waits_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
