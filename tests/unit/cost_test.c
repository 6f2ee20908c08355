/* What an end costs depends on what that process touched, and not on how much there is. Counted, for
 * the time that it takes depends on the machine: each look at an entry of a table counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "data/ends.h"
#include "family/family.h"
#include "family/heap.h"
#include "family/journal.h"
#include "family/vacancy.h"
#include "family/waiters.h"
#include "killpoint.h"
#include "sync/sweep.h"

enum { LOCKS = 20000, QUEUES = 1000, SLOTS = 2000, CHUNK = JOURNAL_CHUNK, PARTS = 5 };
enum { BLOCKS = 300000, SMALL = 64, PER_SPAN = 1024 };
static const int64_t nobody = 0x3fffffff; /* no system has such a pid */

static mproc_lock locks[LOCKS];
static mproc_queue queues[QUEUES];
static slot_id self, dead;

static void be(slot_id who)
{
    family.self = who;
    atomic_store(&objects.me, 0);
    assert_int_equal(object_enter(), MPROC_OK);
}

static mproc_err make(slot_id *id)
{
    mproc_err err = slot_claim(self, "dead", false, id);
    return err ? err : slot_enter(*id, nobody);
}

/* ---- the journal ---- */

static uint32_t bits_seen, last_seen;

static void see(uint32_t bit, void *context)
{
    (void)context;
    bits_seen++;
    last_seen = bit;
}

static uint32_t count_bits(journal noted)
{
    bits_seen = 0;
    journal_each(noted, see, NULL);
    return bits_seen;
}

static void a_journal_tells_what_was_noted(void **state)
{
    (void)state;
    journal cells = journal_of(dead, JOURNAL_CELLS), spans = journal_of(dead, JOURNAL_SPANS);
    const uint32_t last = journal_bits - 1;
    assert_int_equal(count_bits(cells), 0);
    for (int i = 0; i < 2; i++) {
        journal_note(cells, 0);
        journal_note(cells, 64);
        journal_note(cells, last);
    }
    assert_int_equal(count_bits(cells), 3);
    assert_int_equal(last_seen, last);
    assert_true(journal_has(cells, 64));
    assert_false(journal_has(cells, 65));
    assert_int_equal(count_bits(spans), 0);
    journal_note(spans, last);
    assert_int_equal(count_bits(spans), 1);
}

static void the_next_owner_of_a_slot_begins_with_an_empty_journal(void **state)
{
    (void)state;
    journal_note(journal_of(dead, JOURNAL_CELLS), 7);
    journal_note(journal_of(dead, JOURNAL_SPANS), 8);
    const slot_id before = dead;
    family_sweep(dead, false);
    assert_int_equal(make(&dead), MPROC_OK);
    assert_int_equal(dead & 0xffff, before & 0xffff);
    assert_int_equal(count_bits(journal_of(dead, JOURNAL_CELLS)), 0);
    assert_int_equal(count_bits(journal_of(dead, JOURNAL_SPANS)), 0);
}

/* Whatever chunk a cell is in, its neighbours within a chunk are in it, too, and no others. */
static void each_cell_has_a_bit(void **state)
{
    (void)state;
    const uint32_t cells = object_capacity(arena_extent());
    assert_true(journal_bit_of_cell(cells - 1) < journal_bits);
    assert_int_equal(journal_bit_of_cell(journal_bits * CHUNK), 0);
    assert_int_equal(journal_bit_of_cell(0), 0);
    assert_int_equal(journal_bit_of_cell(CHUNK - 1), 0);
    assert_int_equal(journal_bit_of_cell(CHUNK), 1);
}

/* ---- ends ---- */

static unsigned long sweep(void)
{
    const unsigned long before = atomic_load(&entries_looked_at);
    ends_sweep(dead);
    sync_sweep(dead);
    return atomic_load(&entries_looked_at) - before;
}

enum { WALKS = 3 /* of a sweep through the cells that the dead one noted */ };

static void a_death_with_nothing_costs_nothing(void **state)
{
    (void)state;
    assert_int_equal(sweep(), 0);
    be(dead);
    be(self);
    assert_int_equal(sweep(), 0);
}

static void a_death_with_locks_costs_what_it_held(void **state)
{
    (void)state;
    const uint32_t held[] = {3, LOCKS / 2, LOCKS - 1};
    be(dead);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mproc_lock_acquire(locks[held[i]], 0), MPROC_OK);
    be(self);
    assert_in_range(sweep(), 1, 3 * WALKS * CHUNK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mproc_lock_acquire(locks[held[i]], 0), MPROC_EOWNERDEAD);
        assert_int_equal(mproc_lock_mark_consistent(locks[held[i]]), MPROC_OK);
        assert_int_equal(mproc_lock_release(locks[held[i]]), MPROC_OK);
    }
}

/* The slots are looked through once for all of them, for somebody may watch them. */
static void a_death_with_64_queues_costs_what_it_used(void **state)
{
    (void)state;
    char byte;
    size_t size;
    enum { USED = 64 };
    be(dead);
    for (int i = 0; i < USED; i++)
        assert_int_equal(mproc_queue_get(queues[QUEUES / 2 + i], &byte, 1, &size, 0), MPROC_EEMPTY);
    be(self);
    assert_in_range(sweep(), 1, WALKS * (USED * PARTS + 2 * CHUNK) + SLOTS + CHUNK);
}

static void a_clean_end_costs_what_it_used(void **state)
{
    (void)state;
    be(dead);
    assert_int_equal(mproc_lock_acquire(locks[LOCKS / 3], 0), MPROC_OK);
    assert_int_equal(mproc_lock_release(locks[LOCKS / 3]), MPROC_OK);
    const unsigned long before = atomic_load(&entries_looked_at);
    assert_true(sync_leave());
    const unsigned long after = atomic_load(&entries_looked_at);
    be(self);
    assert_in_range(after - before, 1, CHUNK);
}

/* The life of a free cell that has had all its generations. */
static const uint64_t used_up = UINT64_C(0xfffff0) << OBJECT_WORD_BITS;

/* All other cells are in use, or used up: the first creation finds that out and makes the table
 * larger, the others know. */
static void a_creation_passes_full_chunks_by(void **state)
{
    (void)state;
    enum { OFTEN = 100 };
    mproc_lock lock;
    const uint32_t used = objects.used;
    object *cells = arena_use_table(ARENA_OBJECTS, 0, NULL);
    uint64_t *before = malloc(used * sizeof *before);
    assert_non_null(before);
    for (uint32_t i = 0; i < used; i++) {
        before[i] = atomic_load(&cells[i].life);
        if (!(before[i] & OBJECT_WORD_MASK))
            atomic_store(&cells[i].life, used_up);
    }
    assert_int_equal(mproc_lock_create(&lock), MPROC_OK);
    assert_true((uint32_t)lock.id >= used);
    const unsigned long looks = atomic_load(&entries_looked_at);
    for (int i = 0; i < OFTEN; i++) {
        assert_int_equal(mproc_lock_destroy(lock), MPROC_OK);
        assert_int_equal(mproc_lock_create(&lock), MPROC_OK);
    }
    assert_in_range(atomic_load(&entries_looked_at) - looks, OFTEN, OFTEN * CHUNK);
    assert_int_equal(mproc_lock_destroy(lock), MPROC_OK);
    for (uint32_t i = 0; i < used; i++) {
        if (!(before[i] & OBJECT_WORD_MASK))
            atomic_store(&cells[i].life, before[i]);
    }
    free(before);
}

/* Another process frees a cell far away. */
static void a_creation_finds_the_only_free_cell(void **state)
{
    (void)state;
    enum { MOST = 200000 };
    static mproc_lock filled[MOST];
    uint32_t count = 0, freed;
    while (count < MOST && mproc_lock_create(&filled[count]) == MPROC_OK)
        count++;
    assert_true(count < MOST);
    freed = count / 2;
    assert_int_equal(mproc_lock_destroy(filled[freed]), MPROC_OK);
    assert_int_equal(mproc_lock_create(&filled[freed]), MPROC_OK);
    object *cell = object_find(filled[freed].id);
    uint64_t life = atomic_load(&cell->life);
    /* As another process does it: this one knows nothing of it. */
    atomic_store(&cell->word, 0);
    atomic_store(&cell->life, life & ~OBJECT_WORD_MASK);
    vacancy_note((uint32_t)filled[freed].id / CHUNK);
    const unsigned long looks = atomic_load(&entries_looked_at);
    assert_int_equal(mproc_lock_create(&filled[freed]), MPROC_OK);
    assert_in_range(atomic_load(&entries_looked_at) - looks, 1, 2 * CHUNK);
    mproc_lock none;
    assert_int_equal(mproc_lock_create(&none), MPROC_ENOMEM);
    while (count--)
        assert_int_equal(mproc_lock_destroy(filled[count]), MPROC_OK);
}

/* The first object of the family, and how many cells were usable then. */
static mproc_lock only;
static uint32_t used_for_one;

static void the_first_object_needs_no_second_span_of_cells(void **state)
{
    (void)state;
    assert_int_equal(used_for_one, ARENA_SPAN / sizeof(object));
}

/* Elsewhere others wait. */
static void a_notification_of_nobody_costs_nothing(void **state)
{
    (void)state;
    enum { WAITERS = 1000 };
    mproc_condition condition, other;
    waiting waits[WAITERS];
    assert_int_equal(mproc_condition_create(&condition, NULL), MPROC_OK);
    assert_int_equal(mproc_condition_create(&other, NULL), MPROC_OK);
    assert_int_equal(waiters_join(&waits[0], condition.id, condition.id), MPROC_OK);
    assert_int_equal(waiters_await(&waits[0], 0), MPROC_ETIMEDOUT);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(waiters_join(&waits[i], other.id, other.id), MPROC_OK);
    waiters_notify(condition.id, 1); /* there was somebody */
    mproc_lock lock;
    assert_int_equal(mproc_lock_create(&lock), MPROC_OK);
    const unsigned long before = atomic_load(&entries_looked_at);
    waiters_notify(condition.id, 1);
    waiters_notify(condition.id, UINT32_MAX);
    assert_int_equal(mproc_lock_destroy(lock), MPROC_OK);
    assert_int_equal(atomic_load(&entries_looked_at), before);
    waiters_notify(other.id, UINT32_MAX);
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(waiters_await(&waits[i], 0), MPROC_OK);
        waiters_leave(&waits[i]);
    }
}

/* One look at each span, and at the blocks of those where it had some. */
static void a_death_with_blocks_costs_what_it_had(void **state)
{
    (void)state;
    arena_ref ref, own[3];
    const uint64_t used = heap_used();
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < BLOCKS / 3; j++)
            assert_int_equal(heap_alloc(SMALL, self, &ref), MPROC_OK);
        assert_int_equal(heap_alloc(SMALL << i, dead, &own[i]), MPROC_OK);
    }
    assert_int_equal(heap_alloc(SMALL, self, &ref), MPROC_OK);
    heap_give(ref, self, dead);
    const unsigned long before = atomic_load(&entries_looked_at);
    heap_sweep(dead, self);
    const unsigned long cost = atomic_load(&entries_looked_at) - before;
    assert_in_range(cost, 1, arena_extent() / ARENA_SPAN + 4 * PER_SPAN);
    assert_int_equal(heap_used(), used + (uint64_t)BLOCKS * SMALL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(heap_owned_size(own[i], dead), 0);
    assert_int_equal(heap_owned_size(ref, dead), 0);
}

/* ---- ---- */

static int set_up(void **state)
{
    (void)state;
    return (int)make(&dead);
}

static int tear_down(void **state)
{
    (void)state;
    be(self);
    family_sweep(dead, false);
    return 0;
}

static int populate(void **state)
{
    (void)state;
    slot_id id;
    mproc_err err = mproc_lock_create(&only);
    arena_use_table(ARENA_OBJECTS, 0, &used_for_one);
    self = family.self;
    for (int i = 0; !err && i < LOCKS; i++)
        err = mproc_lock_create(&locks[i]);
    for (int i = 0; !err && i < QUEUES; i++)
        err = mproc_queue_create(&queues[i], NULL);
    for (int i = 0; !err && i < SLOTS; i++)
        err = make(&id);
    return (int)err;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_journal_tells_what_was_noted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_owner_of_a_slot_begins_with_an_empty_journal,
                                        set_up, tear_down),
        cmocka_unit_test(each_cell_has_a_bit),
        cmocka_unit_test_setup_teardown(a_death_with_nothing_costs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_death_with_locks_costs_what_it_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_death_with_64_queues_costs_what_it_used, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_clean_end_costs_what_it_used, set_up, tear_down),
        cmocka_unit_test(the_first_object_needs_no_second_span_of_cells),
        cmocka_unit_test(a_creation_passes_full_chunks_by),
        cmocka_unit_test(a_creation_finds_the_only_free_cell),
        cmocka_unit_test(a_notification_of_nobody_costs_nothing),
        cmocka_unit_test_setup_teardown(a_death_with_blocks_costs_what_it_had, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, populate, NULL);
}
