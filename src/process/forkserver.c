#include "forkserver.h"

#include <stdio.h>

#include "../family/gate.h"
#include "../family/log.h"
#include "entry.h"

static os_mutex lock;
static os_process server;
static os_handle channel = OS_NO_HANDLE; /* no server when there is none */
static unsigned current;                 /* how many servers there have been */

void forkserver_begin(void)
{
    os_mutex_init(&lock);
}

static bool running(void)
{
    return channel != OS_NO_HANDLE;
}

void forkserver_after_fork(void)
{
    os_mutex_init(&lock);
    if (!running())
        return;
    os_handle_close(channel);
    channel = OS_NO_HANDLE;
}

static void stop(void)
{
    if (!running())
        return;
    os_handle_close(channel);
    channel = OS_NO_HANDLE;
    os_process_signal(&server, true);
    os_process_wait(&server, OS_FOREVER);
    os_process_reap(&server);
    os_process_close(&server);
}

static mproc_err start(void)
{
    const os_lifeline *line;
    os_handle ends[2];
    mproc_err err = family_lifeline(&line);
    if (err)
        return err;
    gate_enter();
    if (!(err = os_forkserver_channel(ends))) {
        err = entry_spawn(&server, ENTRY_SERVER, 0, line, true, &ends[1], 1);
        os_handle_close(ends[1]);
        if (err) {
            os_handle_close(ends[0]);
        } else {
            channel = ends[0];
            current++;
        }
    }
    gate_leave();
    if (!err)
        log_write(MPROC_LOG_DEBUG, "forkserver started, pid %lld", (long long)server.pid);
    return err;
}

mproc_err forkserver_start_child(slot_id id, const handover *given, os_process *child,
                                 unsigned *incarnation)
{
    os_mutex_lock(&lock);
    mproc_err err = running() ? MPROC_OK : start();
    if (!err) {
        gate_enter();
        err = os_forkserver_request(channel, id, given->handles, given->count, child);
        gate_leave();
        if (err == MPROC_EBROKEN)
            stop();
    }
    if (!err)
        *incarnation = current;
    os_mutex_unlock(&lock);
    return err;
}

bool forkserver_is_alive(unsigned incarnation)
{
    mproc_exit_status status = {.kind = MPROC_EXIT_LOST};
    os_mutex_lock(&lock);
    if (running() && incarnation == current)
        os_process_status(&server, &status);
    os_mutex_unlock(&lock);
    return status.kind == MPROC_EXIT_RUNNING;
}

void forkserver_end(void)
{
    if (!running())
        return;
    os_mutex_lock(&lock);
    stop();
    os_mutex_unlock(&lock);
}

static void report(uint64_t word, mproc_exit_status status)
{
    slot_report(word, status, false);
    slot_ring(word);
}

os_order forkserver_serve(os_handle requests)
{
    return os_forkserver_serve(requests, report);
}
