#include "roles.h"

#include <string.h>

enum { SIZE = 100000 };

/* Windows keeps a segment by its users alone. */
static bool has_unlink(void)
{
    return os_can_start(MPROC_FORK);
}

static const char *name_of_test(void)
{
    static char name[64];
    snprintf(name, sizeof name, "test_mproc_os_%lld", (long long)os_getpid());
    return name;
}

/* Another program, which looks for its own dead, may be changing something there: then once more. */
static bool is_disturbed(mproc_err err, int64_t until)
{
    const bool again = err == MPROC_ETIMEDOUT && os_now() < until;
    if (again)
        os_yield();
    return again;
}

#define PATIENT(name, parameters, arguments)                                                       \
    static mproc_err patient_##name parameters                                                     \
    {                                                                                              \
        const int64_t until = soon();                                                              \
        mproc_err err;                                                                             \
        do {                                                                                       \
            err = os_segment_##name arguments;                                                     \
        } while (is_disturbed(err, until));                                                        \
        return err;                                                                                \
    }
PATIENT(create, (os_segment * segment, const char *name, uint64_t size), (segment, name, size))
PATIENT(settle, (const char *name), (name))
PATIENT(open, (os_segment * segment, const char *name, uint64_t least), (segment, name, least))
PATIENT(unlink, (const os_segment *segment), (segment))
PATIENT(keep, (const os_segment *segment, bool forced), (segment, forced))

static void create(os_segment *segment)
{
    assert_int_equal(patient_create(segment, name_of_test(), SIZE), MPROC_OK);
}

static void drop(os_segment *segment)
{
    assert_int_equal(patient_unlink(segment), MPROC_OK);
    os_segment_close(segment);
}

static void assert_is_gone(void)
{
    os_segment segment = {.size = 5};
    assert_int_equal(patient_settle(name_of_test()), MPROC_OK);
    assert_int_equal(patient_open(&segment, name_of_test(), 0), MPROC_ENOENT);
    assert_int_equal(segment.size, 5);
}

static os_process start_with_name(const char *part, const os_handle *handles, size_t count)
{
    char text[100];
    snprintf(text, sizeof text, "%s/%s", part, name_of_test());
    return start_role(text, handles, count);
}

static void a_new_one_is_zeroed(void **state)
{
    (void)state;
    os_segment segment;
    create(&segment);
    assert_int_equal(segment.size, SIZE);
    assert_string_equal(segment.name, name_of_test());
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(segment.base[i], 0);
    memset(segment.base, 1, SIZE);
    drop(&segment);
    create(&segment);
    assert_int_equal(segment.base[SIZE - 1], 0);
    drop(&segment);
}

static void two_uses_show_the_same_bytes(void **state)
{
    (void)state;
    os_segment segment, other;
    create(&segment);
    assert_int_equal(patient_open(&other, name_of_test(), SIZE), MPROC_OK);
    assert_true(other.size == SIZE || (other.size > SIZE && other.size % 4096 == 0));
    assert_ptr_not_equal(other.base, segment.base);
    other.base[SIZE - 1] = 9;
    assert_int_equal(segment.base[SIZE - 1], 9);
    os_segment_close(&other);
    assert_int_equal(segment.base[SIZE - 1], 9);
    drop(&segment);
}

static void a_name_in_use_is_told_from_one_that_is_not_there(void **state)
{
    (void)state;
    os_segment segment, other = {.size = 5};
    assert_is_gone();
    create(&segment);
    segment.base[0] = 3;
    assert_int_equal(patient_create(&other, name_of_test(), SIZE), MPROC_EEXIST);
    assert_int_equal(patient_create(&other, name_of_test(), SIZE), MPROC_EEXIST);
    assert_int_equal(other.size, 5);
    assert_int_equal(patient_open(&other, name_of_test(), 0), MPROC_OK);
    assert_int_equal(other.base[0], 3);
    os_segment_close(&other);
    drop(&segment);
    assert_is_gone();
}

static void too_small_is_out_of_range(void **state)
{
    (void)state;
    os_segment segment, other = {.size = 5};
    create(&segment);
    assert_int_equal(patient_open(&other, name_of_test(), 2 * SIZE), MPROC_ERANGE);
    assert_int_equal(patient_open(&other, name_of_test(), UINT64_MAX), MPROC_ERANGE);
    assert_int_equal(other.size, 5);
    drop(&segment);
}

static void more_than_there_is_is_out_of_memory(void **state)
{
    (void)state;
    const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX / 2, UINT64_MAX / 2 + 2, UINT64_C(1) << 62,
                              UINT64_C(1) << 47};
    os_segment segment = {.size = 5};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(patient_create(&segment, name_of_test(), sizes[i]), MPROC_ENOMEM);
        assert_int_equal(segment.size, 5);
        assert_is_gone();
    }
}

static void names_are_the_systems(void **state)
{
    (void)state;
    char longest[OS_SEGMENT_NAME];
    os_segment segment;
    assert_true(os_segment_longest >= 30 && os_segment_longest < OS_SEGMENT_NAME);
    assert_true(os_segment_allows(name_of_test()));
    assert_true(os_segment_allows("ein Name, m\xc3\xb6glicherweise"));
    assert_int_equal(os_segment_allows("a/b"), !has_unlink());
    assert_int_equal(os_segment_allows(".."), !has_unlink());
    assert_int_equal(os_segment_allows("a\\b"), has_unlink());
    assert_int_equal(os_segment_allows("mproc-0123456789abcdef"), !has_unlink());
    assert_true(os_segment_allows("mproc-0123456789abcde"));
    assert_true(os_segment_allows("Local\\mproc"));
    memset(longest, 'x', os_segment_longest);
    longest[os_segment_longest] = '\0';
    memcpy(longest, name_of_test(), strlen(name_of_test()));
    assert_int_equal(patient_create(&segment, longest, 1), MPROC_OK);
    assert_string_equal(segment.name, longest);
    drop(&segment);
}

static void an_unlinked_one_goes_on_without_its_name(void **state)
{
    (void)state;
    os_segment old, fresh, other;
    if (!has_unlink())
        skip();
    create(&old);
    assert_int_equal(patient_open(&other, name_of_test(), 0), MPROC_OK);
    assert_int_equal(patient_unlink(&other), MPROC_OK);
    assert_int_equal(patient_unlink(&old), MPROC_ENOENT);
    assert_is_gone();
    create(&fresh);
    other.base[0] = 1;
    assert_int_equal(old.base[0], 1);
    assert_int_equal(fresh.base[0], 0);
    /* What is done to the old one is not done to the new one of its name. */
    assert_int_equal(patient_unlink(&old), MPROC_ENOENT);
    patient_keep(&old, false);
    os_segment_close(&old);
    os_segment_close(&other);
    os_segment_sweep();
    assert_int_equal(patient_open(&other, name_of_test(), SIZE), MPROC_OK);
    os_segment_close(&other);
    drop(&fresh);
    assert_is_gone();
}

/* ---- those who end ---- */

static int play_creator(const os_entry *entry, const char *argument)
{
    (void)entry;
    os_segment segment;
    CHECK(patient_create(&segment, argument, SIZE) == MPROC_OK);
    return 7;
}

static int play_keeper(const os_entry *entry, const char *argument)
{
    (void)entry;
    os_segment segment;
    CHECK(patient_create(&segment, argument, SIZE) == MPROC_OK);
    segment.base[9] = 9;
    CHECK(patient_keep(&segment, false) == MPROC_OK);
    os_segment_close(&segment);
    return 7;
}

/* Tells when it has the segment, and ends when told. */
static int play_user(const os_entry *entry, const char *argument)
{
    os_shared shared;
    os_segment segment;
    board *on = find_board(&shared, entry->handles[0]);
    CHECK(on != NULL);
    mproc_err err = patient_open(&segment, argument, SIZE);
    if (err == MPROC_ENOENT)
        err = patient_create(&segment, argument, SIZE);
    CHECK(err == MPROC_OK);
    atomic_store(&on->word[0], 1);
    CHECK(comes_to(&on->word[1], 1));
    return segment.base[1];
}

static void the_dead_are_swept(void **state)
{
    (void)state;
    os_segment segment;
    for (int i = 0; i < 3; i++) {
        os_process child = start_with_name("creator", NULL, 0);
        assert_exits_with(&child, 7);
        if (i == 0)
            os_segment_sweep();
        if (i < 2)
            assert_is_gone();
    }
    create(&segment);
    drop(&segment);
}

static void what_was_kept_stays(void **state)
{
    (void)state;
    os_segment segment;
    if (!has_unlink())
        skip();
    os_process child = start_with_name("keeper", NULL, 0);
    assert_exits_with(&child, 7);
    os_segment_sweep();
    assert_int_equal(patient_create(&segment, name_of_test(), SIZE), MPROC_EEXIST);
    assert_int_equal(patient_open(&segment, name_of_test(), SIZE), MPROC_OK);
    assert_int_equal(segment.base[9], 9);
    drop(&segment);
}

static void what_is_in_use_is_not_swept(void **state)
{
    (void)state;
    os_shared shared;
    os_segment segment;
    board *on = make_board(&shared);
    os_process creator = start_with_name("user", &shared.object, 1);
    assert_true(comes_to(&on->word[0], 1));
    atomic_store(&on->word[0], 0);
    os_process user = start_with_name("user", &shared.object, 1);
    assert_true(comes_to(&on->word[0], 1));
    assert_int_equal(os_process_signal(&creator, true), MPROC_OK);
    assert_was_ended(&creator, true);
    for (int i = 0; i < 3; i++) {
        os_segment_sweep();
        assert_int_equal(patient_create(&segment, name_of_test(), SIZE), MPROC_EEXIST);
        assert_int_equal(patient_open(&segment, name_of_test(), SIZE), MPROC_OK);
        segment.base[1] = 11;
        os_segment_close(&segment);
    }
    atomic_store(&on->word[1], 1);
    assert_exits_with(&user, 11);
    assert_is_gone();
    drop_board(&shared);
}

int main(int argc, char **argv)
{
    static const role roles[] = {
        {"creator", play_creator}, {"keeper", play_keeper}, {"user", play_user}};
    int code;
    if (play_role(argc, argv, roles, sizeof roles / sizeof roles[0], &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_is_zeroed),
        cmocka_unit_test(two_uses_show_the_same_bytes),
        cmocka_unit_test(a_name_in_use_is_told_from_one_that_is_not_there),
        cmocka_unit_test(too_small_is_out_of_range),
        cmocka_unit_test(more_than_there_is_is_out_of_memory),
        cmocka_unit_test(names_are_the_systems),
        cmocka_unit_test(an_unlinked_one_goes_on_without_its_name),
        cmocka_unit_test(the_dead_are_swept),
        cmocka_unit_test(what_was_kept_stays),
        cmocka_unit_test(what_is_in_use_is_not_swept),
    };
    return cmocka_run_group_tests_name("os segment", tests, NULL, NULL);
}
