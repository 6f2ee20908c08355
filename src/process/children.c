#include "children.h"

#include <stdlib.h>

#include "../data/ends.h"
#include "../data/shared_memory.h"
#include "../family/gate.h"
#include "../family/log.h"
#include "../family/park.h"
#include "../family/trace.h"
#include "../hot.h"
#include "../sync/sweep.h"
#include "forkserver.h"
#include "orphans.h"

#define MILLISECOND INT64_C(1000000)
#define GRACE (1000 * MILLISECOND)    /* for a daemon that does not mind its SIGTERM */
#define SHORT_LIFE (5 * MILLISECOND)  /* a child that is joined sooner is never watched */
#define UNWATCHED (100 * MILLISECOND) /* to look after those that cannot be watched, as yet */
#define BEAT (20 * MILLISECOND) /* to look whether the forkserver that should report still lives */

MPROC_HOT static os_mutex lock;
/* In the order of their start. Each is held by a reference while it runs. */
MPROC_HOT static mproc_process *children, *newest;
static os_watcher *monitor;
MPROC_HOT static size_t latecomers; /* children that the monitor does not watch yet */
MPROC_HOT static size_t starting;   /* starts in flight */
MPROC_HOT static size_t ends_due;   /* watched children of whose end the monitor has not told yet */
static size_t awaiting;             /* threads that wait until another one has swept an end */
/* This process is ending: it starts no more children. And whether it has had one: else there is
 * nothing to end, and no lock to touch. A start sets `used` before it looks at `ending`, the end
 * does it the other way round. */
MPROC_HOT static _Atomic bool ending, used;

/* Whoever shares an object wants to know at once when somebody dies with it. */
static void monitor_for_sharing(void)
{
    mproc_err err = used && !children_are_monitored() ? children_monitor() : MPROC_OK;
    if (err)
        log_write(MPROC_LOG_WARNING, "children are not watched: %s", mproc_strerror(err));
}

void children_begin(void)
{
    os_mutex_init(&lock);
    family.on_share = monitor_for_sharing;
}

/* A parent's, of no use in its forked child. Freeing them would copy their pages; this keeps
 * leak checkers calm. */
static struct {
    mproc_process *children;
    os_watcher *monitor;
} inherited;

void children_after_fork(void)
{
    os_mutex_init(&lock);
    if (monitor || children) {
        inherited.children = children;
        inherited.monitor = monitor;
    }
    children = newest = NULL;
    orphans_after_fork();
    latecomers = starting = ends_due = awaiting = 0;
    ending = used = false;
    if (monitor)
        os_watcher_after_fork(monitor);
    monitor = NULL;
}

/* ---- under the lock ---- */

static void link_child(mproc_process *child)
{
    child->next = NULL;
    child->previous = newest;
    *(newest ? &newest->next : &children) = child;
    newest = child;
}

static void unlink_child(mproc_process *child)
{
    *(child->previous ? &child->previous->next : &children) = child->next;
    *(child->next ? &child->next->previous : &newest) = child->previous;
}

/* What the system says, completed by what the child or its forkserver said. */
static mproc_exit_status final_status(const mproc_process *child, mproc_exit_status seen,
                                      bool *clean)
{
    mproc_exit_status told;
    *clean = false;
    if (slot_reported(child->slot, &told, clean)) {
        if (told.kind == MPROC_EXIT_REFUSED)
            return told;
        if (seen.kind == MPROC_EXIT_LOST) {
            seen = told;
            seen.code = told.kind == MPROC_EXIT_EXITED ? told.code & 0xff : told.code;
        }
    }
    bool terminated = seen.kind == MPROC_EXIT_SIGNALED ||
                      (seen.kind == MPROC_EXIT_EXITED && !*clean && !os_can_start(MPROC_FORK));
    if (child->asked && terminated && (seen.code == 15 || seen.code == 9))
        seen.kind = MPROC_EXIT_TERMINATED;
    return seen;
}

/* A foreign child's status comes from the forkserver, which reaps it a moment after its end. */
static bool awaits_report(const mproc_process *child)
{
    mproc_exit_status status;
    bool clean;
    return child->os.foreign && child->role == PROCESS_CHILD && slot_at(child->slot) &&
           !slot_reported(child->slot, &status, &clean) && forkserver_is_alive(child->server);
}

static void reap(mproc_process *child)
{
    if (child->ended && !child->reaped && child->waiting == 0) {
        os_process_reap(&child->os);
        child->reaped = true;
    }
}

static mproc_err watch(mproc_process *child)
{
    process_retain(child);
    gate_enter();
    mproc_err err = os_watcher_add(monitor, &child->os, (uint64_t)(uintptr_t)child);
    gate_leave();
    if (err) {
        process_release(child);
        return err;
    }
    ends_due += child->role == PROCESS_CHILD;
    child->watched = true;
    return MPROC_OK;
}

static void on_end(void *context, uint64_t key);

static mproc_err start_monitor(void)
{
    if (monitor)
        return MPROC_OK;
    gate_enter();
    mproc_err err = os_watcher_create(&monitor, on_end, NULL);
    gate_leave();
    if (err)
        return err;
    for (mproc_process *child = children; child; child = child->next)
        latecomers += child->proved || watch(child) != MPROC_OK;
    if (latecomers)
        os_watcher_alarm(monitor, os_now() + UNWATCHED);
    atomic_store(&slot_at(family.self)->monitors, true);
    return MPROC_OK;
}

static mproc_err start_and_watch(mproc_process *orphan)
{
    mproc_err err = start_monitor();
    if (!err && (err = watch(orphan)))
        atomic_store(&slot_at(family.self)->monitors, false); /* not of all, from now on */
    return err;
}

/* Of a child that has ended: true for one thread, which is to sweep it (finish_end). */
static bool prove_end(mproc_process *child, bool *clean)
{
    mproc_exit_status seen;
    if (child->proved || awaits_report(child))
        return false;
    bool alone = child->waiting == 0;
    (alone ? os_process_collect : os_process_status)(&child->os, &seen);
    if (seen.kind == MPROC_EXIT_RUNNING)
        return false;
    child->reaped |= alone;
    child->status = final_status(child, seen, clean);
    child->proved = true;
    trace_ended(child->slot, child->os.pid, child->name, &child->status);
    return true;
}

/* ---- the sweep: without the lock, so that no end waits for the sweep of another one ---- */

/* Disowned first: a child that was just coming to life is then either gone or living, and
 * adopted. */
static bool adopt_children_of(slot_id dead)
{
    if (!slot_has_used(dead, SLOT_USES_CHILDREN))
        return false;
    family_disown(dead);
    os_mutex_lock(&lock);
    bool heirs = orphans_adopt(dead, start_and_watch);
    os_mutex_unlock(&lock);
    return heirs;
}

/* The last of it waits for heirs. */
static void sweep(slot_id dead, bool clean)
{
    shared_memory_sweep(dead);
    if (slot_has_used(dead, SLOT_USES_OBJECTS)) {
        ends_sweep(dead);
        sync_sweep(dead);
    }
    if (clean || !adopt_children_of(dead))
        family_sweep(dead, clean);
}

static void sweep_estate(mproc_process *orphan)
{
    os_mutex_lock(&lock);
    bool last = orphans_remove(orphan);
    os_mutex_unlock(&lock);
    if (last)
        family_sweep(orphan->estate, false);
}

/* The one place where the end of a child is swept. */
static void finish_end(mproc_process *child, bool clean)
{
    if (child->hooks)
        child->hooks->inherit(child->hooks_context, child);
    sweep(child->slot, clean);
    if (child->role == PROCESS_ADOPTED)
        sweep_estate(child);
    os_mutex_lock(&lock);
    child->ended = true;
    if (child->role == PROCESS_CHILD) {
        unlink_child(child);
        latecomers -= monitor && !child->watched;
    }
    reap(child);
    bool awaited = awaiting > 0;
    os_mutex_unlock(&lock);
    if (awaited)
        slot_ring(family.self);
    log_write(MPROC_LOG_DEBUG, "%s (pid %lld) has ended, kind %d, code %lld", child->name,
              (long long)child->os.pid, (int)child->status.kind, (long long)child->status.code);
    process_release(child); /* it had a reference for as long as it ran */
}

/* Under the lock, which is open in between. */
static void await_sweep(const mproc_process *child)
{
    _Atomic uint32_t *rung = &slot_at(family.self)->rung;
    awaiting++;
    while (!child->ended) {
        uint32_t seen = atomic_load(rung);
        os_mutex_unlock(&lock);
        park(rung, seen, OS_FOREVER, family.self);
        os_mutex_lock(&lock);
    }
    awaiting--;
}

/* ---- the monitor ---- */

/* For want of descriptors or memory. */
static void warn_of_unwatched(const mproc_process *child, mproc_err err)
{
    static bool warned;
    if (!warned)
        log_write(MPROC_LOG_WARNING, "%s is not watched: %s", child->name, mproc_strerror(err));
    warned = true;
}

/* What most children never need, since they are joined before: being watched costs a descriptor
 * and a wake-up. Returns the first one that cannot be watched and has ended; it is the caller's to
 * sweep. */
static mproc_process *watch_all(bool *clean)
{
    size_t unseen = monitor ? latecomers : 0;
    for (mproc_process *child = newest; child && unseen; child = child->previous) {
        unseen -= !child->watched;
        if (child->watched || child->proved)
            continue;
        mproc_err err = watch(child);
        latecomers -= !err;
        if (!err)
            continue;
        warn_of_unwatched(child, err);
        if (prove_end(child, clean))
            return child;
    }
    return NULL;
}

static void watch_latecomers(void)
{
    mproc_process *ended;
    bool clean;
    os_mutex_lock(&lock);
    while ((ended = watch_all(&clean))) {
        os_mutex_unlock(&lock);
        finish_end(ended, clean);
        os_mutex_lock(&lock);
    }
    if (monitor && latecomers)
        os_watcher_alarm(monitor, os_now() + UNWATCHED);
    os_mutex_unlock(&lock);
}

/* What children_end waits for. */
static void count_down(size_t *count)
{
    os_mutex_lock(&lock);
    bool awaited = --*count == 0 && ending;
    os_mutex_unlock(&lock);
    if (awaited)
        slot_ring(family.self);
}

/* Where the system is asked by pid, one that is just being reaped may seem to have ended, and to run
 * a moment later. */
static bool has_really_ended(mproc_process *child)
{
    return children_join(child, 0) == MPROC_OK ||
           children_join(child, os_now() + GRACE) == MPROC_OK;
}

static bool watch_again(mproc_process *child)
{
    os_mutex_lock(&lock);
    gate_enter();
    mproc_err err = os_watcher_add(monitor, &child->os, (uint64_t)(uintptr_t)child);
    gate_leave();
    os_mutex_unlock(&lock);
    return !err;
}

static void on_end(void *context, uint64_t key)
{
    (void)context;
    if (!key) {
        watch_latecomers();
        return;
    }
    mproc_process *child = (mproc_process *)(uintptr_t)key;
    if (!has_really_ended(child) && watch_again(child))
        return;
    if (child->hooks)
        child->hooks->ended(child->hooks_context, child);
    if (child->role == PROCESS_CHILD)
        count_down(&ends_due);
    process_release(child);
}

mproc_err children_monitor(void)
{
    os_mutex_lock(&lock);
    mproc_err err = start_monitor();
    os_mutex_unlock(&lock);
    return err;
}

bool children_are_monitored(void)
{
    os_mutex_lock(&lock);
    bool are = monitor != NULL;
    os_mutex_unlock(&lock);
    return are;
}

/* ---- calls ---- */

bool children_begin_start(mproc_process *child)
{
    os_mutex_lock(&lock);
    used = true;
    bool mine = child->phase == PROCESS_NEW && !ending;
    if (mine) {
        child->phase = PROCESS_STARTING;
        starting++;
    }
    os_mutex_unlock(&lock);
    return mine;
}

void children_cancel_start(mproc_process *child)
{
    child->phase = PROCESS_NEW;
    count_down(&starting);
}

static void add(mproc_process *child)
{
    process_retain(child);
    link_child(child);
    child->phase = PROCESS_STARTED;
    atomic_store(&slot_at(child->slot)->born, child->os.born);
}

mproc_err children_add(mproc_process *child)
{
    mproc_err err = MPROC_OK;
    bool shares = arena_has_objects();
    os_mutex_lock(&lock);
    bool watching = monitor != NULL;
    add(child);
    if (shares && !watching && !child->hooks) {
        start_monitor(); /* without one, waiters look after its end by themselves, slowly */
    } else if (monitor && child->hooks) {
        err = watch(child);
        child->watched = true; /* or about to be ended */
    } else if (monitor) {
        latecomers++;
        os_watcher_alarm(monitor, os_now() + SHORT_LIFE);
    }
    os_mutex_unlock(&lock);
    count_down(&starting);
    return err;
}

/* The one place where an end is taken notice of. True: it is swept. */
static bool collect_and_unlock(mproc_process *child)
{
    bool clean, mine = prove_end(child, &clean);
    if (!mine && child->proved)
        await_sweep(child);
    bool ended = child->ended;
    os_mutex_unlock(&lock);
    if (mine)
        finish_end(child, clean);
    return ended || mine;
}

bool children_has_ended(mproc_process *child)
{
    os_mutex_lock(&lock);
    return collect_and_unlock(child);
}

/* The child has ended: a report that is on its way is waited for beyond the deadline, but not
 * for ever. */
static void await_report(const mproc_process *child, int64_t deadline)
{
    slot *of_child = slot_at(child->slot);
    int64_t patience = os_now() + GRACE;
    if (patience < deadline)
        patience = deadline;
    while (of_child && awaits_report(child) && os_now() < patience) {
        uint32_t rung = atomic_load(&of_child->rung);
        if (awaits_report(child))
            park(&of_child->rung, rung, os_now() + BEAT, family.self);
    }
}

mproc_err children_join(mproc_process *child, int64_t deadline)
{
    os_mutex_lock(&lock);
    if (child->proved) {
        collect_and_unlock(child);
        return MPROC_OK;
    }
    child->waiting++;
    os_mutex_unlock(&lock);
    mproc_err err = os_process_wait(&child->os, deadline);
    if (!err && child->os.foreign)
        await_report(child, deadline);
    os_mutex_lock(&lock);
    child->waiting--;
    reap(child); /* the thread that swept it leaves this to the last waiter */
    bool ended = collect_and_unlock(child);
    return ended ? MPROC_OK : err ? err : MPROC_ETIMEDOUT;
}

mproc_err children_signal(mproc_process *child, bool hard)
{
    mproc_err err = MPROC_OK;
    os_mutex_lock(&lock);
    if (!child->proved) {
        child->asked = true;
        err = os_process_signal(&child->os, hard);
    }
    os_mutex_unlock(&lock);
    return err;
}

mproc_err children_sentinel(mproc_process *child, os_handle *sentinel)
{
    os_mutex_lock(&lock);
    gate_enter();
    mproc_err err = os_process_sentinel(&child->os, sentinel);
    gate_leave();
    os_mutex_unlock(&lock);
    return err;
}

static size_t snapshot(mproc_process **list, size_t capacity)
{
    size_t count = 0;
    os_mutex_lock(&lock);
    for (mproc_process *child = children; child; child = child->next) {
        if (count < capacity) {
            list[count] = child;
            process_retain(child);
        }
        count++;
    }
    os_mutex_unlock(&lock);
    return count;
}

/* All of them, retained; the caller frees each and the list. NULL with *count 0: there are none;
 * with *count 1: no memory. */
static mproc_process **snapshot_all(size_t *count)
{
    for (size_t capacity = 16;; capacity = *count + 16) {
        mproc_process **list = malloc(capacity * sizeof *list);
        *count = list ? snapshot(list, capacity) : 0;
        if (!list || *count <= capacity)
            return list;
        for (size_t i = 0; i < capacity; i++)
            process_release(list[i]);
        free(list);
    }
}

mproc_err children_list(mproc_process **list, size_t capacity, size_t *count)
{
    size_t all, running = 0;
    mproc_process **every = snapshot_all(&all);
    if (!every)
        return MPROC_ENOMEM;
    for (size_t i = 0; i < all; i++) {
        bool ended = children_has_ended(every[i]);
        if (ended || running >= capacity)
            process_release(every[i]);
        else
            list[running] = every[i];
        running += !ended;
    }
    free(every);
    *count = running;
    return MPROC_OK;
}

bool children_have_orphans(void)
{
    if (!used)
        return false;
    os_mutex_lock(&lock);
    bool have = orphans_exist();
    os_mutex_unlock(&lock);
    return have;
}

static void await_zero(const size_t *count, int64_t deadline)
{
    _Atomic uint32_t *rung = &slot_at(family.self)->rung;
    for (;;) {
        uint32_t seen = atomic_load(rung);
        os_mutex_lock(&lock);
        bool zero = *count == 0;
        os_mutex_unlock(&lock);
        if (zero || park(rung, seen, deadline, family.self) == MPROC_ETIMEDOUT)
            return;
    }
}

/* ---- the end: there may be no memory left for a list, and signals do not end its waits ---- */

/* The one with the least number above `after`; retained. */
static mproc_process *next_child(uint64_t after)
{
    mproc_process *next = NULL;
    os_mutex_lock(&lock);
    for (mproc_process *child = children; child; child = child->next) {
        if (child->number > after && (!next || child->number < next->number))
            next = child;
    }
    if (next)
        process_retain(next);
    os_mutex_unlock(&lock);
    return next;
}

static void each_child(bool daemon, void (*visit)(mproc_process *child, int64_t deadline),
                       int64_t deadline)
{
    mproc_process *child;
    for (uint64_t after = 0; (child = next_child(after));) {
        after = child->number;
        if (child->daemon == daemon)
            visit(child, deadline);
        process_release(child);
    }
}

static void ask_to_end(mproc_process *child, int64_t deadline)
{
    (void)deadline;
    children_signal(child, false);
}

static mproc_err join_through_signals(mproc_process *child, int64_t deadline)
{
    mproc_err err;
    do
        err = children_join(child, deadline);
    while (err == MPROC_EINTR);
    return err;
}

static void await_end(mproc_process *child, int64_t deadline)
{
    join_through_signals(child, deadline);
}

static void enforce_end(mproc_process *child, int64_t deadline)
{
    if (join_through_signals(child, deadline) == MPROC_ETIMEDOUT) {
        children_signal(child, true);
        join_through_signals(child, OS_FOREVER);
    }
}

/* Nothing of it runs afterwards: what the hooks look at may be swept. All children have ended,
 * so it has told of them soon. */
static void stop_monitor(void)
{
    await_zero(&ends_due, os_now() + GRACE);
    os_mutex_lock(&lock);
    os_watcher *last = monitor;
    monitor = NULL;
    atomic_store(&slot_at(family.self)->monitors, false);
    os_mutex_unlock(&lock);
    os_watcher_free(last);
}

void children_end(void)
{
    ending = true;
    if (!used)
        return;
    await_zero(&starting, OS_FOREVER);
    each_child(true, ask_to_end, 0);
    each_child(false, await_end, OS_FOREVER);
    each_child(true, enforce_end, os_now() + GRACE);
    stop_monitor();
}
