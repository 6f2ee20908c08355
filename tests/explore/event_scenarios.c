/* Events: a set releases all who wait, also when it is cleared at once. */
#include "scenario.h"

static void make(void)
{
    MUST(mproc_event_create(&stage.event));
}

static void await(int who)
{
    stage.result[who] = mproc_event_wait(stage.event, MPROC_FOREVER);
}

static void await_impatiently(int who)
{
    stage.result[who] = mproc_event_wait(stage.event, EXPLORE_TIMEOUT_MS);
}

static void set(int who)
{
    stage.result[who] = mproc_event_set(stage.event);
}

static void set_clear_set(int who)
{
    mproc_event_set(stage.event);
    mproc_event_clear(stage.event);
    stage.result[who] = mproc_event_set(stage.event);
}

/* A waiter that began before the set is released by it; so it says when it has begun. */
static void set_and_clear(int who)
{
    mproc_event_set(stage.event);
    stage.result[who] = mproc_event_clear(stage.event);
}

static void clear_and_set(int who)
{
    mproc_event_clear(stage.event);
    stage.result[who] = mproc_event_set(stage.event);
}

static void destroy(int who)
{
    stage.result[who] = mproc_event_destroy(stage.event);
}

static bool is_gone(void)
{
    return mproc_event_clear(stage.event) == MPROC_ESTALE;
}

static const char *stuck(int who)
{
    (void)who;
    if (mproc_event_is_set(stage.event))
        return "waits for an event that is set";
    if (is_gone())
        return "waits for an event that is gone";
    return explore_killed() ? NULL : "sleeps for ever";
}

/* The one that was asleep before the set began must have been released by it. */
static void await_first(int who)
{
    await(who);
    stage.flag = 1;
}

static const char *stuck_unless_late(int who)
{
    return stage.owed && who == 0 ? "sleeps through a set" : NULL;
}

/* Sets only when the first one sleeps. */
static void set_and_clear_under_sleeper(int who)
{
    stage.owed = explore_sleeps_on(0) != NULL;
    set_and_clear(who);
}

const explore_play event_scenarios[] = {
    {"event: two wait, set", make, {set, await, await}, .stuck = stuck, .mortal = FIRST},
    {"event: two wait, set, clear, set",
     make,
     {await, await, set_clear_set},
     .stuck = stuck,
     .mortal = FIRST | THIRD},
    {"event: one waits, two set",
     make,
     {await, set, clear_and_set},
     .stuck = stuck,
     .mortal = SECOND},
    {"event: a sleeper is released by a set that is cleared",
     make,
     {await_first, set_and_clear_under_sleeper},
     .stuck = stuck_unless_late},
    {"event: two waiters, one set that is cleared",
     make,
     {await_first, set_and_clear_under_sleeper, await},
     .stuck = stuck_unless_late},
    {"event: one is impatient",
     make,
     {await_impatiently, await, set},
     .stuck = stuck,
     .mortal = THIRD,
     .impatient = FIRST},
    {"event: two threads wait, set",
     make,
     {await, await, set},
     .stuck = stuck,
     .mortal = THIRD,
     .threads = SECOND},
    {"event: destroy under waiters",
     make,
     {destroy, await, await},
     .stuck = stuck,
     .mortal = FIRST},
    {NULL}};
