#include "pool_support.h"

static mproc_start_method method;

static mproc_start_method named(const char *name)
{
    if (name && strcmp(name, "fork") == 0)
        return MPROC_FORK;
    if (name && strcmp(name, "spawn") == 0)
        return MPROC_SPAWN;
    if (name && strcmp(name, "forkserver") == 0)
        return MPROC_FORKSERVER;
    return MPROC_START_DEFAULT;
}

void test_begin(int argc, char **argv)
{
    host_crash_plainly();
    mproc_main_guard(argc, argv);
    mproc_err err = mproc_set_start_method(named(getenv("MPROC_TEST_METHOD")));
    if (err) {
        fprintf(stderr, "MPROC_TEST_METHOD: %s\n", mproc_strerror(err));
        exit(2);
    }
    method = mproc_get_start_method();
}

mproc_start_method test_method(void)
{
    return method;
}

mproc_pool *new_pool(int workers)
{
    mproc_pool *pool = NULL;
    host_crash_plainly();
    assert_int_equal(mproc_pool_create(&pool, &(mproc_pool_options){.workers = workers}), MPROC_OK);
    assert_non_null(pool);
    return pool;
}

void end_pool(mproc_pool *pool)
{
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, MPROC_FOREVER), MPROC_OK);
    mproc_pool_free(pool);
}

int square(mproc_task *task)
{
    const int *x = mproc_task_input(task, NULL);
    long long y = (long long)*x * *x;
    return mproc_task_reply(task, &y, sizeof y);
}

void map_squares(mproc_pool *pool, size_t count, size_t chunk_size)
{
    int *items = malloc((count + 1) * sizeof *items);
    long long *results = malloc((count + 1) * sizeof *results);
    assert_non_null(items);
    assert_non_null(results);
    for (size_t i = 0; i < count; i++)
        items[i] = (int)i - 5;
    size_t failed = 99;
    assert_int_equal(
        mproc_pool_map(pool, square, items, sizeof items[0], count, results, sizeof results[0],
                       &(mproc_map_options){.chunk_size = chunk_size, .error_count = &failed}),
        MPROC_OK);
    assert_int_equal(failed, 0);
    for (size_t i = 0; i < count; i++) {
        long long x = (long long)i - 5;
        if (results[i] != x * x)
            fail_msg("item %zu of %zu: %lld", i, count, results[i]);
    }
    free(items);
    free(results);
}

void new_file(test_path *path)
{
    memset(path, 0, sizeof *path);
    assert_true(host_temporary(path->text, sizeof path->text));
}

size_t file_size(const test_path *path)
{
    FILE *file = fopen(path->text, "rb");
    if (!file)
        return 0;
    long size = fseek(file, 0, SEEK_END) ? 0 : ftell(file);
    fclose(file);
    return size > 0 ? (size_t)size : 0;
}

void remove_file(const test_path *path)
{
    remove(path->text);
}

size_t worker_pids(long long *pids, size_t capacity)
{
    mproc_process *list[256];
    size_t count = 0;
    if (mproc_active_children(list, sizeof list / sizeof list[0], &count))
        return 0;
    size_t listed = count < sizeof list / sizeof list[0] ? count : sizeof list / sizeof list[0];
    for (size_t i = 0; i < listed; i++) {
        if (i < capacity)
            pids[i] = mproc_process_pid(list[i]);
        mproc_process_free(list[i]);
    }
    return listed < capacity ? listed : capacity;
}

void await_size(const test_path *path, size_t size)
{
    double end = host_seconds() + PATIENCE;
    while (file_size(path) < size && host_seconds() < end)
        host_sleep(1);
    assert_true(file_size(path) >= size);
}

typedef struct meeting {
    test_path path;
    size_t workers;
} meeting;

static int meet(mproc_task *task)
{
    const meeting *here = mproc_task_input(task, NULL);
    const long long pid = host_pid();
    double end = host_seconds() + PATIENCE;
    host_append(here->path.text, "+", 1);
    while (file_size(&here->path) < here->workers) {
        if (host_seconds() > end)
            return mproc_task_fail(task, "the others did not come");
        host_sleep(1);
    }
    return mproc_task_reply(task, &pid, sizeof pid);
}

void meet_workers(mproc_pool *pool, size_t workers, long long *pids)
{
    meeting items[64];
    long long came[64];
    assert_true(workers <= 64);
    new_file(&items[0].path);
    items[0].workers = workers;
    for (size_t i = 1; i < workers; i++)
        items[i] = items[0];
    assert_int_equal(
        mproc_pool_map(pool, meet, items, sizeof items[0], workers, came, sizeof came[0], NULL),
        MPROC_OK);
    if (pids)
        memcpy(pids, came, workers * sizeof came[0]);
    remove_file(&items[0].path);
}

bool is_soak(void)
{
    const char *soak = getenv("MPROC_SOAK");
    return soak && *soak == '1';
}
