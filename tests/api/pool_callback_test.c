/* Callbacks: when they run, and what they are told. */
#include "task_stage.h"

#include <stdatomic.h>

/* What callbacks have seen; they run in another thread. */
typedef struct seen {
    _Atomic int done, failed, inside;
    _Atomic bool overlapped;
    mproc_task_error error;
    int sum;
} seen;

static void note_success(void *context, const void *reply, size_t size)
{
    seen *all = context;
    int number = 0;
    if (atomic_fetch_add(&all->inside, 1))
        atomic_store(&all->overlapped, true);
    if (size == sizeof number)
        memcpy(&number, reply, size);
    all->sum += number;
    atomic_fetch_add(&all->done, 1);
    atomic_fetch_sub(&all->inside, 1);
}

static void note_failure(void *context, const mproc_task_error *error)
{
    seen *all = context;
    all->error = *error;
    atomic_fetch_add(&all->failed, 1);
}

static mproc_task_options calls_for(seen *all)
{
    return (mproc_task_options){
        .callback = note_success, .error_callback = note_failure, .callback_context = all};
}

static int fail_so(mproc_task *task)
{
    return mproc_task_fail(task, "this one fails") ? 5 : 0;
}

static void a_callback_has_run_before_a_waiter_returns(void **state)
{
    (void)state;
    seen all = {.sum = 0};
    const mproc_task_options options = calls_for(&all);
    mproc_pool *pool = new_pool(2);
    for (int i = 0; i < 300; i++) {
        mproc_result *result = submit(pool, add_one, &i, sizeof i, &options);
        if (i % 3 == 0) {
            assert_int_equal(mproc_result_wait(result, SOON), MPROC_OK);
        } else if (i % 3 == 1) {
            assert_int_equal(mproc_result_get(result, SOON, NULL, NULL), MPROC_OK);
        } else {
            const int64_t end = host_now() + SOON;
            while (!mproc_result_ready(result) && host_now() < end) {
            }
        }
        assert_int_equal(all.done, i + 1);
        mproc_result_free(result);
    }
    assert_int_equal(all.sum, 300 * 301 / 2);
    assert_int_equal(all.failed, 0);
    end_pool(pool);
}

static void an_error_callback_is_told_why(void **state)
{
    (void)state;
    seen all = {.sum = 0};
    const mproc_task_options options = calls_for(&all);
    mproc_pool *pool = new_pool(1);
    const long long pid = ask_pid(pool);
    assert_int_equal(outcome_of(submit(pool, fail_so, NULL, 0, &options)), MPROC_ETASK);
    assert_int_equal(all.done, 0);
    assert_int_equal(all.failed, 1);
    assert_int_equal(all.error.err, MPROC_ETASK);
    assert_int_equal(all.error.code, 5);
    assert_int_equal(all.error.pid, pid);
    assert_string_equal(all.error.message, "this one fails");
    end_pool(pool);
}

static void each_of_the_two_callbacks_may_be_missing(void **state)
{
    (void)state;
    int number = 1;
    seen all = {.sum = 0};
    mproc_pool *pool = new_pool(1);
    mproc_task_options options = {.callback = note_success, .callback_context = &all};
    assert_int_equal(outcome_of(submit(pool, fail_so, NULL, 0, &options)), MPROC_ETASK);
    assert_int_equal(outcome_of(submit(pool, add_one, &number, sizeof number, &options)), MPROC_OK);
    assert_int_equal(all.done, 1);
    options = (mproc_task_options){.error_callback = note_failure, .callback_context = &all};
    assert_int_equal(outcome_of(submit(pool, add_one, &number, sizeof number, &options)), MPROC_OK);
    assert_int_equal(outcome_of(submit(pool, fail_so, NULL, 0, &options)), MPROC_ETASK);
    assert_int_equal(all.done, 1);
    assert_int_equal(all.failed, 1);
    end_pool(pool);
}

/* As in `pool.close(); pool.join(); use(what_the_callbacks_have_gathered)`. */
static void all_callbacks_have_run_when_join_returns(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        seen all = {.sum = 0};
        const mproc_task_options options = calls_for(&all);
        mproc_pool *pool = new_pool(2);
        for (int i = 0; i < 100; i++) {
            mproc_function function = i % 4 ? add_one : fail_so;
            assert_int_equal(mproc_pool_apply_async(pool, function, &i, sizeof i, &options, NULL),
                             MPROC_OK);
        }
        assert_int_equal(mproc_pool_close(pool), MPROC_OK);
        assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
        assert_int_equal(all.done, 75);
        assert_int_equal(all.failed, 25);
        assert_false(all.overlapped);
        mproc_pool_free(pool);
    }
}

static void a_callback_runs_after_its_result_was_freed(void **state)
{
    (void)state;
    seen all = {.sum = 0};
    const mproc_task_options options = calls_for(&all);
    mproc_pool *pool = new_pool(2);
    for (int i = 0; i < 200; i++)
        mproc_result_free(submit(pool, i % 2 ? add_one : fail_so, &i, sizeof i, &options));
    end_pool(pool);
    assert_int_equal(all.done, 100);
    assert_int_equal(all.failed, 100);
}

static void canceled_and_terminated_tasks_have_their_error_callback_called(void **state)
{
    (void)state;
    seen all = {.sum = 0};
    const mproc_task_options options = calls_for(&all);
    door before = new_door();
    mproc_pool *pool = new_pool(1);
    mproc_result *running = submit(pool, pass_door, &before, sizeof before, &options);
    await_arrivals(before, 1);
    mproc_result *queued = submit(pool, tell_pid, NULL, 0, &options);
    mproc_result *last = submit(pool, tell_pid, NULL, 0, &options);
    assert_int_equal(mproc_result_cancel(queued), MPROC_OK);
    assert_int_equal(outcome_of(queued), MPROC_ECANCELED);
    assert_int_equal(all.failed, 1);
    assert_int_equal(all.error.err, MPROC_ECANCELED);
    assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    assert_int_equal(all.failed, 3);
    assert_int_equal(all.done, 0);
    assert_int_equal(outcome_of(running), MPROC_ECANCELED);
    assert_int_equal(outcome_of(last), MPROC_ECANCELED);
    mproc_pool_free(pool);
    drop_door(before);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callback_has_run_before_a_waiter_returns),
        cmocka_unit_test(an_error_callback_is_told_why),
        cmocka_unit_test(each_of_the_two_callbacks_may_be_missing),
        cmocka_unit_test(all_callbacks_have_run_when_join_returns),
        cmocka_unit_test(a_callback_runs_after_its_result_was_freed),
        cmocka_unit_test(canceled_and_terminated_tasks_have_their_error_callback_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
