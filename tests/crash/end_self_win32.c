#include "drive.h"

#include <windows.h>

void drive_end_self(void)
{
    const UINT killed = 9;
    TerminateProcess(GetCurrentProcess(), killed);
}
