/* What it costs to start processes, to have them, and to wait for nothing. */
#include "bench.h"
#include "raw.h"

#include <stdlib.h>
#include <string.h>

#include <mproc/mproc.h>

#define BATCH 10 /* starts in a sample */
#define GIB (1 << 30)
#define MOST_CHILDREN 4096
#define SETTLING 0.5 /* until all are idle */
#define WATCHED_SECONDS 5.0
#define NOISE 1.10 /* "not slower" */

/* ---- targets and helpers ---- */

static int nothing(void *args, size_t size)
{
    (void)args;
    (void)size;
    return 0;
}

static int idle(void *args, size_t size)
{
    (void)args;
    (void)size;
    raw_idle();
    return 0;
}

static int no_task(mproc_task *task)
{
    (void)task;
    return 0;
}

static mproc_process *children[MOST_CHILDREN];
static int child_count;

static mproc_process *start(mproc_target target, mproc_start_method method)
{
    mproc_process *process;
    mproc_err err = mproc_process_create(
        &process, &(mproc_process_options){.target = target, .method = method});
    bench_ok(err);
    err = mproc_process_start(process);
    bench_ok(err);
    return process;
}

static void start_idle(int count, mproc_start_method method)
{
    for (int i = 0; i < count; i++)
        children[child_count++] = start(idle, method);
}

static void end_idle(void)
{
    for (int i = 0; i < child_count; i++)
        mproc_process_kill(children[i]);
    for (int i = 0; i < child_count; i++) {
        mproc_process_join(children[i], MPROC_FOREVER);
        mproc_process_free(children[i]);
    }
    child_count = 0;
}

static void start_and_join(mproc_start_method method, double figures[2])
{
    figures[0] = bench_start_and_join(nothing, method, BATCH);
}

static void repeat(bool (*raw)(void), double figures[2])
{
    double begin = raw_now();
    for (int i = 0; i < BATCH; i++)
        bench_check(raw(), "a raw start");
    figures[0] = (raw_now() - begin) / BATCH;
}

static void start_and_join_by_fork(double figures[2])
{
    start_and_join(MPROC_FORK, figures);
}

static void repeat_raw_fork(double figures[2])
{
    repeat(raw_fork_and_wait, figures);
}

/* For samples that take long to prepare, and of which there are few. */
static void median_batch(void (*batch)(double figures[2]), double figures[2])
{
    enum { BATCHES = 15 };
    double seconds[BATCHES];
    for (size_t i = 0; i < BATCHES; i++) {
        batch(figures);
        seconds[i] = figures[0];
    }
    figures[0] = bench_median(seconds, BATCHES);
}

static mproc_pool *pool;

static void start_pool(int workers)
{
    mproc_err err = mproc_pool_create(&pool, &(mproc_pool_options){.workers = workers});
    bench_ok(err);
    const int items[64] = {0};
    err = mproc_pool_map(pool, no_task, items, sizeof *items, 64, NULL, 0, NULL);
    bench_ok(err);
}

/* ---- roles: mproc ---- */

static void mproc_pool_worker(double workers)
{
    start_pool((int)workers);
}

static void mproc_fork_sample(double argument, double figures[2])
{
    (void)argument;
    start_and_join(MPROC_FORK, figures);
}

/* Starts the idle ones anew for each sample: the other side is to be measured without them. */
static void mproc_fork_crowd_sample(double count, double figures[2])
{
    start_idle((int)count, MPROC_FORK);
    median_batch(start_and_join_by_fork, figures);
    end_idle();
}

static void mproc_spawn_sample(double argument, double figures[2])
{
    (void)argument;
    start_and_join(MPROC_SPAWN, figures);
}

static void mproc_forkserver_sample(double argument, double figures[2])
{
    (void)argument;
    start_and_join(MPROC_FORKSERVER, figures);
}

static void end_pool(void)
{
    mproc_pool_free(pool);
}

static char *held;

static void hold_memory(double bytes)
{
    held = malloc((size_t)bytes + 1);
    bench_check(held != NULL, "memory to hold");
    memset(held, 1, (size_t)bytes + 1);
}

static void release_memory(void)
{
    free(held);
}

/* Seconds for each start, and how many are alive at the same time. */
static void crowd_sample(double count, double figures[2])
{
    double begin = raw_now();
    start_idle((int)count, MPROC_START_DEFAULT);
    figures[0] = (raw_now() - begin) / count;
    size_t alive = 0;
    mproc_err err = mproc_active_children(NULL, 0, &alive);
    bench_ok(err);
    figures[1] = (double)alive;
    end_idle();
}

static void private_memory_sample(double method, double figures[2])
{
    start_idle(1, (mproc_start_method)(int)method);
    raw_sleep(0.3); /* until it is idle */
    figures[0] = raw_private_bytes(mproc_process_pid(children[0]));
    end_idle();
}

static void family_prepare(double argument)
{
    (void)argument;
    start_pool(2);
    start_idle(2, MPROC_FORK);
    start_idle(2, MPROC_SPAWN);
    start_idle(2, MPROC_FORKSERVER);
}

static void family_sample(double argument, double figures[2])
{
    (void)argument;
    figures[0] = (double)mproc_process_pid(mproc_process_current());
}

static void family_finish(void)
{
    end_idle();
    end_pool();
}

/* ---- roles: the system alone ---- */

static void raw_thread(double argument)
{
    (void)argument;
    bench_check(raw_start_idle_thread(), "to start a thread");
}

static void raw_fork_sample(double argument, double figures[2])
{
    (void)argument;
    repeat(raw_fork_and_wait, figures);
}

static void raw_fork_crowd_sample(double count, double figures[2])
{
    bench_check(raw_fork_idle((int)count), "to fork idle children");
    median_batch(repeat_raw_fork, figures);
    raw_end_idle();
}

static void raw_spawn_sample(double argument, double figures[2])
{
    (void)argument;
    repeat(raw_spawn_and_wait, figures);
}

static const struct bench_role roles[] = {
    {"mproc-fork", NULL, mproc_fork_sample, NULL},
    {"mproc-fork-crowd", NULL, mproc_fork_crowd_sample, NULL},
    {"mproc-fork-beside-pool", mproc_pool_worker, mproc_fork_sample, end_pool},
    {"mproc-spawn", NULL, mproc_spawn_sample, NULL},
    {"mproc-forkserver", hold_memory, mproc_forkserver_sample, release_memory},
    {"mproc-crowd", NULL, crowd_sample, NULL},
    {"mproc-private-memory", NULL, private_memory_sample, NULL},
    {"mproc-family", family_prepare, family_sample, family_finish},
    {"raw-fork", NULL, raw_fork_sample, NULL},
    {"raw-fork-crowd", NULL, raw_fork_crowd_sample, NULL},
    {"raw-fork-beside-thread", raw_thread, raw_fork_sample, NULL},
    {"raw-fork-holding", hold_memory, raw_fork_sample, release_memory},
    {"raw-spawn", NULL, raw_spawn_sample, NULL},
    {0}};

static const struct bench_comparison by_fork[] = {
    {"fork, to raw fork + waitpid", {"mproc-fork", 0}, {"raw-fork", 0}, 1e-6, BENCH_AT_MOST, 1.15},
    {"fork beside a pool, to raw fork beside an idle thread",
     {"mproc-fork-beside-pool", 1},
     {"raw-fork-beside-thread", 0},
     1e-6,
     BENCH_AT_MOST,
     1.3},
    {"forkserver, to raw fork + waitpid",
     {"mproc-forkserver", 0},
     {"raw-fork", 0},
     1e-6,
     BENCH_AT_MOST,
     2},
    {"forkserver, parent holding 1 GiB, to holding none",
     {"mproc-forkserver", GIB},
     {"mproc-forkserver", 0},
     1e-6,
     BENCH_AT_MOST,
     NOISE},
    {"(for comparison: forkserver to raw fork, holding 1 GiB)",
     {"mproc-forkserver", GIB},
     {"raw-fork-holding", GIB},
     1e-6,
     BENCH_NO_BAR,
     0},
    {"fork beside 1000 idle children, to beside none",
     {"mproc-fork-crowd", 1000},
     {"mproc-fork-crowd", 0},
     1e-6,
     BENCH_AT_MOST,
     NOISE},
    {"(for comparison: raw fork likewise)",
     {"raw-fork-crowd", 1000},
     {"raw-fork-crowd", 0},
     1e-6,
     BENCH_NO_BAR,
     0},
};

static const struct bench_comparison by_spawn = {"spawn, to the raw one of the system",
                                                 {"mproc-spawn", 0},
                                                 {"raw-spawn", 0},
                                                 1e-6,
                                                 BENCH_AT_MOST,
                                                 1.15};

static bool ask_once(const char *role, double argument, double figures[2])
{
    bench_peer *peer = bench_peer_open(role, argument);
    bool answered = bench_peer_ask(peer, figures);
    bench_peer_close(peer);
    if (!answered)
        bench_missing(role, "its process failed");
    return answered;
}

static void report_crowd(int count)
{
    double figures[2];
    if (!ask_once("mproc-crowd", count, figures))
        return;
    bench_figure("children alive at once", figures[1], "", BENCH_AT_LEAST, count);
    bench_figure("  time to start each", figures[0] * 1e6, "us", BENCH_NO_BAR, 0);
}

static void report_processes(void)
{
    double figures[2];
    if (ask_once("mproc-private-memory", MPROC_FORK, figures))
        bench_figure("private memory of an idle forked child", figures[0] / 1024, "KiB",
                     BENCH_AT_MOST, 300);
    if (ask_once("mproc-private-memory", MPROC_FORKSERVER, figures))
        bench_figure("  of one by forkserver", figures[0] / 1024, "KiB", BENCH_NO_BAR, 0);
    if (ask_once("mproc-private-memory", MPROC_SPAWN, figures))
        bench_figure("  of a spawned one", figures[0] / 1024, "KiB", BENCH_NO_BAR, 0);
}

static void report_idle_family(void)
{
    struct bench_activity seen;
    if (!bench_watch("idle family", (struct bench_side){"mproc-family", 0}, SETTLING,
                     WATCHED_SECONDS, &seen))
        return;
    bench_figure("idle family (pool of 2, 6 children): wake-ups", seen.switches, "a second",
                 BENCH_AT_MOST, 20);
    bench_figure("  processor time", seen.seconds * 1e6, "us a second", BENCH_AT_MOST, 1000);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], RAW_CHILD) == 0)
        return 0;
    mproc_main_guard(argc, argv);
    raw_begin(argv[0]);
    bench_play_role(argc, argv, roles);

    bench_title("start + join of an empty child", "us");
    if (raw_can_fork)
        bench_compare_all(by_fork, sizeof by_fork / sizeof *by_fork);
    bench_compare(&by_spawn);
    bench_title("many and idle", "");
    report_crowd(raw_can_fork ? 1000 : 64);
    if (raw_can_fork)
        report_crowd(4000);
    if (raw_knows_processes()) {
        report_processes();
        report_idle_family();
    }
    return bench_summary() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
