/* What grows with what there is, and must not: ends, creations and notifications beside many objects,
 * blocks and waiters that have nothing to do with them. */
#include "bench.h"
#include "raw.h"

#include <stdlib.h>

#include "family/heap.h"
#include "family/waiters.h"

enum { MANY_OBJECTS = 1000000, MANY_QUEUES = 10000, USED_QUEUES = 64, MANY_WAITERS = 16000 };
enum { STARTS = 10, CALLS = 1000, BLOCK = 64 };
#define GIB (1 << 30)
#define SLEEPERS 500
#define HELD_SECONDS 0.02
#define SETTLING 3.0
#define WATCHED_SECONDS 5.0

/* ---- targets ---- */

static int nothing(void *args, size_t size)
{
    (void)args;
    (void)size;
    return 0;
}

static int use_lock(void *args, size_t size)
{
    (void)size;
    const mproc_lock *lock = args;
    mproc_err err = mproc_lock_acquire(*lock, MPROC_FOREVER);
    return err || mproc_lock_release(*lock) ? 1 : 0;
}

static int poll_queues(void *args, size_t size)
{
    char byte;
    size_t taken;
    const mproc_queue *queues = args;
    for (size_t i = 0; i < size / sizeof *queues; i++) {
        if (mproc_queue_get(queues[i], &byte, 1, &taken, 0) != MPROC_EEMPTY)
            return 1;
    }
    return 0;
}

static int hand_round(void *args, size_t size)
{
    (void)size;
    const mproc_lock *lock = args;
    for (;;) {
        if (mproc_lock_acquire(*lock, MPROC_FOREVER))
            return 1;
        raw_sleep(HELD_SECONDS);
        if (mproc_lock_release(*lock))
            return 2;
    }
}

static double start_and_join(mproc_target target, const void *args, size_t size)
{
    double begin = raw_now();
    for (int i = 0; i < STARTS; i++) {
        mproc_process *process;
        bench_ok(mproc_process_create(
            &process, &(mproc_process_options){.target = target, .args = args, .args_size = size}));
        bench_ok(mproc_process_start(process));
        bench_ok(mproc_process_join(process, MPROC_FOREVER));
        mproc_process_free(process);
    }
    return (raw_now() - begin) / STARTS;
}

/* ---- roles ---- */

static mproc_lock lock;
static mproc_queue queues[USED_QUEUES];

static void make_locks(double count)
{
    mproc_lock other;
    bench_ok(mproc_lock_create(&lock));
    for (int i = 0; i < (int)count; i++)
        bench_ok(mproc_lock_create(&other));
}

static void make_queues(double count)
{
    for (int i = 0; i < (int)count; i++)
        bench_ok(mproc_queue_create(&queues[i % USED_QUEUES], NULL));
}

static void fill_heap(double bytes)
{
    arena_ref ref;
    bench_ok(mproc_lock_create(&lock));
    for (double done = 0; done < bytes; done += BLOCK)
        bench_ok(heap_alloc(BLOCK, family.self, &ref));
}

static void start_sample(double argument, double figures[2])
{
    (void)argument;
    figures[0] = start_and_join(nothing, NULL, 0);
}

static void lock_user_sample(double argument, double figures[2])
{
    (void)argument;
    figures[0] = start_and_join(use_lock, &lock, sizeof lock);
}

static void queue_user_sample(double argument, double figures[2])
{
    (void)argument;
    figures[0] = start_and_join(poll_queues, queues, sizeof queues);
}

/* Of a made-up process with a block. */
static void dead_sample(double argument, double figures[2])
{
    (void)argument;
    slot_id dead;
    arena_ref ref;
    bench_ok(slot_claim(family.self, "dead", false, &dead));
    bench_ok(heap_alloc(BLOCK, dead, &ref));
    double begin = raw_now();
    heap_sweep(dead, family.self);
    figures[0] = raw_now() - begin;
    slot_free(dead);
}

static void create_sample(double argument, double figures[2])
{
    (void)argument;
    mproc_lock made;
    double begin = raw_now();
    for (int i = 0; i < CALLS; i++) {
        bench_ok(mproc_lock_create(&made));
        bench_ok(mproc_lock_destroy(made));
    }
    figures[0] = (raw_now() - begin) / CALLS;
}

static mproc_condition condition;

static void wait_elsewhere(double count)
{
    waiting wait;
    mproc_condition other;
    bench_ok(mproc_condition_create(&condition, NULL));
    bench_ok(mproc_condition_create(&other, NULL));
    for (int i = 0; i < (int)count; i++)
        bench_ok(waiters_join(&wait, other.id, other.id));
    bench_ok(mproc_condition_acquire(condition, 0));
}

static void notify_sample(double argument, double figures[2])
{
    (void)argument;
    double begin = raw_now();
    for (int i = 0; i < CALLS; i++)
        bench_ok(mproc_condition_notify(condition, 1));
    figures[0] = (raw_now() - begin) / CALLS;
}

static mproc_process *sleepers[SLEEPERS];

static void start_sleepers(double argument)
{
    (void)argument;
    bench_ok(mproc_lock_create(&lock));
    for (int i = 0; i < SLEEPERS; i++) {
        bench_ok(mproc_process_create(
            &sleepers[i],
            &(mproc_process_options){
                .target = hand_round, .args = &lock, .args_size = sizeof lock, .daemon = true}));
        bench_ok(mproc_process_start(sleepers[i]));
    }
}

static void sleepers_sample(double argument, double figures[2])
{
    (void)argument;
    figures[0] = (double)mproc_process_pid(mproc_process_current());
}

static void end_sleepers(void)
{
    for (int i = 0; i < SLEEPERS; i++)
        mproc_process_kill(sleepers[i]);
    for (int i = 0; i < SLEEPERS; i++) {
        bench_ok(mproc_process_join(sleepers[i], MPROC_FOREVER));
        mproc_process_free(sleepers[i]);
    }
}

static const struct bench_role roles[] = {
    {"start", NULL, start_sample, NULL},
    {"lock-user", make_locks, lock_user_sample, NULL},
    {"queue-user", make_queues, queue_user_sample, NULL},
    {"dead-with-a-block", fill_heap, dead_sample, NULL},
    {"create", make_locks, create_sample, NULL},
    {"notify", wait_elsewhere, notify_sample, NULL},
    {"sleepers", start_sleepers, sleepers_sample, end_sleepers},
    {0}};

static const struct bench_comparison ends[] = {
    {"child that used a lock of a million, to one without any",
     {"lock-user", MANY_OBJECTS},
     {"start", 0},
     1e-6,
     BENCH_AT_MOST,
     1.2},
    {"  to one that used the only lock",
     {"lock-user", MANY_OBJECTS},
     {"lock-user", 0},
     1e-6,
     BENCH_AT_MOST,
     1.2},
    {"child that polled 64 queues of 10,000, to 64 of 64",
     {"queue-user", MANY_QUEUES},
     {"queue-user", USED_QUEUES},
     1e-6,
     BENCH_AT_MOST,
     1.2},
    {"sweep of a block beside 1 GiB of them, to 1 MiB",
     {"dead-with-a-block", GIB},
     {"dead-with-a-block", GIB >> 10},
     1e-6,
     BENCH_NO_BAR,
     0},
};

static const struct bench_comparison calls[] = {
    {"create and destroy a lock beside a million, to none",
     {"create", MANY_OBJECTS},
     {"create", 0},
     1e-9,
     BENCH_AT_MOST,
     2},
    {"notify nobody, 16,000 wait elsewhere, to none",
     {"notify", MANY_WAITERS},
     {"notify", 0},
     1e-9,
     BENCH_AT_MOST,
     1.2},
};

/* Each turn wakes two: the next one that gets the lock, and the one that has held it. */
static void watch_sleepers(void)
{
    const char *what = "500 hand a lock round: wake-ups beyond two a turn";
    struct bench_activity seen;
    if (!raw_knows_processes())
        bench_missing(what, "the system does not tell");
    else if (bench_watch(what, (struct bench_side){"sleepers", 0}, SETTLING, WATCHED_SECONDS,
                         &seen))
        bench_figure(what, seen.switches - 2 / HELD_SECONDS, "a second", BENCH_AT_MOST, 20);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    raw_begin(argv[0]);
    bench_play_role(argc, argv, roles);
    bench_title("ends", "us");
    bench_compare_all(ends, sizeof ends / sizeof *ends);
    bench_title("calls", "ns");
    bench_compare_all(calls, sizeof calls / sizeof *calls);
    bench_title("sleepers", "");
    watch_sleepers();
    return bench_summary();
}
