#include "tracer.h"

bool tracer_can(void)
{
    return false;
}

void tracer_pin(void)
{
}

void tracer_enter(void)
{
}

void tracer_mark(void)
{
}

bool tracer_bring(long long pid, uint32_t point, bool each_step)
{
    (void)pid;
    (void)point;
    (void)each_step;
    return false;
}

uint32_t tracer_count(void)
{
    return 0;
}

void tracer_kill(void)
{
}

void tracer_let_go(long long pid)
{
    (void)pid;
}
