/* Values: shared memory with a lock. */
#include "data_support.h"

static mproc_value new_value(size_t size, const void *initial, const mproc_value_options *options)
{
    mproc_value value = {0};
    OK(mproc_value_create(&value, size, initial, options));
    return value;
}

/* ---- contents ---- */

static void a_value_begins_with_what_it_is_given(void **state)
{
    (void)state;
    const long long given = 1234567890123;
    long long got = 0;
    void *data = NULL;
    mproc_value value = new_value(sizeof given, &given, NULL);
    assert_int_equal(mproc_value_size(value), sizeof given);
    OK(mproc_value_get(value, &got, sizeof got));
    assert_true(got == given);
    OK(mproc_value_acquire(value, MPROC_FOREVER, &data));
    assert_ptr_equal(data, mproc_value_data(value));
    assert_int_equal((uintptr_t)data % 64, 0);
    OK(mproc_value_release(value));
    OK(mproc_value_acquire(value, 0, NULL));
    OK(mproc_value_release(value));
    OK(mproc_value_destroy(value));
}

static void a_value_is_zeroed_even_when_its_memory_is_used_again(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 64, 65, 1000, 20000, 300000, 3000000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (int round = 0; round < 4; round++) {
            mproc_value value = new_value(sizes[i], NULL, NULL);
            unsigned char *bytes = mproc_value_data(value);
            for (size_t at = 0; at < sizes[i]; at++) {
                if (bytes[at])
                    fail_msg("byte %zu of %zu is not zero", at, sizes[i]);
            }
            memset(bytes, 0xff, sizes[i]);
            OK(mproc_value_destroy(value));
        }
    }
}

static int set_pi(void *args, size_t size)
{
    mproc_value *value = args;
    const double pi = 3.1415927;
    MUST(size == sizeof *value);
    MUST(mproc_value_set(*value, &pi, sizeof pi) == MPROC_OK);
    return 0;
}

static void a_child_changes_its_parents_value(void **state)
{
    (void)state;
    mproc_value value = new_value(0, NULL, &(mproc_value_options){.typecode = 'd'});
    double *number = mproc_value_data(value);
    assert_true(*number == 0.0);
    assert_int_equal(run_process(set_pi, &value, sizeof value), 0);
    assert_true(*number == 3.1415927);
    OK(mproc_value_destroy(value));
}

typedef struct point {
    double x, y;
    char name[20];
} point;

static int move_point(void *args, size_t size)
{
    mproc_value *value = args;
    point *at;
    void *data;
    MUST(size == sizeof *value && mproc_value_size(*value) == sizeof *at);
    MUST(mproc_value_acquire(*value, MPROC_FOREVER, &data) == MPROC_OK);
    at = data;
    at->x *= at->x;
    at->y *= at->y;
    strcpy(at->name, "squared");
    MUST(mproc_value_release(*value) == MPROC_OK);
    return 0;
}

static void a_struct_is_a_value(void **state)
{
    (void)state;
    point at = {1.875, -6.25, "origin"};
    mproc_value value = new_value(sizeof at, &at, NULL);
    assert_int_equal(run_process(move_point, &value, sizeof value), 0);
    OK(mproc_value_get(value, &at, sizeof at));
    assert_true(at.x == 1.875 * 1.875 && at.y == 6.25 * 6.25);
    assert_string_equal(at.name, "squared");
    OK(mproc_value_destroy(value));
}

/* ---- locks ---- */

enum { ROUNDS = 2000 };

static int add_under_lock(void *args, size_t size)
{
    mproc_value *value = args;
    void *data;
    MUST(size == sizeof *value);
    for (int i = 0; i < ROUNDS; i++) {
        MUST(mproc_value_acquire(*value, MPROC_FOREVER, &data) == MPROC_OK);
        ++*(int *)data;
        MUST(mproc_value_release(*value) == MPROC_OK);
    }
    return 0;
}

static void processes_and_threads_add_under_the_lock(void **state)
{
    (void)state;
    for (kind which = OWN; which < KINDS; which++) {
        crew everyone;
        mproc_value_options options = with_lock(which);
        mproc_value value = new_value(sizeof(int), NULL, &options);
        start_everybody(&everyone, add_under_lock, &value, sizeof value);
        crew_join(&everyone);
        assert_int_equal(*(int *)mproc_value_data(value), ROUNDS * EVERYBODY);
        OK(mproc_value_destroy(value));
        drop_lock(&options);
    }
}

static int set_whole(void *args, size_t size)
{
    mproc_value *value = args;
    unsigned char bytes[500];
    MUST(size == sizeof *value);
    for (int i = 0; i < ROUNDS; i++) {
        memset(bytes, i % 256, sizeof bytes);
        MUST(mproc_value_set(*value, bytes, sizeof bytes) == MPROC_OK);
        MUST(mproc_value_get(*value, bytes, sizeof bytes) == MPROC_OK);
        for (size_t at = 1; at < sizeof bytes; at++)
            MUST(bytes[at] == bytes[0]);
    }
    return 0;
}

static void get_and_set_are_one_step_each(void **state)
{
    (void)state;
    for (kind which = OWN; which < KINDS; which++) {
        crew everyone;
        mproc_value_options options = with_lock(which);
        mproc_value value = new_value(500, NULL, &options);
        start_everybody(&everyone, set_whole, &value, sizeof value);
        crew_join(&everyone);
        OK(mproc_value_destroy(value));
        drop_lock(&options);
    }
}

static int fail_to_acquire(void *args, size_t size)
{
    mproc_value *value = args;
    void *data = args;
    MUST(size == sizeof *value);
    MUST(mproc_value_acquire(*value, 0, &data) == MPROC_ETIMEDOUT);
    MUST(mproc_value_acquire(*value, 10, &data) == MPROC_ETIMEDOUT);
    MUST(data == args);
    return 0;
}

static void acquire_times_out_while_another_one_holds_it(void **state)
{
    (void)state;
    for (kind which = OWN; which < KINDS; which++) {
        crew everyone;
        mproc_value_options options = with_lock(which);
        mproc_value value = new_value(1, NULL, &options);
        OK(mproc_value_acquire(value, MPROC_FOREVER, NULL));
        start_everybody(&everyone, fail_to_acquire, &value, sizeof value);
        crew_join(&everyone);
        OK(mproc_value_release(value));
        assert_int_equal(mproc_value_release(value), MPROC_ENOTOWNER);
        OK(mproc_value_destroy(value));
        drop_lock(&options);
    }
}

static void own_lock_and_a_given_rlock_are_taken_again_by_their_holder(void **state)
{
    (void)state;
    const kind recursive[] = {OWN, GIVEN_RLOCK};
    for (size_t i = 0; i < COUNT_OF(recursive); i++) {
        int number = 5;
        mproc_value_options options = with_lock(recursive[i]);
        mproc_value value = new_value(sizeof number, NULL, &options);
        OK(mproc_value_acquire(value, 0, NULL));
        OK(mproc_value_acquire(value, 0, NULL));
        OK(mproc_value_set(value, &number, sizeof number));
        OK(mproc_value_release(value));
        assert_int_equal(run_process(fail_to_acquire, &value, sizeof value), 0);
        OK(mproc_value_release(value));
        assert_int_equal(mproc_value_release(value), MPROC_ENOTOWNER);
        OK(mproc_value_destroy(value));
        drop_lock(&options);
    }
}

static void values_may_share_a_lock(void **state)
{
    (void)state;
    mproc_value_options options = with_lock(GIVEN_LOCK);
    mproc_value one = new_value(1, NULL, &options), other = new_value(1, NULL, &options);
    OK(mproc_value_acquire(one, 0, NULL));
    assert_int_equal(mproc_value_acquire(other, 0, NULL), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_lock_acquire(options.lock, 0), MPROC_ETIMEDOUT);
    OK(mproc_value_release(one));
    OK(mproc_value_acquire(other, 0, NULL));
    OK(mproc_value_destroy(other));
    assert_int_equal(mproc_value_release(other), MPROC_ESTALE);
    OK(mproc_lock_release(options.lock));
    OK(mproc_value_acquire(one, 0, NULL));
    OK(mproc_value_release(one));
    OK(mproc_lock_destroy(options.lock));
    assert_int_equal(mproc_value_acquire(one, 0, NULL), MPROC_ESTALE);
    assert_non_null(mproc_value_data(one));
    OK(mproc_value_destroy(one));
}

static int add_without_lock(void *args, size_t size)
{
    mproc_value *value = args;
    MUST(size == sizeof *value);
    for (int i = 0; i < ROUNDS; i++)
        atomic_fetch_add((_Atomic int *)mproc_value_data(*value), 1);
    return 0;
}

static void an_unlocked_value_is_used_by_its_address(void **state)
{
    (void)state;
    crew everyone;
    int number = -1;
    mproc_value value = new_value(sizeof(int), NULL, &(mproc_value_options){.unlocked = true});
    start_everybody(&everyone, add_without_lock, &value, sizeof value);
    crew_join(&everyone);
    assert_int_equal(mproc_value_acquire(value, 0, NULL), MPROC_ESTATE);
    assert_int_equal(mproc_value_release(value), MPROC_ESTATE);
    assert_int_equal(mproc_value_mark_consistent(value), MPROC_ESTATE);
    OK(mproc_value_get(value, &number, sizeof number));
    assert_int_equal(number, ROUNDS * EVERYBODY);
    number = 17;
    OK(mproc_value_set(value, &number, sizeof number));
    assert_int_equal(*(int *)mproc_value_data(value), 17);
    OK(mproc_value_destroy(value));
}

/* ---- holders that die ---- */

typedef struct scene {
    mproc_value value;
    mproc_value begun; /* how many have */
    mproc_event held;
} scene;

static scene new_scene(const mproc_value_options *options)
{
    scene made = {.value = new_value(sizeof(int), NULL, options),
                  .begun = new_value(sizeof(int), NULL, NULL)};
    OK(mproc_event_create(&made.held));
    return made;
}

static void end_scene(const scene *it)
{
    OK(mproc_value_destroy(it->begun));
    OK(mproc_event_destroy(it->held));
}

static int die_holding(void *args, size_t size)
{
    scene *it = args;
    void *data;
    MUST(size == sizeof *it);
    MUST(mproc_value_acquire(it->value, MPROC_FOREVER, &data) == MPROC_OK);
    *(int *)data = 42;
    MUST(mproc_event_set(it->held) == MPROC_OK);
    host_wait_forever();
    return 0;
}

static int acquire_after_dead(void *args, size_t size)
{
    scene *it = args;
    void *data = NULL;
    MUST(size == sizeof *it);
    atomic_fetch_add((_Atomic int *)mproc_value_data(it->begun), 1);
    MUST(mproc_value_acquire(it->value, SOON, &data) == MPROC_EOWNERDEAD);
    MUST(data == mproc_value_data(it->value) && *(int *)data == 42);
    MUST(mproc_value_release(it->value) == MPROC_OK);
    return 0;
}

static void await_begun(const scene *it, int count)
{
    const int64_t end = host_now() + SOON;
    while (atomic_load((_Atomic int *)mproc_value_data(it->begun)) < count && host_now() < end)
        host_nap(1);
}

static void who_waits_for_a_dead_holder_learns_it_until_it_is_marked_consistent(void **state)
{
    (void)state;
    for (kind which = OWN; which < KINDS; which++) {
        crew everyone;
        int number = 0;
        mproc_value_options options = with_lock(which);
        scene it = new_scene(&options);
        mproc_process *victim = start_process(die_holding, &it, sizeof it);
        OK(mproc_event_wait(it.held, SOON));
        start_everybody(&everyone, acquire_after_dead, &it, sizeof it);
        await_begun(&it, EVERYBODY);
        end_process(victim);
        crew_join(&everyone);

        assert_int_equal(mproc_value_get(it.value, &number, sizeof number), MPROC_EOWNERDEAD);
        assert_int_equal(number, 42);
        number = 43;
        assert_int_equal(mproc_value_set(it.value, &number, sizeof number), MPROC_EOWNERDEAD);
        assert_int_equal(mproc_value_mark_consistent(it.value), MPROC_ENOTOWNER);
        assert_int_equal(mproc_value_acquire(it.value, 0, NULL), MPROC_EOWNERDEAD);
        OK(mproc_value_mark_consistent(it.value));
        OK(mproc_value_release(it.value));
        OK(mproc_value_get(it.value, &number, sizeof number));
        assert_int_equal(number, 43);
        OK(mproc_value_destroy(it.value));
        end_scene(&it);
        drop_lock(&options);
    }
}

static int end_holding(void *args, size_t size)
{
    scene *it = args;
    MUST(size == sizeof *it);
    MUST(mproc_value_acquire(it->value, MPROC_FOREVER, NULL) == MPROC_OK);
    return 0;
}

static void a_clean_end_while_holding_counts_as_a_death(void **state)
{
    (void)state;
    for (kind which = OWN; which < KINDS; which++) {
        mproc_value_options options = with_lock(which);
        scene it = new_scene(&options);
        assert_int_equal(run_process(end_holding, &it, sizeof it), 0);
        assert_int_equal(mproc_value_acquire(it.value, SOON, NULL), MPROC_EOWNERDEAD);
        OK(mproc_value_mark_consistent(it.value));
        OK(mproc_value_release(it.value));
        OK(mproc_value_destroy(it.value));
        end_scene(&it);
        drop_lock(&options);
    }
}

/* ---- the end ---- */

static int wait_until_destroyed(void *args, size_t size)
{
    scene *it = args;
    void *data = NULL;
    MUST(size == sizeof *it);
    atomic_fetch_add((_Atomic int *)mproc_value_data(it->begun), 1);
    MUST(mproc_value_acquire(it->value, SOON, &data) == MPROC_ESTALE);
    MUST(!data && !mproc_value_data(it->value) && !mproc_value_size(it->value));
    return 0;
}

static void who_waits_for_a_value_that_is_destroyed_finds_it_gone(void **state)
{
    (void)state;
    for (kind which = OWN; which < KINDS; which++) {
        crew everyone;
        mproc_value_options options = with_lock(which);
        scene it = new_scene(&options);
        OK(mproc_value_acquire(it.value, 0, NULL));
        start_everybody(&everyone, wait_until_destroyed, &it, sizeof it);
        await_begun(&it, EVERYBODY);
        OK(mproc_value_destroy(it.value));
        if (which == GIVEN_LOCK)
            OK(mproc_lock_release(options.lock));
        if (which == GIVEN_RLOCK)
            OK(mproc_rlock_release(options.rlock));
        crew_join(&everyone);
        end_scene(&it);
        drop_lock(&options);
    }
}

typedef struct handover {
    mproc_value value;
    mproc_event held, destroyed;
} handover;

static int use_what_was_destroyed(void *args, size_t size)
{
    handover *it = args;
    int number = 99;
    MUST(size == sizeof *it);
    MUST(mproc_value_acquire(it->value, MPROC_FOREVER, NULL) == MPROC_OK);
    MUST(mproc_event_set(it->held) == MPROC_OK);
    MUST(mproc_event_wait(it->destroyed, SOON) == MPROC_OK);
    MUST(mproc_value_set(it->value, &number, sizeof number) == MPROC_ESTALE);
    MUST(mproc_value_mark_consistent(it->value) == MPROC_ESTALE);
    MUST(mproc_value_release(it->value) == MPROC_ESTALE);
    MUST(mproc_value_destroy(it->value) == MPROC_ESTALE);
    MUST(mproc_value_data(it->value) == NULL);
    return 0;
}

static void a_holder_from_before_does_nothing_to_what_is_made_in_its_place(void **state)
{
    (void)state;
    enum { MANY = 200 };
    mproc_value later[MANY];
    const int seven = 7;
    handover it = {.value = new_value(sizeof(int), NULL, NULL)};
    OK(mproc_event_create(&it.held));
    OK(mproc_event_create(&it.destroyed));
    mproc_process *child = start_process(use_what_was_destroyed, &it, sizeof it);
    OK(mproc_event_wait(it.held, SOON));
    OK(mproc_value_destroy(it.value));
    for (int i = 0; i < MANY; i++) {
        later[i] = new_value(sizeof seven, &seven, NULL);
        OK(mproc_value_acquire(later[i], 0, NULL));
    }
    OK(mproc_event_set(it.destroyed));
    assert_int_equal(exit_code_of(child), 0);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(*(int *)mproc_value_data(later[i]), 7);
        OK(mproc_value_release(later[i]));
        OK(mproc_value_destroy(later[i]));
    }
    OK(mproc_event_destroy(it.held));
    OK(mproc_event_destroy(it.destroyed));
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_begins_with_what_it_is_given),
        cmocka_unit_test(a_value_is_zeroed_even_when_its_memory_is_used_again),
        cmocka_unit_test(a_child_changes_its_parents_value),
        cmocka_unit_test(a_struct_is_a_value),
        cmocka_unit_test(processes_and_threads_add_under_the_lock),
        cmocka_unit_test(get_and_set_are_one_step_each),
        cmocka_unit_test(acquire_times_out_while_another_one_holds_it),
        cmocka_unit_test(own_lock_and_a_given_rlock_are_taken_again_by_their_holder),
        cmocka_unit_test(values_may_share_a_lock),
        cmocka_unit_test(an_unlocked_value_is_used_by_its_address),
        cmocka_unit_test(who_waits_for_a_dead_holder_learns_it_until_it_is_marked_consistent),
        cmocka_unit_test(a_clean_end_while_holding_counts_as_a_death),
        cmocka_unit_test(who_waits_for_a_value_that_is_destroyed_finds_it_gone),
        cmocka_unit_test(a_holder_from_before_does_nothing_to_what_is_made_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
