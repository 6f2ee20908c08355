/* Who holds a connection: workers of pools, children that start while others make pipes, and nobody
 * when there are no handles left. */
#include "connection_support.h"

#include <stdlib.h>

enum { GOOD = 40, A_MOMENT = 10, CRASHES = 99, WORKERS = 2 };

/* ---- workers ---- */

typedef struct item {
    mproc_connection given, other;
    mproc_lock turn; /* for its messages must not mix with those of other workers */
    int number;
} item;

static int tell(mproc_task *task)
{
    const item *it = mproc_task_input(task, NULL);
    if (it->number == CRASHES)
        host_quit(3);
    if (mproc_connection_poll(it->other, 0) != MPROC_ENOTHELD)
        return mproc_task_fail(task, "it holds what it was not given");
    if (mproc_lock_acquire(it->turn, SOON))
        return mproc_task_fail(task, "its turn does not come");
    mproc_err err = mproc_connection_send(it->given, &it->number, sizeof it->number, SOON);
    mproc_lock_release(it->turn);
    return err;
}

typedef struct works {
    ends pipe;
    mproc_lock turn;
    mproc_pool *pool;
} works;

static works new_works(void)
{
    works it = {.pipe = new_pipe(MPROC_SIMPLEX)};
    const mproc_pool_options options = {
        .workers = WORKERS, .connections = &it.pipe.b, .connection_count = 1};
    assert_int_equal(mproc_lock_create(&it.turn), MPROC_OK);
    assert_int_equal(mproc_pool_create(&it.pool, &options), MPROC_OK);
    return it;
}

static void drop_works(works *it)
{
    mproc_pool_free(it->pool);
    assert_int_equal(mproc_lock_destroy(it->turn), MPROC_OK);
}

static mproc_err map(const works *it, int first, size_t count)
{
    item items[8];
    for (size_t i = 0; i < count; i++)
        items[i] = (item){it->pipe.b, it->pipe.a, it->turn, first + (int)i};
    return mproc_pool_map(it->pool, tell, items, sizeof *items, count, NULL, 0, NULL);
}

static void assert_told(const works *it, int first, size_t count)
{
    unsigned all = 0;
    for (size_t i = 0; i < count; i++) {
        int number = -1;
        size_t size;
        assert_int_equal(mproc_connection_recv(it->pipe.a, &number, sizeof number, &size, SOON),
                         MPROC_OK);
        assert_in_range(number - first, 0, count - 1);
        all |= 1u << (number - first);
    }
    assert_int_equal(all, (1u << count) - 1);
}

static void workers_use_what_their_pool_was_given(void **state)
{
    (void)state;
    works it = new_works();
    assert_int_equal(map(&it, 0, 8), MPROC_OK);
    assert_told(&it, 0, 8);
    close_end(it.pipe.b);
    assert_int_equal(map(&it, 0, 8), MPROC_OK);
    assert_told(&it, 0, 8);
    assert_int_equal(mproc_connection_poll(it.pipe.a, A_MOMENT), MPROC_ETIMEDOUT);
    drop_works(&it);
    assert_ends(it.pipe.a);
    close_end(it.pipe.a);
}

static void who_replaces_a_worker_is_given_the_same(void **state)
{
    (void)state;
    works it = new_works();
    for (int round = 0; round < 2 * WORKERS; round++) {
        assert_int_equal(map(&it, CRASHES, 1), MPROC_ECRASHED);
        assert_int_equal(map(&it, 0, 8), MPROC_OK);
        assert_told(&it, 0, 8);
    }
    close_end(it.pipe.b);
    drop_works(&it);
    assert_ends(it.pipe.a);
    close_end(it.pipe.a);
}

static void without_it_no_worker_is_replaced(void **state)
{
    (void)state;
    works it = new_works();
    assert_int_equal(map(&it, 0, 8), MPROC_OK); /* all have started */
    assert_told(&it, 0, 8);
    close_end(it.pipe.b);
    for (int left = WORKERS - 1; left > 0; left--) {
        assert_int_equal(map(&it, CRASHES, 1), MPROC_ECRASHED);
        assert_int_equal(map(&it, 0, 8), MPROC_OK);
        assert_told(&it, 0, 8);
    }
    assert_int_not_equal(map(&it, CRASHES, 1), MPROC_OK);
    assert_ends(it.pipe.a); /* as nobody holds the other end any more */
    assert_int_equal(map(&it, 0, 1), MPROC_EBROKEN);
    drop_works(&it);
    close_end(it.pipe.a);
}

/* ---- while others make pipes ---- */

static _Atomic bool enough;
static _Atomic int made, wrong;

/* Each pipe ends at once, unless a child that has just been started holds it. */
static void make_pipes(void *argument)
{
    (void)argument;
    while (!enough) {
        ends it;
        char byte;
        size_t size;
        if (mproc_pipe(&it.a, &it.b, MPROC_DUPLEX)) {
            wrong++;
            return;
        }
        mproc_connection_close(it.b);
        wrong += mproc_connection_recv(it.a, &byte, 1, &size, SOON) != MPROC_EEOF;
        mproc_connection_close(it.a);
        made++;
    }
}

static void children_hold_nothing_that_is_just_being_made(void **state)
{
    (void)state;
    enum { THREADS = 2, CHILDREN = 12 };
    host_thread threads[THREADS];
    mproc_process *children[CHILDREN];
    ends it = new_pipe(MPROC_SIMPLEX);
    enough = false;
    made = wrong = 0;
    for (int i = 0; i < THREADS; i++)
        assert_true(host_thread_start(&threads[i], make_pipes, NULL));
    for (int i = 0; i < CHILDREN; i++) {
        const int before = made;
        children[i] = start_options((mproc_process_options){.target = wait_forever,
                                                            .connections = &it.b,
                                                            .connection_count = (size_t)i % 2,
                                                            .daemon = true});
        while (made == before && !wrong)
            host_nap(1);
    }
    enough = true;
    for (int i = 0; i < THREADS; i++)
        host_thread_join(&threads[i]);
    close_end(it.b);
    for (int i = 0; i < CHILDREN; i++)
        end_process(children[i]);
    assert_int_equal(wrong, 0);
    assert_ends(it.a);
    close_end(it.a);
}

/* ---- without handles ---- */

enum { PIPES = 60, FEW = 5, FEWEST_HANDLES = 40, HANDLES = 300 };

static mproc_err start_and_join(const mproc_connection *given, size_t count)
{
    mproc_process *child;
    int code = GOOD;
    mproc_err err =
        mproc_process_create(&child, &(mproc_process_options){.target = return_code,
                                                              .args = &code,
                                                              .args_size = sizeof code,
                                                              .connections = given,
                                                              .connection_count = count});
    if (err)
        return err;
    err = mproc_process_start(child);
    code = 0;
    if (!err &&
        (mproc_process_join(child, SOON) || mproc_process_exitcode(child, &code) || code != GOOD))
        err = MPROC_ECRASHED;
    mproc_process_free(child);
    return err;
}

/* The forkserver, if there is one, is started with so few that it cannot receive them all; then
 * this process has so few that a spawn cannot prepare them. A fork needs none. */
static int run_out_of_handles(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc_connection a[PIPES], b[PIPES];
    if (!host_limit_handles(FEWEST_HANDLES) || start_and_join(NULL, 0) ||
        !host_limit_handles(HANDLES))
        return 1;
    for (int i = 0; i < PIPES; i++) {
        if (mproc_pipe(&a[i], &b[PIPES - 1 - i], MPROC_SIMPLEX))
            return 2;
    }
    size_t before = host_open_handles();
    bool needs = mproc_get_start_method() != MPROC_FORK;
    for (int i = 0; i < 3; i++) {
        size_t running = 99;
        if (!host_limit_handles((int)before + 12))
            return 3;
        if (start_and_join(b, PIPES) != (needs ? MPROC_EAGAIN : MPROC_OK))
            return 4;
        if (mproc_active_children(NULL, 0, &running) || running || !host_limit_handles(HANDLES) ||
            (needs && host_open_handles() != before))
            return 5;
        if (start_and_join(b, FEW))
            return 6;
    }
    for (int i = 0; i < PIPES; i++)
        mproc_connection_close(b[i]);
    for (int i = 0; i < PIPES; i++) {
        char byte;
        size_t size;
        if (mproc_connection_recv(a[i], &byte, 1, &size, SOON) != MPROC_EEOF)
            return 7;
    }
    return 0;
}

static void without_handles_a_start_says_so_and_keeps_nothing(void **state)
{
    (void)state;
    if (host_is_windows)
        skip();
    const run_result *done = run_role("run_out_of_handles", NULL, NULL);
    if (done->code)
        print_message("%s", done->output);
    assert_int_equal(done->code, 0);
}

int main(int argc, char **argv)
{
    static const role roles[] = {{"run_out_of_handles", run_out_of_handles}};
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_use_what_their_pool_was_given),
        cmocka_unit_test(who_replaces_a_worker_is_given_the_same),
        cmocka_unit_test(without_it_no_worker_is_replaced),
        cmocka_unit_test(children_hold_nothing_that_is_just_being_made),
        cmocka_unit_test(without_handles_a_start_says_so_and_keeps_nothing),
    };
    return cmocka_run_group_tests_name("connection holders", tests, NULL, NULL);
}
