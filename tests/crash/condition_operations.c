/* Conditions: what is notified stays notified, whoever is killed. */
#include "operation.h"

#include "family/waiters.h"

enum { FIRST, SECOND };             /* companions */
enum { WAITING = 2, NOTIFIED = 3 }; /* see waiters.c */

/* ---- the condition ---- */

static void make(scene *s)
{
    const mproc_condition_options options = {.lock = s->lock};
    EXPECT(mproc_condition_create(&s->condition, &options) == MPROC_OK);
}

static bool is_held(mproc_err err)
{
    return err == MPROC_OK || err == MPROC_EOWNERDEAD;
}

static uint32_t count(uint64_t id, uint64_t kind)
{
    uint32_t found = 0, used;
    waiter *places = arena_use_table(ARENA_WAITERS, 0, &used);
    for (uint32_t i = 1; i < used; i++) {
        uint64_t state = atomic_load(&places[i].state);
        found += (state >> OBJECT_OWNER_BITS & 3) == kind && atomic_load(&places[i].object) == id;
    }
    return found;
}

static bool await_sleepers(scene *s, uint32_t wanted)
{
    const int64_t end = os_now() + PATIENCE_MS * INT64_C(1000000);
    while (count(s->condition.id, WAITING) < wanted) {
        if (scene_is_over(s) || os_now() > end)
            return false;
        scene_nap(s);
    }
    return true;
}

/* By a companion: it goes on when it was notified, or when the condition is gone. */
static void wait_to_be_notified(scene *s, int who)
{
    const mproc_condition condition = s->condition;
    mproc_err err = mproc_condition_acquire(condition, PATIENCE_MS);
    MUST(is_held(err));
    err = mproc_condition_wait(condition, PATIENCE_MS);
    atomic_store(&s->companions[who].result, err);
    if (is_held(err))
        MUST(mproc_condition_release(condition) == MPROC_OK);
}

static void call_sleepers(scene *s)
{
    for (int who = 0; who < COMPANIONS; who++)
        companion_call(s, who);
    EXPECT(await_sleepers(s, COMPANIONS));
}

static void two_sleep(scene *s)
{
    make(s);
    call_sleepers(s);
}

static void two_sleep_beside_a_lock(scene *s)
{
    EXPECT(mproc_lock_create(&s->lock) == MPROC_OK);
    make(s);
    call_sleepers(s);
}

/* Everybody wakes who still sleeps, and it can be used again. */
static void use_and_destroy(scene *s)
{
    const mproc_condition condition = s->condition;
    mproc_err err = mproc_condition_acquire(condition, PATIENCE_MS);
    EXPECT(is_held(err));
    EXPECT(mproc_condition_mark_consistent(condition) == MPROC_OK);
    EXPECT(mproc_condition_notify_all(condition) == MPROC_OK);
    EXPECT(mproc_condition_wait(condition, 0) == MPROC_ETIMEDOUT);
    EXPECT(mproc_condition_release(condition) == MPROC_OK);
    for (int who = 0; who < COMPANIONS; who++) {
        int result;
        EXPECT(companion_finish(s, who, &result));
        EXPECT(is_held((mproc_err)result));
    }
    EXPECT(count(condition.id, WAITING) + count(condition.id, NOTIFIED) == 0);
    EXPECT(mproc_condition_destroy(condition) == MPROC_OK);
    if (s->lock.id)
        EXPECT(mproc_lock_destroy(s->lock) == MPROC_OK);
}

/* ---- notifying ---- */

static void notify(scene *s, unsigned n)
{
    const mproc_condition condition = s->condition;
    MUST(mproc_condition_acquire(condition, PATIENCE_MS) == MPROC_OK);
    MUST(mproc_condition_notify(condition, n) == MPROC_OK);
    MUST(mproc_condition_release(condition) == MPROC_OK);
}

static void notify_one(scene *s)
{
    notify(s, 1);
}

static void notify_both(scene *s)
{
    notify(s, UINT32_MAX);
}

/* Those who were notified wake with nobody's further help. */
static uint32_t await_woken(scene *s)
{
    const uint64_t id = s->condition.id;
    const uint32_t asleep = count(id, WAITING);
    const int64_t end = os_now() + PATIENCE_MS * INT64_C(1000000);
    while (count(id, NOTIFIED) && os_now() < end)
        scene_nap(s);
    EXPECT(count(id, NOTIFIED) == 0);
    EXPECT(count(id, WAITING) == asleep);
    return COMPANIONS - asleep;
}

static outcome check_one_was_woken(scene *s)
{
    const uint32_t woken = await_woken(s);
    EXPECT(woken <= 1);
    EXPECT(woken == 1 || !atomic_load(&s->done));
    use_and_destroy(s);
    return woken ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_both_were_woken(scene *s)
{
    const uint32_t woken = await_woken(s);
    EXPECT(woken == COMPANIONS || !atomic_load(&s->done));
    use_and_destroy(s);
    return woken == COMPANIONS ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

/* ---- waiting ---- */

static void nobody_sleeps(scene *s)
{
    make(s);
    for (int who = 0; who < COMPANIONS; who++)
        atomic_store(&s->companions[who].result, MPROC_OK);
}

static void wait_in_vain(scene *s)
{
    const mproc_condition condition = s->condition;
    MUST(mproc_condition_acquire(condition, 0) == MPROC_OK);
    MUST(mproc_condition_acquire(condition, 0) == MPROC_OK);
    MUST(mproc_condition_wait(condition, 1) == MPROC_ETIMEDOUT);
    MUST(mproc_condition_release(condition) == MPROC_OK);
    MUST(mproc_condition_release(condition) == MPROC_OK);
}

static outcome check_nobody_waits(scene *s)
{
    EXPECT(count(s->condition.id, WAITING) + count(s->condition.id, NOTIFIED) == 0);
    use_and_destroy(s);
    return OUTCOME_ANY;
}

/* The victim is the older one of two who wait when one of them is notified. */
static void call_both(scene *s)
{
    nobody_sleeps(s);
    companion_call(s, FIRST);
    companion_call(s, SECOND);
}

static void wait_and_be_notified(scene *s)
{
    const mproc_condition condition = s->condition;
    mproc_err err = mproc_condition_acquire(condition, PATIENCE_MS);
    MUST(is_held(err));
    err = mproc_condition_wait(condition, PATIENCE_MS);
    MUST(is_held(err));
    atomic_store(&s->note[0], 1);
    MUST(mproc_condition_release(condition) == MPROC_OK);
}

static void notify_or_wait_second(scene *s, int who)
{
    await_sleepers(s, who == FIRST ? 2 : 1);
    if (who == SECOND) {
        wait_to_be_notified(s, who);
        return;
    }
    while (!count(s->condition.id, WAITING))
        scene_nap(s);
    const mproc_condition condition = s->condition;
    mproc_err err = mproc_condition_acquire(condition, PATIENCE_MS);
    MUST(is_held(err));
    MUST(mproc_condition_notify(condition, 1) == MPROC_OK);
    MUST(mproc_condition_release(condition) == MPROC_OK);
    atomic_store(&s->companions[who].result, MPROC_OK);
}

/* One of the two has used the notification up: the victim, if the other one still sleeps, and then
 * it came back from its wait or died with the lock. */
static outcome check_one_used_it_up(scene *s)
{
    const mproc_condition condition = s->condition;
    int result;
    EXPECT(companion_finish(s, FIRST, &result));
    const int64_t end = os_now() + PATIENCE_MS * INT64_C(1000000);
    while (count(condition.id, NOTIFIED) && os_now() < end)
        scene_nap(s);
    const bool victim_did = count(condition.id, WAITING) == 1;
    mproc_err err = mproc_condition_acquire(condition, PATIENCE_MS);
    EXPECT(is_held(err));
    EXPECT(!victim_did || atomic_load(&s->note[0]) || err == MPROC_EOWNERDEAD);
    EXPECT(victim_did || !atomic_load(&s->note[0]));
    EXPECT(mproc_condition_release(condition) == MPROC_OK);
    use_and_destroy(s);
    return OUTCOME_ANY;
}

/* ---- life ---- */

static void create(scene *s)
{
    MUST(mproc_condition_create(&s->condition, NULL) == MPROC_OK);
}

static outcome check_created(scene *s)
{
    mproc_err err = mproc_condition_destroy(s->condition);
    EXPECT(err == MPROC_OK || err == MPROC_ESTALE);
    EXPECT(err == MPROC_OK || !atomic_load(&s->done));
    return err ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

static void destroy(scene *s)
{
    MUST(mproc_condition_destroy(s->condition) == MPROC_OK);
}

static outcome check_destroyed(scene *s)
{
    mproc_err err = mproc_condition_destroy(s->condition);
    EXPECT(err == MPROC_OK || err == MPROC_ESTALE);
    for (int who = 0; who < COMPANIONS; who++) {
        int result;
        EXPECT(companion_finish(s, who, &result));
        EXPECT(result == MPROC_ESTALE);
    }
    return err ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

const operation condition_operations[] = {
    {"create", NULL, NULL, create, NULL, check_created},
    {"notify one of two", two_sleep, NULL, notify_one, wait_to_be_notified, check_one_was_woken},
    {"notify one of two beside a lock", two_sleep_beside_a_lock, NULL, notify_one,
     wait_to_be_notified, check_one_was_woken},
    {"notify both", two_sleep, NULL, notify_both, wait_to_be_notified, check_both_were_woken},
    {"wait in vain", nobody_sleeps, NULL, wait_in_vain, NULL, check_nobody_waits},
    {"wait and be notified", call_both, NULL, wait_and_be_notified, notify_or_wait_second,
     check_one_used_it_up},
    {"destroy under two", two_sleep, NULL, destroy, wait_to_be_notified, check_destroyed},
    {0}};
