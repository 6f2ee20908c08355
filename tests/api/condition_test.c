/* Conditions: who is woken, who is not, and what is held afterwards. */
#include "condition_stage.h"

#include <stdlib.h>

/* Each way of waiting with each kind of lock. */
static void with_all(void (*play)(const stage *at, crew *them))
{
    for (int lock = 0; lock < LOCK_KINDS; lock++) {
        for (int kind = 0; kind < CREW_KINDS; kind++) {
            static crew them;
            them = (crew){.kind = (crew_kind)kind};
            stage at = stage_set(lock);
            play(&at, &them);
            crew_join(&them);
            stage_clear(&at);
        }
    }
}

/* ---- notifying ---- */

static void notify_one_by_one(const stage *at, crew *them)
{
    add_waiters(them, at, 6);
    take_when_waiting(at, 6);
    scene *s = scene_of(at);
    const int steps[] = {1, 2, 3};
    for (int i = 0, woken = 0; i < 3; i++) {
        s->phase = i;
        assert_int_equal(mproc_condition_notify(at->condition, (unsigned)steps[i]), MPROC_OK);
        assert_int_equal(s->woken, woken);
        let_go(at);
        woken += steps[i];
        take_when_woken(at, woken);
        let_go(at);
        expect_no_more_than(at, woken);
        take_when_woken(at, woken);
    }
    let_go(at);
}

static void notify_wakes_exactly_as_many_as_asked(void **state)
{
    (void)state;
    with_all(notify_one_by_one);
}

static void wake_all(const stage *at, crew *them)
{
    add_waiters(them, at, 5);
    take_when_waiting(at, 5);
    assert_int_equal(mproc_condition_notify_all(at->condition), MPROC_OK);
    let_go(at);
    take_when_woken(at, 5);
    let_go(at);
}

static void notify_all_wakes_all(void **state)
{
    (void)state;
    with_all(wake_all);
}

static void notify_in_order(const stage *at, crew *them)
{
    const scene *s = scene_of(at);
    for (int i = 0; i < 4; i++) {
        add_waiters(them, at, 1);
        take_when_waiting(at, i + 1);
        let_go(at);
    }
    for (int i = 0; i < 4; i++) {
        take_when_woken(at, i);
        assert_int_equal(mproc_condition_notify(at->condition, 1), MPROC_OK);
        let_go(at);
        take_when_woken(at, i + 1);
        assert_int_equal(s->order[i], i);
        let_go(at);
    }
}

static void notify_wakes_the_oldest_first(void **state)
{
    (void)state;
    with_all(notify_in_order);
}

static void notify_too_often(const stage *at, crew *them)
{
    take_when_waiting(at, 0);
    assert_int_equal(mproc_condition_notify(at->condition, 3), MPROC_OK);
    assert_int_equal(mproc_condition_notify_all(at->condition), MPROC_OK);
    let_go(at);
    add_waiters(them, at, 2);
    take_when_waiting(at, 2);
    assert_int_equal(mproc_condition_notify(at->condition, 10), MPROC_OK);
    assert_int_equal(mproc_condition_notify(at->condition, 10), MPROC_OK);
    let_go(at);
    take_when_woken(at, 2);
    assert_int_equal(mproc_condition_wait(at->condition, BRIEFLY), MPROC_ETIMEDOUT);
    let_go(at);
}

static void excess_notifies_are_not_stored(void **state)
{
    (void)state;
    with_all(notify_too_often);
}

static void notify_nobody(const stage *at, crew *them)
{
    add_waiters(them, at, 2);
    take_when_waiting(at, 2);
    assert_int_equal(mproc_condition_notify(at->condition, 0), MPROC_OK);
    let_go(at);
    expect_no_more_than(at, 0);
    take_when_waiting(at, 2);
    assert_int_equal(mproc_condition_notify_all(at->condition), MPROC_OK);
    let_go(at);
}

static void notify_of_none_wakes_none(void **state)
{
    (void)state;
    with_all(notify_nobody);
}

/* ---- time-outs ---- */

static void notify_after_time_outs(const stage *at, crew *them)
{
    stage brief = *at;
    brief.timeout = BRIEFLY;
    brief.expected = MPROC_ETIMEDOUT;
    scene *s = scene_of(at);
    add_waiters(them, &brief, 3);
    add_waiters(them, at, 3);
    take_when_waiting(at, 6);
    while (s->timed_out < 3)
        mproc_condition_wait(at->condition, 1);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(mproc_condition_notify(at->condition, 1), MPROC_OK);
        let_go(at);
        take_when_woken(at, i);
        let_go(at);
        expect_no_more_than(at, i);
        take_when_woken(at, i);
    }
    let_go(at);
}

static void waiters_that_timed_out_do_not_corrupt_later_notifies(void **state)
{
    (void)state;
    with_all(notify_after_time_outs);
}

static int try_to_take(void *args, size_t size)
{
    const stage *at = args;
    return size == sizeof *at && mproc_condition_acquire(at->condition, 0) == MPROC_ETIMEDOUT ? 0
                                                                                              : 1;
}

static void wait_in_vain(const stage *at, crew *them)
{
    take_when_waiting(at, 0);
    assert_int_equal(mproc_condition_wait(at->condition, 0), MPROC_ETIMEDOUT);
    crew_add(them, try_to_take, at, sizeof *at);
    crew_join(them);
    int64_t begin = host_now();
    assert_int_equal(mproc_condition_wait(at->condition, 3 * BRIEFLY), MPROC_ETIMEDOUT);
    assert_true(host_now() - begin >= 3 * BRIEFLY - 1);
    crew_add(them, try_to_take, at, sizeof *at);
    crew_join(them);
    let_go(at);
}

static void wait_holds_the_lock_again_after_a_time_out(void **state)
{
    (void)state;
    with_all(wait_in_vain);
}

/* ---- recursion ---- */

static void wait_deeply(const stage *at, crew *them)
{
    stage deep = *at;
    if (at->lock.id)
        return;
    deep.depth = 3;
    add_waiters(them, &deep, 3);
    take_when_waiting(at, 3);
    assert_int_equal(mproc_condition_notify(at->condition, 3), MPROC_OK);
    let_go(at);
    crew_join(them);
    deep.timeout = BRIEFLY;
    deep.expected = MPROC_ETIMEDOUT;
    add_waiters(them, &deep, 3);
    crew_join(them);
    take_when_waiting(at, 6);
    let_go(at);
}

static void recursion_is_given_up_and_restored(void **state)
{
    (void)state;
    with_all(wait_deeply);
}

/* ---- wait_for ---- */

static bool is_one(void *context)
{
    return *(const int *)context == 1;
}

static int change_turn(void *args, size_t size)
{
    const stage *at = args;
    scene *s = scene_of(at);
    if (size != sizeof *at)
        return 1;
    for (int value = 3; value >= 1; value--) {
        if (mproc_condition_acquire(at->condition, SOON))
            return 2;
        s->turn = value;
        if (mproc_condition_notify_all(at->condition) || mproc_condition_release(at->condition))
            return 3;
    }
    return 0;
}

static void wait_for_a_turn(const stage *at, crew *them)
{
    scene *s = scene_of(at);
    take_when_waiting(at, 0);
    crew_add(them, change_turn, at, sizeof *at);
    assert_int_equal(mproc_condition_wait_for(at->condition, is_one, &s->turn, SOON), MPROC_OK);
    assert_int_equal(s->turn, 1);
    assert_int_equal(mproc_condition_wait_for(at->condition, is_one, &s->turn, 0), MPROC_OK);
    assert_int_equal(mproc_condition_wait_for(at->condition, is_one, &s->turn, MPROC_FOREVER),
                     MPROC_OK);
    let_go(at);
}

static void wait_for_waits_until_the_predicate_is_true(void **state)
{
    (void)state;
    with_all(wait_for_a_turn);
}

static int notify_until_told(void *args, size_t size)
{
    const stage *at = args;
    const scene *s = scene_of(at);
    if (size != sizeof *at)
        return 1;
    for (bool told = false; !told;) {
        if (mproc_condition_acquire(at->condition, SOON))
            return 2;
        told = s->phase;
        if (mproc_condition_notify_all(at->condition) || mproc_condition_release(at->condition))
            return 3;
        host_nap(1);
    }
    return 0;
}

static void wait_for_what_never_comes(const stage *at, crew *them)
{
    const int patience = 100;
    scene *s = scene_of(at);
    crew_add(them, notify_until_told, at, sizeof *at);
    take_when_waiting(at, 0);
    int64_t begin = host_now();
    assert_int_equal(mproc_condition_wait_for(at->condition, is_one, &s->turn, patience),
                     MPROC_ETIMEDOUT);
    int64_t took = host_now() - begin;
    assert_int_equal(mproc_condition_wait_for(at->condition, is_one, &s->turn, 0), MPROC_ETIMEDOUT);
    s->phase = 1;
    let_go(at);
    assert_true(took >= patience - 1 && took < SOON);
}

static void wait_for_keeps_its_total_time_out(void **state)
{
    (void)state;
    with_all(wait_for_what_never_comes);
}

/* ---- many rounds ---- */

enum { ROUNDS = 1000 };

static int take_turns(void *args, size_t size)
{
    const stage *at = args;
    scene *s = scene_of(at);
    if (size != sizeof *at || mproc_condition_acquire(at->condition, SOON))
        return 1;
    for (int i = 0; i < ROUNDS; i++) {
        while (s->turn != at->number) {
            if (mproc_condition_wait(at->condition, SOON))
                return 2;
        }
        s->turn = !at->number;
        s->sum++;
        if (mproc_condition_notify(at->condition, 1))
            return 3;
    }
    return mproc_condition_release(at->condition) ? 4 : 0;
}

static void play_ping_pong(const stage *at, crew *them)
{
    for (int i = 0; i < 2; i++) {
        stage its = *at;
        its.number = i;
        crew_add(them, take_turns, &its, sizeof its);
    }
    crew_join(them);
    assert_int_equal(scene_of(at)->sum, 2 * ROUNDS);
}

static void two_take_turns_a_thousand_times(void **state)
{
    (void)state;
    with_all(play_ping_pong);
}

/* `condition`: something to get; `other`: room to put. Both on one lock. */
typedef struct trade {
    stage at;
    mproc_condition other;
    bool puts;
} trade;

enum { GOODS = 300, ROOM = 4 };

static bool has_goods(void *context)
{
    return ((const scene *)context)->count > 0;
}

static bool has_room(void *context)
{
    return ((const scene *)context)->count < ROOM;
}

static int do_trade(void *args, size_t size)
{
    const trade *t = args;
    scene *s = scene_of(&t->at);
    mproc_condition mine = t->puts ? t->other : t->at.condition;
    mproc_condition theirs = t->puts ? t->at.condition : t->other;
    if (size != sizeof *t)
        return 1;
    for (int i = 1; i <= GOODS; i++) {
        if (mproc_condition_acquire(mine, SOON) ||
            mproc_condition_wait_for(mine, t->puts ? has_room : has_goods, s, SOON))
            return 2;
        if (t->puts)
            s->items[s->put++ % ROOM] = i;
        else
            s->sum += s->items[s->got++ % ROOM];
        s->count += t->puts ? 1 : -1;
        if (mproc_condition_notify(theirs, 1) || mproc_condition_release(mine))
            return 3;
    }
    return 0;
}

static void trade_with_each_other(const stage *at, crew *them)
{
    trade t = {.at = *at};
    if (!at->lock.id && !at->rlock.id)
        return;
    const mproc_condition_options same = {.lock = at->lock, .rlock = at->rlock};
    assert_int_equal(mproc_condition_create(&t.other, &same), MPROC_OK);
    for (int i = 0; i < 6; i++) {
        t.puts = i < 3;
        crew_add(them, do_trade, &t, sizeof t);
    }
    crew_join(them);
    assert_int_equal(scene_of(at)->sum, 3 * GOODS * (GOODS + 1) / 2);
    assert_int_equal(scene_of(at)->count, 0);
    assert_int_equal(mproc_condition_destroy(t.other), MPROC_OK);
}

static void producers_and_consumers_lose_nothing(void **state)
{
    (void)state;
    with_all(trade_with_each_other);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notify_wakes_exactly_as_many_as_asked),
        cmocka_unit_test(notify_all_wakes_all),
        cmocka_unit_test(notify_wakes_the_oldest_first),
        cmocka_unit_test(excess_notifies_are_not_stored),
        cmocka_unit_test(notify_of_none_wakes_none),
        cmocka_unit_test(waiters_that_timed_out_do_not_corrupt_later_notifies),
        cmocka_unit_test(wait_holds_the_lock_again_after_a_time_out),
        cmocka_unit_test(recursion_is_given_up_and_restored),
        cmocka_unit_test(wait_for_waits_until_the_predicate_is_true),
        cmocka_unit_test(wait_for_keeps_its_total_time_out),
        cmocka_unit_test(two_take_turns_a_thousand_times),
        cmocka_unit_test(producers_and_consumers_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
