#include "posix_apart.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

void apart(int (*body)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* What nohup and a shell's & ignore. */
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
        _exit(body());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

bool spawn(os_process *child, const char *text)
{
    return os_spawn(child, text, &lifeline.watch, 1, NULL) == MPROC_OK;
}

void note_end(void *context, uint64_t key)
{
    (void)key;
    atomic_fetch_add((_Atomic uint32_t *)context, 1);
}

bool ends_as(os_process *child, mproc_exit_kind kind, int code)
{
    mproc_exit_status status;
    bool ended = os_process_wait(child, soon()) == MPROC_OK;
    os_process_status(child, &status);
    os_process_reap(child);
    os_process_close(child);
    return ended && status.kind == kind && status.code == code;
}
