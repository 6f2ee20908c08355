/* MPROC_TRACE: what a program with a pool leaves in the file. */
#include "trace_support.h"

enum { ITEMS = 12, WORKERS = 2, FAILING = 5, LOST_ONCE = 3, LOST_TWICE = 7 };

/* ---- the programs ---- */

typedef struct item {
    int number;
    mproc_event tried;
} item;

static int run_item(mproc_task *task)
{
    const item *given = mproc_task_input(task, NULL);
    if (given->number == FAILING)
        return mproc_task_fail(task, "no \"%d\"", given->number);
    return 0;
}

static int lose_worker(mproc_task *task)
{
    const item *given = mproc_task_input(task, NULL);
    bool again = mproc_event_wait(given->tried, 0) == MPROC_OK;
    if (mproc_event_set(given->tried))
        return 1;
    if (given->number == LOST_TWICE || (given->number == LOST_ONCE && !again))
        host_crash();
    return 0;
}

static mproc_err end_pool(mproc_pool *pool)
{
    mproc_err err = mproc_pool_close(pool);
    if (!err)
        err = mproc_pool_join(pool, SOON);
    mproc_pool_free(pool);
    return err;
}

static int work(int argc, char **argv)
{
    (void)argc, (void)argv;
    mproc_pool *pool;
    item items[ITEMS];
    for (int i = 0; i < ITEMS; i++)
        items[i] = (item){.number = i};
    if (mproc_pool_create(&pool, &(mproc_pool_options){.workers = WORKERS, .name = "crew"}))
        return 1;
    mproc_err err = mproc_pool_map(pool, run_item, items, sizeof *items, ITEMS, NULL, 0, NULL);
    mproc_err single = mproc_pool_apply(pool, run_item, items, sizeof *items, NULL, 0, NULL);
    return err != MPROC_ETASK || single || end_pool(pool);
}

/* Each crash is that of the only worker, and each task runs alone: in a map, or by itself. */
static int lose(int argc, char **argv)
{
    (void)argc, (void)argv;
    mproc_pool *pool;
    item items[ITEMS];
    for (int i = 0; i < ITEMS; i++) {
        items[i] = (item){.number = i};
        if (mproc_event_create(&items[i].tried))
            return 1;
    }
    if (mproc_pool_create(
            &pool,
            &(mproc_pool_options){.workers = 1, .name = "crew", .on_crash = MPROC_CRASH_RETRIES}))
        return 2;
    mproc_err err = mproc_pool_map(pool, lose_worker, items, sizeof *items, ITEMS, NULL, 0, NULL);
    if (err != MPROC_ECRASHED || mproc_event_clear(items[LOST_ONCE].tried))
        return 3;
    err = mproc_pool_apply(pool, lose_worker, &items[LOST_ONCE], sizeof *items, NULL, 0, NULL);
    return err || end_pool(pool);
}

static const role roles[] = {{"work", work}, {"lose", lose}};

/* ---- the tests ---- */

static void each_worker_has_a_track_with_its_tasks(void **state)
{
    (void)state;
    note place = new_note("trace");
    timeline read = trace_of("work", NULL, &place);
    size_t tasks = 0;
    assert_int_equal(COUNT_EVENTS(&read, "\"process_name\""), 1 + WORKERS);
    assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"X\"", "\"cat\":\"process\""), 1 + WORKERS);
    for (int i = 1; i <= WORKERS; i++) {
        char named[64], pid[32];
        snprintf(named, sizeof named, "\"args\":{\"name\":\"crew-%d\"}", i);
        assert_int_equal(COUNT_EVENTS(&read, "\"process_name\"", named), 1);
        snprintf(pid, sizeof pid, "\"pid\":%.0f,",
                 number_in(&read, "process_name", named, "\"pid\":"));
        tasks += COUNT_EVENTS(&read, pid, "\"ph\":\"X\"", "\"name\":\"task\",\"cat\":\"pool\"");
    }
    assert_int_equal(tasks, ITEMS + 1);
    for (int i = 0; i < ITEMS; i++) {
        char index[32];
        snprintf(index, sizeof index, i == FAILING ? "\"index\":%d," : "\"index\":%d}", i);
        assert_int_equal(COUNT_EVENTS(&read, "\"name\":\"task\"", index), i == 0 ? 2 : 1);
    }
    assert_int_equal(COUNT_EVENTS(&read, "\"index\":5,\"error\":", "\"note\":\"no \\\"5\\\"\""), 1);
    assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"i\""), 0);
    drop_timeline(&read, &place);
}

static void crashes_and_retries_are_marked(void **state)
{
    (void)state;
    note place = new_note("trace");
    timeline read = trace_of("lose", NULL, &place);
    const char *const retried = "\"name\":\"crashed, is retried\",\"cat\":\"pool\"";
    const char *const given_up = "\"name\":\"crashed\",\"cat\":\"pool\"";
    assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"i\"", retried), 3);
    assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"i\"", given_up), 1);
    assert_int_equal(COUNT_EVENTS(&read, retried, "\"index\":3"), 1);
    assert_int_equal(COUNT_EVENTS(&read, retried, "\"index\":7"), 1);
    assert_int_equal(COUNT_EVENTS(&read, retried, "\"index\":0"), 1);
    assert_int_equal(COUNT_EVENTS(&read, given_up, "\"index\":7"), 1);
    /* Four of the five that sat in the only place; the last one ended by itself. */
    assert_int_equal(COUNT_EVENTS(&read, "\"process_name\"", "\"args\":{\"name\":\"crew-1\"}"), 5);
    assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"X\"", "\"name\":\"crew-1\""), 5);
    assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"i\"", "\"cat\":\"crash\""), 4);
    char pid[32];
    snprintf(pid, sizeof pid, "\"pid\":%.0f,", number_in(&read, given_up, "", "\"pid\":"));
    assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"X\"", "\"name\":\"crew-1\"", pid), 1);
    assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"i\"", "\"cat\":\"crash\"", pid), 1);
    drop_timeline(&read, &place);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_worker_has_a_track_with_its_tasks),
        cmocka_unit_test(crashes_and_retries_are_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
