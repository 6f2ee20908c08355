/* Five processes, one after the other. Each knows its name and gets an argument. */
#include "must.h"

#include <mproc/mproc.h>

static int work(void *args, size_t size)
{
    (void)size;
    const int *number = args;
    printf("%s starting\n", mproc_process_name(mproc_process_current()));
    printf("worker %d\n", *number);
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    for (int i = 0; i < 5; i++) {
        mproc_process *process;
        must(mproc_process_create(
            &process, &(mproc_process_options){.target = work, .args = &i, .args_size = sizeof i}));
        must(mproc_process_start(process));
        must(mproc_process_join(process, MPROC_FOREVER));
        mproc_process_free(process);
        puts("process end");
    }
    puts("main process");
    return 0;
}
