/* Barriers: whoever is killed, nobody else waits for it. */
#include "operation.h"

enum { PASSED }; /* `note` of the victim: its wait has returned */

static void make_for(scene *s, unsigned parties, const mproc_barrier_options *options)
{
    EXPECT(mproc_barrier_create(&s->barrier, parties, options) == MPROC_OK);
}

static void make_for_one(scene *s)
{
    make_for(s, 1, NULL);
}

static void make(scene *s)
{
    make_for(s, 2, NULL);
}

static void make_for_three(scene *s)
{
    make_for(s, 3, NULL);
}

static void make_broken(scene *s)
{
    make(s);
    EXPECT(mproc_barrier_abort(s->barrier) == MPROC_OK);
}

static int action(void *args, size_t size)
{
    return size == 4 && *(unsigned char *)args == 't' ? 0 : 1;
}

static const mproc_barrier_options acting = {.action = action, .args = "two", .args_size = 4};

static void make_with_action(scene *s)
{
    make_for(s, 2, &acting);
}

static void let_one_wait(scene *s)
{
    companion_call(s, 1);
    companion_await_sleep(s, 1);
}

/* As soon as the victim sleeps there. */
static void call_the_last(scene *s)
{
    make(s);
    companion_call(s, 0);
}

/* ---- acts ---- */

static void act_create(scene *s)
{
    MUST(mproc_barrier_create(&s->barrier, 2, &acting) == MPROC_OK);
}

static void act_destroy(scene *s)
{
    MUST(mproc_barrier_destroy(s->barrier) == MPROC_OK);
}

static void act_wait(scene *s)
{
    mproc_err err = mproc_barrier_wait(s->barrier, PATIENCE_MS, NULL);
    atomic_store(&s->note[PASSED], !err);
    MUST(err == MPROC_OK || err == MPROC_EBROKEN);
}

static void act_time_out(scene *s)
{
    MUST(mproc_barrier_wait(s->barrier, 2, NULL) == MPROC_ETIMEDOUT);
}

static void act_abort(scene *s)
{
    MUST(mproc_barrier_abort(s->barrier) == MPROC_OK);
}

static void act_reset(scene *s)
{
    MUST(mproc_barrier_reset(s->barrier) == MPROC_OK);
}

/* ---- companions: the first comes when the victim sleeps, the second at once ---- */

static void accompany(scene *s, int who)
{
    if (who == 0) {
        victim_await_sleep(s);
        if (scene_is_over(s))
            return;
    } else {
        companion_says(s, who, STAGE_CALLS);
    }
    mproc_err err = mproc_barrier_wait(s->barrier, PATIENCE_MS, NULL);
    atomic_store(&s->companions[who].result, (int)err);
}

/* ---- checks ---- */

static void use_and_destroy(scene *s)
{
    unsigned count = 1;
    EXPECT(mproc_barrier_reset(s->barrier) == MPROC_OK);
    EXPECT(!mproc_barrier_is_broken(s->barrier));
    EXPECT(mproc_barrier_parties(s->barrier, &count) == MPROC_OK);
    EXPECT(mproc_barrier_wait(s->barrier, 0, NULL) == (count > 1 ? MPROC_ETIMEDOUT : MPROC_OK));
    EXPECT(mproc_barrier_is_broken(s->barrier) == (count > 1));
    EXPECT(mproc_barrier_n_waiting(s->barrier, &count) == MPROC_OK && count == 0);
    EXPECT(mproc_barrier_destroy(s->barrier) == MPROC_OK);
    EXPECT(mproc_barrier_abort(s->barrier) == MPROC_ESTALE);
}

static outcome check_create(scene *s)
{
    unsigned parties;
    if (mproc_barrier_parties(s->barrier, &parties) == MPROC_ESTALE)
        return OUTCOME_BEFORE;
    use_and_destroy(s);
    return OUTCOME_AFTER;
}

static outcome check_destroy(scene *s)
{
    return check_create(s) == OUTCOME_BEFORE ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_alone(scene *s)
{
    use_and_destroy(s);
    return OUTCOME_ANY;
}

/* Who was counted beside a victim that never came goes on by the root's help, and nobody else needs
 * any. True: it was so. */
static bool help(scene *s)
{
    unsigned count = 0;
    EXPECT(mproc_barrier_n_waiting(s->barrier, &count) == MPROC_OK && count <= 1);
    EXPECT(!count || !mproc_barrier_is_broken(s->barrier));
    if (count)
        EXPECT(mproc_barrier_abort(s->barrier) == MPROC_OK);
    return count;
}

static int result_of(scene *s, int who)
{
    int result = 1;
    EXPECT(companion_finish(s, who, &result));
    return result;
}

static outcome check_last(scene *s)
{
    const bool helped = help(s);
    const int result = result_of(s, 1);
    EXPECT(result == (int)MPROC_EBROKEN || (result == (int)MPROC_OK && !helped));
    EXPECT(result == (int)MPROC_OK || !atomic_load(&s->note[PASSED]));
    use_and_destroy(s);
    return result == (int)MPROC_OK ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

/* The companion may come only when the victim is dead already: then it finds the barrier broken,
 * or is the only one. */
static outcome check_first(scene *s)
{
    int result = 0;
    const bool passed = atomic_load(&s->note[PASSED]);
    if (!passed && !mproc_barrier_is_broken(s->barrier))
        EXPECT(mproc_barrier_abort(s->barrier) == MPROC_OK);
    EXPECT(companion_finish(s, 0, &result));
    EXPECT(result == (int)MPROC_OK || (result == (int)MPROC_EBROKEN && !passed));
    use_and_destroy(s);
    return OUTCOME_ANY;
}

/* What breaks it has done so, or not even begun. */
static outcome check_breaking(scene *s)
{
    const bool helped = help(s);
    EXPECT(result_of(s, 1) == (int)MPROC_EBROKEN);
    use_and_destroy(s);
    return helped ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

static outcome check_mended(scene *s)
{
    const bool is_broken = mproc_barrier_is_broken(s->barrier);
    use_and_destroy(s);
    return is_broken ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

static outcome check_destroyed_under_waiter(scene *s)
{
    mproc_err gone = mproc_barrier_destroy(s->barrier);
    EXPECT(gone == MPROC_OK || gone == MPROC_ESTALE);
    EXPECT(result_of(s, 1) == (int)MPROC_ESTALE);
    return gone ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

const operation barrier_operations[] = {
    {"create", NULL, NULL, act_create, NULL, check_create},
    {"destroy", make_with_action, NULL, act_destroy, NULL, check_destroy},
    {"destroy under a waiter", make, let_one_wait, act_destroy, accompany,
     check_destroyed_under_waiter},
    {"wait alone", make_for_one, NULL, act_wait, NULL, check_alone},
    {"wait in vain", make, NULL, act_time_out, NULL, check_alone},
    {"wait as the last", make, let_one_wait, act_wait, accompany, check_last},
    {"wait as the last, and act", make_with_action, let_one_wait, act_wait, accompany, check_last},
    {"wait as the first", call_the_last, NULL, act_wait, accompany, check_first},
    {"time out beside a waiter", make_for_three, let_one_wait, act_time_out, accompany,
     check_breaking},
    {"abort", make, let_one_wait, act_abort, accompany, check_breaking},
    {"reset under a waiter", make, let_one_wait, act_reset, accompany, check_breaking},
    {"reset", make_broken, NULL, act_reset, NULL, check_mended},
    {0},
};
