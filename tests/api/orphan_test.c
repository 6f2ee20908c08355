/* A parent that is killed: within a second no process of its family is left. */
#include "support.h"

#include <stdlib.h>

enum { DAEMONS = 3, WORKERS = 2 };
#define A_SECOND pace_limit(1000)

typedef struct family {
    note born[2 * DAEMONS]; /* the second half: children of the daemons */
    note busy[WORKERS];
} family;

typedef struct member {
    note born, child;
    bool stops, has_child;
} member;

static int live_on(void *args, size_t size)
{
    (void)size;
    const member *it = args;
    if (it->has_child) {
        const member next = {.born = it->child};
        mproc_process *process;
        const mproc_process_options options = {
            .target = live_on, .args = &next, .args_size = sizeof next};
        if (mproc_process_create(&process, &options) || mproc_process_start(process))
            return 1;
    }
    leave_number(&it->born, host_pid());
    if (it->stops)
        host_stop_self();
    host_wait_forever();
    return 0;
}

static int be_busy(mproc_task *task)
{
    const note *busy = mproc_task_input(task, NULL);
    leave_number(busy, host_pid());
    host_wait_forever();
    return 0;
}

static void run_map(void *argument)
{
    mproc_pool *pool;
    const family *it = argument;
    if (!mproc_pool_create(&pool, &(mproc_pool_options){.workers = WORKERS}))
        mproc_pool_map(pool, be_busy, it->busy, sizeof it->busy[0], WORKERS, NULL, 0, NULL);
}

static void name_notes(family *it, const char *prefix)
{
    for (int i = 0; i < 2 * DAEMONS; i++)
        snprintf(it->born[i].path, sizeof it->born[i].path, "%s-born%d", prefix, i);
    for (int i = 0; i < WORKERS; i++)
        snprintf(it->busy[i].path, sizeof it->busy[i].path, "%s-busy%d", prefix, i);
}

static int found_family(int argc, char **argv)
{
    static family it;
    static host_thread thread;
    (void)argc;
    name_notes(&it, argv[0]);
    /* A thread of its own ends a daemon there, and threads stop with their process. */
    bool stops = !getenv("MPROC_TEST_PORTABLE");
    for (int i = 0; i < DAEMONS; i++) {
        const member args = {.born = it.born[i],
                             .child = it.born[DAEMONS + i],
                             .stops = stops && i == 1,
                             .has_child = true};
        mproc_process *process;
        const mproc_process_options options = {
            .target = live_on, .args = &args, .args_size = sizeof args, .daemon = true};
        if (mproc_process_create(&process, &options) || mproc_process_start(process))
            return 1;
    }
    if (!host_thread_start(&thread, run_map, &it))
        return 2;
    host_wait_forever();
    return 0;
}

static bool is_all_gone(const char *mark, const long long *pids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (host_is_running(pids[i]))
            return false;
    }
    return host_count_marked(mark) <= 0;
}

static void no_member_outlives_a_killed_parent(void **state)
{
    (void)state;
    enum { ALL = 2 * DAEMONS + WORKERS };
    family it;
    long long pids[ALL];
    int code;
    note prefix = new_note("family");
    const char *const arguments[] = {prefix.path, NULL};
    name_notes(&it, prefix.path);
    host_program program = start_marked_role(prefix.path, "found_family", arguments);
    for (int i = 0; i < ALL; i++) {
        pids[i] = await_number(i < 2 * DAEMONS ? &it.born[i] : &it.busy[i - 2 * DAEMONS]);
        if (pids[i] <= 0)
            host_kill(program.pid);
        assert_true(pids[i] > 0);
    }
    int members = host_count_marked(prefix.path);
    assert_true(members < 0 || members > ALL);
    host_kill(program.pid);
    int64_t killed = host_now();
    while (!is_all_gone(prefix.path, pids, ALL) && host_now() < killed + SOON)
        host_nap(1);
    int64_t took = host_now() - killed;
    assert_true(host_wait(&program, SOON, &code));
    print_message("the last of %d was gone after %d ms\n", members, (int)took);
    assert_true(took <= A_SECOND);
}

/* A parent that is killed while it starts children: none of them stays behind unseen. */
static int start_for_ever(int argc, char **argv)
{
    const note ready = note_at(argv[0]);
    (void)argc;
    for (int i = 0;; i++) {
        mproc_process *process;
        const mproc_process_options options = {.target = wait_forever, .daemon = true};
        if (mproc_process_create(&process, &options) || mproc_process_start(process))
            return 1;
        mproc_process_free(process);
        if (i == 3)
            leave_note(&ready, "");
        if (i >= 50) {
            mproc_process *oldest;
            size_t count;
            if (mproc_active_children(&oldest, 1, &count))
                return 2;
            mproc_process_kill(oldest);
            mproc_process_join(oldest, SOON);
            mproc_process_free(oldest);
        }
    }
}

static void parent_killed_while_it_starts_leaves_no_child(void **state)
{
    (void)state;
    const int times = getenv("MPROC_SOAK") ? 300 : 10;
    if (host_is_windows) /* wine itself leaves what it was making when its parent was killed */
        skip();
    for (int i = 0; i < times; i++) {
        int code;
        note ready = new_note("ready");
        const char *const arguments[] = {ready.path, NULL};
        host_program program = start_marked_role(ready.path, "start_for_ever", arguments);
        bool came = await_note(&ready, NULL, 0);
        drop_note(&ready);
        host_nap(i % 10);
        host_kill(program.pid);
        int64_t killed = host_now();
        while (host_count_marked(ready.path) > 0 && host_now() < killed + SOON)
            host_nap(1);
        int64_t took = host_now() - killed;
        assert_true(host_wait(&program, SOON, &code));
        assert_true(came);
        assert_true(took <= A_SECOND);
    }
}

/* A child that is no daemon lives on, as in Python, and ends by itself. */
static int outlive(void *args, size_t size)
{
    (void)size;
    const member *it = args;
    leave_number(&it->born, host_pid());
    mproc_process_join(mproc_process_parent(), MPROC_FOREVER);
    leave_note(&it->child, "outlived");
    return 0;
}

static int leave_child_behind(int argc, char **argv)
{
    (void)argc;
    const member args = {.born = note_at(argv[0]), .child = note_at(argv[1])};
    mproc_process *process;
    const mproc_process_options options = {
        .target = outlive, .args = &args, .args_size = sizeof args};
    if (mproc_process_create(&process, &options) || mproc_process_start(process))
        return 1;
    host_wait_forever();
    return 0;
}

static void child_that_is_no_daemon_outlives_a_killed_parent(void **state)
{
    (void)state;
    char text[16] = "";
    int code;
    note born = new_note("born"), told = new_note("told");
    const char *const arguments[] = {born.path, told.path, NULL};
    host_program program = start_role("leave_child_behind", arguments, NULL);
    long long pid = await_number(&born);
    host_kill(program.pid);
    assert_true(pid > 0);
    assert_true(host_wait(&program, SOON, &code));
    assert_true(await_note(&told, text, sizeof text));
    drop_note(&told);
    assert_string_equal(text, "outlived");
    int64_t deadline = host_now() + SOON;
    while (host_is_running(pid) && host_now() < deadline)
        host_nap(1);
    assert_false(host_is_running(pid));
}

static const role roles[] = {{"found_family", found_family},
                             {"start_for_ever", start_for_ever},
                             {"leave_child_behind", leave_child_behind}};

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_member_outlives_a_killed_parent),
        cmocka_unit_test(parent_killed_while_it_starts_leaves_no_child),
        cmocka_unit_test(child_that_is_no_daemon_outlives_a_killed_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
