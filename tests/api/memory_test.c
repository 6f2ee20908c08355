/* Shared memory by handle: who may use it, how long it lives, and what is not a handle. */
#include "support.h"

#include <stdlib.h>

static const size_t sizes[] = {1, 64, 65, 100, 4096, 16384, 16385, 100000, 1048576, 3000000};

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 31 + i / 256 + 7);
}

static void write_pattern(mproc_memory memory, size_t size)
{
    unsigned char *bytes = mproc_memory_data(memory);
    for (size_t i = 0; i < size; i++)
        bytes[i] = pattern(i);
}

static bool has_pattern(mproc_memory memory, size_t size)
{
    const unsigned char *bytes = mproc_memory_data(memory);
    for (size_t i = 0; bytes && i < size; i++) {
        if (bytes[i] != pattern(i))
            return false;
    }
    return bytes;
}

static mproc_memory allocate(size_t size)
{
    mproc_memory made = {0};
    assert_int_equal(mproc_memory_alloc(&made, size), MPROC_OK);
    assert_non_null(mproc_memory_data(made));
    return made;
}

static void assert_stale(mproc_memory memory)
{
    size_t size = 4711;
    assert_null(mproc_memory_data(memory));
    assert_int_equal(mproc_memory_size(memory, &size), MPROC_ESTALE);
    assert_int_equal(size, 4711);
    assert_int_equal(mproc_memory_free(memory), MPROC_ESTALE);
}

/* ---- one process ---- */

static void memory_of_every_size_is_large_enough(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        size_t usable = 0;
        mproc_memory memory = allocate(sizes[i]);
        assert_int_equal(mproc_memory_size(memory, &usable), MPROC_OK);
        assert_true(usable >= sizes[i]);
        assert_int_equal((uintptr_t)mproc_memory_data(memory) % (sizes[i] > 64 ? 128 : 64), 0);
        write_pattern(memory, usable);
        assert_true(has_pattern(memory, usable));
        assert_int_equal(mproc_memory_free(memory), MPROC_OK);
        assert_stale(memory);
    }
}

static void bad_arguments_are_refused_and_change_nothing(void **state)
{
    (void)state;
    mproc_memory memory = {42};
    assert_int_equal(mproc_memory_alloc(NULL, 100), MPROC_EINVAL);
    assert_int_equal(mproc_memory_alloc(&memory, 0), MPROC_EINVAL);
    const size_t huge[] = {SIZE_MAX, SIZE_MAX - 64, SIZE_MAX / 2, (size_t)1 << 50};
    for (size_t i = 0; i < COUNT_OF(huge); i++)
        assert_int_equal(mproc_memory_alloc(&memory, huge[i]), MPROC_ENOMEM);
    assert_int_equal(memory.id, 42);
    memory = allocate(100);
    assert_int_equal(mproc_memory_size(memory, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_memory_free(memory), MPROC_OK);
}

static void a_freed_handle_stays_stale_when_its_place_is_used_again(void **state)
{
    (void)state;
    mproc_memory old[1000], now;
    for (size_t i = 0; i < COUNT_OF(old); i++) {
        old[i] = allocate(100);
        assert_int_equal(mproc_memory_free(old[i]), MPROC_OK);
    }
    now = allocate(100);
    for (size_t i = 0; i < COUNT_OF(old); i++)
        assert_stale(old[i]);
    assert_non_null(mproc_memory_data(now));
    assert_int_equal(mproc_memory_free(now), MPROC_OK);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

static void a_million_forged_handles_are_stale(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    mproc_memory real = allocate(5000), large = allocate(300000);
    assert_stale((mproc_memory){0});
    assert_stale((mproc_memory){UINT64_MAX});
    for (uint64_t i = 1; i < 64; i++) {
        assert_stale((mproc_memory){real.id + i});
        assert_stale((mproc_memory){large.id + i});
        assert_stale((mproc_memory){real.id ^ (uint64_t)1 << i});
    }
    for (int i = 0; i < 1000000; i++) {
        mproc_memory forged = {next_random(&seed)};
        if (i % 3 == 0) /* the right place, another number */
            forged.id =
                (forged.id & ~(((uint64_t)1 << 36) - 1)) | (real.id & (((uint64_t)1 << 36) - 1));
        if (forged.id == real.id || forged.id == large.id)
            continue;
        if (mproc_memory_data(forged) || mproc_memory_free(forged) != MPROC_ESTALE)
            fail_msg("%llx is a handle", (unsigned long long)forged.id);
    }
    assert_int_equal(mproc_memory_free(real), MPROC_OK);
    assert_int_equal(mproc_memory_free(large), MPROC_OK);
}

static void alloc_and_free_often(void *argument)
{
    int *wrong = argument;
    for (size_t i = 0; i < 20000; i++) {
        mproc_memory memory;
        size_t size = 1 + i % 700;
        if (mproc_memory_alloc(&memory, size)) {
            ++*wrong;
            continue;
        }
        write_pattern(memory, size);
        *wrong += !has_pattern(memory, size);
        *wrong += mproc_memory_free(memory) != MPROC_OK;
    }
}

static void threads_allocate_side_by_side(void **state)
{
    (void)state;
    host_thread threads[4];
    int wrong[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_true(host_thread_start(&threads[i], alloc_and_free_often, &wrong[i]));
    for (int i = 0; i < 4; i++)
        host_thread_join(&threads[i]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(wrong[i], 0);
}

/* ---- several ---- */

typedef struct told {
    mproc_memory memory; /* what the child gets, or where it puts a handle */
    size_t size;
} told;

static int check_pattern(void *args, size_t size)
{
    const told *it = args;
    return size == sizeof *it && has_pattern(it->memory, it->size) ? 0 : 1;
}

static void children_read_what_their_parent_has_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i += 3) {
        told it = {allocate(sizes[i]), sizes[i]};
        write_pattern(it.memory, it.size);
        assert_int_equal(run_process(check_pattern, &it, sizeof it), 0);
        assert_true(has_pattern(it.memory, it.size));
        assert_int_equal(mproc_memory_free(it.memory), MPROC_OK);
        assert_int_equal(run_process(check_pattern, &it, sizeof it), 1);
    }
}

/* The handle's home lies in shared memory itself. */
static int alloc_for_parent(void *args, size_t size)
{
    const told *it = args;
    mproc_memory *home = size == sizeof *it ? mproc_memory_data(it->memory) : NULL;
    if (!home || mproc_memory_alloc(home, it->size))
        return 1;
    write_pattern(*home, it->size);
    return 0;
}

static void what_a_child_has_allocated_outlives_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i += 3) {
        told it = {allocate(sizeof(mproc_memory)), sizes[i]};
        mproc_memory *home = mproc_memory_data(it.memory);
        assert_int_equal(run_process(alloc_for_parent, &it, sizeof it), 0);
        assert_true(has_pattern(*home, it.size));
        assert_int_equal(mproc_memory_free(*home), MPROC_OK);
        assert_stale(*home);
        assert_int_equal(mproc_memory_free(it.memory), MPROC_OK);
    }
}

static int alloc_and_wait(void *args, size_t size)
{
    int failed = alloc_for_parent(args, size);
    const told *it = args;
    unsigned char *flag = mproc_memory_data(it->memory);
    *(volatile unsigned char *)(flag + sizeof(mproc_memory)) = failed ? 2 : 1;
    host_wait_forever();
    return 0;
}

static void what_a_killed_child_has_allocated_outlives_it(void **state)
{
    (void)state;
    told it = {allocate(sizeof(mproc_memory) + 1), 100000};
    mproc_memory *home = mproc_memory_data(it.memory);
    volatile unsigned char *flag = (unsigned char *)home + sizeof *home;
    *flag = 0;
    mproc_process *child = start_process(alloc_and_wait, &it, sizeof it);
    const int64_t deadline = host_now() + SOON;
    while (*flag == 0 && host_now() < deadline)
        host_nap(1);
    assert_int_equal(*flag, 1);
    end_process(child);
    assert_true(has_pattern(*home, it.size));
    assert_int_equal(mproc_memory_free(*home), MPROC_OK);
    assert_int_equal(mproc_memory_free(it.memory), MPROC_OK);
}

static int free_it(void *args, size_t size)
{
    const told *it = args;
    return size == sizeof *it && mproc_memory_free(it->memory) == MPROC_OK &&
                   mproc_memory_free(it->memory) == MPROC_ESTALE
               ? 0
               : 1;
}

static void what_a_child_frees_is_stale_for_all(void **state)
{
    (void)state;
    told it = {allocate(200000), 0};
    assert_int_equal(run_process(free_it, &it, sizeof it), 0);
    assert_stale(it.memory);
}

enum { CONTESTED = 3000 };

static size_t free_all(const mproc_memory *list)
{
    size_t freed = 0;
    for (size_t i = 0; i < CONTESTED; i++)
        freed += mproc_memory_free(list[i]) == MPROC_OK;
    return freed;
}

typedef struct contest {
    size_t freed;
    mproc_memory list[CONTESTED];
} contest;

static int free_as_many_as_possible(void *args, size_t size)
{
    const told *it = args;
    contest *shared = size == sizeof *it ? mproc_memory_data(it->memory) : NULL;
    if (!shared)
        return 1;
    shared->freed = free_all(shared->list);
    return 0;
}

static void of_two_who_free_the_same_one_succeeds(void **state)
{
    (void)state;
    told it = {allocate(sizeof(contest)), 0};
    contest *shared = mproc_memory_data(it.memory);
    for (size_t i = 0; i < CONTESTED; i++)
        shared->list[i] = allocate(i % 10 ? 100 : 70000);
    mproc_process *child = start_process(free_as_many_as_possible, &it, sizeof it);
    size_t freed = free_all(shared->list);
    assert_int_equal(exit_code_of(child), 0);
    assert_int_equal(freed + shared->freed, CONTESTED);
    assert_int_equal(mproc_memory_free(it.memory), MPROC_OK);
}

/* ---- no more memory ---- */

/* All of it can be written to, and when it is free again, everything is as before. */
static int fill_arena(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    static mproc_memory list[300000];
    size_t first = 0;
    for (int round = 0; round < 3; round++) {
        const size_t size = round == 1 ? 100 : 100000;
        size_t count = 0;
        mproc_memory none = {42};
        while (count < COUNT_OF(list) && mproc_memory_alloc(&list[count], size) == MPROC_OK) {
            memset(mproc_memory_data(list[count]), 0x5a, size);
            count++;
        }
        if (count == COUNT_OF(list) || count * size < ((size_t)12 << 20))
            return 1;
        if (mproc_memory_alloc(&none, size) != MPROC_ENOMEM || none.id != 42)
            return 2;
        if (mproc_memory_alloc(&none, (size_t)1 << 40) != MPROC_ENOMEM)
            return 3;
        for (size_t i = 0; i < count; i++) {
            if (mproc_memory_free(list[i]) != MPROC_OK)
                return 4;
        }
        if (round == 0)
            first = count;
        else if (round == 2 && count != first)
            return 5;
    }
    return 0;
}

static void a_full_arena_says_so_and_recovers(void **state)
{
    (void)state;
    host_set_variable("MPROC_ARENA_SIZE", "64M");
    host_set_variable("MPROC_ARENA_LIMIT", "16M");
    int code = run_role("fill_arena", NULL, NULL)->code;
    host_set_variable("MPROC_ARENA_SIZE", NULL);
    host_set_variable("MPROC_ARENA_LIMIT", NULL);
    assert_int_equal(code, 0);
}

static const role roles[] = {{"fill_arena", fill_arena}};

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_every_size_is_large_enough),
        cmocka_unit_test(bad_arguments_are_refused_and_change_nothing),
        cmocka_unit_test(a_freed_handle_stays_stale_when_its_place_is_used_again),
        cmocka_unit_test(a_million_forged_handles_are_stale),
        cmocka_unit_test(threads_allocate_side_by_side),
        cmocka_unit_test(children_read_what_their_parent_has_written),
        cmocka_unit_test(what_a_child_has_allocated_outlives_it),
        cmocka_unit_test(what_a_killed_child_has_allocated_outlives_it),
        cmocka_unit_test(what_a_child_frees_is_stale_for_all),
        cmocka_unit_test(of_two_who_free_the_same_one_succeeds),
        cmocka_unit_test(a_full_arena_says_so_and_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
