/* What the files of this backend share. Target: Windows 8 and later, 64 bit; W functions only. */
#ifndef MPROC_WIN32_H
#define MPROC_WIN32_H

/* What the headers declare; Windows 8 is what is needed. */
#undef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include "../error.h"
#include "../os.h"

static inline HANDLE win32_handle(os_handle handle)
{
    return (HANDLE)handle;
}

static inline os_handle win32_os_handle(HANDLE handle)
{
    return (os_handle)handle;
}

/* error.c: the one table. All of them remember a number. */
mproc_err win32_error(DWORD native);
mproc_err win32_last_error(void);
mproc_err win32_unsupported(void);
mproc_err win32_invalid(void);
bool win32_holds_interrupt(void); /* this thread, see os_hold_interrupt */

/* clock.c: waits until the object is signalled. MPROC_OK, MPROC_ETIMEDOUT, or the system's
 * error. */
mproc_err win32_wait(HANDLE object, int64_t deadline);
/* Until any of them is; at most MAXIMUM_WAIT_OBJECTS. */
mproc_err win32_wait_any(const HANDLE *objects, DWORD count, int64_t deadline);

/* process.c: when the system made it, on the clock of os_birth_time; 0: not to be had. */
uint64_t win32_birth_of(HANDLE process);
/* Opens that very process, to query and wait for it, and with `access` on top. MPROC_ENOENT is the
 * proof that it is gone. */
mproc_err win32_process_open(int64_t pid, uint64_t born, DWORD access, HANDLE *process);

/* entry.c: the private argument is this, the text, a colon, and the handles in hexadecimal with
 * commas between them; 0: none. */
#define WIN32_PRIVATE_ARGUMENT "--mproc-child="
/* Where the first word of a command line ends. */
const wchar_t *win32_after_program(const wchar_t *command_line);

#endif
