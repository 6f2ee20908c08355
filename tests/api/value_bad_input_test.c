/* Values: type codes, what makes no sense, handles that name none, and a full arena. */
#include <wchar.h>

#include "data_support.h"

static mproc_value new_value(size_t size, const void *initial, const mproc_value_options *options)
{
    mproc_value value = {0};
    OK(mproc_value_create(&value, size, initial, options));
    return value;
}

static void type_codes_have_the_sizes_of_their_types(void **state)
{
    (void)state;
    static const struct {
        char code;
        size_t size;
    } types[] = {{'c', 1},
                 {'b', 1},
                 {'B', 1},
                 {'?', sizeof(bool)},
                 {'h', sizeof(short)},
                 {'H', sizeof(unsigned short)},
                 {'i', sizeof(int)},
                 {'I', sizeof(unsigned)},
                 {'l', sizeof(long)},
                 {'L', sizeof(unsigned long)},
                 {'q', sizeof(long long)},
                 {'Q', sizeof(unsigned long long)},
                 {'f', sizeof(float)},
                 {'d', sizeof(double)},
                 {'u', sizeof(wchar_t)}};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const mproc_value_options options = {.typecode = types[i].code};
        assert_int_equal(mproc_typecode_size(types[i].code), types[i].size);
        mproc_value value = new_value(0, NULL, &options);
        assert_int_equal(mproc_value_size(value), types[i].size);
        OK(mproc_value_destroy(value));
        value = new_value(types[i].size, NULL, &options);
        OK(mproc_value_destroy(value));
        assert_int_equal(mproc_value_create(&value, types[i].size + 1, NULL, &options),
                         MPROC_EINVAL);
    }
    for (int code = -128; code < 128; code++) {
        bool known = code && strchr("cbB?hHiIlLqQfdu", code);
        assert_int_equal(mproc_typecode_size((char)code) != 0, known);
    }
}

static void creation_refuses_what_makes_no_sense(void **state)
{
    (void)state;
    mproc_value value = {77};
    mproc_lock lock, gone;
    mproc_rlock rlock;
    OK(mproc_lock_create(&lock));
    OK(mproc_rlock_create(&rlock));
    OK(mproc_lock_create(&gone));
    OK(mproc_lock_destroy(gone));
    const mproc_value_options wrong[] = {{.typecode = 'x'},
                                         {.typecode = 'i'},
                                         {.lock = lock, .rlock = rlock},
                                         {.lock = lock, .unlocked = true},
                                         {.rlock = rlock, .unlocked = true}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(mproc_value_create(&value, 3, NULL, &wrong[i]), MPROC_EINVAL);
    const mproc_value_options stale[] = {{.lock = gone},
                                         {.lock = {rlock.id}},
                                         {.rlock = {lock.id}},
                                         {.lock = {UINT64_MAX}},
                                         {.rlock = {1}}};
    for (size_t i = 0; i < COUNT_OF(stale); i++)
        assert_int_equal(mproc_value_create(&value, 3, NULL, &stale[i]), MPROC_ESTALE);
    assert_int_equal(mproc_value_create(&value, 0, NULL, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_value_create(NULL, 3, NULL, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_value_create(&value, SIZE_MAX, NULL, NULL), MPROC_ENOMEM);
    assert_int_equal(mproc_value_create(&value, SIZE_MAX / 2, NULL, NULL), MPROC_ENOMEM);
    assert_true(value.id == 77);
    OK(mproc_lock_destroy(lock));
    OK(mproc_rlock_destroy(rlock));
}

static void get_and_set_want_the_right_size(void **state)
{
    (void)state;
    long long number = 5;
    mproc_value value = new_value(sizeof number, &number, NULL);
    number = 6;
    assert_int_equal(mproc_value_set(value, &number, 4), MPROC_EINVAL);
    assert_int_equal(mproc_value_set(value, &number, 9), MPROC_EINVAL);
    assert_int_equal(mproc_value_set(value, NULL, sizeof number), MPROC_EINVAL);
    assert_int_equal(mproc_value_get(value, &number, 0), MPROC_EINVAL);
    assert_int_equal(mproc_value_get(value, NULL, sizeof number), MPROC_EINVAL);
    assert_true(number == 6);
    OK(mproc_value_get(value, &number, sizeof number));
    assert_true(number == 5);
    assert_int_equal(mproc_value_acquire(value, -2, NULL), MPROC_EINVAL);
    OK(mproc_value_destroy(value));
}

static void expect_no_value(uint64_t id)
{
    const mproc_value value = {id};
    int number = 5;
    void *data = &number;
    if (mproc_value_acquire(value, 0, &data) != MPROC_ESTALE ||
        mproc_value_release(value) != MPROC_ESTALE ||
        mproc_value_mark_consistent(value) != MPROC_ESTALE ||
        mproc_value_get(value, &number, sizeof number) != MPROC_ESTALE ||
        mproc_value_set(value, &number, sizeof number) != MPROC_ESTALE ||
        mproc_value_destroy(value) != MPROC_ESTALE || mproc_value_data(value) ||
        mproc_value_size(value) || number != 5 || data != &number)
        fail_msg("%llx is taken for a value", (unsigned long long)id);
}

static void a_handle_that_names_no_value_is_stale(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252;
    mproc_value value = new_value(sizeof(int), NULL, NULL), gone = new_value(1, NULL, NULL);
    mproc_lock lock;
    mproc_array array;
    mproc_string string;
    OK(mproc_value_destroy(gone));
    OK(mproc_lock_create(&lock));
    OK(mproc_array_create(&array, 4, 4, NULL, NULL));
    OK(mproc_string_create(&string, 10, NULL));
    const uint64_t others[] = {0,          1,
                               UINT64_MAX, value.id + (UINT64_C(1) << 36),
                               gone.id,    lock.id,
                               array.id,   value.id ^ UINT64_C(1) << 63,
                               string.id,  value.id & UINT32_MAX};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        expect_no_value(others[i]);
    for (int i = 0; i < FORGERIES; i++)
        expect_no_value(forge(&seed, value.id));
    assert_int_equal(mproc_lock_acquire((mproc_lock){value.id}, 0), MPROC_ESTALE);
    OK(mproc_value_destroy(value));
    expect_no_value(value.id);
    OK(mproc_lock_destroy(lock));
    OK(mproc_array_destroy(array));
    OK(mproc_string_destroy(string));
}

/* ---- memory ---- */

/* How many of that size there is room for. */
static int fill(size_t size)
{
    enum { MOST = 4096 };
    static mproc_value made[MOST];
    int count = 0, last = MPROC_OK;
    while (count < MOST && (last = mproc_value_create(&made[count], size, NULL, NULL)) == MPROC_OK)
        count++;
    assert_int_equal(last, MPROC_ENOMEM);
    for (int i = 0; i < count; i++)
        OK(mproc_value_destroy(made[i]));
    return count;
}

static void use_all_sizes(void)
{
    enum { MANY = 300 };
    uint64_t seed = 362436069;
    mproc_value values[MANY];
    mproc_array arrays[MANY];
    mproc_string strings[MANY];
    for (int i = 0; i < MANY; i++) {
        size_t size = (size_t)(next_random(&seed) % 65536) >> next_random(&seed) % 16;
        values[i] = new_value(size + 1, NULL, NULL);
        OK(mproc_array_create(&arrays[i], 3, size, NULL, NULL));
        OK(mproc_string_create(&strings[i], size + 1, NULL));
    }
    for (int i = 0; i < MANY; i++) {
        OK(mproc_value_destroy(values[(i * 7) % MANY]));
        OK(mproc_string_destroy(strings[i]));
        OK(mproc_array_destroy(arrays[MANY - 1 - i]));
    }
}

static void a_full_arena_is_an_error_and_ends_empty(void **state)
{
    (void)state;
    const size_t span = 65536; /* what the heap is made of: none of them may be left over */
    use_all_sizes();
    int room = fill(span);
    assert_true(room > 1000);
    use_all_sizes();
    assert_int_equal(fill(span), room);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_codes_have_the_sizes_of_their_types),
        cmocka_unit_test(creation_refuses_what_makes_no_sense),
        cmocka_unit_test(get_and_set_want_the_right_size),
        cmocka_unit_test(a_handle_that_names_no_value_is_stale),
        cmocka_unit_test(a_full_arena_is_an_error_and_ends_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
