/* Sleeping on a word, with and without futexes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../pace/pace.h"
#include "family/family.h"
#include "family/heap.h"
#include "family/park.h"
#include "family_support.h"

#define MILLISECOND INT64_C(1000000)
#define PATIENCE (pace_limit(60000) * MILLISECOND)

enum { THREADS = 8 };

/* In the arena, as all words that are slept on. */
typedef struct scene {
    _Atomic uint32_t word;
    _Atomic uint32_t tickets, finished, asleep;
    int64_t patience;
} scene;

static scene *set_up(void)
{
    arena_ref ref = 0;
    assert_int_equal(heap_alloc(sizeof(scene), family.self, &ref), MPROC_OK);
    scene *made = arena_at(ref);
    *made = (scene){.word = 0};
    return made;
}

static void tear_down(scene *made)
{
    heap_free(arena_offset(made), family.self);
}

static bool wait_until(_Atomic uint32_t *value, uint32_t wanted)
{
    const int64_t end = os_now() + PATIENCE;
    while (atomic_load(value) != wanted) {
        if (os_now() > end)
            return false;
        os_yield();
    }
    return true;
}

/* ---- simple cases ---- */

static void a_word_that_has_changed_is_not_slept_on(void **state)
{
    (void)state;
    scene *s = set_up();
    atomic_store(&s->word, 2);
    assert_int_equal(park(&s->word, 1, OS_FOREVER, family.self), MPROC_OK);
    assert_int_equal(park(&s->word, 1, 0, family.self), MPROC_OK);
    tear_down(s);
}

static void sleeping_ends_with_its_time(void **state)
{
    (void)state;
    scene *s = set_up();
    for (int64_t rest = 0; rest <= 40; rest += 20) {
        const int64_t deadline = os_now() + rest * MILLISECOND;
        mproc_err err;
        do { /* one may wake for no reason */
            err = park(&s->word, 0, deadline, family.self);
        } while (!err);
        assert_int_equal(err, MPROC_ETIMEDOUT);
        assert_true(os_now() >= deadline);
    }
    assert_int_equal(park(&s->word, 0, 0, family.self), MPROC_ETIMEDOUT);
    tear_down(s);
}

static void a_wake_without_a_sleeper_is_nothing(void **state)
{
    (void)state;
    scene *s = set_up();
    unpark(&s->word, 1);
    unpark(&s->word, UINT32_MAX);
    assert_int_equal(park(&s->word, 0, 0, family.self), MPROC_ETIMEDOUT);
    tear_down(s);
}

static void time_outs_become_deadlines(void **state)
{
    (void)state;
    int64_t deadline = 77;
    assert_int_equal(park_deadline(-2, &deadline), MPROC_EINVAL);
    assert_int_equal(park_deadline(INT32_MIN, &deadline), MPROC_EINVAL);
    assert_int_equal(deadline, 77);
    assert_int_equal(park_deadline(MPROC_FOREVER, &deadline), MPROC_OK);
    assert_true(deadline == OS_FOREVER);
    assert_int_equal(park_deadline(0, &deadline), MPROC_OK);
    assert_int_equal(deadline, 0);
    const int64_t before = os_now();
    assert_int_equal(park_deadline(INT32_MAX, &deadline), MPROC_OK);
    assert_true(deadline >= before + INT32_MAX * MILLISECOND);
    assert_true(deadline < OS_FOREVER);
}

/* ---- many sleepers ---- */

static void await_ticket(void *argument)
{
    scene *s = argument;
    for (;;) {
        uint32_t seen = atomic_load(&s->word), tickets = atomic_load(&s->tickets);
        if (tickets && atomic_compare_exchange_strong(&s->tickets, &tickets, tickets - 1))
            break;
        if (!tickets) {
            atomic_fetch_add(&s->asleep, 1);
            park(&s->word, seen, OS_FOREVER, family.self);
            atomic_fetch_sub(&s->asleep, 1);
        }
    }
    atomic_fetch_add(&s->finished, 1);
}

static void start_sleepers(scene *s, os_handle threads[THREADS])
{
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(os_thread_start(&threads[i], await_ticket, s), MPROC_OK);
    assert_true(wait_until(&s->asleep, THREADS));
}

static void one_of_many_is_woken_at_a_time(void **state)
{
    (void)state;
    scene *s = set_up();
    os_handle threads[THREADS];
    start_sleepers(s, threads);
    for (uint32_t i = 0; i < THREADS; i++) {
        atomic_fetch_add(&s->tickets, 1);
        atomic_fetch_add(&s->word, 1);
        unpark(&s->word, 1);
        assert_true(wait_until(&s->finished, i + 1));
    }
    for (int i = 0; i < THREADS; i++)
        os_thread_join(threads[i]);
    tear_down(s);
}

static void all_are_woken_at_once(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        scene *s = set_up(), *other = set_up();
        os_handle threads[THREADS], bystanders[THREADS];
        start_sleepers(s, threads);
        start_sleepers(other, bystanders);
        atomic_store(&s->tickets, THREADS);
        atomic_fetch_add(&s->word, 1);
        unpark(&s->word, UINT32_MAX);
        assert_true(wait_until(&s->finished, THREADS));
        assert_int_equal(atomic_load(&other->finished), 0);
        atomic_store(&other->tickets, THREADS);
        atomic_fetch_add(&other->word, 1);
        unpark(&other->word, UINT32_MAX);
        for (int i = 0; i < THREADS; i++) {
            os_thread_join(threads[i]);
            os_thread_join(bystanders[i]);
        }
        tear_down(s);
        tear_down(other);
    }
}

#define BALL_OVER UINT32_C(0x80000000)

static void play(scene *s, uint32_t mine)
{
    for (;;) {
        uint32_t ball = atomic_load(&s->word);
        if (ball & BALL_OVER)
            return;
        if (ball % 2 == mine) {
            atomic_store(&s->word, ball + 1);
            unpark(&s->word, 1);
        } else {
            park(&s->word, ball, OS_FOREVER, family.self);
        }
        if (mine == 0 && (ball >= 100000 || atomic_load(&s->tickets))) {
            atomic_fetch_or(&s->word, BALL_OVER);
            unpark(&s->word, UINT32_MAX);
            return;
        }
    }
}

static void play_odd(void *argument)
{
    play(argument, 1);
    atomic_fetch_add(&((scene *)argument)->finished, 1);
}

static void play_even(void *argument)
{
    play(argument, 0);
    atomic_fetch_add(&((scene *)argument)->finished, 1);
}

/* A hundred thousand times, or as often as it goes in some seconds; without a beat that would hide
 * a lost one. */
static void no_wake_up_is_lost_between_two(void **state)
{
    (void)state;
    scene *s = set_up();
    os_handle even, odd;
    assert_int_equal(os_thread_start(&odd, play_odd, s), MPROC_OK);
    assert_int_equal(os_thread_start(&even, play_even, s), MPROC_OK);
    uint32_t before = 0;
    int64_t began = os_now(), moved = began;
    while (atomic_load(&s->finished) < 2) {
        uint32_t ball = atomic_load(&s->word);
        if (ball != before)
            moved = os_now();
        before = ball;
        assert_true(os_now() - moved < PATIENCE);
        if (os_now() - began > 10000 * MILLISECOND)
            atomic_store(&s->tickets, 1);
        park(&s->finished, atomic_load(&s->finished), os_now() + 20 * MILLISECOND, family.self);
    }
    os_thread_join(even);
    os_thread_join(odd);
    assert_true((atomic_load(&s->word) & ~BALL_OVER) > 1000);
    tear_down(s);
}

/* ---- places, where there are no futexes ---- */

#define UNUSED UINT64_C(0)
#define TAKEN UINT64_C(1)
#define ASLEEP (UINT64_C(1) << 63)

static park_place *places(uint32_t *count)
{
    park_place *table = arena_use_table(ARENA_PLACES, 256, NULL);
    assert_non_null(table);
    *count = (uint32_t)atomic_load(&table[0].word);
    return table;
}

/* A place of its own for somebody who has slept: as a process leaves it. */
static uint32_t place_of(slot_id owner, uint64_t word)
{
    uint32_t count;
    park_place *table = places(&count);
    for (uint32_t i = 1; i < 256; i++) {
        if (atomic_load(&table[i].owner))
            continue;
        atomic_store(&table[i].owner, owner);
        atomic_store(&table[i].word, word);
        if (count < i + 1)
            atomic_store(&table[0].word, i + 1);
        return i;
    }
    fail();
    return 0;
}

static slot_id somebody(void)
{
    slot_id id;
    assert_int_equal(slot_claim(family.self, "somebody", false, &id), MPROC_OK);
    assert_int_equal(slot_enter(id, 4000000), MPROC_OK);
    return id;
}

static void the_places_of_a_dead_one_are_free_again(void **state)
{
    (void)state;
    if (os_has_futex)
        skip();
    const uint64_t words[] = {UNUSED, TAKEN, ASLEEP | 4096};
    for (int clean = 0; clean < 2; clean++) {
        for (size_t i = 0; i < 3; i++) {
            uint32_t count;
            slot_id dead = somebody(), living = somebody();
            uint32_t at = place_of(dead, words[i]), other = place_of(living, TAKEN);
            if (i == 0 && !clean) /* killed while it made its signal */
                places(&count)[at].owner |= UINT64_C(1) << 63;
            family_sweep(dead, clean);
            assert_int_equal(places(&count)[at].owner, 0);
            assert_int_equal(places(&count)[at].word, UNUSED);
            assert_int_equal(places(&count)[other].owner, living);
            assert_int_equal(places(&count)[other].word, TAKEN);
            family_sweep(living, false);
            assert_int_equal(places(&count)[other].owner, 0);
        }
    }
}

static void sleep_once(void *argument)
{
    scene *s = argument;
    mproc_err err = park(&s->word, 0, os_now() + s->patience, family.self);
    atomic_store(&s->finished, err ? 2 : 1);
}

/* Chooses the one that sleeps on the word, as a waker does before it posts. 0: there is none. */
static uint32_t choose(_Atomic uint32_t *word)
{
    uint32_t count;
    park_place *table = places(&count);
    for (uint32_t i = 1; i < count; i++) {
        uint64_t asleep = ASLEEP | arena_offset(word);
        if (atomic_compare_exchange_strong(&table[i].word, &asleep, TAKEN))
            return i;
    }
    return 0;
}

/* Whom it had chosen, and died before it posted: nobody else will. */
static void the_sweep_wakes_whom_a_dead_waker_had_in_mind(void **state)
{
    (void)state;
    if (os_has_futex)
        skip();
    scene *s = set_up();
    os_handle thread;
    slot_id dead = somebody();
    s->patience = PATIENCE;
    assert_int_equal(os_thread_start(&thread, sleep_once, s), MPROC_OK);
    const int64_t end = os_now() + PATIENCE;
    while (!choose(&s->word))
        assert_true(os_now() < end);
    family_sweep(dead, false);
    assert_true(wait_until(&s->finished, 1));
    os_thread_join(thread);
    tear_down(s);
}

/* Its waker counts on it: the wake-up must not be lost with a time-out. */
static void a_sleeper_that_was_chosen_says_so_even_if_its_time_is_up(void **state)
{
    (void)state;
    if (os_has_futex)
        skip();
    bool chosen = false;
    for (int tries = 0; tries < 50 && !chosen; tries++) {
        scene *s = set_up();
        os_handle thread;
        s->patience = 100 * MILLISECOND;
        assert_int_equal(os_thread_start(&thread, sleep_once, s), MPROC_OK);
        while (!chosen && !atomic_load(&s->finished))
            chosen = choose(&s->word) != 0;
        os_thread_join(thread);
        assert_int_equal(atomic_load(&s->finished), chosen ? 1 : 2);
        tear_down(s);
    }
    assert_true(chosen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_that_has_changed_is_not_slept_on),
        cmocka_unit_test(sleeping_ends_with_its_time),
        cmocka_unit_test(a_wake_without_a_sleeper_is_nothing),
        cmocka_unit_test(time_outs_become_deadlines),
        cmocka_unit_test(one_of_many_is_woken_at_a_time),
        cmocka_unit_test(all_are_woken_at_once),
        cmocka_unit_test(no_wake_up_is_lost_between_two),
        cmocka_unit_test(the_places_of_a_dead_one_are_free_again),
        cmocka_unit_test(the_sweep_wakes_whom_a_dead_waker_had_in_mind),
        cmocka_unit_test(a_sleeper_that_was_chosen_says_so_even_if_its_time_is_up),
    };
    return cmocka_run_group_tests(tests, found_family, NULL);
}
