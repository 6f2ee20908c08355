/* A worker's side of the pool. */
#ifndef MPROC_POOL_WORKER_H
#define MPROC_POOL_WORKER_H

#include "job.h"

/* A worker's start arguments. */
typedef struct worker_args {
    arena_ref shared;
    uint32_t index;
    bool has_initializer;
    os_code initializer;
    size_t initializer_size;
    _Alignas(16) unsigned char initializer_args[];
} worker_args;

enum { WORKER_INITIALIZER_FAILED = 1 };

int worker_main(void *args, size_t size); /* its target */

#endif
