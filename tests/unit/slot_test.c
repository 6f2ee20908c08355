/* Who lives: states, generations, and what a process says about its own end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "family/family.h"
#include "family/heap.h"
#include "family_support.h"

static slot_id claim(const char *name)
{
    slot_id id = 0;
    assert_int_equal(slot_claim(family.self, name, true, &id), MPROC_OK);
    assert_int_not_equal(id, 0);
    return id;
}

static void a_slot_goes_through_its_states_once(void **state)
{
    (void)state;
    slot_id id = claim("child");
    assert_true(slot_is(id, SLOT_CLAIMED));
    assert_string_equal(slot_at(id)->name, "child");
    assert_true(slot_at(id)->daemon);
    assert_int_equal(slot_at(id)->parent, family.self);
    assert_int_equal(slot_enter(id, 4711), MPROC_OK);
    assert_true(slot_is(id, SLOT_LIVING));
    assert_int_equal(slot_pid(id), 4711);
    assert_int_equal(slot_enter(id, 4712), MPROC_ESTATE);
    assert_false(slot_disown(id, family.self, family.self));
    slot_free(id);
    assert_false(slot_is(id, SLOT_LIVING));
    assert_false(slot_is(id, SLOT_CLAIMED));
    assert_int_equal(slot_enter(id, 4713), MPROC_ESTATE);
}

static void a_slot_taken_back_stays_closed_to_its_child(void **state)
{
    (void)state;
    slot_id id = claim("late");
    assert_true(slot_disown(id, family.self, family.self));
    assert_int_equal(slot_enter(id, 1), MPROC_ESTATE);
    slot_free(id);
    assert_false(slot_disown(id, family.self, family.self));
    assert_int_equal(slot_enter(id, 1), MPROC_ESTATE);
}

/* A parent that was killed between its child's slot and its child, at both sides of the sweep's
 * own commit store. */
static void what_a_dead_parent_was_making_is_taken_back(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    slot_id parent = claim("parent"), sweeper = claim("sweeper"), child = 0;
    arena_ref record;
    assert_int_equal(slot_enter(parent, 4000000), MPROC_OK);
    assert_int_equal(slot_enter(sweeper, 4000001), MPROC_OK);
    for (int killed_sweeps = 0; killed_sweeps < 2; killed_sweeps++) {
        assert_int_equal(slot_claim(parent, "child", false, &child), MPROC_OK);
        assert_int_equal(heap_alloc(100, child, &record), MPROC_OK);
        if (killed_sweeps) {
            assert_true(slot_disown(child, parent, sweeper));
            family_disown(parent); /* not the parent's any more */
            assert_true(slot_is(child, SLOT_DISOWNED));
            assert_true(heap_used() > used);
        }
        family_disown(killed_sweeps ? sweeper : parent);
        assert_false(slot_is(child, SLOT_DISOWNED));
        assert_int_equal(slot_enter(child, 1), MPROC_ESTATE);
        assert_int_equal(heap_used(), used);
    }
    slot_free(parent);
    slot_free(sweeper);
}

static void the_next_one_in_a_slot_is_another(void **state)
{
    (void)state;
    slot_id first = claim("first");
    slot_enter(first, 10);
    slot_report(first, (mproc_exit_status){.kind = MPROC_EXIT_EXITED, .code = 3}, true);
    slot_free(first);
    slot_id second = claim("second");
    mproc_exit_status status;
    bool clean;
    assert_int_equal(second & 0xffff, first & 0xffff);
    assert_int_not_equal(second, first);
    assert_null(slot_at(first));
    assert_false(slot_is(first, SLOT_CLAIMED));
    assert_int_equal(slot_enter(first, 11), MPROC_ESTATE);
    assert_false(slot_disown(first, family.self, family.self));
    slot_free(first);
    slot_report(first, (mproc_exit_status){.kind = MPROC_EXIT_EXITED}, true);
    assert_true(slot_is(second, SLOT_CLAIMED));
    assert_false(slot_reported(second, &status, &clean));
    assert_int_equal(slot_pid(second), 0);
    slot_free(second);
}

static void forged_ids_name_nobody(void **state)
{
    (void)state;
    const slot_id forged[] = {0, 0xffff, SLOT_COUNT, family.self + ((slot_id)1 << 16), UINT64_MAX};
    mproc_exit_status status;
    bool clean;
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        assert_null(slot_at(forged[i]));
        assert_int_equal(slot_enter(forged[i], 1), MPROC_ESTATE);
        assert_false(slot_disown(forged[i], family.self, family.self));
        slot_free(forged[i]);
        slot_report(forged[i], (mproc_exit_status){.kind = MPROC_EXIT_EXITED}, true);
        assert_false(slot_reported(forged[i], &status, &clean));
    }
    assert_true(slot_is(family.self, SLOT_LIVING));
}

static void a_long_name_is_cut(void **state)
{
    (void)state;
    char name[200];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    slot_id id = claim(name);
    assert_int_equal(strlen(slot_at(id)->name), SLOT_NAME - 1);
    slot_free(id);
}

/* ---- reports ---- */

static void check_report(mproc_exit_status told, bool clean)
{
    slot_id id = claim("reporter");
    mproc_exit_status heard = {0};
    bool heard_clean = !clean;
    slot_enter(id, 1);
    assert_false(slot_reported(id, &heard, &heard_clean));
    slot_report(id, told, clean);
    slot_report(id, (mproc_exit_status){.kind = MPROC_EXIT_LOST, .code = 99}, !clean);
    assert_true(slot_reported(id, &heard, &heard_clean));
    assert_int_equal(heard.kind, told.kind);
    assert_int_equal(heard.err, told.err);
    assert_int_equal(heard.code, told.code);
    assert_int_equal(heard_clean, clean);
    slot_free(id);
}

static void every_report_arrives_as_it_was_made(void **state)
{
    (void)state;
    const int64_t codes[] = {0, 1, -1, 7, 127, 128, 255, 256, 65536, INT32_MAX, INT32_MIN};
    for (int clean = 0; clean < 2; clean++) {
        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
            check_report((mproc_exit_status){.kind = MPROC_EXIT_EXITED, .code = codes[i]}, clean);
        for (int64_t number = 1; number <= 64; number++) {
            check_report((mproc_exit_status){.kind = MPROC_EXIT_SIGNALED, .code = number}, clean);
            check_report((mproc_exit_status){.kind = MPROC_EXIT_TERMINATED, .code = number}, clean);
        }
        for (int err = 0; err >= MPROC_EOS; err--)
            check_report((mproc_exit_status){.kind = MPROC_EXIT_REFUSED, .err = (mproc_err)err},
                         clean);
        check_report((mproc_exit_status){.kind = MPROC_EXIT_CRASHED, .code = INT64_C(0xC0000005)},
                     clean);
        check_report((mproc_exit_status){.kind = MPROC_EXIT_LOST}, clean);
    }
}

/* As under an emulator, whose start time the system tells. */
static void nobody_is_gone_to_himself(void **state)
{
    (void)state;
    _Atomic uint64_t *born = &slot_at(family.self)->born;
    const uint64_t right = atomic_load(born);
    atomic_store(born, 1);
    assert_false(family_is_gone((uint32_t)(family.self & 0xffff)));
    atomic_store(born, right);
    assert_false(family_is_gone((uint32_t)(family.self & 0xffff)));
}

/* ---- all of them ---- */

typedef struct census {
    size_t met;
    slot_id sought;
    bool found, stop;
} census;

static bool count_one(slot_id id, slot *at, void *context)
{
    census *so_far = context;
    so_far->met++;
    so_far->found |= id == so_far->sought && at == slot_at(id);
    return !so_far->stop;
}

static size_t count_slots(void)
{
    census all = {0};
    slot_each(count_one, &all);
    return all.met;
}

static void each_one_in_use_is_visited(void **state)
{
    (void)state;
    const size_t before = count_slots();
    slot_id claimed = claim("claimed"), living = claim("living"), gone = claim("gone");
    slot_enter(living, 5);
    slot_free(gone);
    assert_int_equal(count_slots(), before + 2);
    census all = {.sought = claimed};
    slot_each(count_one, &all);
    assert_true(all.found);
    census first = {.stop = true};
    slot_each(count_one, &first);
    assert_int_equal(first.met, 1);
    slot_free(claimed);
    slot_free(living);
    assert_int_equal(count_slots(), before);
}

static void all_slots_can_be_in_use_and_no_more(void **state)
{
    (void)state;
    static slot_id ids[SLOT_COUNT];
    const size_t before = count_slots();
    for (int round = 0; round < 2; round++) {
        size_t count = 0;
        mproc_err err;
        while ((err = slot_claim(family.self, "one of many", false, &ids[count])) == MPROC_OK)
            count++;
        assert_int_equal(err, MPROC_EAGAIN);
        assert_int_equal(count + before, SLOT_COUNT);
        assert_true(count > 4096);
        while (count)
            slot_free(ids[--count]);
        assert_int_equal(count_slots(), before);
    }
}

/* ---- races ---- */

enum { ROUNDS = 20000 };
#define LONGEST INT64_C(5000000000) /* nanoseconds */

typedef struct race {
    _Atomic slot_id id;
    _Atomic unsigned ready, done;
    _Atomic bool over;
    unsigned entered;
} race;

static void enter_each(void *argument)
{
    race *shared = argument;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&shared->ready) < round) {
            if (atomic_load(&shared->over))
                return;
            os_yield();
        }
        if (slot_enter(atomic_load(&shared->id), round) == MPROC_OK)
            shared->entered++;
        atomic_store(&shared->done, round);
    }
}

/* A parent's death against its child's first act: one of them wins, never both. On a busy machine as
 * many rounds as there is time for. */
static void either_the_child_enters_or_its_slot_is_taken_back(void **state)
{
    (void)state;
    race shared = {0};
    os_handle thread;
    unsigned disowned = 0, rounds = 0;
    const int64_t end = os_now() + LONGEST;
    assert_int_equal(os_thread_start(&thread, enter_each, &shared), MPROC_OK);
    for (unsigned round = 1; round <= ROUNDS && os_now() < end; round++) {
        slot_id id = 0;
        if (slot_claim(family.self, "racer", false, &id))
            break;
        atomic_store(&shared.id, id);
        atomic_store(&shared.ready, round);
        for (unsigned wait = round % 64; wait; wait--)
            os_pause();
        bool mine = slot_disown(id, family.self, family.self);
        while (atomic_load(&shared.done) < round)
            os_yield();
        disowned += mine;
        slot_free(id);
        rounds++;
    }
    atomic_store(&shared.over, true);
    os_thread_join(thread);
    assert_true(rounds > 0);
    assert_int_equal(shared.entered + disowned, rounds);
}

static void report_each(void *argument)
{
    race *shared = argument;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&shared->ready) < round) {
            if (atomic_load(&shared->over))
                return;
        }
        slot_report(atomic_load(&shared->id), (mproc_exit_status){.kind = MPROC_EXIT_LOST}, false);
        atomic_store(&shared->done, round);
    }
}

/* The slot is freed and claimed anew while somebody reports: nothing is told of the next one. */
static void a_late_report_is_none_of_the_next_one(void **state)
{
    (void)state;
    race shared = {0};
    os_handle thread;
    unsigned wrong = 0, rounds = 0;
    const int64_t end = os_now() + LONGEST;
    mproc_exit_status status;
    bool clean;
    assert_int_equal(os_thread_start(&thread, report_each, &shared), MPROC_OK);
    for (unsigned round = 1; round <= ROUNDS && os_now() < end; round++, rounds++) {
        slot_id id = claim("first"), next;
        atomic_store(&shared.id, id);
        atomic_store(&shared.ready, round);
        for (unsigned wait = round % 64; wait; wait--)
            os_pause();
        slot_free(id);
        next = claim("next");
        while (atomic_load(&shared.done) < round)
            os_pause();
        wrong += slot_reported(next, &status, &clean);
        slot_free(next);
    }
    atomic_store(&shared.over, true);
    os_thread_join(thread);
    assert_true(rounds > 0);
    assert_int_equal(wrong, 0);
}

typedef struct claimer {
    unsigned wrong;
} claimer;

static void claim_and_free(void *argument)
{
    claimer *self = argument;
    for (int round = 0; round < ROUNDS / 4; round++) {
        slot_id ids[3];
        for (int i = 0; i < 3; i++)
            self->wrong += slot_claim(family.self, "mine", false, &ids[i]) != MPROC_OK;
        for (int i = 0; i < 3; i++) {
            self->wrong += slot_enter(ids[i], i + 1) != MPROC_OK;
            self->wrong += slot_at(ids[i]) == NULL || slot_pid(ids[i]) != i + 1;
            slot_free(ids[i]);
        }
    }
}

static void threads_never_claim_the_same_slot(void **state)
{
    (void)state;
    const size_t before = count_slots();
    claimer selves[4] = {{0}};
    os_handle threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(os_thread_start(&threads[i], claim_and_free, &selves[i]), MPROC_OK);
    for (int i = 0; i < 4; i++)
        os_thread_join(threads[i]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(selves[i].wrong, 0);
    assert_int_equal(count_slots(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_goes_through_its_states_once),
        cmocka_unit_test(a_slot_taken_back_stays_closed_to_its_child),
        cmocka_unit_test(what_a_dead_parent_was_making_is_taken_back),
        cmocka_unit_test(the_next_one_in_a_slot_is_another),
        cmocka_unit_test(forged_ids_name_nobody),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(every_report_arrives_as_it_was_made),
        cmocka_unit_test(nobody_is_gone_to_himself),
        cmocka_unit_test(each_one_in_use_is_visited),
        cmocka_unit_test(all_slots_can_be_in_use_and_no_more),
        cmocka_unit_test(either_the_child_enters_or_its_slot_is_taken_back),
        cmocka_unit_test(a_late_report_is_none_of_the_next_one),
        cmocka_unit_test(threads_never_claim_the_same_slot),
    };
    return cmocka_run_group_tests(tests, found_family, NULL);
}
