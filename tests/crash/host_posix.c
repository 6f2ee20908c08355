#include "host.h"

#include <signal.h>
#if defined(__has_include)
#if __has_include(<sys/prctl.h>)
#include <sys/prctl.h>
#endif
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
#if defined(PR_SET_CHILD_SUBREAPER)
    prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL);
#endif
}

void host_reap_orphans(void (*stopped)(long long pid))
{
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (WIFSTOPPED(status) && stopped)
            stopped(pid);
    }
}

void host_find_stopped(void (*stopped)(long long pid))
{
    siginfo_t info = {0};
    while (stopped && !waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG) && info.si_pid) {
        stopped(info.si_pid);
        info.si_pid = 0;
    }
}
