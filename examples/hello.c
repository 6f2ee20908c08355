/* One process that says who it is and who started it. */
#include "must.h"

#include <mproc/mproc.h>

static int greet(void *args, size_t size)
{
    (void)size;
    const char *greeting = args;
    printf("%s from %lld, child of %lld\n", greeting, mproc_process_pid(mproc_process_current()),
           mproc_process_pid(mproc_process_parent()));
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    printf("main process %lld starts\n", mproc_process_pid(mproc_process_current()));
    char greeting[] = "hello";
    mproc_process *process;
    must(mproc_process_create(
        &process,
        &(mproc_process_options){.target = greet, .args = greeting, .args_size = sizeof greeting}));
    must(mproc_process_start(process));
    must(mproc_process_join(process, MPROC_FOREVER));
    mproc_process_free(process);
    puts("main process ends");
    return 0;
}
