#include "roles.h"

#include <stdlib.h>
#include <string.h>

#include "../api/host.h"

typedef struct place {
    char path[500];
} place;

static place new_place(void)
{
    static int count;
    place made;
    char folder[400] = "";
    assert_true(host_temporary_folder(folder, sizeof folder));
    snprintf(made.path, sizeof made.path, "%smproc-file-%lld-%d", folder, host_pid(), count++);
    return made;
}

static void assert_contains(const char *path, const char *bytes, size_t size)
{
    char found[1000];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(found, 1, sizeof found, file), size);
    fclose(file);
    assert_memory_equal(found, bytes, size);
}

static void a_variable_is_told(void **state)
{
    (void)state;
    char value[10] = "before";
    host_set_variable("MPROC_TEST_VARIABLE", NULL);
    assert_int_equal(os_variable("MPROC_TEST_VARIABLE", value, sizeof value), MPROC_ENOENT);
    host_set_variable("MPROC_TEST_VARIABLE", "0123456789");
    assert_int_equal(os_variable("MPROC_TEST_VARIABLE", value, sizeof value), MPROC_ERANGE);
    assert_string_equal(value, "before");
    host_set_variable("MPROC_TEST_VARIABLE", "012345678");
    assert_int_equal(os_variable("MPROC_TEST_VARIABLE", value, sizeof value), MPROC_OK);
    assert_string_equal(value, "012345678");
    host_set_variable("MPROC_TEST_VARIABLE", NULL);
}

static void a_file_is_made_written_and_cut(void **state)
{
    (void)state;
    place at = new_place();
    os_handle file = OS_NO_HANDLE;
    char absolute[OS_PATH];
    assert_int_equal(os_file_create(at.path, &file, absolute, sizeof absolute), MPROC_OK);
    assert_contains(at.path, "", 0);
    assert_int_equal(os_file_write(file, 0, "one two", 7), MPROC_OK);
    assert_int_equal(os_file_write(file, 4, "three", 5), MPROC_OK);
    assert_int_equal(os_file_write(file, 0, "", 0), MPROC_OK);
    assert_contains(at.path, "one three", 9);
    assert_int_equal(os_file_write(file, 10, "x", 1), MPROC_OK);
    assert_contains(at.path, "one three\0x", 11);
    assert_int_equal(os_file_truncate(file, 3), MPROC_OK);
    assert_contains(at.path, "one", 3);
    os_handle_close(file);
    assert_int_equal(os_file_create(at.path, &file, absolute, sizeof absolute), MPROC_OK);
    assert_contains(at.path, "", 0);
    os_handle_close(file);
    remove(at.path);
}

static void several_write_one_file(void **state)
{
    (void)state;
    place at = new_place();
    os_handle made, opened;
    char absolute[OS_PATH];
    assert_int_equal(os_file_create(at.path, &made, absolute, sizeof absolute), MPROC_OK);
    assert_int_equal(os_file_open(absolute, &opened), MPROC_OK);
    assert_int_equal(os_file_write(opened, 3, "456", 3), MPROC_OK);
    assert_int_equal(os_file_write(made, 0, "123", 3), MPROC_OK);
    assert_contains(at.path, "123456", 6);
    os_handle_close(opened);
    os_handle_close(made);
    remove(at.path);
}

static void a_path_becomes_absolute(void **state)
{
    (void)state;
    char name[60], absolute[OS_PATH] = "before";
    os_handle file = OS_NO_HANDLE;
    snprintf(name, sizeof name, "mproc-file-%lld-here", host_pid());
    assert_int_equal(os_file_create(name, &file, absolute, 10), MPROC_ERANGE);
    assert_int_equal(file, OS_NO_HANDLE);
    assert_string_equal(absolute, "before");
    assert_null(fopen(name, "rb"));
    assert_int_equal(os_file_create(name, &file, absolute, sizeof absolute), MPROC_OK);
    assert_true(strlen(absolute) > strlen(name));
    assert_string_equal(absolute + strlen(absolute) - strlen(name), name);
    os_handle_close(file);
    assert_int_equal(os_file_open(absolute, &file), MPROC_OK);
    os_handle_close(file);
    remove(name);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    char folder[400], nowhere[600], absolute[OS_PATH] = "before";
    static char endless[2 * OS_PATH];
    os_handle file = OS_NO_HANDLE;
    assert_true(host_temporary_folder(folder, sizeof folder));
    snprintf(nowhere, sizeof nowhere, "%snot-there/file", folder);
    memset(endless, 'x', sizeof endless - 1);
    assert_int_equal(os_file_create(nowhere, &file, absolute, sizeof absolute), MPROC_ENOENT);
    assert_int_equal(os_file_open(nowhere, &file), MPROC_ENOENT);
    assert_int_equal(os_file_create(endless, &file, absolute, sizeof absolute), MPROC_ERANGE);
    mproc_err err = os_file_create(folder, &file, absolute, sizeof absolute);
    assert_true(err == MPROC_EINVAL || err == MPROC_EACCES || err == MPROC_ENOENT);
    assert_int_equal(file, OS_NO_HANDLE);
    assert_string_equal(absolute, "before");
    assert_int_not_equal(os_file_write(OS_NO_HANDLE, 0, "x", 1), MPROC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_variable_is_told),
        cmocka_unit_test(a_file_is_made_written_and_cut),
        cmocka_unit_test(several_write_one_file),
        cmocka_unit_test(a_path_becomes_absolute),
        cmocka_unit_test(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests_name("os file", tests, NULL, NULL);
}
