#include "terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "screen.h"

#define MARK '\a' /* what was sent before it has arrived when it has */

static struct {
    int master, former;
    screen screen;
} terminal = {.master = -1, .former = -1};

bool terminal_restart(int *code)
{
    (void)code;
    return false;
}

static void set_columns(int columns)
{
    struct winsize size = {.ws_row = SCREEN_ROWS, .ws_col = (unsigned short)columns};
    ioctl(terminal.master, TIOCSWINSZ, &size);
}

static void take_place(int fd)
{
    terminal.former = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

bool terminal_open(int columns)
{
    terminal.master = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal.master < 0)
        return false;
    int slave = -1;
    if (grantpt(terminal.master) == 0 && unlockpt(terminal.master) == 0)
        slave = open(ptsname(terminal.master), O_RDWR | O_NOCTTY);
    if (slave < 0) {
        close(terminal.master);
        terminal.master = -1;
        return false;
    }
    set_columns(columns);
    screen_clear(&terminal.screen, columns);
    take_place(slave);
    return true;
}

bool terminal_open_null(void)
{
    int fd = open("/dev/null", O_RDWR);
    if (fd >= 0)
        take_place(fd);
    return fd >= 0;
}

/* What the kernel hands over later than write() returns. */
static void catch_up(void)
{
    const char mark = MARK;
    if (terminal.master < 0 || write(STDERR_FILENO, &mark, 1) != 1)
        return;
    for (char byte; read(terminal.master, &byte, 1) == 1 && byte != MARK;)
        screen_feed(&terminal.screen, &byte, 1);
}

void terminal_resize(int columns)
{
    catch_up();
    set_columns(columns);
    screen_resize(&terminal.screen, columns);
}

bool terminal_obey(bool escapes)
{
    return escapes;
}

void terminal_close(void)
{
    catch_up();
    dup2(terminal.former, STDERR_FILENO);
    close(terminal.former);
    terminal.former = -1;
    if (terminal.master >= 0)
        close(terminal.master);
    terminal.master = -1;
}

const char *terminal_row(int row)
{
    static char text[SCREEN_COLUMNS * SCREEN_CELL];
    catch_up();
    screen_read(&terminal.screen, row, text, sizeof text);
    return text;
}

int terminal_cursor_row(void)
{
    catch_up();
    return terminal.screen.row;
}

bool terminal_has_wrapped(void)
{
    catch_up();
    return terminal.screen.wrapped;
}

bool terminal_was_strange(void)
{
    catch_up();
    return terminal.screen.strange || terminal.screen.coloured || terminal.screen.begun_size > 0;
}

bool terminal_had_escapes(void)
{
    catch_up();
    return terminal.screen.escaped;
}

long terminal_returns(void)
{
    catch_up();
    return terminal.screen.returns;
}
