#include "error.h"

#include <stddef.h>

static _Thread_local int last_error;

void error_remember(int native)
{
    last_error = native;
}

int mproc_os_error(void)
{
    return last_error;
}

const char *mproc_strerror(mproc_err err)
{
    static const char *const sentences[] = {
        [-MPROC_OK] = "success",
        [-MPROC_EINVAL] = "an argument makes no sense",
        [-MPROC_ENOMEM] = "out of memory",
        [-MPROC_ESTATE] = "not possible in this state",
        [-MPROC_ETIMEDOUT] = "the time-out passed first",
        [-MPROC_EGUARD] = "mproc_main_guard was not called",
        [-MPROC_EIMAGE] = "the function lies in no module that both processes have",
        [-MPROC_ECRASHED] = "the process that worked on it ended abnormally",
        [-MPROC_ETASK] = "the task reported a failure",
        [-MPROC_EBROKEN] = "the object is broken and can do nothing more",
        [-MPROC_ECANCELED] = "canceled before it was done",
        [-MPROC_EDEADLK] = "it would wait for itself",
        [-MPROC_ECLOSED] = "closed",
        [-MPROC_EMSGSIZE] = "larger than the buffer or the limit",
        [-MPROC_ESTALE] = "the handle is stale or forged",
        [-MPROC_EACCES] = "permission denied by the operating system",
        [-MPROC_EEXIST] = "exists already",
        [-MPROC_ENOENT] = "does not exist",
        [-MPROC_ERANGE] = "out of range",
        [-MPROC_EINTR] = "interrupted by a signal",
        [-MPROC_ENOSYS] = "not available on this operating system",
        [-MPROC_EAGAIN] = "out of processes, descriptors or slots",
        [-MPROC_EOS] = "the operating system reported an error",
        [-MPROC_EOWNERDEAD] = "held, but a holder died and left it inconsistent",
        [-MPROC_ENOTOWNER] = "the caller does not hold it",
        [-MPROC_EEMPTY] = "empty",
        [-MPROC_EFULL] = "full",
        [-MPROC_EEOF] = "the other side has closed, and everything is read",
        [-MPROC_ENOTHELD] = "this process does not hold the connection",
        [-MPROC_EPROTO] = "what came is not a message",
    };
    /* The enum's type may be unsigned, and the number may come from anywhere. */
    long long index = -(long long)(int)err;
    if (index < 0 || index >= (long long)(sizeof sentences / sizeof sentences[0]))
        return "unknown error";
    return sentences[index];
}
