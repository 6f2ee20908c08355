/* What locks and semaphores cost: beside nobody, among many, asleep, and after a death. */
#include "sync.h"

#include "bench.h"
#include "raw.h"
#include "raw_sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "family/family.h"
#include "family/heap.h"

#define PAIRS 20000 /* in a sample: less than the system lets a program run at a time */
#define STARTS 10
#define MOST_DEATHS 1000
/* Who sleeps behind a lock looks after its holder ever more seldom, at last once a minute: all of
 * them in waves, since they have begun together. */
#define SETTLING 30.0
#define WATCHED_SECONDS 60.0
#define NOISE 1.10 /* "not slower" */

/* ---- beside nobody ---- */

static void open_mproc(double argument)
{
    (void)argument;
    side_open(&side_mproc);
}

static void open_system(double argument)
{
    (void)argument;
    side_open(&side_system);
}

static void lock_sample(double argument, double figures[2])
{
    (void)argument;
    double begin = raw_now();
    for (long i = 0; i < PAIRS; i++) {
        mproc_lock_acquire(board->lock, MPROC_FOREVER);
        mproc_lock_release(board->lock);
    }
    figures[0] = (raw_now() - begin) / PAIRS;
}

static void rlock_sample(double argument, double figures[2])
{
    (void)argument;
    double begin = raw_now();
    for (long i = 0; i < PAIRS; i++) {
        mproc_rlock_acquire(board->rlock, MPROC_FOREVER);
        mproc_rlock_release(board->rlock);
    }
    figures[0] = (raw_now() - begin) / PAIRS;
}

static void semaphore_sample(double argument, double figures[2])
{
    (void)argument;
    double begin = raw_now();
    for (long i = 0; i < PAIRS; i++) {
        mproc_semaphore_release(board->passed[THERE]);
        mproc_semaphore_acquire(board->passed[THERE], MPROC_FOREVER);
    }
    figures[0] = (raw_now() - begin) / PAIRS;
}

static void event_sample(double argument, double figures[2])
{
    (void)argument;
    long set = 0;
    double begin = raw_now();
    for (long i = 0; i < PAIRS; i++)
        set += mproc_event_is_set(board->event);
    figures[0] = (raw_now() - begin) / PAIRS;
    bench_check(set == 0, "an event that is not set");
}

static void heap_sample(double size, double figures[2])
{
    double begin = raw_now();
    for (long i = 0; i < PAIRS; i++) {
        arena_ref ref;
        bench_ok(heap_alloc((size_t)size, family.self, &ref));
        heap_free(ref, family.self);
    }
    figures[0] = (raw_now() - begin) / PAIRS;
}

static void memory_sample(double size, double figures[2])
{
    double begin = raw_now();
    for (long i = 0; i < PAIRS; i++) {
        mproc_memory memory;
        bench_ok(mproc_memory_alloc(&memory, (size_t)size));
        bench_ok(mproc_memory_free(memory));
    }
    figures[0] = (raw_now() - begin) / PAIRS;
}

static void system_lock_sample(double argument, double figures[2])
{
    (void)argument;
    double begin = raw_now();
    raw_lock_pairs(PAIRS);
    figures[0] = (raw_now() - begin) / PAIRS;
}

static void system_semaphore_sample(double argument, double figures[2])
{
    (void)argument;
    double begin = raw_now();
    raw_semaphore_pairs(PAIRS);
    figures[0] = (raw_now() - begin) / PAIRS;
}

/* ---- among several ---- */

static void open_mproc_count(double processes)
{
    side_open(&side_mproc);
    side_start_many(JOB_COUNT, (int)processes);
}

static void open_system_count(double processes)
{
    side_open(&side_system);
    side_start_many(JOB_COUNT, (int)processes);
}

static void count_sample(double processes, double figures[2])
{
    const double seconds = 0.05;
    figures[0] = sync_count((int)processes, seconds);
}

static void open_relay(const struct side *chosen, double apart, enum job job)
{
    side_open(chosen);
    sync_stay(apart > 0);
    side_start(job);
}

static void open_mproc_relay(double apart)
{
    open_relay(&side_mproc, apart, JOB_ECHO);
}

static void open_word_relay(double apart)
{
    open_relay(&side_word, apart, JOB_ECHO);
}

static void open_line_relay(double apart)
{
    open_relay(&side_line, apart, JOB_ECHO);
}

static void open_mproc_late_relay(double apart)
{
    open_relay(&side_mproc, apart, JOB_ECHO_LATE);
}

static void open_word_late_relay(double apart)
{
    open_relay(&side_word, apart, JOB_ECHO_LATE);
}

static void round_trip_sample(double apart, double figures[2])
{
    (void)apart;
    figures[0] = sync_round_trip(SYNC_MOST_TRIPS);
}

static void wake_up_sample(double apart, double figures[2])
{
    (void)apart;
    figures[0] = sync_wake_up(SYNC_MOST_TRIPS / 10);
}

/* ---- a death ---- */

static void open_mproc_death(double deaths)
{
    (void)deaths;
    side_open(&side_mproc);
    side_start(JOB_INHERIT);
}

static void open_system_death(double deaths)
{
    (void)deaths;
    side_open(&side_system);
    side_start(JOB_INHERIT);
}

/* The median, and what 99 of 100 do not exceed. */
static void death_sample(double deaths, double figures[2])
{
    static double seconds[MOST_DEATHS];
    size_t count = (size_t)deaths;
    for (size_t i = 0; i < count; i++)
        seconds[i] = sync_inherit();
    figures[0] = bench_median(seconds, count);
    figures[1] = seconds[count * 99 / 100];
}

/* ---- a crowd ---- */

static void open_crowd(enum job job, double count)
{
    side_open(&side_mproc);
    side->lock();
    side_start_many(job, (int)count);
    sync_await_ready((uint32_t)count);
}

static void open_sleepers(double count)
{
    open_crowd(JOB_SLEEP, count);
}

static void open_idle(double count)
{
    open_crowd(JOB_IDLE, count);
}

static void pid_sample(double argument, double figures[2])
{
    (void)argument;
    figures[0] = (double)mproc_process_pid(mproc_process_current());
}

static int nothing(void *args, size_t size)
{
    (void)args;
    (void)size;
    return 0;
}

static void start_sample(double argument, double figures[2])
{
    (void)argument;
    figures[0] = bench_start_and_join(nothing, MPROC_START_DEFAULT, STARTS);
}

/* ---- the tables ---- */

static const struct bench_role roles[] = {
    {"mproc-lock", open_mproc, lock_sample, NULL},
    {"mproc-rlock", open_mproc, rlock_sample, NULL},
    {"mproc-semaphore", open_mproc, semaphore_sample, NULL},
    {"mproc-event", open_mproc, event_sample, NULL},
    {"mproc-heap", open_mproc, heap_sample, NULL},
    {"mproc-memory", open_mproc, memory_sample, NULL},
    {"mproc-count", open_mproc_count, count_sample, side_close},
    {"mproc-relay", open_mproc_relay, round_trip_sample, side_close},
    {"mproc-late-relay", open_mproc_late_relay, wake_up_sample, side_close},
    {"mproc-death", open_mproc_death, death_sample, side_close},
    {"mproc-sleepers", open_sleepers, pid_sample, side_close},
    {"mproc-start-beside-sleepers", open_sleepers, start_sample, side_close},
    {"mproc-start-beside-idle", open_idle, start_sample, side_close},
    {"system-lock", open_system, system_lock_sample, NULL},
    {"system-semaphore", open_system, system_semaphore_sample, NULL},
    {"system-count", open_system_count, count_sample, side_close},
    {"system-death", open_system_death, death_sample, side_close},
    {"word-relay", open_word_relay, round_trip_sample, side_close},
    {"word-late-relay", open_word_late_relay, wake_up_sample, side_close},
    {"line-relay", open_line_relay, round_trip_sample, side_close},
    {0}};

static const struct bench_comparison beside_nobody[] = {
    {"lock + unlock", {"mproc-lock", 0}, {"system-lock", 0}, 1e-9, BENCH_AT_MOST, 0.95},
    {"  of an rlock", {"mproc-rlock", 0}, {"system-lock", 0}, 1e-9, BENCH_NO_BAR, 0},
    {"semaphore release + acquire",
     {"mproc-semaphore", 0},
     {"system-semaphore", 0},
     1e-9,
     BENCH_AT_MOST,
     1.2},
};

static const struct bench_comparison among_several[] = {
    {"an addition under a lock, 2 processes",
     {"mproc-count", 2},
     {"system-count", 2},
     1e-9,
     BENCH_AT_MOST,
     1.2},
    {"  64 processes", {"mproc-count", 64}, {"system-count", 64}, 1e-9, BENCH_AT_MOST, 1.5},
    {"round trip on two processors, to a line of the cache",
     {"mproc-relay", 1},
     {"line-relay", 1},
     1e-9,
     BENCH_AT_MOST,
     3},
    {"round trip on one processor, to two futexes",
     {"mproc-relay", 0},
     {"word-relay", 0},
     1e-9,
     BENCH_AT_MOST,
     1.15},
    {"waking the other processor's, to a futex",
     {"mproc-late-relay", 1},
     {"word-late-relay", 1},
     1e-9,
     BENCH_AT_MOST,
     1.15},
};

static const struct bench_comparison beside_a_crowd = {
    "start + join beside 1000 asleep on objects, to idle ones",
    {"mproc-start-beside-sleepers", 1000},
    {"mproc-start-beside-idle", 1000},
    1e-6,
    BENCH_AT_MOST,
    NOISE};

enum { COSTS = 4, ROUNDS = 101 };

/* Each beside that of a native program on the same machine, of which we have been told. */
static void report_costs(const double native[COSTS])
{
    static const struct {
        const char *what, *role;
    } rows[COSTS] = {{"lock + unlock", "mproc-lock"},
                     {"  of an rlock", "mproc-rlock"},
                     {"semaphore release + acquire", "mproc-semaphore"},
                     {"event test", "mproc-event"}};
    double seconds[COSTS] = {0};
    for (size_t i = 0; i < COSTS; i++) {
        double medians[2];
        if (!bench_ask_often(rows[i].role, 0, ROUNDS, medians))
            continue;
        seconds[i] = medians[0];
        bench_figure(rows[i].what, seconds[i] * 1e9, "ns", BENCH_NO_BAR, 0);
        if (native[i] > 0)
            bench_figure("  to the native one", seconds[i] * 1e9 / native[i], "", BENCH_AT_MOST, 2);
    }
    printf("(under wine, to compare: --native");
    for (size_t i = 0; i < COSTS; i++)
        printf(" %.2f", seconds[i] * 1e9);
    puts(")");
}

static void report_memory(void)
{
    double seconds[2];
    if (bench_ask_often("mproc-heap", 64, ROUNDS, seconds))
        bench_figure("heap: alloc + free of 64 bytes", 1e-6 / seconds[0], "million a second",
                     BENCH_AT_LEAST, 10);
    if (bench_ask_often("mproc-memory", 64, ROUNDS, seconds))
        bench_figure("  mproc_memory_alloc + free", 1e-6 / seconds[0], "million a second",
                     BENCH_AT_LEAST, 10);
}

static void report_death(const char *what, const char *role, enum bench_bar kind)
{
    double figures[2];
    bench_peer *peer = bench_peer_open(role, raw_can_fork ? MOST_DEATHS : MOST_DEATHS / 10);
    bool alive = bench_peer_ask(peer, figures);
    bench_peer_close(peer);
    if (!alive) {
        bench_missing(what, "its process failed");
        return;
    }
    bench_figure(what, figures[0] * 1e3, "ms", kind, raw_can_fork ? 1 : 50);
    bench_figure("  99 of 100", figures[1] * 1e3, "ms", kind, raw_can_fork ? 10 : 50);
}

static void report_sleepers(void)
{
    struct bench_activity seen;
    if (!bench_watch("1000 asleep on objects", (struct bench_side){"mproc-sleepers", 1000},
                     SETTLING, WATCHED_SECONDS, &seen))
        return;
    bench_check(seen.switches_before > 1000, "to watch each of them");
    bench_figure("1000 asleep on objects: wake-ups", seen.switches, "a second", BENCH_AT_MOST, 20);
    bench_figure("  processor time", seen.seconds * 1e6, "us a second", BENCH_NO_BAR, 0);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    raw_begin(argv[0]);
    bench_play_role(argc, argv, roles);

    double native[COSTS] = {0};
    if (argc == COSTS + 2 && strcmp(argv[1], "--native") == 0) {
        for (size_t i = 0; i < COSTS; i++)
            native[i] = strtod(argv[i + 2], NULL);
    }
    bench_title(raw_sync_title, "ns");
    bench_compare_all(beside_nobody, sizeof beside_nobody / sizeof *beside_nobody);
    report_costs(native);
    report_memory();
    if (raw_can_fork) {
        bench_title("among several processes", "ns");
        bench_compare_all(among_several, sizeof among_several / sizeof *among_several);
    }
    bench_title("the holder of a lock is killed", "");
    report_death("until somebody else holds it: half of them", "mproc-death", BENCH_AT_MOST);
    if (raw_can_fork) {
        report_death("(for comparison: a robust mutex)", "system-death", BENCH_NO_BAR);
        bench_title("a crowd", "us");
        bench_compare(&beside_a_crowd);
        report_sleepers();
    }
    return bench_summary() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
