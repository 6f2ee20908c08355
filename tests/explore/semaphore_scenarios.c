/* Semaphores: never more inside than the value, nobody sleeps beside one that is left. */
#include "scenario.h"

static void make_one(void)
{
    MUST(mproc_semaphore_create(&stage.semaphore, 1, 0));
}

static void make_none(void)
{
    MUST(mproc_semaphore_create(&stage.semaphore, 0, 0));
}

static void use(int who)
{
    MUST(mproc_semaphore_acquire(stage.semaphore, MPROC_FOREVER));
    if (stage.inside++ && !explore_killed())
        explore_wrong("two have the only one");
    stage.inside--;
    stage.result[who] = mproc_semaphore_release(stage.semaphore);
}

static void acquire(int who)
{
    stage.result[who] = mproc_semaphore_acquire(stage.semaphore, MPROC_FOREVER);
}

static void acquire_impatiently(int who)
{
    stage.result[who] = mproc_semaphore_acquire(stage.semaphore, EXPLORE_TIMEOUT_MS);
}

static void release(int who)
{
    stage.result[who] = mproc_semaphore_release(stage.semaphore);
}

static void release_twice(int who)
{
    release(who);
    release(who);
}

static void use_impatiently(int who)
{
    stage.result[who] = mproc_semaphore_acquire(stage.semaphore, EXPLORE_TIMEOUT_MS);
    if (!stage.result[who])
        mproc_semaphore_release(stage.semaphore);
}

static void destroy(int who)
{
    stage.result[who] = mproc_semaphore_destroy(stage.semaphore);
}

static const char *stuck(int who)
{
    unsigned value = 0;
    (void)who;
    if (mproc_semaphore_get_value(stage.semaphore, &value))
        return "sleeps at a semaphore that is gone";
    return value ? "sleeps beside a semaphore that is left" : NULL;
}

/* Without a death nobody has a reason to sleep. */
static const char *stuck_without_death(int who)
{
    const char *why = stuck(who);
    return why || explore_killed() ? why : "sleeps for ever";
}

static const char *one_is_left(void)
{
    unsigned value = 0;
    mproc_semaphore_get_value(stage.semaphore, &value);
    if (value > 1)
        return "there are more than before";
    return value || explore_killed() ? NULL : "one is lost";
}

const explore_play semaphore_scenarios[] = {{"semaphore: three use one",
                                             make_one,
                                             {use, use, use},
                                             .stuck = stuck_without_death,
                                             .check = one_is_left,
                                             .mortal = FIRST},
                                            {"semaphore: two wait, two releases",
                                             make_none,
                                             {acquire, acquire, release_twice},
                                             .stuck = stuck_without_death,
                                             .mortal = FIRST | THIRD},
                                            {"semaphore: two wait, two release",
                                             make_none,
                                             {acquire, acquire, release, release},
                                             .stuck = stuck_without_death},
                                            {"semaphore: one is impatient",
                                             make_one,
                                             {use_impatiently, use, use},
                                             .stuck = stuck_without_death,
                                             .check = one_is_left,
                                             .mortal = SECOND,
                                             .impatient = FIRST},
                                            {"semaphore: an impatient one, a release",
                                             make_none,
                                             {acquire_impatiently, acquire, release},
                                             .stuck = stuck,
                                             .mortal = THIRD,
                                             .impatient = FIRST},
                                            {"semaphore: two threads and a process",
                                             make_one,
                                             {use, use, use},
                                             .stuck = stuck_without_death,
                                             .check = one_is_left,
                                             .mortal = THIRD,
                                             .threads = SECOND},
                                            {"semaphore: destroy under waiters",
                                             make_none,
                                             {destroy, acquire, acquire},
                                             .stuck = stuck,
                                             .mortal = FIRST},
                                            {NULL}};
