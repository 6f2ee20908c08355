#include "child.h"

#include <stdlib.h>

#include "../family/heap.h"
#include "../family/holding.h"
#include "../family/log.h"
#include "../family/trace.h"
#include "../sync/sweep.h"
#include "children.h"
#include "entry.h"
#include "forkserver.h"

enum { REFUSED_CODE = 255 };

/* The target's exit code, once it has returned. */
static bool returned;
static int exit_code;

_Noreturn static void refuse(mproc_err err, const char *what)
{
    log_complain("a child cannot run: %s: %s", what, mproc_strerror(err));
    if (family_is_member() && family.self)
        slot_report(family.self, (mproc_exit_status){.kind = MPROC_EXIT_REFUSED, .err = err},
                    false);
    _Exit(REFUSED_CODE);
}

/* It frees its blocks by itself, for there may be many; unless others of its threads may still write
 * into them. */
static bool leave_heap(void)
{
    bool alone = os_thread_is_alone();
    if (alone && heap_was_used_by(family.self))
        heap_sweep(family.self, family.self);
    return alone;
}

/* The last of mproc in this process. A clean end tells its code, for a parent that cannot see
 * it. */
static void leave(void)
{
    children_end();
    forkserver_end();
    trace_end();
    if (!returned || !family.parent)
        return;
    entry_free_record();
    bool clean = sync_leave();
    clean = leave_heap() && clean;
    slot_report(family.self, (mproc_exit_status){.kind = MPROC_EXIT_EXITED, .code = exit_code},
                clean && !children_have_orphans());
}

static _Atomic bool left;

void mproc__at_exit(void)
{
    if (family_is_member() && family.self && !atomic_exchange(&left, true))
        leave();
}

/* Not by exit: the handlers there are the parent's. All that this child has buffered is written. */
_Noreturn static void end_fork(int code)
{
    returned = true;
    exit_code = code;
    if (family_is_member()) /* else its target has forked, and returned in that copy, too */
        leave();
    os_flush_all();
    _Exit(code);
}

static void obey_lifeline(void)
{
    mproc_err err = family.daemon ? os_lifeline_arm(family.parent_watch) : MPROC_OK;
    if (err)
        refuse(err, "no life line to its parent");
}

void child_run_forked(mproc_process *process, const process_identity *identity)
{
    left = false;
    children_after_fork();
    forkserver_after_fork();
    if (family_after_fork(process->slot))
        _Exit(REFUSED_CODE); /* the parent is dead, and its sweep has taken the slot back */
    if (family.holds)
        holdings_after_fork(process->given, process->given_count);
    process_begin(identity);
    trace_after_fork();
    os_stdin_null();
    obey_lifeline();
    void *args = process->args_size ? process->args : NULL;
    end_fork(process->target(args, process->args_size));
}

static os_order become_server(const os_entry *entry)
{
    mproc_err err = os_lifeline_arm(family.parent_watch);
    if (err)
        refuse(err, "no life line for the forkserver");
    os_flush_output(); /* else each of its forks would write it, too */
    os_order order = forkserver_serve(entry->handles[ENTRY_OTHERS]);
    family.forked = true;
    return order;
}

void child_run_spawned(const os_entry *entry)
{
    entry_kind kind;
    os_order order;
    uint64_t arena_bytes;
    if (!entry_parse(entry, &kind, &order.word, &arena_bytes))
        refuse(MPROC_EINVAL, "the private argument is forged");
    mproc_err err =
        family_attach(entry->handles[ENTRY_ARENA], arena_bytes, entry->handles[ENTRY_LIFELINE]);
    if (err)
        refuse(err, "no shared memory");
    children_begin();
    forkserver_begin();
    order.handles = entry->handles + ENTRY_OTHERS;
    order.handle_count = entry->handle_count - ENTRY_OTHERS;
    if (kind == ENTRY_SERVER)
        order = become_server(entry);
    if (family_take(order.word))
        _Exit(REFUSED_CODE);
    obey_lifeline();
    entry_task task;
    if ((err = entry_read(&task)))
        refuse(err, "its function");
    trace_join();
    if ((err = entry_receive(&task, order.handles, order.handle_count)))
        refuse(err, "its connections");
    if (kind == ENTRY_SERVER)
        free(order.handles);
    free(entry->handles);
    if (family.forked && !task.deaf)
        os_heed_interrupt();
    int code = task.target(task.args, task.args_size);
    if (family.forked)
        end_fork(code);
    returned = true;
    exit_code = code;
    exit(code);
}

void mproc__main_guard(int argc, char **argv)
{
    os_entry entry;
    mproc_err err = os_entry_claim(argc, argv, &entry);
    if (!err)
        child_run_spawned(&entry);
    if (err != MPROC_ENOENT)
        refuse(err, "the private argument is refused");
    family.guarded = true;
}
