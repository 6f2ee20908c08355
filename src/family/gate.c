#include "gate.h"

#include "../hot.h"

MPROC_HOT static os_rwlock gate;

void gate_init(void)
{
    os_rwlock_init(&gate);
}

void gate_enter(void)
{
    os_rwlock_read(&gate);
}

void gate_leave(void)
{
    os_rwlock_read_end(&gate);
}

void gate_close(void)
{
    os_rwlock_write(&gate);
}

void gate_open(void)
{
    os_rwlock_write_end(&gate);
}
