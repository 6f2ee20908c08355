/* Blocks by handle: killed in the middle there is one, or there is none. */
#include "operation.h"

#include <string.h>

enum { SMALL_SIZE = 2000, LARGE_SIZE = 150000 };

static void set_up_small(scene *s)
{
    EXPECT(mproc_memory_alloc(&s->memory, SMALL_SIZE) == MPROC_OK);
}

static void set_up_large(scene *s)
{
    EXPECT(mproc_memory_alloc(&s->memory, LARGE_SIZE) == MPROC_OK);
}

static void alloc_small(scene *s)
{
    MUST(mproc_memory_alloc(&s->memory, SMALL_SIZE) == MPROC_OK);
}

static void alloc_large(scene *s)
{
    MUST(mproc_memory_alloc(&s->memory, LARGE_SIZE) == MPROC_OK);
}

static void free_it(scene *s)
{
    MUST(mproc_memory_free(s->memory) == MPROC_OK);
}

static bool use_and_free(scene *s)
{
    size_t size = 0;
    void *bytes = mproc_memory_data(s->memory);
    if (!bytes) {
        EXPECT(mproc_memory_free(s->memory) == MPROC_ESTALE);
        return false;
    }
    EXPECT(mproc_memory_size(s->memory, &size) == MPROC_OK && size >= SMALL_SIZE);
    memset(bytes, 0x5a, size);
    EXPECT(mproc_memory_free(s->memory) == MPROC_OK);
    EXPECT(!mproc_memory_data(s->memory));
    return true;
}

static outcome check_alloc(scene *s)
{
    return use_and_free(s) ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_free(scene *s)
{
    return use_and_free(s) ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

const operation memory_operations[] = {
    {"allocate a small block", NULL, NULL, alloc_small, NULL, check_alloc},
    {"allocate a large block", NULL, NULL, alloc_large, NULL, check_alloc},
    {"free a small block", set_up_small, NULL, free_it, NULL, check_free},
    {"free a large block", set_up_large, NULL, free_it, NULL, check_free},
    {0},
};
