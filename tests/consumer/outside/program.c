/* A program outside the project: one child, whose exit code comes back. */
#include <mproc/mproc.h>

static int give_back(void *args, size_t size)
{
    return size == sizeof(int) ? *(const int *)args : 1;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    int seven = 7, code = 0;
    mproc_process *process;
    const mproc_process_options options = {
        .target = give_back, .args = &seven, .args_size = sizeof seven, .method = MPROC_SPAWN};
    if (mproc_process_create(&process, &options) != MPROC_OK)
        return 1;
    mproc_err err = mproc_process_start(process);
    if (err == MPROC_OK)
        err = mproc_process_join(process, MPROC_FOREVER);
    if (err == MPROC_OK)
        err = mproc_process_exitcode(process, &code);
    mproc_process_free(process);
    return err == MPROC_OK && code == seven ? 0 : 1;
}
