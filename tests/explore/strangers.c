/* What mproc_wait could ask of the floors above data, which are not explored: plays wait for queues
 * alone. */
#include <stdlib.h>

#include <mproc/connection.h>
#include <mproc/process.h>

#include "channel/doorbell.h"

mproc_err mproc_connection_poll(mproc_connection connection, int timeout_ms)
{
    (void)connection;
    (void)timeout_ms;
    abort();
}

mproc_err mproc_connection_handle(mproc_connection connection, intptr_t *handle)
{
    (void)connection;
    (void)handle;
    abort();
}

bool mproc_process_is_alive(mproc_process *process)
{
    (void)process;
    abort();
}

mproc_err mproc_process_sentinel(mproc_process *process, intptr_t *sentinel)
{
    (void)process;
    (void)sentinel;
    abort();
}

mproc_err doorbell_handle(os_handle *handle)
{
    (void)handle;
    abort();
}

void doorbell_enter(doorbell_waiter *waiter)
{
    (void)waiter;
    abort();
}

void doorbell_leave(doorbell_waiter *waiter)
{
    (void)waiter;
    abort();
}

void doorbell_look(doorbell_waiter *waiter)
{
    (void)waiter;
    abort();
}

bool doorbell_answer(doorbell_waiter *waiter)
{
    (void)waiter;
    abort();
}
