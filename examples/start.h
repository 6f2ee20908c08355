/* How the programs with queues and pipes start their processes: by the start method that is named as the only
 * argument, or by the system's default. */
#ifndef START_H
#define START_H

#include "must.h"

#include <string.h>

#include <mproc/mproc.h>

static inline void use_method(int argc, char **argv)
{
    static const struct {
        const char *name;
        mproc_start_method method;
    } methods[] = {{"fork", MPROC_FORK}, {"spawn", MPROC_SPAWN}, {"forkserver", MPROC_FORKSERVER}};
    mproc_err err = argc > 1 ? MPROC_EINVAL : MPROC_OK;
    for (size_t i = 0; argc == 2 && i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(argv[1], methods[i].name) == 0)
            err = mproc_set_start_method(methods[i].method);
    }
    must(err);
}

static inline mproc_process *start_as(const mproc_process_options *options)
{
    mproc_process *process;
    must(mproc_process_create(&process, options));
    must(mproc_process_start(process));
    return process;
}

static inline mproc_process *start(mproc_target target, const void *args, size_t size)
{
    return start_as(&(mproc_process_options){.target = target, .args = args, .args_size = size});
}

/* From here on only the child holds that end of a pipe. */
static inline mproc_process *start_with_end(mproc_target target, const void *args, size_t size,
                                            mproc_connection end)
{
    mproc_process *process = start_as(&(mproc_process_options){.target = target,
                                                               .args = args,
                                                               .args_size = size,
                                                               .connections = &end,
                                                               .connection_count = 1});
    must(mproc_connection_close(end));
    return process;
}

static inline void join(mproc_process *process)
{
    must(mproc_process_join(process, MPROC_FOREVER));
    mproc_process_free(process);
}

#endif
