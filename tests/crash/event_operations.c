/* Events: a set one stays set, and whoever waited for it wakes. */
#include "operation.h"

enum { DONE }; /* `note` of the victim: the call has returned */

static void make(scene *s)
{
    EXPECT(mproc_event_create(&s->event) == MPROC_OK);
}

static void make_set(scene *s)
{
    make(s);
    EXPECT(mproc_event_set(s->event) == MPROC_OK);
}

static void make_to_be_set(scene *s)
{
    make(s);
    companion_call(s, 0);
}

static void make_crowded(scene *s)
{
    make(s);
    companion_call(s, 1);
    companion_await_sleep(s, 1);
    companion_call(s, 0);
}

static void let_one_wait(scene *s)
{
    companion_call(s, 1);
    companion_await_sleep(s, 1);
}

/* ---- acts ---- */

static void act_create(scene *s)
{
    MUST(mproc_event_create(&s->event) == MPROC_OK);
}

static void act_destroy(scene *s)
{
    MUST(mproc_event_destroy(s->event) == MPROC_OK);
}

static void act_set(scene *s)
{
    MUST(mproc_event_set(s->event) == MPROC_OK);
    atomic_store(&s->note[DONE], 1);
}

static void act_clear(scene *s)
{
    MUST(mproc_event_clear(s->event) == MPROC_OK);
}

static void act_pulse(scene *s)
{
    MUST(mproc_event_set(s->event) == MPROC_OK);
    MUST(mproc_event_clear(s->event) == MPROC_OK);
    atomic_store(&s->note[DONE], 1);
}

static void act_wait(scene *s)
{
    MUST(mproc_event_wait(s->event, PATIENCE_MS) == MPROC_OK);
}

static void act_time_out(scene *s)
{
    MUST(mproc_event_wait(s->event, 0) == MPROC_ETIMEDOUT);
    MUST(mproc_event_wait(s->event, 2) == MPROC_ETIMEDOUT);
}

/* ---- companions: the first sets it when the victim sleeps, the second waits ---- */

static void accompany(scene *s, int who)
{
    if (who == 0) {
        victim_await_sleep(s);
        MUST(mproc_event_set(s->event) == MPROC_OK);
        return;
    }
    companion_says(s, who, STAGE_CALLS);
    mproc_err err = mproc_event_wait(s->event, PATIENCE_MS);
    atomic_store(&s->companions[who].result, (int)err);
}

/* ---- checks ---- */

static void use_and_destroy(scene *s)
{
    EXPECT(mproc_event_set(s->event) == MPROC_OK);
    EXPECT(mproc_event_wait(s->event, 0) == MPROC_OK);
    EXPECT(mproc_event_clear(s->event) == MPROC_OK);
    EXPECT(!mproc_event_is_set(s->event));
    EXPECT(mproc_event_wait(s->event, 0) == MPROC_ETIMEDOUT);
    EXPECT(mproc_event_destroy(s->event) == MPROC_OK);
    EXPECT(mproc_event_wait(s->event, 0) == MPROC_ESTALE);
}

static bool is_gone(scene *s)
{
    mproc_err err = mproc_event_wait(s->event, 0);
    EXPECT(err == MPROC_ESTALE || err == MPROC_ETIMEDOUT);
    return err == MPROC_ESTALE;
}

static outcome check_create(scene *s)
{
    if (is_gone(s))
        return OUTCOME_BEFORE;
    use_and_destroy(s);
    return OUTCOME_AFTER;
}

static outcome check_destroy(scene *s)
{
    if (is_gone(s))
        return OUTCOME_AFTER;
    use_and_destroy(s);
    return OUTCOME_BEFORE;
}

static outcome check_set(scene *s)
{
    const bool set = mproc_event_is_set(s->event);
    use_and_destroy(s);
    return set ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_clear(scene *s)
{
    const bool set = mproc_event_is_set(s->event);
    use_and_destroy(s);
    return set ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

static outcome check_waited(scene *s)
{
    int result;
    EXPECT(companion_finish(s, 0, &result));
    EXPECT(mproc_event_is_set(s->event));
    use_and_destroy(s);
    return OUTCOME_ANY;
}

static void expect_woken(scene *s)
{
    int result = -1;
    EXPECT(companion_finish(s, 1, &result));
    EXPECT(result == (int)MPROC_OK);
}

static outcome check_crowded(scene *s)
{
    expect_woken(s);
    return check_waited(s);
}

/* Whoever waited when it was set wakes without anybody's help. */
static outcome check_handed_over(scene *s)
{
    const bool set = mproc_event_is_set(s->event);
    EXPECT(set || !atomic_load(&s->note[DONE]));
    if (!set)
        EXPECT(mproc_event_set(s->event) == MPROC_OK);
    expect_woken(s);
    use_and_destroy(s);
    return set ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_pulse(scene *s)
{
    if (!atomic_load(&s->note[DONE]) && !mproc_event_is_set(s->event))
        EXPECT(mproc_event_set(s->event) == MPROC_OK);
    expect_woken(s);
    use_and_destroy(s);
    return OUTCOME_ANY;
}

static outcome check_time_out(scene *s)
{
    EXPECT(!mproc_event_is_set(s->event));
    use_and_destroy(s);
    return OUTCOME_ANY;
}

static outcome check_destroyed_under_waiters(scene *s)
{
    int result = 0;
    mproc_err gone = mproc_event_destroy(s->event);
    EXPECT(gone == MPROC_OK || gone == MPROC_ESTALE);
    EXPECT(companion_finish(s, 1, &result));
    EXPECT(result == (int)MPROC_ESTALE);
    return gone ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

const operation event_operations[] = {
    {"create", NULL, NULL, act_create, NULL, check_create},
    {"destroy", make, NULL, act_destroy, NULL, check_destroy},
    {"destroy under a waiter", make, let_one_wait, act_destroy, accompany,
     check_destroyed_under_waiters},
    {"set", make, NULL, act_set, NULL, check_set},
    {"clear", make_set, NULL, act_clear, NULL, check_clear},
    {"wait in vain", make, NULL, act_time_out, NULL, check_time_out},
    {"wait", make_to_be_set, NULL, act_wait, accompany, check_waited},
    {"wait beside a waiter", make_crowded, NULL, act_wait, accompany, check_crowded},
    {"set for a waiter", make, let_one_wait, act_set, accompany, check_handed_over},
    {"set for a waiter, and clear", make, let_one_wait, act_pulse, accompany, check_pulse},
    {0},
};
