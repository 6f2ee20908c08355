/* A program that calls the guard only when it has no arguments: a spawned child of it has one, and
 * goes past. Each process that reaches main adds a line to the file MPROC_TEST_NOTES. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mproc/mproc.h>

static int seven(void *args, size_t size)
{
    (void)args;
    (void)size;
    return 7;
}

static void tell(const char *what, mproc_err err)
{
    const char *path = getenv("MPROC_TEST_NOTES");
    FILE *notes = path ? fopen(path, "a") : NULL;
    if (!notes)
        exit(90);
    fprintf(notes, "%s %d\n", what, (int)err);
    fclose(notes);
}

static mproc_err start(mproc_process **process, mproc_start_method method)
{
    mproc_err err =
        mproc_process_create(process, &(mproc_process_options){.target = seven, .method = method});
    return err ? err : mproc_process_start(*process);
}

static int go_past(void)
{
    const mproc_start_method methods[] = {MPROC_START_DEFAULT, MPROC_FORK, MPROC_SPAWN,
                                          MPROC_FORKSERVER};
    for (int i = 0; i < 4; i++) {
        mproc_process *process;
        mproc_err err = start(&process, methods[i]);
        if (err != MPROC_EGUARD && err != MPROC_ENOSYS)
            tell("child started", err);
    }
    tell("child", MPROC_OK);
    return 33;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return go_past();
    mproc_main_guard(argc, argv);
    const char *method = getenv("MPROC_TEST_METHOD");
    mproc_process *process;
    int code = 0;
    mproc_err err =
        start(&process, method && !strcmp(method, "forkserver") ? MPROC_FORKSERVER : MPROC_SPAWN);
    tell("first", err);
    if (err)
        return -err;
    if (mproc_process_join(process, 30000) || mproc_process_exitcode(process, &code))
        return 91;
    mproc_process_free(process);
    return code;
}
