/* This process's membership in its family: one arena, one slot, one life line. */
#ifndef MPROC_FAMILY_FAMILY_H
#define MPROC_FAMILY_FAMILY_H

#include "slot.h"

typedef struct family_state {
    slot_id self;
    slot_id parent;         /* 0 in the first process */
    os_handle parent_watch; /* the parent's life line: see family_parent_watch */
    long long parent_pid;
    char parent_name[SLOT_NAME];
    bool daemon;        /* this process is one */
    bool forked;        /* made by mproc's fork: ends with _Exit */
    bool guarded;       /* mproc_main_guard has been called */
    _Atomic int method; /* mproc_start_method: the program's choice, or DEFAULT */
    bool interruptible;
    _Atomic bool stranger; /* a copy of a member, made by a fork that mproc knows nothing of */
    _Atomic bool holds;    /* this process: see holding.h; asked before that is touched */
    /* Of a higher floor: called when this process has made a shared object, for then the ends of
     * its children matter at once. Or NULL. */
    void (*_Atomic on_share)(void);
} family_state;
extern family_state family;

/* Every public call that needs the family begins here; the first one founds it. MPROC_ESTATE: a
 * copy of a member, made by a fork that mproc does not know of; MPROC_EGUARD: a spawned child
 * that went past the guard; MPROC_ENOMEM... */
mproc_err family_enter(void);
bool family_is_founded(void); /* too late for mproc_init */
bool family_is_member(void);  /* founded or joined, and no stranger's copy */
/* For what runs in members only, unless the program has forked meanwhile. */
static inline bool family_is_copy(void)
{
    return atomic_load_explicit(&family.stranger, memory_order_relaxed);
}

/* What was spawned: maps the arena and begins to listen to the parent's life line. Takes the
 * handles over. A forkserver stops here; a child goes on with family_take. */
mproc_err family_attach(os_handle arena, uint64_t arena_bytes, os_handle parent_watch);
/* This process is the child for whom its parent claimed that slot. */
mproc_err family_take(slot_id self);
/* A child that was forked, instead of both: drops what was its parent's. */
mproc_err family_after_fork(slot_id self);

/* Something that is readable / signalled once the parent has ended. MPROC_ESTATE in the first
 * process. */
mproc_err family_parent_watch(os_handle *watch);
/* The own life line, made when first needed. */
mproc_err family_lifeline(const os_lifeline **line);

/* Takes back the slot of a child that has not come to life; `charged`, who claimed it, is dead
 * or this process. One that has come to life stays. */
void family_withdraw(slot_id id, slot_id charged);
/* All children that a proven dead member was just making: they find their slots taken back, and
 * end. */
void family_disown(slot_id dead);
void family_share(void); /* this process has made a shared object */
/* Proves the end of a process that nobody may be watching, by the index of its slot. */
bool family_is_gone(uint32_t index);
/* Whether somebody who lives will notice the end of that process at once. */
bool family_is_guarded(uint32_t index);
/* How often a waiter looks for itself whether that is still so. The more processes there are the
 * seldomer, so that all of them together wake less than 20 times a second. */
int64_t family_slow_beat(void);

/* Frees what a proven dead member held, and its slot. `clean`: it held nothing. */
void family_sweep(slot_id dead, bool clean);

#endif
