/* Objects that processes share: made, waited for while a child has them, and destroyed. */
#include "fault.h"

#include <stdlib.h>

#include "../api/host.h"

#define START_ERRORS                                                                               \
    (ERR(EAGAIN) | ERR(ENOMEM) | ERR(EIMAGE) | ERR(ENOENT) | ERR(EBROKEN) | ERR(EOS))
#define WAIT_ERRORS (ERR(EINTR) | ERR(EAGAIN))
enum { SOON = 30000, MOMENT = 3, BEAT = 20 }; /* milliseconds */

/* What parent and child have in common; the child holds `what`, and tells that it does. */
typedef struct meeting {
    enum { LOCK, RLOCK, SEMAPHORE } what;
    mproc_lock lock;
    mproc_rlock rlock;
    mproc_semaphore semaphore;
    mproc_event begun;
} meeting;

static mproc_err take(const meeting *with)
{
    switch (with->what) {
    case LOCK:
        return mproc_lock_acquire(with->lock, SOON);
    case RLOCK:
        return mproc_rlock_acquire(with->rlock, SOON);
    default:
        return mproc_semaphore_acquire(with->semaphore, SOON);
    }
}

static mproc_err give(const meeting *with)
{
    switch (with->what) {
    case LOCK:
        return mproc_lock_release(with->lock);
    case RLOCK:
        return mproc_rlock_release(with->rlock);
    default:
        return mproc_semaphore_release(with->semaphore);
    }
}

static mproc_err mend(const meeting *with)
{
    return with->what == LOCK ? mproc_lock_mark_consistent(with->lock)
                              : mproc_rlock_mark_consistent(with->rlock);
}

static bool make_meeting(meeting *made, int what)
{
    *made = (meeting){.what = what};
    return MAKE(made->lock, FOUND_ERRORS, mproc_lock_create(&made->lock)) &&
           MAKE(made->rlock, FOUND_ERRORS, mproc_rlock_create(&made->rlock)) &&
           MAKE(made->semaphore, FOUND_ERRORS, mproc_semaphore_create(&made->semaphore, 1, 1)) &&
           MAKE(made->begun, FOUND_ERRORS, mproc_event_create(&made->begun));
}

static void end_meeting(const meeting *made)
{
    if (made->lock.id)
        TRY(0, mproc_lock_destroy(made->lock));
    if (made->rlock.id)
        TRY(0, mproc_rlock_destroy(made->rlock));
    if (made->semaphore.id)
        TRY(0, mproc_semaphore_destroy(made->semaphore));
    if (made->begun.id)
        TRY(0, mproc_event_destroy(made->begun));
}

static void use_alone(void)
{
    unsigned value = 99;
    meeting made;
    if (make_meeting(&made, LOCK)) {
        for (made.what = LOCK; made.what <= SEMAPHORE; made.what++) {
            if (TRY(0, take(&made)))
                TRY(0, give(&made));
        }
        if (MAKE(value, 0, mproc_semaphore_get_value(made.semaphore, &value)))
            HOLDS(value == 1);
        TRY(0, mproc_event_set(made.begun));
        TRY(0, mproc_event_wait(made.begun, SOON));
        TRY(0, mproc_event_clear(made.begun));
        mproc_err err = mproc_event_wait(made.begun, 1);
        if (HOLDS(err) && err != MPROC_ETIMEDOUT)
            judge("mproc_event_wait", err, WAIT_ERRORS);
    }
    end_meeting(&made);
}

/* ---- with a child that comes first ---- */

static mproc_process *start(mproc_target target, const meeting *with)
{
    mproc_process *process = NULL;
    if (!TRY(FOUND_ERRORS | ERR(EIMAGE),
             mproc_process_create(&process, &(mproc_process_options){.target = target,
                                                                     .args = with,
                                                                     .args_size = sizeof *with})))
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
    if (make_meeting(&with, what) && (child = start(hold, &with)) != NULL) {
        if (await_beginning(&with, child) && TRY(WAIT_ERRORS, take(&with)))
            TRY(0, give(&with));
        ends_with(child, 0);
    }
    end_meeting(&with);
}

static void wait_for_a_lock(void)
{
    wait_for(LOCK);
}

static void wait_for_an_rlock(void)
{
    wait_for(RLOCK);
}

static void wait_for_a_semaphore(void)
{
    wait_for(SEMAPHORE);
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
    if (make_meeting(&with, what) && (child = start(hold_and_die, &with)) != NULL) {
        mproc_err err = MPROC_EINTR;
        if (await_beginning(&with, child))
            err = take(&with);
        if (err == MPROC_EOWNERDEAD) {
            TRY(0, mend(&with));
            TRY(0, give(&with));
        } else if (HOLDS(err)) {
            judge("take", err, WAIT_ERRORS);
        }
        ends_with(child, DEAD);
    }
    end_meeting(&with);
}

static void inherit_a_lock(void)
{
    inherit(LOCK);
}

static void inherit_an_rlock(void)
{
    inherit(RLOCK);
}

const scenario sync_scenarios[] = {
    {.name = "locks_and_semaphores_are_used_by_one_process",
     .play = use_alone,
     .starts_nothing = true},
    {.name = "a_lock_is_waited_for", .play = wait_for_a_lock},
    {.name = "a_lock_is_waited_for_by_an_interruptible_program",
     .play = wait_for_a_lock,
     .interruptible = true},
    {.name = "an_rlock_is_waited_for", .play = wait_for_an_rlock},
    {.name = "a_semaphore_is_waited_for", .play = wait_for_a_semaphore},
    {.name = "a_lock_is_inherited_from_a_dead_child", .play = inherit_a_lock},
    {.name = "an_rlock_is_inherited_from_a_dead_child", .play = inherit_an_rlock},
    {0},
};
