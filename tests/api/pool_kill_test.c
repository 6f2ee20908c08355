/* Workers that are killed or stopped from outside. */
#include "pool_support.h"

#include <stdatomic.h>

/* ---- at random, during a map ---- */

typedef struct note {
    uint64_t index;
    int64_t pid;
} note;

typedef struct noting_item {
    test_path path;
    uint64_t value;
} noting_item;

static int note_and_answer(mproc_task *task)
{
    const noting_item *item = mproc_task_input(task, NULL);
    const note here = {.index = mproc_task_index(task), .pid = host_pid()};
    if (!host_append(item->path.text, &here, sizeof here))
        return 1;
    for (volatile int i = 0; i < 5000; i++) {
    }
    uint64_t answer = item->value * 3 + 1;
    return mproc_task_reply(task, &answer, sizeof answer);
}

typedef struct killer {
    const test_path *path;
    _Atomic bool stop;
    unsigned seed;
    size_t kills;
} killer;

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16 & 0x7fff;
}

/* Kills one of those that noted something lately: it was ready, and is likely to be in the middle
 * of something. */
static void kill_at_random(void *argument)
{
    killer *self = argument;
    while (!atomic_load(&self->stop)) {
        note lately[8];
        size_t count = 0;
        FILE *file = fopen(self->path->text, "rb");
        if (file && file_size(self->path) >= sizeof lately &&
            !fseek(file, -(long)sizeof lately, SEEK_END))
            count = fread(lately, sizeof lately[0], 8, file);
        if (file)
            fclose(file);
        long long alive[64];
        size_t living = worker_pids(alive, 64);
        long long victim = count ? lately[next_random(&self->seed) % count].pid : 0;
        for (size_t i = 0; i < living; i++) {
            if (alive[i] == victim) {
                host_kill(victim);
                self->kills++;
                break;
            }
        }
        double until = host_seconds() + next_random(&self->seed) % 4000 / 1e6;
        if (self->seed & 0x10000)
            host_sleep((int)(next_random(&self->seed) % 8));
        while (host_seconds() < until) {
        }
    }
}

/* How often each item was begun. */
static unsigned char *count_notes(const test_path *path, size_t items)
{
    unsigned char *begun = calloc(items, 1);
    assert_non_null(begun);
    FILE *file = fopen(path->text, "rb");
    assert_non_null(file);
    note read;
    while (fread(&read, sizeof read, 1, file) == 1) {
        assert_true(read.index < items);
        begun[read.index]++;
    }
    fclose(file);
    return begun;
}

static void check_each_once(const test_path *path, const noting_item *items,
                            const uint64_t *answers, size_t count, const mproc_task_error *errors,
                            size_t failed)
{
    unsigned char *begun = count_notes(path, count);
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        bool crashed = next < failed && errors[next].index == i;
        if (crashed) {
            assert_int_equal(errors[next].err, MPROC_ECRASHED);
            assert_int_equal(errors[next].status.kind,
                             host_has_signals() ? MPROC_EXIT_SIGNALED : MPROC_EXIT_EXITED);
            assert_true(begun[i] <= 1);
            next++;
        } else {
            assert_int_equal(begun[i], 1);
            assert_int_equal(answers[i], items[i].value * 3 + 1);
        }
    }
    assert_int_equal(next, failed);
    free(begun);
}

/* How many failed. */
static size_t map_under_fire(mproc_pool *pool, size_t count, size_t chunk_size, unsigned seed)
{
    test_path path;
    new_file(&path);
    noting_item *items = calloc(count, sizeof *items);
    uint64_t *answers = calloc(count, sizeof *answers);
    mproc_task_error *errors = calloc(count, sizeof *errors);
    assert_true(items && answers && errors);
    for (size_t i = 0; i < count; i++)
        items[i] = (noting_item){.path = path, .value = i * seed};
    size_t failed = 0;
    mproc_map_options options = {.chunk_size = chunk_size,
                                 .errors = errors,
                                 .error_capacity = count,
                                 .error_count = &failed};
    killer outside = {.path = &path, .seed = seed};
    host_thread *thread = host_thread_start(kill_at_random, &outside);
    assert_non_null(thread);
    mproc_err err = mproc_pool_map(pool, note_and_answer, items, sizeof items[0], count, answers,
                                   sizeof answers[0], &options);
    atomic_store(&outside.stop, true);
    host_thread_join(thread);
    assert_int_equal(err, failed ? MPROC_ECRASHED : MPROC_OK);
    assert_true(failed <= outside.kills);
    check_each_once(&path, items, answers, count, errors, failed);
    free(items);
    free(answers);
    free(errors);
    remove_file(&path);
    return failed;
}

static void each_item_is_accounted_for_once_whoever_is_killed(void **state)
{
    (void)state;
    const unsigned rounds = is_soak() ? 200 : 4;
    const size_t count = host_has_signals() ? 4000 : 500;
    mproc_pool *pool = new_pool(4);
    meet_workers(pool, 4, NULL);
    size_t failed = 0;
    for (unsigned round = 0; round < rounds; round++)
        failed += map_under_fire(pool, count, round % 2 ? 16 : 1, round * 7919 + 1);
    assert_true(failed > 0);
    map_squares(pool, 1000, 0);
    end_pool(pool);
}

/* ---- at chosen moments ---- */

static bool is_among(long long pid, const long long *pids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pids[i] == pid)
            return true;
    }
    return false;
}

static void an_idle_worker_that_is_killed_is_replaced(void **state)
{
    (void)state;
    long long before[3], now[8];
    mproc_pool *pool = new_pool(3);
    meet_workers(pool, 3, before);
    for (int i = 0; i < 3; i++) {
        host_kill(before[i]);
        double end = host_seconds() + PATIENCE;
        size_t count;
        do {
            count = worker_pids(now, 8);
        } while ((count != 3 || is_among(before[i], now, 3)) && host_seconds() < end);
        assert_int_equal(count, 3);
        assert_false(is_among(before[i], now, 3));
        meet_workers(pool, 3, NULL);
    }
    end_pool(pool);
}

static void all_idle_workers_killed_at_once_are_replaced(void **state)
{
    (void)state;
    long long pids[4];
    mproc_pool *pool = new_pool(4);
    for (int round = 0; round < 5; round++) {
        meet_workers(pool, 4, pids);
        for (int i = 0; i < 4; i++)
            host_kill(pids[i]);
        map_squares(pool, 500, 0);
    }
    end_pool(pool);
}

/* The first four items keep their workers until they are killed. */
static int wait_at_first(mproc_task *task)
{
    const noting_item *item = mproc_task_input(task, NULL);
    if (mproc_task_index(task) % 50 == 0) {
        const note here = {.index = mproc_task_index(task), .pid = host_pid()};
        host_append(item->path.text, &here, sizeof here);
        host_sleep((int)PATIENCE * 1000);
    }
    return mproc_task_reply(task, &item->value, sizeof item->value);
}

static void kill_all_four(void *argument)
{
    const test_path *path = argument;
    note seen[4];
    double end = host_seconds() + PATIENCE;
    while (file_size(path) < sizeof seen && host_seconds() < end)
        host_sleep(1);
    FILE *file = fopen(path->text, "rb");
    size_t count = file ? fread(seen, sizeof seen[0], 4, file) : 0;
    if (file)
        fclose(file);
    for (size_t i = 0; i < count; i++)
        host_kill(seen[i].pid);
}

static void all_workers_killed_at_once_fail_an_item_each(void **state)
{
    (void)state;
    noting_item items[200];
    uint64_t answers[200] = {0};
    mproc_task_error errors[8];
    size_t failed = 0;
    test_path path;
    new_file(&path);
    for (size_t i = 0; i < 200; i++)
        items[i] = (noting_item){.path = path, .value = i + 1};
    mproc_pool *pool = new_pool(4);
    host_thread *thread = host_thread_start(kill_all_four, &path);
    assert_non_null(thread);
    mproc_map_options options = {.errors = errors, .error_capacity = 8, .error_count = &failed};
    assert_int_equal(mproc_pool_map(pool, wait_at_first, items, sizeof items[0], 200, answers,
                                    sizeof answers[0], &options),
                     MPROC_ECRASHED);
    host_thread_join(thread);
    assert_int_equal(failed, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(errors[i].index, 50 * i);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(answers[i], i % 50 ? i + 1 : 0);
    map_squares(pool, 100, 0);
    end_pool(pool);
    remove_file(&path);
}

/* ---- stopped ---- */

static void a_stopped_idle_worker_delays_nobody(void **state)
{
    (void)state;
    if (!host_has_signals())
        skip();
    long long pids[3];
    mproc_pool *pool = new_pool(3);
    meet_workers(pool, 3, pids);
    for (int i = 0; i < 2; i++)
        host_pause(pids[i]);
    for (int round = 0; round < 20; round++)
        map_squares(pool, 100, 0);
    for (int i = 0; i < 2; i++)
        host_resume(pids[i]);
    meet_workers(pool, 3, NULL);
    end_pool(pool);
}

static int stop_at_5(mproc_task *task)
{
    const noting_item *item = mproc_task_input(task, NULL);
    if (mproc_task_index(task) == 5) {
        const note here = {.index = 5, .pid = host_pid()};
        host_append(item->path.text, &here, sizeof here);
        host_pause(host_pid());
    }
    return mproc_task_reply(task, &item->value, sizeof item->value);
}

/* When all but the stopped one's item are done. */
static void resume_the_last(void *context, size_t done, size_t total, size_t failed)
{
    const test_path *path = context;
    note stopped;
    (void)failed;
    FILE *file = done == total - 1 ? fopen(path->text, "rb") : NULL;
    if (file && fread(&stopped, sizeof stopped, 1, file) == 1)
        host_resume(stopped.pid);
    if (file)
        fclose(file);
}

static void a_worker_stopped_in_a_task_delays_its_own_item_only(void **state)
{
    (void)state;
    if (!host_has_signals())
        skip();
    noting_item items[200];
    uint64_t answers[200] = {0};
    test_path path;
    new_file(&path);
    for (size_t i = 0; i < 200; i++)
        items[i] = (noting_item){.path = path, .value = i + 1};
    mproc_pool *pool = new_pool(3);
    mproc_map_options options = {.progress = resume_the_last, .progress_context = &path};
    assert_int_equal(mproc_pool_map(pool, stop_at_5, items, sizeof items[0], 200, answers,
                                    sizeof answers[0], &options),
                     MPROC_OK);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(answers[i], i + 1);
    end_pool(pool);
    remove_file(&path);
}

static void a_pool_with_a_stopped_worker_can_be_freed(void **state)
{
    (void)state;
    if (!host_has_signals())
        skip();
    long long pids[2];
    mproc_pool *pool = new_pool(2);
    meet_workers(pool, 2, pids);
    host_pause(pids[0]);
    mproc_pool_free(pool);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_item_is_accounted_for_once_whoever_is_killed),
        cmocka_unit_test(an_idle_worker_that_is_killed_is_replaced),
        cmocka_unit_test(all_idle_workers_killed_at_once_are_replaced),
        cmocka_unit_test(all_workers_killed_at_once_fail_an_item_each),
        cmocka_unit_test(a_stopped_idle_worker_delays_nobody),
        cmocka_unit_test(a_worker_stopped_in_a_task_delays_its_own_item_only),
        cmocka_unit_test(a_pool_with_a_stopped_worker_can_be_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
