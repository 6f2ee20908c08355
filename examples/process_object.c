/* A process that is an object with state and a run method, as a subclass of Process in Python. */
#include "host.h"
#include "must.h"

#include <mproc/mproc.h>

struct announcer {
    int number;
    int rounds;
};

static int announcer_run(void *args, size_t size)
{
    (void)size;
    const struct announcer *self = args;
    for (int i = 0; i < self->rounds; i++) {
        printf("I am process %d, my pid is %lld\n", self->number,
               mproc_process_pid(mproc_process_current()));
        fflush(stdout);
        host_sleep(100);
    }
    return 0;
}

static mproc_process *announcer_start(const struct announcer *self)
{
    mproc_process *process;
    must(mproc_process_create(&process, &(mproc_process_options){.target = announcer_run,
                                                                 .args = self,
                                                                 .args_size = sizeof *self}));
    must(mproc_process_start(process));
    return process;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    mproc_process *processes[2];
    for (int i = 0; i < 2; i++)
        processes[i] = announcer_start(&(struct announcer){.number = i, .rounds = 3});
    for (int i = 0; i < 2; i++) {
        must(mproc_process_join(processes[i], MPROC_FOREVER));
        mproc_process_free(processes[i]);
    }
    return 0;
}
