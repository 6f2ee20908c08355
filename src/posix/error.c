#include "posix.h"

#include <errno.h>

mproc_err posix_error(int number)
{
    static const struct {
        int number;
        mproc_err err;
    } table[] = {
        {EMFILE, MPROC_EAGAIN},   {ENFILE, MPROC_EAGAIN},       {EAGAIN, MPROC_EAGAIN},
        {ENOMEM, MPROC_ENOMEM},   {ENOSPC, MPROC_ENOMEM},       {EDQUOT, MPROC_ENOMEM},
        {EFBIG, MPROC_ENOMEM},    {EACCES, MPROC_EACCES},       {EPERM, MPROC_EACCES},
        {ENOENT, MPROC_ENOENT},   {EEXIST, MPROC_EEXIST},       {EPIPE, MPROC_EEOF},
        {ECONNRESET, MPROC_EEOF}, {ETOOMANYREFS, MPROC_EAGAIN},
    };
    error_remember(number);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].number == number)
            return table[i].err;
    }
    return MPROC_EOS;
}
