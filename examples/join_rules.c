/* What join does: before the start, with a time-out, after the end, again, and on oneself. */
#include "must.h"

#include <mproc/mproc.h>

static int wait_for_parent(void *args, size_t size)
{
    (void)args;
    (void)size;
    return mproc_process_join(mproc_process_parent(), MPROC_FOREVER) != MPROC_OK;
}

static void report(const char *when, mproc_err err)
{
    printf("%s: %s\n", when, err == MPROC_OK ? "joined" : mproc_strerror(err));
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    mproc_process *process;
    must(mproc_process_create(&process, &(mproc_process_options){.target = wait_for_parent}));
    report("before the start", mproc_process_join(process, MPROC_FOREVER));
    must(mproc_process_start(process));
    report("while it runs", mproc_process_join(process, 50));
    must(mproc_process_terminate(process));
    report("after its end", mproc_process_join(process, MPROC_FOREVER));
    report("once more", mproc_process_join(process, MPROC_FOREVER));
    report("oneself", mproc_process_join(mproc_process_current(), MPROC_FOREVER));
    int code;
    must(mproc_process_exitcode(process, &code));
    printf("exit code: %d\n", code);
    mproc_process_free(process);
    return 0;
}
