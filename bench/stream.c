#include "stream.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <mproc/mproc.h>

#include "bench.h"
#include "boost.h"
#include "raw.h"
#include "raw_sync.h"

#define MOST_PROCESSES 16
#define LAST UINT64_MAX /* the number of a message that ends its consumer's round */
#define BEAT 1e-4

struct board {
    mproc_queue queue;
    _Alignas(64) _Atomic uint32_t ready, go, producing, consuming, over;
    _Alignas(64) _Atomic uint64_t sum; /* of the numbers of all messages that have come */
    double end;
};

static const struct stream *stream;
static struct board *board;
static unsigned char *messages; /* one batch */

/* ---- the means ---- */

static void queue_open(const struct stream *opened)
{
    bench_ok(mproc_queue_create(&board->queue, &(mproc_queue_options){.max_items = opened->bound}));
}

static void queue_put(const unsigned char *put, size_t count)
{
    if (count == 1) {
        bench_ok(mproc_queue_put(board->queue, put, stream->size, MPROC_FOREVER));
        return;
    }
    mproc_message each[STREAM_MOST];
    for (size_t i = 0; i < count; i++)
        each[i] = (mproc_message){put + i * stream->size, stream->size};
    bench_ok(mproc_queue_put_many(board->queue, each, count, NULL, MPROC_FOREVER));
}

static size_t queue_get(unsigned char *taken, size_t most)
{
    size_t sizes[STREAM_MOST], count = 1;
    if (most == 1)
        bench_ok(mproc_queue_get(board->queue, taken, stream->size, sizes, MPROC_FOREVER));
    else
        bench_ok(mproc_queue_get_many(board->queue, taken, most * stream->size, sizes, most, &count,
                                      MPROC_FOREVER));
    return count;
}

const struct means by_queue = {queue_open, queue_put, queue_get};

static void boost_queue_open(const struct stream *opened)
{
    bench_check(boost_open(opened->bound, opened->size), "to open Boost's queue");
}

static void boost_queue_put(const unsigned char *put, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bench_check(boost_put(put + i * stream->size, stream->size), "to put into Boost's queue");
}

static size_t boost_queue_get(unsigned char *taken, size_t most)
{
    (void)most;
    bench_check(boost_get(taken, stream->size), "to get from Boost's queue");
    return 1;
}

const struct means by_boost = {boost_queue_open, boost_queue_put, boost_queue_get};

/* Each side keeps what it last saw of the other's index in a line of its own. */
static struct shared_ring {
    _Alignas(64) _Atomic uint64_t tail;
    uint64_t head_seen;
    _Alignas(64) _Atomic uint64_t head;
    uint64_t tail_seen;
    _Alignas(64) unsigned char slot[];
} * shared_ring;

static void ring_open(const struct stream *opened)
{
    shared_ring = raw_shared_memory(sizeof *shared_ring + opened->bound * opened->size);
    bench_check(shared_ring != NULL, "shared memory");
}

static void ring_put(const unsigned char *put, size_t count)
{
    uint64_t tail = atomic_load_explicit(&shared_ring->tail, memory_order_relaxed);
    while (tail + count - shared_ring->head_seen > stream->bound)
        shared_ring->head_seen = atomic_load_explicit(&shared_ring->head, memory_order_acquire);
    for (size_t i = 0; i < count; i++)
        memcpy(shared_ring->slot + (tail + i) % stream->bound * stream->size,
               put + i * stream->size, stream->size);
    atomic_store_explicit(&shared_ring->tail, tail + count, memory_order_release);
}

static size_t ring_get(unsigned char *taken, size_t most)
{
    uint64_t head = atomic_load_explicit(&shared_ring->head, memory_order_relaxed);
    while (shared_ring->tail_seen == head)
        shared_ring->tail_seen = atomic_load_explicit(&shared_ring->tail, memory_order_acquire);
    size_t count = (size_t)(shared_ring->tail_seen - head);
    count = count < most ? count : most;
    for (size_t i = 0; i < count; i++)
        memcpy(taken + i * stream->size,
               shared_ring->slot + (head + i) % stream->bound * stream->size, stream->size);
    atomic_store_explicit(&shared_ring->head, head + count, memory_order_release);
    return count;
}

const struct means by_ring = {ring_open, ring_put, ring_get};

/* ---- the processes ---- */

static unsigned char *message_at(size_t index)
{
    return messages + index * stream->size;
}

static void set_number(size_t index, uint64_t number)
{
    memcpy(message_at(index), &number, sizeof number);
}

static uint64_t number_at(size_t index)
{
    uint64_t number;
    memcpy(&number, message_at(index), sizeof number);
    return number;
}

/* The last one to be done ends all consumers, each by a message of its own. */
static void produce(void)
{
    const uint64_t count = stream->count / stream->producers;
    for (uint64_t sent = 0; sent < count;) {
        size_t batch = count - sent < stream->batch ? (size_t)(count - sent) : stream->batch;
        for (size_t i = 0; i < batch; i++)
            set_number(i, sent + i);
        stream->means->put(messages, batch);
        sent += batch;
    }
    if (atomic_fetch_sub(&board->producing, 1) != 1)
        return;
    set_number(0, LAST);
    for (uint32_t i = 0; i < stream->consumers; i++)
        stream->means->put(messages, 1);
}

/* Nothing follows a last one but other last ones, which are handed on. */
static void consume(void)
{
    uint64_t sum = 0;
    uint32_t last = 0;
    while (last == 0) {
        size_t count = stream->means->get(messages, stream->batch);
        for (size_t i = 0; i < count; i++) {
            uint64_t number = number_at(i);
            last += number == LAST;
            sum += number == LAST ? 0 : number;
        }
    }
    set_number(0, LAST);
    for (; last > 1; last--)
        stream->means->put(messages, 1);
    atomic_fetch_add(&board->sum, sum);
    if (atomic_fetch_sub(&board->consuming, 1) != 1)
        return;
    board->end = raw_now();
    atomic_fetch_add(&board->over, 1);
    raw_word_wake(&board->over);
}

static void work(int who)
{
    messages = malloc(stream->batch * stream->size);
    bench_check(messages != NULL, "memory for messages");
    memset(messages, 0, stream->batch * stream->size);
    for (uint32_t round = 0;; round++) {
        atomic_fetch_add(&board->ready, 1);
        while (atomic_load(&board->go) == round)
            raw_word_wait(&board->go, round);
        if ((uint32_t)who < stream->producers)
            produce();
        else
            consume();
    }
}

static long long raw_children[MOST_PROCESSES];
static mproc_process *children[MOST_PROCESSES];
static mproc_memory board_memory;

struct call {
    struct stream stream;
    mproc_memory board;
    int who;
};

static int child(void *args, size_t size)
{
    const struct call *call = args;
    (void)size;
    stream = &call->stream;
    board = mproc_memory_data(call->board);
    work(call->who);
    return 0;
}

static void start(int who)
{
    if (stream->means != &by_queue) {
        raw_children[who] = raw_fork(work, who);
        bench_check(raw_children[who] > 0, "to fork");
        return;
    }
    const struct call call = {*stream, board_memory, who};
    bench_ok(mproc_process_create(
        &children[who],
        &(mproc_process_options){.target = child, .args = &call, .args_size = sizeof call}));
    bench_ok(mproc_process_start(children[who]));
}

void stream_open(const struct stream *opened)
{
    stream = opened;
    if (stream->means == &by_queue) {
        bench_ok(mproc_memory_alloc(&board_memory, sizeof *board));
        board = mproc_memory_data(board_memory);
    } else {
        board = raw_shared_memory(sizeof *board);
        bench_check(board != NULL, "shared memory");
    }
    memset(board, 0, sizeof *board);
    stream->means->open(stream);
    for (uint32_t i = 0; i < stream->producers + stream->consumers; i++)
        start((int)i);
}

double stream_sample(void)
{
    const uint64_t each = stream->count / stream->producers;
    while (atomic_load(&board->ready) != stream->producers + stream->consumers)
        raw_sleep(BEAT);
    atomic_store(&board->ready, 0);
    atomic_store(&board->sum, 0);
    atomic_store(&board->producing, stream->producers);
    atomic_store(&board->consuming, stream->consumers);
    const uint32_t over = atomic_load(&board->over);
    double begin = raw_now();
    atomic_fetch_add(&board->go, 1);
    raw_word_wake(&board->go);
    while (atomic_load(&board->over) == over)
        raw_word_wait(&board->over, over);
    bench_check(atomic_load(&board->sum) == stream->producers * (each * (each - 1) / 2),
                "each message once");
    return (board->end - begin) / (double)(each * stream->producers);
}

void stream_close(void)
{
    for (uint32_t i = 0; i < stream->producers + stream->consumers; i++) {
        if (stream->means == &by_queue) {
            mproc_process_kill(children[i]);
            mproc_process_join(children[i], MPROC_FOREVER);
            mproc_process_free(children[i]);
        } else {
            raw_kill(raw_children[i]);
            raw_reap(raw_children[i]);
        }
    }
}
