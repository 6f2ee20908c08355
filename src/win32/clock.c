#include "win32.h"

#define SECOND INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)
#define LONGEST_WAIT (INFINITE - 1)

int64_t os_now(void)
{
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceFrequency(&per_second);
    QueryPerformanceCounter(&ticks);
    /* In two parts: the product alone would overflow after a quarter of an hour at 10 MHz. */
    return ticks.QuadPart / per_second.QuadPart * SECOND +
           ticks.QuadPart % per_second.QuadPart * SECOND / per_second.QuadPart;
}

void os_yield(void)
{
    SwitchToThread();
}

void os_pause(void)
{
    YieldProcessor();
}

void os_set_interruptible(bool on)
{
    (void)on; /* no handler ever runs on a waiting thread */
}

/* Rounded up, or the last millisecond would be a busy loop. */
static DWORD milliseconds_until(int64_t deadline)
{
    if (deadline == OS_FOREVER)
        return INFINITE;
    int64_t left = deadline > 0 ? deadline - os_now() : 0;
    if (left <= 0)
        return 0;
    int64_t slice = left / MILLISECOND + (left % MILLISECOND != 0);
    return slice < (int64_t)LONGEST_WAIT ? (DWORD)slice : LONGEST_WAIT;
}

mproc_err win32_wait_any(const HANDLE *objects, DWORD count, int64_t deadline)
{
    for (;;) {
        DWORD slice = milliseconds_until(deadline);
        DWORD outcome = WAIT_TIMEOUT;
        if (count > 0)
            outcome = WaitForMultipleObjects(count, objects, FALSE, slice);
        else
            Sleep(slice);
        if (outcome < WAIT_OBJECT_0 + count)
            return MPROC_OK;
        if (outcome != WAIT_TIMEOUT)
            return win32_last_error();
        if (slice == 0)
            return MPROC_ETIMEDOUT;
    }
}

mproc_err win32_wait(HANDLE object, int64_t deadline)
{
    return win32_wait_any(&object, 1, deadline);
}
