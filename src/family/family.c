#include "family.h"

#include <string.h>

#include "gate.h"
#include "heap.h"
#include "holding.h"
#include "log.h"
#include "object.h"
#include "park.h"
#include "settings.h"
#include "spin.h"
#include "threads.h"
#include "trace.h"

family_state family;

enum { OUTSIDE, FOUNDING, INSIDE };
static _Atomic int membership = OUTSIDE;

static os_mutex line_lock;
static os_lifeline line;
static _Atomic bool line_made;

/* In the child of every fork. Only the real parent may hold its life line, else nobody learns of
 * its end. */
static void in_forked_child(void)
{
    atomic_store(&family.stranger, true);
    object_after_fork();
    threads_after_fork();
    trace_in_raw_child();
    log_in_raw_child();
    os_handle_close(line.hold);
    line.hold = OS_NO_HANDLE;
}

static void begin_membership(void)
{
    family.parent_watch = OS_NO_HANDLE;
    line = (os_lifeline){OS_NO_HANDLE, OS_NO_HANDLE};
    os_mutex_init(&line_lock);
    gate_init();
    holdings_begin();
    os_on_fork(in_forked_child);
    threads_begin();
}

static mproc_err found(void)
{
    mproc_err err = arena_create(settings_arena_size(), settings_arena_limit());
    if (err)
        return err;
    slot_id self;
    if ((err = slot_claim(0, "MainProcess", false, &self)) ||
        (err = slot_enter(self, os_getpid()))) {
        arena_close();
        return err;
    }
    begin_membership();
    atomic_store(&slot_at(self)->born, os_birth_time());
    family.self = self;
    return MPROC_OK;
}

mproc_err family_enter(void)
{
    if (atomic_load_explicit(&family.stranger, memory_order_relaxed))
        return MPROC_ESTATE;
    if (atomic_load_explicit(&membership, memory_order_acquire) == INSIDE)
        return MPROC_OK;
    if (os_entry_is_unclaimed()) {
        log_complain("this process was spawned, but its main did not call mproc_main_guard");
        return MPROC_EGUARD;
    }
    int outside = OUTSIDE;
    uint32_t turns = 0;
    while (!atomic_compare_exchange_strong(&membership, &outside, FOUNDING)) {
        if (outside == INSIDE)
            return MPROC_OK;
        outside = OUTSIDE;
        spin_give_way(&turns);
    }
    mproc_err err = found();
    atomic_store(&membership, err ? OUTSIDE : INSIDE);
    return err;
}

bool family_is_founded(void)
{
    return atomic_load(&membership) != OUTSIDE;
}

bool family_is_member(void)
{
    return atomic_load(&membership) == INSIDE && !atomic_load(&family.stranger);
}

mproc_err family_attach(os_handle arena, uint64_t arena_bytes, os_handle parent_watch)
{
    mproc_err err = arena_open(arena, arena_bytes);
    if (err)
        return err;
    begin_membership();
    family.parent_watch = parent_watch;
    atomic_store(&membership, INSIDE);
    return MPROC_OK;
}

mproc_err family_take(slot_id self)
{
    atomic_store(&family.stranger, false);
    slot *mine = slot_at(self);
    if (!mine)
        return MPROC_ESTATE;
    family.self = self;
    family.parent = atomic_load(&mine->parent);
    family.daemon = mine->daemon;
    slot *parent = slot_at(family.parent);
    if (parent) {
        family.parent_pid = slot_pid(family.parent);
        memcpy(family.parent_name, parent->name, sizeof family.parent_name);
    }
    return slot_enter(self, os_getpid());
}

mproc_err family_after_fork(slot_id self)
{
    os_handle_close(family.parent_watch);
    family.parent_watch = line.watch;
    line = (os_lifeline){OS_NO_HANDLE, OS_NO_HANDLE};
    atomic_store(&line_made, false);
    os_mutex_init(&line_lock);
    gate_init();
    family.forked = true;
    return family_take(self);
}

mproc_err family_parent_watch(os_handle *watch)
{
    if (!family.parent)
        return MPROC_ESTATE;
    mproc_err err = MPROC_OK;
    os_mutex_lock(&line_lock);
    if (family.parent_watch == OS_NO_HANDLE) {
        gate_enter();
        err = os_lifeline_find(family.parent_pid, &family.parent_watch);
        gate_leave();
    }
    os_mutex_unlock(&line_lock);
    if (!err)
        *watch = family.parent_watch;
    return err;
}

mproc_err family_lifeline(const os_lifeline **own)
{
    mproc_err err = MPROC_OK;
    /* Once it is there it is had without the lock: some ask from inside the gate, which stands
     * after it. */
    if (!atomic_load_explicit(&line_made, memory_order_acquire)) {
        os_mutex_lock(&line_lock);
        if (line.watch == OS_NO_HANDLE) {
            gate_enter();
            err = os_lifeline_create(&line);
            gate_leave();
        }
        atomic_store_explicit(&line_made, !err, memory_order_release);
        os_mutex_unlock(&line_lock);
    }
    if (!err)
        *own = &line;
    return err;
}

void family_share(void)
{
    void (*tell)(void) = atomic_load_explicit(&family.on_share, memory_order_acquire);
    if (tell)
        tell();
}

bool family_is_gone(uint32_t index)
{
    slot *s = arena_entry(ARENA_SLOTS, index);
    uint64_t life = s ? atomic_load(&s->life) : 0;
    slot_id id = slot_id_of(life, index);
    int64_t pid = slot_pid(id);
    if (!pid || id == family.self)
        return false; /* being swept; of oneself an emulator may tell the wrong start time */
    uint64_t born = atomic_load(&s->born);
    return os_process_is_gone(pid, born ? born : os_birth_time()) && atomic_load(&s->life) == life;
}

/* Proving it takes the system some time, and it is asked for all children of one parent in a row. */
static bool is_alive(slot_id guard)
{
    static _Thread_local slot_id last;
    static _Thread_local int64_t last_time;
    const int64_t moment = 1000000, now = os_now();
    const uint32_t index = (uint32_t)(guard & 0xffff);
    if (guard == family.self || (guard == last && now - last_time < moment))
        return true;
    if (family_is_gone(index))
        return false;
    last = guard;
    last_time = now;
    return true;
}

bool family_is_guarded(uint32_t index)
{
    slot *s = arena_entry(ARENA_SLOTS, index);
    slot_id parent = s ? atomic_load(&s->parent) : 0;
    slot *guard = slot_at(parent);
    return guard && atomic_load(&guard->monitors) && slot_pid(parent) && is_alive(parent);
}

static bool count_one(slot_id id, slot *one, void *count)
{
    (void)id;
    (void)one;
    ++*(int64_t *)count;
    return true;
}

static int64_t slow_beat(void)
{
    const int64_t each = 60000000, least = 1000000000, most = 60000000000;
    int64_t count = 0;
    slot_each(count_one, &count);
    return count * each < least ? least : count * each < most ? count * each : most;
}

/* The slots are counted no more than once a second. */
int64_t family_slow_beat(void)
{
    static _Atomic int64_t known, known_until;
    const int64_t second = 1000000000, now = os_now();
    if (now >= atomic_load_explicit(&known_until, memory_order_acquire)) {
        atomic_store_explicit(&known, slow_beat(), memory_order_relaxed);
        atomic_store_explicit(&known_until, now + second, memory_order_release);
    }
    return atomic_load_explicit(&known, memory_order_relaxed);
}

void family_withdraw(slot_id id, slot_id charged)
{
    if (!slot_disown(id, charged, family.self))
        return;
    heap_sweep(id, family.self); /* its start record */
    slot_free(id);
}

static bool withdraw_from(slot_id id, slot *child, void *dead)
{
    (void)child;
    family_withdraw(id, *(slot_id *)dead);
    return true;
}

void family_disown(slot_id dead)
{
    slot_each(withdraw_from, &dead);
}

void family_sweep(slot_id dead, bool clean)
{
    if (!clean)
        heap_sweep(dead, family.self);
    park_sweep(dead, clean);
    slot_free(dead);
}
