/* Several processes work on few shared objects, and any of them is killed at any instant: nobody
 * hangs, what the locks protect stays right, and in the end nothing is left. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "family/family.h"
#include "family/heap.h"
#include "family/object.h"

enum { WORKERS = 6, HOMES = 3, LOCKS = 2, TOKENS = 3, PATIENCE_MS = 60000, SECONDS = 8 };

/* What a lock protects: two numbers that are equal whenever nobody holds it. */
typedef struct guarded {
    uint64_t first, second;
    _Atomic uint32_t inside;
} guarded;

/* A worker creates into its homes only: what it leaves there its successor finds. */
typedef struct homes {
    mproc_lock lock[HOMES];
    mproc_memory memory[HOMES];
    _Atomic uint64_t rounds;
} homes;

typedef struct arena_board {
    mproc_lock lock[LOCKS];
    mproc_rlock rlock;
    mproc_semaphore semaphore;
    mproc_event event;
    guarded by_lock[LOCKS], by_rlock;
    homes of[WORKERS];
    _Atomic uint32_t stop;
    _Atomic uint32_t wrong; /* a line where somebody saw what must not be */
} arena_board;

static arena_ref board_ref;
static arena_board *board; /* in each process */

typedef struct order {
    arena_ref board;
    int who;
    uint32_t seed;
} order;

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 15 & 0xffff;
}

static void check(bool condition, uint32_t line)
{
    uint32_t none = 0;
    if (!condition)
        atomic_compare_exchange_strong(&board->wrong, &none, line);
}
#define MUST(condition) check((condition), __LINE__)

/* ---- what the workers do ---- */

static void repair(guarded *g)
{
    atomic_store(&g->inside, 0);
    g->second = g->first;
}

/* `err` is what taking the lock returned. */
static void work_inside(guarded *g, mproc_err err)
{
    if (err == MPROC_EOWNERDEAD)
        repair(g);
    MUST(atomic_fetch_add(&g->inside, 1) == 0 && g->first == g->second);
    g->first++;
    g->second++;
    atomic_fetch_sub(&g->inside, 1);
}

static void use_lock(uint32_t *seed)
{
    const uint32_t which = next_random(seed) % LOCKS;
    const int patience = next_random(seed) % 4 ? MPROC_FOREVER : (int)(next_random(seed) % 2);
    mproc_err err = mproc_lock_acquire(board->lock[which], patience);
    if (err == MPROC_ETIMEDOUT && patience >= 0)
        return;
    MUST(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    work_inside(&board->by_lock[which], err);
    if (err == MPROC_EOWNERDEAD)
        MUST(mproc_lock_mark_consistent(board->lock[which]) == MPROC_OK);
    MUST(mproc_lock_release(board->lock[which]) == MPROC_OK);
}

static void use_rlock(uint32_t *seed)
{
    mproc_err err = mproc_rlock_acquire(board->rlock, MPROC_FOREVER);
    MUST(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    work_inside(&board->by_rlock, err);
    if (err == MPROC_EOWNERDEAD)
        MUST(mproc_rlock_mark_consistent(board->rlock) == MPROC_OK);
    if (next_random(seed) % 2) {
        MUST(mproc_rlock_acquire(board->rlock, 0) == MPROC_OK);
        MUST(mproc_rlock_release(board->rlock) == MPROC_OK);
    }
    MUST(mproc_rlock_release(board->rlock) == MPROC_OK);
}

/* The dead keep what they had taken: whoever has waited in vain puts one back. */
static void use_semaphore(uint32_t *seed)
{
    unsigned value = 0;
    mproc_err err = mproc_semaphore_acquire(board->semaphore, (int)(next_random(seed) % 4));
    MUST(err == MPROC_OK || err == MPROC_ETIMEDOUT);
    err = mproc_semaphore_release(board->semaphore);
    MUST(err == MPROC_OK || err == MPROC_ERANGE);
    MUST(mproc_semaphore_get_value(board->semaphore, &value) == MPROC_OK && value <= TOKENS);
}

static void use_event(uint32_t *seed)
{
    switch (next_random(seed) % 3) {
    case 0:
        MUST(mproc_event_set(board->event) == MPROC_OK);
        break;
    case 1:
        MUST(mproc_event_clear(board->event) == MPROC_OK);
        break;
    default:
        (void)0;
        mproc_err err = mproc_event_wait(board->event, (int)(next_random(seed) % 3));
        MUST(err == MPROC_OK || err == MPROC_ETIMEDOUT);
        break;
    }
}

static void make_and_end(uint32_t *seed, homes *mine)
{
    const uint32_t i = next_random(seed) % HOMES;
    if (mproc_lock_destroy(mine->lock[i]) != MPROC_OK)
        MUST(mproc_lock_create(&mine->lock[i]) == MPROC_OK);
    else
        MUST(mproc_lock_acquire(mine->lock[i], 0) == MPROC_ESTALE);
}

static void alloc_and_free(uint32_t *seed, homes *mine)
{
    const uint32_t i = next_random(seed) % HOMES;
    const size_t size = next_random(seed) % 4 ? 200 : 200000;
    if (mproc_memory_free(mine->memory[i]) == MPROC_OK)
        return;
    MUST(mproc_memory_alloc(&mine->memory[i], size) == MPROC_OK);
    memset(mproc_memory_data(mine->memory[i]), 0x5a, size);
}

/* Whose lock that is may be dead, and the lock destroyed or made anew at any moment. */
static void use_somebodys(uint32_t *seed)
{
    const homes *other = &board->of[next_random(seed) % WORKERS];
    mproc_lock lock = other->lock[next_random(seed) % HOMES];
    mproc_err err = mproc_lock_acquire(lock, 0);
    if (err == MPROC_OK || err == MPROC_EOWNERDEAD)
        err = mproc_lock_release(lock);
    MUST(err == MPROC_OK || err == MPROC_ETIMEDOUT || err == MPROC_ESTALE);
}

static void work(uint32_t *seed, homes *mine)
{
    switch (next_random(seed) % 8) {
    case 0:
    case 1:
        use_lock(seed);
        break;
    case 2:
        use_rlock(seed);
        break;
    case 3:
        use_semaphore(seed);
        break;
    case 4:
        use_event(seed);
        break;
    case 5:
        make_and_end(seed, mine);
        break;
    case 6:
        alloc_and_free(seed, mine);
        break;
    default:
        use_somebodys(seed);
        break;
    }
}

static int be_worker(void *args, size_t size)
{
    order *told = args;
    (void)size;
    signal(SIGSEGV, SIG_DFL);
    board = arena_at(told->board);
    homes *mine = &board->of[told->who];
    while (!atomic_load(&board->stop)) {
        work(&told->seed, mine);
        atomic_fetch_add(&mine->rounds, 1);
    }
    return 0;
}

/* ---- the root ---- */

static mproc_process *start(int who, uint32_t seed)
{
    mproc_process *worker = NULL;
    const order told = {board_ref, who, seed};
    const mproc_process_options options = {
        .target = be_worker, .args = &told, .args_size = sizeof told, .daemon = true};
    assert_int_equal(mproc_process_create(&worker, &options), MPROC_OK);
    assert_int_equal(mproc_process_start(worker), MPROC_OK);
    return worker;
}

static bool is_soak(void)
{
    const char *soak = getenv("MPROC_SOAK");
    return soak && *soak == '1';
}

static int count_kills(void)
{
    const bool slow = !os_can_start(MPROC_FORK);
    return is_soak() ? (slow ? 1000 : 100000) : slow ? 50 : 2000;
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

/* Returns how many have been killed: the ordinary form ends early on a busy machine. */
static int rage(mproc_process *workers[WORKERS], int kills)
{
    const int64_t end = is_soak() ? OS_FOREVER : os_now() + SECONDS * INT64_C(1000000000);
    uint32_t seed = 1;
    int i;
    for (i = 0; i < kills && os_now() < end; i++) {
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
    for (int i = 0; i < WORKERS * HOMES; i++) {
        mproc_lock_destroy(board->of[i / HOMES].lock[i % HOMES]);
        mproc_memory_free(board->of[i / HOMES].memory[i % HOMES]);
    }
}

static void a_storm_of_kills_leaves_nothing(void **state)
{
    (void)state;
    mproc_process *workers[WORKERS];
    assert_int_equal(heap_alloc(sizeof *board, family.self, &board_ref), MPROC_OK);
    board = arena_at(board_ref);
    memset(board, 0, sizeof *board);
    const uint64_t used = heap_used();
    const uint32_t objects_before = object_count();
    create_all();
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start(i, (uint32_t)i + 1);
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
    print_message("storm: %d kills in %llu operations, the heap is as it was\n", killed,
                  (unsigned long long)rounds);
}

static int found(void **state)
{
    (void)state;
    return (int)family_enter();
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_of_kills_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, found, NULL);
}
