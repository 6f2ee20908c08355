/* What becomes of a task that takes its worker with it, and of the pool. */
#include "task_stage.h"

#include <signal.h>
#include <stdlib.h>

/* Crashes as often as it is told to; `tries` counts how often it was begun. */
typedef struct attempt {
    mproc_value tries;
    int crashes;
} attempt;

static int crash_at_first(mproc_task *task)
{
    const attempt *this = mproc_task_input(task, NULL);
    count_up(this->tries);
    const int tries = count_of(this->tries);
    if (tries <= this->crashes)
        host_crash();
    return mproc_task_reply(task, &tries, sizeof tries);
}

static attempt new_attempt(int crashes)
{
    return (attempt){.tries = new_counter(), .crashes = crashes};
}

static void check_tries(attempt made, int tries)
{
    assert_int_equal(count_of(made.tries), tries);
    assert_int_equal(mproc_value_destroy(made.tries), MPROC_OK);
}

static void check_crash(const mproc_task_error *error)
{
    assert_int_equal(error->err, MPROC_ECRASHED);
    assert_true(error->pid > 0);
    if (host_is_windows) {
        assert_int_equal(error->status.kind, MPROC_EXIT_CRASHED);
        assert_int_equal(error->status.code, 0xC0000005);
    } else {
        assert_int_equal(error->status.kind, MPROC_EXIT_SIGNALED);
        assert_int_equal(error->status.code, SIGSEGV);
    }
    assert_true(strlen(error->message) > 0);
}

/* ---- the policies ---- */

static void a_crash_fails_its_task_only(void **state)
{
    (void)state;
    door before = new_door();
    mproc_pool *pool = new_pool(2);
    for (int i = 0; i < 5; i++) {
        attempt this = new_attempt(1);
        mproc_result *other = submit(pool, pass_door, &before, sizeof before, NULL);
        const mproc_task_error error =
            failure_of(submit(pool, crash_at_first, &this, sizeof this, NULL));
        check_crash(&error);
        check_tries(this, 1);
        open_door(before);
        assert_int_equal(outcome_of(other), MPROC_OK);
    }
    check_pool_works(pool, 20);
    end_pool(pool);
    drop_door(before);
}

static void a_blocking_apply_is_told_of_the_crash(void **state)
{
    (void)state;
    attempt this = new_attempt(1);
    int reply = 77;
    size_t size = 77;
    mproc_pool *pool = new_pool(1);
    assert_int_equal(
        mproc_pool_apply(pool, crash_at_first, &this, sizeof this, &reply, sizeof reply, &size),
        MPROC_ECRASHED);
    assert_int_equal(reply, 77);
    assert_int_equal(size, 77);
    check_pool_works(pool, 5);
    end_pool(pool);
    check_tries(this, 1);
}

static void a_crashed_task_is_run_again(void **state)
{
    (void)state;
    mproc_pool *pool = make_pool(
        &(mproc_pool_options){.workers = 2, .on_crash = MPROC_CRASH_RETRIES, .retries = 3});
    for (int crashes = 0; crashes <= 5; crashes++) {
        attempt this = new_attempt(crashes);
        mproc_result *result = submit(pool, crash_at_first, &this, sizeof this, NULL);
        if (crashes <= 3) {
            assert_int_equal(number_of(result), crashes + 1);
        } else {
            const mproc_task_error error = failure_of(result);
            check_crash(&error);
        }
        check_tries(this, crashes <= 3 ? crashes + 1 : 4);
    }
    end_pool(pool);
}

/* With inputs that need a block of their own, and in a queue of others. */
typedef struct large_attempt {
    attempt is;
    unsigned char filling[5000];
} large_attempt;

static int crash_at_first_and_echo(mproc_task *task)
{
    const large_attempt *this = mproc_task_input(task, NULL);
    count_up(this->is.tries);
    if (count_of(this->is.tries) <= this->is.crashes)
        host_crash();
    return mproc_task_reply(task, this->filling, sizeof this->filling);
}

static void an_input_of_any_size_is_there_again(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    large_attempt all[COUNT];
    mproc_result *results[COUNT];
    mproc_pool *pool =
        make_pool(&(mproc_pool_options){.workers = 2, .on_crash = MPROC_CRASH_RETRIES});
    for (int i = 0; i < COUNT; i++) {
        all[i].is = new_attempt(i % 3 == 0);
        memset(all[i].filling, i + 1, sizeof all[i].filling);
        results[i] = submit(pool, crash_at_first_and_echo, &all[i], sizeof all[i], NULL);
    }
    for (int i = 0; i < COUNT; i++) {
        const void *reply;
        size_t size;
        assert_int_equal(mproc_result_get(results[i], SOON, &reply, &size), MPROC_OK);
        assert_int_equal(size, sizeof all[i].filling);
        assert_memory_equal(reply, all[i].filling, size);
        mproc_result_free(results[i]);
        check_tries(all[i].is, i % 3 == 0 ? 2 : 1);
    }
    end_pool(pool);
}

static void the_items_of_a_map_are_run_again(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    attempt items[COUNT];
    int results[COUNT];
    size_t failed = 0;
    mproc_task_error errors[COUNT];
    const mproc_map_options options = {
        .errors = errors, .error_capacity = COUNT, .error_count = &failed, .chunk_size = 4};
    mproc_pool *pool = make_pool(
        &(mproc_pool_options){.workers = 2, .on_crash = MPROC_CRASH_RETRIES, .retries = 2});
    for (int i = 0; i < COUNT; i++)
        items[i] = new_attempt(i % 10 == 0 ? 2 : i == 5 ? 3 : 0);
    assert_int_equal(mproc_pool_map(pool, crash_at_first, items, sizeof items[0], COUNT, results,
                                    sizeof results[0], &options),
                     MPROC_ECRASHED);
    assert_int_equal(failed, 1);
    assert_int_equal(errors[0].index, 5);
    check_crash(&errors[0]);
    for (int i = 0; i < COUNT; i++) {
        if (i != 5)
            assert_int_equal(results[i], i % 10 ? 1 : 3);
        check_tries(items[i], i == 5 || i % 10 == 0 ? 3 : 1);
    }
    end_pool(pool);
}

/* One worker, so that there is one order: that in which they have been begun. */
typedef struct numbered {
    mproc_queue order;
    mproc_event crashed;
    int number;
} numbered;

enum { CRASHES = 5 };

static int crash_once_and_tell(mproc_task *task)
{
    const numbered *this = mproc_task_input(task, NULL);
    if (this->number == CRASHES && !mproc_event_is_set(this->crashed)) {
        mproc_event_set(this->crashed);
        host_crash();
    }
    return mproc_queue_put(this->order, &this->number, sizeof this->number, 0) ? 1 : 0;
}

static void what_a_crashed_worker_had_taken_is_done_before_the_rest(void **state)
{
    (void)state;
    enum { COUNT = 4000 }; /* so many that a worker takes several at a time */
    static numbered items[COUNT];
    numbered each = {.number = 0};
    mproc_pool *pool =
        make_pool(&(mproc_pool_options){.workers = 1, .on_crash = MPROC_CRASH_RETRIES});
    assert_int_equal(mproc_queue_create(&each.order, NULL), MPROC_OK);
    assert_int_equal(mproc_event_create(&each.crashed), MPROC_OK);
    for (; each.number < COUNT; each.number++)
        items[each.number] = each;
    assert_int_equal(mproc_pool_map(pool, crash_once_and_tell, items, sizeof items[0], COUNT, NULL,
                                    0, &(mproc_map_options){.chunk_size = 1}),
                     MPROC_OK);
    for (int i = 0, number; i < COUNT; i++) {
        assert_int_equal(mproc_queue_get(each.order, &number, sizeof number, NULL, 0), MPROC_OK);
        assert_int_equal(number, i);
    }
    end_pool(pool);
    assert_int_equal(mproc_event_destroy(each.crashed), MPROC_OK);
    assert_int_equal(mproc_queue_destroy(each.order), MPROC_OK);
}

static void a_task_that_fails_politely_is_not_run_again(void **state)
{
    (void)state;
    door before = new_door();
    const mproc_task_options options = {.timeout_ms = 30};
    mproc_pool *pool =
        make_pool(&(mproc_pool_options){.workers = 1, .on_crash = MPROC_CRASH_RETRIES});
    mproc_result *result = submit(pool, stand_until_canceled, &before, sizeof before, NULL);
    await_arrivals(before, 1);
    assert_int_equal(mproc_result_cancel(result), MPROC_OK);
    assert_int_equal(outcome_of(result), MPROC_ECANCELED);
    assert_int_equal(outcome_of(submit(pool, block_forever, &before, sizeof before, &options)),
                     MPROC_ETIMEDOUT);
    check_pool_works(pool, 5);
    end_pool(pool);
    mproc_semaphore_acquire(before.arrivals, 0); /* its time may have been over before it came */
    assert_int_equal(mproc_semaphore_acquire(before.arrivals, 0), MPROC_ETIMEDOUT);
    drop_door(before);
}

static void a_crash_may_break_the_pool(void **state)
{
    (void)state;
    enum { QUEUED = 10 };
    attempt this = new_attempt(1);
    door before = new_door();
    mproc_result *queued[QUEUED], *map = NULL, *result = NULL;
    mproc_pool *pool =
        make_pool(&(mproc_pool_options){.workers = 2, .on_crash = MPROC_CRASH_BREAKS});
    mproc_result *running = submit(pool, pass_door, &before, sizeof before, NULL);
    await_arrivals(before, 1);
    mproc_result *crashing = submit(pool, crash_at_first, &this, sizeof this, NULL);
    mproc_err err =
        mproc_pool_map_async(pool, pass_door, &before, sizeof before, 1, NULL, 0, NULL, NULL, &map);
    assert_true(err == MPROC_OK || err == MPROC_EBROKEN); /* it may have crashed already */
    for (int i = 0; i < QUEUED; i++) {
        err = mproc_pool_apply_async(pool, pass_door, &before, sizeof before, NULL, &queued[i]);
        assert_true(err == MPROC_OK || err == MPROC_EBROKEN);
        if (err)
            queued[i] = NULL;
    }
    assert_int_equal(outcome_of(crashing), MPROC_ECRASHED);
    assert_int_equal(outcome_of(running), MPROC_EBROKEN);
    if (map)
        assert_int_equal(outcome_of(map), MPROC_EBROKEN);
    for (int i = 0; i < QUEUED; i++) {
        if (queued[i])
            assert_int_equal(outcome_of(queued[i]), MPROC_EBROKEN);
    }
    assert_int_equal(mproc_pool_apply(pool, tell_pid, NULL, 0, NULL, 0, NULL), MPROC_EBROKEN);
    assert_int_equal(mproc_pool_apply_async(pool, tell_pid, NULL, 0, NULL, &result), MPROC_EBROKEN);
    assert_int_equal(mproc_pool_resize(pool, 3), MPROC_EBROKEN);
    assert_null(result);
    end_pool(pool);
    check_tries(this, 1);
    drop_door(before);
}

/* Nobody is blamed for a worker that was killed while it had nothing to do. */
static void an_idle_worker_s_death_breaks_no_pool(void **state)
{
    (void)state;
    mproc_pool *pool =
        make_pool(&(mproc_pool_options){.workers = 1, .on_crash = MPROC_CRASH_BREAKS});
    for (int i = 0; i < 5; i++) {
        const long long pid = ask_pid(pool);
        mproc_process *worker = NULL;
        size_t count = 0;
        const int64_t end = host_now() + SOON;
        while (!count && host_now() < end) /* it may have run a task before its start returned */
            assert_int_equal(mproc_active_children(&worker, 1, &count), MPROC_OK);
        assert_int_equal(count, 1);
        assert_int_equal(mproc_process_pid(worker), pid);
        host_kill(pid);
        assert_int_equal(mproc_process_join(worker, SOON), MPROC_OK);
        mproc_process_free(worker);
        check_pool_works(pool, 5);
    }
    end_pool(pool);
}

/* ---- what is told of a crash ---- */

static int log_and_crash(mproc_task *task)
{
    const int *lines = mproc_task_input(task, NULL);
    for (int i = 1; i <= *lines; i++)
        mproc_log(MPROC_LOG_INFO, "about to open file %d", i);
    host_crash();
    return 0;
}

static void the_last_message_of_a_crashed_worker_is_told(void **state)
{
    (void)state;
    const char *const prefix = "its last message: about to open file ";
    mproc_pool *pool = new_pool(1);
    for (int lines = 3; lines >= 0; lines--) {
        const mproc_task_error error =
            failure_of(submit(pool, log_and_crash, &lines, sizeof lines, NULL));
        const char *found = strstr(error.message, prefix);
        check_crash(&error);
        assert_int_equal(found != NULL, lines != 0);
        if (found)
            assert_int_equal(atoi(found + strlen(prefix)), lines);
    }
    end_pool(pool);
}

static int log_at_length_and_crash(mproc_task *task)
{
    char text[900] = "";
    (void)task;
    while (strlen(text) < 800)
        strcat(text, "\xc3\xa9");
    mproc_log(MPROC_LOG_ERROR, "%s", text);
    host_crash();
    return 0;
}

static void a_long_last_message_is_cut_at_a_character(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(1);
    const mproc_task_error error = failure_of(submit(pool, log_at_length_and_crash, NULL, 0, NULL));
    const size_t length = strlen(error.message);
    assert_in_range(length, MPROC_MESSAGE_SIZE - 4, MPROC_MESSAGE_SIZE - 1);
    assert_memory_equal(error.message + length - 2, "\xc3\xa9", 2);
    end_pool(pool);
}

static int print_and_crash(mproc_task *task)
{
    (void)task;
    for (int i = 0; i < 50; i++)
        printf("a task's line that nobody ends ");
    host_crash();
    return 0;
}

static int print_around_crashes(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc_pool *pool = NULL;
    if (mproc_pool_create(&pool, &(mproc_pool_options){.workers = 2}))
        return 1;
    printf("before;");
    for (int i = 0; i < 5; i++) {
        if (mproc_pool_apply(pool, print_and_crash, NULL, 0, NULL, 0, NULL) != MPROC_ECRASHED)
            return 2;
    }
    printf("after;");
    mproc_pool_free(pool);
    return 0;
}

static int count_text(const char *in, const char *text)
{
    int count = 0;
    while ((in = strstr(in, text)) != NULL) {
        in++;
        count++;
    }
    return count;
}

static void nothing_is_printed_twice_by_who_prints_while_crashing(void **state)
{
    (void)state;
    const run_result *ran = run_role("print_around_crashes", NULL, NULL);
    assert_int_equal(ran->code, 0);
    assert_int_equal(count_text(ran->output, "before;"), 1);
    assert_int_equal(count_text(ran->output, "after;"), 1);
}

static const role roles[] = {{"print_around_crashes", print_around_crashes}};

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_fails_its_task_only),
        cmocka_unit_test(a_blocking_apply_is_told_of_the_crash),
        cmocka_unit_test(a_crashed_task_is_run_again),
        cmocka_unit_test(an_input_of_any_size_is_there_again),
        cmocka_unit_test(the_items_of_a_map_are_run_again),
        cmocka_unit_test(what_a_crashed_worker_had_taken_is_done_before_the_rest),
        cmocka_unit_test(a_task_that_fails_politely_is_not_run_again),
        cmocka_unit_test(a_crash_may_break_the_pool),
        cmocka_unit_test(an_idle_worker_s_death_breaks_no_pool),
        cmocka_unit_test(the_last_message_of_a_crashed_worker_is_told),
        cmocka_unit_test(a_long_last_message_is_cut_at_a_character),
        cmocka_unit_test(nothing_is_printed_twice_by_who_prints_while_crashing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
