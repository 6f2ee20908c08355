#include "host.h"

#include <signal.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

void host_end_self(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

void host_adopt_orphans(void)
{
#if defined(__linux__)
    prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL);
#endif
}

void host_reap_orphans(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}
