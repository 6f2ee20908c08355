#include "roles.h"

#include <stdlib.h>
#include <string.h>

static board *told_to;
static _Atomic int in_forks;

static void note_end(uint64_t word, mproc_exit_status status)
{
    atomic_store(&told_to->told[word & 255], (uint32_t)status.code + 1000 * (uint32_t)status.kind);
}

static void count_fork(void)
{
    atomic_fetch_add(&in_forks, 1);
}

static int thread_result;

static void run_thread(void *argument)
{
    os_mutex_lock(argument);
    thread_result = 1;
    os_mutex_unlock(argument);
}

/* A child of the server must be a whole process: with threads, locks and memory of its own. */
static int be_child(uint64_t word, const os_entry *entry)
{
    os_mutex mutex;
    os_handle thread;
    CHECK(os_getpid() != atomic_load(&told_to->pid));
    CHECK(atomic_load(&in_forks) == 1);
    CHECK(os_lifeline_wait(entry->handles[2], 0) == MPROC_ETIMEDOUT);
    void *memory = malloc(1 << 20);
    CHECK(memory != NULL);
    free(memory);
    os_mutex_init(&mutex);
    CHECK(os_thread_start(&thread, run_thread, &mutex) == MPROC_OK);
    os_thread_join(thread);
    CHECK(thread_result == 1);
    if (word == 200)
        abort();
    while (word == 201)
        os_lifeline_wait(entry->handles[2], OS_FOREVER);
    return (int)(word & 127);
}

/* Handles: the channel, the board, the test's life line. */
static int play_server(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_shared shared;
    told_to = find_board(&shared, entry->handles[1]);
    CHECK(told_to != NULL);
    atomic_store(&told_to->pid, os_getpid());
    os_on_fork(count_fork);
    return be_child(os_forkserver_serve(entry->handles[0], note_end).word, entry);
}

typedef struct house {
    os_shared shared;
    os_lifeline line;
    os_handle ends[2];
    os_process server;
} house;

static house *open_house(void)
{
    static house made;
    told_to = make_board(&made.shared);
    assert_int_equal(os_lifeline_create(&made.line), MPROC_OK);
    assert_int_equal(os_forkserver_channel(made.ends), MPROC_OK);
    const os_handle handles[] = {made.ends[1], made.shared.object, made.line.watch};
    made.server = start_role("server", handles, 3);
    os_handle_close(made.ends[1]);
    return &made;
}

static void close_house(house *of)
{
    os_handle_close(of->ends[0]);
    assert_exits_with(&of->server, 0);
    os_lifeline_close(&of->line);
    drop_board(&of->shared);
}

/* From the system, or from what the server wrote before it reaped. */
static mproc_exit_status result_of(os_process *child, uint64_t word)
{
    bool foreign = child->foreign;
    mproc_exit_status status = finish(child);
    if (foreign) {
        uint32_t told = atomic_load(&told_to->told[word & 255]);
        assert_int_equal(status.kind, MPROC_EXIT_LOST);
        status.kind = (mproc_exit_kind)(told / 1000);
        status.code = told % 1000;
    }
    return status;
}

static void without_a_fork_there_is_no_server(void **state)
{
    (void)state;
    if (os_can_start(MPROC_FORKSERVER))
        skip();
    os_handle ends[2];
    os_process child;
    assert_int_equal(os_forkserver_channel(ends), MPROC_ENOSYS);
    assert_int_equal(os_forkserver_request(OS_NO_HANDLE, 1, NULL, 0, &child), MPROC_ENOSYS);
}

static void a_server_makes_children_that_know_their_word(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    if (!os_can_start(MPROC_FORKSERVER))
        skip();
    house *of = open_house();
    os_process children[COUNT];
    for (uint64_t word = 0; word < COUNT; word++) {
        assert_int_equal(os_forkserver_request(of->ends[0], word, NULL, 0, &children[word]),
                         MPROC_OK);
        assert_true(children[word].pid > 0 && children[word].pid != of->server.pid);
    }
    for (uint64_t word = 0; word < COUNT; word++) {
        mproc_exit_status status = result_of(&children[word], word);
        assert_int_equal(status.kind, MPROC_EXIT_EXITED);
        assert_int_equal(status.code, word);
    }
    close_house(of);
}

static void a_crash_in_a_servers_child_is_seen(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORKSERVER))
        skip();
    house *of = open_house();
    os_process child;
    assert_int_equal(os_forkserver_request(of->ends[0], 200, NULL, 0, &child), MPROC_OK);
    mproc_exit_status status = result_of(&child, 200);
    assert_int_equal(status.kind, MPROC_EXIT_SIGNALED);
    assert_int_equal(status.code, 6);
    close_house(of);
}

static void a_servers_child_is_waited_for_and_ended(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORKSERVER))
        skip();
    house *of = open_house();
    os_process child;
    os_handle sentinel;
    mproc_exit_status status;
    assert_int_equal(os_forkserver_request(of->ends[0], 201, NULL, 0, &child), MPROC_OK);
    assert_int_equal(os_process_wait(&child, in_milliseconds(20)), MPROC_ETIMEDOUT);
    os_process_status(&child, &status);
    assert_int_equal(status.kind, MPROC_EXIT_RUNNING);
    assert_int_equal(os_process_sentinel(&child, &sentinel), MPROC_OK);
    assert_int_equal(os_lifeline_wait(sentinel, 0), MPROC_ETIMEDOUT);
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    assert_int_equal(os_lifeline_wait(sentinel, soon()), MPROC_OK);
    status = result_of(&child, 201);
    assert_int_equal(status.kind, MPROC_EXIT_SIGNALED);
    assert_int_equal(status.code, 9);
    close_house(of);
}

static void count_call(void *context, uint64_t key)
{
    board *on = told_to;
    if (atomic_load(&on->told[key & 255]) || !atomic_load((atomic_bool *)context))
        atomic_fetch_add(&on->word[0], 1);
}

static void a_watcher_tells_of_servers_children(void **state)
{
    (void)state;
    enum { COUNT = 10 };
    if (!os_can_start(MPROC_FORKSERVER))
        skip();
    house *of = open_house();
    os_process children[COUNT];
    os_watcher *watcher;
    atomic_bool foreign = false;
    assert_int_equal(os_watcher_create(&watcher, count_call, (void *)&foreign), MPROC_OK);
    for (uint64_t word = 1; word <= COUNT; word++) {
        assert_int_equal(os_forkserver_request(of->ends[0], word, NULL, 0, &children[word - 1]),
                         MPROC_OK);
        atomic_store(&foreign, children[word - 1].foreign);
        assert_int_equal(os_watcher_add(watcher, &children[word - 1], word), MPROC_OK);
    }
    assert_true(comes_to(&told_to->word[0], COUNT));
    for (uint64_t word = 1; word <= COUNT; word++)
        assert_int_equal(result_of(&children[word - 1], word).code, word);
    os_watcher_free(watcher);
    close_house(of);
}

static void a_dead_server_is_broken(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORKSERVER))
        skip();
    house *of = open_house();
    os_process child, orphan = {.pid = 5};
    assert_int_equal(os_forkserver_request(of->ends[0], 201, NULL, 0, &child), MPROC_OK);
    assert_int_equal(os_process_signal(&of->server, true), MPROC_OK);
    assert_was_ended(&of->server, true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(os_forkserver_request(of->ends[0], 1, NULL, 0, &orphan), MPROC_EBROKEN);
    assert_int_equal(orphan.pid, 5);
    os_handle_close(of->ends[0]);
    assert_int_equal(os_process_wait(&child, 0), MPROC_ETIMEDOUT);
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    bool foreign = child.foreign;
    assert_int_equal(finish(&child).kind, foreign ? MPROC_EXIT_LOST : MPROC_EXIT_SIGNALED);
    os_lifeline_close(&of->line);
    drop_board(&of->shared);
}

static void what_is_no_channel_is_broken(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORKSERVER))
        skip();
    os_process child;
    os_handle ends[2];
    assert_int_equal(os_forkserver_request(OS_NO_HANDLE, 1, NULL, 0, &child), MPROC_EBROKEN);
    assert_int_equal(os_forkserver_channel(ends), MPROC_OK);
    os_handle_close(ends[1]);
    assert_int_equal(os_forkserver_request(ends[0], 1, NULL, 0, &child), MPROC_EBROKEN);
    os_handle_close(ends[0]);
}

int main(int argc, char **argv)
{
    static const role roles[] = {{"server", play_server}};
    int code;
    if (play_role(argc, argv, roles, sizeof roles / sizeof roles[0], &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_fork_there_is_no_server),
        cmocka_unit_test(a_server_makes_children_that_know_their_word),
        cmocka_unit_test(a_crash_in_a_servers_child_is_seen),
        cmocka_unit_test(a_servers_child_is_waited_for_and_ended),
        cmocka_unit_test(a_watcher_tells_of_servers_children),
        cmocka_unit_test(a_dead_server_is_broken),
        cmocka_unit_test(what_is_no_channel_is_broken),
    };
    return cmocka_run_group_tests_name("os forkserver", tests, NULL, NULL);
}
