/* Named shared memory, among programs that are not related and processes that are. */
#include "support.h"

#include <stdlib.h>

enum { SIZE = 5000 };

/* A name of this test program's own. */
static const char *own_name(void)
{
    static char name[64];
    snprintf(name, sizeof name, "test_mproc_%lld", host_pid());
    return name;
}

static mproc_shared_memory *create(const char *name, size_t size)
{
    mproc_shared_memory *memory = NULL;
    assert_int_equal(mproc_shared_memory_create(&memory, name, size), MPROC_OK);
    assert_non_null(memory);
    return memory;
}

static mproc_shared_memory *open_some(const char *name)
{
    mproc_shared_memory *memory = NULL;
    assert_int_equal(mproc_shared_memory_open(&memory, name, 0), MPROC_OK);
    assert_non_null(memory);
    return memory;
}

static unsigned char *bytes_of(const mproc_shared_memory *memory)
{
    return mproc_shared_memory_data(memory);
}

static void drop(mproc_shared_memory *memory)
{
    assert_int_equal(mproc_shared_memory_unlink(memory), MPROC_OK);
    assert_int_equal(mproc_shared_memory_close(memory), MPROC_OK);
}

static mproc_err try_open(const char *name)
{
    mproc_shared_memory *memory = NULL;
    mproc_err err = mproc_shared_memory_open(&memory, name, 0);
    mproc_shared_memory_close(memory);
    return err;
}

static mproc_err try_create(const char *name, size_t size)
{
    mproc_shared_memory *memory = NULL;
    mproc_err err = mproc_shared_memory_create(&memory, name, size);
    if (!err)
        mproc_shared_memory_unlink(memory);
    mproc_shared_memory_close(memory);
    return err;
}

/* ---- programs ---- */

enum { CANNOT_OPEN = 50, OTHER_TEXT, CANNOT_CREATE, NOT_TOLD };

/* NAME EXPECTED ANSWER: reads the one at the beginning and writes the other in the middle. */
static int answer(int argc, char **argv)
{
    mproc_shared_memory *memory;
    if (argc < 2 || mproc_shared_memory_open(&memory, argv[0], SIZE))
        return CANNOT_OPEN;
    char *text = mproc_shared_memory_data(memory);
    int code = strcmp(text, argv[1]) ? OTHER_TEXT : 0;
    if (argc > 2)
        memcpy(text + SIZE / 2, argv[2], strlen(argv[2]) + 1);
    mproc_shared_memory_close(memory);
    return code;
}

/* NAME TEXT: makes it, says so, and unlinks it when it is told to; ends with its first byte. */
static int offer(int argc, char **argv)
{
    char line[16];
    mproc_shared_memory *memory;
    if (argc < 2 || mproc_shared_memory_create(&memory, argv[0], SIZE))
        return CANNOT_CREATE;
    char *text = mproc_shared_memory_data(memory);
    memcpy(text, argv[1], strlen(argv[1]) + 1);
    puts(mproc_shared_memory_name(memory));
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return NOT_TOLD;
    int first = (unsigned char)*text;
    mproc_err err = mproc_shared_memory_unlink(memory);
    mproc_shared_memory_close(memory);
    return err == MPROC_ENOENT ? 100 + first : first;
}

/* NAME: makes it and leaves it so. */
static int keep(int argc, char **argv)
{
    mproc_shared_memory *memory;
    if (argc < 1 || mproc_shared_memory_create(&memory, argv[0], SIZE))
        return CANNOT_CREATE;
    memcpy(mproc_shared_memory_data(memory), "kept", sizeof "kept");
    mproc_shared_memory_close(memory);
    return 0;
}

/* NAME: is it there? */
static int look(int argc, char **argv)
{
    return argc < 1 ? NOT_TOLD : -(int)try_open(argv[0]);
}

/* NAME NOTE UNTIL: uses it, made or found, until it is told. */
static int use(int argc, char **argv)
{
    static mproc_shared_memory *memory; /* in sight of leak checkers: it is not closed */
    if (argc < 3)
        return NOT_TOLD;
    if (mproc_shared_memory_open(&memory, argv[0], 0) &&
        mproc_shared_memory_create(&memory, argv[0], SIZE))
        return CANNOT_CREATE;
    const note ready = note_at(argv[1]), until = note_at(argv[2]);
    leave_note(&ready, "ready");
    if (!await_note(&until, NULL, 0))
        return NOT_TOLD;
    return *bytes_of(memory);
}

/* NAME: whoever does nothing else founds no family, so that it is not too late for this. */
static int stay_alone(int argc, char **argv)
{
    mproc_shared_memory *memory;
    if (argc < 1 || mproc_shared_memory_open(&memory, argv[0], 0))
        return CANNOT_OPEN;
    mproc_shared_memory_close(memory);
    if (mproc_shared_memory_create(&memory, NULL, 1))
        return CANNOT_CREATE;
    mproc_shared_memory_unlink(memory);
    mproc_shared_memory_close(memory);
    return -(int)mproc_init(&(mproc_options){.interruptible = false});
}

static host_program start_user(const char *name, const note *until)
{
    const note ready = new_note("ready");
    const char *arguments[] = {name, ready.path, until->path, NULL};
    host_program user = start_role("use", arguments, NULL);
    assert_true(await_note(&ready, NULL, 0));
    drop_note(&ready);
    return user;
}

static int code_of(host_program *program)
{
    int code = -1;
    assert_true(host_wait(program, SOON, &code));
    return code;
}

/* ---- use ---- */

static void what_one_program_writes_another_reads(void **state)
{
    (void)state;
    mproc_shared_memory *memory = create(own_name(), SIZE);
    char *text = mproc_shared_memory_data(memory);
    assert_string_equal(mproc_shared_memory_name(memory), own_name());
    assert_int_equal(mproc_shared_memory_size(memory), SIZE);
    assert_int_equal((uintptr_t)text % 4096, 0);
    memcpy(text, "question", sizeof "question");
    const char *arguments[] = {own_name(), "question", "reply", NULL};
    host_program other = start_role("answer", arguments, NULL);
    assert_int_equal(code_of(&other), 0);
    assert_string_equal(text + SIZE / 2, "reply");
    drop(memory);
    assert_int_equal(try_open(own_name()), MPROC_ENOENT);
}

static int write_by_name(void *args, size_t size)
{
    mproc_shared_memory *memory;
    (void)size;
    if (mproc_shared_memory_open(&memory, args, 0))
        return CANNOT_OPEN;
    bytes_of(memory)[SIZE - 1] = 42;
    mproc_shared_memory_close(memory);
    return 0;
}

static void a_child_opens_it_by_name(void **state)
{
    (void)state;
    mproc_shared_memory *memory = create(NULL, SIZE);
    const char *name = mproc_shared_memory_name(memory);
    assert_int_equal(run_process(write_by_name, name, strlen(name) + 1), 0);
    assert_int_equal(bytes_of(memory)[SIZE - 1], 42);
    drop(memory);
}

static void it_is_zeroed_even_when_the_name_was_used(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        mproc_shared_memory *memory = create(own_name(), 1 << 20);
        for (size_t at = 0; at < 1 << 20; at++)
            assert_int_equal(bytes_of(memory)[at], 0);
        memset(bytes_of(memory), 0xff, 1 << 20);
        drop(memory);
    }
}

static void every_opener_has_an_address_of_its_own(void **state)
{
    (void)state;
    mproc_shared_memory *memory = create(own_name(), SIZE), *one = open_some(own_name()),
                        *two = open_some(own_name());
    assert_true(bytes_of(one) != bytes_of(two) && bytes_of(one) != bytes_of(memory));
    size_t size = mproc_shared_memory_size(one);
    assert_true(size == SIZE || (size > SIZE && size % 4096 == 0));
    bytes_of(one)[3] = 3;
    assert_int_equal(bytes_of(two)[3], 3);
    mproc_shared_memory_close(one);
    bytes_of(two)[4] = 4;
    assert_int_equal(bytes_of(memory)[4], 4);
    mproc_shared_memory_close(two);
    drop(memory);
}

static void no_family_is_founded(void **state)
{
    (void)state;
    mproc_shared_memory *memory = create(own_name(), SIZE);
    assert_int_equal(run_role("alone", own_name(), NULL)->code, 0);
    drop(memory);
}

static void many_at_once_are_all_there(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    mproc_shared_memory *many[COUNT];
    for (unsigned char i = 0; i < COUNT; i++) {
        many[i] = create(NULL, SIZE);
        *bytes_of(many[i]) = i;
    }
    for (unsigned char i = 0; i < COUNT; i++) {
        mproc_shared_memory *again = open_some(mproc_shared_memory_name(many[i]));
        assert_int_equal(*bytes_of(again), i);
        mproc_shared_memory_close(again);
        drop(many[i]);
    }
}

/* ---- names ---- */

static void without_a_name_it_gets_a_fresh_one(void **state)
{
    (void)state;
    mproc_shared_memory *one = create(NULL, 1), *two = create(NULL, 1);
    const char *name = mproc_shared_memory_name(one);
    const char *prefix = host_is_windows ? "wnsm_" : "psm_";
    assert_memory_equal(name, prefix, strlen(prefix));
    assert_int_equal(strspn(name + strlen(prefix), "0123456789abcdef"), 8);
    assert_int_equal(strlen(name), strlen(prefix) + 8);
    assert_string_not_equal(name, mproc_shared_memory_name(two));
    mproc_shared_memory *again = open_some(name);
    mproc_shared_memory_close(again);
    drop(one);
    drop(two);
}

static void a_leading_slash_is_no_part_of_the_name(void **state)
{
    (void)state;
    char slashed[80];
    snprintf(slashed, sizeof slashed, "/%s", own_name());
    mproc_shared_memory *memory = create(slashed, SIZE);
    if (!host_is_windows) {
        assert_string_equal(mproc_shared_memory_name(memory), own_name());
        assert_int_equal(try_open(own_name()), MPROC_OK);
    }
    assert_int_equal(try_open(slashed), MPROC_OK);
    drop(memory);
}

static void names_of_any_length_are_told_apart(void **state)
{
    (void)state;
    static char one[4096], two[4096];
    static const size_t lengths[] = {20, 30, 31, 200, 253, 254, 255, 256, 300, 4000};
    const size_t prefix = strlen(own_name()) < 18 ? strlen(own_name()) : 18;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        memset(one, 'n', lengths[i]);
        one[lengths[i]] = '\0';
        memcpy(one, own_name(), prefix);
        memcpy(two, one, sizeof two);
        two[lengths[i] - 1] = 'm';
        mproc_shared_memory *first = create(one, SIZE), *second = create(two, SIZE);
        assert_int_equal(try_create(one, SIZE), MPROC_EEXIST);
        *bytes_of(second) = 2;
        const char *known = mproc_shared_memory_name(second);
        assert_int_equal(!strcmp(known, two), strlen(known) == lengths[i]);
        if (lengths[i] > 255)
            assert_int_equal(strlen(known), 30);
        mproc_shared_memory *by_name = open_some(two), *by_known = open_some(known);
        assert_int_equal(*bytes_of(by_name), 2);
        assert_int_equal(*bytes_of(by_known), 2);
        assert_int_equal(*bytes_of(first), 0);
        mproc_shared_memory_close(by_name);
        mproc_shared_memory_close(by_known);
        drop(first);
        drop(second);
    }
}

/* ---- errors ---- */

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a/b", "//a", "a/", "/", ".", "..", "/.."};
    static const char *const bad_windows[] = {"", "a\\b", "\\", "Local\\", "\xff\xfe"};
    mproc_shared_memory *memory = NULL;
    assert_int_equal(mproc_shared_memory_create(NULL, own_name(), 1), MPROC_EINVAL);
    assert_int_equal(mproc_shared_memory_create(&memory, own_name(), 0), MPROC_EINVAL);
    assert_int_equal(mproc_shared_memory_open(NULL, own_name(), 0), MPROC_EINVAL);
    assert_int_equal(mproc_shared_memory_open(&memory, NULL, 0), MPROC_EINVAL);
    size_t count = host_is_windows ? COUNT_OF(bad_windows) : COUNT_OF(bad);
    for (size_t i = 0; i < count; i++) {
        const char *name = host_is_windows ? bad_windows[i] : bad[i];
        assert_int_equal(mproc_shared_memory_create(&memory, name, 1), MPROC_EINVAL);
        assert_int_equal(mproc_shared_memory_open(&memory, name, 0), MPROC_EINVAL);
    }
    assert_null(memory);
    assert_null(mproc_shared_memory_data(NULL));
    assert_null(mproc_shared_memory_name(NULL));
    assert_int_equal(mproc_shared_memory_size(NULL), 0);
    assert_int_equal(mproc_shared_memory_unlink(NULL), MPROC_EINVAL);
    assert_int_equal(mproc_shared_memory_close(NULL), MPROC_OK);
}

static void exists_and_not_found_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(try_open(own_name()), MPROC_ENOENT);
    mproc_shared_memory *memory = create(own_name(), SIZE), *other = NULL;
    *bytes_of(memory) = 5;
    assert_int_equal(mproc_shared_memory_create(&other, own_name(), 2 * SIZE), MPROC_EEXIST);
    assert_null(other);
    assert_int_equal(*bytes_of(memory), 5);
    drop(memory);
    assert_int_equal(try_open(own_name()), MPROC_ENOENT);
}

static void too_small_is_out_of_range(void **state)
{
    (void)state;
    mproc_shared_memory *memory = create(own_name(), SIZE), *other = NULL;
    assert_int_equal(mproc_shared_memory_open(&other, own_name(), 1 << 20), MPROC_ERANGE);
    assert_int_equal(mproc_shared_memory_open(&other, own_name(), SIZE_MAX), MPROC_ERANGE);
    assert_null(other);
    assert_int_equal(mproc_shared_memory_open(&other, own_name(), SIZE), MPROC_OK);
    mproc_shared_memory_close(other);
    drop(memory);
}

static void huge_sizes_are_out_of_memory(void **state)
{
    (void)state;
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4095, SIZE_MAX / 2, (size_t)1 << 50};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(try_create(own_name(), sizes[i]), MPROC_ENOMEM);
        assert_int_equal(try_create(NULL, sizes[i]), MPROC_ENOMEM);
        assert_int_equal(try_open(own_name()), MPROC_ENOENT);
    }
    assert_int_equal(try_create(own_name(), SIZE), MPROC_OK);
}

static void a_second_unlink_finds_nothing(void **state)
{
    (void)state;
    const mproc_err expected = host_is_windows ? MPROC_OK : MPROC_ENOENT;
    mproc_shared_memory *memory = create(own_name(), SIZE), *other = open_some(own_name());
    assert_int_equal(mproc_shared_memory_unlink(other), MPROC_OK);
    assert_int_equal(mproc_shared_memory_unlink(other), expected);
    assert_int_equal(mproc_shared_memory_unlink(memory), expected);
    *bytes_of(memory) = 6;
    assert_int_equal(*bytes_of(other), 6);
    if (!host_is_windows) {
        /* The name is free; the one who had it does not take it away from its next bearer. */
        mproc_shared_memory *next = create(own_name(), SIZE);
        assert_int_equal(*bytes_of(next), 0);
        assert_int_equal(mproc_shared_memory_unlink(memory), MPROC_ENOENT);
        assert_int_equal(try_open(own_name()), MPROC_OK);
        drop(next);
    }
    mproc_shared_memory_close(memory);
    mproc_shared_memory_close(other);
    assert_int_equal(try_open(own_name()), MPROC_ENOENT);
}

/* ---- life ---- */

static void closed_without_unlink_it_stays(void **state)
{
    (void)state;
    assert_int_equal(run_role("keep", own_name(), NULL)->code, 0);
    if (host_is_windows) {
        assert_int_equal(try_open(own_name()), MPROC_ENOENT);
        return;
    }
    assert_int_equal(run_role("look", own_name(), NULL)->code, 0);
    assert_int_equal(try_create(own_name(), SIZE), MPROC_EEXIST);
    mproc_shared_memory *memory = open_some(own_name());
    assert_string_equal(mproc_shared_memory_data(memory), "kept");
    drop(memory);
}

static void a_killed_creator_leaves_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        const note never = new_note("never");
        host_program creator = start_user(own_name(), &never);
        assert_int_equal(try_create(own_name(), SIZE), MPROC_EEXIST);
        host_kill(creator.pid);
        code_of(&creator);
        if (i == 0)
            assert_int_equal(try_open(own_name()), MPROC_ENOENT);
        else
            assert_int_equal(try_create(own_name(), SIZE), MPROC_OK);
    }
}

static void an_exit_without_a_close_leaves_nothing(void **state)
{
    (void)state;
    const note until = new_note("until");
    host_program creator = start_user(own_name(), &until);
    leave_note(&until, "now");
    assert_int_equal(code_of(&creator), 0);
    assert_int_equal(try_open(own_name()), MPROC_ENOENT);
    drop_note(&until);
}

static void it_outlives_its_creator_while_it_is_used(void **state)
{
    (void)state;
    const note until = new_note("until");
    host_program creator = start_user(own_name(), &until), user = start_user(own_name(), &until);
    host_kill(creator.pid);
    code_of(&creator);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(try_create(NULL, 1), MPROC_OK);
        assert_int_equal(try_create(own_name(), SIZE), MPROC_EEXIST);
        mproc_shared_memory *memory = open_some(own_name());
        *bytes_of(memory) = 77;
        mproc_shared_memory_close(memory);
    }
    leave_note(&until, "now");
    assert_int_equal(code_of(&user), 77);
    assert_int_equal(try_open(own_name()), MPROC_ENOENT);
    drop_note(&until);
}

typedef struct terminated {
    char name[64];
    note ready;
} terminated;

static int create_and_wait(void *args, size_t size)
{
    terminated *told = args;
    mproc_shared_memory *memory;
    (void)size;
    if (mproc_shared_memory_create(&memory, told->name, SIZE))
        return CANNOT_CREATE;
    leave_note(&told->ready, "ready");
    host_wait_forever();
    return 0;
}

static void a_terminated_child_leaves_nothing(void **state)
{
    (void)state;
    terminated told = {.ready = new_note("ready")};
    snprintf(told.name, sizeof told.name, "%s", own_name());
    mproc_process *child = start_process(create_and_wait, &told, sizeof told);
    assert_true(await_note(&told.ready, NULL, 0));
    drop_note(&told.ready);
    assert_int_equal(mproc_process_terminate(child), MPROC_OK);
    assert_int_equal(exit_status_of(child).code, 15);
    assert_int_equal(try_open(own_name()), MPROC_ENOENT);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    static const role roles[] = {{"answer", answer}, {"offer", offer}, {"keep", keep},
                                 {"look", look},     {"use", use},     {"alone", stay_alone}};
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_program_writes_another_reads),
        cmocka_unit_test(a_child_opens_it_by_name),
        cmocka_unit_test(it_is_zeroed_even_when_the_name_was_used),
        cmocka_unit_test(every_opener_has_an_address_of_its_own),
        cmocka_unit_test(no_family_is_founded),
        cmocka_unit_test(many_at_once_are_all_there),
        cmocka_unit_test(without_a_name_it_gets_a_fresh_one),
        cmocka_unit_test(a_leading_slash_is_no_part_of_the_name),
        cmocka_unit_test(names_of_any_length_are_told_apart),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(exists_and_not_found_are_told_apart),
        cmocka_unit_test(too_small_is_out_of_range),
        cmocka_unit_test(huge_sizes_are_out_of_memory),
        cmocka_unit_test(a_second_unlink_finds_nothing),
        cmocka_unit_test(closed_without_unlink_it_stays),
        cmocka_unit_test(a_killed_creator_leaves_nothing),
        cmocka_unit_test(an_exit_without_a_close_leaves_nothing),
        cmocka_unit_test(it_outlives_its_creator_while_it_is_used),
        cmocka_unit_test(a_terminated_child_leaves_nothing),
    };
    return cmocka_run_group_tests_name("shared memory", tests, NULL, NULL);
}
