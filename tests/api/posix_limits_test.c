/* POSIX only: no processes, no descriptors, no executable left, and who may be a child. */
#include "support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, CANNOT = 77, NOT_STARTED = 200 };

/* Its exit code, or NOT_STARTED - err. */
static int run_one(void)
{
    mproc_process *process;
    int code = 7;
    const mproc_process_options options = {
        .target = return_code, .args = &code, .args_size = sizeof code};
    mproc_err err = mproc_process_create(&process, &options);
    if (err)
        return NOT_STARTED - err;
    if ((err = mproc_process_start(process)))
        code = NOT_STARTED - err;
    else if (mproc_process_join(process, SOON) || mproc_process_exitcode(process, &code))
        code = 199;
    mproc_process_free(process);
    return code;
}

static bool limit_processes(rlim_t soft)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NPROC, &limit))
        return false;
    limit.rlim_cur = soft;
    return !setrlimit(RLIMIT_NPROC, &limit);
}

/* ---- processes ---- */

static int run_out_of_processes(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct rlimit before;
    if (getrlimit(RLIMIT_NPROC, &before))
        return CANNOT;
    /* The limit does not bind the super-user. */
    if (!getuid() && (setgid(NOBODY) || setuid(NOBODY)))
        return CANNOT;
    for (int i = 0; i < 3; i++) {
        if (!limit_processes(0))
            return CANNOT;
        int code = run_one();
        if (i == 0 && code == NOT_STARTED - MPROC_EACCES)
            return CANNOT; /* nobody may not run this program */
        bool has_server = i > 0 && mproc_get_start_method() == MPROC_FORKSERVER;
        if (code != (has_server ? 7 : NOT_STARTED - MPROC_EAGAIN))
            return code;
        if (!has_server && !mproc_os_error())
            return 1;
        if (!limit_processes(before.rlim_cur))
            return 2;
        code = run_one();
        if (i == 0 && code == NOT_STARTED - MPROC_EACCES)
            return CANNOT;
        if (code != 7)
            return 3;
    }
    return 0;
}

static void no_process_left_is_told_and_the_next_start_works(void **state)
{
    (void)state;
    int code = run_role("run_out_of_processes", NULL, NULL)->code;
    if (code == CANNOT)
        skip();
    assert_int_equal(code, 0);
}

/* ---- descriptors ---- */

static bool is_clear(int code)
{
    bool server_may_break = mproc_get_start_method() == MPROC_FORKSERVER;
    /* 127: a fresh program's loader found no descriptor; 255: it could not take its handles. */
    return code == 7 || code == 127 || code == 255 || code == NOT_STARTED - MPROC_EAGAIN ||
           (server_may_break && code == NOT_STARTED - MPROC_EBROKEN);
}

static int run_out_of_descriptors(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct rlimit before;
    size_t handles = 0;
    if (getrlimit(RLIMIT_NOFILE, &before))
        return CANNOT;
    /* What the caller left open would shift the limits that matter. */
    for (int fd = 3; fd < 256; fd++)
        close(fd);
    for (int round = 0; round < 2; round++) {
        for (rlim_t limit = 3; limit < 40; limit++) {
            if (!host_limit_handles((int)limit))
                return CANNOT;
            int code = run_one();
            if (!is_clear(code)) {
                printf("limit %d: %d\n", (int)limit, code);
                return 1;
            }
            setrlimit(RLIMIT_NOFILE, &before);
        }
        int code = run_one();
        if (code != 7) {
            printf("afterwards: %d\n", code);
            return 2;
        }
        size_t now = host_open_handles();
        if (round > 0 && now != handles) {
            printf("%d descriptors, then %d\n", (int)handles, (int)now);
            return 3;
        }
        handles = now;
    }
    return 0;
}

static void no_descriptor_left_is_told_and_the_next_start_works(void **state)
{
    (void)state;
    const run_result *ran = run_role("run_out_of_descriptors", NULL, NULL);
    if (ran->code == CANNOT)
        skip();
    if (ran->code)
        print_error("%s\n", ran->output);
    assert_int_equal(ran->code, 0);
}

static int use_all_descriptors(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    int fd = 0;
    if (!host_limit_handles(64) || run_one() != 7)
        return CANNOT;
    mproc_process *process;
    intptr_t sentinel = -1;
    if (mproc_process_create(&process, &(mproc_process_options){.target = wait_forever}) ||
        mproc_process_start(process))
        return 1;
    while ((fd = dup(0)) >= 0) {
    }
    int code = run_one();
    if (code != 7 && code != NOT_STARTED - MPROC_EAGAIN)
        return code;
    mproc_err sentinel_err = mproc_process_sentinel(process, &sentinel);
    if (sentinel_err != MPROC_EAGAIN && sentinel_err != MPROC_OK)
        return 2;
    if (!mproc_process_is_alive(process) || mproc_process_join(process, 20) != MPROC_ETIMEDOUT)
        return 3;
    if (mproc_process_terminate(process) || mproc_process_join(process, SOON) ||
        mproc_process_exitcode(process, &code) || code != -15)
        return 4;
    mproc_process_free(process);
    for (fd = 63; fd > 50; fd--)
        close(fd);
    return run_one() == 7 ? 0 : 5;
}

/* Registered above the guard, so it runs after mproc's own handler. */
#define CHECKS_INPUT "MPROC_TEST_CHECKS_INPUT"

static void check_input(void)
{
    if (fcntl(STDIN_FILENO, F_GETFD) < 0)
        _exit(9);
}

static int fail_to_make_a_pool(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    static int data;
    mproc_pool *pool;
    const mproc_pool_options options = {.initializer = (mproc_target)(uintptr_t)&data};
    return mproc_pool_create(&pool, &options) == MPROC_EIMAGE ? 0 : 1;
}

static void program_that_made_no_process_keeps_its_input(void **state)
{
    (void)state;
    host_set_variable(CHECKS_INPUT, "1");
    int code = run_role("fail_to_make_a_pool", NULL, NULL)->code;
    host_set_variable(CHECKS_INPUT, NULL);
    assert_int_equal(code, 0);
}

static void children_can_be_ended_without_a_descriptor(void **state)
{
    (void)state;
    int code = run_role("use_all_descriptors", NULL, NULL)->code;
    if (code == CANNOT)
        skip();
    assert_int_equal(code, 0);
}

/* ---- the executable ---- */

static note copy_of_this_program(mode_t mode)
{
    char own[400];
    note copy = new_note("program");
    assert_true(host_own_path(own, sizeof own));
    assert_true(copy_file(own, copy.path));
    assert_int_equal(chmod(copy.path, mode), 0);
    return copy;
}

static int delete_itself(int argc, char **argv)
{
    (void)argc;
    return unlink(argv[0]) ? CANNOT : run_one();
}

static int replace_itself(int argc, char **argv)
{
    (void)argc;
    char fresh[500];
    const char *other = getenv("MPROC_TEST_OTHER");
    snprintf(fresh, sizeof fresh, "%s.new", argv[0]);
    if (!other || !copy_file(other, fresh) || chmod(fresh, 0755) || rename(fresh, argv[0]))
        return CANNOT;
    return run_one();
}

static int run_copy(const char *name)
{
    note copy = copy_of_this_program(0755);
    const char *const arguments[] = {"--role", name, copy.path, NULL};
    int code = run_command(&(host_command){.program = copy.path, .arguments = arguments})->code;
    drop_note(&copy);
    return code;
}

static bool finds_itself_by_path(void)
{
    return getenv("MPROC_TEST_PORTABLE") && mproc_get_start_method() != MPROC_FORK;
}

static void deleted_executable_still_starts_or_is_told(void **state)
{
    (void)state;
    assert_int_equal(run_copy("delete_itself"),
                     finds_itself_by_path() ? NOT_STARTED - MPROC_ENOENT : 7);
}

static void replaced_executable_still_starts_or_is_refused(void **state)
{
    (void)state;
    assert_int_equal(run_copy("replace_itself"), finds_itself_by_path() ? 255 : 7);
}

static int say_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("main runs\n");
    return 0;
}

/* Opened before the rights are gone: the user nobody may not be allowed to reach it by its path. */
static int become_nobody(int argc, char **argv)
{
    (void)argc;
    char name[] = "program", role_option[] = "--role", role_name[] = "say_main";
    char forged[] = "--mproc-child=child.10001.1000000000:2";
    char *const plain[] = {name, role_option, role_name, NULL};
    char *const child[] = {name, forged, role_option, role_name, NULL};
    char *const none[] = {NULL};
    int fd = open(argv[0], O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setgid(NOBODY) || setuid(NOBODY))
        return CANNOT;
    fexecve(fd, argv[1] ? child : plain, none);
    return CANNOT;
}

static void set_uid_program_is_nobodys_child(void **state)
{
    (void)state;
    struct statvfs mount;
    note copy = copy_of_this_program(04755);
    bool possible = !getuid() && !statvfs(copy.path, &mount) && !(mount.f_flag & ST_NOSUID) &&
                    run_role("become_nobody", copy.path, NULL)->code == 0;
    const run_result *ran = run_role("become_nobody", copy.path, "forged");
    drop_note(&copy);
    if (!possible)
        skip();
    assert_int_equal(ran->code, 255);
    assert_null(strstr(ran->output, "main runs"));
    assert_non_null(strstr(ran->output, mproc_strerror(MPROC_EACCES)));
}

static const role roles[] = {{"run_out_of_processes", run_out_of_processes},
                             {"run_out_of_descriptors", run_out_of_descriptors},
                             {"use_all_descriptors", use_all_descriptors},
                             {"fail_to_make_a_pool", fail_to_make_a_pool},
                             {"delete_itself", delete_itself},
                             {"replace_itself", replace_itself},
                             {"become_nobody", become_nobody},
                             {"say_main", say_main}};

int main(int argc, char **argv)
{
    if (getenv(CHECKS_INPUT))
        atexit(check_input);
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_process_left_is_told_and_the_next_start_works),
        cmocka_unit_test(no_descriptor_left_is_told_and_the_next_start_works),
        cmocka_unit_test(program_that_made_no_process_keeps_its_input),
        cmocka_unit_test(children_can_be_ended_without_a_descriptor),
        cmocka_unit_test(deleted_executable_still_starts_or_is_told),
        cmocka_unit_test(replaced_executable_still_starts_or_is_refused),
        cmocka_unit_test(set_uid_program_is_nobodys_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
