/* A program without the guard: `no_guard METHOD NOTES`. Each process that reaches main notes it. */
#include <stdio.h>
#include <string.h>

#include <mproc/mproc.h>

static int seven(void *args, size_t size)
{
    (void)args;
    (void)size;
    return 7;
}

int main(int argc, char **argv)
{
    mproc_process *process;
    int code = -1;
    FILE *notes = argc == 3 ? fopen(argv[2], "a") : NULL;
    if (!notes)
        return 90;
    fputs("main\n", notes);
    fclose(notes);
    mproc_process_options options = {.target = seven, .method = MPROC_FORK};
    if (strcmp(argv[1], "fork"))
        options.method = strcmp(argv[1], "spawn") ? MPROC_FORKSERVER : MPROC_SPAWN;
    mproc_err err = mproc_process_create(&process, &options);
    if (err)
        return -err;
    if ((err = mproc_process_start(process)))
        return 50 - err;
    if (mproc_process_join(process, 30000) || mproc_process_exitcode(process, &code))
        return 91;
    mproc_process_free(process);
    return code == 7 ? 0 : 92;
}
