/* The words from which workers take units and thieves cut: each unit goes to exactly one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os.h"
#include "pool/ranges.h"

static void a_range_gives_its_units_in_their_order(void **state)
{
    (void)state;
    range_word word = range_make(7, 100, 105), said = 0;
    uint32_t unit;
    for (uint32_t i = 100; i < 105; i++) {
        assert_int_equal(range_left(word, 7), 105 - i);
        assert_int_equal(range_take(&word, 7, RANGE_BATCH, &said, &unit), 1);
        assert_int_equal(unit, i);
    }
    assert_int_equal(range_left(word, 7), 0);
    assert_int_equal(range_take(&word, 7, RANGE_BATCH, &said, &unit), 0);
}

static void a_long_range_gives_several_units_at_a_time_but_never_many(void **state)
{
    (void)state;
    const uint32_t end = 5000;
    range_word word = range_make(7, 0, end), said = 0;
    uint32_t unit, count, next = 0;
    while ((count = range_take(&word, 7, RANGE_BATCH, &said, &unit)) != 0) {
        assert_int_equal(unit, next);
        assert_true(count == 1 || (count <= RANGE_BATCH && count <= (end - next) / RANGE_SHARE));
        next += count;
    }
    assert_int_equal(next, end);
}

static void the_largest_range_fits(void **state)
{
    (void)state;
    range_word word = range_make(UINT16_MAX, 0, RANGE_UNITS_MAX), said = 0;
    uint64_t cut;
    uint32_t unit;
    assert_int_equal(range_left(word, UINT16_MAX), RANGE_UNITS_MAX);
    assert_true(range_cut(&word, UINT16_MAX, &cut));
    assert_int_equal(range_left(word, UINT16_MAX) + range_left(cut, UINT16_MAX), RANGE_UNITS_MAX);
    word = range_make(UINT16_MAX, RANGE_UNITS_MAX - 1, RANGE_UNITS_MAX);
    assert_int_equal(range_take(&word, UINT16_MAX, RANGE_BATCH, &said, &unit), 1);
    assert_int_equal(unit, RANGE_UNITS_MAX - 1);
    assert_int_equal(range_take(&word, UINT16_MAX, RANGE_BATCH, &said, &unit), 0);
    assert_false(range_cut(&word, UINT16_MAX, &cut));
}

static void a_thief_cuts_the_upper_half_or_the_last_unit(void **state)
{
    (void)state;
    for (uint32_t size = 1; size < 100; size++) {
        range_word word = range_make(1, 10, 10 + size);
        uint64_t cut;
        assert_true(range_cut(&word, 1, &cut));
        assert_int_equal(range_left(word, 1), size / 2);
        assert_int_equal(range_left(cut, 1), size - size / 2);
        assert_int_equal(cut, range_make(1, 10 + size / 2, 10 + size));
        assert_int_equal(word, range_make(1, 10, 10 + size / 2));
    }
}

/* Once, and only what it has really taken, whatever thieves do. */
static void what_a_dead_owner_had_taken_goes_back_to_the_front(void **state)
{
    (void)state;
    range_word word = range_make(7, 100, 2100), said = 0;
    uint64_t cut;
    uint32_t unit;
    assert_int_equal(range_take(&word, 7, RANGE_BATCH, &said, &unit), RANGE_BATCH);
    assert_int_equal(said, range_make(7, 100, 116));
    assert_true(range_cut(&word, 7, &cut));
    range_give_back(&word, said, 103);
    assert_int_equal(word, range_make(7, 103, range_first(cut)));
    range_give_back(&word, said, 103);
    assert_int_equal(word, range_make(7, 103, range_first(cut)));
    range_give_back(&word, range_make(8, 100, 103), 100);
    assert_int_equal(word, range_make(7, 103, range_first(cut)));
    said = range_make(7, 103, 119); /* killed before it took them */
    range_give_back(&word, said, 103);
    assert_int_equal(word, range_make(7, 103, range_first(cut)));
}

/* They may be the last ones before the range that the worker gets next. */
static void what_a_thief_was_faster_with_is_not_said_to_be_taken(void **state)
{
    (void)state;
    range_word word = range_make(7, 100, 101), said = range_make(7, 99, 100);
    uint64_t cut;
    uint32_t unit;
    assert_true(range_cut(&word, 7, &cut));
    said = cut; /* as it says before it finds that */
    assert_int_equal(range_take(&word, 7, RANGE_BATCH, &said, &unit), 0);
    assert_int_equal(said, 0);
}

static void a_claim_takes_a_share_off_the_front(void **state)
{
    (void)state;
    range_word rest = range_make(3, 100, 1100);
    uint64_t claimed;
    assert_true(range_claim(&rest, 3, 4, 1000000, &claimed));
    assert_int_equal(claimed, range_make(3, 100, 350));
    assert_int_equal(rest, range_make(3, 350, 1100));
    assert_true(range_claim(&rest, 3, 4, 16, &claimed));
    assert_int_equal(claimed, range_make(3, 350, 366));
    for (uint32_t first = 366; first < 1100; first = range_end(claimed)) {
        assert_true(range_claim(&rest, 3, 100000, 16, &claimed));
        assert_int_equal(claimed, range_make(3, first, first + 1));
    }
    assert_false(range_claim(&rest, 3, 4, 16, &claimed));
    assert_false(range_claim(&rest, 4, 4, 16, &claimed));
}

static void what_is_appended_can_be_claimed(void **state)
{
    (void)state;
    range_word rest = range_make(9, 0, 0);
    uint64_t claimed;
    assert_false(range_claim(&rest, 9, 2, 16, &claimed));
    range_append(&rest);
    range_append(&rest);
    assert_int_equal(range_left(rest, 9), 2);
    assert_true(range_claim(&rest, 9, 1, 16, &claimed));
    assert_int_equal(claimed, range_make(9, 0, 2));
    range_append(&rest);
    assert_int_equal(rest, range_make(9, 2, 3));
}

static void nothing_is_taken_of_another_generation(void **state)
{
    (void)state;
    range_word word = range_make(5, 0, 50), said = 0;
    const uint16_t others[] = {0, 4, 6, UINT16_MAX};
    uint64_t cut = 1234;
    uint32_t unit = 5678;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(range_left(word, others[i]), 0);
        assert_int_equal(range_take(&word, others[i], RANGE_BATCH, &said, &unit), 0);
        assert_false(range_cut(&word, others[i], &cut));
    }
    assert_int_equal(word, range_make(5, 0, 50));
    assert_int_equal(cut, 1234);
    assert_int_equal(unit, 5678);
    range_word never = 0;
    assert_int_equal(range_left(never, 0), 0);
}

/* ---- many at once ---- */

enum { WORKERS = 4, GENERATIONS = 3 };
#define UNITS 10000000u

static range_word words[WORKERS];
static _Atomic unsigned char *taken; /* how often, for each unit */
static _Atomic uint32_t left;
static _Atomic uint16_t generation;

typedef struct worker {
    range_word said;
    unsigned index;
    uint64_t took, stole, doubles;
} worker;

static bool steal(worker *self, uint16_t now)
{
    for (unsigned i = 1; i < WORKERS; i++) {
        uint64_t cut;
        if (range_cut(&words[(self->index + i) % WORKERS], now, &cut)) {
            atomic_store(&words[self->index], cut);
            self->stole++;
            return true;
        }
    }
    return false;
}

static void work(void *argument)
{
    worker *self = argument;
    const uint16_t now = atomic_load(&generation);
    const int64_t end = os_now() + INT64_C(60000000000); /* a lost unit must not look like work */
    while (atomic_load_explicit(&left, memory_order_relaxed) && os_now() < end) {
        uint32_t first, count, mine = 0;
        while ((count = range_take(&words[self->index], now, RANGE_BATCH, &self->said, &first)) !=
               0) {
            for (uint32_t i = first; i < first + count; i++)
                self->doubles += atomic_fetch_add_explicit(&taken[i], 1, memory_order_relaxed) != 0;
            mine += count;
        }
        self->took += mine;
        atomic_fetch_sub(&left, mine);
        if (!steal(self, now))
            os_yield();
    }
}

static void share_out(uint16_t now)
{
    worker workers[WORKERS];
    os_handle threads[WORKERS];
    uint64_t took = 0;
    memset((void *)taken, 0, UNITS);
    atomic_store(&left, UNITS);
    atomic_store(&generation, now);
    /* All to one: the others live by theft. */
    for (unsigned i = 0; i < WORKERS; i++)
        atomic_store(&words[i], i ? 0 : range_make(now, 0, UNITS));
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (worker){.said = 0, .index = i};
        assert_int_equal(os_thread_start(&threads[i], work, &workers[i]), MPROC_OK);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        os_thread_join(threads[i]);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(workers[i].doubles, 0);
        took += workers[i].took;
    }
    assert_int_equal(took, UNITS);
    for (uint32_t i = 0; i < UNITS; i++) {
        if (taken[i] != 1)
            fail_msg("unit %u was taken %d times", (unsigned)i, taken[i]);
    }
}

static void each_unit_is_taken_once_whoever_steals(void **state)
{
    (void)state;
    taken = malloc(UNITS);
    assert_non_null((void *)taken);
    for (uint16_t now = 1; now <= GENERATIONS; now++)
        share_out(now);
    free((void *)taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_gives_its_units_in_their_order),
        cmocka_unit_test(a_long_range_gives_several_units_at_a_time_but_never_many),
        cmocka_unit_test(the_largest_range_fits),
        cmocka_unit_test(a_thief_cuts_the_upper_half_or_the_last_unit),
        cmocka_unit_test(what_a_dead_owner_had_taken_goes_back_to_the_front),
        cmocka_unit_test(what_a_thief_was_faster_with_is_not_said_to_be_taken),
        cmocka_unit_test(a_claim_takes_a_share_off_the_front),
        cmocka_unit_test(what_is_appended_can_be_claimed),
        cmocka_unit_test(nothing_is_taken_of_another_generation),
        cmocka_unit_test(each_unit_is_taken_once_whoever_steals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
