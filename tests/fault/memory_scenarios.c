/* Shared memory: the family's heap, inside and by handle, and named segments. */
#include "fault.h"

#include <string.h>

#include "family/family.h"
#include "family/heap.h"

static bool enter(void)
{
    return TRY(FOUND_ERRORS, family_enter());
}

static void allocate_and_free(void)
{
    static const size_t sizes[] = {1, 100, 5000, 20000, 100000, 3 << 20};
    arena_ref refs[sizeof sizes / sizeof *sizes] = {0};
    if (!enter())
        return;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        MAKE(refs[i], ERR(ENOMEM), heap_alloc(sizes[i], family.self, &refs[i]));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        heap_free(refs[i], family.self);
}

static void fill(void)
{
    enum { MOST = 32, BLOCK = 8 << 20 };
    arena_ref refs[MOST];
    size_t count = 0;
    if (!enter())
        return;
    while (count < MOST && heap_alloc(BLOCK, family.self, &refs[count]) == MPROC_OK)
        count++;
    HOLDS(count < MOST && (fault_has_struck() || count > 4));
    while (count)
        heap_free(refs[--count], family.self);
}

/* ---- by handle ---- */

static void use_memory(void)
{
    static const size_t sizes[] = {1, 3000, 100000, 3 << 20};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    mproc_memory blocks[COUNT] = {{0}};
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = 0;
        if (!MAKE(blocks[i], FOUND_ERRORS, mproc_memory_alloc(&blocks[i], sizes[i])))
            continue;
        if (MAKE(size, 0, mproc_memory_size(blocks[i], &size)))
            HOLDS(size >= sizes[i]);
        unsigned char *bytes = mproc_memory_data(blocks[i]);
        if (HOLDS(bytes))
            memset(bytes, 1, sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        if (blocks[i].id)
            TRY(0, mproc_memory_free(blocks[i]));
    }
}

static int write_and_free(void *args, size_t size)
{
    const mproc_memory *block = args;
    unsigned char *bytes = size == sizeof *block ? mproc_memory_data(*block) : NULL;
    if (!bytes)
        return HOLDS(faults_reach_children()) ? GAVE_UP : VIOLATED;
    bytes[0] = 7;
    return TRY(FOUND_ERRORS, mproc_memory_free(*block)) ? 0 : GAVE_UP;
}

static void pass_memory(void)
{
    mproc_memory block = {0};
    mproc_process *child = NULL;
    bool freed = false;
    if (!MAKE(block, FOUND_ERRORS, mproc_memory_alloc(&block, 100)))
        return;
    if (TRY(FOUND_ERRORS | ERR(EIMAGE),
            mproc_process_create(&child, &(mproc_process_options){.target = write_and_free,
                                                                  .args = &block,
                                                                  .args_size = sizeof block})) &&
        TRY(FOUND_ERRORS | ERR(EIMAGE) | ERR(ENOENT) | ERR(EBROKEN), mproc_process_start(child)))
        freed = ends_with(child, 0);
    else
        mproc_process_free(child);
    if (!freed)
        HOLDS(mproc_memory_free(block) == MPROC_OK);
}

/* ---- named ---- */

#define SEGMENT_ERRORS                                                                             \
    (ERR(ENOMEM) | ERR(EAGAIN) | ERR(EEXIST) | ERR(ENOENT) | ERR(EACCES) | ERR(EOS))

static void name_memory(void)
{
    static mproc_shared_memory *left; /* of a pass in which it could not be unlinked */
    mproc_shared_memory *made = left, *opened = NULL;
    left = NULL;
    if (!made && !MAKE(made, SEGMENT_ERRORS, mproc_shared_memory_create(&made, NULL, 5000)))
        return;
    if (MAKE(opened, SEGMENT_ERRORS,
             mproc_shared_memory_open(&opened, mproc_shared_memory_name(made), 5000))) {
        *(char *)mproc_shared_memory_data(made) = 7;
        HOLDS(*(char *)mproc_shared_memory_data(opened) == 7);
        TRY(0, mproc_shared_memory_close(opened));
    }
    if (TRY(SEGMENT_ERRORS, mproc_shared_memory_unlink(made)))
        TRY(0, mproc_shared_memory_close(made));
    else
        left = made;
}

/* ---- of one process alone ---- */

static void make_a_bar(void)
{
    mproc_progress_bar *bar = NULL;
    if (MAKE(bar, ERR(ENOMEM), mproc_progress_bar_create(&bar, NULL)))
        mproc_progress_bar_show(bar, 1, 1, 0);
    mproc_progress_bar_free(bar);
}

const scenario memory_scenarios[] = {
    {.name = "memory_is_allocated_by_handle", .play = use_memory, .starts_nothing = true},
    {.name = "memory_is_passed_to_a_child", .play = pass_memory},
    {.name = "memory_is_named", .play = name_memory, .starts_nothing = true},
    {.name = "blocks_of_all_sizes_are_allocated",
     .play = allocate_and_free,
     .starts_nothing = true},
    {.name = "a_progress_bar_is_made", .play = make_a_bar, .starts_nothing = true},
    {.name = "the_heap_is_filled", .play = fill, .starts_nothing = true},
    {0},
};
