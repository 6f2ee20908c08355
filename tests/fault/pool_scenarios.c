#include "fault.h"

#include <stdlib.h>
#include <string.h>

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
    return faults_reach_children() ? ERR(ECRASHED) | ERR(EBROKEN) | ERR(ENOMEM) : 0;
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
    {.name = "a_program_ends_with_a_pool", .play = leave_a_pool_to_the_exit, .to_the_end = true},
    {0},
};
