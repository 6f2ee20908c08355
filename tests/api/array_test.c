/* Arrays: shared memory for many elements, with a lock. */
#include "data_support.h"

enum { TEN = 10 };
static const int digits[TEN] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static mproc_array new_array(size_t item_size, size_t count, const void *initial,
                             const mproc_array_options *options)
{
    mproc_array array = {0};
    OK(mproc_array_create(&array, item_size, count, initial, options));
    return array;
}

/* ---- contents ---- */

static void an_array_begins_with_what_it_is_given(void **state)
{
    (void)state;
    int got[TEN] = {0};
    void *data = NULL;
    mproc_array array = new_array(sizeof(int), TEN, digits, NULL);
    assert_int_equal(mproc_array_count(array), TEN);
    assert_int_equal(mproc_array_item_size(array), sizeof(int));
    OK(mproc_array_get_range(array, 0, TEN, got));
    assert_memory_equal(got, digits, sizeof digits);
    OK(mproc_array_acquire(array, MPROC_FOREVER, &data));
    assert_ptr_equal(data, mproc_array_data(array));
    assert_int_equal((uintptr_t)data % 64, 0);
    OK(mproc_array_release(array));
    OK(mproc_array_destroy(array));
}

static void an_array_is_zeroed_even_when_its_memory_is_used_again(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 7, 100, 3001, 40000, 400000};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        for (int round = 0; round < 4; round++) {
            mproc_array array =
                new_array(0, counts[i], NULL, &(mproc_array_options){.typecode = 'd'});
            unsigned char *bytes = mproc_array_data(array);
            for (size_t at = 0; at < counts[i] * sizeof(double); at++) {
                if (bytes[at])
                    fail_msg("byte %zu of %zu elements is not zero", at, counts[i]);
            }
            memset(bytes, 0xff, counts[i] * sizeof(double));
            OK(mproc_array_destroy(array));
        }
    }
}

static int negate(void *args, size_t size)
{
    mproc_array *array = args;
    MUST(size == sizeof *array);
    for (size_t i = 0; i < mproc_array_count(*array); i++) {
        int *element = mproc_array_at(*array, i);
        MUST(element);
        *element = -*element;
    }
    return 0;
}

static void a_child_changes_its_parents_array(void **state)
{
    (void)state;
    mproc_array array =
        new_array(0, TEN, digits, &(mproc_array_options){.typecode = 'i', .unlocked = true});
    assert_int_equal(run_process(negate, &array, sizeof array), 0);
    const int *element = mproc_array_data(array);
    for (int i = 0; i < TEN; i++)
        assert_int_equal(element[i], -i);
    OK(mproc_array_destroy(array));
}

static void ranges_are_slices(void **state)
{
    (void)state;
    int got[TEN] = {0};
    const int others[3] = {70, 80, 90}, expected[TEN] = {0, 1, 2, 3, 70, 80, 90, 7, 8, 9};
    mproc_array array = new_array(sizeof(int), TEN, digits, NULL);
    OK(mproc_array_get_range(array, 2, 3, got));
    assert_true(got[0] == 2 && got[1] == 3 && got[2] == 4 && got[3] == 0);
    OK(mproc_array_set_range(array, 4, 3, others));
    OK(mproc_array_get_range(array, 0, TEN, got));
    assert_memory_equal(got, expected, sizeof expected);
    OK(mproc_array_set_range(array, 9, 1, others));
    assert_int_equal(*(int *)mproc_array_at(array, 9), 70);
    OK(mproc_array_get_range(array, 3, 0, NULL));
    OK(mproc_array_set_range(array, TEN, 0, NULL));
    OK(mproc_array_destroy(array));
}

typedef struct point {
    double x, y;
} point;

static int square_points(void *args, size_t size)
{
    mproc_array *array = args;
    void *data;
    MUST(size == sizeof *array && mproc_array_item_size(*array) == sizeof(point));
    MUST(mproc_array_acquire(*array, MPROC_FOREVER, &data) == MPROC_OK);
    point *points = data;
    for (size_t i = 0; i < mproc_array_count(*array); i++)
        points[i] = (point){points[i].x * points[i].x, points[i].y * points[i].y};
    MUST(mproc_array_release(*array) == MPROC_OK);
    return 0;
}

static void structs_are_elements(void **state)
{
    (void)state;
    const point given[] = {{1.875, -6.25}, {-5.75, 2.0}, {2.375, 9.5}};
    mproc_array array = new_array(sizeof(point), COUNT_OF(given), given, NULL);
    assert_int_equal(run_process(square_points, &array, sizeof array), 0);
    for (size_t i = 0; i < COUNT_OF(given); i++) {
        const point *at = mproc_array_at(array, i);
        assert_true(at->x == given[i].x * given[i].x && at->y == given[i].y * given[i].y);
    }
    OK(mproc_array_destroy(array));
}

static void an_array_may_have_no_elements(void **state)
{
    (void)state;
    mproc_array array = new_array(sizeof(int), 0, NULL, NULL);
    assert_int_equal(mproc_array_count(array), 0);
    assert_int_equal(mproc_array_item_size(array), sizeof(int));
    assert_non_null(mproc_array_data(array));
    assert_null(mproc_array_at(array, 0));
    OK(mproc_array_get_range(array, 0, 0, NULL));
    OK(mproc_array_acquire(array, 0, NULL));
    OK(mproc_array_release(array));
    OK(mproc_array_destroy(array));
}

/* ---- locks ---- */

enum { ROUNDS = 1000 };

static int add_to_all(void *args, size_t size)
{
    mproc_array *array = args;
    void *data;
    MUST(size == sizeof *array);
    for (int round = 0; round < ROUNDS; round++) {
        MUST(mproc_array_acquire(*array, MPROC_FOREVER, &data) == MPROC_OK);
        int *element = data;
        for (int i = 1; i < TEN; i++)
            MUST(element[i] == element[0] + i);
        for (int i = 0; i < TEN; i++)
            element[i]++;
        MUST(mproc_array_release(*array) == MPROC_OK);
    }
    return 0;
}

static void processes_and_threads_add_under_the_lock(void **state)
{
    (void)state;
    for (kind which = OWN; which < KINDS; which++) {
        crew everyone;
        mproc_array_options options = with_lock(which);
        mproc_array array = new_array(sizeof(int), TEN, digits, &options);
        start_everybody(&everyone, add_to_all, &array, sizeof array);
        crew_join(&everyone);
        assert_int_equal(*(int *)mproc_array_at(array, 9), 9 + ROUNDS * EVERYBODY);
        OK(mproc_array_destroy(array));
        drop_lock(&options);
    }
}

enum { SLICE = 300 };

static int set_slices(void *args, size_t size)
{
    mproc_array *array = args;
    short items[SLICE];
    MUST(size == sizeof *array);
    for (short round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SLICE; i++)
            items[i] = round;
        MUST(mproc_array_set_range(*array, 50, SLICE, items) == MPROC_OK);
        MUST(mproc_array_get_range(*array, 50, SLICE, items) == MPROC_OK);
        for (int i = 1; i < SLICE; i++)
            MUST(items[i] == items[0]);
    }
    return 0;
}

static void a_range_is_one_step(void **state)
{
    (void)state;
    for (kind which = OWN; which < KINDS; which++) {
        crew everyone;
        mproc_array_options options = with_lock(which);
        mproc_array array = new_array(sizeof(short), 400, NULL, &options);
        start_everybody(&everyone, set_slices, &array, sizeof array);
        crew_join(&everyone);
        const short *items = mproc_array_data(array);
        assert_true(items[49] == 0 && items[50] == ROUNDS - 1 && items[350] == 0);
        OK(mproc_array_destroy(array));
        drop_lock(&options);
    }
}

static void an_unlocked_array_has_no_lock_to_take(void **state)
{
    (void)state;
    int got[2] = {0};
    mproc_array array =
        new_array(sizeof(int), TEN, digits, &(mproc_array_options){.unlocked = true});
    assert_int_equal(mproc_array_acquire(array, 0, NULL), MPROC_ESTATE);
    assert_int_equal(mproc_array_release(array), MPROC_ESTATE);
    assert_int_equal(mproc_array_mark_consistent(array), MPROC_ESTATE);
    OK(mproc_array_get_range(array, 8, 2, got));
    assert_true(got[0] == 8 && got[1] == 9);
    OK(mproc_array_set_range(array, 0, 2, got));
    assert_int_equal(*(int *)mproc_array_at(array, 1), 9);
    OK(mproc_array_destroy(array));
}

typedef struct scene {
    mproc_array array;
    mproc_event held;
} scene;

static int die_holding(void *args, size_t size)
{
    scene *it = args;
    void *data;
    MUST(size == sizeof *it);
    MUST(mproc_array_acquire(it->array, MPROC_FOREVER, &data) == MPROC_OK);
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
    MUST(mproc_array_acquire(it->array, SOON, &data) == MPROC_EOWNERDEAD);
    MUST(data == mproc_array_data(it->array) && *(int *)data == 42);
    MUST(mproc_array_release(it->array) == MPROC_OK);
    return 0;
}

static void a_holder_that_died_is_told_until_it_is_marked_consistent(void **state)
{
    (void)state;
    for (kind which = OWN; which < KINDS; which++) {
        crew everyone;
        int item = 0;
        mproc_array_options options = with_lock(which);
        scene it = {.array = new_array(sizeof(int), TEN, digits, &options)};
        OK(mproc_event_create(&it.held));
        mproc_process *victim = start_process(die_holding, &it, sizeof it);
        OK(mproc_event_wait(it.held, SOON));
        start_everybody(&everyone, acquire_after_dead, &it, sizeof it);
        end_process(victim);
        crew_join(&everyone);

        assert_int_equal(mproc_array_get_range(it.array, 0, 1, &item), MPROC_EOWNERDEAD);
        assert_int_equal(item, 42);
        assert_int_equal(mproc_array_set_range(it.array, 1, 1, &item), MPROC_EOWNERDEAD);
        assert_int_equal(mproc_array_acquire(it.array, 0, NULL), MPROC_EOWNERDEAD);
        OK(mproc_array_mark_consistent(it.array));
        OK(mproc_array_release(it.array));
        OK(mproc_array_get_range(it.array, 1, 1, &item));
        assert_int_equal(item, 42);
        OK(mproc_array_destroy(it.array));
        OK(mproc_event_destroy(it.held));
        drop_lock(&options);
    }
}

static int wait_until_destroyed(void *args, size_t size)
{
    scene *it = args;
    int item = 5;
    MUST(size == sizeof *it);
    MUST(mproc_event_set(it->held) == MPROC_OK);
    MUST(mproc_array_get_range(it->array, 0, 1, &item) == MPROC_ESTALE);
    MUST(item == 5);
    return 0;
}

static void who_waits_for_an_array_that_is_destroyed_finds_it_gone(void **state)
{
    (void)state;
    crew everyone;
    scene it = {.array = new_array(sizeof(int), TEN, digits, NULL)};
    OK(mproc_event_create(&it.held));
    OK(mproc_array_acquire(it.array, 0, NULL));
    start_everybody(&everyone, wait_until_destroyed, &it, sizeof it);
    OK(mproc_event_wait(it.held, SOON));
    OK(mproc_array_destroy(it.array));
    crew_join(&everyone);
    OK(mproc_event_destroy(it.held));
}

/* ---- bad input ---- */

static void creation_refuses_what_makes_no_sense(void **state)
{
    (void)state;
    mproc_array array = {77};
    const mproc_array_options unknown = {.typecode = 'x'}, numbers = {.typecode = 'i'};
    assert_int_equal(mproc_array_create(NULL, 4, 4, NULL, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_array_create(&array, 0, 4, NULL, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_array_create(&array, 4, 4, NULL, &unknown), MPROC_EINVAL);
    assert_int_equal(mproc_array_create(&array, 2, 4, NULL, &numbers), MPROC_EINVAL);
    assert_int_equal(mproc_array_create(&array, 2, SIZE_MAX / 2 + 1, NULL, NULL), MPROC_ENOMEM);
    assert_int_equal(mproc_array_create(&array, SIZE_MAX, SIZE_MAX, NULL, NULL), MPROC_ENOMEM);
    assert_int_equal(mproc_array_create(&array, SIZE_MAX / 16, 16, NULL, NULL), MPROC_ENOMEM);
    assert_int_equal(mproc_array_create(&array, 0, SIZE_MAX, NULL, &numbers), MPROC_ENOMEM);
    assert_true(array.id == 77);
}

static void nothing_beyond_the_bounds_is_touched(void **state)
{
    (void)state;
    int items[TEN + 1] = {77};
    static const struct {
        size_t first, count;
    } wrong[] = {{0, TEN + 1},  {TEN, 1},          {TEN + 1, 0},
                 {9, 2},        {SIZE_MAX, 1},     {1, SIZE_MAX},
                 {SIZE_MAX, 0}, {5, SIZE_MAX - 4}, {SIZE_MAX / 4 + 1, 1}};
    mproc_array array = new_array(sizeof(int), TEN, digits, NULL);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(mproc_array_get_range(array, wrong[i].first, wrong[i].count, items),
                         MPROC_ERANGE);
        assert_int_equal(mproc_array_set_range(array, wrong[i].first, wrong[i].count, items),
                         MPROC_ERANGE);
    }
    assert_int_equal(items[0], 77);
    assert_memory_equal(mproc_array_data(array), digits, sizeof digits);
    assert_null(mproc_array_at(array, TEN));
    assert_null(mproc_array_at(array, SIZE_MAX));
    assert_ptr_equal(mproc_array_at(array, 9), (int *)mproc_array_data(array) + 9);
    assert_int_equal(mproc_array_get_range(array, 0, 1, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_array_set_range(array, 0, 1, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_array_acquire(array, -2, NULL), MPROC_EINVAL);
    OK(mproc_array_destroy(array));
}

static void expect_no_array(uint64_t id)
{
    const mproc_array array = {id};
    int item = 5;
    void *data = &item;
    if (mproc_array_acquire(array, 0, &data) != MPROC_ESTALE ||
        mproc_array_release(array) != MPROC_ESTALE ||
        mproc_array_mark_consistent(array) != MPROC_ESTALE ||
        mproc_array_get_range(array, 0, 1, &item) != MPROC_ESTALE ||
        mproc_array_set_range(array, 0, 1, &item) != MPROC_ESTALE ||
        mproc_array_destroy(array) != MPROC_ESTALE || mproc_array_data(array) ||
        mproc_array_at(array, 0) || mproc_array_count(array) || mproc_array_item_size(array) ||
        item != 5 || data != &item)
        fail_msg("%llx is taken for an array", (unsigned long long)id);
}

static void a_handle_that_names_no_array_is_stale(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252;
    mproc_array array = new_array(1, 1, NULL, NULL);
    mproc_value value;
    OK(mproc_value_create(&value, 4, NULL, NULL));
    expect_no_array(0);
    expect_no_array(value.id);
    for (int i = 0; i < FORGERIES; i++)
        expect_no_array(forge(&seed, array.id));
    OK(mproc_array_destroy(array));
    expect_no_array(array.id);
    OK(mproc_value_destroy(value));
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_begins_with_what_it_is_given),
        cmocka_unit_test(an_array_is_zeroed_even_when_its_memory_is_used_again),
        cmocka_unit_test(a_child_changes_its_parents_array),
        cmocka_unit_test(ranges_are_slices),
        cmocka_unit_test(structs_are_elements),
        cmocka_unit_test(an_array_may_have_no_elements),
        cmocka_unit_test(processes_and_threads_add_under_the_lock),
        cmocka_unit_test(a_range_is_one_step),
        cmocka_unit_test(an_unlocked_array_has_no_lock_to_take),
        cmocka_unit_test(a_holder_that_died_is_told_until_it_is_marked_consistent),
        cmocka_unit_test(who_waits_for_an_array_that_is_destroyed_finds_it_gone),
        cmocka_unit_test(creation_refuses_what_makes_no_sense),
        cmocka_unit_test(nothing_beyond_the_bounds_is_touched),
        cmocka_unit_test(a_handle_that_names_no_array_is_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
