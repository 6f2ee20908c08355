/* Several processes at once: all are started before the first is joined. */
#include "must.h"

#include <mproc/mproc.h>

#define PROCESSES 4

static int work(void *args, size_t size)
{
    (void)size;
    printf("worker %d\n", *(const int *)args);
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    mproc_process *processes[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        must(mproc_process_create(
            &processes[i],
            &(mproc_process_options){.target = work, .args = &i, .args_size = sizeof i}));
        must(mproc_process_start(processes[i]));
    }
    for (int i = 0; i < PROCESSES; i++) {
        must(mproc_process_join(processes[i], MPROC_FOREVER));
        mproc_process_free(processes[i]);
    }
    puts("all joined");
    return 0;
}
