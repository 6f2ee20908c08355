/* Nobody joins the child, and main returns before it has ended: the program's exit waits for it. */
#include "host.h"
#include "must.h"

#include <mproc/mproc.h>

static int work(void *args, size_t size)
{
    (void)args;
    (void)size;
    puts("child starts");
    host_sleep(200);
    puts("child ends");
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    puts("parent starts");
    mproc_process *process;
    must(mproc_process_create(&process, &(mproc_process_options){.target = work}));
    must(mproc_process_start(process));
    mproc_process_free(process);
    puts("parent ends");
    fflush(stdout);
    return 0;
}
