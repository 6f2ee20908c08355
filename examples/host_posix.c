#include "host.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

char **host_arguments(int *argc, char **argv)
{
    (void)argc;
    return argv;
}

FILE *host_fopen(const char *path, const char *mode)
{
    return fopen(path, mode);
}

void host_plain_output(void)
{
}

bool host_is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) == 1;
}

double host_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void host_sleep(int milliseconds)
{
    struct timespec left = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}
