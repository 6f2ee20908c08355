/* What the seam does when a POSIX host runs out of something, or lets others run it. */
#include "posix_apart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { NOBODY = 65534 };

static char own_path[4096];
static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* ---- memory ---- */

static int limit_file_size(void)
{
    const struct rlimit limit = {4 << 20, 4 << 20};
    os_shared shared = {.size = 5};
    CHECK(!setrlimit(RLIMIT_FSIZE, &limit));
    CHECK(os_shared_create(&shared, UINT64_C(64) << 30, 8 << 20) == MPROC_ENOMEM);
    CHECK(shared.size == 5);
    CHECK(os_shared_create(&shared, UINT64_C(64) << 30, 1 << 20) == MPROC_OK);
    CHECK(shared.size == 4 << 20);
    CHECK(os_shared_commit(&shared, 0, shared.size) == MPROC_OK);
    memset(shared.base, 1, shared.size);
    return 0;
}

static void a_limit_on_files_makes_the_reserve_smaller(void **state)
{
    (void)state;
    apart(limit_file_size);
}

static int limit_address_space(void)
{
    const struct rlimit limit = {256 << 20, 256 << 20};
    os_shared shared;
    CHECK(!setrlimit(RLIMIT_AS, &limit));
    CHECK(os_shared_create(&shared, UINT64_C(64) << 30, 1 << 20) == MPROC_OK);
    CHECK(shared.size >= 1 << 20 && shared.size <= 128 << 20);
    CHECK(os_shared_commit(&shared, 0, shared.size) == MPROC_OK);
    CHECK(os_shared_create(&shared, UINT64_C(64) << 30, 512 << 20) == MPROC_ENOMEM);
    return 0;
}

static void a_limit_on_addresses_makes_the_reserve_smaller(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    apart(limit_address_space);
}

/* ---- descriptors ---- */

static int use_up_descriptors(void)
{
    const struct rlimit limit = {64, 64};
    _Atomic uint32_t told = 0;
    os_process early, child, sleeper;
    os_watcher *watcher, *none = NULL;
    os_handle sentinel = 5;
    os_shared shared = {.size = 5};
    os_lifeline other = {.watch = 5};
    bool in_child = false;
    CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
    CHECK(os_watcher_create(&watcher, note_end, (void *)&told) == MPROC_OK);
    CHECK(spawn(&early, "sleeper"));
    int last = -1, fd;
    while ((fd = dup(STDERR_FILENO)) >= 0)
        last = fd;
    CHECK(errno == EMFILE && last >= 0);
    CHECK(os_shared_create(&shared, 1 << 20, 1 << 20) == MPROC_EAGAIN && shared.size == 5);
    CHECK(mproc_os_error() == EMFILE);
    CHECK(os_lifeline_create(&other) == MPROC_EAGAIN && other.watch == 5);
    CHECK(os_watcher_create(&none, note_end, NULL) == MPROC_EAGAIN && !none);
    /* A child needs none; it is waited for on a beat. */
    CHECK(os_fork(&child, &in_child) == MPROC_OK);
    if (in_child) {
        os_lifeline_wait(lifeline.watch, OS_FOREVER);
        _exit(0);
    }
    CHECK(os_process_sentinel(&child, &sentinel) == MPROC_EAGAIN && sentinel == 5);
    CHECK(os_process_wait(&child, in_milliseconds(30)) == MPROC_ETIMEDOUT);
    CHECK(!os_process_is_gone(child.pid, child.born));
    CHECK(os_process_signal(&child, true) == MPROC_OK);
    CHECK(ends_as(&child, MPROC_EXIT_SIGNALED, SIGKILL));
    if (os_has_futex)
        CHECK(os_watcher_add(watcher, &early, 1) == MPROC_EAGAIN);
    CHECK(os_process_signal(&early, true) == MPROC_OK);
    CHECK(ends_as(&early, MPROC_EXIT_SIGNALED, SIGKILL));
    /* Some libraries spawn with a pipe of their own. */
    mproc_err err = os_spawn(&sleeper, "exit/6", &lifeline.watch, 1, NULL);
    CHECK(err == MPROC_EAGAIN || (!err && ends_as(&sleeper, MPROC_EXIT_EXITED, 6)));
    /* With a few again, all is well. */
    for (fd = last; fd > last - 12; fd--)
        close(fd);
    CHECK(spawn(&sleeper, "sleeper"));
    CHECK(os_watcher_add(watcher, &sleeper, 1) == MPROC_OK);
    CHECK(os_process_signal(&sleeper, true) == MPROC_OK);
    CHECK(comes_to(&told, 1));
    CHECK(ends_as(&sleeper, MPROC_EXIT_SIGNALED, SIGKILL));
    os_watcher_free(watcher);
    return 0;
}

static void without_descriptors_it_says_so_and_goes_on(void **state)
{
    (void)state;
    apart(use_up_descriptors);
}

static int close_standard_ones(void)
{
    os_shared shared;
    os_process child;
    os_handle ends[2], sentinel;
    close(0);
    close(1);
    CHECK(os_shared_create(&shared, 1 << 20, 1 << 20) == MPROC_OK && shared.object >= 10);
    CHECK(os_forkserver_channel(ends) == MPROC_OK && ends[0] >= 10 && ends[1] >= 10);
    CHECK(spawn(&child, "descriptors"));
    CHECK(os_process_sentinel(&child, &sentinel) == MPROC_OK && sentinel >= 10);
    CHECK(fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0);
    CHECK(ends_as(&child, MPROC_EXIT_EXITED, 8));
    return 0;
}

static void closed_standard_descriptors_do_no_harm(void **state)
{
    (void)state;
    apart(close_standard_ones);
}

static int play_descriptors(const os_entry *entry, const char *argument)
{
    (void)argument;
    CHECK(entry->handle_count == 1 && entry->handles[0] >= 10);
    CHECK(fcntl(0, F_GETFD) >= 0);
    for (int fd = 3; fd < 10; fd++)
        CHECK(fcntl(fd, F_GETFD) < 0);
    for (int fd = 10; fd < 1024; fd++)
        CHECK(fcntl(fd, F_GETFD) < 0 || (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    CHECK(fcntl(50, F_GETFD) < 0 && fcntl(9, F_GETFD) < 0);
    return 8;
}

static void a_spawned_child_inherits_nothing_else(void **state)
{
    (void)state;
    int low = fcntl(STDERR_FILENO, F_DUPFD, 3), high = fcntl(STDERR_FILENO, F_DUPFD, 50);
    os_process child = start_role("descriptors", &lifeline.watch, 1);
    assert_exits_with(&child, 8);
    close(low);
    close(high);
}

static void no_descriptor_is_left_behind(void **state)
{
    (void)state;
    _Atomic uint32_t told = 0;
    int before = 0;
    for (int i = 0; i < 5; i++) {
        if (i == 1) /* the first fork keeps the null device */
            before = count_descriptors();
        os_lifeline other;
        os_watcher *watcher;
        os_process spawned = start_role("sleeper", &lifeline.watch, 1), forked;
        os_handle sentinel;
        bool in_child;
        assert_int_equal(os_fork(&forked, &in_child), MPROC_OK);
        if (in_child) {
            os_lifeline_wait(lifeline.watch, OS_FOREVER);
            _exit(0);
        }
        assert_int_equal(os_process_sentinel(&spawned, &sentinel), MPROC_OK);
        assert_int_equal(os_watcher_create(&watcher, note_end, (void *)&told), MPROC_OK);
        assert_int_equal(os_watcher_add(watcher, &spawned, 1), MPROC_OK);
        assert_int_equal(os_watcher_add(watcher, &forked, 2), MPROC_OK);
        assert_int_equal(os_lifeline_create(&other), MPROC_OK);
        assert_int_equal(os_process_wait(&forked, in_milliseconds(1)), MPROC_ETIMEDOUT);
        assert_int_equal(os_process_signal(&spawned, true), MPROC_OK);
        assert_true(comes_to(&told, (uint32_t)i + 1));
        assert_was_ended(&spawned, true);
        os_watcher_free(watcher);
        assert_int_equal(os_process_signal(&forked, true), MPROC_OK);
        assert_was_ended(&forked, true);
        os_lifeline_close(&other);
    }
    assert_int_equal(count_descriptors(), before);
}

/* ---- the host and its children ---- */

/* The parent of this process, seen from here, is nobody's child. */
static int watch_foreigner(void)
{
    os_process child, foreign;
    mproc_exit_status status;
    os_handle sentinel;
    CHECK(spawn(&child, "sleeper"));
    foreign = (os_process){.pid = child.pid,
                           .born = child.born,
                           .handle = OS_NO_HANDLE,
                           .extra = OS_NO_HANDLE,
                           .foreign = true};
    CHECK(os_process_wait(&foreign, in_milliseconds(5)) == MPROC_ETIMEDOUT);
    os_process_status(&foreign, &status);
    CHECK(status.kind == MPROC_EXIT_RUNNING);
    if (os_has_futex) {
        CHECK(os_process_sentinel(&foreign, &sentinel) == MPROC_OK);
        CHECK(os_lifeline_wait(sentinel, 0) == MPROC_ETIMEDOUT);
    }
    CHECK(os_process_signal(&foreign, true) == MPROC_OK);
    CHECK(ends_as(&child, MPROC_EXIT_SIGNALED, SIGKILL));
    CHECK(os_process_wait(&foreign, OS_FOREVER) == MPROC_OK);
    os_process_status(&foreign, &status);
    CHECK(status.kind == MPROC_EXIT_LOST);
    CHECK(os_process_signal(&foreign, true) == MPROC_OK);
    os_process_reap(&foreign);
    os_process_close(&foreign);
    foreign.pid = -1;
    CHECK(os_process_signal(&foreign, true) != MPROC_OK);
    foreign.pid = 0;
    CHECK(os_process_signal(&foreign, true) != MPROC_OK);
    return 0;
}

static void a_foreign_process_is_waited_for(void **state)
{
    (void)state;
    apart(watch_foreigner);
}

static int forbid_processes(void)
{
    const struct rlimit limit = {0, 0};
    os_process child = {.pid = 5};
    os_handle thread = 5;
    bool in_child = false;
    if (getuid() == 0)
        CHECK(!setgid(NOBODY) && !setuid(NOBODY));
    CHECK(!setrlimit(RLIMIT_NPROC, &limit));
    mproc_err err = os_fork(&child, &in_child);
    if (in_child)
        _exit(0);
    CHECK(err == MPROC_EAGAIN && child.pid == 5);
    CHECK(mproc_os_error() == EAGAIN);
    CHECK(os_spawn(&child, "exit/0", NULL, 0, NULL) == MPROC_EAGAIN && child.pid == 5);
    CHECK(os_thread_start(&thread, free, NULL) == MPROC_EAGAIN && thread == 5);
    return 0;
}

static void without_processes_it_says_so(void **state)
{
    (void)state;
    apart(forbid_processes);
}

static _Atomic int raw_forks;

static void count_raw_fork(void)
{
    atomic_fetch_add(&raw_forks, 1);
}

static int fork_raw(void)
{
    return atomic_load(&raw_forks) == 1 ? 0 : CHILD_FAILED;
}

static void a_raw_fork_is_noticed(void **state)
{
    (void)state;
    os_on_fork(count_raw_fork);
    atomic_store(&raw_forks, 0);
    apart(fork_raw);
}

/* ---- executables ---- */

static bool copy_executable(char *path, size_t size)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, size, "%s/mproc-test-%lld", folder ? folder : "/tmp", (long long)getpid());
    FILE *from = fopen(own_path, "rb"), *to = fopen(path, "wb");
    char bytes[65536];
    size_t count;
    bool fine = from && to;
    while (fine && (count = fread(bytes, 1, sizeof bytes, from)) > 0)
        fine = fwrite(bytes, 1, count, to) == count;
    if (from)
        fclose(from);
    if (to && fclose(to))
        fine = false;
    return fine && !chmod(path, 0755);
}

static int run_program(const char *path, const char *argument, bool as_nobody)
{
    int status = -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (as_nobody && (setgid(NOBODY) || setuid(NOBODY)))
            _exit(CHILD_FAILED);
        execl(path, path, argument, (char *)NULL);
        _exit(CHILD_FAILED);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                           : -1;
}

/* What the copy does when it is run with this argument. */
static int delete_and_spawn(const char *path)
{
    os_process child;
    CHECK(!unlink(path));
    mproc_err err = os_spawn(&child, "exit/9", NULL, 0, NULL);
    if (!os_has_futex) { /* POSIX alone has only the path */
        CHECK(err == MPROC_ENOENT);
        return 9;
    }
    CHECK(err == MPROC_OK && ends_as(&child, MPROC_EXIT_EXITED, 9));
    return 9;
}

static void a_deleted_executable_still_spawns(void **state)
{
    (void)state;
    char path[4096];
    assert_true(copy_executable(path, sizeof path));
    assert_int_equal(run_program(path, "delete", false), 9);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_set_uid_program_is_nobodys_child(void **state)
{
    (void)state;
    char path[4096];
    if (getuid() != 0 || SANITIZED)
        skip();
    assert_true(copy_executable(path, sizeof path));
    int plain = run_program(path, "--mproc-child=exit/12:0", true);
    chmod(path, 04755);
    int privileged = run_program(path, "--mproc-child=exit/12:0", true);
    unlink(path);
    if (plain != 12)
        skip(); /* the folder is not open to others */
    assert_int_equal(privileged, CHILD_FAILED);
}

/* ---- files ---- */

static int write_to_the_limit(void)
{
    const struct rlimit limit = {4096, 4096};
    char path[] = "mproc-limit-XXXXXX", absolute[OS_PATH];
    os_handle file;
    int made = mkstemp(path);
    CHECK(made >= 0 && !close(made));
    CHECK(os_file_create(path, &file, absolute, sizeof absolute) == MPROC_OK);
    CHECK(!unlink(path));
    CHECK(!setrlimit(RLIMIT_FSIZE, &limit));
    CHECK(os_file_write(file, 4090, "123456", 6) == MPROC_OK);
    CHECK(os_file_write(file, 4096, "7", 1) == MPROC_ENOMEM);
    CHECK(os_file_write(file, 4090, "1234567", 7) == MPROC_ENOMEM);
    return 0;
}

static void a_file_ends_at_its_limit_without_a_signal(void **state)
{
    (void)state;
    apart(write_to_the_limit);
}

static int create_what_is_no_file(void)
{
    char folder[] = "mproc-pipe-XXXXXX", path[64], absolute[OS_PATH];
    os_handle file;
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pipe", folder);
    CHECK(!mkfifo(path, 0600));
    mproc_err waiting = os_file_create(path, &file, absolute, sizeof absolute);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    mproc_err read = os_file_create(path, &file, absolute, sizeof absolute);
    close(reader);
    CHECK(!unlink(path) && !rmdir(folder));
    CHECK(waiting == MPROC_EINVAL);
    CHECK(read == MPROC_EINVAL);
    CHECK(os_file_create("/dev/null", &file, absolute, sizeof absolute) == MPROC_EINVAL);
    return 0;
}

static void pipes_and_devices_are_no_plain_files(void **state)
{
    (void)state;
    apart(create_what_is_no_file);
}

int main(int argc, char **argv)
{
    static const role roles[] = {
        {"exit", play_exit}, {"sleeper", play_sleeper}, {"descriptors", play_descriptors}};
    int code;
    if (play_role(argc, argv, roles, sizeof roles / sizeof roles[0], &code))
        return code;
    if (argc == 2 && !strcmp(argv[1], "delete"))
        return delete_and_spawn(argv[0]);
    if (!realpath(argv[0], own_path))
        return CHILD_FAILED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_on_files_makes_the_reserve_smaller),
        cmocka_unit_test(a_file_ends_at_its_limit_without_a_signal),
        cmocka_unit_test(pipes_and_devices_are_no_plain_files),
        cmocka_unit_test(a_limit_on_addresses_makes_the_reserve_smaller),
        cmocka_unit_test(without_descriptors_it_says_so_and_goes_on),
        cmocka_unit_test(closed_standard_descriptors_do_no_harm),
        cmocka_unit_test(a_spawned_child_inherits_nothing_else),
        cmocka_unit_test(no_descriptor_is_left_behind),
        cmocka_unit_test(a_foreign_process_is_waited_for),
        cmocka_unit_test(without_processes_it_says_so),
        cmocka_unit_test(a_raw_fork_is_noticed),
        cmocka_unit_test(a_deleted_executable_still_spawns),
        cmocka_unit_test(a_set_uid_program_is_nobodys_child),
    };
    return cmocka_run_group_tests_name("os limits", tests, open_lifeline, close_lifeline);
}
