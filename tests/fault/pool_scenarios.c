#include "fault.h"

#include <stdlib.h>
#include <string.h>

#include "os.h"

#define CREATE_ERRORS (FOUND_ERRORS | ERR(EIMAGE) | ERR(ENOENT) | ERR(EACCES) | ERR(EBROKEN))
/* A fault in the thread that replaces workers breaks the pool for good. */
#define MAP_ERRORS (ERR(ENOMEM) | ERR(EIMAGE))

enum { ITEMS = 40, WORKERS = 2 };

static int square(mproc_task *task)
{
    const int *item = mproc_task_input(task, NULL);
    const int result = *item * *item;
    return mproc_task_reply(task, &result, sizeof result);
}

static int crash_at_seven(mproc_task *task)
{
    if (mproc_task_index(task) == 7)
        _Exit(3);
    return square(task);
}

static int repeat(mproc_task *task)
{
    size_t size;
    const void *item = mproc_task_input(task, &size);
    unsigned char *room = mproc_task_reply_buffer(task, 2 * size);
    if (!room)
        return -1;
    memcpy(room, item, size);
    memcpy(room + size, item, size);
    return 0;
}

static int initialize(void *args, size_t size)
{
    return size == sizeof(int) && *(int *)args == 42 ? 0 : 1;
}

static mproc_pool *create(void)
{
    const int answer = 42;
    const mproc_pool_options options = {.workers = WORKERS,
                                        .initializer = initialize,
                                        .initializer_args = &answer,
                                        .initializer_args_size = sizeof answer};
    mproc_pool *pool = NULL;
    return MAKE(pool, CREATE_ERRORS, mproc_pool_create(&pool, &options)) ? pool : NULL;
}

static void end(mproc_pool *pool)
{
    TRY(0, mproc_pool_close(pool));
    while (!TRY(ERR(EINTR) | ERR(EAGAIN), mproc_pool_join(pool, 30000))) {
    }
    mproc_pool_free(pool);
}

/* A worker in which something fails may end. */
static uint32_t errors_of_workers(void)
{
    return faults_reach_children() ? ERR(ECRASHED) | ERR(EBROKEN) | ERR(ENOMEM) | ERR(EIMAGE) : 0;
}

static bool map(mproc_pool *pool, mproc_function function, uint32_t more)
{
    int items[ITEMS], results[ITEMS] = {0};
    size_t failed = 99;
    for (int i = 0; i < ITEMS; i++)
        items[i] = i;
    const mproc_map_options options = {.error_count = &failed};
    if (!TRY(MAP_ERRORS | errors_of_workers() | more,
             mproc_pool_map(pool, function, items, sizeof *items, ITEMS, results, sizeof *results,
                            &options)))
        return false;
    HOLDS(failed == 0);
    for (int i = 0; i < ITEMS; i++)
        HOLDS(results[i] == i * i);
    return true;
}

static void create_and_free(void)
{
    mproc_pool_free(create());
}

static void create_and_close(void)
{
    mproc_pool *pool = create();
    if (pool)
        end(pool);
}

static void create_and_terminate(void)
{
    mproc_pool *pool = create();
    if (!pool)
        return;
    TRY(0, mproc_pool_terminate(pool));
    while (!TRY(ERR(EINTR) | ERR(EAGAIN), mproc_pool_join(pool, 30000))) {
    }
    mproc_pool_free(pool);
}

static void map_items(void)
{
    mproc_pool *pool = create();
    if (!pool)
        return;
    map(pool, square, 0);
    map(pool, square, 0);
    end(pool);
}

static void map_bytes(void)
{
    static const unsigned char data[3000] = "abc";
    mproc_bytes items[ITEMS];
    mproc_results *results = NULL;
    mproc_pool *pool = create();
    if (!pool)
        return;
    for (int i = 0; i < ITEMS; i++)
        items[i] = (mproc_bytes){data, sizeof data};
    bool done = TRY(MAP_ERRORS | errors_of_workers(),
                    mproc_pool_map_bytes(pool, repeat, items, ITEMS, &results, NULL));
    HOLDS(!done || mproc_results_count(results) == ITEMS);
    for (size_t i = 0; done && i < ITEMS; i++) {
        const void *reply = NULL;
        size_t size = 0;
        HOLDS(mproc_results_get(results, i, &reply, &size) == MPROC_OK && size == 2 * sizeof data &&
              !memcmp(reply, data, sizeof data));
    }
    mproc_results_free(results);
    end(pool);
}

/* A worker ends in the midst of it and is replaced, or cannot be. */
static void replace_a_worker(void)
{
    int items[ITEMS] = {0}, results[ITEMS];
    mproc_pool *pool = create();
    if (!pool)
        return;
    mproc_task_error errors[2];
    size_t failed = 0;
    const mproc_map_options options = {
        .errors = errors, .error_capacity = 2, .error_count = &failed};
    mproc_err err = mproc_pool_map(pool, crash_at_seven, items, sizeof *items, ITEMS, results,
                                   sizeof *results, &options);
    if (err == MPROC_ECRASHED)
        HOLDS(failed > 0 && (faults_reach_children() || failed == 1) && errors[0].index <= 7);
    else
        judge("map with a crash", err, MAP_ERRORS | ERR(EBROKEN));
    map(pool, square, ERR(EBROKEN) | FOR_GOOD);
    end(pool);
}

/* ---- what does not wait ---- */

/* Of what the pool's thread is needed for. */
#define SUBMIT_ERRORS (MAP_ERRORS | ERR(EAGAIN))
#define WAIT_ERRORS (ERR(EINTR) | ERR(EAGAIN))

/* The result's own error stays. */
static bool get(mproc_result *result, uint32_t errors, const void **reply, size_t *size)
{
    bool good;
    while (!(good = TRY(WAIT_ERRORS | FOR_GOOD | errors,
                        mproc_result_get(result, 30000, reply, size))) &&
           !mproc_result_ready(result)) {
    }
    return good;
}

static void run_tasks(void)
{
    static const unsigned char data[3000] = "abc";
    mproc_pool *pool = create();
    for (int i = 0; pool && i < 4; i++) {
        const size_t size = i % 2 ? sizeof data : 10;
        const void *reply = NULL;
        size_t reply_size = 0;
        mproc_result *result = NULL;
        if (!MAKE(result, SUBMIT_ERRORS | errors_of_workers(),
                  mproc_pool_apply_async(pool, repeat, data, size, NULL, &result)))
            continue;
        if (get(result, errors_of_workers(), &reply, &reply_size))
            HOLDS(reply_size == 2 * size && !memcmp(reply, data, size));
        mproc_result_free(result);
    }
    if (pool)
        end(pool);
}

static void run_and_wait(void)
{
    mproc_pool *pool = create();
    for (int i = 0; pool && i < 3; i++) {
        int square_of = 0;
        size_t size = 0;
        if (TRY(MAP_ERRORS | WAIT_ERRORS | errors_of_workers(),
                mproc_pool_apply(pool, square, &i, sizeof i, &square_of, sizeof square_of, &size)))
            HOLDS(size == sizeof square_of && square_of == i * i);
    }
    if (pool)
        end(pool);
}

/* An item that could not be submitted fails, and the others go on. */
static void iterate(mproc_iterator *iterator, bool unordered)
{
    size_t good = 0, bad = 0;
    for (int i = 0; i < 2 * ITEMS; i++) {
        const void *reply = NULL;
        size_t size = 0;
        mproc_err err = mproc_iterator_next(iterator, 30000, &reply, &size);
        if (err == MPROC_EEMPTY)
            break;
        receive(NULL, 0);
        if (judge("next", err, MAP_ERRORS | WAIT_ERRORS | FOR_GOOD | errors_of_workers())) {
            const int square_of = *(const int *)reply;
            HOLDS(size == sizeof square_of &&
                  (unordered || bad || square_of == (int)(good * good)));
            good++;
        } else {
            bad++;
        }
    }
    HOLDS(bad || good == ITEMS);
    HOLDS(good <= ITEMS);
}

static void imap(bool unordered)
{
    int items[ITEMS];
    mproc_iterator *iterator = NULL;
    mproc_pool *pool = create();
    if (!pool)
        return;
    for (int i = 0; i < ITEMS; i++)
        items[i] = i;
    const mproc_imap_options options = {.window = 8};
    if (MAKE(iterator, SUBMIT_ERRORS | errors_of_workers(),
             (unordered ? mproc_pool_imap_unordered : mproc_pool_imap)(
                 pool, square, items, sizeof *items, ITEMS, &options, &iterator)))
        iterate(iterator, unordered);
    mproc_iterator_free(iterator);
    end(pool);
}

static void imap_items(void)
{
    imap(false);
}

static void imap_items_unordered(void)
{
    imap(true);
}

static void count_call(void *context, const void *reply, size_t size)
{
    (void)reply;
    (void)size;
    ++*(int *)context;
}

static void count_error(void *context, const mproc_task_error *error)
{
    count_call(context, error, sizeof *error);
}

static void map_and_be_called(void)
{
    int items[ITEMS], results[ITEMS] = {0}, calls = 0;
    mproc_result *result = NULL;
    mproc_pool *pool = create();
    if (!pool)
        return;
    for (int i = 0; i < ITEMS; i++)
        items[i] = i;
    const mproc_task_options task = {
        .callback = count_call, .error_callback = count_error, .callback_context = &calls};
    if (MAKE(result, SUBMIT_ERRORS | errors_of_workers(),
             mproc_pool_map_async(pool, square, items, sizeof *items, ITEMS, results,
                                  sizeof *results, NULL, &task, &result))) {
        if (get(result, MAP_ERRORS | errors_of_workers(), NULL, NULL))
            HOLDS(results[ITEMS - 1] == (ITEMS - 1) * (ITEMS - 1));
        HOLDS(calls == 1);
    }
    mproc_result_free(result);
    end(pool);
}

/* ---- resizing, and limits ---- */

static void resize(void)
{
    mproc_pool *pool = create();
    if (!pool)
        return;
    TRY(CREATE_ERRORS, mproc_pool_resize(pool, WORKERS + 1));
    map(pool, square, 0);
    TRY(CREATE_ERRORS, mproc_pool_resize(pool, 1));
    map(pool, square, 0);
    end(pool);
}

static int stay_at_seven(mproc_task *task)
{
    while (mproc_task_index(task) == 7)
        os_yield();
    return square(task);
}

/* A worker does not come back from an item, is killed and replaced, or cannot be. */
static void limit_items(void)
{
    int items[ITEMS] = {0}, results[ITEMS];
    mproc_pool *pool = create();
    if (!pool)
        return;
    mproc_task_error error = {0};
    size_t failed = 0;
    const mproc_map_options options = {
        .errors = &error, .error_capacity = 1, .error_count = &failed, .timeout_ms = 20};
    mproc_err err = mproc_pool_map(pool, stay_at_seven, items, sizeof *items, ITEMS, results,
                                   sizeof *results, &options);
    if (err == MPROC_ETIMEDOUT)
        HOLDS(failed > 0 && error.index <= 7);
    else
        judge("map with a limit", err, SUBMIT_ERRORS | ERR(EBROKEN) | errors_of_workers());
    map(pool, square, ERR(EBROKEN) | FOR_GOOD);
    end(pool);
}

static void leave_a_pool_to_the_exit(void)
{
    static mproc_pool *pool; /* for leak checkers to find */
    pool = create();
    if (pool)
        map(pool, square, 0);
}

const scenario pool_scenarios[] = {
    {.name = "a_pool_is_created_and_freed", .play = create_and_free},
    {.name = "a_pool_is_closed_and_joined", .play = create_and_close},
    {.name = "a_pool_is_terminated", .play = create_and_terminate},
    {.name = "a_pool_maps_items", .play = map_items},
    {.name = "a_pool_of_an_interruptible_program_maps_items",
     .play = map_items,
     .interruptible = true},
    {.name = "a_pool_maps_bytes", .play = map_bytes},
    {.name = "a_pool_replaces_a_worker", .play = replace_a_worker},
    {.name = "a_pool_runs_tasks", .play = run_tasks},
    {.name = "a_pool_runs_tasks_that_are_waited_for", .play = run_and_wait},
    {.name = "a_pool_maps_and_calls_back", .play = map_and_be_called},
    {.name = "a_pool_is_iterated_over", .play = imap_items},
    {.name = "a_pool_is_iterated_over_in_any_order", .play = imap_items_unordered},
    {.name = "a_pool_is_resized", .play = resize},
    {.name = "a_pool_ends_what_lasts_too_long", .play = limit_items},
    {.name = "a_program_ends_with_a_pool", .play = leave_a_pool_to_the_exit, .to_the_end = true},
    {0},
};
