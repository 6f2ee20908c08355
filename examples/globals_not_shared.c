/* A child's global variables are its own: what it changes, its parent does not see. */
#include "must.h"

#include <mproc/mproc.h>

static int number = 100;

static int increment(void *args, size_t size)
{
    (void)args;
    (void)size;
    number++;
    printf("child: number is %d\n", number);
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    puts("parent starts");
    mproc_process *process;
    must(mproc_process_create(&process, &(mproc_process_options){.target = increment}));
    must(mproc_process_start(process));
    must(mproc_process_join(process, MPROC_FOREVER));
    mproc_process_free(process);
    printf("parent: number is %d\n", number);
    return 0;
}
