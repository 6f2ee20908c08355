/* Who is who: names, process ids, the children that run, the processors. */
#include "must.h"

#include <mproc/mproc.h>

#define MOST_CHILDREN 8

static void info(const char *title)
{
    mproc_process *current = mproc_process_current(), *parent = mproc_process_parent();
    printf("%s\n", title);
    printf("  process name: %s\n", mproc_process_name(current));
    printf("  process id: %lld\n", mproc_process_pid(current));
    if (parent != NULL)
        printf("  parent process: %lld\n", mproc_process_pid(parent));
}

static int greet(void *name, size_t size)
{
    (void)size;
    info("function greet");
    printf("hello %s\n", (const char *)name);
    return 0;
}

static int stay(void *args, size_t size)
{
    (void)args;
    (void)size;
    return mproc_process_join(mproc_process_parent(), MPROC_FOREVER) != MPROC_OK;
}

static mproc_process *start(mproc_target target, const void *args, size_t size)
{
    mproc_process *process;
    must(mproc_process_create(
        &process, &(mproc_process_options){.target = target, .args = args, .args_size = size}));
    must(mproc_process_start(process));
    return process;
}

static void list_children(void)
{
    mproc_process *children[MOST_CHILDREN];
    size_t count;
    must(mproc_active_children(children, MOST_CHILDREN, &count));
    for (size_t i = 0; i < count && i < MOST_CHILDREN; i++) {
        printf("child: %s, id %lld\n", mproc_process_name(children[i]),
               mproc_process_pid(children[i]));
        mproc_process_free(children[i]);
    }
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    info("main");
    mproc_process *greeter = start(greet, "bob", sizeof "bob");
    mproc_process *stayer = start(stay, NULL, 0);
    must(mproc_process_join(greeter, MPROC_FOREVER));
    mproc_process_free(greeter);

    list_children(); /* only those that have not ended */
    printf("number of processors: %d\n", mproc_cpu_count());

    must(mproc_process_terminate(stayer));
    must(mproc_process_join(stayer, MPROC_FOREVER));
    mproc_process_free(stayer);
    return 0;
}
