/* A pool's workers: each item has one outcome, its own or that of a crash; what a killed worker had
 * claimed and not begun is done by others; the pool goes on working, and keeps no block. */
#include "operation.h"

#include <stdio.h>
#include <string.h>

#include "pool_inside.h"

enum { SOME = 5, STOLEN = 7, LARGE = 3000, LARGER = 70000 };
enum { HELD, FREE, FOUND }; /* `note` */

typedef struct reply {
    uint64_t number, by; /* which slot */
} reply;

/* Of the victim's parent. */
static mproc_pool *pool;
static mproc_result *results[STOLEN + 1];
static int items[STOLEN + 1];
static int item_count;

static struct map_thread {
    mproc_function function;
    os_handle handle;
    reply replies[SOME];
    mproc_results *bytes;
    mproc_task_error errors[SOME];
    size_t failed;
    mproc_err err;
} map;

static void employ(scene *s, int workers, int tasks, mproc_crash_policy policy)
{
    item_count = tasks;
    pool = victim_employ(s, &(mproc_pool_options){.workers = workers,
                                                  .max_tasks = (unsigned)(tasks - workers + 1),
                                                  .on_crash = policy});
    for (int i = 0; i < tasks; i++)
        items[i] = i;
}

/* ---- what the workers run ---- */

static reply reply_to(const mproc_task *task)
{
    const int *item = mproc_task_input(task, NULL);
    return (reply){(uint64_t)*item * 3 + 1, family.self};
}

static int reply_in_short(mproc_task *task)
{
    const reply whole = reply_to(task);
    return mproc_task_reply(task, &whole, sizeof whole);
}

static int reply_at_length(mproc_task *task)
{
    const reply whole = reply_to(task);
    unsigned char *room = mproc_task_reply_buffer(task, LARGE);
    if (!room)
        return -1;
    memset(room, (int)whole.number, LARGE);
    memcpy(room, &whole, sizeof whole);
    return 0;
}

/* The first ones share a chunk, the others have one of their own. */
static int reply_ever_longer(mproc_task *task)
{
    const reply whole = reply_to(task);
    const size_t size = whole.number < 4 ? sizeof whole : whole.number < 10 ? LARGE : LARGER;
    unsigned char *room = mproc_task_reply_buffer(task, size);
    if (room)
        memcpy(room, &whole, sizeof whole);
    return room ? 0 : -1;
}

static int complain(mproc_task *task)
{
    const reply whole = reply_to(task);
    return mproc_task_fail(task, "number %llu, %200s", (unsigned long long)whole.number, "");
}

static void stay(bool here)
{
    scene *s = worker_scene();
    if (!here || atomic_load(&s->note[FREE]))
        return;
    scene_tell(&s->note[HELD], 1);
    MUST(scene_await(&s->note[FREE], 1));
}

/* Worker 1 stays at its first item: what it has claimed besides is there to be stolen. */
static int let_steal(mproc_task *task)
{
    stay(mproc_worker_index() == 1);
    return reply_at_length(task);
}

/* Somebody cancels it before it has replied. */
static int be_canceled(mproc_task *task)
{
    stay(true);
    return reply_at_length(task);
}

/* ---- verdicts ---- */

static void crashed(scene *s, const mproc_task_error *error)
{
    MUST(error->err == MPROC_ECRASHED && error->pid > 0);
    MUST(error->status.code == 9 && error->status.kind != MPROC_EXIT_CRASHED);
}

/* Of a single item: whether it was the victim that did it. */
static void found(scene *s, uint64_t by)
{
    if (item_count == 1)
        atomic_store(&s->note[FOUND],
                     by == atomic_load(&s->victim) ? OUTCOME_AFTER : OUTCOME_BEFORE);
}

static void is_reply(scene *s, const void *bytes, size_t size, int item)
{
    reply whole = {0};
    MUST(size >= sizeof whole);
    memcpy(&whole, bytes, sizeof whole);
    MUST(whole.number == (uint64_t)item * 3 + 1);
    found(s, whole.by);
}

/* The pool works as before, and can be ended. */
static void use_and_free(scene *s)
{
    reply replies[2];
    const int two[2] = {0, 1};
    size_t failed = 9;
    MUST(mproc_pool_map(pool, reply_in_short, two, sizeof *two, 2, replies, sizeof *replies,
                        &(mproc_map_options){.error_count = &failed}) == MPROC_OK);
    MUST(failed == 0 && replies[1].number == 4);
    MUST(mproc_pool_close(pool) == MPROC_OK);
    MUST(mproc_pool_join(pool, PATIENCE_MS) == MPROC_OK);
    mproc_pool_free(pool);
}

/* ---- tasks ---- */

static void submit(scene *s, mproc_function function, int grace_ms)
{
    const mproc_task_options options = {.grace_ms = grace_ms};
    for (int i = 0; i < item_count; i++) {
        results[i] = NULL;
        MUST(mproc_pool_apply_async(pool, function, &items[i], sizeof items[i], &options,
                                    &results[i]) == MPROC_OK);
    }
}

/* How many crashed. */
static int take_results(scene *s, size_t size)
{
    int crashes = 0;
    for (int i = 0; i < item_count; i++) {
        const void *bytes = NULL;
        size_t got = 0;
        mproc_task_error error = {0};
        if (mproc_result_get(results[i], PATIENCE_MS, &bytes, &got) == MPROC_OK) {
            MUST(got == size);
            is_reply(s, bytes, got, i);
        } else {
            MUST(mproc_result_error(results[i], &error) == MPROC_OK);
            crashed(s, &error);
            found(s, 0);
            crashes++;
        }
        mproc_result_free(results[i]);
    }
    return crashes;
}

static void give_task(scene *s)
{
    employ(s, 1, 1, MPROC_CRASH_FAILS);
    submit(s, reply_in_short, 0);
}

static void give_task_of_length(scene *s)
{
    employ(s, 1, 1, MPROC_CRASH_FAILS);
    submit(s, reply_at_length, 0);
}

static void give_tasks(scene *s)
{
    employ(s, 1, SOME, MPROC_CRASH_FAILS);
    submit(s, reply_at_length, 0);
}

static void give_tasks_to_retry(scene *s)
{
    employ(s, 1, SOME, MPROC_CRASH_RETRIES);
    submit(s, reply_at_length, 0);
}

static void give_task_to_fail(scene *s)
{
    employ(s, 1, 1, MPROC_CRASH_FAILS);
    submit(s, complain, 0);
}

static void take_short(scene *s)
{
    MUST(take_results(s, sizeof(reply)) <= 1);
    use_and_free(s);
}

static void take_long(scene *s)
{
    MUST(take_results(s, LARGE) <= 1);
    use_and_free(s);
}

static void take_all(scene *s)
{
    MUST(take_results(s, LARGE) == 0);
    use_and_free(s);
}

static void take_failure(scene *s)
{
    mproc_task_error error = {0};
    MUST(mproc_result_wait(results[0], PATIENCE_MS) == MPROC_OK);
    MUST(mproc_result_error(results[0], &error) == MPROC_OK);
    if (error.err == MPROC_ETASK)
        MUST(!strncmp(error.message, "number 1, ", 10) && strlen(error.message) == 210);
    else
        crashed(s, &error);
    mproc_result_free(results[0]);
    use_and_free(s);
}

/* ---- a task that is canceled, or left to others ---- */

static os_handle canceler;

static void cancel_first(void *context)
{
    scene *s = context;
    MUST(scene_await(&s->note[HELD], 1));
    const mproc_err err = mproc_result_cancel(results[0]);
    MUST(err == MPROC_OK || err == MPROC_ESTATE);
    scene_tell(&s->note[FREE], 1);
}

static void give_task_to_cancel(scene *s)
{
    employ(s, 1, 1, MPROC_CRASH_FAILS);
    submit(s, be_canceled, MPROC_FOREVER);
    MUST(os_thread_start(&canceler, cancel_first, s) == MPROC_OK);
}

static void take_canceled(scene *s)
{
    scene_tell(&s->note[HELD], 1); /* in case that it was killed before */
    os_thread_join(canceler);
    const mproc_err err = mproc_result_get(results[0], PATIENCE_MS, NULL, NULL);
    MUST(err == MPROC_ECANCELED || err == MPROC_ECRASHED);
    mproc_result_free(results[0]);
    use_and_free(s);
}

static void give_tasks_to_steal(scene *s)
{
    employ(s, 2, STOLEN + 1, MPROC_CRASH_FAILS);
    submit(s, let_steal, 0);
    MUST(scene_await(&s->note[HELD], 1));
}

static void take_stolen(scene *s)
{
    scene_tell(&s->note[FREE], 1);
    take_long(s);
}

/* ---- maps ---- */

static void run_map(void *argument)
{
    (void)argument;
    const mproc_map_options options = {
        .errors = map.errors, .error_capacity = SOME, .error_count = &map.failed};
    map.err = mproc_pool_map(pool, map.function, items, sizeof *items, (size_t)item_count,
                             map.replies, sizeof *map.replies, &options);
}

static void run_map_of_bytes(void *argument)
{
    (void)argument;
    mproc_bytes spans[SOME];
    const mproc_map_options options = {
        .errors = map.errors, .error_capacity = SOME, .error_count = &map.failed};
    for (int i = 0; i < item_count; i++)
        spans[i] = (mproc_bytes){&items[i], sizeof items[i]};
    map.err =
        mproc_pool_map_bytes(pool, map.function, spans, (size_t)item_count, &map.bytes, &options);
}

/* It waits in a thread, and has begun when this returns. */
static void start_map(scene *s, void (*run)(void *), mproc_function function)
{
    map = (struct map_thread){.function = function};
    MUST(os_thread_start(&map.handle, run, NULL) == MPROC_OK);
    while (!pool_has_work(pool))
        scene_nap(s);
}

static void give_item(scene *s)
{
    employ(s, 1, 1, MPROC_CRASH_FAILS);
    start_map(s, run_map, reply_in_short);
}

static void give_items(scene *s)
{
    employ(s, 1, SOME, MPROC_CRASH_FAILS);
    start_map(s, run_map, reply_in_short);
}

static void give_items_to_retry(scene *s)
{
    employ(s, 1, SOME, MPROC_CRASH_RETRIES);
    start_map(s, run_map, reply_in_short);
}

static void give_items_to_fail(scene *s)
{
    employ(s, 1, SOME, MPROC_CRASH_FAILS);
    start_map(s, run_map, complain);
}

static void give_items_of_length(scene *s)
{
    employ(s, 1, SOME, MPROC_CRASH_FAILS);
    start_map(s, run_map_of_bytes, reply_ever_longer);
}

/* The item's error; NULL: it has none. */
static const mproc_task_error *error_of(int item)
{
    for (size_t i = 0; i < map.failed; i++) {
        if (map.errors[i].index == (size_t)item)
            return &map.errors[i];
    }
    return NULL;
}

static void take_replies(scene *s, size_t most_failed)
{
    os_thread_join(map.handle);
    MUST(map.failed <= most_failed && map.err == (map.failed ? MPROC_ECRASHED : MPROC_OK));
    for (int i = 0; i < item_count; i++) {
        const mproc_task_error *error = error_of(i);
        if (error)
            crashed(s, error);
        else
            is_reply(s, &map.replies[i], sizeof map.replies[i], i);
    }
    if (map.failed)
        found(s, 0);
    use_and_free(s);
}

static void take_items(scene *s)
{
    take_replies(s, 1);
}

static void take_all_items(scene *s)
{
    take_replies(s, 0);
}

static void take_failures(scene *s)
{
    size_t crashes = 0;
    os_thread_join(map.handle);
    MUST(map.failed == SOME);
    for (int i = 0; i < SOME; i++) {
        const mproc_task_error *error = error_of(i);
        MUST(error != NULL);
        if (error && error->err != MPROC_ETASK) {
            crashed(s, error);
            crashes++;
        } else if (error) {
            char expected[32];
            snprintf(expected, sizeof expected, "number %d, ", 3 * i + 1);
            MUST(!strncmp(error->message, expected, strlen(expected)));
        }
    }
    MUST(crashes <= 1);
    use_and_free(s);
}

static void take_bytes(scene *s)
{
    os_thread_join(map.handle);
    MUST(map.failed <= 1 && map.bytes);
    for (int i = 0; map.bytes && i < SOME; i++) {
        const void *bytes = NULL;
        size_t size = 0;
        const mproc_task_error *error = error_of(i);
        const mproc_err err = mproc_results_get(map.bytes, (size_t)i, &bytes, &size);
        if (err)
            MUST(error && err == error->err);
        if (error)
            crashed(s, error);
        else
            is_reply(s, bytes, size, i);
    }
    mproc_results_free(map.bytes);
    use_and_free(s);
}

/* ---- maps that nobody waits in ---- */

static reply async_replies[STOLEN + 1];

static void start_async(scene *s, mproc_function function)
{
    const mproc_map_options options = {
        .errors = map.errors, .error_capacity = SOME, .error_count = &map.failed};
    map.failed = 0;
    MUST(mproc_pool_map_async(pool, function, items, sizeof *items, (size_t)item_count,
                              async_replies, sizeof *async_replies, &options, NULL,
                              &results[0]) == MPROC_OK);
}

static void give_async_items(scene *s)
{
    employ(s, 1, SOME, MPROC_CRASH_FAILS);
    start_async(s, reply_in_short);
}

static int let_steal_items(mproc_task *task)
{
    stay(mproc_worker_index() == 1);
    return reply_in_short(task);
}

static void give_items_to_steal(scene *s)
{
    employ(s, 2, STOLEN + 1, MPROC_CRASH_FAILS);
    start_async(s, let_steal_items);
    MUST(scene_await(&s->note[HELD], 1));
}

static void take_async(scene *s)
{
    scene_tell(&s->note[FREE], 1);
    const mproc_err err = mproc_result_get(results[0], PATIENCE_MS, NULL, NULL);
    MUST(map.failed <= 1 && err == (map.failed ? MPROC_ECRASHED : MPROC_OK));
    for (int i = 0; i < item_count; i++) {
        const mproc_task_error *error = error_of(i);
        if (error)
            crashed(s, error);
        else
            is_reply(s, &async_replies[i], sizeof async_replies[i], i);
    }
    mproc_result_free(results[0]);
    use_and_free(s);
}

/* ---- */

/* The rest is looked at by the victim's parent. */
static outcome check(scene *s)
{
    return (outcome)atomic_load(&s->note[FOUND]);
}

const operation pool_operations[] = {
    {"do a task", NULL, give_task, take_short, NULL, check},
    {"do a task with a long reply", NULL, give_task_of_length, take_long, NULL, check},
    {"do several tasks", NULL, give_tasks, take_long, NULL, check},
    {"do tasks that are retried", NULL, give_tasks_to_retry, take_all, NULL, check},
    {"fail a task", NULL, give_task_to_fail, take_failure, NULL, check},
    {"do a task that is canceled", NULL, give_task_to_cancel, take_canceled, NULL, check},
    {"steal tasks", NULL, give_tasks_to_steal, take_stolen, NULL, check},
    {"do an item", NULL, give_item, take_items, NULL, check},
    {"do several items", NULL, give_items, take_items, NULL, check},
    {"do items that are retried", NULL, give_items_to_retry, take_all_items, NULL, check},
    {"fail items", NULL, give_items_to_fail, take_failures, NULL, check},
    {"do items with long replies", NULL, give_items_of_length, take_bytes, NULL, check},
    {"do items of a map without a waiter", NULL, give_async_items, take_async, NULL, check},
    {"steal items", NULL, give_items_to_steal, take_async, NULL, check},
    {0},
};
