/* A text in shared memory that a child reads and replaces. */
#include "must.h"

#include <mproc/mproc.h>

static int answer(void *args, size_t size)
{
    (void)size;
    const mproc_string *string = args;
    char text[64];
    must(mproc_string_get(*string, text, sizeof text, NULL));
    printf("child reads: %s\n", text);
    must(mproc_string_set(*string, "Hello from a process that has an address space of its own"));
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    mproc_string string;
    must(mproc_string_create(&string, 64, "Hello World"));
    mproc_process *process;
    must(mproc_process_create(
        &process,
        &(mproc_process_options){.target = answer, .args = &string, .args_size = sizeof string}));
    must(mproc_process_start(process));
    must(mproc_process_join(process, MPROC_FOREVER));
    mproc_process_free(process);

    char text[64];
    must(mproc_string_get(string, text, sizeof text, NULL));
    printf("parent reads: %s\n", text);
    must(mproc_string_destroy(string));
    return 0;
}
