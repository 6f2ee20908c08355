// A C++ program outside the project: a pool squares numbers.
#include <mproc/mproc.h>

static int square(mproc_task *task)
{
    const int x = *static_cast<const int *>(mproc_task_input(task, nullptr));
    const int y = x * x;
    return mproc_task_reply(task, &y, sizeof y);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    const int in[3] = {2, 3, 4};
    int out[3] = {0, 0, 0};
    mproc_pool_options options = {};
    options.workers = 2;
    options.method = MPROC_SPAWN;
    mproc_pool *pool = nullptr;
    if (mproc_pool_create(&pool, &options) != MPROC_OK)
        return 1;
    const mproc_err err =
        mproc_pool_map(pool, square, in, sizeof in[0], 3, out, sizeof out[0], nullptr);
    mproc_pool_free(pool);
    return err == MPROC_OK && out[0] == 4 && out[1] == 9 && out[2] == 16 ? 0 : 1;
}
