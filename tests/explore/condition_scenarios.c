/* Conditions: a notification reaches a waiter, and is handed on when that one dies. */
#include "family/waiters.h"
#include "scenario.h"

static void make(void)
{
    MUST(mproc_condition_create(&stage.condition, NULL));
}

static void make_with_lock(void)
{
    MUST(mproc_lock_create(&stage.lock));
    MUST(mproc_condition_create(&stage.condition, &(mproc_condition_options){.lock = stage.lock}));
}

static void enter(void)
{
    mproc_err err = mproc_condition_acquire(stage.condition, MPROC_FOREVER);
    if (err == MPROC_EOWNERDEAD)
        mproc_condition_mark_consistent(stage.condition);
    else if (err)
        explore_wrong("the lock of a condition cannot be had");
}

/* Until there is one of `flag`, which it takes. */
static mproc_err await(int timeout_ms)
{
    mproc_err err = MPROC_OK;
    enter();
    while (stage.flag < 1 && (!err || err == MPROC_EOWNERDEAD)) {
        err = mproc_condition_wait(stage.condition, timeout_ms);
        if (err == MPROC_EOWNERDEAD)
            mproc_condition_mark_consistent(stage.condition);
    }
    stage.flag -= !err || err == MPROC_EOWNERDEAD;
    mproc_condition_release(stage.condition);
    return err;
}

static void wait_for_one(int who)
{
    stage.result[who] = await(MPROC_FOREVER);
}

static void wait_impatiently(int who)
{
    stage.result[who] = await(EXPLORE_TIMEOUT_MS);
}

static void notify(int who)
{
    enter();
    stage.flag++;
    stage.result[who] = mproc_condition_notify(stage.condition, 1);
    mproc_condition_release(stage.condition);
}

static void notify_twice(int who)
{
    notify(who);
    notify(who);
}

static void notify_all(int who)
{
    enter();
    stage.flag += 2;
    stage.result[who] = mproc_condition_notify_all(stage.condition);
    mproc_condition_release(stage.condition);
}

static void destroy(int who)
{
    stage.result[who] = mproc_condition_destroy(stage.condition);
}

static void destroy_lock(int who)
{
    stage.result[who] = mproc_lock_destroy(stage.lock);
}

static void wait_while_there(int who)
{
    if (mproc_condition_acquire(stage.condition, MPROC_FOREVER))
        return;
    stage.result[who] = mproc_condition_wait(stage.condition, MPROC_FOREVER);
    mproc_condition_release(stage.condition);
}

/* ---- the players that may sleep ---- */

enum { STATE_SHIFT = OBJECT_OWNER_BITS, STATE_WAITING = 2, STATE_NOTIFIED, PLACES = 16 };

static unsigned state_of(const waiter *place)
{
    return (unsigned)(atomic_load(&place->state) >> STATE_SHIFT & 3);
}

/* NULL: it sleeps before a lock. */
static const waiter *place_of(int who)
{
    const waiter *places = arena_table_begin(ARENA_WAITERS);
    const volatile void *word = scenario_word(who);
    for (int i = 1; i < PLACES; i++) {
        if (word == (const volatile void *)&places[i].wake)
            return &places[i];
    }
    return NULL;
}

/* From that kind of place on. */
static bool is_in_table(int who, unsigned least)
{
    const waiter *places = arena_table_begin(ARENA_WAITERS);
    for (int i = 1; i < PLACES; i++) {
        const uint64_t state = atomic_load(&places[i].state);
        if (state_of(&places[i]) >= least &&
            (state & OBJECT_OWNER) == (explore_slot(who) & 0xffff) + 1)
            return true;
    }
    return false;
}

static bool has_lock(int who)
{
    const uint64_t lock = stage.lock.id ? stage.lock.id : stage.condition.id;
    const uint64_t word = atomic_load(&object_find(lock)->word);
    return (word & OBJECT_OWNER) == (explore_slot(who) & 0xffff) + 1;
}

/* A waiter has used a notification up when it has its lock back and its place no more; that one is gone
 * with it. Any other is still owed to those that wait. */
static void note_debt(int victim)
{
    if (victim < EXPLORE_PLAYERS)
        stage.owed = is_in_table(victim, STATE_WAITING) || !has_lock(victim);
}

/* One of its threads may have used it up while the other one waits. */
static void note_debt_of_two(int victim)
{
    if (victim < EXPLORE_PLAYERS)
        stage.owed = is_in_table(victim, STATE_NOTIFIED) || !has_lock(victim);
}

static const char *stuck_if_told(int who)
{
    const waiter *place = place_of(who);
    if (!place)
        return "sleeps before its lock";
    return state_of(place) == STATE_NOTIFIED ? "sleeps though it was notified" : NULL;
}

static const char *stuck(int who)
{
    const char *why = stuck_if_told(who);
    if (why)
        return why;
    return stage.flag > 0 && (!explore_killed() || stage.owed) ? "sleeps though it is so" : NULL;
}

static bool is_gone(uint64_t id)
{
    return id && !object_matches(atomic_load(&object_find(id)->word), id);
}

/* A destroyer that died at once has destroyed nothing. */
static const char *stuck_at_gone(int who)
{
    (void)who;
    if (is_gone(stage.condition.id) || is_gone(stage.lock.id))
        return "waits on a condition that is gone";
    return explore_killed() ? NULL : "sleeps for ever";
}

const explore_play condition_scenarios[] = {{"condition: two wait, two notifications",
                                             make,
                                             {wait_for_one, wait_for_one, notify_twice},
                                             .stuck = stuck,
                                             .mortal = FIRST},
                                            {"condition: two wait, one notification",
                                             make,
                                             {wait_for_one, wait_for_one, notify},
                                             .stuck = stuck,
                                             .at_death = note_debt,
                                             .mortal = FIRST},
                                            {"condition: notify_all",
                                             make,
                                             {notify_all, wait_for_one, wait_for_one},
                                             .stuck = stuck_if_told,
                                             .mortal = FIRST},
                                            {"condition: a given lock, two notify",
                                             make_with_lock,
                                             {wait_for_one, notify, notify},
                                             .stuck = stuck,
                                             .at_death = note_debt,
                                             .mortal = FIRST},
                                            {"condition: notify against time-out",
                                             make,
                                             {wait_impatiently, wait_for_one, notify},
                                             .stuck = stuck,
                                             .at_death = note_debt,
                                             .mortal = SECOND,
                                             .impatient = FIRST},
                                            {"condition: two notifications against time-out",
                                             make,
                                             {wait_impatiently, wait_for_one, notify_twice},
                                             .stuck = stuck,
                                             .impatient = FIRST},
                                            {"condition: two threads wait, notify",
                                             make,
                                             {wait_for_one, wait_for_one, notify_twice},
                                             .stuck = stuck,
                                             .threads = SECOND},
                                            {"condition: a process of two waiters, another, notify",
                                             make,
                                             {wait_for_one, wait_for_one, wait_for_one, notify},
                                             .stuck = stuck,
                                             .at_death = note_debt_of_two,
                                             .mortal = FIRST,
                                             .threads = SECOND},
                                            {"condition: destroy under waiters",
                                             make,
                                             {destroy, wait_while_there, wait_while_there},
                                             .stuck = stuck_at_gone,
                                             .mortal = FIRST},
                                            {"condition: its lock is destroyed",
                                             make_with_lock,
                                             {destroy_lock, wait_while_there},
                                             .stuck = stuck_at_gone,
                                             .mortal = FIRST},
                                            {NULL}};
