/* The same two processes with a lock: the one that takes it first does all of its work, then the
 * other. */
#include "host.h"
#include "must.h"

#include <mproc/mproc.h>

struct job {
    mproc_value value;
    mproc_lock lock;
    int number;
};

static int add(void *args, size_t size)
{
    (void)size;
    const struct job *job = args;
    must(mproc_lock_acquire(job->lock, MPROC_FOREVER));
    for (int i = 0; i < 5; i++) {
        host_sleep(20);
        int sum;
        must(mproc_value_get(job->value, &sum, sizeof sum));
        sum += job->number;
        must(mproc_value_set(job->value, &sum, sizeof sum));
        printf("%d|", sum);
        fflush(stdout);
    }
    must(mproc_lock_release(job->lock));
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    struct job job;
    mproc_process *processes[2];
    must(mproc_lock_create(&job.lock));
    must(mproc_value_create(&job.value, sizeof(int), NULL, NULL));
    for (int i = 0; i < 2; i++) {
        job.number = i == 0 ? 1 : 3;
        must(mproc_process_create(
            &processes[i],
            &(mproc_process_options){.target = add, .args = &job, .args_size = sizeof job}));
        must(mproc_process_start(processes[i]));
    }
    for (int i = 0; i < 2; i++) {
        must(mproc_process_join(processes[i], MPROC_FOREVER));
        mproc_process_free(processes[i]);
    }
    puts("");
    must(mproc_value_destroy(job.value));
    must(mproc_lock_destroy(job.lock));
    return 0;
}
