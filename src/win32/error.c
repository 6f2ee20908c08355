#include "win32.h"

static mproc_err meaning_of(DWORD native)
{
    switch (native) {
    case ERROR_TOO_MANY_OPEN_FILES:
    case ERROR_NO_PROC_SLOTS:
    case ERROR_MAX_THRDS_REACHED:
    case ERROR_NO_MORE_USER_HANDLES:
    case ERROR_NOT_ENOUGH_QUOTA: /* a job's limit of processes, too */
        return MPROC_EAGAIN;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_HANDLE_DISK_FULL:
    case ERROR_DISK_FULL:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_WORKING_SET_QUOTA:
    case ERROR_PAGEFILE_QUOTA:
    case ERROR_COMMITMENT_LIMIT:
        return MPROC_ENOMEM;
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
    case ERROR_ACCESS_DISABLED_BY_POLICY:
        return MPROC_EACCES;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
        return MPROC_ENOENT;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
        return MPROC_EEXIST;
    case ERROR_BROKEN_PIPE:
    case ERROR_NO_DATA: /* the pipe is being closed */
    case ERROR_PIPE_NOT_CONNECTED:
        return MPROC_EEOF;
    default:
        return MPROC_EOS;
    }
}

mproc_err win32_error(DWORD native)
{
    error_remember((int)native);
    return meaning_of(native);
}

mproc_err win32_last_error(void)
{
    return win32_error(GetLastError());
}

mproc_err win32_unsupported(void)
{
    error_remember(0);
    return MPROC_ENOSYS;
}

mproc_err win32_invalid(void)
{
    error_remember(ERROR_INVALID_PARAMETER);
    return MPROC_EINVAL;
}
