#include "win32.h"

static HANDLE create_job(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {.BasicLimitInformation.LimitFlags =
                                                       JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
    HANDLE job = CreateJobObjectW(NULL, NULL);
    if (job &&
        !SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits)) {
        DWORD native = GetLastError();
        CloseHandle(job);
        SetLastError(native);
        return NULL;
    }
    return job;
}

/* The job holds the mortal children only, never this process: it would end itself by letting go.
 * Its only handle is here, so the system closes it when this process ends, however that happens. */
mproc_err os_lifeline_create(os_lifeline *line)
{
    HANDLE self = GetCurrentProcess(), watch, job = create_job();
    if (!job)
        return win32_last_error();
    if (!DuplicateHandle(self, self, self, &watch, SYNCHRONIZE, FALSE, 0)) {
        mproc_err err = win32_last_error();
        CloseHandle(job);
        return err;
    }
    *line = (os_lifeline){.watch = win32_os_handle(watch), .hold = win32_os_handle(job)};
    return MPROC_OK;
}

void os_lifeline_close(os_lifeline *line)
{
    os_handle_close(line->watch);
    os_handle_close(line->hold); /* ends those in the job */
    *line = (os_lifeline){.watch = OS_NO_HANDLE, .hold = OS_NO_HANDLE};
}

mproc_err os_lifeline_arm(os_handle watch)
{
    (void)watch;
    return MPROC_OK;
}

mproc_err os_lifeline_wait(os_handle watch, int64_t deadline)
{
    return win32_wait(win32_handle(watch), deadline);
}

const bool os_can_find_lifeline = false;

mproc_err os_lifeline_find(int64_t parent, os_handle *watch)
{
    (void)parent;
    (void)watch;
    return MPROC_ENOSYS;
}
