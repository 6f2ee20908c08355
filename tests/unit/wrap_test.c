/* Numbers that tell apart what follows each other in one place: what becomes of the place when its
 * number is used up. The tests set it near its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <mproc/condition.h>
#include <mproc/lock.h>
#include <mproc/memory.h>

#include "family/family.h"
#include "family/heap.h"
#include "family/object.h"
#include "family/span.h"
#include "family/waiters.h"

/* ---- the generations of cells ---- */

enum { NUMBER_SHIFT = OBJECT_WORD_BITS + 4 };
#define LAST_NUMBER ((UINT64_C(1) << (64 - NUMBER_SHIFT)) - 1)

static object *cell_of(mproc_lock lock)
{
    return object_find(lock.id);
}

/* A free cell, as it is after so many objects. */
static void age(object *cell, uint64_t number)
{
    atomic_store(&cell->life, number << NUMBER_SHIFT | (uint64_t)OBJECT_LOCK << OBJECT_WORD_BITS);
}

static mproc_lock make(void)
{
    mproc_lock lock;
    assert_int_equal(mproc_lock_create(&lock), MPROC_OK);
    return lock;
}

static mproc_lock make_and_destroy(void)
{
    mproc_lock lock = make();
    assert_int_equal(mproc_lock_destroy(lock), MPROC_OK);
    return lock;
}

/* Creations go round through all cells. */
static void a_used_up_cell_makes_no_stale_handle_valid(void **state)
{
    (void)state;
    const mproc_lock stale = make_and_destroy();
    object *cell = cell_of(stale);
    unsigned lives = 0;
    age(cell, LAST_NUMBER - 2);
    for (uint32_t i = 0, rounds = 5 * objects.used; i < rounds; i++) {
        mproc_lock lock = make();
        assert_int_not_equal(lock.id, stale.id);
        if (cell_of(lock) == cell) {
            lives++;
            assert_int_equal(mproc_lock_acquire(lock, 0), MPROC_OK);
            assert_int_equal(mproc_lock_acquire(stale, 0), MPROC_ESTALE);
            assert_int_equal(mproc_lock_destroy(stale), MPROC_ESTALE);
        }
        assert_int_equal(mproc_lock_destroy(lock), MPROC_OK);
        assert_int_equal(mproc_lock_acquire(lock, 0), MPROC_ESTALE);
    }
    assert_int_equal(lives, 2);
}

/* Else each creation would have to look at nearly all of them. */
static void the_table_grows_by_a_part_of_what_is_used_up(void **state)
{
    (void)state;
    enum { SPAN_CELLS = ARENA_SPAN / sizeof(object), SPANS = 16 };
    uint32_t used;
    object *cells = arena_use_table(ARENA_OBJECTS, SPANS * SPAN_CELLS, &used);
    assert_non_null(cells);
    uint64_t *before = malloc(used * sizeof *before);
    assert_non_null(before);
    for (uint32_t i = 0; i < used; i++) {
        before[i] = atomic_load(&cells[i].life);
        age(&cells[i], LAST_NUMBER);
    }
    const mproc_lock first = make_and_destroy();
    uint32_t now;
    arena_use_table(ARENA_OBJECTS, 0, &now);
    for (uint32_t i = 0; i < used; i++)
        atomic_store(&cells[i].life, before[i]);
    free(before);
    assert_true((uint32_t)first.id >= used);
    assert_true(now >= used + used / 8);
}

static void when_all_cells_are_used_up_nothing_can_be_made(void **state)
{
    (void)state;
    const uint32_t all = object_capacity(arena_extent());
    object *cells = arena_use_table(ARENA_OBJECTS, all, NULL);
    mproc_lock lock;
    assert_non_null(cells);
    uint64_t *before = malloc(all * sizeof *before);
    assert_non_null(before);
    for (uint32_t i = 0; i < all; i++) {
        before[i] = atomic_load(&cells[i].life);
        age(&cells[i], LAST_NUMBER);
    }
    const mproc_err err = mproc_lock_create(&lock);
    for (uint32_t i = 0; i < all; i++)
        atomic_store(&cells[i].life, before[i]);
    free(before);
    assert_int_equal(err, MPROC_ENOMEM);
    make_and_destroy();
}

/* ---- the generations of slots ---- */

static slot_id claim(void)
{
    slot_id id;
    assert_int_equal(slot_claim(family.self, "one", false, &id), MPROC_OK);
    return id;
}

static _Atomic uint64_t *life_of(slot_id id)
{
    return &((slot *)arena_entry(ARENA_SLOTS, id & 0xffff))->life;
}

static void a_used_up_slot_makes_no_dead_process_alive(void **state)
{
    (void)state;
    const slot_id last = (slot_id)0xffffff << 16, first = claim();
    slot_free(first);
    /* A free slot's word is its generation alone. */
    const uint64_t before = atomic_load(life_of(first));
    const uint64_t unit = before / (first >> 16);
    atomic_store(life_of(first), unit * 0xfffffe);
    const slot_id id = claim();
    assert_int_equal(id, last | (first & 0xffff));
    slot_free(id);
    for (int i = 0; i < 5; i++) {
        const slot_id next = claim();
        assert_int_not_equal(next & 0xffff, first & 0xffff);
        assert_null(slot_at(first));
        slot_free(next);
    }
    assert_false(slot_is(first, SLOT_CLAIMED));
    atomic_store(life_of(first), before);
}

/* In charge is one process, not each one whose generation ends alike. */
static void a_slot_is_in_charge_of_its_very_claimer(void **state)
{
    (void)state;
    const slot_id child = claim();
    for (int bit = 0; bit < 24; bit++)
        assert_false(slot_disown(child, family.self + ((slot_id)1 << (16 + bit)), family.self));
    assert_true(slot_disown(child, family.self, family.self));
    slot_free(child);
}

/* ---- the counts of places in the table of waiters ---- */

static mproc_condition condition;

static waiting join(void)
{
    waiting wait;
    assert_int_equal(waiters_join(&wait, condition.id, condition.id), MPROC_OK);
    return wait;
}

static void leave(const waiting *wait)
{
    assert_int_equal(waiters_await(wait, 0), MPROC_ETIMEDOUT);
}

/* A thread takes the place that it had last. */
static void a_used_up_place_is_left_alone(void **state)
{
    (void)state;
    waiting last = join();
    waiter *place = last.place;
    leave(&last);
    const uint64_t before = atomic_load(&place->state);
    /* One count before the end, and the end. */
    const uint64_t end = UINT64_MAX >> WAITER_COUNT_SHIFT << WAITER_COUNT_SHIFT;
    atomic_store(&place->state, end - (UINT64_C(1) << WAITER_COUNT_SHIFT));
    waiting wait = join();
    assert_ptr_equal(wait.place, place);
    waiters_notify(condition.id, 1);
    assert_int_equal(waiters_await(&wait, 0), MPROC_OK);
    waiters_leave(&wait);
    assert_true(atomic_load(&place->state) == end);
    for (int i = 0; i < 3; i++) {
        wait = join();
        assert_ptr_not_equal(wait.place, place);
        leave(&wait);
    }
    assert_true(atomic_load(&place->state) == end);
    atomic_store(&place->state, before);
}

/* As many as 24 bits can tell apart. */
static void sixteen_million_waits_in_one_place_all_differ(void **state)
{
    (void)state;
    const waiting first = join();
    leave(&first);
    const uint64_t more = UINT64_C(0xffffff) << WAITER_COUNT_SHIFT;
    atomic_fetch_add(&first.place->state, more);
    const waiting again = join();
    assert_ptr_equal(again.place, first.place);
    assert_true(again.state != first.state);
    leave(&again);
}

/* ---- the numbers of blocks ---- */

static uint64_t span_of(mproc_memory memory)
{
    uint64_t tag;
    return (heap_ref_of(memory.id, &tag) - spans.begin) / ARENA_SPAN;
}

static mproc_memory alloc_and_free(size_t size)
{
    mproc_memory memory;
    assert_int_equal(mproc_memory_alloc(&memory, size), MPROC_OK);
    assert_non_null(mproc_memory_data(memory));
    assert_int_equal(mproc_memory_free(memory), MPROC_OK);
    return memory;
}

/* A thread takes the block that it has freed last. */
static void check_a_used_up_span(size_t size)
{
    const mproc_memory stale = alloc_and_free(size);
    const uint64_t span = span_of(stale);
    mproc_memory last = {0};
    atomic_store(&spans.numbers[span].last, spans.numbers_each - 2);
    for (int i = 0; i < 10; i++) {
        mproc_memory memory;
        assert_int_equal(mproc_memory_alloc(&memory, size), MPROC_OK);
        assert_int_equal(span_of(memory) == span, i < 2);
        assert_true(memory.id != stale.id && memory.id != last.id);
        assert_null(mproc_memory_data(stale));
        assert_null(mproc_memory_data(last));
        assert_int_equal(mproc_memory_free(last), MPROC_ESTALE);
        assert_int_equal(mproc_memory_free(memory), MPROC_OK);
        last = memory;
    }
}

static void a_used_up_span_makes_no_stale_handle_valid(void **state)
{
    (void)state;
    check_a_used_up_span(64);
    check_a_used_up_span(5000);
    check_a_used_up_span(ARENA_SPAN);
    check_a_used_up_span(10 * ARENA_SPAN);
}

/* It serves as before whatever needs no number. */
static void a_used_up_span_is_used_for_other_blocks(void **state)
{
    (void)state;
    arena_ref ref, other;
    assert_int_equal(heap_alloc(64, family.self, &ref), MPROC_OK);
    const uint64_t span = (ref - spans.begin) / ARENA_SPAN;
    atomic_store(&spans.numbers[span].last, spans.numbers_each);
    heap_free(ref, family.self);
    assert_true(span_of(alloc_and_free(64)) != span);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(heap_alloc(64, family.self, &other), MPROC_OK);
        heap_free(other, family.self);
    }
    atomic_store(&spans.numbers[span].last, 0);
}

static void when_all_numbers_are_given_there_is_no_memory(void **state)
{
    (void)state;
    arena_ref ref;
    mproc_memory memory;
    assert_non_null(arena_use_table(ARENA_NUMBERS, (uint32_t)spans.limit, NULL));
    for (uint64_t i = 0; i < spans.limit; i++)
        atomic_store(&spans.numbers[i].last, spans.numbers_each);
    const mproc_err small = mproc_memory_alloc(&memory, 64);
    const mproc_err large = mproc_memory_alloc(&memory, 3 * ARENA_SPAN);
    const mproc_err other = heap_alloc(64, family.self, &ref);
    for (uint64_t i = 0; i < spans.limit; i++)
        atomic_store(&spans.numbers[i].last, 0);
    assert_int_equal(small, MPROC_ENOMEM);
    assert_int_equal(large, MPROC_ENOMEM);
    assert_int_equal(other, MPROC_OK);
    heap_free(ref, family.self);
    alloc_and_free(64);
    alloc_and_free(3 * ARENA_SPAN);
}

static int found(void **state)
{
    (void)state;
    return mproc_condition_create(&condition, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_used_up_cell_makes_no_stale_handle_valid),
        cmocka_unit_test(the_table_grows_by_a_part_of_what_is_used_up),
        cmocka_unit_test(when_all_cells_are_used_up_nothing_can_be_made),
        cmocka_unit_test(a_used_up_slot_makes_no_dead_process_alive),
        cmocka_unit_test(a_slot_is_in_charge_of_its_very_claimer),
        cmocka_unit_test(a_used_up_place_is_left_alone),
        cmocka_unit_test(sixteen_million_waits_in_one_place_all_differ),
        cmocka_unit_test(a_used_up_span_makes_no_stale_handle_valid),
        cmocka_unit_test(a_used_up_span_is_used_for_other_blocks),
        cmocka_unit_test(when_all_numbers_are_given_there_is_no_memory),
    };
    return cmocka_run_group_tests(tests, found, NULL);
}
