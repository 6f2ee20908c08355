#include "win32.h"

#include <stdlib.h>

mproc_err os_forkserver_channel(os_handle ends[2])
{
    (void)ends;
    return win32_unsupported();
}

mproc_err os_forkserver_request(os_handle server, uint64_t word, const os_handle *handles,
                                size_t handle_count, os_process *child)
{
    (void)server;
    (void)word;
    (void)handles;
    (void)handle_count;
    (void)child;
    return win32_unsupported();
}

/* There is no channel to serve, and nothing that a caller could go on with. */
os_order os_forkserver_serve(os_handle channel,
                             void (*ended)(uint64_t word, mproc_exit_status status))
{
    (void)channel;
    (void)ended;
    ExitProcess(EXIT_FAILURE);
}
