/* Ctrl-C: it goes to all processes at a terminal, workers ignore it, and the parent decides. */
#include "task_stage.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WORKERS = 3, NO_TERMINAL = 77, INTERRUPTED = 5 };
#define CONTROL_C_EXIT ((int)0xC000013Au)

static mproc_result *map_doors(mproc_pool *pool, mproc_function function, door before, size_t count)
{
    door items[16];
    mproc_result *result = NULL;
    for (size_t i = 0; i < count; i++)
        items[i] = before;
    if (mproc_pool_map_async(pool, function, items, sizeof items[0], count, NULL, 0, NULL, NULL,
                             &result))
        return NULL;
    return result;
}

/* A worker that has workers of its own, which stand at the same door. */
static int block_with_own_workers(mproc_task *task)
{
    const door *before = mproc_task_input(task, NULL);
    mproc_pool *own;
    if (mproc_pool_create(&own, &(mproc_pool_options){.workers = 1}))
        return 1;
    return (int)mproc_pool_apply(own, block_forever, before, sizeof *before, NULL, 0, NULL);
}

static bool make_door(door *made)
{
    return !mproc_semaphore_create(&made->arrivals, 0, 0) && !mproc_event_create(&made->open);
}

static bool meet_at(door before, int count)
{
    while (count--) {
        if (mproc_semaphore_acquire(before.arrivals, SOON))
            return false;
    }
    return true;
}

/* ---- a program that knows nothing of it ---- */

static int work_for_ever(int argc, char **argv)
{
    const note ready = note_at(argv[0]);
    mproc_pool *pool;
    door before;
    (void)argc;
    if (!host_lead_group()) {
        leave_number(&ready, host_pid());
        return NO_TERMINAL;
    }
    if (!make_door(&before) ||
        mproc_pool_create(&pool, &(mproc_pool_options){.workers = WORKERS}) ||
        !map_doors(pool, block_forever, before, WORKERS - 1) ||
        !map_doors(pool, block_with_own_workers, before, 1) || !meet_at(before, WORKERS))
        return 1;
    leave_number(&ready, host_pid());
    if (host_is_windows)
        host_interrupt_group(host_pid());
    host_wait_forever();
    return 2;
}

static void a_program_ended_by_it_leaves_no_process(void **state)
{
    (void)state;
    int code = -1;
    note ready = new_note("interrupt");
    const char *const arguments[] = {ready.path, NULL};
    host_program program = start_marked_role(ready.path, "work_for_ever", arguments);
    const bool is_ready = await_number(&ready) == program.pid;
    if (!is_ready)
        host_kill(program.pid);
    else if (!host_is_windows)
        host_interrupt_group(program.pid);
    assert_true(host_wait(&program, SOON, &code));
    if (code == NO_TERMINAL)
        skip(); /* there is no console that others do not share */
    assert_true(is_ready);
    if (host_is_windows) /* wine's default handler ends a program well */
        assert_true(code == 0 || code == CONTROL_C_EXIT);
    else
        assert_int_equal(code, 128 + SIGINT);
    assert_true(await_end_of_marked(ready.path));
}

/* ---- programs that know ---- */

/* Without a file for what it prints: the console's host may hold that for longer. */
static void check_role(const char *name)
{
    int code = -1;
    host_program program = start_role(name, NULL, NULL);
    if (!host_wait(&program, SOON, &code)) {
        host_kill(program.pid);
        host_wait(&program, SOON, &code);
        code = -1;
    }
    if (code == NO_TERMINAL)
        skip();
    assert_int_equal(code, INTERRUPTED);
}

static volatile sig_atomic_t interrupts;

static void count_interrupt(int number)
{
    interrupts = interrupts + 1;
    signal(number, count_interrupt);
}

static bool interrupt_oneself(void)
{
    const int64_t end = host_now() + SOON;
    const int before = interrupts;
    host_interrupt_group(host_pid());
    while (interrupts == before && host_now() < end)
        host_nap(1);
    return interrupts != before;
}

/* Ctrl-C while workers work and while they idle: neither they nor what they do is harmed. */
static int work_on(int argc, char **argv)
{
    long long pids[2][WORKERS];
    mproc_pool *pool;
    (void)argc;
    (void)argv;
    if (!host_lead_group())
        return NO_TERMINAL;
    signal(SIGINT, count_interrupt);
    if (mproc_pool_create(&pool, &(mproc_pool_options){.workers = WORKERS}))
        return 1;
    for (int round = 0; round < 2; round++) {
        door before, items[WORKERS];
        mproc_result *result;
        if (!interrupt_oneself() || !make_door(&before))
            return 2;
        for (int i = 0; i < WORKERS; i++)
            items[i] = before;
        if (mproc_pool_map_async(pool, pass_door, items, sizeof items[0], WORKERS, pids[round],
                                 sizeof pids[round][0], NULL, NULL, &result) ||
            !meet_at(before, WORKERS) || !interrupt_oneself() || mproc_event_set(before.open) ||
            mproc_result_get(result, SOON, NULL, NULL))
            return 3;
        mproc_result_free(result);
    }
    long long sums[2] = {0, 0};
    for (int i = 0; i < WORKERS; i++) {
        sums[0] += pids[0][i];
        sums[1] += pids[1][i];
    }
    if (sums[0] != sums[1]) /* one has been replaced */
        return 4;
    if (mproc_pool_close(pool) || mproc_pool_join(pool, SOON))
        return 6;
    mproc_pool_free(pool);
    return INTERRUPTED;
}

static void workers_ignore_it(void **state)
{
    (void)state;
    check_role("work_on");
}

/* Stops at the first Ctrl-C, in whatever its workers are. */
static int stop_when_told(int argc, char **argv)
{
    mproc_pool *pool;
    door before;
    (void)argc;
    (void)argv;
    if (!host_lead_group())
        return NO_TERMINAL;
    signal(SIGINT, count_interrupt);
    if (!make_door(&before) || mproc_pool_create(&pool, &(mproc_pool_options){.workers = WORKERS}))
        return 1;
    mproc_result *result = map_doors(pool, block_forever, before, 16);
    if (!result || !meet_at(before, WORKERS) || !interrupt_oneself())
        return 2;
    if (mproc_pool_terminate(pool) ||
        mproc_result_get(result, SOON, NULL, NULL) != MPROC_ECANCELED ||
        mproc_pool_join(pool, SOON))
        return 3;
    mproc_result_free(result);
    mproc_pool_free(pool);
    return INTERRUPTED;
}

static void the_parent_may_terminate_its_pool(void **state)
{
    (void)state;
    check_role("stop_when_told");
}

int main(int argc, char **argv)
{
    const role roles[] = {
        {"work_for_ever", work_for_ever}, {"work_on", work_on}, {"stop_when_told", stop_when_told}};
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_ended_by_it_leaves_no_process),
        cmocka_unit_test(workers_ignore_it),
        cmocka_unit_test(the_parent_may_terminate_its_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
