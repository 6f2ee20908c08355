#include "win32.h"

bool os_can_start(mproc_start_method method)
{
    return method == MPROC_SPAWN;
}

mproc_start_method os_default_method(void)
{
    return MPROC_SPAWN;
}

mproc_err os_fork(os_process *child, bool *in_child)
{
    (void)child;
    (void)in_child;
    return win32_unsupported();
}

void os_on_fork(void (*in_raw_child)(void))
{
    (void)in_raw_child;
}
