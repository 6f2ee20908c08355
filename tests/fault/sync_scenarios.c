/* Objects that processes share: made, waited for while a child has them, and destroyed. */
#include "fault.h"

#include <stdlib.h>

#include "../api/host.h"

#define START_ERRORS                                                                               \
    (ERR(EAGAIN) | ERR(ENOMEM) | ERR(EIMAGE) | ERR(ENOENT) | ERR(EBROKEN) | ERR(EOS))
#define WAIT_ERRORS (ERR(EINTR) | ERR(EAGAIN))
#define BARRIER_ERRORS (WAIT_ERRORS | ERR(ENOMEM) | ERR(EIMAGE) | ERR(EBROKEN) | ERR(ETIMEDOUT))
enum { MOMENT = 3, BEAT = 20 }; /* milliseconds */

/* What can be held by one at a time. All handles are an id. */
typedef struct kind {
    bool (*make)(uint64_t *id);
    mproc_err (*take)(uint64_t id);
    mproc_err (*give)(uint64_t id);
    mproc_err (*mend)(uint64_t id); /* NULL: nobody inherits it */
    mproc_err (*end)(uint64_t id);
} kind;

#define MAKES(noun, call)                                                                          \
    static bool make_##noun(uint64_t *id)                                                          \
    {                                                                                              \
        mproc_##noun made = {0};                                                                   \
        bool good = MAKE(made, FOUND_ERRORS, call);                                                \
        *id = made.id;                                                                             \
        return good;                                                                               \
    }
#define DOES(what, noun, call)                                                                     \
    static mproc_err what##_##noun(uint64_t id)                                                    \
    {                                                                                              \
        const mproc_##noun it = {id};                                                              \
        return call;                                                                               \
    }
#define KIND(noun, create, acquire)                                                                \
    MAKES(noun, create)                                                                            \
    DOES(take, noun, acquire)                                                                      \
    DOES(give, noun, mproc_##noun##_release(it))                                                   \
    DOES(end, noun, mproc_##noun##_destroy(it))

KIND(lock, mproc_lock_create(&made), mproc_lock_acquire(it, SOON))
DOES(mend, lock, mproc_lock_mark_consistent(it))
KIND(rlock, mproc_rlock_create(&made), mproc_rlock_acquire(it, SOON))
DOES(mend, rlock, mproc_rlock_mark_consistent(it))
KIND(semaphore, mproc_semaphore_create(&made, 1, 1), mproc_semaphore_acquire(it, SOON))
KIND(condition, mproc_condition_create(&made, NULL), mproc_condition_acquire(it, SOON))
DOES(mend, condition, mproc_condition_mark_consistent(it))
KIND(value, mproc_value_create(&made, 8, NULL, NULL), mproc_value_acquire(it, SOON, NULL))
DOES(mend, value, mproc_value_mark_consistent(it))
KIND(array, mproc_array_create(&made, 8, 1000, NULL, NULL), mproc_array_acquire(it, SOON, NULL))
DOES(mend, array, mproc_array_mark_consistent(it))

enum { LOCK, RLOCK, SEMAPHORE, CONDITION, VALUE, ARRAY, KINDS };
static const kind kinds[KINDS] = {
    [LOCK] = {make_lock, take_lock, give_lock, mend_lock, end_lock},
    [RLOCK] = {make_rlock, take_rlock, give_rlock, mend_rlock, end_rlock},
    [SEMAPHORE] = {make_semaphore, take_semaphore, give_semaphore, NULL, end_semaphore},
    [CONDITION] = {make_condition, take_condition, give_condition, mend_condition, end_condition},
    [VALUE] = {make_value, take_value, give_value, mend_value, end_value},
    [ARRAY] = {make_array, take_array, give_array, mend_array, end_array},
};

/* What parent and child have in common; the child takes it first, and tells that it has. */
typedef struct meeting {
    int what;
    uint64_t id;
    mproc_event begun;
} meeting;

static mproc_err take(const meeting *with)
{
    return kinds[with->what].take(with->id);
}

static mproc_err give(const meeting *with)
{
    return kinds[with->what].give(with->id);
}

static bool make_meeting(meeting *made, int what)
{
    *made = (meeting){.what = what};
    return kinds[what].make(&made->id) &&
           MAKE(made->begun, FOUND_ERRORS, mproc_event_create(&made->begun));
}

static void end_meeting(const meeting *made)
{
    if (made->id)
        TRY(0, kinds[made->what].end(made->id));
    if (made->begun.id)
        TRY(0, mproc_event_destroy(made->begun));
}

static void use_alone(void)
{
    for (int what = 0; what < KINDS; what++) {
        meeting made;
        if (make_meeting(&made, what) && TRY(0, take(&made)))
            TRY(0, give(&made));
        end_meeting(&made);
    }
}

static void use_an_event(void)
{
    mproc_event event = {0};
    if (!MAKE(event, FOUND_ERRORS, mproc_event_create(&event)))
        return;
    TRY(0, mproc_event_set(event));
    TRY(0, mproc_event_wait(event, SOON));
    TRY(0, mproc_event_clear(event));
    mproc_err err = mproc_event_wait(event, 1);
    if (HOLDS(err) && err != MPROC_ETIMEDOUT)
        judge("mproc_event_wait", err, WAIT_ERRORS);
    TRY(0, mproc_event_destroy(event));
}

/* ---- with a child that comes first ---- */

static mproc_process *start(mproc_target target, const void *args, size_t size)
{
    mproc_process *process = NULL;
    if (!TRY(FOUND_ERRORS | ERR(EIMAGE),
             mproc_process_create(
                 &process,
                 &(mproc_process_options){.target = target, .args = args, .args_size = size})))
        return NULL;
    if (TRY(START_ERRORS, mproc_process_start(process)))
        return process;
    mproc_process_free(process);
    return NULL;
}

/* Until the child has begun, or will not any more. */
static bool await_beginning(const meeting *with, mproc_process *child)
{
    for (;;) {
        bool alive = mproc_process_is_alive(child);
        mproc_err err = mproc_event_wait(with->begun, BEAT);
        if (!err)
            return true;
        if (err != MPROC_ETIMEDOUT)
            judge("mproc_event_wait", err, WAIT_ERRORS);
        if (!alive)
            return HOLDS(faults_reach_children()) && false;
    }
}

static int hold(void *args, size_t size)
{
    const meeting *with = args;
    (void)size;
    if (!TRY(WAIT_ERRORS, take(with)))
        return GAVE_UP;
    TRY(0, mproc_event_set(with->begun));
    host_nap(MOMENT);
    return TRY(0, give(with)) ? 0 : GAVE_UP;
}

static void wait_for(int what)
{
    meeting with;
    mproc_process *child = NULL;
    if (make_meeting(&with, what) && (child = start(hold, &with, sizeof with)) != NULL) {
        if (await_beginning(&with, child) && TRY(WAIT_ERRORS, take(&with)))
            TRY(0, give(&with));
        ends_with(child, 0);
    }
    end_meeting(&with);
}

/* ---- with a child that dies of it ---- */

enum { DEAD = 5 };

static int hold_and_die(void *args, size_t size)
{
    const meeting *with = args;
    (void)size;
    if (!TRY(WAIT_ERRORS, take(with)))
        return GAVE_UP;
    TRY(0, mproc_event_set(with->begun));
    _Exit(DEAD);
}

static void inherit(int what)
{
    meeting with;
    mproc_process *child = NULL;
    if (make_meeting(&with, what) && (child = start(hold_and_die, &with, sizeof with)) != NULL) {
        mproc_err err = MPROC_EINTR;
        if (await_beginning(&with, child))
            err = take(&with);
        if (err == MPROC_EOWNERDEAD) {
            TRY(0, kinds[what].mend(with.id));
            TRY(0, give(&with));
        } else if (HOLDS(err)) {
            judge("take", err, WAIT_ERRORS);
        }
        ends_with(child, DEAD);
    }
    end_meeting(&with);
}

#define PLAY(name, call)                                                                           \
    static void name(void)                                                                         \
    {                                                                                              \
        call;                                                                                      \
    }
PLAY(wait_for_a_lock, wait_for(LOCK))
PLAY(wait_for_an_rlock, wait_for(RLOCK))
PLAY(wait_for_a_semaphore, wait_for(SEMAPHORE))
PLAY(wait_for_an_array, wait_for(ARRAY))
PLAY(inherit_a_lock, inherit(LOCK))
PLAY(inherit_an_rlock, inherit(RLOCK))
PLAY(inherit_a_condition, inherit(CONDITION))
PLAY(inherit_a_value, inherit(VALUE))

/* ---- condition and barrier ---- */

static int notify(void *args, size_t size)
{
    const mproc_condition *condition = args;
    (void)size;
    if (!TRY(WAIT_ERRORS, mproc_condition_acquire(*condition, SOON)))
        return GAVE_UP;
    TRY(0, mproc_condition_notify_all(*condition));
    return TRY(0, mproc_condition_release(*condition)) ? 0 : GAVE_UP;
}

/* The child can notify only while this one waits: it holds the lock from before the start. */
static void wait_for_a_notification(void)
{
    mproc_condition condition = {0};
    mproc_process *child = NULL;
    if (!MAKE(condition, FOUND_ERRORS, mproc_condition_create(&condition, NULL)))
        return;
    bool held = TRY(WAIT_ERRORS, mproc_condition_acquire(condition, SOON));
    if (held && (child = start(notify, &condition, sizeof condition)) != NULL) {
        mproc_err err = MPROC_ETIMEDOUT;
        while (err == MPROC_ETIMEDOUT && mproc_process_is_alive(child))
            err = mproc_condition_wait(condition, BEAT);
        if (err != MPROC_ETIMEDOUT)
            judge("mproc_condition_wait", err, WAIT_ERRORS | ERR(EOWNERDEAD));
    }
    if (held)
        TRY(0, mproc_condition_release(condition));
    if (child)
        ends_with(child, 0);
    TRY(0, mproc_condition_destroy(condition));
}

static int act(void *args, size_t size)
{
    return size == 1 && *(char *)args == 'x' ? 0 : 1;
}

static int meet_at_barrier(void *args, size_t size)
{
    const mproc_barrier *barrier = args;
    (void)size;
    return TRY(BARRIER_ERRORS, mproc_barrier_wait(*barrier, SOON, NULL)) ? 0 : GAVE_UP;
}

/* One that cannot wait breaks it for the other: then the child may give up, too. */
static void pass_a_barrier(void)
{
    mproc_barrier barrier = {0};
    mproc_process *child = NULL;
    const mproc_barrier_options options = {.action = act, .args = "x", .args_size = 1};
    if (!MAKE(barrier, FOUND_ERRORS | ERR(EIMAGE), mproc_barrier_create(&barrier, 2, &options)))
        return;
    if ((child = start(meet_at_barrier, &barrier, sizeof barrier)) != NULL) {
        unsigned index = 99;
        int patience = faults_reach_children() ? 300 : SOON; /* it may never come */
        if (MAKE(index, BARRIER_ERRORS | FOR_GOOD, mproc_barrier_wait(barrier, patience, &index)))
            HOLDS(index < 2);
        mproc_barrier_abort(barrier);
        while (mproc_process_join(child, SOON) == MPROC_EINTR && faults_strike_here()) {
        }
        mproc_process_free(child);
    }
    TRY(0, mproc_barrier_reset(barrier));
    TRY(0, mproc_barrier_destroy(barrier));
}

const scenario sync_scenarios[] = {
    {.name = "locks_and_their_like_are_used_by_one_process",
     .play = use_alone,
     .starts_nothing = true},
    {.name = "an_event_is_used_by_one_process", .play = use_an_event, .starts_nothing = true},
    {.name = "a_lock_is_waited_for", .play = wait_for_a_lock},
    {.name = "a_lock_is_waited_for_by_an_interruptible_program",
     .play = wait_for_a_lock,
     .interruptible = true},
    {.name = "an_rlock_is_waited_for", .play = wait_for_an_rlock},
    {.name = "a_semaphore_is_waited_for", .play = wait_for_a_semaphore},
    {.name = "an_array_is_waited_for", .play = wait_for_an_array},
    {.name = "a_lock_is_inherited_from_a_dead_child", .play = inherit_a_lock},
    {.name = "an_rlock_is_inherited_from_a_dead_child", .play = inherit_an_rlock},
    {.name = "a_condition_is_inherited_from_a_dead_child", .play = inherit_a_condition},
    {.name = "a_value_is_inherited_from_a_dead_child", .play = inherit_a_value},
    {.name = "a_notification_is_waited_for", .play = wait_for_a_notification},
    {.name = "a_barrier_is_passed", .play = pass_a_barrier},
    {0},
};
