/* What a trivial item costs in a pool of two workers, beside two threads of OpenMP. */
#include "bench.h"
#include "openmp.h"
#include "raw.h"
#include "work.h"

#include <stdlib.h>
#include <string.h>

#include <mproc/mproc.h>

#include "family/family.h"
#include "family/heap.h"

#define ITEMS 10000000.0
#define SETTLING 0.02 /* OpenMP's threads spin for a while after their work */

static mproc_pool *pool;
static int32_t *checked; /* the items of map and OpenMP alike */
static uint64_t *squared;
static uint64_t *results;

static void start_pool(void)
{
    mproc_err err = mproc_pool_create(&pool, &(mproc_pool_options){.workers = 2});
    bench_ok(err);
}

static void end_pool(void)
{
    mproc_pool_free(pool);
}

static int check(mproc_task *task)
{
    return work_check(mproc_task_input(task, NULL));
}

static int square(mproc_task *task)
{
    uint64_t result = work_square(mproc_task_input(task, NULL));
    return mproc_task_reply(task, &result, sizeof result);
}

static void fill_checked(size_t count)
{
    for (size_t i = 0; i < count; i++)
        checked[i] = (int32_t)(i % 1000);
}

static void prepare_private(size_t count)
{
    squared = malloc(count * sizeof *squared);
    results = calloc(count, sizeof *results);
    bench_check(squared != NULL && results != NULL, "memory for the items");
    for (size_t i = 0; i < count; i++)
        squared[i] = i;
    memset(results, 1, count * sizeof *results);
}

static void verify_squares(size_t count)
{
    for (size_t i = 0; i < count; i++)
        bench_check(results[i] == (uint64_t)i * i, "right results");
}

/* ---- mproc ---- */

static void shared_prepare(double count)
{
    arena_ref ref = 0;
    mproc_err err = family_enter();
    if (err == MPROC_OK)
        err = heap_alloc((size_t)count * sizeof *checked, family.self, &ref);
    bench_ok(err);
    checked = arena_at(ref);
    fill_checked((size_t)count);
    start_pool();
}

static void map_checked(double count, double figures[2])
{
    double begin = raw_now();
    mproc_err err =
        mproc_pool_map(pool, check, checked, sizeof *checked, (size_t)count, NULL, 0, NULL);
    figures[0] = raw_now() - begin;
    bench_ok(err);
}

static void private_prepare(double count)
{
    prepare_private((size_t)count);
    start_pool();
}

static void map_squared(double count, double figures[2])
{
    double begin = raw_now();
    mproc_err err = mproc_pool_map(pool, square, squared, sizeof *squared, (size_t)count, results,
                                   sizeof *results, NULL);
    figures[0] = raw_now() - begin;
    bench_ok(err);
    verify_squares((size_t)count);
}

/* ---- OpenMP ---- */

static void openmp_shared_prepare(double count)
{
    checked = malloc((size_t)count * sizeof *checked);
    bench_check(checked != NULL, "memory for the items");
    fill_checked((size_t)count);
}

static void openmp_checked(double count, double figures[2])
{
    double begin = raw_now();
    size_t failed = openmp_check(checked, (size_t)count);
    figures[0] = raw_now() - begin;
    bench_check(failed == 0, "OpenMP's items");
    raw_sleep(SETTLING);
}

static void openmp_private_prepare(double count)
{
    prepare_private((size_t)count);
}

static void openmp_squared(double count, double figures[2])
{
    double begin = raw_now();
    openmp_square(squared, (size_t)count, results);
    figures[0] = raw_now() - begin;
    verify_squares((size_t)count);
    raw_sleep(SETTLING);
}

static const struct bench_role roles[] = {
    {"mproc-shared", shared_prepare, map_checked, end_pool},
    {"mproc-private", private_prepare, map_squared, end_pool},
    {"openmp-shared", openmp_shared_prepare, openmp_checked, NULL},
    {"openmp-private", openmp_private_prepare, openmp_squared, NULL},
    {0}};

static const struct bench_comparison against_openmp[] = {
    {"4 bytes in shared memory, no result",
     {"mproc-shared", ITEMS},
     {"openmp-shared", ITEMS},
     1e-3,
     BENCH_AT_LEAST,
     3},
    {"8 bytes and 8-byte results in private memory",
     {"mproc-private", ITEMS},
     {"openmp-private", ITEMS},
     1e-3,
     BENCH_AT_LEAST,
     0.8},
};

static void report_scale(const char *what, const char *role, double count)
{
    enum { ROUNDS = 7 };
    double seconds[2];
    if (bench_ask_often(role, count, ROUNDS, seconds))
        bench_figure(what, seconds[0] / count * 1e9, "ns an item", BENCH_NO_BAR, 0);
}

static void report_python(void)
{
    double usual, single;
    FILE *output = raw_output_of("python3 " BENCH_PYTHON_SCRIPT " 2>&1");
    bool ran = output != NULL && fscanf(output, "%lf %lf", &usual, &single) == 2;
    if (output != NULL)
        raw_output_close(output);
    if (!ran) {
        bench_missing("Python's Pool(2).map", "not installed");
        return;
    }
    bench_figure("Python's Pool(2).map, chunks of its choice", usual * 1e9, "ns an item",
                 BENCH_NO_BAR, 0);
    bench_figure("  chunks of 1, as above", single * 1e9, "ns an item", BENCH_NO_BAR, 0);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    raw_begin(argv[0]);
    bench_play_role(argc, argv, roles);

    bench_title("map of 10 million items, to OpenMP dynamic,1", "ms");
    for (size_t i = 0; i < sizeof against_openmp / sizeof *against_openmp; i++) {
        if (openmp_exists)
            bench_compare(&against_openmp[i]);
        else
            bench_missing(against_openmp[i].what, "no OpenMP here");
    }
    bench_title("cost of an item", "");
    report_scale("8 bytes and results, 10^3 items", "mproc-private", 1e3);
    report_scale("  10^4", "mproc-private", 1e4);
    report_scale("  10^5", "mproc-private", 1e5);
    report_scale("  10^6", "mproc-private", 1e6);
    report_scale("  10^7", "mproc-private", 1e7);
    report_scale("4 bytes in shared memory, 10^3 items", "mproc-shared", 1e3);
    report_scale("  10^7", "mproc-shared", 1e7);
    report_python();
    return bench_summary() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
