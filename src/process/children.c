#include "children.h"

#include <stdlib.h>
#include <string.h>

#include "../family/gate.h"
#include "../family/log.h"
#include "../family/park.h"
#include "forkserver.h"

#define MILLISECOND INT64_C(1000000)
#define GRACE (1000 * MILLISECOND)   /* for a daemon that does not mind its SIGTERM */
#define SHORT_LIFE (5 * MILLISECOND) /* a child that is joined sooner is never watched */
#define BEAT (20 * MILLISECOND) /* to look whether the forkserver that should report still lives */

static os_mutex lock;
static mproc_process *children,
    *newest; /* in the order of their start; each is held by a reference */
static os_watcher *monitor;
static size_t latecomers;   /* children that the monitor does not watch yet */
static _Atomic bool ending; /* this process is: it starts no more children */
static _Atomic bool
    used; /* it has had a child: else there is nothing to end, and no lock to touch */

void children_begin(void)
{
    os_mutex_init(&lock);
}

/* A parent's, of no use in its forked child. Freeing them would copy their pages; this keeps leak checkers calm. */
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
    latecomers = 0;
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
    return child->os.foreign && child->role == PROCESS_CHILD &&
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
    if (err)
        process_release(child);
    child->watched = true; /* or never will be */
    return err;
}

static void on_end(void *context, uint64_t key);

static mproc_err start_monitor(void)
{
    if (monitor)
        return MPROC_OK;
    gate_enter();
    mproc_err err = os_watcher_create(&monitor, on_end, NULL);
    gate_leave();
    for (mproc_process *child = children; !err && child; child = child->next)
        watch(child);
    return err;
}

/* Where the dead one stood in the tree, this process stands now. One CAS: a second sweeper finds nothing left. */
static bool adopt(slot_id id, slot *orphan, void *dead)
{
    slot_id parent = *(slot_id *)dead;
    if (atomic_load(&orphan->parent) != parent || !slot_is(id, SLOT_LIVING) ||
        !atomic_compare_exchange_strong(&orphan->parent, &parent, family.self))
        return true;
    uint64_t born = atomic_load(&orphan->born); /* 0: its parent was killed before it told */
    mproc_process *adopted = malloc(sizeof *adopted + SLOT_NAME);
    if (adopted) {
        *adopted = (mproc_process){.role = PROCESS_ADOPTED,
                                   .owner = family.self,
                                   .references = 1,
                                   .phase = PROCESS_STARTED,
                                   .slot = id,
                                   .reaped = true,
                                   .os = {.pid = atomic_load(&orphan->pid),
                                          .born = born ? born : os_birth_time(),
                                          .handle = OS_NO_HANDLE,
                                          .extra = OS_NO_HANDLE,
                                          .foreign = true}};
        adopted->name = memcpy(adopted->args, orphan->name, SLOT_NAME);
    }
    mproc_err err = adopted ? start_monitor() : MPROC_ENOMEM;
    if (!err)
        err = watch(adopted);
    if (err)
        log_write(MPROC_LOG_WARNING, "an orphan is not watched: %s", mproc_strerror(err));
    /* Else the reference lasts until it has ended, as a child's in the list does. */
    if (err && adopted)
        process_release(adopted);
    return true;
}

/* The one place where an end is taken notice of. */
static void collect(mproc_process *child)
{
    mproc_exit_status seen;
    if (child->ended || awaits_report(child))
        return;
    bool alone = child->waiting == 0;
    (alone ? os_process_collect : os_process_status)(&child->os, &seen);
    if (seen.kind == MPROC_EXIT_RUNNING)
        return;
    child->reaped |= alone;
    bool clean;
    child->status = final_status(child, seen, &clean);
    child->ended = true;
    if (child->hooks)
        child->hooks->inherit(child->hooks_context, child);
    /* Before its slot is free: should this process be killed in between, the next ancestor finds both. */
    if (!clean)
        slot_each(adopt, &child->slot);
    family_sweep(child->slot, clean);
    if (child->role == PROCESS_CHILD) {
        unlink_child(child);
        latecomers -= monitor && !child->watched;
    }
    reap(child);
    log_write(MPROC_LOG_DEBUG, "%s (pid %lld) has ended, kind %d, code %lld", child->name,
              (long long)child->os.pid, (int)child->status.kind, (long long)child->status.code);
}

/* ---- the monitor ---- */

/* What most children never need, since they are joined before: being watched costs a descriptor and a wake-up. */
static void watch_latecomers(void)
{
    os_mutex_lock(&lock);
    for (mproc_process *child = newest; child && latecomers; child = child->previous) {
        if (child->watched)
            continue;
        mproc_err err = watch(child);
        if (err)
            log_write(MPROC_LOG_WARNING, "%s is not watched: %s", child->name, mproc_strerror(err));
        latecomers--;
    }
    os_mutex_unlock(&lock);
}

static void on_end(void *context, uint64_t key)
{
    (void)context;
    if (!key) {
        watch_latecomers();
        return;
    }
    mproc_process *child = (mproc_process *)(uintptr_t)key;
    children_join(child, 0);
    if (child->hooks)
        child->hooks->ended(child->hooks_context, child);
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
    bool mine = child->phase == PROCESS_NEW && !ending;
    used = true;
    if (mine)
        child->phase = PROCESS_STARTING;
    os_mutex_unlock(&lock);
    return mine;
}

void children_cancel_start(mproc_process *child)
{
    os_mutex_lock(&lock);
    child->phase = PROCESS_NEW;
    os_mutex_unlock(&lock);
}

mproc_err children_add(mproc_process *child)
{
    mproc_err err = MPROC_OK;
    os_mutex_lock(&lock);
    if (monitor && child->hooks) {
        err = watch(child);
    } else if (monitor) {
        latecomers++;
        os_watcher_alarm(monitor, os_now() + SHORT_LIFE);
    }
    if (!err) {
        process_retain(child);
        link_child(child);
        child->phase = PROCESS_STARTED;
        atomic_store(&slot_at(child->slot)->born, child->os.born);
    }
    os_mutex_unlock(&lock);
    return err;
}

static bool collect_and_unlock(mproc_process *child)
{
    bool before = child->ended;
    collect(child);
    bool ended = child->ended;
    os_mutex_unlock(&lock);
    if (ended && !before)
        process_release(child); /* it had one for as long as it ran */
    return ended;
}

bool children_has_ended(mproc_process *child)
{
    os_mutex_lock(&lock);
    return collect_and_unlock(child);
}

/* The child has ended: a report that is on its way is waited for beyond the deadline, but not for ever. */
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
    if (child->ended) {
        os_mutex_unlock(&lock);
        return MPROC_OK;
    }
    child->waiting++;
    os_mutex_unlock(&lock);
    mproc_err err = os_process_wait(&child->os, deadline);
    if (!err && child->os.foreign)
        await_report(child, deadline);
    os_mutex_lock(&lock);
    child->waiting--;
    reap(child); /* somebody else may have collected it, but left it to the last one who waits */
    bool ended = collect_and_unlock(child);
    return ended ? MPROC_OK : err ? err : MPROC_ETIMEDOUT;
}

mproc_err children_signal(mproc_process *child, bool hard)
{
    mproc_err err = MPROC_OK;
    os_mutex_lock(&lock);
    if (!child->ended) {
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

/* All of them, retained; the caller frees each and the list. NULL with *count 0: there are none; with *count 1: no memory. */
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

void children_end(void)
{
    ending = true;
    if (!used)
        return;
    size_t all;
    mproc_process **every = snapshot_all(&all);
    for (size_t i = 0; every && i < all; i++) {
        if (every[i]->daemon)
            children_signal(every[i], false);
    }
    for (size_t i = 0; every && i < all; i++) {
        if (!every[i]->daemon)
            children_join(every[i], OS_FOREVER);
    }
    int64_t patience = os_now() + GRACE;
    for (size_t i = 0; every && i < all; i++) {
        if (every[i]->daemon && children_join(every[i], patience) == MPROC_ETIMEDOUT) {
            children_signal(every[i], true);
            children_join(every[i], OS_FOREVER);
        }
        process_release(every[i]);
    }
    free(every);
}
