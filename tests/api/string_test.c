/* Shared strings: what is got is one whole text, whoever is killed while setting one. */
#include "data_support.h"

static mproc_string new_string(size_t capacity, const char *initial)
{
    mproc_string string = {0};
    OK(mproc_string_create(&string, capacity, initial));
    return string;
}

static void expect_text(mproc_string string, const char *text)
{
    char buffer[200];
    size_t length = 77;
    OK(mproc_string_get(string, buffer, sizeof buffer, &length));
    assert_string_equal(buffer, text);
    assert_int_equal(length, strlen(text));
}

/* ---- one at a time ---- */

static void a_string_begins_with_its_text(void **state)
{
    (void)state;
    mproc_string string = new_string(20, "Hello World"), empty = new_string(1, NULL);
    assert_int_equal(mproc_string_capacity(string), 20);
    expect_text(string, "Hello World");
    assert_int_equal(mproc_string_capacity(empty), 1);
    expect_text(empty, "");
    OK(mproc_string_set(empty, ""));
    expect_text(empty, "");
    OK(mproc_string_destroy(string));
    OK(mproc_string_destroy(empty));
}

static void texts_of_every_length_replace_each_other(void **state)
{
    (void)state;
    enum { CAPACITY = 71 };
    char text[CAPACITY] = "", buffer[CAPACITY];
    mproc_string string = new_string(CAPACITY, NULL);
    for (size_t round = 0; round < 3; round++) {
        for (size_t length = 0; length < CAPACITY; length++) {
            size_t got = 0;
            memset(text, (int)('a' + (length + round) % 26), length);
            text[length] = '\0';
            OK(mproc_string_set(string, text));
            OK(mproc_string_get(string, buffer, length + 1, &got));
            assert_int_equal(got, length);
            assert_string_equal(buffer, text);
        }
    }
    OK(mproc_string_destroy(string));
}

static int answer(void *args, size_t size)
{
    mproc_string *string = args;
    char text[100];
    MUST(size == sizeof *string);
    MUST(mproc_string_get(*string, text, sizeof text, NULL) == MPROC_OK);
    MUST(!strcmp(text, "Hello World"));
    MUST(mproc_string_set(*string, "a longer text than the first one") == MPROC_OK);
    return 0;
}

static void a_child_replaces_its_parents_text(void **state)
{
    (void)state;
    mproc_string string = new_string(100, "Hello World");
    assert_int_equal(run_process(answer, &string, sizeof string), 0);
    expect_text(string, "a longer text than the first one");
    OK(mproc_string_destroy(string));
}

static void a_text_that_is_too_long_changes_nothing(void **state)
{
    (void)state;
    mproc_string string = new_string(8, "1234567");
    assert_int_equal(mproc_string_set(string, "12345678"), MPROC_EMSGSIZE);
    expect_text(string, "1234567");
    OK(mproc_string_set(string, "7654321"));
    expect_text(string, "7654321");
    OK(mproc_string_destroy(string));
}

static void a_buffer_that_is_too_small_is_told_the_size_it_needs(void **state)
{
    (void)state;
    char buffer[8] = "before";
    size_t length = 0;
    mproc_string string = new_string(100, "1234567");
    assert_int_equal(mproc_string_get(string, buffer, 7, &length), MPROC_EMSGSIZE);
    assert_int_equal(length, 8);
    assert_string_equal(buffer, "before");
    length = 0;
    assert_int_equal(mproc_string_get(string, NULL, 0, &length), MPROC_EMSGSIZE);
    assert_int_equal(length, 8);
    assert_int_equal(mproc_string_get(string, buffer, 1, NULL), MPROC_EMSGSIZE);
    OK(mproc_string_get(string, buffer, length, &length));
    assert_string_equal(buffer, "1234567");
    assert_int_equal(length, 7);
    OK(mproc_string_destroy(string));
}

static void a_string_is_empty_even_when_its_memory_is_used_again(void **state)
{
    (void)state;
    static char text[3000000];
    memset(text, 'x', sizeof text - 1);
    for (size_t capacity = 1; capacity <= sizeof text; capacity = capacity * 5 + 1) {
        for (int round = 0; round < 3; round++) {
            mproc_string string = new_string(capacity, NULL);
            expect_text(string, "");
            OK(mproc_string_set(string, text + sizeof text - capacity));
            OK(mproc_string_set(string, text + sizeof text - capacity));
            OK(mproc_string_destroy(string));
        }
    }
}

/* ---- many at once ---- */

enum { CAPACITY = 2000, ROUNDS = 3000 };

/* A text of one letter, whose length follows from it. */
static size_t length_for(char letter)
{
    return (size_t)(letter - 'a') * 70 + 1;
}

static bool is_whole(const char *text, size_t length)
{
    if (*text < 'a' || *text > 'z' || length != length_for(*text) || text[length])
        return false;
    for (size_t i = 1; i < length; i++) {
        if (text[i] != *text)
            return false;
    }
    return true;
}

static int set_letter(mproc_string string, int number)
{
    char text[CAPACITY], letter = (char)('a' + number % 26);
    memset(text, letter, length_for(letter));
    text[length_for(letter)] = '\0';
    return mproc_string_set(string, text);
}

static int set_and_get(void *args, size_t size)
{
    mproc_string *string = args;
    char text[CAPACITY];
    size_t length;
    MUST(size == sizeof *string);
    for (int i = 0; i < ROUNDS; i++) {
        MUST(set_letter(*string, i * 7) == MPROC_OK);
        MUST(mproc_string_get(*string, text, sizeof text, &length) == MPROC_OK);
        MUST(is_whole(text, length));
    }
    return 0;
}

static void no_getter_sees_a_mixture(void **state)
{
    (void)state;
    crew everyone;
    mproc_string string = new_string(CAPACITY, "a");
    start_everybody(&everyone, set_and_get, &string, sizeof string);
    crew_join(&everyone);
    OK(mproc_string_destroy(string));
}

typedef struct scene {
    mproc_string string;
    mproc_value sets; /* so many have been done */
    mproc_event over;
} scene;

static int set_for_ever(void *args, size_t size)
{
    scene *it = args;
    MUST(size == sizeof *it);
    for (int i = 0;; i++) {
        MUST(set_letter(it->string, i) == MPROC_OK);
        atomic_fetch_add((_Atomic int *)mproc_value_data(it->sets), 1);
    }
}

static int get_until_over(void *args, size_t size)
{
    scene *it = args;
    char text[CAPACITY];
    size_t length;
    MUST(size == sizeof *it);
    while (!mproc_event_is_set(it->over)) {
        MUST(mproc_string_get(it->string, text, sizeof text, &length) == MPROC_OK);
        MUST(is_whole(text, length));
    }
    return 0;
}

static void a_setter_that_is_killed_leaves_a_whole_text_and_stops_nobody(void **state)
{
    (void)state;
    const int kills = mproc_get_start_method() == MPROC_FORK ? 40 : 10;
    crew everyone;
    char text[CAPACITY];
    size_t length;
    scene it = {.string = new_string(CAPACITY, "a")};
    OK(mproc_value_create(&it.sets, sizeof(int), NULL, NULL));
    OK(mproc_event_create(&it.over));
    start_everybody(&everyone, get_until_over, &it, sizeof it);
    _Atomic int *sets = mproc_value_data(it.sets);
    for (int i = 0; i < kills; i++) {
        const int64_t end = host_now() + SOON;
        atomic_store(sets, 0);
        mproc_process *victim = start_process(set_for_ever, &it, sizeof it);
        while (atomic_load(sets) < 10 + i * 13 && host_now() < end) {
        }
        end_process(victim);
        OK(mproc_string_get(it.string, text, sizeof text, &length));
        assert_true(is_whole(text, length));
        OK(set_letter(it.string, i));
    }
    OK(mproc_event_set(it.over));
    crew_join(&everyone);
    OK(mproc_event_destroy(it.over));
    OK(mproc_value_destroy(it.sets));
    OK(mproc_string_destroy(it.string));
}

static int use_until_destroyed(void *args, size_t size)
{
    scene *it = args;
    mproc_err err;
    char text[CAPACITY];
    size_t length;
    MUST(size == sizeof *it);
    atomic_fetch_add((_Atomic int *)mproc_value_data(it->sets), 1);
    for (int i = 0; !(err = set_letter(it->string, i)); i++) {
        err = mproc_string_get(it->string, text, sizeof text, &length);
        if (err)
            break;
        MUST(is_whole(text, length));
    }
    return err == MPROC_ESTALE ? 0 : 1;
}

static void a_string_may_be_destroyed_while_others_use_it(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        crew everyone;
        scene it = {.string = new_string(CAPACITY, "a")};
        OK(mproc_value_create(&it.sets, sizeof(int), NULL, NULL));
        _Atomic int *users = mproc_value_data(it.sets);
        start_everybody(&everyone, use_until_destroyed, &it, sizeof it);
        const int64_t end = host_now() + SOON;
        while (atomic_load(users) < EVERYBODY && host_now() < end)
            host_nap(1);
        OK(mproc_string_destroy(it.string));
        /* What is there now is not written to by those who come too late. */
        mproc_array later;
        OK(mproc_array_create(&later, 1, (size_t)2 * CAPACITY, NULL, NULL));
        crew_join(&everyone);
        const char *bytes = mproc_array_data(later);
        for (size_t at = 0; at < (size_t)2 * CAPACITY; at++)
            assert_int_equal(bytes[at], 0);
        OK(mproc_array_destroy(later));
        OK(mproc_value_destroy(it.sets));
    }
}

/* ---- bad input ---- */

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    char buffer[10];
    mproc_string string = {77};
    assert_int_equal(mproc_string_create(NULL, 10, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_string_create(&string, 0, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_string_create(&string, 0, ""), MPROC_EINVAL);
    assert_int_equal(mproc_string_create(&string, 3, "abc"), MPROC_EMSGSIZE);
    assert_int_equal(mproc_string_create(&string, SIZE_MAX, "abc"), MPROC_ENOMEM);
    assert_int_equal(mproc_string_create(&string, SIZE_MAX / 2, NULL), MPROC_ENOMEM);
    assert_int_equal(mproc_string_create(&string, SIZE_MAX / 8, NULL), MPROC_ENOMEM);
    assert_true(string.id == 77);
    OK(mproc_string_create(&string, 10, "abc"));
    assert_int_equal(mproc_string_set(string, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_string_get(string, NULL, 10, NULL), MPROC_EINVAL);
    OK(mproc_string_get(string, buffer, sizeof buffer, NULL));
    OK(mproc_string_destroy(string));
}

static void expect_no_string(uint64_t id)
{
    const mproc_string string = {id};
    char text[10] = "before";
    size_t length = 77;
    if (mproc_string_get(string, text, sizeof text, &length) != MPROC_ESTALE ||
        mproc_string_set(string, text) != MPROC_ESTALE ||
        mproc_string_destroy(string) != MPROC_ESTALE || mproc_string_capacity(string) ||
        length != 77)
        fail_msg("%llx is taken for a string", (unsigned long long)id);
}

static void a_handle_that_names_no_string_is_stale(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252;
    mproc_string string = new_string(100, NULL);
    mproc_value value;
    OK(mproc_value_create(&value, 4, NULL, NULL));
    expect_no_string(0);
    expect_no_string(value.id);
    for (int i = 0; i < FORGERIES; i++)
        expect_no_string(forge(&seed, string.id));
    OK(mproc_string_destroy(string));
    expect_no_string(string.id);
    OK(mproc_value_destroy(value));
}

static void a_full_arena_is_an_error_and_ends_empty(void **state)
{
    (void)state;
    enum { MOST = 1000 };
    static mproc_string made[MOST];
    int counts[2];
    for (int round = 0; round < 2; round++) {
        int count = 0;
        while (count < MOST && !mproc_string_create(&made[count], 300000, "text"))
            count++;
        counts[round] = count;
        assert_int_equal(mproc_string_create(&made[MOST - 1], 300000, NULL), MPROC_ENOMEM);
        OK(mproc_string_set(made[count - 1], "a set needs no memory"));
        expect_text(made[count - 1], "a set needs no memory");
        for (int i = 0; i < count; i++)
            OK(mproc_string_destroy(made[i]));
    }
    assert_true(counts[0] > 20 && counts[0] < MOST);
    assert_int_equal(counts[0], counts[1]);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_begins_with_its_text),
        cmocka_unit_test(texts_of_every_length_replace_each_other),
        cmocka_unit_test(a_child_replaces_its_parents_text),
        cmocka_unit_test(a_text_that_is_too_long_changes_nothing),
        cmocka_unit_test(a_buffer_that_is_too_small_is_told_the_size_it_needs),
        cmocka_unit_test(a_string_is_empty_even_when_its_memory_is_used_again),
        cmocka_unit_test(no_getter_sees_a_mixture),
        cmocka_unit_test(a_setter_that_is_killed_leaves_a_whole_text_and_stops_nobody),
        cmocka_unit_test(a_string_may_be_destroyed_while_others_use_it),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_handle_that_names_no_string_is_stale),
        cmocka_unit_test(a_full_arena_is_an_error_and_ends_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
