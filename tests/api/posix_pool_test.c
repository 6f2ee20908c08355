/* POSIX only: pools, and what signals and forks do to them. */
#include "task_stage.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Ctrl-C ---- */

static volatile sig_atomic_t interrupts;

static void count_interrupt(int number)
{
    (void)number;
    interrupts++;
}

/* A program at work in a process group of its own, as a terminal has it in the foreground. With
 * `handle` it does not mind the interrupt: its tasks end well. */
static int work_until_interrupted(int argc, char **argv)
{
    const note place = note_at(argv[0]);
    const bool handles = argc > 1 && strcmp(argv[1], "handle") == 0;
    door before = {0};
    mproc_pool *pool = NULL;
    mproc_result *results[4];
    setpgid(0, 0);
    if (handles)
        signal(SIGINT, count_interrupt);
    if (mproc_semaphore_create(&before.arrivals, 0, 0) || mproc_event_create(&before.open) ||
        mproc_pool_create(&pool, &(mproc_pool_options){.workers = 2}))
        return 1;
    for (int i = 0; i < 4; i++) {
        if (mproc_pool_apply_async(pool, pass_door, &before, sizeof before, NULL, &results[i]))
            return 2;
    }
    if (mproc_semaphore_acquire(before.arrivals, SOON) ||
        mproc_semaphore_acquire(before.arrivals, SOON))
        return 3;
    leave_number(&place, host_pid());
    while (!handles)
        mproc_result_wait(results[3], MPROC_FOREVER);
    for (const int64_t end = host_now() + SOON; !interrupts && host_now() < end;)
        host_nap(1);
    if (mproc_event_set(before.open))
        return 4;
    for (int i = 0; i < 4; i++) {
        if (mproc_result_get(results[i], SOON, NULL, NULL))
            return 5;
        mproc_result_free(results[i]);
    }
    mproc_pool_free(pool);
    return 42;
}

static int code_after_interrupt(const char *handle)
{
    note place = new_note("interrupt");
    const char *arguments[] = {"--role", "work_until_interrupted", place.path, handle, NULL};
    const host_command command = {.arguments = arguments};
    host_program program;
    int code = -1;
    host_set_variable("MPROC_TEST_MARK", place.path);
    signal(SIGINT, SIG_IGN); /* as under nohup, which the program is not to know of */
    const bool started = host_start(&program, &command);
    signal(SIGINT, SIG_DFL);
    host_set_variable("MPROC_TEST_MARK", NULL);
    assert_true(started);
    const long long leader = await_number(&place);
    assert_true(leader > 1);
    assert_int_equal(kill((pid_t)-leader, SIGINT), 0);
    assert_true(host_wait(&program, SOON, &code));
    assert_true(await_end_of_marked(place.path));
    drop_note(&place);
    return code;
}

static void an_interrupt_ends_a_default_program_and_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(code_after_interrupt(NULL), 128 + SIGINT);
}

static void an_interrupt_is_the_parent_s_to_decide(void **state)
{
    (void)state;
    assert_int_equal(code_after_interrupt("handle"), 42);
}

/* ---- tasks that fork ---- */

static int fork_and_go_on(mproc_task *task)
{
    const pid_t child = fork();
    if (child == 0) {
        const bool is_no_worker = mproc_worker_index() == -1 && !mproc_worker_state();
        _exit(is_no_worker ? 0 : 1);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status)
        return mproc_task_fail(task, "the child: %d", status);
    return add_one(task);
}

static void a_task_may_fork_by_itself(void **state)
{
    (void)state;
    int items[40], nexts[40];
    mproc_pool *pool = new_pool(2);
    for (int i = 0; i < 40; i++) {
        items[i] = i;
        assert_int_equal(number_of(submit(pool, fork_and_go_on, &i, sizeof i, NULL)), i + 1);
    }
    assert_int_equal(mproc_pool_map(pool, fork_and_go_on, items, sizeof items[0], 40, nexts,
                                    sizeof nexts[0], NULL),
                     MPROC_OK);
    for (int i = 0; i < 40; i++)
        assert_int_equal(nexts[i], i + 1);
    check_pool_works(pool, 10);
    end_pool(pool);
}

typedef struct twin {
    mproc_value calls;
    int number;
} twin;

/* Both return from it, as of a program that has forgotten the _exit. */
static int return_twice(mproc_task *task)
{
    const twin *here = mproc_task_input(task, NULL);
    const pid_t child = here->number % 5 ? 1 : fork();
    const int next = here->number + (child ? 1 : 1000);
    if (child < 0)
        return mproc_task_fail(task, "fork: %d", errno);
    if (child > 1 && waitpid(child, NULL, 0) != child)
        return mproc_task_fail(task, "waitpid: %d", errno);
    if (child)
        count_up(here->calls);
    return mproc_task_reply(task, &next, sizeof next);
}

static void a_task_that_returns_in_its_own_fork_is_done_once(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    twin items[COUNT];
    int nexts[COUNT];
    mproc_result *results[COUNT];
    mproc_value calls = new_counter();
    mproc_pool *pool = new_pool(2);
    for (int i = 0; i < COUNT; i++) {
        items[i] = (twin){.calls = calls, .number = i};
        results[i] = submit(pool, return_twice, &items[i], sizeof items[i], NULL);
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(number_of(results[i]), i + 1);
    assert_int_equal(mproc_pool_map(pool, return_twice, items, sizeof items[0], COUNT, nexts,
                                    sizeof nexts[0], NULL),
                     MPROC_OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(nexts[i], i + 1);
    check_pool_works(pool, 10);
    end_pool(pool);
    assert_int_equal(count_of(calls), 2 * COUNT);
    assert_int_equal(mproc_value_destroy(calls), MPROC_OK);
}

/* What the copy does at its end is none of the process's. */
static int return_from_both(void *args, size_t size)
{
    mproc_memory memory;
    void *data = NULL;
    int status = 0;
    (void)args;
    (void)size;
    if (mproc_memory_alloc(&memory, 1000) || !(data = mproc_memory_data(memory)))
        return 1;
    memset(data, 'm', 1000);
    const pid_t child = fork();
    if (child == 0)
        return 5;
    if (child < 0 || waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 5)
        return 2;
    return mproc_memory_data(memory) == data && !mproc_memory_free(memory) ? 7 : 4;
}

static void a_target_that_returns_in_its_own_fork_ends_once(void **state)
{
    (void)state;
    assert_int_equal(run_process(return_from_both, NULL, 0), 7);
}

static const role roles[] = {{"work_until_interrupted", work_until_interrupted}};

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupt_ends_a_default_program_and_leaves_nothing),
        cmocka_unit_test(an_interrupt_is_the_parent_s_to_decide),
        cmocka_unit_test(a_task_may_fork_by_itself),
        cmocka_unit_test(a_task_that_returns_in_its_own_fork_is_done_once),
        cmocka_unit_test(a_target_that_returns_in_its_own_fork_ends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
