/* Maps whose items may take only so long, and those that are tried again after a crash. */
#include "task_stage.h"

#include <stdatomic.h>

enum { COUNT = 200 };
/* Milliseconds. What overruns does so for ever, and what does not ends long before. */
#define LIMIT pace_limit(400)

typedef struct trial {
    int number;
    bool misbehaves;
    mproc_value counter;
    door before;
} trial;

static void set_trials(trial *items, size_t count, mproc_value counter)
{
    for (size_t i = 0; i < count; i++)
        items[i] = (trial){.number = (int)i, .counter = counter};
}

static int reply_number(mproc_task *task)
{
    const trial *it = mproc_task_input(task, NULL);
    return mproc_task_reply(task, &it->number, sizeof it->number);
}

/* ---- time-outs ---- */

static int overrun_if_told(mproc_task *task)
{
    const trial *it = mproc_task_input(task, NULL);
    if (it->misbehaves)
        host_wait_forever();
    return reply_number(task);
}

static void only_the_items_that_overran_fail(void **state)
{
    (void)state;
    const size_t late[] = {0, 57, 58, COUNT - 1}, chunks[] = {1, 10, COUNT};
    trial items[COUNT];
    set_trials(items, COUNT, (mproc_value){0});
    for (size_t i = 0; i < COUNT_OF(late); i++)
        items[late[i]].misbehaves = true;
    mproc_pool *pool = new_pool(2);
    for (size_t c = 0; c < COUNT_OF(chunks); c++) {
        int results[COUNT];
        mproc_task_error errors[COUNT];
        size_t failed = 0;
        char limit[32];
        snprintf(limit, sizeof limit, "%d ms", LIMIT);
        const mproc_map_options options = {.timeout_ms = LIMIT,
                                           .chunk_size = chunks[c],
                                           .errors = errors,
                                           .error_capacity = COUNT,
                                           .error_count = &failed};
        memset(results, 0xff, sizeof results);
        assert_int_equal(mproc_pool_map(pool, overrun_if_told, items, sizeof items[0], COUNT,
                                        results, sizeof results[0], &options),
                         MPROC_ETIMEDOUT);
        assert_int_equal(failed, COUNT_OF(late));
        for (size_t i = 0; i < COUNT_OF(late); i++) {
            assert_int_equal(errors[i].index, late[i]);
            assert_int_equal(errors[i].err, MPROC_ETIMEDOUT);
            assert_true(errors[i].pid > 0);
            assert_non_null(strstr(errors[i].message, limit));
        }
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(results[i], items[i].misbehaves ? -1 : i);
    }
    check_pool_works(pool, 10);
    end_pool(pool);
}

static int listen_if_told(mproc_task *task)
{
    const trial *it = mproc_task_input(task, NULL);
    const int64_t end = host_now() + SOON;
    while (it->misbehaves && !mproc_task_canceled(task) && host_now() < end)
        host_nap(1);
    return reply_number(task);
}

static void who_listens_keeps_its_worker(void **state)
{
    (void)state;
    trial items[10];
    int results[10];
    set_trials(items, COUNT_OF(items), (mproc_value){0});
    items[4].misbehaves = true;
    mproc_pool *pool = new_pool(1);
    const long long pid = ask_pid(pool);
    for (int round = 0; round < 2; round++) {
        memset(results, 0xff, sizeof results);
        assert_int_equal(
            mproc_pool_map(pool, listen_if_told, items, sizeof items[0], COUNT_OF(items), results,
                           sizeof results[0],
                           &(mproc_map_options){.timeout_ms = LIMIT,
                                                .grace_ms = round ? MPROC_FOREVER : SOON}),
            MPROC_ETIMEDOUT);
        for (int i = 0; i < (int)COUNT_OF(items); i++)
            assert_int_equal(results[i], i == 4 ? -1 : i);
        assert_true(ask_pid(pool) == pid);
    }
    end_pool(pool);
}

/* Until all others are done: whatever it has taken besides, they must be able to have. */
static int overrun_until_the_others_are_done(mproc_task *task)
{
    const trial *it = mproc_task_input(task, NULL);
    const int64_t end = host_now() + SOON;
    if (!it->misbehaves) {
        count_up(it->counter);
        return 0;
    }
    while (count_of(it->counter) < 10 * COUNT - 1) {
        if (host_now() > end)
            return mproc_task_fail(task, "some waited for this one");
        host_nap(1);
    }
    count_up(it->counter);
    return 0;
}

static void nobody_waits_behind_an_item_that_overruns(void **state)
{
    (void)state;
    static trial items[10 * COUNT];
    const mproc_value counter = new_counter();
    set_trials(items, COUNT_OF(items), counter);
    items[0].misbehaves = true;
    mproc_pool *pool = new_pool(2);
    mproc_err err = mproc_pool_map(
        pool, overrun_until_the_others_are_done, items, sizeof items[0], COUNT_OF(items), NULL, 0,
        &(mproc_map_options){.timeout_ms = 2 * SOON, .grace_ms = MPROC_FOREVER});
    assert_int_equal(err, MPROC_OK);
    assert_int_equal(count_of(counter), COUNT_OF(items));
    end_pool(pool);
    assert_int_equal(mproc_value_destroy(counter), MPROC_OK);
}

static void a_time_out_is_no_crash(void **state)
{
    (void)state;
    const mproc_crash_policy policies[] = {MPROC_CRASH_RETRIES, MPROC_CRASH_BREAKS};
    trial items[5];
    set_trials(items, COUNT_OF(items), (mproc_value){0});
    items[1].misbehaves = true;
    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        size_t failed = 0;
        mproc_pool *pool = make_pool(&(mproc_pool_options){.workers = 2, .on_crash = policies[p]});
        assert_int_equal(
            mproc_pool_map(pool, overrun_if_told, items, sizeof items[0], COUNT_OF(items), NULL, 0,
                           &(mproc_map_options){.timeout_ms = LIMIT, .error_count = &failed}),
            MPROC_ETIMEDOUT);
        assert_int_equal(failed, 1);
        check_pool_works(pool, 5);
        end_pool(pool);
    }
}

static int reply_late(mproc_task *task)
{
    const trial *it = mproc_task_input(task, NULL);
    mproc_semaphore_release(it->before.arrivals);
    if (mproc_event_wait(it->before.open, SOON))
        return 1;
    return reply_number(task);
}

static void a_late_reply_is_not_written_into_the_callers_memory(void **state)
{
    (void)state;
    mproc_memory memory;
    assert_int_equal(mproc_memory_alloc(&memory, sizeof(int)), MPROC_OK);
    int *place = mproc_memory_data(memory);
    const trial it = {.number = 4711, .before = new_door()};
    *place = 1;
    mproc_pool *pool = new_pool(1);
    assert_int_equal(
        mproc_pool_map(pool, reply_late, &it, sizeof it, 1, place, sizeof *place,
                       &(mproc_map_options){.timeout_ms = 20, .grace_ms = MPROC_FOREVER}),
        MPROC_ETIMEDOUT);
    assert_int_equal(*place, 1);
    open_door(it.before);
    check_pool_works(pool, 1);
    assert_int_equal(*place, 1);
    end_pool(pool);
    drop_door(it.before);
    assert_int_equal(mproc_memory_free(memory), MPROC_OK);
}

/* ---- retries ---- */

enum { FAILS_AT_LAST = 1000 };

/* Crashes at its first attempts; the counter is the item's own. */
static int crash_at_first(mproc_task *task)
{
    const trial *it = mproc_task_input(task, NULL);
    if (it->misbehaves) {
        count_up(it->counter);
        if (count_of(it->counter) <= it->number % 10)
            host_crash();
        if (it->number >= FAILS_AT_LAST)
            return mproc_task_fail(task, "no crash this time");
    }
    return reply_number(task);
}

static void set_crashing(trial *it, int number)
{
    it->number = number;
    it->misbehaves = true;
    it->counter = new_counter();
}

static void an_item_is_tried_again_after_a_crash(void **state)
{
    (void)state;
    trial items[COUNT];
    int results[COUNT];
    size_t failed = 99;
    set_trials(items, COUNT, (mproc_value){0});
    for (int i = 1; i < COUNT; i += 50)
        set_crashing(&items[i], i);
    mproc_pool *pool = make_pool(
        &(mproc_pool_options){.workers = 2, .on_crash = MPROC_CRASH_RETRIES, .retries = 1});
    assert_int_equal(mproc_pool_map(pool, crash_at_first, items, sizeof items[0], COUNT, results,
                                    sizeof results[0],
                                    &(mproc_map_options){.error_count = &failed}),
                     MPROC_OK);
    assert_int_equal(failed, 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(results[i], i);
        if (items[i].misbehaves) {
            assert_int_equal(count_of(items[i].counter), 2);
            assert_int_equal(mproc_value_destroy(items[i].counter), MPROC_OK);
        }
    }
    end_pool(pool);
}

static void retries_come_to_an_end(void **state)
{
    (void)state;
    trial items[20];
    mproc_task_error errors[3] = {{.index = 0}};
    size_t failed = 0;
    set_trials(items, COUNT_OF(items), (mproc_value){0});
    set_crashing(&items[5], 9);                 /* crashes too often */
    set_crashing(&items[7], FAILS_AT_LAST + 2); /* twice, and fails then */
    set_crashing(&items[11], 3);                /* just not too often */
    mproc_pool *pool = make_pool(
        &(mproc_pool_options){.workers = 2, .on_crash = MPROC_CRASH_RETRIES, .retries = 3});
    assert_int_equal(
        mproc_pool_map(
            pool, crash_at_first, items, sizeof items[0], COUNT_OF(items), NULL, 0,
            &(mproc_map_options){.errors = errors, .error_capacity = 3, .error_count = &failed}),
        MPROC_ECRASHED);
    assert_int_equal(failed, 2);
    assert_int_equal(errors[0].index, 5);
    assert_int_equal(errors[0].err, MPROC_ECRASHED);
    assert_int_equal(count_of(items[5].counter), 4);
    assert_int_equal(errors[1].index, 7);
    assert_int_equal(errors[1].err, MPROC_ETASK);
    assert_int_equal(errors[1].code, -1);
    assert_string_equal(errors[1].message, "no crash this time");
    assert_int_equal(errors[1].status.kind, MPROC_EXIT_RUNNING);
    assert_int_equal(count_of(items[11].counter), 4);
    end_pool(pool);
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        if (items[i].misbehaves)
            assert_int_equal(mproc_value_destroy(items[i].counter), MPROC_OK);
    }
}

/* ---- progress ---- */

typedef struct watcher {
    mproc_value crashes;
    door before;
    _Atomic unsigned seen_after; /* calls since the crash */
    size_t most_failed;
} watcher;

static void watch_progress(void *context, size_t done, size_t total, size_t failed)
{
    watcher *me = context;
    (void)done;
    (void)total;
    me->most_failed = failed > me->most_failed ? failed : me->most_failed;
    if (count_of(me->crashes) && ++me->seen_after >= 3)
        mproc_event_set(me->before.open);
}

/* The first crashes once, the other waits until somebody has looked at that a few times. */
static int crash_or_wait(mproc_task *task)
{
    const trial *it = mproc_task_input(task, NULL);
    if (it->misbehaves) {
        count_up(it->counter);
        if (count_of(it->counter) == 1)
            host_crash();
        return 0;
    }
    return mproc_event_wait(it->before.open, SOON) ? 1 : 0;
}

static void progress_does_not_count_what_is_tried_again(void **state)
{
    (void)state;
    watcher me = {.crashes = new_counter(), .before = new_door()};
    trial items[2] = {{.misbehaves = true, .counter = me.crashes}, {.before = me.before}};
    mproc_pool *pool =
        make_pool(&(mproc_pool_options){.workers = 2, .on_crash = MPROC_CRASH_RETRIES});
    assert_int_equal(
        mproc_pool_map(pool, crash_or_wait, items, sizeof items[0], 2, NULL, 0,
                       &(mproc_map_options){.progress = watch_progress, .progress_context = &me}),
        MPROC_OK);
    assert_true(me.seen_after >= 3);
    assert_int_equal(me.most_failed, 0);
    end_pool(pool);
    drop_door(me.before);
    assert_int_equal(mproc_value_destroy(me.crashes), MPROC_OK);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_items_that_overran_fail),
        cmocka_unit_test(who_listens_keeps_its_worker),
        cmocka_unit_test(nobody_waits_behind_an_item_that_overruns),
        cmocka_unit_test(a_time_out_is_no_crash),
        cmocka_unit_test(a_late_reply_is_not_written_into_the_callers_memory),
        cmocka_unit_test(an_item_is_tried_again_after_a_crash),
        cmocka_unit_test(retries_come_to_an_end),
        cmocka_unit_test(progress_does_not_count_what_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
