#include "sync.h"

#include "bench.h"
#include "raw.h"
#include "raw_sync.h"

#define BEAT 1e-4      /* of those who wait for the next sample */
#define COMPUTING 1e-4 /* by then whoever waits is asleep */
#define SETTLING 0.005

static void await(const _Atomic uint32_t *word, uint32_t value)
{
    while (atomic_load(word) != value)
        raw_sleep(BEAT);
}

/* ---- counting under the lock ---- */

/* They sleep between samples: 64 that looked by themselves would slow down the other side. */
static void sleep_until(_Atomic uint32_t *word, uint32_t value)
{
    uint32_t now;
    while ((now = atomic_load(word)) != value)
        raw_word_wait(word, now);
}

static void set(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    raw_word_wake(word);
}

static void count(void)
{
    for (;;) {
        uint64_t mine = 0;
        atomic_fetch_add(&board->ready, 1);
        sleep_until(&board->go, 1);
        for (; !atomic_load_explicit(&board->stop, memory_order_relaxed); mine++) {
            side->lock();
            board->counter++;
            side->unlock();
        }
        atomic_fetch_add(&board->counted, mine);
        atomic_fetch_sub(&board->ready, 1);
        sleep_until(&board->stop, 0);
    }
}

double sync_count(int processes, double seconds)
{
    await(&board->ready, (uint32_t)processes);
    uint64_t before = board->counter;
    double begin = raw_now();
    set(&board->go, 1);
    raw_sleep(seconds);
    uint64_t after = board->counter;
    double took = raw_now() - begin;
    atomic_store(&board->stop, 1);
    await(&board->ready, 0);
    bench_check(board->counter == atomic_load(&board->counted), "no addition is lost");
    atomic_store(&board->go, 0);
    set(&board->stop, 0);
    return took / (double)(after - before);
}

/* ---- handing over ---- */

void sync_stay(bool apart)
{
    board->apart = apart;
    raw_pin(0);
}

static void compute_and_give(enum passing which)
{
    double end = raw_now() + COMPUTING;
    while (raw_now() < end)
        continue;
    board->at = raw_now();
    side->give(which);
}

static void echo(bool late)
{
    raw_pin(board->apart ? 1 : 0);
    for (;;) {
        side->take(THERE);
        if (late)
            compute_and_give(BACK);
        else
            side->give(BACK);
    }
}

double sync_round_trip(int trips)
{
    side->give(THERE); /* so that the other is awake */
    side->take(BACK);
    double begin = raw_now();
    for (int i = 0; i < trips; i++) {
        side->give(THERE);
        side->take(BACK);
    }
    return (raw_now() - begin) / trips;
}

double sync_wake_up(int trips)
{
    double took[SYNC_MOST_TRIPS];
    for (int i = 0; i < trips; i++) {
        compute_and_give(THERE);
        side->take(BACK);
        took[i] = raw_now() - board->at;
    }
    return bench_median(took, (size_t)trips);
}

/* ---- the holder dies ---- */

static void hold(void)
{
    side->lock();
    atomic_store(&board->ready, 1);
    raw_idle();
}

static void inherit(void)
{
    for (;;) {
        side->take(THERE);
        side->lock();
        board->at = raw_now();
        side->unlock();
        side->give(BACK);
    }
}

double sync_inherit(void)
{
    int holder = side_start(JOB_HOLD);
    await(&board->ready, 1);
    atomic_store(&board->ready, 0);
    side->give(THERE);
    raw_sleep(SETTLING);
    double killed = raw_now();
    side->kill(holder);
    side->take(BACK);
    side_remove(holder);
    return board->at - killed;
}

/* ---- sleeping on all kinds of objects ---- */

static void sleep_on_something(void)
{
    switch (atomic_fetch_add(&board->ready, 1) % 3) {
    case 0:
        mproc_lock_acquire(board->lock, MPROC_FOREVER);
        break;
    case 1:
        mproc_semaphore_acquire(board->passed[THERE], MPROC_FOREVER);
        break;
    default:
        mproc_event_wait(board->event, MPROC_FOREVER);
        break;
    }
}

void sync_await_ready(uint32_t processes)
{
    await(&board->ready, processes);
}

void sync_work(enum job job)
{
    switch (job) {
    case JOB_COUNT:
        count();
        break;
    case JOB_ECHO:
    case JOB_ECHO_LATE:
        echo(job == JOB_ECHO_LATE);
        break;
    case JOB_HOLD:
        hold();
        break;
    case JOB_INHERIT:
        inherit();
        break;
    case JOB_SLEEP:
        sleep_on_something();
        break;
    case JOB_IDLE:
        atomic_fetch_add(&board->ready, 1);
        raw_idle();
        break;
    }
}
