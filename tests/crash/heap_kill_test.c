/* Processes that allocate, give, link and free without end are killed at any instant: afterwards
 * each handle that they have left is exact, and the heap is as it was. */
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

enum { SECONDS = 4, LEAST = 20, SOAK = 5000 }; /* rounds, each with a kill of every worker */
enum { KEPT = 24, HOMES = 24, WORKERS = 2, BYSTANDER = 300000 };

/* What a worker shares with the test. */
typedef struct board {
    _Atomic uint64_t rounds; /* that it is at work */
    mproc_memory homes[HOMES];
} board;

typedef struct order {
    arena_ref board;
    slot_id receiver; /* somebody to give blocks to, who dies with it */
    unsigned seed;
} order;

static size_t random_size(unsigned *seed)
{
    static const size_t limits[] = {64, 100, 5000, 200000, 1200000};
    return next_random(seed) % limits[next_random(seed) % 5] + 1;
}

static void use_handles(board *shared, unsigned *seed)
{
    mproc_memory *home = &shared->homes[next_random(seed) % HOMES];
    if (home->id && mproc_memory_free(*home) != MPROC_OK)
        abort(); /* nobody else frees them: it must have been valid */
    home->id = 0;
    if (next_random(seed) % 2)
        mproc_memory_alloc(home, random_size(seed));
}

static int work_until_killed(void *args, size_t size)
{
    order *told = args;
    board *shared = arena_at(told->board);
    arena_ref refs[KEPT] = {0};
    (void)size;
    while (atomic_fetch_add(&shared->rounds, 1) != UINT64_MAX) {
        unsigned i = next_random(&told->seed) % KEPT;
        if (next_random(&told->seed) % 3 == 0) {
            use_handles(shared, &told->seed);
        } else if (!refs[i]) {
            if (heap_alloc(random_size(&told->seed), family.self, &refs[i]))
                refs[i] = 0;
        } else if (next_random(&told->seed) % 3) {
            heap_free(refs[i], family.self);
            refs[i] = 0;
        } else {
            heap_give(refs[i], family.self, told->receiver);
            refs[i] = 0;
        }
    }
    return 0;
}

static mproc_process *start_worker(order *told)
{
    mproc_process *worker = NULL;
    memset(arena_at(told->board), 0, sizeof(board));
    assert_int_equal(
        mproc_process_create(&worker, &(mproc_process_options){.target = work_until_killed,
                                                               .args = told,
                                                               .args_size = sizeof *told,
                                                               .daemon = true}),
        MPROC_OK);
    assert_int_equal(mproc_process_start(worker), MPROC_OK);
    return worker;
}

static void await_rounds(order *told)
{
    board *shared = arena_at(told->board);
    const int64_t end = os_now() + INT64_C(60000000000);
    while (atomic_load(&shared->rounds) < 10 && os_now() < end)
        os_yield();
    assert_true(atomic_load(&shared->rounds) >= 10);
}

/* A handle in its home is valid, or was never: both are fine, but nothing in between. */
static size_t free_homes(order *told)
{
    size_t valid = 0;
    board *shared = arena_at(told->board);
    for (int i = 0; i < HOMES; i++) {
        const mproc_memory left = shared->homes[i];
        unsigned char *bytes = mproc_memory_data(left);
        if (bytes) {
            size_t size = 0;
            assert_int_equal(mproc_memory_size(left, &size), MPROC_OK);
            assert_true(arena_contains(bytes, size));
            bytes[0] = bytes[size - 1] = 1;
            valid++;
        }
        assert_int_equal(mproc_memory_free(left), bytes ? MPROC_OK : MPROC_ESTALE);
        assert_int_equal(mproc_memory_free(left), MPROC_ESTALE);
    }
    return valid;
}

/* One after the other: when the first is killed, the other goes on. */
static size_t kill_all(order told[WORKERS])
{
    mproc_process *workers[WORKERS];
    size_t valid = 0;
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(slot_claim(family.self, "receiver", false, &told[i].receiver), MPROC_OK);
        workers[i] = start_worker(&told[i]);
    }
    for (int i = 0; i < WORKERS; i++)
        await_rounds(&told[i]);
    for (int i = 0; i < WORKERS; i++) {
        const int64_t until = os_now() + next_random(&told[i].seed) % 400 * 1000;
        while (os_now() < until)
            os_pause();
        assert_int_equal(mproc_process_kill(workers[i]), MPROC_OK);
        assert_int_equal(mproc_process_join(workers[i], 60000), MPROC_OK);
        mproc_exit_status status;
        assert_int_equal(mproc_process_exit_status(workers[i], &status), MPROC_OK);
        assert_int_equal(status.kind, MPROC_EXIT_TERMINATED); /* and not aborted */
        mproc_process_free(workers[i]);
        family_sweep(told[i].receiver, false);
        valid += free_homes(&told[i]);
    }
    return valid;
}

static void a_kill_at_any_instant_leaves_nothing_in_the_heap(void **state)
{
    (void)state;
    const int64_t end = budget_end(SECONDS, 1);
    const uint64_t empty = heap_used(), starts = count_starts();
    order told[WORKERS] = {{.seed = pace_seed()}, {.seed = pace_seed() + 1}};
    arena_ref bystander;
    size_t valid = 0;
    int rounds = 0;
    print_message("MPROC_TEST_SEED=%u\n", pace_seed());
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(heap_alloc(sizeof(board), family.self, &told[i].board), MPROC_OK);
    assert_int_equal(heap_alloc(BYSTANDER, family.self, &bystander), MPROC_OK);
    memset(arena_at(bystander), 0x42, BYSTANDER);
    kill_all(told);
    const uint64_t used = heap_used();
    for (; rounds < LEAST || (is_soak() ? rounds < SOAK : os_now() < end); rounds++) {
        valid += kill_all(told);
        if (heap_used() != used)
            fail_msg("round %d: %llu bytes more", rounds, (unsigned long long)(heap_used() - used));
    }
    assert_true(valid > 0);
    for (size_t i = 0; i < BYSTANDER; i++)
        assert_int_equal(((unsigned char *)arena_at(bystander))[i], 0x42);
    heap_free(bystander, family.self);
    for (int i = 0; i < WORKERS; i++)
        heap_free(told[i].board, family.self);
    assert_int_equal(heap_used(), empty);
    /* Half of the slots were claimed for receivers. */
    print_message("heap storm: %d kills, %llu process starts, seed %u\n", rounds * WORKERS,
                  (unsigned long long)(count_starts() - starts) / 2, pace_seed());
}

/* No span is left out, and none stays cut up. */
static void after_all_the_kills_the_heap_is_one_piece(void **state)
{
    (void)state;
    arena_ref whole;
    assert_int_equal(heap_used(), 0);
    assert_int_equal(heap_alloc((size_t)(arena_capacity() - ARENA_SPAN), family.self, &whole),
                     MPROC_OK);
    heap_free(whole, family.self);
    assert_int_equal(heap_used(), 0);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_at_any_instant_leaves_nothing_in_the_heap),
        cmocka_unit_test(after_all_the_kills_the_heap_is_one_piece),
    };
    return cmocka_run_group_tests(tests, found_family, NULL);
}
