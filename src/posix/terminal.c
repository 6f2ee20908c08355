#include "posix.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool os_terminal_look(os_terminal *terminal)
{
    struct winsize size = {.ws_col = 0};
    if (isatty(STDERR_FILENO) != 1)
        return false;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0)
        size.ws_col = 0;
    *terminal = (os_terminal){.columns = size.ws_col, .escapes = true};
    return true;
}

mproc_err os_terminal_write(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(STDERR_FILENO, text, size);
        if (written > 0) {
            text += written;
            size -= (size_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            mproc_err err = posix_wait_for(STDERR_FILENO, POLLOUT, OS_FOREVER);
            if (err)
                return err;
        } else if (written == 0 || errno != EINTR) {
            return posix_error(errno);
        }
    }
    return MPROC_OK;
}
