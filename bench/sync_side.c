#include "sync.h"

#include "bench.h"
#include "raw.h"
#include "raw_sync.h"

#include <string.h>

#define MOST_CHILDREN 1024

const struct side *side;
struct board *board;
static int child_count;

void side_open(const struct side *chosen)
{
    side = chosen;
    side->open();
}

int side_start(enum job job)
{
    bench_check(child_count < MOST_CHILDREN, "room for a child");
    int child = side->start(job);
    child_count = child + 1;
    return child;
}

void side_start_many(enum job job, int count)
{
    for (int i = 0; i < count; i++)
        side_start(job);
}

void side_remove(int child)
{
    side->kill(child);
    side->reap(child);
    child_count--;
}

void side_close(void)
{
    for (int i = 0; i < child_count; i++)
        side->kill(i);
    for (int i = 0; i < child_count; i++)
        side->reap(i);
    child_count = 0;
}

void side_await_ready(uint32_t count)
{
    const double beat = 1e-4;
    while (atomic_load(&board->ready) < count)
        raw_sleep(beat);
}

/* ---- mproc ---- */

struct call {
    mproc_memory board;
    enum job job;
    bool by_queue;
};

static mproc_memory board_memory;
static mproc_process *children[MOST_CHILDREN];

/* So that a process has counted the processors before it stays on one of them: what it does later
 * is not to rest on that. */
static void count_processors(void)
{
    mproc_semaphore_acquire(board->never, 1);
}

static int child(void *args, size_t size)
{
    const struct call *call = args;
    (void)size;
    side = call->by_queue ? &side_queue : &side_mproc;
    board = mproc_memory_data(call->board);
    count_processors();
    sync_work(call->job);
    return 0;
}

static void mproc_open(void)
{
    bench_ok(mproc_memory_alloc(&board_memory, sizeof *board));
    board = mproc_memory_data(board_memory);
    memset(board, 0, sizeof *board);
    bench_ok(mproc_lock_create(&board->lock));
    bench_ok(mproc_rlock_create(&board->rlock));
    bench_ok(mproc_semaphore_create(&board->passed[THERE], 0, 0));
    bench_ok(mproc_semaphore_create(&board->passed[BACK], 0, 0));
    bench_ok(mproc_semaphore_create(&board->never, 0, 0));
    bench_ok(mproc_event_create(&board->event));
    bench_ok(mproc_queue_create(&board->queues[THERE], NULL));
    bench_ok(mproc_queue_create(&board->queues[BACK], NULL));
    count_processors();
}

static int mproc_start(enum job job)
{
    struct call call = {.board = board_memory, .job = job, .by_queue = side == &side_queue};
    mproc_process **process = &children[child_count];
    bench_ok(mproc_process_create(
        process,
        &(mproc_process_options){.target = child, .args = &call, .args_size = sizeof call}));
    bench_ok(mproc_process_start(*process));
    return child_count;
}

static void mproc_kill(int which)
{
    mproc_process_kill(children[which]);
}

static void mproc_reap(int which)
{
    mproc_process_join(children[which], MPROC_FOREVER);
    mproc_process_free(children[which]);
}

static void mproc_take_lock(void)
{
    mproc_err err = mproc_lock_acquire(board->lock, MPROC_FOREVER);
    if (err == MPROC_EOWNERDEAD)
        err = mproc_lock_mark_consistent(board->lock);
    bench_ok(err);
}

static void mproc_give_lock(void)
{
    bench_ok(mproc_lock_release(board->lock));
}

static void mproc_give(enum passing which)
{
    bench_ok(mproc_semaphore_release(board->passed[which]));
}

static void mproc_take(enum passing which)
{
    bench_ok(mproc_semaphore_acquire(board->passed[which], MPROC_FOREVER));
}

const struct side side_mproc = {mproc_open,      mproc_start,     mproc_kill, mproc_reap,
                                mproc_take_lock, mproc_give_lock, mproc_give, mproc_take};

static void queue_give(enum passing which)
{
    static uint64_t number;
    number++;
    bench_ok(mproc_queue_put(board->queues[which], &number, sizeof number, MPROC_FOREVER));
}

static void queue_take(enum passing which)
{
    uint64_t number;
    bench_ok(mproc_queue_get(board->queues[which], &number, sizeof number, NULL, MPROC_FOREVER));
}

const struct side side_queue = {mproc_open,      mproc_start,     mproc_kill, mproc_reap,
                                mproc_take_lock, mproc_give_lock, queue_give, queue_take};

/* ---- the system ---- */

static long long pids[MOST_CHILDREN];
static struct {
    _Alignas(64) _Atomic uint32_t word;
} * words; /* one for each passing */
static uint32_t taken[2];

static void system_open(void)
{
    bench_check(raw_sync_create(), "to make the system's objects");
    if (!raw_can_fork)
        return;
    board = raw_shared_memory(sizeof *board);
    words = raw_shared_memory(2 * sizeof *words);
    bench_check(board != NULL && words != NULL, "shared memory");
}

static void raw_child(int job)
{
    sync_work((enum job)job);
}

static int system_start(enum job job)
{
    pids[child_count] = raw_fork(raw_child, (int)job);
    bench_check(pids[child_count] > 0, "to fork");
    return child_count;
}

static void system_kill(int which)
{
    raw_kill(pids[which]);
}

static void system_reap(int which)
{
    raw_reap(pids[which]);
}

static void system_give(enum passing which)
{
    raw_semaphore_give(which == BACK);
}

static void system_take(enum passing which)
{
    raw_semaphore_take(which == BACK);
}

const struct side side_system = {system_open,   system_start,  system_kill, system_reap,
                                 raw_lock_take, raw_lock_give, system_give, system_take};

static void word_give(enum passing which)
{
    atomic_fetch_add(&words[which].word, 1);
    raw_word_wake(&words[which].word);
}

static void word_take(enum passing which)
{
    while (atomic_load(&words[which].word) == taken[which])
        raw_word_wait(&words[which].word, taken[which]);
    taken[which]++;
}

const struct side side_word = {system_open,   system_start,  system_kill, system_reap,
                               raw_lock_take, raw_lock_give, word_give,   word_take};

static void line_give(enum passing which)
{
    atomic_store_explicit(&board->line, which + 1u, memory_order_release);
}

/* It leaves the processor to others while no sample is taken. */
static void line_take(enum passing which)
{
    const long patience = 1000000;
    for (long looks = 0; atomic_load_explicit(&board->line, memory_order_acquire) != which + 1u;
         looks++) {
        if (looks > patience)
            raw_sleep(1e-4);
    }
}

const struct side side_line = {system_open,   system_start,  system_kill, system_reap,
                               raw_lock_take, raw_lock_give, line_give,   line_take};
