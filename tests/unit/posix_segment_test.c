/* Named shared memory beside strangers: one that stands still with a lock, files that look like
 * markers, users that no lease tells of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mproc/mproc.h>

#include "data/shared_memory.h"
#include "hash.h"
#include "os.h"
#include "posix/segment_file.h"

enum { SIZE = 5000, NOBODY = 65534, NAME = 64 };
static const int64_t a_moment = 1000000, very_long = INT64_C(3600) * 1000000000;

static char name[NAME], marker[NAME];

static void name_marker(char file[NAME], const char *of)
{
    snprintf(file, NAME, "mproc-%016llx", (unsigned long long)hash_text(of, HASH_SEED));
}

static int open_raw(const char *file, int flags)
{
    char path[NAME + 1];
    snprintf(path, sizeof path, "/%s", file);
    return shm_open(path, flags, 0666);
}

static bool is_there(const char *file)
{
    int fd = open_raw(file, O_RDONLY);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void remove_raw(const char *file)
{
    char path[NAME + 1];
    snprintf(path, sizeof path, "/%s", file);
    assert_int_equal(shm_unlink(path), 0);
}

/* To flock, an open file is as good as another process. */
static int hold(const char *file)
{
    int fd = open_raw(file, O_RDWR | O_CREAT);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    return fd;
}

static mproc_shared_memory *create(void)
{
    mproc_shared_memory *memory = NULL;
    assert_int_equal(mproc_shared_memory_create(&memory, name, SIZE), MPROC_OK);
    return memory;
}

static void drop(mproc_shared_memory *memory)
{
    assert_int_equal(mproc_shared_memory_unlink(memory), MPROC_OK);
    assert_int_equal(mproc_shared_memory_close(memory), MPROC_OK);
    assert_false(is_there(name));
}

static int set_up(void **state)
{
    (void)state;
    shared_memory_patience = a_moment;
    return 0;
}

/* ---- one that stands still ---- */

static int return_seven(void *args, size_t size)
{
    (void)args;
    (void)size;
    return 7;
}

static void start_and_join(void)
{
    mproc_process *child;
    int code = 0;
    const mproc_process_options options = {.target = return_seven, .method = MPROC_FORK};
    assert_int_equal(mproc_process_create(&child, &options), MPROC_OK);
    assert_int_equal(mproc_process_start(child), MPROC_OK);
    assert_int_equal(mproc_process_join(child, MPROC_FOREVER), MPROC_OK);
    assert_int_equal(mproc_process_exitcode(child, &code), MPROC_OK);
    assert_int_equal(code, 7);
    mproc_process_free(child);
}

typedef struct call {
    mproc_shared_memory *memory;
    mproc_err err;
} call;

static void create_in_thread(void *argument)
{
    call *made = argument;
    made->err = mproc_shared_memory_create(&made->memory, name, SIZE);
}

static void one_that_stands_still_holds_up_no_fork(void **state)
{
    (void)state;
    os_handle thread;
    call made = {NULL, MPROC_EINVAL};
    int fd = hold(marker);
    start_and_join(); /* from now on there is a family, and a gate */
    shared_memory_patience = very_long;
    assert_int_equal(os_thread_start(&thread, create_in_thread, &made), MPROC_OK);
    for (int i = 0; i < 20; i++)
        start_and_join();
    close(fd);
    os_thread_join(thread);
    assert_int_equal(made.err, MPROC_OK);
    drop(made.memory);
}

static void one_that_stands_still_is_a_time_out(void **state)
{
    (void)state;
    mproc_shared_memory *memory = NULL, *opened = NULL;
    int fd = hold(marker);
    assert_int_equal(mproc_shared_memory_create(&memory, name, SIZE), MPROC_ETIMEDOUT);
    assert_null(memory);
    assert_false(is_there(name));
    close(fd);
    memory = create();
    fd = hold(marker);
    assert_int_equal(mproc_shared_memory_open(&opened, name, SIZE), MPROC_OK);
    mproc_shared_memory_close(opened);
    assert_int_equal(mproc_shared_memory_unlink(memory), MPROC_ETIMEDOUT);
    assert_true(is_there(name));
    close(fd);
    drop(memory);
    assert_false(is_there(marker));
}

static void a_close_beside_one_that_stands_still_keeps_it(void **state)
{
    (void)state;
    mproc_shared_memory *memory = create();
    int fd = hold(marker);
    assert_int_equal(mproc_shared_memory_close(memory), MPROC_OK);
    close(fd);
    os_segment_sweep();
    assert_int_equal(mproc_shared_memory_open(&memory, name, SIZE), MPROC_OK);
    drop(memory);
    assert_false(is_there(marker));
}

static void one_that_stands_still_with_the_segment_is_a_time_out(void **state)
{
    (void)state;
    mproc_shared_memory *opened = NULL;
    int fd = hold(name);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    assert_int_equal(mproc_shared_memory_open(&opened, name, SIZE), MPROC_ETIMEDOUT);
    assert_null(opened);
    close(fd);
    assert_int_equal(mproc_shared_memory_open(&opened, name, SIZE), MPROC_OK);
    drop(opened);
}

/* ---- files that look like markers ---- */

static void works_beside_it(void)
{
    mproc_shared_memory *memory = create(), *opened = NULL;
    os_segment_sweep();
    assert_int_equal(mproc_shared_memory_open(&opened, name, SIZE), MPROC_OK);
    assert_int_equal(mproc_shared_memory_close(opened), MPROC_OK);
    assert_int_equal(mproc_shared_memory_close(memory), MPROC_OK);
    assert_int_equal(mproc_shared_memory_open(&opened, name, SIZE), MPROC_OK);
    drop(opened);
}

static void what_is_no_record_is_no_marker(void **state)
{
    (void)state;
    int fd = open_raw(marker, O_RDWR | O_CREAT);
    assert_int_equal(write(fd, "my own file", 11), 11);
    works_beside_it();
    struct stat facts;
    assert_int_equal(fstat(fd, &facts), 0);
    assert_int_equal(facts.st_nlink, 1);
    assert_int_equal(facts.st_size, 11);
    close(fd);
    remove_raw(marker);
}

static void a_pipe_is_no_marker(void **state)
{
    (void)state;
    char path[NAME + 16];
    snprintf(path, sizeof path, "/dev/shm/%s", marker);
    if (!os_has_futex || mkfifo(path, 0600))
        skip();
    int fd = open(path, O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    works_beside_it();
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static void another_users_file_is_no_marker(void **state)
{
    (void)state;
    int fd = hold(marker);
    if (fchown(fd, NOBODY, NOBODY)) {
        remove_raw(marker);
        close(fd);
        skip();
    }
    works_beside_it();
    assert_true(is_there(marker));
    close(fd);
    remove_raw(marker);
}

/* As the library writes it. */
typedef struct record {
    char magic[8];
    uint64_t inode;
    char name[OS_SEGMENT_NAME];
} record;

static void a_record_of_another_marker_removes_nothing(void **state)
{
    (void)state;
    int segment = open_raw(name, O_RDWR | O_CREAT), fd;
    struct stat facts;
    char other[NAME];
    assert_int_equal(ftruncate(segment, SIZE), 0);
    assert_int_equal(fstat(segment, &facts), 0);
    close(segment);
    name_marker(other, "another name");
    record told = {.magic = "mproc 1", .inode = facts.st_ino};
    memcpy(told.name, name, strlen(name) + 1);
    fd = open_raw(other, O_RDWR | O_CREAT);
    assert_int_equal(write(fd, &told, sizeof told), sizeof told);
    close(fd);
    os_segment_sweep();
    assert_true(is_there(name));
    remove_raw(name);
    remove_raw(other);
}

/* ---- leases ---- */

static void only_a_lease_proves_that_nobody_uses_it(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0); /* there are none on it, and that says nothing of its users */
    assert_int_equal(segment_file_is_free(ends[0]), !os_has_futex);
    close(ends[0]);
    close(ends[1]);
}

/* To whom another user's file belongs, the system gives no lease. */
static int look_at_anothers(int fd)
{
    if (setgid(NOBODY) || setuid(NOBODY))
        return 77;
    return segment_file_is_free(fd) ? 1 : 0;
}

static void a_user_that_gets_no_lease_takes_it_for_used(void **state)
{
    (void)state;
    int status, fd = open_raw(name, O_RDWR | O_CREAT);
    assert_true(fd >= 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(os_has_futex ? look_at_anothers(fd) : 77);
    close(fd);
    remove_raw(name);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    snprintf(name, sizeof name, "test_mproc_stranger_%lld", (long long)os_getpid());
    name_marker(marker, name);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_that_stands_still_holds_up_no_fork, set_up),
        cmocka_unit_test_setup(one_that_stands_still_is_a_time_out, set_up),
        cmocka_unit_test_setup(a_close_beside_one_that_stands_still_keeps_it, set_up),
        cmocka_unit_test_setup(one_that_stands_still_with_the_segment_is_a_time_out, set_up),
        cmocka_unit_test_setup(what_is_no_record_is_no_marker, set_up),
        cmocka_unit_test_setup(a_pipe_is_no_marker, set_up),
        cmocka_unit_test_setup(another_users_file_is_no_marker, set_up),
        cmocka_unit_test_setup(a_record_of_another_marker_removes_nothing, set_up),
        cmocka_unit_test_setup(only_a_lease_proves_that_nobody_uses_it, set_up),
        cmocka_unit_test_setup(a_user_that_gets_no_lease_takes_it_for_used, set_up),
    };
    return cmocka_run_group_tests_name("segments beside strangers", tests, NULL, NULL);
}
