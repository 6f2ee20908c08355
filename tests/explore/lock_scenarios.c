/* Locks: one at a time, nobody sleeps before a free one, and after a death the next one knows. */
#include "family/robust.h"
#include "scenario.h"

static void make(void)
{
    MUST(mproc_lock_create(&stage.lock));
}

static void make_recursive(void)
{
    MUST(mproc_rlock_create(&stage.rlock));
}

/* After a death, what the lock protects is put in order. */
static void enter(mproc_err err, bool recursive)
{
    if (err == MPROC_EOWNERDEAD) {
        if (!explore_killed())
            explore_wrong("a lock is dirty though nobody has died");
        stage.inside = 0;
        if (recursive)
            MUST(mproc_rlock_mark_consistent(stage.rlock));
        else
            MUST(mproc_lock_mark_consistent(stage.lock));
    } else if (err) {
        explore_wrong("a lock cannot be had");
    }
    if (stage.inside++)
        explore_wrong("two hold a lock");
}

static void use(int who)
{
    enter(mproc_lock_acquire(stage.lock, MPROC_FOREVER), false);
    stage.inside--;
    stage.result[who] = mproc_lock_release(stage.lock);
}

static void use_twice(int who)
{
    use(who);
    use(who);
}

static void use_if_free(int who)
{
    mproc_err err = mproc_lock_acquire(stage.lock, 0);
    if (err == MPROC_ETIMEDOUT)
        return;
    enter(err, false);
    stage.inside--;
    stage.result[who] = mproc_lock_release(stage.lock);
}

static void use_impatiently(int who)
{
    mproc_err err = mproc_lock_acquire(stage.lock, EXPLORE_TIMEOUT_MS);
    stage.result[who] = err;
    if (err == MPROC_ETIMEDOUT)
        return;
    enter(err, false);
    stage.inside--;
    mproc_lock_release(stage.lock);
}

static void use_while_there(int who)
{
    stage.result[who] = mproc_lock_acquire(stage.lock, MPROC_FOREVER);
    if (!stage.result[who])
        mproc_lock_release(stage.lock);
    else if (stage.result[who] != MPROC_ESTALE && stage.result[who] != MPROC_EOWNERDEAD)
        explore_wrong("an acquire of what is destroyed says something else");
    else if (stage.result[who] == MPROC_EOWNERDEAD)
        mproc_lock_release(stage.lock);
}

static void destroy(int who)
{
    stage.result[who] = mproc_lock_destroy(stage.lock);
}

static void use_recursively(int who)
{
    enter(mproc_rlock_acquire(stage.rlock, MPROC_FOREVER), true);
    MUST(mproc_rlock_acquire(stage.rlock, 0));
    MUST(mproc_rlock_release(stage.rlock));
    stage.inside--;
    stage.result[who] = mproc_rlock_release(stage.rlock);
}

static void destroy_recursive(int who)
{
    stage.result[who] = mproc_rlock_destroy(stage.rlock);
}

static void use_recursive_while_there(int who)
{
    stage.result[who] = mproc_rlock_acquire(stage.rlock, MPROC_FOREVER);
    if (!stage.result[who] || stage.result[who] == MPROC_EOWNERDEAD)
        mproc_rlock_release(stage.rlock);
}

/* ---- what must be true at the end ---- */

/* The next one is told of a death exactly when the dead one held it, and it was not yet found. */
static void note_whether_it_holds(int victim)
{
    const object *cell = object_find(stage.lock.id ? stage.lock.id : stage.rlock.id);
    const uint64_t word = atomic_load(&cell->word);
    if (victim < EXPLORE_PLAYERS)
        stage.holds = (word & OBJECT_OWNER) == (explore_slot(victim) & 0xffff) + 1;
}

static mproc_err try_last(void)
{
    return stage.lock.id ? mproc_lock_acquire(stage.lock, 0) : mproc_rlock_acquire(stage.rlock, 0);
}

static const char *judge_last(mproc_err err)
{
    if (err && err != MPROC_EOWNERDEAD)
        return "nobody can have it";
    return err && !stage.holds ? "it is dirty though nobody died with it" : NULL;
}

static const char *is_free(void)
{
    return judge_last(try_last());
}

static const char *has_told(void)
{
    const mproc_err err = try_last();
    if (stage.holds && err != MPROC_EOWNERDEAD && !stage.flag)
        return "nobody is told of a death";
    return judge_last(err);
}

static void use_and_tell(int who)
{
    mproc_err err = mproc_lock_acquire(stage.lock, MPROC_FOREVER);
    stage.flag |= err == MPROC_EOWNERDEAD;
    enter(err, false);
    stage.inside--;
    stage.result[who] = mproc_lock_release(stage.lock);
}

static const char *stuck_at_gone(int who)
{
    (void)who;
    return "sleeps before a lock that is gone";
}

const explore_play lock_scenarios[] = {
    {"lock: three",
     make,
     {use, use, use},
     .check = is_free,
     .at_death = note_whether_it_holds,
     .mortal = FIRST},
    {"lock: four", make, {use, use, use, use}, .check = is_free},
    {"lock: two, twice each",
     make,
     {use_twice, use_twice},
     .check = is_free,
     .at_death = note_whether_it_holds,
     .mortal = FIRST},
    {"lock: one tries, two wait",
     make,
     {use, use_if_free, use},
     .check = is_free,
     .at_death = note_whether_it_holds,
     .mortal = FIRST},
    {"lock: the next one is told",
     make,
     {use, use_and_tell},
     .check = has_told,
     .at_death = note_whether_it_holds,
     .mortal = FIRST},
    {"lock: one is impatient",
     make,
     {use_impatiently, use, use},
     .check = is_free,
     .at_death = note_whether_it_holds,
     .mortal = SECOND,
     .impatient = FIRST},
    {"lock: two threads and a process",
     make,
     {use, use, use},
     .check = is_free,
     .at_death = note_whether_it_holds,
     .mortal = THIRD,
     .threads = SECOND},
    {"lock: destroy under waiters",
     make,
     {destroy, use_while_there, use_while_there},
     .stuck = stuck_at_gone,
     .mortal = FIRST | SECOND},
    {"rlock: three",
     make_recursive,
     {use_recursively, use_recursively, use_recursively},
     .check = is_free,
     .at_death = note_whether_it_holds,
     .mortal = FIRST},
    {"rlock: two threads and a process",
     make_recursive,
     {use_recursively, use_recursively, use_recursively},
     .check = is_free,
     .at_death = note_whether_it_holds,
     .mortal = THIRD,
     .threads = SECOND},
    {"rlock: destroy under waiters",
     make_recursive,
     {destroy_recursive, use_recursive_while_there, use_recursive_while_there},
     .stuck = stuck_at_gone,
     .mortal = FIRST},
    {NULL}};
