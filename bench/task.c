/* What a task costs in a pool of two workers, beside what two processes can do at best. */
#include "bench.h"
#include "raw.h"
#include "sync.h"
#include "work.h"

#include <stdlib.h>
#include <string.h>

#include <mproc/mproc.h>

#define TASKS 100000
#define APPLIES 200      /* each to a pool that has fallen asleep */
#define ASLEEP 0.002     /* by then it has */
#define SHORT_TURNS 1e-4 /* seconds of an item */
#define SHORT_ITEMS 100000
#define SPREAD_ITEMS 4000 /* of 1 to 1000 parts of... */
#define SPREAD_MOST 1e-3  /* ...seconds */
#define LARGE (1 << 20)
#define LARGE_ITEMS 64
#define CRASHES 20
#define MANY_ITEMS 1000000

static mproc_pool *pool;

static void open_pool(double workers)
{
    bench_ok(mproc_pool_create(&pool, &(mproc_pool_options){.workers = (int)workers}));
}

static void close_pool(void)
{
    mproc_pool_free(pool);
}

/* ---- single tasks ---- */

static int nothing(mproc_task *task)
{
    (void)task;
    return 0;
}

static int square(mproc_task *task)
{
    uint64_t result = work_square(mproc_task_input(task, NULL));
    return mproc_task_reply(task, &result, sizeof result);
}

static void async_sample(double workers, double figures[2])
{
    static mproc_result *results[TASKS];
    (void)workers;
    double begin = raw_now();
    for (int i = 0; i < TASKS; i++)
        bench_ok(mproc_pool_apply_async(pool, nothing, NULL, 0, NULL, &results[i]));
    for (int i = 0; i < TASKS; i++) {
        bench_ok(mproc_result_get(results[i], MPROC_FOREVER, NULL, NULL));
        mproc_result_free(results[i]);
    }
    figures[0] = (raw_now() - begin) / TASKS;
}

static void iterate(mproc_err (*imap)(mproc_pool *, mproc_function, const void *, size_t, size_t,
                                      const mproc_imap_options *, mproc_iterator **),
                    double figures[2])
{
    static uint64_t items[TASKS];
    mproc_iterator *iterator;
    const void *reply;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < TASKS; i++) {
        items[i] = i;
        sum += i * i;
    }
    double begin = raw_now();
    bench_ok(imap(pool, square, items, sizeof items[0], TASKS, NULL, &iterator));
    while (mproc_iterator_next(iterator, MPROC_FOREVER, &reply, NULL) == MPROC_OK)
        sum -= *(const uint64_t *)reply;
    figures[0] = (raw_now() - begin) / TASKS;
    bench_check(sum == 0, "right replies");
    mproc_iterator_free(iterator);
}

static void unordered_sample(double workers, double figures[2])
{
    (void)workers;
    iterate(mproc_pool_imap_unordered, figures);
}

static void ordered_sample(double workers, double figures[2])
{
    (void)workers;
    iterate(mproc_pool_imap, figures);
}

static void apply_sample(double workers, double figures[2])
{
    (void)workers;
    double begin = raw_now();
    for (int i = 0; i < TASKS / 10; i++)
        bench_ok(mproc_pool_apply(pool, nothing, NULL, 0, NULL, 0, NULL));
    figures[0] = (raw_now() - begin) / (TASKS / 10);
}

/* ---- to one that sleeps ---- */

static void late_apply_sample(double workers, double figures[2])
{
    double took[APPLIES];
    (void)workers;
    for (int i = 0; i < APPLIES; i++) {
        raw_sleep(ASLEEP);
        double begin = raw_now();
        bench_ok(mproc_pool_apply(pool, nothing, NULL, 0, NULL, 0, NULL));
        took[i] = raw_now() - begin;
    }
    figures[0] = bench_median(took, APPLIES);
}

static void open_echo(double argument)
{
    (void)argument;
    side_open(&side_word);
    board->apart = true;
    side_start(JOB_ECHO);
}

static void late_echo_sample(double argument, double figures[2])
{
    double took[APPLIES];
    (void)argument;
    for (int i = 0; i < APPLIES; i++) {
        raw_sleep(ASLEEP);
        double begin = raw_now();
        side->give(THERE);
        side->take(BACK);
        took[i] = raw_now() - begin;
    }
    figures[0] = bench_median(took, APPLIES);
}

/* ---- items that take their time, to two processes that have half of the work each ---- */

static uint32_t costs[SHORT_ITEMS]; /* in turns of work_turn */
static size_t cost_count;

static uint32_t turns_in(double seconds)
{
    const uint32_t trial = 1 << 20;
    double shortest = 1;
    for (int i = 0; i < 5; i++) {
        double begin = raw_now();
        work_turn(trial);
        double took = raw_now() - begin;
        shortest = took < shortest ? took : shortest;
    }
    return (uint32_t)(seconds * trial / shortest);
}

static void set_equal_costs(void)
{
    const uint32_t turns = turns_in(SHORT_TURNS);
    cost_count = SHORT_ITEMS;
    for (size_t i = 0; i < cost_count; i++)
        costs[i] = turns;
}

static void set_spread_costs(void)
{
    const uint32_t part = turns_in(SPREAD_MOST / 1000);
    uint32_t chance = 1;
    cost_count = SPREAD_ITEMS;
    for (size_t i = 0; i < cost_count; i++) {
        chance = chance * 1664525 + 1013904223;
        costs[i] = part * (1 + (chance >> 8) % 1000);
    }
}

static int turn(mproc_task *task)
{
    work_turn(*(const uint32_t *)mproc_task_input(task, NULL));
    return 0;
}

static void map_turns(double workers, double figures[2])
{
    (void)workers;
    double begin = raw_now();
    bench_ok(mproc_pool_map(pool, turn, costs, sizeof costs[0], cost_count, NULL, 0, NULL));
    figures[0] = raw_now() - begin;
}

static void open_equal(double workers)
{
    set_equal_costs();
    open_pool(workers);
}

static void open_spread(double workers)
{
    set_spread_costs();
    open_pool(workers);
}

/* Both begin when both are there; together they take as long as the later one. */
typedef struct half {
    mproc_barrier there;
    uint64_t turns;
} half;

static int work_half(void *args, size_t size)
{
    const half *mine = args;
    uint32_t left = 0;
    (void)size;
    if (mproc_barrier_wait(mine->there, MPROC_FOREVER, NULL))
        return 1;
    for (uint64_t done = 0; done < mine->turns; done += left) {
        left = mine->turns - done < UINT32_MAX ? (uint32_t)(mine->turns - done) : UINT32_MAX;
        work_turn(left);
    }
    return 0;
}

static void halves_sample(double argument, double figures[2])
{
    half mine = {.turns = 0};
    mproc_process *other;
    (void)argument;
    for (size_t i = 0; i < cost_count; i++)
        mine.turns += costs[i];
    mine.turns /= 2;
    bench_ok(mproc_barrier_create(&mine.there, 2, NULL));
    bench_ok(mproc_process_create(
        &other,
        &(mproc_process_options){.target = work_half, .args = &mine, .args_size = sizeof mine}));
    bench_ok(mproc_process_start(other));
    bench_ok(mproc_barrier_wait(mine.there, MPROC_FOREVER, NULL));
    double begin = raw_now();
    work_turn((uint32_t)mine.turns);
    bench_ok(mproc_process_join(other, MPROC_FOREVER));
    figures[0] = raw_now() - begin;
    mproc_process_free(other);
    mproc_barrier_destroy(mine.there);
}

static void prepare_equal(double argument)
{
    (void)argument;
    set_equal_costs();
}

static void prepare_spread(double argument)
{
    (void)argument;
    set_spread_costs();
}

/* ---- large replies, written in place: by one worker, and by one process alone ---- */

static mproc_memory room;

static unsigned char *get_room(void)
{
    bench_ok(mproc_memory_alloc(&room, (size_t)LARGE * LARGE_ITEMS));
    return mproc_memory_data(room);
}

static int fill_reply(mproc_task *task)
{
    void *reply = mproc_task_reply_buffer(task, LARGE);
    if (reply)
        memset(reply, (int)mproc_task_index(task) + 1, LARGE);
    return reply == NULL;
}

static void map_large(unsigned char *results)
{
    static const char items[LARGE_ITEMS];
    bench_ok(mproc_pool_map(pool, fill_reply, items, 1, LARGE_ITEMS, results, LARGE, NULL));
}

static void fill_large(unsigned char *results)
{
    for (int i = 0; i < LARGE_ITEMS; i++)
        memset(results + (size_t)i * LARGE, i + 1, LARGE);
}

static void time_large(void (*write)(unsigned char *), bool fresh, double figures[2])
{
    if (fresh || !room.id)
        get_room();
    unsigned char *results = mproc_memory_data(room);
    if (!fresh)
        write(results);
    double begin = raw_now();
    write(results);
    figures[0] = (raw_now() - begin) / LARGE_ITEMS;
    bench_check(results[(size_t)LARGE * LARGE_ITEMS - 1] == LARGE_ITEMS, "the last byte");
    if (fresh)
        bench_ok(mproc_memory_free(room));
}

static void open_one(double fresh)
{
    (void)fresh;
    open_pool(1);
}

static void map_large_sample(double fresh, double figures[2])
{
    time_large(map_large, fresh != 0, figures);
}

static void fill_large_sample(double fresh, double figures[2])
{
    time_large(fill_large, fresh != 0, figures);
}

/* ---- crashes, and very many workers ---- */

static int crash(mproc_task *task)
{
    if (*(const int *)mproc_task_input(task, NULL))
        abort();
    return 0;
}

static double time_crashes(int value)
{
    int items[CRASHES];
    for (int i = 0; i < CRASHES; i++)
        items[i] = value;
    double begin = raw_now();
    mproc_err err = mproc_pool_map(pool, crash, items, sizeof items[0], CRASHES, NULL, 0, NULL);
    double took = raw_now() - begin;
    bench_check(err == (value ? MPROC_ECRASHED : MPROC_OK), "crashes that are told");
    return took;
}

static void crash_sample(double workers, double figures[2])
{
    (void)workers;
    figures[0] = (time_crashes(1) - time_crashes(0)) / CRASHES;
}

static int end_at_once(void *args, size_t size)
{
    (void)args;
    (void)size;
    abort();
}

static void start_sample(double argument, double figures[2])
{
    (void)argument;
    figures[0] = bench_start_and_join(end_at_once, MPROC_START_DEFAULT, CRASHES);
}

static void map_many_sample(double workers, double figures[2])
{
    static uint64_t items[MANY_ITEMS], results[MANY_ITEMS];
    (void)workers;
    double begin = raw_now();
    bench_ok(mproc_pool_map(pool, square, items, sizeof items[0], MANY_ITEMS, results,
                            sizeof results[0], NULL));
    figures[0] = (raw_now() - begin) / MANY_ITEMS;
}

/* ---- the tables ---- */

static const struct bench_role roles[] = {{"async", open_pool, async_sample, close_pool},
                                          {"unordered", open_pool, unordered_sample, close_pool},
                                          {"ordered", open_pool, ordered_sample, close_pool},
                                          {"apply", open_pool, apply_sample, close_pool},
                                          {"late-apply", open_pool, late_apply_sample, close_pool},
                                          {"late-echo", open_echo, late_echo_sample, side_close},
                                          {"map-equal", open_equal, map_turns, close_pool},
                                          {"map-spread", open_spread, map_turns, close_pool},
                                          {"halves-equal", prepare_equal, halves_sample, NULL},
                                          {"halves-spread", prepare_spread, halves_sample, NULL},
                                          {"map-large", open_one, map_large_sample, close_pool},
                                          {"fill-large", NULL, fill_large_sample, NULL},
                                          {"crash", open_pool, crash_sample, close_pool},
                                          {"start", NULL, start_sample, NULL},
                                          {"map-many", open_pool, map_many_sample, close_pool},
                                          {0}};

static const struct bench_comparison waking[] = {
    {"apply to a pool that sleeps, to two hand-overs by a word",
     {"late-apply", 2},
     {"late-echo", 0},
     1e-6,
     BENCH_AT_MOST,
     1.3},
};

static const struct bench_comparison working[] = {
    {"100,000 items of 100 us", {"map-equal", 2}, {"halves-equal", 0}, 1e-3, BENCH_AT_LEAST, 0.98},
    {"4,000 items of 1 to 1000 us",
     {"map-spread", 2},
     {"halves-spread", 0},
     1e-3,
     BENCH_AT_LEAST,
     0.95},
};

static const struct bench_comparison large[] = {
    {"1 MiB replies in memory in use",
     {"map-large", 0},
     {"fill-large", 0},
     1e-6,
     BENCH_AT_LEAST,
     0.8},
    {"1 MiB replies in fresh memory",
     {"map-large", 1},
     {"fill-large", 1},
     1e-6,
     BENCH_AT_LEAST,
     0.8},
};

static const struct bench_comparison at_the_edge[] = {
    {"a crash, to a start of what crashes", {"crash", 2}, {"start", 0}, 1e-6, BENCH_AT_MOST, 2},
    {"an item with 256 workers, to 2", {"map-many", 256}, {"map-many", 2}, 1e-9, BENCH_AT_MOST, 2},
};

static void report_task(const char *what, const char *role, double python, double bar)
{
    enum { ROUNDS = 7 };
    double ours[2];
    if (!bench_ask_often(role, 2, ROUNDS, ours))
        return;
    bench_figure(what, ours[0] * 1e9, "ns", BENCH_NO_BAR, 0);
    if (python > 0)
        bench_figure("  Python's to that", python / ours[0], "times as long",
                     bar > 0 ? BENCH_AT_LEAST : BENCH_NO_BAR, bar);
}

static void report_tasks(void)
{
    double async = 0, unordered = 0, apply = 0;
    FILE *output = raw_output_of("python3 " BENCH_PYTHON_SCRIPT " 2>&1");
    bool ran = output != NULL && fscanf(output, "%lf %lf %lf", &async, &unordered, &apply) == 3;
    if (output != NULL)
        raw_output_close(output);
    if (!ran)
        bench_missing("Python's Pool(2)", "not installed");
    report_task("apply_async + get of 100,000", "async", async, 30);
    report_task("imap_unordered", "unordered", unordered, 30);
    report_task("imap", "ordered", 0, 0);
    report_task("apply, one after the other", "apply", apply, 0);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    raw_begin(argv[0]);
    bench_play_role(argc, argv, roles);
    bench_title("a task", "");
    report_tasks();
    if (raw_can_fork) {
        bench_title("waking", "us");
        bench_compare_all(waking, sizeof waking / sizeof *waking);
    }
    bench_title("items that take their time, to two halves", "ms");
    bench_compare_all(working, sizeof working / sizeof *working);
    bench_title("large replies, one worker, to memset", "us");
    bench_compare_all(large, sizeof large / sizeof *large);
    bench_title("at the edge", "");
    bench_compare_all(at_the_edge, sizeof at_the_edge / sizeof *at_the_edge);
    return bench_summary() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
