#include "task_stage.h"

#include <signal.h>
#include <stdatomic.h>

/* CMocka catches these, and a fork keeps handlers. */
static void crash_plainly(void)
{
    const int fatal[] = {SIGABRT, SIGFPE, SIGILL, SIGSEGV};
    for (size_t i = 0; i < COUNT_OF(fatal); i++)
        signal(fatal[i], SIG_DFL);
}

mproc_pool *make_pool(const mproc_pool_options *options)
{
    mproc_pool *pool = NULL;
    crash_plainly();
    mproc_err err = mproc_pool_create(&pool, options);
    if (err)
        print_error("%s (%d)\n", mproc_strerror(err), mproc_os_error());
    assert_int_equal(err, MPROC_OK);
    assert_non_null(pool);
    return pool;
}

mproc_pool *new_pool(int workers)
{
    return make_pool(&(mproc_pool_options){.workers = workers});
}

void end_pool(mproc_pool *pool)
{
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    mproc_pool_free(pool);
}

mproc_result *submit(mproc_pool *pool, mproc_function function, const void *input, size_t size,
                     const mproc_task_options *options)
{
    mproc_result *result = NULL;
    assert_int_equal(mproc_pool_apply_async(pool, function, input, size, options, &result),
                     MPROC_OK);
    assert_non_null(result);
    return result;
}

mproc_err outcome_of(mproc_result *result)
{
    assert_int_equal(mproc_result_wait(result, SOON), MPROC_OK);
    mproc_err err = mproc_result_get(result, 0, NULL, NULL);
    mproc_result_free(result);
    return err;
}

mproc_task_error failure_of(mproc_result *result)
{
    mproc_task_error error;
    assert_int_equal(mproc_result_wait(result, SOON), MPROC_OK);
    assert_int_equal(mproc_result_error(result, &error), MPROC_OK);
    assert_int_equal(mproc_result_get(result, 0, NULL, NULL), error.err);
    mproc_result_free(result);
    return error;
}

int number_of(mproc_result *result)
{
    const void *reply = NULL;
    size_t size = 0;
    int number;
    assert_int_equal(mproc_result_get(result, SOON, &reply, &size), MPROC_OK);
    assert_int_equal(size, sizeof number);
    memcpy(&number, reply, sizeof number);
    mproc_result_free(result);
    return number;
}

/* ---- replies one by one ---- */

const imap_call imaps[] = {mproc_pool_imap, mproc_pool_imap_unordered};

mproc_iterator *iterate(imap_call call, mproc_pool *pool, mproc_function function,
                        const void *items, size_t item_size, size_t count,
                        const mproc_imap_options *options)
{
    mproc_iterator *iterator = NULL;
    assert_int_equal(call(pool, function, items, item_size, count, options, &iterator), MPROC_OK);
    assert_non_null(iterator);
    return iterator;
}

/* ---- the door ---- */

door new_door(void)
{
    door made;
    assert_int_equal(mproc_semaphore_create(&made.arrivals, 0, 0), MPROC_OK);
    assert_int_equal(mproc_event_create(&made.open), MPROC_OK);
    return made;
}

void drop_door(door before)
{
    assert_int_equal(mproc_semaphore_destroy(before.arrivals), MPROC_OK);
    assert_int_equal(mproc_event_destroy(before.open), MPROC_OK);
}

void await_arrivals(door before, unsigned count)
{
    while (count--)
        assert_int_equal(mproc_semaphore_acquire(before.arrivals, SOON), MPROC_OK);
}

void open_door(door before)
{
    assert_int_equal(mproc_event_set(before.open), MPROC_OK);
}

int pass_door(mproc_task *task)
{
    const door *before = mproc_task_input(task, NULL);
    if (mproc_semaphore_release(before->arrivals) || mproc_event_wait(before->open, SOON))
        return mproc_task_fail(task, "the door has stayed closed");
    return tell_pid(task);
}

int stand_until_canceled(mproc_task *task)
{
    const door *before = mproc_task_input(task, NULL);
    const int64_t end = host_now() + SOON;
    if (mproc_semaphore_release(before->arrivals))
        return 1;
    while (!mproc_task_canceled(task) && host_now() < end)
        host_nap(1);
    return mproc_task_fail(task, "it was canceled");
}

int block_forever(mproc_task *task)
{
    const door *before = mproc_task_input(task, NULL);
    if (!mproc_semaphore_release(before->arrivals))
        host_wait_forever();
    return 1;
}

/* ---- plain tasks ---- */

int tell_pid(mproc_task *task)
{
    const long long pid = host_pid();
    return mproc_task_reply(task, &pid, sizeof pid);
}

int add_one(mproc_task *task)
{
    const int *number = mproc_task_input(task, NULL);
    const int next = *number + 1;
    return mproc_task_reply(task, &next, sizeof next);
}

int echo(mproc_task *task)
{
    size_t size;
    const void *input = mproc_task_input(task, &size);
    return mproc_task_reply(task, input, size);
}

void check_pool_works(mproc_pool *pool, int count)
{
    for (int i = 0; i < count; i++) {
        int next = 0;
        size_t size = 0;
        assert_int_equal(mproc_pool_apply(pool, add_one, &i, sizeof i, &next, sizeof next, &size),
                         MPROC_OK);
        assert_int_equal(size, sizeof next);
        assert_int_equal(next, i + 1);
    }
}

long long ask_pid(mproc_pool *pool)
{
    long long pid = 0;
    assert_int_equal(mproc_pool_apply(pool, tell_pid, NULL, 0, &pid, sizeof pid, NULL), MPROC_OK);
    return pid;
}

size_t count_children(void)
{
    size_t count = 0;
    mproc_err err = mproc_active_children(NULL, 0, &count);
    assert_int_equal(err, MPROC_OK);
    return count;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(HAS_ASAN)
enum { HAS_ADDRESS_SANITIZER = true };
#else
enum { HAS_ADDRESS_SANITIZER = false };
#endif

void skip_where_forks_are_broken(void)
{
    if (HAS_ADDRESS_SANITIZER && mproc_get_start_method() == MPROC_FORK)
        skip();
}

/* ---- counting across processes ---- */

mproc_value new_counter(void)
{
    mproc_value counter;
    const int zero = 0;
    assert_int_equal(mproc_value_create(&counter, sizeof zero, &zero, NULL), MPROC_OK);
    return counter;
}

void count_up(mproc_value counter)
{
    _Atomic int *number = mproc_value_data(counter);
    atomic_fetch_add(number, 1);
}

int count_of(mproc_value counter)
{
    _Atomic int *number = mproc_value_data(counter);
    return atomic_load(number);
}
