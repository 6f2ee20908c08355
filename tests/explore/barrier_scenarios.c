/* Barriers: all pass together, or all learn that it is broken. */
#include "family/object.h"
#include "scenario.h"
#include "sync/members.h"
#include "sync/sweep.h"

static void make_for_two(void)
{
    MUST(mproc_barrier_create(&stage.barrier, 2, NULL));
}

static void make_for_three(void)
{
    MUST(mproc_barrier_create(&stage.barrier, 3, NULL));
}

static void pass(int who)
{
    stage.result[who] = mproc_barrier_wait(stage.barrier, MPROC_FOREVER, NULL);
    if (!stage.result[who])
        stage.flag++;
}

static void pass_twice(int who)
{
    pass(who);
    pass(who);
}

static void pass_impatiently(int who)
{
    stage.result[who] = mproc_barrier_wait(stage.barrier, EXPLORE_TIMEOUT_MS, NULL);
    if (!stage.result[who])
        stage.flag++;
}

static void abort_it(int who)
{
    stage.result[who] = mproc_barrier_abort(stage.barrier);
}

static void reset(int who)
{
    stage.result[who] = mproc_barrier_reset(stage.barrier);
}

static void destroy(int who)
{
    stage.result[who] = mproc_barrier_destroy(stage.barrier);
}

/* One that has been there before ends cleanly: it belongs to the barrier no more. */
static void pass_and_leave(int who)
{
    pass(who);
    if (!sync_leave())
        explore_wrong("nobody waits, but its end is not clean");
}

/* ---- what may be ---- */

static void note_membership(int victim)
{
    const object *cell = object_find(stage.barrier.id);
    if (victim >= EXPLORE_PLAYERS || !atomic_load(&cell->block))
        return;
    member one = member_look(arena_at(atomic_load(&cell->block)), explore_slot(victim));
    stage.owed = member_belongs(&one, atomic_load(&cell->word));
}

/* Unless a member has died, those that came wait for one that may still come. */
static const char *stuck(int who)
{
    (void)who;
    return explore_killed() && !stage.owed ? NULL : "sleeps for ever";
}

static const char *stuck_at_gone(int who)
{
    unsigned count;
    (void)who;
    if (mproc_barrier_n_waiting(stage.barrier, &count) == MPROC_ESTALE)
        return "waits at a barrier that is gone";
    return explore_killed() ? NULL : "sleeps for ever";
}

/* A player that came after a reset waits for the third, and is counted. */
static const char *stuck_if_not_counted(int who)
{
    unsigned count = 0, asleep = 0;
    (void)who;
    for (int i = 0; i < EXPLORE_PLAYERS; i++)
        asleep += explore_sleeps_on(i) != NULL;
    if (mproc_barrier_is_broken(stage.barrier))
        return "sleeps at a broken barrier";
    return mproc_barrier_n_waiting(stage.barrier, &count) || asleep > count
               ? "sleeps though it was to go"
               : NULL;
}

static const char *all_or_none_of_two(void)
{
    return stage.flag == 0 || stage.flag == 2 || explore_killed() ? NULL : "one of two has passed";
}

static const char *all_passed_twice(void)
{
    return explore_killed() || stage.flag == 4 ? NULL : "not all have passed twice";
}

static const char *all_of_three(void)
{
    return explore_killed() || stage.flag == 3 ? NULL : "not all have passed";
}

static const char *nobody_passed(void)
{
    return stage.flag ? "two of three have passed" : NULL;
}

const explore_play barrier_scenarios[] = {{"barrier: two, twice",
                                           make_for_two,
                                           {pass_twice, pass_twice},
                                           .stuck = stuck,
                                           .check = all_passed_twice,
                                           .at_death = note_membership,
                                           .mortal = FIRST},
                                          {"barrier: three",
                                           make_for_three,
                                           {pass, pass, pass},
                                           .stuck = stuck,
                                           .check = all_of_three,
                                           .at_death = note_membership,
                                           .mortal = FIRST},
                                          {"barrier: one is impatient",
                                           make_for_two,
                                           {pass_impatiently, pass},
                                           .stuck = stuck,
                                           .check = all_or_none_of_two,
                                           .at_death = note_membership,
                                           .mortal = SECOND,
                                           .impatient = FIRST},
                                          {"barrier: two threads and a process",
                                           make_for_three,
                                           {pass, pass, pass},
                                           .stuck = stuck,
                                           .check = all_of_three,
                                           .at_death = note_membership,
                                           .mortal = THIRD,
                                           .threads = SECOND},
                                          {"barrier: one leaves",
                                           make_for_two,
                                           {pass_and_leave, pass},
                                           .stuck = stuck,
                                           .check = all_or_none_of_two,
                                           .at_death = note_membership,
                                           .mortal = SECOND},
                                          {"barrier: abort",
                                           make_for_three,
                                           {abort_it, pass, pass},
                                           .stuck = stuck_if_not_counted,
                                           .check = nobody_passed,
                                           .mortal = FIRST},
                                          {"barrier: reset",
                                           make_for_three,
                                           {reset, pass, pass},
                                           .stuck = stuck_if_not_counted,
                                           .check = nobody_passed,
                                           .mortal = FIRST},
                                          {"barrier: destroy under waiters",
                                           make_for_three,
                                           {destroy, pass, pass},
                                           .stuck = stuck_at_gone,
                                           .at_death = note_membership,
                                           .mortal = FIRST},
                                          {NULL}};
