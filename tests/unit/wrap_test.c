/* Numbers that tell apart what follows each other in one place: what becomes of the place when its
 * number is used up. The tests set it near its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <mproc/barrier.h>
#include <mproc/condition.h>
#include <mproc/event.h>
#include <mproc/lock.h>
#include <mproc/memory.h>

#include "family/family.h"
#include "family/heap.h"
#include "family/object.h"
#include "family/rounds.h"
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

static void a_used_up_cell_makes_no_stale_handle_valid(void **state)
{
    (void)state;
    const mproc_lock stale = make_and_destroy();
    object *cell = cell_of(stale);
    unsigned lives = 0;
    age(cell, LAST_NUMBER - 2);
    for (uint32_t i = 0, most = 5 * objects.used; i < most; i++) {
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

static void the_table_grows_when_all_of_it_is_used_up(void **state)
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
    for (uint32_t i = 0; i < used; i++)
        atomic_store(&cells[i].life, before[i]);
    free(before);
    assert_true((uint32_t)first.id >= used);
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

/* ---- numbers that come round and are made wide ---- */

enum { BITS = 13, SHIFT = 25 }; /* as a barrier's phases */

static uint64_t begin_at(uint64_t number, object *cell, uint64_t id)
{
    const uint64_t halves = number >> (BITS - 1);
    atomic_store(&cell->word, object_word(id, (number & ((1 << BITS) - 1)) << SHIFT));
    atomic_store(&cell->extra, object_word(id, halves));
    return number;
}

/* Whether the count is up to date, or one behind. */
static void a_number_is_read_as_it_was_counted(void **state)
{
    (void)state;
    static object cell;
    const uint64_t id = UINT64_C(0x51) << 32, most = UINT64_C(40) << BITS;
    const rounds all = {&cell.word, &cell.extra, SHIFT, BITS};
    uint64_t word;
    for (int keeps_at_the_end = 0; keeps_at_the_end < 2; keeps_at_the_end++) {
        begin_at(0, &cell, id);
        for (uint64_t i = 0; i < most; i++) {
            assert_true(rounds_look(&all, &word) == i);
            const uint64_t last = (1 << (BITS - 1)) - 1;
            if (!keeps_at_the_end || (i & last) == last)
                rounds_keep(&all, id);
            assert_true(rounds_look(&all, &word) == i);
            const uint64_t next = (i + 1) & ((1 << BITS) - 1);
            atomic_store(&cell.word, object_word(id, next << SHIFT));
        }
    }
    begin_at(1 << (BITS - 1), &cell, id);
    atomic_store(&cell.extra, object_word(id, 0)); /* one behind */
    rounds_keep(&all, id + (UINT64_C(1) << 32));   /* another object's */
    assert_true(atomic_load(&cell.extra) == object_word(id, 0));
    rounds_keep(&all, id);
    assert_true(atomic_load(&cell.extra) == object_word(id, 1));
}

typedef struct waiting_thread {
    os_handle thread;
    mproc_barrier barrier;
    mproc_event event;
    _Atomic mproc_err err;
} waiting_thread;

enum { LONG = 10000 }; /* milliseconds: it is woken before */

static void wait_at_barrier(void *data)
{
    waiting_thread *t = data;
    atomic_store(&t->err, mproc_barrier_wait(t->barrier, LONG, NULL));
}

static void wait_for_event(void *data)
{
    waiting_thread *t = data;
    atomic_store(&t->err, mproc_event_wait(t->event, LONG));
}

static void await_flag(object *cell, uint64_t flag)
{
    while (!(atomic_load(&cell->word) & flag))
        os_yield();
}

/* While it is stopped all others pass on without it, until the phase is the same. */
static void who_is_stopped_for_a_round_of_phases_has_passed(void **state)
{
    (void)state;
    const uint64_t sleepers = 1 << 20, one = 1 << 4;
    waiting_thread t = {.err = MPROC_EBROKEN};
    assert_int_equal(mproc_barrier_create(&t.barrier, 2, NULL), MPROC_OK);
    object *cell = object_find(t.barrier.id);
    assert_int_equal(os_thread_start(&t.thread, wait_at_barrier, &t), MPROC_OK);
    await_flag(cell, sleepers);
    atomic_fetch_add(&cell->field[2], 2);
    atomic_fetch_sub(&cell->word, sleepers | one);
    object_wake(cell, UINT32_MAX);
    os_thread_join(t.thread);
    assert_int_equal(t.err, MPROC_OK);
    assert_int_equal(mproc_barrier_destroy(t.barrier), MPROC_OK);
}

static void who_is_stopped_for_a_round_of_sets_has_been_released(void **state)
{
    (void)state;
    const uint64_t waiters = UINT64_C(1) << 38;
    waiting_thread t = {.err = MPROC_EBROKEN};
    assert_int_equal(mproc_event_create(&t.event), MPROC_OK);
    object *cell = object_find(t.event.id);
    assert_int_equal(os_thread_start(&t.thread, wait_for_event, &t), MPROC_OK);
    await_flag(cell, waiters);
    atomic_fetch_add(&cell->extra, 2);
    atomic_fetch_sub(&cell->word, waiters);
    object_wake(cell, UINT32_MAX);
    os_thread_join(t.thread);
    assert_int_equal(t.err, MPROC_OK);
    /* It keeps count of its rounds. */
    atomic_fetch_add(&cell->word, waiters - 1); /* set as often as can be told apart */
    atomic_store(&cell->extra, object_word(t.event.id, 1));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mproc_event_set(t.event), MPROC_OK);
        assert_int_equal(mproc_event_clear(t.event), MPROC_OK);
    }
    assert_true(atomic_load(&cell->extra) == object_word(t.event.id, 2));
    assert_true(atomic_load(&cell->word) == object_word(t.event.id, 2));
    assert_int_equal(mproc_event_destroy(t.event), MPROC_OK);
}

/* The real thing: alone at it, one passes at once. */
static void a_barrier_counts_its_phases_beyond_a_round(void **state)
{
    (void)state;
    enum { PHASES = 3 << BITS };
    mproc_barrier barrier;
    assert_int_equal(mproc_barrier_create(&barrier, 1, NULL), MPROC_OK);
    object *cell = object_find(barrier.id);
    const rounds all = {&cell->word, &cell->field[2], SHIFT, BITS};
    uint64_t word;
    for (uint64_t i = 0; i < PHASES; i++) {
        assert_true(rounds_look(&all, &word) == i);
        if (i % 1000 == 999)
            assert_int_equal(mproc_barrier_reset(barrier), MPROC_OK);
        else
            assert_int_equal(mproc_barrier_wait(barrier, 0, NULL), MPROC_OK);
    }
    assert_int_equal(mproc_barrier_destroy(barrier), MPROC_OK);
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
        cmocka_unit_test(the_table_grows_when_all_of_it_is_used_up),
        cmocka_unit_test(when_all_cells_are_used_up_nothing_can_be_made),
        cmocka_unit_test(a_used_up_slot_makes_no_dead_process_alive),
        cmocka_unit_test(a_slot_is_in_charge_of_its_very_claimer),
        cmocka_unit_test(a_used_up_place_is_left_alone),
        cmocka_unit_test(sixteen_million_waits_in_one_place_all_differ),
        cmocka_unit_test(a_used_up_span_makes_no_stale_handle_valid),
        cmocka_unit_test(a_used_up_span_is_used_for_other_blocks),
        cmocka_unit_test(when_all_numbers_are_given_there_is_no_memory),
        cmocka_unit_test(a_number_is_read_as_it_was_counted),
        cmocka_unit_test(who_is_stopped_for_a_round_of_phases_has_passed),
        cmocka_unit_test(who_is_stopped_for_a_round_of_sets_has_been_released),
        cmocka_unit_test(a_barrier_counts_its_phases_beyond_a_round),
    };
    return cmocka_run_group_tests(tests, found, NULL);
}
