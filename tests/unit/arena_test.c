/* The family's mapping: its bounds, its tables, and what running out of it does to those above. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "family/family.h"
#include "family/heap.h"
#include "family/hint.h"
#include "family/journal.h"
#include "family/object.h"
#include "family/park.h"
#include "family/span.h"
#include "family/vacancy.h"
#include "family/waiters.h"
#include "family_support.h"

static void an_address_is_in_the_arena_or_not(void **state)
{
    (void)state;
    unsigned char *base = arena_base();
    const uint64_t extent = arena_extent();
    int outside;
    assert_true(arena_contains(base, 1));
    assert_true(arena_contains(base, (size_t)extent));
    assert_true(arena_contains(base + extent - 1, 1));
    assert_true(arena_contains(base + extent, 0));
    assert_false(arena_contains(base + extent, 1));
    assert_false(arena_contains(base, (size_t)extent + 1));
    assert_false(arena_contains(base + 1, SIZE_MAX));
    assert_false(arena_contains(base - 1, 1));
    assert_false(arena_contains(&outside, sizeof outside));
    assert_false(arena_contains(NULL, 1));
    assert_ptr_equal(arena_at(arena_offset(base + 4096)), base + 4096);
}

static void nothing_beyond_the_capacity_is_committed(void **state)
{
    (void)state;
    const uint64_t capacity = arena_capacity();
    assert_true(capacity <= arena_extent());
    assert_int_equal(capacity % ARENA_SPAN, 0);
    assert_int_equal(arena_commit(capacity, 1), MPROC_ENOMEM);
    assert_int_equal(arena_commit(capacity - ARENA_SPAN, ARENA_SPAN + 1), MPROC_ENOMEM);
    assert_int_equal(arena_commit(UINT64_MAX - ARENA_SPAN, 2 * ARENA_SPAN), MPROC_ENOMEM);
    assert_int_equal(arena_commit(0, 1), MPROC_OK);
}

static void tables_grow_to_their_size_and_no_further(void **state)
{
    (void)state;
    const uint32_t sizes[ARENA_TABLES] = {[ARENA_SLOTS] = SLOT_COUNT,
                                          [ARENA_JOURNALS] = SLOT_COUNT,
                                          [ARENA_PLACES] = PARK_PLACES,
                                          [ARENA_SIGNALS] = PARK_PLACES,
                                          [ARENA_STATES] = (uint32_t)(arena_extent() / ARENA_SPAN),
                                          [ARENA_NUMBERS] = (uint32_t)(arena_extent() / ARENA_SPAN),
                                          [ARENA_OBJECTS] = object_capacity(arena_extent()),
                                          [ARENA_HINTS] = HINTS,
                                          [ARENA_VACANCIES] =
                                              vacancy_words(object_capacity(arena_extent())),
                                          [ARENA_WAITERS] = WAITERS_MOST,
                                          [ARENA_BLOCKS] = (uint32_t)(arena_extent() / ARENA_SPAN)};
    const size_t entries[ARENA_TABLES] = {[ARENA_JOURNALS] =
                                              journal_entry_size(object_capacity(arena_extent())),
                                          [ARENA_SLOTS] = sizeof(slot),
                                          [ARENA_PLACES] = sizeof(park_place),
                                          [ARENA_SIGNALS] = sizeof(os_signal),
                                          [ARENA_STATES] = sizeof(uint64_t),
                                          [ARENA_NUMBERS] = sizeof(span_numbers),
                                          [ARENA_OBJECTS] = sizeof(object),
                                          [ARENA_WAITERS] = sizeof(waiter),
                                          [ARENA_HINTS] = sizeof(hint),
                                          [ARENA_VACANCIES] = sizeof(uint64_t),
                                          [ARENA_BLOCKS] = HEAP_BLOCK_WORDS};
    for (arena_table table = 0; table < ARENA_TABLES; table++) {
        uint32_t used = 0;
        unsigned char *first = arena_use_table(table, 1, &used);
        assert_non_null(first);
        assert_true(used >= 1 && used <= sizes[table]);
        assert_ptr_equal(arena_use_table(table, sizes[table], &used), first);
        assert_int_equal(used, sizes[table]);
        assert_true(arena_contains(first, sizes[table] * entries[table]));
        volatile unsigned char *last = first + sizes[table] * entries[table] - 1;
        *last = *last;
        assert_null(arena_use_table(table, sizes[table] + 1, &used));
        assert_null(arena_use_table(table, UINT32_MAX, &used));
    }
}

static int do_nothing(mproc_task *task)
{
    (void)task;
    return 0;
}

static size_t take_all(size_t size, slot_id owner)
{
    size_t count = 0;
    arena_ref ref;
    while (heap_alloc(size, owner, &ref) == MPROC_OK)
        count++;
    return count;
}

static void without_memory_there_is_an_error_and_later_a_pool(void **state)
{
    (void)state;
    const uint64_t before = heap_used();
    mproc_pool *pool = NULL;
    slot_id greedy;
    char items[100] = {0};
    assert_int_equal(slot_claim(family.self, "greedy", false, &greedy), MPROC_OK);
    take_all(1 << 20, greedy);
    take_all(ARENA_SPAN, greedy);
    assert_int_equal(mproc_pool_create(&pool, &(mproc_pool_options){.workers = 200}), MPROC_ENOMEM);
    assert_null(pool);
    heap_sweep(greedy, family.self);
    assert_int_equal(mproc_pool_create(&pool, &(mproc_pool_options){.workers = 2}), MPROC_OK);
    assert_int_equal(mproc_pool_map(pool, do_nothing, items, 1, 100, NULL, 0, NULL), MPROC_OK);
    take_all(1 << 20, greedy);
    take_all(ARENA_SPAN, greedy);
    static char many[1 << 20];
    assert_int_equal(mproc_pool_map(pool, do_nothing, many, 1, sizeof many, NULL, 0, NULL),
                     MPROC_ENOMEM);
    heap_sweep(greedy, family.self);
    slot_free(greedy);
    assert_int_equal(mproc_pool_map(pool, do_nothing, many, 1, sizeof many, NULL, 0, NULL),
                     MPROC_OK);
    mproc_pool_free(pool);
    assert_int_equal(heap_used(), before);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_in_the_arena_or_not),
        cmocka_unit_test(nothing_beyond_the_capacity_is_committed),
        cmocka_unit_test(tables_grow_to_their_size_and_no_further),
        cmocka_unit_test(without_memory_there_is_an_error_and_later_a_pool),
    };
    return cmocka_run_group_tests(tests, found_family, NULL);
}
