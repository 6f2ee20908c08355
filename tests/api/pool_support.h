/* What the pool's tests share. */
#ifndef POOL_SUPPORT_H
#define POOL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "pool_host.h"

#define PATIENCE 60.0 /* seconds that a loaded machine may take for what should happen at once */

/* The first line of main: the guard, and the start method that MPROC_TEST_METHOD names. */
void test_begin(int argc, char **argv);
mproc_start_method test_method(void);

mproc_pool *new_pool(int workers);
void end_pool(mproc_pool *pool); /* close, join, free: none of them fails */

/* Replies with the square of its int as a long long. */
int square(mproc_task *task);
void map_squares(mproc_pool *pool, size_t count, size_t chunk_size);

/* Paths lie in items and arguments of one size. */
typedef struct test_path {
    char text[512];
} test_path;
void new_file(test_path *path);
size_t file_size(const test_path *path);
void remove_file(const test_path *path);

void await_size(const test_path *path, size_t size);

size_t worker_pids(long long *pids, size_t capacity); /* of this process's children */
/* Each of the pool's workers runs one task, so it is ready; `pids` may be NULL. */
void meet_workers(mproc_pool *pool, size_t workers, long long *pids);

bool is_soak(void); /* MPROC_SOAK: many times more */

#endif
