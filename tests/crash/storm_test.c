/* Several processes work on few shared objects, and any of them is killed at any instant: nobody
 * hangs, what the locks protect stays right, and in the end nothing is left. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../pace/pace.h"
#include "../unit/family_support.h"
#include "budget.h"
#include "family/family.h"
#include "family/object.h"
#include "storm.h"

enum { PATIENCE_MS = 60000, SECONDS = 6, LEAST = 48 }; /* kills */

static arena_ref board_ref;
static storm_board *board;

/* ---- the root ---- */

static mproc_process *start(int who, uint32_t seed)
{
    mproc_process *worker = NULL;
    const storm_order told = {board_ref, who, seed};
    const mproc_process_options options = {
        .target = storm_work, .args = &told, .args_size = sizeof told, .daemon = true};
    assert_int_equal(mproc_process_create(&worker, &options), MPROC_OK);
    assert_int_equal(mproc_process_start(worker), MPROC_OK);
    return worker;
}

/* In the soak so many, else as many as there is time for. */
static int count_kills(void)
{
    const int slow = 1000, fast = 100000;
    return !is_soak() ? INT_MAX : os_can_start(MPROC_FORK) ? fast : slow;
}

static uint64_t rounds_of_all(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < WORKERS; i++)
        sum += atomic_load(&board->of[i].rounds);
    return sum;
}

static void expect_progress(uint64_t before)
{
    const int64_t end = os_now() + PATIENCE_MS * INT64_C(1000000);
    while (rounds_of_all() == before && os_now() < end)
        os_yield();
    assert_true(rounds_of_all() > before);
    if (atomic_load(&board->wrong))
        fail_msg("wrong at line %u", atomic_load(&board->wrong));
}

/* Returns how many have been killed. */
static int rage(mproc_process *workers[WORKERS], int kills)
{
    const int64_t end = budget_end(SECONDS, 1);
    uint32_t seed = pace_seed();
    int i;
    for (i = 0; i < kills && (i < LEAST || os_now() < end); i++) {
        const uint64_t rounds = rounds_of_all();
        const uint32_t who = next_random(&seed) % WORKERS;
        const int64_t until = os_now() + next_random(&seed) % 300 * 1000;
        while (os_now() < until)
            os_pause();
        assert_int_equal(mproc_process_kill(workers[who]), MPROC_OK);
        assert_int_equal(mproc_process_join(workers[who], PATIENCE_MS), MPROC_OK);
        mproc_process_free(workers[who]);
        workers[who] = start((int)who, next_random(&seed));
        if (i % 16 == 0)
            expect_progress(rounds);
    }
    return i;
}

static void create_all(void)
{
    for (int i = 0; i < LOCKS; i++)
        assert_int_equal(mproc_lock_create(&board->lock[i]), MPROC_OK);
    assert_int_equal(mproc_rlock_create(&board->rlock), MPROC_OK);
    assert_int_equal(mproc_semaphore_create(&board->semaphore, TOKENS, TOKENS), MPROC_OK);
    assert_int_equal(mproc_event_create(&board->event), MPROC_OK);
    assert_int_equal(mproc_condition_create(&board->condition, NULL), MPROC_OK);
    assert_int_equal(mproc_barrier_create(&board->barrier, PARTIES, NULL), MPROC_OK);
    assert_int_equal(mproc_value_create(&board->value, sizeof(guarded), NULL, NULL), MPROC_OK);
    assert_int_equal(mproc_array_create(&board->array, sizeof(uint32_t), ITEMS, NULL, NULL),
                     MPROC_OK);
    assert_int_equal(mproc_string_create(&board->text, TEXT, "a"), MPROC_OK);
}

/* Free or dirty, but not held: all have ended. */
static void expect_lock_is_right(mproc_lock lock, guarded *g)
{
    mproc_err err = mproc_lock_acquire(lock, 0);
    assert_true(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    assert_true(err == MPROC_EOWNERDEAD || (g->first == g->second && !g->inside));
    assert_int_equal(mproc_lock_release(lock), MPROC_OK);
}

static void destroy_all(void)
{
    for (int i = 0; i < LOCKS; i++) {
        expect_lock_is_right(board->lock[i], &board->by_lock[i]);
        assert_int_equal(mproc_lock_destroy(board->lock[i]), MPROC_OK);
    }
    assert_int_equal(mproc_rlock_destroy(board->rlock), MPROC_OK);
    assert_int_equal(mproc_semaphore_destroy(board->semaphore), MPROC_OK);
    assert_int_equal(mproc_event_destroy(board->event), MPROC_OK);
    assert_int_equal(mproc_condition_destroy(board->condition), MPROC_OK);
    assert_int_equal(mproc_barrier_destroy(board->barrier), MPROC_OK);
    assert_int_equal(mproc_value_destroy(board->value), MPROC_OK);
    assert_int_equal(mproc_array_destroy(board->array), MPROC_OK);
    assert_int_equal(mproc_string_destroy(board->text), MPROC_OK);
    for (int i = 0; i < WORKERS * HOMES; i++) {
        mproc_lock_destroy(board->of[i / HOMES].lock[i % HOMES]);
        mproc_memory_free(board->of[i / HOMES].memory[i % HOMES]);
        mproc_value_destroy(board->of[i / HOMES].value[i % HOMES]);
    }
}

static void a_storm_of_kills_leaves_nothing(void **state)
{
    (void)state;
    mproc_process *workers[WORKERS];
    print_message("MPROC_TEST_SEED=%u\n", pace_seed());
    assert_int_equal(heap_alloc(sizeof *board, family.self, &board_ref), MPROC_OK);
    board = arena_at(board_ref);
    memset(board, 0, sizeof *board);
    const uint64_t used = heap_used();
    const uint32_t objects_before = object_count();
    create_all();
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start(i, (uint32_t)i + pace_seed());
    const int killed = rage(workers, count_kills());
    atomic_store(&board->stop, 1);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(mproc_process_join(workers[i], PATIENCE_MS), MPROC_OK);
        mproc_process_free(workers[i]);
    }
    assert_int_equal(atomic_load(&board->wrong), 0);
    const uint64_t rounds = rounds_of_all();
    destroy_all();
    assert_int_equal(heap_used(), used);
    assert_int_equal(object_count(), objects_before);
    heap_free(board_ref, family.self);
    print_message("storm: %d kills in %llu operations, the heap is as it was; %llu process starts, "
                  "seed %u\n",
                  killed, (unsigned long long)rounds, (unsigned long long)count_starts(),
                  pace_seed());
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_of_kills_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, found_family, NULL);
}
