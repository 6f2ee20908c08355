/* POSIX only: hosts that do with signals and processes what they like. */
#include "posix_alarm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_one(int code)
{
    mproc_process *process;
    const mproc_process_options options = {
        .target = return_code, .args = &code, .args_size = sizeof code};
    int got = -1;
    if (mproc_process_create(&process, &options))
        return 201;
    if (mproc_process_start(process))
        got = 202;
    else if (mproc_process_join(process, SOON) || mproc_process_exitcode(process, &got))
        got = 203;
    mproc_process_free(process);
    return got;
}

/* ---- signals ---- */

typedef struct nap {
    int milliseconds;
} nap;

static int sleep_a_while(void *args, size_t size)
{
    (void)size;
    host_nap(((nap *)args)->milliseconds);
    return 8;
}

static void signals_end_no_join(void **state)
{
    (void)state;
    alarms = 0;
    const nap it = {.milliseconds = 200};
    mproc_process *sleeper = start_process(wait_forever, NULL, 0);
    mproc_process *process = start_process(sleep_a_while, &it, sizeof it);
    ring_every(5, 0);
    int64_t before = host_now();
    mproc_err timed = mproc_process_join(sleeper, 100);
    int64_t took = host_now() - before;
    mproc_err forever = mproc_process_join(process, MPROC_FOREVER);
    ring_every(0, 0);
    assert_int_equal(timed, MPROC_ETIMEDOUT);
    assert_true(took >= 100);
    assert_int_equal(forever, MPROC_OK);
    assert_true(alarms > 2);
    assert_int_equal(exit_code_of(process), 8);
    end_process(sleeper);
}

static void starts_survive_signals(void **state)
{
    (void)state;
    int wrong = 0;
    alarms = 0;
    ring_every(1, 0);
    for (int i = 0; i < 50; i++)
        wrong += run_one(i) != i;
    ring_every(0, 0);
    assert_int_equal(wrong, 0);
}

static int be_interrupted(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc_process *process;
    if (mproc_init(&(mproc_options){.interruptible = true}) ||
        mproc_process_create(&process, &(mproc_process_options){.target = wait_forever}) ||
        mproc_process_start(process))
        return 1;
    ring_every(20, 0);
    mproc_err timed = mproc_process_join(process, SOON);
    mproc_err forever = mproc_process_join(process, MPROC_FOREVER);
    ring_every(0, 0);
    mproc_err zero = mproc_process_join(process, 0);
    mproc_process_kill(process);
    mproc_err last = mproc_process_join(process, MPROC_FOREVER);
    mproc_process_free(process);
    return timed != MPROC_EINTR      ? 2
           : forever != MPROC_EINTR  ? 3
           : zero != MPROC_ETIMEDOUT ? 4
           : last != MPROC_OK        ? 5
                                     : 0;
}

static void signal_ends_a_join_when_the_program_asked_for_it(void **state)
{
    (void)state;
    assert_int_equal(run_role("be_interrupted", NULL, NULL)->code, 0);
}

/* ---- a pool's successors ---- */

static note farewell;

static void say_farewell(int number)
{
    int file = open(farewell.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0)
        close(file);
    _exit(number);
}

/* The first item ends its worker; the others' worker is one that the monitor has started. */
static int be_replaced(mproc_task *task)
{
    sigset_t mask;
    if (mproc_task_index(task) == 0)
        raise(SIGKILL);
    farewell = *(const note *)mproc_task_input(task, NULL);
    signal(SIGTERM, say_farewell);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&mask, number) == 1 && number != SIGUSR2)
            return number;
    }
    return sigismember(&mask, SIGUSR2) == (mproc_get_start_method() == MPROC_FORK) ? 0 : SIGUSR2;
}

/* Forked children keep what their pool's maker has blocked. */
static int leave_pool_with_successor(int argc, char **argv)
{
    (void)argc;
    static mproc_pool *pool; /* static: a leak checker finds it */
    sigset_t mask;
    mproc_task_error errors[3] = {{.index = 99}};
    size_t failed = 0;
    const note notes[] = {note_at(argv[0]), note_at(argv[0]), note_at(argv[0])};
    const mproc_map_options options = {
        .errors = errors, .error_capacity = COUNT_OF(errors), .error_count = &failed};
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    if (mproc_pool_create(&pool, &(mproc_pool_options){.workers = 1}))
        return 101;
    mproc_pool_map(pool, be_replaced, notes, sizeof notes[0], COUNT_OF(notes), NULL, 0, &options);
    if (errors[0].index != 0 || errors[0].err != MPROC_ECRASHED)
        return 102;
    return failed > 1 ? errors[1].code : 0; /* the pool is left to the exit */
}

static void successor_of_a_worker_has_its_signals_and_obeys_them(void **state)
{
    (void)state;
    note gone = new_note("gone");
    int code = run_role("leave_pool_with_successor", gone.path, NULL)->code;
    bool obeyed = find_note(&gone, NULL, 0);
    drop_note(&gone);
    assert_int_equal(code, 0);
    assert_true(obeyed);
}

/* ---- reaping ---- */

static void reap_all(int number)
{
    (void)number;
    int kept = errno;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    errno = kept;
}

static int check_ends(void)
{
    for (int i = 0; i < 20; i++) {
        if (run_one(7) != 7)
            return 10 + i;
    }
    mproc_process *process;
    mproc_exit_status status;
    intptr_t sentinel;
    if (mproc_process_create(&process, &(mproc_process_options){.target = wait_forever}) ||
        mproc_process_start(process) || mproc_process_sentinel(process, &sentinel) ||
        mproc_process_join(process, 0) != MPROC_ETIMEDOUT || mproc_process_kill(process))
        return 1;
    if (!host_is_ready(sentinel, SOON) || mproc_process_join(process, SOON) ||
        mproc_process_exit_status(process, &status))
        return 2;
    mproc_process_free(process);
    /* What a child could not say itself is lost when others reap, unless mproc was faster. */
    return status.kind == MPROC_EXIT_LOST || status.kind == MPROC_EXIT_TERMINATED ? 0 : 3;
}

static int ignore_children(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    signal(SIGCHLD, SIG_IGN);
    return check_ends();
}

static int reap_children(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct sigaction action = {.sa_handler = reap_all, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGCHLD, &action, NULL);
    return check_ends();
}

static void host_may_ignore_its_children(void **state)
{
    (void)state;
    assert_int_equal(run_role("ignore_children", NULL, NULL)->code, 0);
}

static void host_may_reap_all_children(void **state)
{
    (void)state;
    assert_int_equal(run_role("reap_children", NULL, NULL)->code, 0);
}

static int reap_foreign_child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    pid_t own = fork();
    if (own == 0)
        _exit(31);
    for (int i = 0; i < 5; i++) {
        if (run_one(7) != 7)
            return 1;
    }
    int status;
    return waitpid(own, &status, 0) == own && WIFEXITED(status) && WEXITSTATUS(status) == 31 ? 0
                                                                                             : 2;
}

static void children_of_the_host_are_left_to_it(void **state)
{
    (void)state;
    assert_int_equal(run_role("reap_foreign_child", NULL, NULL)->code, 0);
}

/* ---- raw forks ---- */

static bool is_stranger(mproc_process *unstarted, mproc_process *started)
{
    mproc_process *made;
    mproc_pool *pool;
    size_t count;
    int code;
    intptr_t sentinel;
    return mproc_process_create(&made, &(mproc_process_options){.target = return_code}) ==
               MPROC_ESTATE &&
           mproc_process_start(unstarted) == MPROC_ESTATE &&
           mproc_process_join(started, 0) == MPROC_ESTATE &&
           mproc_process_kill(started) == MPROC_ESTATE &&
           mproc_process_exitcode(started, &code) == MPROC_ESTATE &&
           mproc_process_sentinel(started, &sentinel) == MPROC_ESTATE &&
           !mproc_process_is_alive(started) && mproc_process_current() == NULL &&
           mproc_process_parent() == NULL &&
           mproc_active_children(NULL, 0, &count) == MPROC_ESTATE &&
           mproc_pool_create(&pool, NULL) == MPROC_ESTATE;
}

static int fork_raw(int argc, char **argv)
{
    (void)argc;
    const hold it = {.until = note_at(argv[0]), .code = 14};
    mproc_process *unstarted, *child, *daemon;
    const mproc_process_options options = {.target = hold_on, .args = &it, .args_size = sizeof it};
    if (mproc_process_create(&unstarted, &options) || mproc_process_create(&child, &options) ||
        mproc_process_start(child) ||
        mproc_process_create(&daemon,
                             &(mproc_process_options){.target = wait_forever, .daemon = true}) ||
        mproc_process_start(daemon))
        return 1;
    pid_t raw = fork();
    if (raw == 0)
        exit(is_stranger(unstarted, child) ? 0 : 1); /* with all handlers */
    int status, code = -1;
    if (waitpid(raw, &status, 0) != raw || !WIFEXITED(status) || WEXITSTATUS(status))
        return 2;
    if (!mproc_process_is_alive(child) || !mproc_process_is_alive(daemon))
        return 3;
    if (!leave_note(&it.until, "") || mproc_process_join(child, SOON) ||
        mproc_process_exitcode(child, &code) || code != 14)
        return 4;
    if (mproc_process_start(unstarted) || mproc_process_join(unstarted, SOON))
        return 5;
    mproc_process_free(unstarted);
    mproc_process_free(child);
    mproc_process_free(daemon);
    return run_one(7) == 7 ? 0 : 6;
}

static void raw_fork_is_no_member_and_harms_nobody(void **state)
{
    (void)state;
    note go = new_note("go");
    assert_int_equal(run_role("fork_raw", go.path, NULL)->code, 0);
    drop_note(&go);
}

static int fork_raw_first(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    pid_t raw = fork();
    if (raw == 0)
        exit(run_one(7));
    int status;
    int mine = run_one(9);
    return mine == 9 && waitpid(raw, &status, 0) == raw && WIFEXITED(status) &&
                   WEXITSTATUS(status) == 7
               ? 0
               : 1;
}

static void fork_before_the_first_use_makes_two_families(void **state)
{
    (void)state;
    assert_int_equal(run_role("fork_raw_first", NULL, NULL)->code, 0);
}

static int daemon_tells(void *args, size_t size)
{
    (void)size;
    leave_number(args, host_pid());
    host_wait_forever();
    return 0;
}

static int fork_raw_and_wait(int argc, char **argv)
{
    (void)argc;
    const note born = note_at(argv[0]), raw_born = note_at(argv[1]);
    mproc_process *process;
    const mproc_process_options options = {
        .target = daemon_tells, .args = &born, .args_size = sizeof born, .daemon = true};
    if (mproc_process_create(&process, &options) || mproc_process_start(process))
        return 1;
    if (fork() == 0)
        leave_number(&raw_born, getpid());
    host_wait_forever();
    return 0;
}

static void raw_fork_keeps_no_daemon_alive(void **state)
{
    (void)state;
    int code;
    note born = new_note("born"), raw_born = new_note("raw");
    const char *const arguments[] = {born.path, raw_born.path, NULL};
    host_program program = start_role("fork_raw_and_wait", arguments, NULL);
    long long daemon = await_number(&born), raw = await_number(&raw_born);
    host_kill(program.pid);
    int64_t killed = host_now();
    while (host_is_running(daemon) && host_now() < killed + SOON)
        host_nap(1);
    int64_t took = host_now() - killed;
    host_kill(raw);
    assert_true(host_wait(&program, SOON, &code));
    assert_true(daemon > 0 && raw > 0);
    assert_true(took <= pace_limit(1000));
}

/* ---- the forkserver ---- */

static pid_t find_server(void)
{
    pid_t found = 0;
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    while (folder && !found && (entry = readdir(folder)) != NULL) {
        char name[300], text[256] = "", line[256] = "";
        int parent = 0;
        snprintf(name, sizeof name, "/proc/%s/cmdline", entry->d_name);
        FILE *file = fopen(name, "r");
        if (!file)
            continue;
        size_t length = fread(line, 1, sizeof line - 1, file);
        fclose(file);
        for (size_t i = 0; i < length; i++)
            line[i] = line[i] ? line[i] : ' ';
        snprintf(name, sizeof name, "/proc/%s/stat", entry->d_name);
        read_file(name, text, sizeof text);
        const char *rest = strrchr(text, ')');
        if (rest && sscanf(rest, ") %*c %d", &parent) == 1 && parent == getpid() &&
            strstr(line, "--mproc-child=server"))
            found = (pid_t)atoi(entry->d_name);
    }
    if (folder)
        closedir(folder);
    return found;
}

static void forkserver_survives_an_interrupt_and_is_replaced_when_killed(void **state)
{
    (void)state;
    if (mproc_get_start_method() != MPROC_FORKSERVER)
        skip();
    assert_int_equal(run_one(7), 7);
    pid_t server = find_server();
    if (!server)
        skip();
    assert_int_equal(kill(server, SIGINT), 0);
    assert_int_equal(run_one(7), 7);
    assert_int_equal(find_server(), server);
    mproc_process *older = start_process(wait_forever, NULL, 0);
    assert_int_equal(kill(server, SIGKILL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(run_one(7), 7);
    assert_int_not_equal(find_server(), server);
    assert_true(mproc_process_is_alive(older));
    assert_int_equal(mproc_process_terminate(older), MPROC_OK);
    mproc_exit_status status = exit_status_of(older);
    assert_true(status.kind == MPROC_EXIT_TERMINATED || status.kind == MPROC_EXIT_LOST);
}

static const role roles[] = {{"be_interrupted", be_interrupted},
                             {"leave_pool_with_successor", leave_pool_with_successor},
                             {"ignore_children", ignore_children},
                             {"reap_children", reap_children},
                             {"reap_foreign_child", reap_foreign_child},
                             {"fork_raw", fork_raw},
                             {"fork_raw_first", fork_raw_first},
                             {"fork_raw_and_wait", fork_raw_and_wait}};

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_end_no_join),
        cmocka_unit_test(starts_survive_signals),
        cmocka_unit_test(signal_ends_a_join_when_the_program_asked_for_it),
        cmocka_unit_test(successor_of_a_worker_has_its_signals_and_obeys_them),
        cmocka_unit_test(host_may_ignore_its_children),
        cmocka_unit_test(host_may_reap_all_children),
        cmocka_unit_test(children_of_the_host_are_left_to_it),
        cmocka_unit_test(raw_fork_is_no_member_and_harms_nobody),
        cmocka_unit_test(fork_before_the_first_use_makes_two_families),
        cmocka_unit_test(raw_fork_keeps_no_daemon_alive),
        cmocka_unit_test(forkserver_survives_an_interrupt_and_is_replaced_when_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
