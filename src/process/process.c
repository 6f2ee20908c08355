#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../family/gate.h"
#include "../family/log.h"
#include "../family/park.h"
#include "../family/spin.h"
#include "../family/text.h"
#include "../family/trace.h"
#include "../hot.h"
#include "child.h"
#include "children.h"
#include "entry.h"
#include "forkserver.h"
#include "handover.h"
#include "room.h"

static process_identity own_identity;            /* "" in the first process */
MPROC_HOT static _Atomic uint64_t started_count; /* numbers the children of this process */

static mproc_process self_object, parent_object;

static void describe(mproc_process *object, process_role role, long long pid, const char *name)
{
    object->role = role;
    object->owner = family.self;
    object->phase = PROCESS_STARTED;
    object->os.pid = pid;
    object->name = name;
}

static void describe_relatives(void)
{
    const slot *mine = slot_at(family.self);
    describe(&self_object, PROCESS_SELF, slot_pid(family.self), mine->name);
    self_object.daemon = family.daemon;
    if (family.parent)
        describe(&parent_object, PROCESS_PARENT, family.parent_pid, family.parent_name);
}

process_identity process_identity_of(const mproc_process *child)
{
    process_identity identity = own_identity;
    if (*identity.text)
        text_append(identity.text, sizeof identity.text, ":");
    text_append_number(identity.text, sizeof identity.text, child->number);
    return identity;
}

void process_begin(const process_identity *identity)
{
    own_identity = *identity;
    atomic_store(&started_count, 0);
    describe_relatives();
}

/* The first use of processes here: everything that a later exit or fork relies on. */
static mproc_err begin(void)
{
    static _Atomic int begun; /* 0, 1: being done, 2 */
    mproc_err err = family_enter();
    if (err || atomic_load_explicit(&begun, memory_order_acquire) == 2)
        return err;
    int none = 0;
    if (atomic_compare_exchange_strong(&begun, &none, 1)) {
        if (!family.parent) {
            children_begin();
            forkserver_begin();
            describe_relatives();
            trace_begin();
        }
        if (!family.guarded && !family.parent)
            atexit(mproc__at_exit);
        atomic_store(&begun, 2);
    }
    for (uint32_t turns = 0; atomic_load(&begun) != 2;)
        spin_give_way(&turns);
    return MPROC_OK;
}

/* ---- creating ---- */

static mproc_err need_guard(void)
{
    log_complain("to start processes by spawn or forkserver, main must begin with the guard:\n"
                 "    int main(int argc, char **argv)\n"
                 "    {\n"
                 "        mproc_main_guard(argc, argv);");
    return MPROC_EGUARD;
}

static mproc_err check(const mproc_process_options *options)
{
    if (!options || !options->target || (options->args_size && !options->args) ||
        (options->connection_count && !options->connections) ||
        options->method < MPROC_START_DEFAULT || options->method > MPROC_FORKSERVER)
        return MPROC_EINVAL;
    mproc_start_method method = options->method ? options->method : mproc_get_start_method();
    if (!os_can_start(method))
        return MPROC_ENOSYS;
    if (method == MPROC_FORK)
        return MPROC_OK;
    if (!family.guarded && !family.parent)
        return need_guard();
    os_code code;
    return os_code_from((os_function)options->target, &code);
}

static size_t choose_name(char name[SLOT_NAME], const mproc_process *made, const char *chosen)
{
    text_copy(name, SLOT_NAME, chosen ? chosen : "Process-");
    if (!chosen)
        text_append(name, SLOT_NAME, process_identity_of(made).text);
    return strlen(name) + 1;
}

/* Where they stand behind the args. False: more than there can be. */
static bool lay_out(const mproc_process_options *options, size_t name_size, size_t *given_at,
                    size_t *size)
{
    const size_t item = sizeof(uint64_t);
    const size_t most = SIZE_MAX - sizeof(mproc_process) - name_size - item;
    if (options->connection_count > most / item ||
        options->args_size > most - options->connection_count * item)
        return false;
    *given_at = (options->args_size + item - 1) / item * item;
    *size = *given_at + options->connection_count * item;
    return true;
}

/* One block: the object, the args, what it is given, the name. */
static mproc_process *make(const mproc_process_options *options)
{
    const mproc_process numbered = {.number = atomic_fetch_add(&started_count, 1) + 1};
    char name[SLOT_NAME];
    size_t name_size = choose_name(name, &numbered, options->name), given_at, size;
    if (!lay_out(options, name_size, &given_at, &size))
        return NULL;
    mproc_process *made = room_take(sizeof *made + size + name_size);
    if (!made)
        return NULL;
    memset(made, 0, sizeof *made);
    made->number = numbered.number;
    if (options->args_size)
        memcpy(made->args, options->args, options->args_size);
    uint64_t *given = (uint64_t *)(void *)(made->args + given_at);
    for (size_t i = 0; i < options->connection_count; i++)
        given[i] = options->connections[i].id;
    made->given = given;
    made->given_count = options->connection_count;
    made->name = memcpy(made->args + size, name, name_size);
    return made;
}

mproc_err process_create(mproc_process **process, const mproc_process_options *options,
                         const process_hooks *hooks, void *context)
{
    mproc_err err = process ? check(options) : MPROC_EINVAL;
    if (err || (err = begin()) ||
        (err = handover_check(options->connections, options->connection_count)))
        return err;
    mproc_process *made = make(options);
    if (!made)
        return MPROC_ENOMEM;
    atomic_init(&made->references, 1);
    made->role = PROCESS_CHILD;
    made->owner = family.self;
    made->target = options->target;
    made->args_size = options->args_size;
    made->method = options->method ? options->method : mproc_get_start_method();
    made->daemon = options->daemon || family.daemon;
    made->os.handle = made->os.extra = OS_NO_HANDLE;
    made->hooks = hooks;
    made->hooks_context = context;
    *process = made;
    return MPROC_OK;
}

mproc_err mproc_process_create(mproc_process **process, const mproc_process_options *options)
{
    return process_create(process, options, NULL, NULL);
}

void process_retain(mproc_process *process)
{
    atomic_fetch_add_explicit(&process->references, 1, memory_order_relaxed);
}

void mproc_process_free(mproc_process *process)
{
    /* A parent's object, copied by a fork, stays: it may hold the args of its child. */
    if (process && process->role == PROCESS_CHILD && process->owner == family.self)
        process_release(process);
}

void process_release(mproc_process *process)
{
    if (atomic_fetch_sub_explicit(&process->references, 1, memory_order_acq_rel) != 1)
        return;
    if (process->phase == PROCESS_STARTED && process->owner == family.self)
        os_process_close(&process->os);
    room_return(process);
}

/* ---- starting ---- */

static mproc_err start_fork(mproc_process *process, os_process *child)
{
    bool in_child = false;
    const os_lifeline *line;
    mproc_err err = process->daemon || !os_can_find_lifeline ? family_lifeline(&line) : MPROC_OK;
    if (err)
        return err;
    static _Atomic bool warned;
    if (log_get_level() <= MPROC_LOG_WARNING && !children_are_monitored() &&
        !os_thread_is_alone() && !atomic_exchange(&warned, true))
        log_write(MPROC_LOG_WARNING,
                  "a process with several threads forks: the child may find locks "
                  "held for ever; consider MPROC_FORKSERVER");
    const process_identity identity = process_identity_of(process);
    gate_close();
    os_hold_interrupt(process->hooks != NULL);
    err = os_fork(child, &in_child);
    if (in_child)
        child_run_forked(process, &identity);
    os_hold_interrupt(false);
    gate_open();
    return err;
}

static mproc_err start_fresh(mproc_process *process, const handover *given, os_process *child)
{
    const os_lifeline *line;
    mproc_err err = family_lifeline(&line);
    if (err || (err = entry_record(process, given, process->slot)))
        return err;
    if (process->method == MPROC_FORKSERVER)
        return forkserver_start_child(process->slot, given, child, &process->server);
    gate_enter();
    os_hold_interrupt(process->hooks != NULL);
    err = entry_spawn(child, ENTRY_CHILD, process->slot, line, process->daemon, given->handles,
                      given->count);
    os_hold_interrupt(false);
    gate_leave();
    return err;
}

/* The forkserver died after it had forked, but before it could say so: the child is there, and
 * only its pid in its slot tells of it. */
static bool find_unannounced(slot_id id, os_process *child)
{
    mproc_exit_status status;
    *child = (os_process){.pid = slot_pid(id),
                          .born = os_birth_time(),
                          .handle = OS_NO_HANDLE,
                          .extra = OS_NO_HANDLE};
    if (!child->pid)
        return false;
    os_process_status(child, &status);
    child->foreign = status.kind == MPROC_EXIT_LOST; /* not this process's own, or gone already */
    return true;
}

static mproc_err start_in_slot(mproc_process *process, const handover *given, os_process *child)
{
    mproc_err err = slot_claim(family.self, process->name, process->daemon, &process->slot);
    if (err)
        return err;
    trace_starts(process->slot);
    err = process->method == MPROC_FORK ? start_fork(process, child)
                                        : start_fresh(process, given, child);
    if (!err)
        return MPROC_OK;
    family_withdraw(process->slot, family.self); /* with the record, which is in its name */
    return find_unannounced(process->slot, child) ? MPROC_OK : err;
}

static mproc_err start_with_handover(mproc_process *process, os_process *child)
{
    handover given;
    mproc_err err = handover_begin(&given, process->given, process->given_count);
    if (!err)
        err = start_in_slot(process, &given, child);
    if (err == MPROC_EBROKEN) /* there is a new forkserver now, or none to be had */
        err = start_in_slot(process, &given, child);
    handover_end(&given);
    return err;
}

static mproc_err start_child(mproc_process *process)
{
    os_process child = {.handle = OS_NO_HANDLE, .extra = OS_NO_HANDLE};
    os_flush_output();
    mproc_err err = process->hooks ? children_monitor() : MPROC_OK;
    if (!err)
        err = start_with_handover(process, &child);
    if (err) {
        children_cancel_start(process);
        return err;
    }
    process->os = child;
    err = children_add(process);
    if (err) {
        children_signal(process, true);
        while (children_join(process, OS_FOREVER) == MPROC_EINTR) {
        }
    }
    return err;
}

/* MPROC_ESTATE for an object of another process, such as a parent's in its forked child. */
static mproc_err check_owned(const mproc_process *process)
{
    if (!process)
        return MPROC_EINVAL;
    return family_is_member() && process->owner == family.self ? MPROC_OK : MPROC_ESTATE;
}

mproc_err mproc_process_start(mproc_process *process)
{
    mproc_err err = check_owned(process);
    if (err)
        return err;
    if (process->role != PROCESS_CHILD || !children_begin_start(process))
        return MPROC_ESTATE;
    if ((err = start_child(process)))
        return err;
    log_write(MPROC_LOG_DEBUG, "%s started, pid %lld", process->name, (long long)process->os.pid);
    return MPROC_OK;
}

/* ---- what can be asked ---- */

static mproc_err check_started(const mproc_process *process)
{
    mproc_err err = check_owned(process);
    if (err)
        return err;
    return process->role != PROCESS_CHILD || process->phase == PROCESS_STARTED ? MPROC_OK
                                                                               : MPROC_ESTATE;
}

static mproc_err join_parent(int64_t deadline)
{
    os_handle watch;
    mproc_err err = family_parent_watch(&watch);
    return err ? err : os_lifeline_wait(watch, deadline);
}

mproc_err mproc_process_join(mproc_process *process, int timeout_ms)
{
    int64_t deadline;
    mproc_err err = check_started(process);
    if (err || (err = park_deadline(timeout_ms, &deadline)))
        return err;
    if (process->role == PROCESS_SELF)
        return MPROC_EDEADLK;
    if (process->role == PROCESS_PARENT)
        return join_parent(deadline);
    return children_join(process, deadline);
}

bool mproc_process_is_alive(mproc_process *process)
{
    if (check_started(process))
        return false;
    if (process->role == PROCESS_SELF)
        return true;
    if (process->role == PROCESS_PARENT)
        return join_parent(0) != MPROC_OK;
    return !children_has_ended(process);
}

mproc_err mproc_process_exit_status(mproc_process *process, mproc_exit_status *status)
{
    mproc_err err = check_started(process);
    if (err || !status)
        return err ? err : MPROC_EINVAL;
    bool alive = mproc_process_is_alive(process);
    if (alive)
        *status = (mproc_exit_status){.kind = MPROC_EXIT_RUNNING};
    else if (process->role == PROCESS_CHILD)
        *status = process->status;
    else
        *status = (mproc_exit_status){.kind = MPROC_EXIT_LOST};
    return MPROC_OK;
}

mproc_err mproc_process_exitcode(mproc_process *process, int *code)
{
    mproc_exit_status status;
    mproc_err err = code ? mproc_process_exit_status(process, &status) : MPROC_EINVAL;
    if (err)
        return err;
    switch (status.kind) {
    case MPROC_EXIT_RUNNING:
        return MPROC_ESTATE;
    case MPROC_EXIT_SIGNALED:
    case MPROC_EXIT_TERMINATED:
        *code = (int)-status.code;
        return MPROC_OK;
    case MPROC_EXIT_REFUSED:
    case MPROC_EXIT_LOST:
        *code = 255;
        return MPROC_OK;
    case MPROC_EXIT_EXITED:
    case MPROC_EXIT_CRASHED:
        break;
    }
    *code = (int)(uint32_t)status.code;
    return MPROC_OK;
}

static mproc_err signal_child(mproc_process *process, bool hard)
{
    mproc_err err = check_started(process);
    if (err)
        return err;
    return process->role == PROCESS_CHILD ? children_signal(process, hard) : MPROC_ESTATE;
}

mproc_err mproc_process_terminate(mproc_process *process)
{
    return signal_child(process, false);
}

mproc_err mproc_process_kill(mproc_process *process)
{
    return signal_child(process, true);
}

long long mproc_process_pid(const mproc_process *process)
{
    return process && (process->role != PROCESS_CHILD || process->phase == PROCESS_STARTED)
               ? (long long)process->os.pid
               : 0;
}

const char *mproc_process_name(const mproc_process *process)
{
    return process ? process->name : NULL;
}

bool mproc_process_is_daemon(const mproc_process *process)
{
    return process && process->daemon;
}

mproc_err mproc_process_sentinel(mproc_process *process, intptr_t *sentinel)
{
    mproc_err err = check_started(process);
    if (err || !sentinel)
        return err ? err : MPROC_EINVAL;
    if (process->role == PROCESS_SELF)
        return MPROC_ESTATE;
    if (process->role == PROCESS_CHILD)
        return children_sentinel(process, sentinel);
    return family_parent_watch(sentinel);
}

mproc_err mproc_active_children(mproc_process **list, size_t capacity, size_t *count)
{
    if (!count || (capacity && !list))
        return MPROC_EINVAL;
    mproc_err err = begin();
    return err ? err : children_list(list, capacity, count);
}

/* ---- who we are ---- */

mproc_process *mproc_process_current(void)
{
    return begin() ? NULL : &self_object;
}

mproc_process *mproc_process_parent(void)
{
    return begin() || !family.parent ? NULL : &parent_object;
}
