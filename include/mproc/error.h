/* The errors of every mproc call: one enum, the same values on every operating system. */
#ifndef MPROC_ERROR_H
#define MPROC_ERROR_H

#include <mproc/export.h>

MPROC_BEGIN

/* MPROC_OK is 0, every failure is negative. A call that fails has changed nothing and left its
 * out-parameters untouched, unless its own documentation says otherwise. */
typedef enum mproc_err {
    MPROC_OK = 0,
    MPROC_EINVAL = -1,     /* an argument makes no sense: NULL, negative, contradicting another */
    MPROC_ENOMEM = -2,     /* no memory, or the family's shared memory has reached its limit */
    MPROC_ESTATE = -3,     /* not now: started twice, joined before start, of another process */
    MPROC_ETIMEDOUT = -4,  /* the time-out passed first */
    MPROC_EGUARD = -5,     /* mproc_main_guard was not called, or a child got past it */
    MPROC_EIMAGE = -6,     /* the function lies in no module that the child has, too */
    MPROC_ECRASHED = -7,   /* the process that worked on it ended abnormally */
    MPROC_ETASK = -8,      /* the pool function itself reported a failure */
    MPROC_EBROKEN = -9,    /* the object can do nothing more: a process or party is missing */
    MPROC_ECANCELED = -10, /* ended by a cancel or a terminate before it was done */
    MPROC_EDEADLK = -11,   /* it would wait for itself */
    MPROC_ECLOSED = -12,   /* closed: takes nothing new */
    MPROC_EMSGSIZE = -13,  /* larger than the buffer or than the limit */
    MPROC_ESTALE = -14,    /* a destroyed or forged handle */
    MPROC_EACCES = -15,    /* the operating system forbids it; the wrong end of a pipe */
    MPROC_EEXIST = -16,    /* exists already */
    MPROC_ENOENT = -17,    /* does not exist */
    MPROC_ERANGE = -18,    /* an index or a number outside what is there */
    MPROC_EINTR = -19,     /* a signal ended the wait (mproc_options.interruptible) */
    MPROC_ENOSYS = -20,    /* this operating system cannot do it */
    MPROC_EAGAIN = -21,    /* out of processes, descriptors or slots: may work later */
    MPROC_EOS = -22,       /* any other failure of the system: see mproc_os_error */
    /* A success with a warning: the lock is held, but somebody died while holding it, and what it
     * protects may be half-done. Stays until it is marked consistent. */
    MPROC_EOWNERDEAD = -23,
    MPROC_ENOTOWNER = -24, /* the caller does not hold it */
    MPROC_EEMPTY = -25,    /* nothing is there to take */
    MPROC_EFULL = -26,     /* no room for more */
    MPROC_EEOF = -27,      /* the other side of a connection is gone, and all it sent is read */
    MPROC_ENOTHELD = -28,  /* a connection that this process was not given, or has closed */
    MPROC_EPROTO = -29     /* what came over a connection is not what mproc sends */
} mproc_err;

/* Names an error in one English sentence without a full stop.
 *
 * **Returns** a constant string; an unknown number gives "unknown error". Never NULL.
 * **Threads**: safe everywhere, in signal handlers too.
 * *Like* `os.strerror`. */
MPROC_API const char *mproc_strerror(mproc_err err);

/* The operating system's own number behind the calling thread's last MPROC_EOS, MPROC_EAGAIN,
 * MPROC_EACCES or MPROC_ENOMEM: errno on POSIX, GetLastError() on Windows.
 *
 * **Returns** that number, 0 if no call of this thread failed so far. Successes do not reset it.
 * **Threads**: each thread has its own. */
MPROC_API int mproc_os_error(void);

MPROC_END

#endif
