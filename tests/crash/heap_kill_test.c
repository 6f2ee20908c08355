/* A process that allocates, gives and frees without end is killed at any instant: afterwards the
 * heap is as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "family/family.h"
#include "family/heap.h"

enum { KEPT = 24 };

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 15 & 0xffff;
}

typedef struct order {
    arena_ref counter; /* of its rounds: that it is at work */
    slot_id receiver;  /* somebody to give blocks to, who dies with it */
    unsigned seed;
} order;

static int work_until_killed(void *args, size_t size)
{
    order *told = args;
    _Atomic uint64_t *counter = arena_at(told->counter);
    arena_ref refs[KEPT] = {0};
    (void)size;
    while (atomic_fetch_add(counter, 1) != UINT64_MAX) {
        unsigned i = next_random(&told->seed) % KEPT, kind = next_random(&told->seed) % 4;
        size_t wanted = kind == 0 ? 100 : kind == 1 ? 5000 : kind == 2 ? 200000 : 1200000;
        if (!refs[i]) {
            if (heap_alloc(next_random(&told->seed) % wanted + 1, family.self, &refs[i]))
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
    _Atomic uint64_t *counter = arena_at(told->counter);
    atomic_store(counter, 0);
    assert_int_equal(
        mproc_process_create(&worker, &(mproc_process_options){.target = work_until_killed,
                                                               .args = told,
                                                               .args_size = sizeof *told,
                                                               .daemon = true}),
        MPROC_OK);
    assert_int_equal(mproc_process_start(worker), MPROC_OK);
    const int64_t end = os_now() + INT64_C(60000000000);
    while (atomic_load(counter) < 10 && os_now() < end)
        os_yield();
    assert_true(atomic_load(counter) >= 10);
    return worker;
}

static void kill_once(order *told)
{
    assert_int_equal(slot_claim(family.self, "receiver", false, &told->receiver), MPROC_OK);
    mproc_process *worker = start_worker(told);
    const int64_t until = os_now() + next_random(&told->seed) % 400 * 1000;
    while (os_now() < until)
        os_pause();
    assert_int_equal(mproc_process_kill(worker), MPROC_OK);
    assert_int_equal(mproc_process_join(worker, 60000), MPROC_OK);
    mproc_process_free(worker);
    family_sweep(told->receiver, false);
}

static void a_kill_at_any_instant_leaves_nothing_in_the_heap(void **state)
{
    (void)state;
    const char *soak = getenv("MPROC_SOAK");
    const int kills = soak && *soak == '1' ? 10000 : 200;
    order told = {.seed = 1};
    arena_ref bystander;
    assert_int_equal(heap_alloc(sizeof(uint64_t), family.self, &told.counter), MPROC_OK);
    assert_int_equal(heap_alloc(300000, family.self, &bystander), MPROC_OK);
    memset(arena_at(bystander), 0x42, 300000);
    kill_once(&told);
    const uint64_t used = heap_used();
    for (int i = 0; i < kills; i++) {
        kill_once(&told);
        if (heap_used() != used)
            fail_msg("after kill %d: %llu bytes more", i, (unsigned long long)(heap_used() - used));
    }
    for (size_t i = 0; i < 300000; i++)
        assert_int_equal(((unsigned char *)arena_at(bystander))[i], 0x42);

    /* No span is left out either: all of them can be had. */
    slot_id greedy;
    assert_int_equal(slot_claim(family.self, "greedy", false, &greedy), MPROC_OK);
    arena_ref ref;
    size_t spans = 0;
    while (heap_alloc(ARENA_SPAN, greedy, &ref) == MPROC_OK)
        spans++;
    assert_true(spans * ARENA_SPAN > arena_capacity() / 2);
    family_sweep(greedy, false);
    assert_int_equal(heap_used(), used);
    heap_free(bystander, family.self);
    heap_free(told.counter, family.self);
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
        cmocka_unit_test(a_kill_at_any_instant_leaves_nothing_in_the_heap),
    };
    return cmocka_run_group_tests(tests, found, NULL);
}
