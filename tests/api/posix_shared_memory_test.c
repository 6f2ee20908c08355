/* POSIX only: named shared memory when something runs out, and what a fork makes of it. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 100000, CANNOT = 77 };

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            return 99;                                                                             \
        }                                                                                          \
    } while (0)

static char name[64];

/* In a fork of its own: limits bind the whole process. */
static void apart(int (*body)(void))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static mproc_err try_create(size_t size)
{
    mproc_shared_memory *memory = NULL;
    mproc_err err = mproc_shared_memory_create(&memory, name, size);
    if (!err)
        memset(mproc_shared_memory_data(memory), 1, size);
    mproc_err unlinked = err ? MPROC_OK : mproc_shared_memory_unlink(memory);
    mproc_shared_memory_close(memory);
    return err ? err : unlinked;
}

static mproc_err try_open(size_t least)
{
    mproc_shared_memory *memory = NULL;
    mproc_err err = mproc_shared_memory_open(&memory, name, least);
    mproc_shared_memory_close(memory);
    return err;
}

/* ---- limits ---- */

static int limit_file_size(void)
{
    const struct rlimit limit = {SIZE, SIZE}, none = {0, 0};
    CHECK(!setrlimit(RLIMIT_FSIZE, &limit));
    CHECK(try_create(SIZE + 1) == MPROC_ENOMEM);
    CHECK(mproc_os_error() == EFBIG);
    CHECK(try_open(0) == MPROC_ENOENT);
    CHECK(try_create(SIZE) == MPROC_OK);
    CHECK(!setrlimit(RLIMIT_FSIZE, &none));
    CHECK(try_create(1) == MPROC_ENOMEM);
    CHECK(try_open(0) == MPROC_ENOENT);
    return 0;
}

static void beyond_the_limit_of_a_file_it_is_out_of_memory(void **state)
{
    (void)state;
    apart(limit_file_size);
}

static int limit_addresses(void)
{
    const struct rlimit limit = {256 << 20, 256 << 20};
    CHECK(!setrlimit(RLIMIT_AS, &limit));
    CHECK(try_create((size_t)300 << 20) == MPROC_ENOMEM);
    CHECK(try_open(0) == MPROC_ENOENT);
    CHECK(try_create(SIZE) == MPROC_OK);
    return 0;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static void without_addresses_it_is_out_of_memory(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    apart(limit_addresses);
}

static int use_up_descriptors(void)
{
    const struct rlimit limit = {64, 64};
    mproc_shared_memory *memory = NULL, *other = NULL;
    CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
    CHECK(mproc_shared_memory_create(&memory, name, SIZE) == MPROC_OK);
    int last = -1, fd;
    while ((fd = dup(STDERR_FILENO)) >= 0)
        last = fd;
    CHECK(errno == EMFILE && last >= 0);
    /* None, one, two...: until there are enough. */
    for (int spare = 0;; spare++) {
        CHECK(spare < 6);
        mproc_err err = mproc_shared_memory_create(&other, NULL, SIZE);
        mproc_err opened = try_open(0);
        CHECK(err == MPROC_OK || (err == MPROC_EAGAIN && mproc_os_error() == EMFILE));
        CHECK(opened == MPROC_OK || opened == MPROC_EAGAIN);
        CHECK(!err == !!other);
        if (other && !opened)
            break;
        if (other) {
            CHECK(mproc_shared_memory_unlink(other) == MPROC_OK);
            mproc_shared_memory_close(other);
            other = NULL;
        }
        close(last--);
    }
    CHECK(mproc_shared_memory_unlink(other) == MPROC_OK);
    mproc_shared_memory_close(other);
    while ((fd = dup(STDERR_FILENO)) >= 0)
        last = fd;
    mproc_err err = mproc_shared_memory_unlink(memory);
    CHECK(err == MPROC_EAGAIN);
    close(last);
    close(last - 1);
    CHECK(mproc_shared_memory_unlink(memory) == MPROC_OK);
    mproc_shared_memory_close(memory);
    return 0;
}

static void without_descriptors_it_may_work_later(void **state)
{
    (void)state;
    apart(use_up_descriptors);
}

/* To close needs no descriptor. */
static int close_without_descriptors(void)
{
    const struct rlimit limit = {64, 64};
    mproc_shared_memory *memory = NULL;
    CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
    CHECK(mproc_shared_memory_create(&memory, name, SIZE) == MPROC_OK);
    while (dup(STDERR_FILENO) >= 0)
        continue;
    CHECK(mproc_shared_memory_close(memory) == MPROC_OK);
    return 0;
}

static void a_close_without_descriptors_keeps_it(void **state)
{
    (void)state;
    mproc_shared_memory *memory;
    apart(close_without_descriptors);
    assert_int_equal(mproc_shared_memory_open(&memory, name, SIZE), MPROC_OK);
    assert_int_equal(mproc_shared_memory_unlink(memory), MPROC_OK);
    mproc_shared_memory_close(memory);
}

static int close_standard_ones(void)
{
    mproc_shared_memory *memory = NULL;
    close(0);
    close(1);
    CHECK(mproc_shared_memory_create(&memory, name, SIZE) == MPROC_OK);
    CHECK(fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0);
    CHECK(mproc_shared_memory_unlink(memory) == MPROC_OK);
    mproc_shared_memory_close(memory);
    CHECK(fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0);
    return 0;
}

static void it_lies_on_no_standard_descriptor(void **state)
{
    (void)state;
    apart(close_standard_ones);
}

static void no_descriptor_is_left(void **state)
{
    (void)state;
    size_t before = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(try_create(SIZE), MPROC_OK);
        assert_int_equal(try_open(0), MPROC_ENOENT);
        if (i == 0)
            before = host_open_handles();
    }
    assert_int_equal(host_open_handles(), before);
}

/* ---- full ---- */

static int outgrow_file_system(void)
{
    struct statvfs facts;
    if (statvfs("/dev/shm", &facts) || facts.f_blocks == 0)
        return CANNOT;
    CHECK(try_create((size_t)facts.f_blocks * facts.f_frsize + 4096) == MPROC_ENOMEM);
    CHECK(try_open(0) == MPROC_ENOENT);
    return 0;
}

static void more_than_the_file_system_is_out_of_memory(void **state)
{
    (void)state;
    apart(outgrow_file_system);
}

#if defined(CLONE_NEWNS) && defined(MS_PRIVATE)

static bool mount_small(void)
{
    if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWNS | CLONE_NEWUSER))
        return false;
    return !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
           !mount("small", "/dev/shm", "tmpfs", 0, "size=256k,mode=1777");
}

static int fill_up(void)
{
    mproc_shared_memory *most = NULL, *sparse = NULL;
    if (!mount_small())
        return CANNOT;
    CHECK(mproc_shared_memory_create(&most, NULL, 200 << 10) == MPROC_OK);
    for (int i = 0; i < 3; i++) {
        CHECK(try_create(SIZE) == MPROC_ENOMEM);
        CHECK(try_open(0) == MPROC_ENOENT);
    }
    CHECK(try_create(4096) == MPROC_OK);
    /* Python commits nothing: whoever opens that here does, and is refused, not killed. */
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0 && !ftruncate(fd, SIZE));
    CHECK(try_open(0) == MPROC_ENOMEM);
    CHECK(mproc_shared_memory_unlink(most) == MPROC_OK);
    mproc_shared_memory_close(most);
    CHECK(mproc_shared_memory_open(&sparse, name, 0) == MPROC_OK);
    memset(mproc_shared_memory_data(sparse), 1, SIZE);
    mproc_shared_memory_close(sparse);
    /* Not even a marker has room. */
    CHECK(!posix_fallocate(fd, 0, 256 << 10));
    CHECK(shm_unlink(name) == 0);
    CHECK(try_create(1) == MPROC_ENOMEM);
    close(fd);
    CHECK(try_create(1) == MPROC_OK);
    return 0;
}

static void full_memory_is_an_error_and_no_signal(void **state)
{
    (void)state;
    apart(fill_up);
}

#else

static void full_memory_is_an_error_and_no_signal(void **state)
{
    (void)state;
    skip();
}

#endif

/* ---- others ---- */

static void what_has_no_bytes_yet_is_out_of_range(void **state)
{
    (void)state;
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(try_open(0), MPROC_ERANGE);
    assert_int_equal(try_create(SIZE), MPROC_EEXIST);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    close(fd);
    assert_int_equal(try_open(SIZE), MPROC_OK);
    assert_int_equal(try_open(SIZE + 1), MPROC_ERANGE);
    assert_int_equal(try_create(SIZE), MPROC_EEXIST);
    assert_int_equal(shm_unlink(name), 0);
}

static int be_nobody(void)
{
    enum { NOBODY = 65534 };
    if (getuid() != 0 || setgid(NOBODY) || setuid(NOBODY))
        return CANNOT;
    CHECK(try_open(0) == MPROC_EACCES);
    mproc_err err = try_create(SIZE);
    CHECK(err == MPROC_EACCES || err == MPROC_EEXIST);
    return 0;
}

static void what_belongs_to_another_user_is_not_to_be_had(void **state)
{
    (void)state;
    mproc_shared_memory *memory = NULL;
    assert_int_equal(mproc_shared_memory_create(&memory, name, SIZE), MPROC_OK);
    pid_t pid = fork();
    if (pid == 0)
        _exit(be_nobody());
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(mproc_shared_memory_unlink(memory), MPROC_OK);
    mproc_shared_memory_close(memory);
    assert_true(WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == CANNOT));
}

/* ---- forks ---- */

static void a_raw_fork_goes_on_using_it(void **state)
{
    (void)state;
    int status, ends[2];
    mproc_shared_memory *memory = NULL;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(mproc_shared_memory_create(&memory, name, SIZE), MPROC_OK);
    unsigned char *bytes = mproc_shared_memory_data(memory);
    pid_t pid = fork();
    if (pid == 0) {
        char go;
        close(ends[1]);
        bytes[1] = 7;
        ssize_t got = read(ends[0], &go, 1);
        mproc_err err = try_open(SIZE); /* still there: this process uses it */
        mproc_shared_memory_close(memory);
        _exit(got == 0 && !err ? 0 : 1);
    }
    assert_int_equal(mproc_shared_memory_unlink(memory), MPROC_OK);
    assert_int_equal(mproc_shared_memory_close(memory), MPROC_OK);
    assert_int_equal(mproc_shared_memory_create(&memory, name, SIZE), MPROC_OK);
    close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    /* The fork's close is not the creator's: it does not keep the segment. */
    pid = fork();
    if (pid == 0) {
        mproc_shared_memory_close(memory);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(mproc_shared_memory_unlink(memory), MPROC_OK);
    mproc_shared_memory_close(memory);
    close(ends[0]);
}

/* A creator dies, its fork uses what it made. */
static int leave_it_to_a_fork(void)
{
    int ends[2];
    mproc_shared_memory *memory = NULL;
    CHECK(!pipe(ends));
    pid_t creator = fork();
    if (creator == 0) {
        CHECK(mproc_shared_memory_create(&memory, name, SIZE) == MPROC_OK);
        pid_t user = fork();
        if (user == 0) {
            char go;
            close(ends[1]);
            _exit(read(ends[0], &go, 1) == 0 ? 0 : 1);
        }
        raise(SIGKILL);
    }
    int status;
    CHECK(waitpid(creator, &status, 0) == creator && WIFSIGNALED(status));
    CHECK(try_create(SIZE) == MPROC_EEXIST);
    CHECK(try_open(SIZE) == MPROC_OK);
    close(ends[1]);
    const int64_t end = host_now() + SOON;
    while (try_open(SIZE) == MPROC_OK && host_now() < end)
        host_nap(1);
    CHECK(try_open(SIZE) == MPROC_ENOENT);
    return 0;
}

static void a_fork_of_a_dead_creator_keeps_it(void **state)
{
    (void)state;
    apart(leave_it_to_a_fork);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    snprintf(name, sizeof name, "test_mproc_posix_%lld", host_pid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beyond_the_limit_of_a_file_it_is_out_of_memory),
        cmocka_unit_test(without_addresses_it_is_out_of_memory),
        cmocka_unit_test(without_descriptors_it_may_work_later),
        cmocka_unit_test(a_close_without_descriptors_keeps_it),
        cmocka_unit_test(it_lies_on_no_standard_descriptor),
        cmocka_unit_test(no_descriptor_is_left),
        cmocka_unit_test(more_than_the_file_system_is_out_of_memory),
        cmocka_unit_test(full_memory_is_an_error_and_no_signal),
        cmocka_unit_test(what_has_no_bytes_yet_is_out_of_range),
        cmocka_unit_test(what_belongs_to_another_user_is_not_to_be_had),
        cmocka_unit_test(a_raw_fork_goes_on_using_it),
        cmocka_unit_test(a_fork_of_a_dead_creator_keeps_it),
    };
    return cmocka_run_group_tests_name("posix shared memory", tests, NULL, NULL);
}
