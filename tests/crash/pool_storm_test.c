/* Four threads give a pool all kinds of work while its workers are killed at any instant: each item
 * comes to exactly one end, its result or an error; only a killed worker's item has crashed, and
 * where crashes are tried again none has; nothing hangs; and in the end nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "../pace/pace.h"
#include "../unit/family_support.h"
#include "budget.h"
#include "family/family.h"
#include "family/heap.h"
#include "pool_inside.h"

enum { THREADS = 4, WORKERS = 4, ITEMS = 240, REPLY = 5000, KILLS_KEPT = 65536 };
enum { PATIENCE_MS = 60000, SECONDS = 6, ROUND_SECONDS = 2, LEAST = 8 };
enum { SOAK_SECONDS = 120, SOAK_KILLS = 200 };

/* In the arena: how often each thread's items were begun. */
typedef struct storm_board {
    _Atomic uint8_t begun[THREADS][ITEMS];
} storm_board;

typedef struct item {
    uint32_t who, index, number, more[25]; /* some are too large for a cell */
} item;

typedef struct totals {
    uint64_t kills, early, done, failed, crashed;
} totals;

static arena_ref board_ref;
static storm_board *board; /* in each process */
static mproc_pool *pool;
static bool retries;
static _Atomic bool stop;
static _Atomic uint32_t wrong; /* a line where a thread saw what must not be */
static _Atomic int64_t killed[KILLS_KEPT];
static _Atomic uint64_t done, failed, crashed;

#define MUST(condition) check((condition), __LINE__)

static void check(bool condition, uint32_t line)
{
    uint32_t none = 0;
    if (!condition)
        atomic_compare_exchange_strong(&wrong, &none, line);
}

/* ---- what the workers run ---- */

static int find_board(void *args, size_t size)
{
    (void)size;
    board = arena_at(*(arena_ref *)args);
    return 0;
}

static bool fails(uint32_t number)
{
    return number % 23 == 7;
}

static size_t reply_size(uint32_t number)
{
    return number % 16 == 3 ? REPLY - number % 100 : number % 4 == 1 ? 100 + number % 500 : 8;
}

static uint64_t answer(uint32_t number)
{
    return (uint64_t)number * 3 + 1;
}

/* Some take as long as a kill does, most next to nothing. */
static void work_on(uint32_t number)
{
    const int64_t end = os_now() + (number % 64 == 5 ? 1000000 : number % 8 == 5 ? 30000 : 0);
    while (os_now() < end)
        os_pause();
}

static const item *begin(mproc_task *task)
{
    size_t size;
    const item *given = mproc_task_input(task, &size);
    atomic_fetch_add(&board->begun[given->who][given->index], 1);
    work_on(given->number);
    return given;
}

/* As many bytes as were asked for, each with the answer's lowest byte but for the first ones. */
static int reply_in(mproc_task *task, uint32_t number, size_t size)
{
    const uint64_t whole = answer(number);
    unsigned char *room;
    if (fails(number))
        return mproc_task_fail(task, "number %u", (unsigned)number);
    if (!(room = mproc_task_reply_buffer(task, size)))
        return -1;
    memset(room, (int)(whole & 0xff), size);
    memcpy(room, &whole, sizeof whole);
    return 0;
}

static int reply_at_length(mproc_task *task)
{
    const uint32_t number = begin(task)->number;
    return reply_in(task, number, reply_size(number));
}

static int reply_in_short(mproc_task *task)
{
    return reply_in(task, begin(task)->number, sizeof(uint64_t));
}

/* ---- accounts ---- */

static bool was_killed(long long pid)
{
    for (size_t i = 0; i < KILLS_KEPT && atomic_load(&killed[i]); i++) {
        if (atomic_load(&killed[i]) == pid)
            return true;
    }
    return false;
}

static bool is_reply(const unsigned char *bytes, size_t size, uint32_t number, size_t expected)
{
    const uint64_t whole = answer(number);
    if (size != expected || memcmp(bytes, &whole, sizeof whole))
        return false;
    for (size_t i = sizeof whole; i < size; i++) {
        if (bytes[i] != (whole & 0xff))
            return false;
    }
    return true;
}

static void account_error(const item *of, const mproc_task_error *error)
{
    if (error->err == MPROC_ETASK) {
        MUST(fails(of->number) && !strncmp(error->message, "number ", 7));
        MUST((uint32_t)atoi(error->message + 7) == of->number);
        atomic_fetch_add(&failed, 1);
    } else {
        MUST(error->err == MPROC_ECRASHED && !retries);
        MUST(error->status.code == 9 && was_killed(error->pid));
        atomic_fetch_add(&crashed, 1);
    }
}

/* Nothing that crashed is begun again but where it is to be tried again. */
static void account(const item *of, mproc_err err, const mproc_task_error *error, const void *bytes,
                    size_t size, size_t expected)
{
    const unsigned begun = atomic_exchange(&board->begun[of->who][of->index], 0);
    MUST(retries || begun <= 1);
    if (err) {
        MUST(error->err == err && (begun || err == MPROC_ECRASHED));
        account_error(of, error);
        return;
    }
    MUST(begun >= 1 && !fails(of->number) && is_reply(bytes, size, of->number, expected));
    atomic_fetch_add(&done, 1);
}

/* ---- the threads ---- */

typedef struct worker_thread {
    os_handle handle;
    uint32_t who, seed;
    item items[ITEMS];
    uint64_t replies[ITEMS];
    mproc_task_error errors[ITEMS];
    size_t failed;
    mproc_result *results[ITEMS];
} submitter;

static submitter submitters[THREADS];

static size_t make_items(submitter *self)
{
    const size_t count = 1 + next_random(&self->seed) % ITEMS;
    for (size_t i = 0; i < count; i++)
        self->items[i] =
            (item){.who = self->who, .index = (uint32_t)i, .number = next_random(&self->seed)};
    return count;
}

/* The item's own; by ascending index. */
static const mproc_task_error *next_error(const submitter *self, size_t index, size_t *next)
{
    if (*next < self->failed && self->errors[*next].index == index)
        return &self->errors[(*next)++];
    return NULL;
}

static void account_map(submitter *self, size_t count, mproc_err err, mproc_results *bytes)
{
    size_t next = 0;
    MUST(err == (self->failed ? self->errors[0].err : MPROC_OK));
    for (size_t i = 0; i < count; i++) {
        const item *of = &self->items[i];
        const mproc_task_error *error = next_error(self, i, &next);
        const void *reply = &self->replies[i];
        size_t size = sizeof self->replies[i];
        mproc_err of_item = error ? error->err : MPROC_OK;
        if (bytes)
            MUST(mproc_results_get(bytes, i, &reply, &size) == of_item);
        account(of, of_item, error, reply, size, bytes ? reply_size(of->number) : size);
    }
    MUST(next == self->failed);
}

static mproc_map_options map_options(submitter *self)
{
    return (mproc_map_options){.chunk_size = next_random(&self->seed) % 4,
                               .errors = self->errors,
                               .error_capacity = ITEMS,
                               .error_count = &self->failed};
}

static void map(submitter *self)
{
    const size_t count = make_items(self);
    const mproc_map_options options = map_options(self);
    mproc_err err = mproc_pool_map(pool, reply_in_short, self->items, sizeof(item), count,
                                   self->replies, sizeof self->replies[0], &options);
    account_map(self, count, err, NULL);
}

static void map_async(submitter *self)
{
    const size_t count = make_items(self);
    const mproc_map_options options = map_options(self);
    mproc_result *result = NULL;
    MUST(mproc_pool_map_async(pool, reply_in_short, self->items, sizeof(item), count, self->replies,
                              sizeof self->replies[0], &options, NULL, &result) == MPROC_OK);
    mproc_err err = mproc_result_get(result, PATIENCE_MS, NULL, NULL);
    account_map(self, count, err, NULL);
    mproc_result_free(result);
}

static void map_bytes(submitter *self)
{
    mproc_bytes spans[ITEMS];
    mproc_results *results = NULL;
    const size_t count = make_items(self);
    const mproc_map_options options = map_options(self);
    for (size_t i = 0; i < count; i++)
        spans[i] = (mproc_bytes){&self->items[i], sizeof(item)};
    mproc_err err = mproc_pool_map_bytes(pool, reply_at_length, spans, count, &results, &options);
    MUST(results != NULL);
    if (results)
        account_map(self, count, err, results);
    mproc_results_free(results);
}

static void account_result(const item *of, mproc_result *result)
{
    const void *reply = NULL;
    size_t size = 0;
    mproc_task_error error = {0};
    mproc_err err = mproc_result_get(result, PATIENCE_MS, &reply, &size);
    MUST(mproc_result_error(result, &error) == MPROC_OK);
    account(of, err, &error, reply, size, reply_size(of->number));
}

/* Without what they need not have, half of them fit into their cells. */
static size_t input_size(submitter *self)
{
    return next_random(&self->seed) % 2 ? sizeof(item) : 3 * sizeof(uint32_t);
}

static void apply_async(submitter *self)
{
    const size_t count = make_items(self);
    for (size_t i = 0; i < count; i++)
        MUST(mproc_pool_apply_async(pool, reply_at_length, &self->items[i], input_size(self), NULL,
                                    &self->results[i]) == MPROC_OK);
    for (size_t i = 0; i < count; i++) {
        account_result(&self->items[i], self->results[i]);
        mproc_result_free(self->results[i]);
    }
}

static void apply(submitter *self)
{
    static _Thread_local unsigned char reply[REPLY];
    make_items(self);
    const item *of = &self->items[0];
    size_t size = 0;
    mproc_err err =
        mproc_pool_apply(pool, reply_at_length, of, input_size(self), reply, sizeof reply, &size);
    if (err) { /* it does not tell more */
        MUST(err == MPROC_ETASK ? fails(of->number) : err == MPROC_ECRASHED && !retries);
        atomic_store(&board->begun[of->who][0], 0);
        atomic_fetch_add(err == MPROC_ETASK ? &failed : &crashed, 1);
    } else {
        account(of, err, NULL, reply, size, reply_size(of->number));
    }
}

static void iterate(submitter *self, bool unordered)
{
    bool seen[ITEMS] = {false};
    const size_t count = make_items(self);
    const mproc_imap_options options = {.window = 1 + next_random(&self->seed) % 32};
    mproc_iterator *iterator = NULL;
    MUST((unordered ? mproc_pool_imap_unordered
                    : mproc_pool_imap)(pool, reply_at_length, self->items, sizeof(item), count,
                                       &options, &iterator) == MPROC_OK);
    for (size_t i = 0; i < count; i++) {
        const void *reply = NULL;
        size_t size = 0;
        mproc_task_error error = {0};
        mproc_err err = mproc_iterator_next(iterator, PATIENCE_MS, &reply, &size);
        MUST(mproc_iterator_error(iterator, &error) == MPROC_OK);
        MUST(error.index < count && !seen[error.index] && (unordered || error.index == i));
        if (error.index >= count)
            break;
        seen[error.index] = true;
        account(&self->items[error.index], err, &error, reply, size,
                reply_size(self->items[error.index].number));
    }
    MUST(mproc_iterator_next(iterator, PATIENCE_MS, NULL, NULL) == MPROC_EEMPTY);
    mproc_iterator_free(iterator);
}

static void submit_all_kinds(void *argument)
{
    submitter *self = argument;
    while (!atomic_load(&stop) && !atomic_load(&wrong)) {
        switch (next_random(&self->seed) % 7) {
        case 0:
            map(self);
            break;
        case 1:
            map_async(self);
            break;
        case 2:
            map_bytes(self);
            break;
        case 3:
            apply_async(self);
            break;
        case 4:
            apply(self);
            break;
        default:
            iterate(self, next_random(&self->seed) % 2);
        }
    }
}

/* ---- the root ---- */

static void nap(uint32_t milliseconds)
{
    static mproc_event never;
    if (!mproc_event_is_set(never) && mproc_event_wait(never, 0) == MPROC_ESTALE)
        assert_int_equal(mproc_event_create(&never), MPROC_OK);
    mproc_event_wait(never, (int)milliseconds);
}

/* Three in a row that end before they are ready would break the pool: of those one at a time. */
static void kill_one(uint32_t *seed, totals *sum)
{
    const int who = (int)(next_random(seed) % WORKERS);
    const bool ready = pool_worker_is_ready(pool, who);
    if (!ready && next_random(seed) % 4)
        return;
    mproc_process *worker = pool_worker_of(pool, who);
    const long long pid = mproc_process_pid(worker);
    if (pid > 0 && sum->kills < KILLS_KEPT - 1) {
        atomic_store(&killed[sum->kills], pid);
        if (mproc_process_kill(worker) == MPROC_OK) {
            sum->kills++;
            sum->early += !ready;
        }
    }
    mproc_process_free(worker);
    const int64_t end = os_now() + PATIENCE_MS * INT64_C(1000000);
    while (!ready && !pool_worker_is_ready(pool, who) && os_now() < end)
        nap(1);
}

static void rage(uint32_t *seed, totals *sum)
{
    const int64_t end =
        is_soak() ? os_now() + ROUND_SECONDS * INT64_C(1000000000) : budget_end(SECONDS, 2);
    const uint64_t least = sum->kills + LEAST;
    while ((sum->kills < least || os_now() < end) && !atomic_load(&wrong)) {
        nap(next_random(seed) % 8);
        kill_one(seed, sum);
    }
}

static size_t count_children(void)
{
    size_t count = 99;
    assert_int_equal(mproc_active_children(NULL, 0, &count), MPROC_OK);
    return count;
}

static void storm_once(uint32_t *seed, totals *sum)
{
    const mproc_pool_options options = {.workers = WORKERS,
                                        .initializer = find_board,
                                        .initializer_args = &board_ref,
                                        .initializer_args_size = sizeof board_ref,
                                        .on_crash =
                                            retries ? MPROC_CRASH_RETRIES : MPROC_CRASH_FAILS,
                                        .retries = 1000,
                                        .max_tasks = next_random(seed) % 2 ? 3000 : 0};
    const uint64_t used = heap_used();
    memset(board, 0, sizeof *board);
    atomic_store(&stop, false);
    assert_int_equal(mproc_pool_create(&pool, &options), MPROC_OK);
    for (uint32_t i = 0; i < THREADS; i++) {
        submitters[i].who = i;
        submitters[i].seed = next_random(seed) + i;
        assert_int_equal(os_thread_start(&submitters[i].handle, submit_all_kinds, &submitters[i]),
                         MPROC_OK);
    }
    rage(seed, sum);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        os_thread_join(submitters[i].handle);
    if (atomic_load(&wrong))
        fail_msg("wrong at line %u", atomic_load(&wrong));
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, PATIENCE_MS), MPROC_OK);
    mproc_pool_free(pool);
    assert_int_equal(count_children(), 0);
    assert_int_equal(heap_used(), used);
}

static bool is_enough(const totals *sum, int64_t end)
{
    const bool slow = !os_can_start(MPROC_FORK);
    return !is_soak() || (slow ? sum->kills >= SOAK_KILLS : os_now() >= end);
}

static void each_item_comes_to_one_end_through_a_storm_of_kills(void **state)
{
    (void)state;
    totals sum = {0};
    uint32_t seed = pace_seed();
    print_message("MPROC_TEST_SEED=%u\n", pace_seed());
    assert_int_equal(heap_alloc(sizeof *board, family.self, &board_ref), MPROC_OK);
    board = arena_at(board_ref);
    nap(0);
    const int64_t end = os_now() + SOAK_SECONDS * INT64_C(1000000000);
    do {
        for (int i = 0; i < 2; i++) {
            retries = i;
            storm_once(&seed, &sum);
        }
    } while (!is_enough(&sum, end));
    heap_free(board_ref, family.self);
    sum.done = atomic_load(&done);
    sum.failed = atomic_load(&failed);
    sum.crashed = atomic_load(&crashed);
    print_message("pool storm: %llu kills, %llu of them before the worker was ready; %llu items: "
                  "%llu done, %llu failed, %llu crashed; %llu process starts, seed %u\n",
                  (unsigned long long)sum.kills, (unsigned long long)sum.early,
                  (unsigned long long)(sum.done + sum.failed + sum.crashed),
                  (unsigned long long)sum.done, (unsigned long long)sum.failed,
                  (unsigned long long)sum.crashed, (unsigned long long)count_starts(), pace_seed());
    assert_true(sum.kills > 0 && sum.crashed <= sum.kills);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_item_comes_to_one_end_through_a_storm_of_kills),
    };
    return cmocka_run_group_tests(tests, found_family, NULL);
}
