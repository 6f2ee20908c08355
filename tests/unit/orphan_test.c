/* Descendants whose parent has died: the nearest ancestor that notices takes them over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "../pace/pace.h"
#include "family/family.h"
#include "family/heap.h"
#include "family/park.h"

#define PATIENCE                                                                                   \
    (INT64_C(1000000) * pace_limit(20000)) /* a generous bound; nothing here takes as long */

/* What the processes of a test tell one another, in the arena. */
typedef struct board {
    _Atomic uint32_t told;       /* changes with each of the others */
    _Atomic uint64_t grandchild; /* its slot_id, once it runs */
    _Atomic uint32_t never;      /* to sleep on for ever */
} board;

static int sleep_for_ever(void *args, size_t size)
{
    board *b = arena_at(*(arena_ref *)args);
    (void)size;
    arena_ref held;
    if (heap_alloc(1000, family.self, &held)) /* for the sweep to find */
        return 1;
    atomic_store(&b->grandchild, family.self);
    atomic_fetch_add(&b->told, 1);
    unpark(&b->told, UINT32_MAX);
    for (;;)
        park(&b->never, 0, OS_FOREVER, family.self);
}

static int have_a_child(void *args, size_t size)
{
    mproc_process *child;
    if (mproc_process_create(
            &child,
            &(mproc_process_options){.target = sleep_for_ever, .args = args, .args_size = size}) ||
        mproc_process_start(child))
        return 1;
    return mproc_process_join(child, MPROC_FOREVER) != MPROC_OK;
}

static void await_grandchild(board *b)
{
    int64_t deadline = os_now() + PATIENCE;
    for (;;) {
        uint32_t told = atomic_load(&b->told);
        if (atomic_load(&b->grandchild))
            return;
        assert_int_equal(park(&b->told, told, deadline, family.self), MPROC_OK);
    }
}

static void end_process(slot_id id)
{
    uint64_t born = atomic_load(&slot_at(id)->born); /* 0: its parent was killed before it told */
    os_process process = {.pid = slot_pid(id),
                          .born = born ? born : os_birth_time(),
                          .handle = OS_NO_HANDLE,
                          .extra = OS_NO_HANDLE,
                          .foreign = true};
    assert_int_equal(os_process_signal(&process, true), MPROC_OK);
    os_process_close(&process);
}

static void await_sweep(slot_id id)
{
    int64_t deadline = os_now() + PATIENCE;
    while (slot_is(id, SLOT_LIVING)) {
        assert_true(os_now() < deadline);
        os_yield();
    }
}

static void an_orphan_is_adopted_and_swept_when_it_ends(void **state)
{
    (void)state;
    arena_ref ref;
    assert_int_equal(heap_alloc(sizeof(board), family.self, &ref), MPROC_OK);
    board *b = memset(arena_at(ref), 0, sizeof(board));
    uint64_t used = heap_used();
    mproc_process *middle;
    assert_int_equal(
        mproc_process_create(&middle, &(mproc_process_options){.target = have_a_child,
                                                               .args = &ref,
                                                               .args_size = sizeof ref}),
        MPROC_OK);
    assert_int_equal(mproc_process_start(middle), MPROC_OK);
    await_grandchild(b);
    slot_id orphan = atomic_load(&b->grandchild);

    assert_int_equal(mproc_process_kill(middle), MPROC_OK);
    assert_int_equal(mproc_process_join(middle, MPROC_FOREVER), MPROC_OK);
    assert_true(slot_is(orphan, SLOT_LIVING));
    assert_int_equal(atomic_load(&slot_at(orphan)->parent), family.self);

    end_process(orphan);
    await_sweep(orphan);
    assert_int_equal(heap_used(), used);
    mproc_process_free(middle);
    heap_free(ref, family.self);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    if (family_enter())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_orphan_is_adopted_and_swept_when_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
