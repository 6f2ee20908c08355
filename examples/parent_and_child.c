/* The same function in both processes: who has no parent in the family is the first one. Where
 * fork() tells them apart by what it returns, and not at all on Windows, this works under every
 * start method. */
#include "must.h"

#include <mproc/mproc.h>

static int say_who(void *args, size_t size)
{
    (void)args;
    (void)size;
    long long pid = mproc_process_pid(mproc_process_current());
    mproc_process *parent = mproc_process_parent();
    if (parent == NULL)
        printf("I am the parent, my pid is %lld\n", pid);
    else
        printf("I am the child, my pid is %lld, my parent's is %lld\n", pid,
               mproc_process_pid(parent));
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    mproc_process *child;
    must(mproc_process_create(&child, &(mproc_process_options){.target = say_who}));
    say_who(NULL, 0);
    must(mproc_process_start(child));
    must(mproc_process_join(child, MPROC_FOREVER));
    mproc_process_free(child);
    return 0;
}
