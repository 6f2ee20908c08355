/* Producers and consumers share two queues, and any of them is killed at any instant: each message
 * whose put returned arrives exactly once, or a consumer that was killed had taken it; none comes
 * twice, or torn, or from nowhere; nobody sleeps beside a message; and in the end nothing is left. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "../pace/pace.h"
#include "../unit/family_support.h"
#include "budget.h"
#include "family/family.h"
#include "family/heap.h"
#include "family/object.h"

enum { PRODUCERS = 8, CONSUMERS = 8, WORKERS = PRODUCERS + CONSUMERS, QUEUES = 2 };
enum { BOUND = 12, ENOUGH = 3000, BATCH = 5 }; /* messages: in each queue, and at once */
enum { NUMBERS = 1 << 20 };                    /* that a producer has in a round */
enum { LARGE = 5000, SMALL = 200, HEAD = 2 * sizeof(uint32_t) };
enum { PATIENCE_MS = 60000, SECONDS = 6, ROUND_SECONDS = 4, SOAK_SECONDS = 120, LEAST = 32 };

/* Of a message, by its number: how often it has come, and whether its producer was killed before it
 * knew that it had been put. */
enum { COME = 1, MAYBE = 0x80 };

typedef struct producer {
    _Atomic uint32_t begun; /* messages below have been put, or are just being put */
    _Atomic uint32_t sent;  /* those below have been put */
    _Atomic uint8_t state[NUMBERS];
} producer;

typedef struct consumer {
    _Atomic uint32_t taking; /* at most so many, in a call that has not been accounted for */
    _Atomic uint64_t taken;
} consumer;

typedef struct storm_board {
    mproc_queue queue[QUEUES];
    mproc_event never;
    _Atomic uint32_t stop;  /* for producers */
    _Atomic uint32_t wrong; /* a line where somebody saw what must not be */
    producer producer[PRODUCERS];
    consumer consumer[CONSUMERS];
} storm_board;

static arena_ref board_ref;
static storm_board *board; /* in each process */

typedef struct order {
    arena_ref board;
    uint32_t who, seed;
} order;

static void check(bool condition, uint32_t line)
{
    uint32_t none = 0;
    if (!condition)
        atomic_compare_exchange_strong(&board->wrong, &none, line);
}

#define MUST(condition) check((condition), __LINE__)

static void nap(void)
{
    mproc_event_wait(board->never, 1);
}

/* ---- messages ---- */

static size_t size_of(uint32_t number)
{
    return number % 32 == 31 ? LARGE - number % SMALL : HEAD + number % (SMALL - HEAD);
}

static size_t write_message(unsigned char *to, uint32_t who, uint32_t number)
{
    const uint32_t head[2] = {who, number};
    const size_t size = size_of(number);
    memset(to, (int)((number * 7 + who) & 0xff), size);
    memcpy(to, head, HEAD);
    return size;
}

/* Its number is its queue's, too: so each queue keeps each producer's order. */
static int queue_of(uint32_t number)
{
    return (int)(number / BATCH % QUEUES);
}

/* ---- producers ---- */

static mproc_err put_several(producer *self, uint32_t who, uint32_t first, uint32_t count)
{
    static unsigned char bytes[BATCH][LARGE];
    mproc_message messages[BATCH];
    size_t done = 0;
    for (uint32_t i = 0; i < count; i++)
        messages[i] = (mproc_message){bytes[i], write_message(bytes[i], who, first + i)};
    mproc_err err = mproc_queue_put_many(board->queue[queue_of(first)], messages, count, &done, 2);
    MUST(done <= count && (err != MPROC_OK || done == count));
    atomic_store(&self->sent, first + (uint32_t)done);
    return err;
}

static mproc_err put_loan(producer *self, uint32_t who, uint32_t number)
{
    mproc_loan loan;
    const mproc_queue queue = board->queue[queue_of(number)];
    mproc_err err = mproc_queue_reserve(queue, size_of(number), &loan);
    MUST(err == MPROC_OK);
    if (err)
        return err;
    write_message(loan.data, who, number);
    err = mproc_queue_commit(queue, &loan, 2);
    if (!err)
        atomic_store(&self->sent, number + 1);
    mproc_loan_release(&loan);
    return err;
}

static mproc_err put_one(producer *self, uint32_t who, uint32_t number, int timeout_ms)
{
    static unsigned char bytes[LARGE];
    const size_t size = write_message(bytes, who, number);
    mproc_err err = mproc_queue_put(board->queue[queue_of(number)], bytes, size, timeout_ms);
    if (!err)
        atomic_store(&self->sent, number + 1);
    return err;
}

static void put_some(producer *self, uint32_t who, uint32_t *seed)
{
    const uint32_t first = atomic_load(&self->sent), group = BATCH - first % BATCH;
    const uint32_t kind = next_random(seed) % 4;
    const uint32_t count = kind == 0 ? group : 1;
    atomic_store(&self->begun, first + count);
    mproc_err err = kind == 0   ? put_several(self, who, first, count)
                    : kind == 1 ? put_loan(self, who, first)
                    : kind == 2 ? put_one(self, who, first, 0)
                                : put_one(self, who, first, MPROC_FOREVER);
    MUST(err == MPROC_OK || err == MPROC_EFULL || err == MPROC_ETIMEDOUT);
}

static bool is_enough(void)
{
    size_t items = 0;
    MUST(mproc_queue_size(board->queue[0], &items) == MPROC_OK);
    return items > ENOUGH;
}

static void produce(uint32_t who, uint32_t seed)
{
    producer *self = &board->producer[who];
    while (!atomic_load(&board->stop)) {
        if (atomic_load(&self->sent) > NUMBERS - BATCH || is_enough())
            nap();
        else
            put_some(self, who, &seed);
    }
}

/* ---- consumers ---- */

typedef struct order_seen {
    uint32_t next[PRODUCERS]; /* the least number that may come from each */
} order_seen;

static void account(const unsigned char *message, size_t size, int which, order_seen *seen)
{
    static unsigned char expected[LARGE];
    uint32_t head[2];
    MUST(size >= HEAD);
    memcpy(head, message, HEAD);
    const bool known = head[0] < PRODUCERS && head[1] < NUMBERS;
    MUST(known);
    if (!known)
        return;
    producer *from = &board->producer[head[0]];
    MUST(head[1] < atomic_load(&from->begun));
    MUST(size == write_message(expected, head[0], head[1]) && !memcmp(message, expected, size));
    MUST(queue_of(head[1]) == which && head[1] >= seen->next[head[0]]);
    seen->next[head[0]] = head[1] + 1;
    MUST((atomic_fetch_add(&from->state[head[1]], COME) & ~MAYBE) == 0);
}

static mproc_err get_several(mproc_queue queue, int which, order_seen *seen, uint64_t *count)
{
    static unsigned char bytes[BATCH * LARGE];
    size_t sizes[BATCH], got = 0, at = 0;
    mproc_err err = mproc_queue_get_many(queue, bytes, sizeof bytes, sizes, BATCH, &got, 2);
    if (err)
        return err;
    MUST(got >= 1 && got <= BATCH);
    for (size_t i = 0; i < got; i++) {
        account(bytes + at, sizes[i], which, seen);
        at += sizes[i];
    }
    *count += got;
    return MPROC_OK;
}

static mproc_err get_loan(mproc_queue queue, int which, order_seen *seen, uint64_t *count)
{
    mproc_loan loan;
    mproc_err err = mproc_queue_get_loan(queue, &loan, MPROC_FOREVER);
    if (err)
        return err;
    account(loan.data, loan.size, which, seen);
    mproc_loan_release(&loan);
    *count += 1;
    return MPROC_OK;
}

static mproc_err get_one(mproc_queue queue, int which, order_seen *seen, uint64_t *count)
{
    static unsigned char bytes[LARGE];
    size_t size = 0;
    mproc_err err = mproc_queue_get(queue, bytes, sizeof bytes, &size, MPROC_FOREVER);
    if (err)
        return err;
    account(bytes, size, which, seen);
    *count += 1;
    return MPROC_OK;
}

/* Half of them at each queue, where they sleep until something comes. */
static void consume(uint32_t who, uint32_t seed)
{
    consumer *self = &board->consumer[who];
    const int which = (int)(who % QUEUES);
    order_seen seen = {{0}};
    mproc_err err = MPROC_OK;
    while (err != MPROC_ECLOSED) {
        const uint32_t kind = next_random(&seed) % 3;
        uint64_t count = 0;
        atomic_store(&self->taking, kind == 0 ? BATCH : 1);
        err = (kind == 0   ? get_several
               : kind == 1 ? get_loan
                           : get_one)(board->queue[which], which, &seen, &count);
        MUST(!err || err == MPROC_EEMPTY || err == MPROC_ETIMEDOUT || err == MPROC_ECLOSED);
        atomic_fetch_add(&self->taken, count);
        atomic_store(&self->taking, 0);
    }
}

static int be_worker(void *args, size_t size)
{
    const order *told = args;
    (void)size;
    signal(SIGSEGV, SIG_DFL);
    board = arena_at(told->board);
    if (told->who < PRODUCERS)
        produce(told->who, told->seed);
    else
        consume(told->who - PRODUCERS, told->seed);
    return 0;
}

/* ---- the root ---- */

static mproc_process *workers[WORKERS];

static void start(uint32_t who, uint32_t seed)
{
    const order told = {board_ref, who, seed};
    const mproc_process_options options = {
        .target = be_worker, .args = &told, .args_size = sizeof told, .daemon = true};
    assert_int_equal(mproc_process_create(&workers[who], &options), MPROC_OK);
    assert_int_equal(mproc_process_start(workers[who]), MPROC_OK);
}

static void join(uint32_t who)
{
    assert_int_equal(mproc_process_join(workers[who], PATIENCE_MS), MPROC_OK);
    mproc_process_free(workers[who]);
}

typedef struct totals {
    uint64_t kills, sent, uncertain, lost, most_lost;
} totals;

/* What the dead one had begun may have been put, and what it was taking may be gone. */
static void settle(uint32_t who, totals *sum)
{
    if (who >= PRODUCERS) {
        sum->most_lost += atomic_exchange(&board->consumer[who - PRODUCERS].taking, 0);
        return;
    }
    producer *dead = &board->producer[who];
    for (uint32_t i = atomic_load(&dead->sent); i < atomic_load(&dead->begun); i++)
        atomic_fetch_or(&dead->state[i], MAYBE);
    if (atomic_load(&dead->sent) < atomic_load(&dead->begun))
        atomic_store(&dead->sent, atomic_load(&dead->begun));
}

static uint64_t count_taken(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < CONSUMERS; i++)
        sum += atomic_load(&board->consumer[i].taken);
    return sum;
}

static void expect_right(void)
{
    if (atomic_load(&board->wrong))
        fail_msg("wrong at line %u", atomic_load(&board->wrong));
}

static void expect_progress(uint64_t before)
{
    const int64_t end = os_now() + PATIENCE_MS * INT64_C(1000000);
    while (count_taken() == before && os_now() < end)
        nap();
    assert_true(count_taken() > before);
    expect_right();
}

static void rage(uint32_t *seed, totals *sum)
{
    const int64_t end =
        is_soak() ? os_now() + ROUND_SECONDS * INT64_C(1000000000) : budget_end(SECONDS, 1);
    for (int i = 0; i < LEAST || os_now() < end; i++) {
        const uint64_t taken = count_taken();
        const uint32_t who = next_random(seed) % WORKERS;
        mproc_event_wait(board->never, (int)(next_random(seed) % 4));
        assert_int_equal(mproc_process_kill(workers[who]), MPROC_OK);
        join(who);
        settle(who, sum);
        start(who, next_random(seed));
        sum->kills++;
        if (i % 16 == 0)
            expect_progress(taken);
    }
}

/* The consumers are still there: what nobody takes now, nobody was woken for. */
static void await_empty(mproc_queue queue)
{
    const int64_t end = os_now() + PATIENCE_MS * INT64_C(1000000);
    while (!mproc_queue_is_empty(queue) && os_now() < end)
        nap();
    assert_true(mproc_queue_is_empty(queue));
}

static void wind_down(void)
{
    atomic_store(&board->stop, 1);
    for (uint32_t i = 0; i < PRODUCERS; i++)
        join(i);
    for (int i = 0; i < QUEUES; i++)
        await_empty(board->queue[i]);
    for (int i = 0; i < QUEUES; i++)
        assert_int_equal(mproc_queue_close(board->queue[i]), MPROC_OK);
    for (uint32_t i = PRODUCERS; i < WORKERS; i++)
        join(i);
    expect_right();
}

/* Those that a killed producer may have put, or not, are not missed. */
static void count_all(totals *sum)
{
    for (int i = 0; i < PRODUCERS; i++) {
        const producer *one = &board->producer[i];
        const uint32_t sent = atomic_load(&one->sent);
        for (uint32_t k = 0; k < NUMBERS; k++) {
            const uint8_t state = atomic_load(&one->state[k]);
            assert_true((state & ~MAYBE) <= (k < sent ? COME : 0));
            sum->sent += k < sent;
            sum->uncertain += (state & MAYBE) != 0;
            sum->lost += k < sent && state == 0;
        }
    }
    assert_true(sum->lost <= sum->most_lost);
}

static void storm_once(uint32_t *seed, totals *sum)
{
    const mproc_queue_options bounded = {.max_items = BOUND};
    const uint64_t used = heap_used();
    const uint32_t objects_before = object_count();
    memset(board, 0, sizeof *board);
    assert_int_equal(mproc_event_create(&board->never), MPROC_OK);
    assert_int_equal(mproc_queue_create(&board->queue[0], NULL), MPROC_OK);
    assert_int_equal(mproc_queue_create(&board->queue[1], &bounded), MPROC_OK);
    for (uint32_t i = 0; i < WORKERS; i++)
        start(i, i + next_random(seed));
    rage(seed, sum);
    wind_down();
    count_all(sum);
    for (int i = 0; i < QUEUES; i++)
        assert_int_equal(mproc_queue_destroy(board->queue[i]), MPROC_OK);
    assert_int_equal(mproc_event_destroy(board->never), MPROC_OK);
    assert_int_equal(heap_used(), used);
    assert_int_equal(object_count(), objects_before);
}

static void each_message_arrives_once_through_a_storm_of_kills(void **state)
{
    (void)state;
    totals sum = {0};
    uint32_t seed = pace_seed();
    print_message("MPROC_TEST_SEED=%u\n", pace_seed());
    assert_int_equal(heap_alloc(sizeof *board, family.self, &board_ref), MPROC_OK);
    board = arena_at(board_ref);
    const int64_t end = os_now() + (is_soak() ? SOAK_SECONDS : 0) * INT64_C(1000000000);
    do
        storm_once(&seed, &sum);
    while (os_now() < end);
    heap_free(board_ref, family.self);
    print_message("queue storm: %llu kills; of %llu messages %llu were being put by a killed one, "
                  "%llu had been taken by one (at most %llu); %llu process starts, seed %u\n",
                  (unsigned long long)sum.kills, (unsigned long long)sum.sent,
                  (unsigned long long)sum.uncertain, (unsigned long long)sum.lost,
                  (unsigned long long)sum.most_lost, (unsigned long long)count_starts(),
                  pace_seed());
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_arrives_once_through_a_storm_of_kills),
    };
    return cmocka_run_group_tests(tests, found_family, NULL);
}
