/* Connections that a child is given by its options, under every start method: it can use them, it
 * holds no others, and the end of a pipe comes with its last holder. */
#include "connection_support.h"

#include <stdlib.h>

enum { HUNDREDS = 300, GOOD = 40, A_MOMENT = 10, NOTHING_HELD = -1 };

static void assert_receives_number(mproc_connection from, int expected)
{
    int number = -1;
    size_t size = 0;
    assert_int_equal(mproc_connection_recv(from, &number, sizeof number, &size, SOON), MPROC_OK);
    assert_int_equal(size, sizeof number);
    assert_int_equal(number, expected);
}

/* It must not have come as long as somebody is left. */
static void assert_is_open(mproc_connection end)
{
    assert_int_equal(mproc_connection_poll(end, A_MOMENT), MPROC_ETIMEDOUT);
}

static mproc_process *start_given(mproc_target target, const void *args, size_t args_size,
                                  const mproc_connection *connections, size_t count)
{
    return start_options((mproc_process_options){.target = target,
                                                 .args = args,
                                                 .args_size = args_size,
                                                 .connections = connections,
                                                 .connection_count = count});
}

/* ---- using them ---- */

/* What a child is told: it need not be given them all. */
typedef struct told {
    mproc_connection one, other;
    int number;
} told;

static int answer(void *args, size_t size)
{
    told *it = args;
    int number;
    if (mproc_connection_recv(it->one, &number, sizeof number, &size, SOON) ||
        ++number != it->number || mproc_connection_send(it->one, &number, sizeof number, SOON))
        return 1;
    return GOOD;
}

static void a_child_uses_what_it_was_given(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_DUPLEX);
    const told args = {.one = it.b, .number = 6};
    const int five = 5;
    mproc_process *child = start_given(answer, &args, sizeof args, &it.b, 1);
    close_end(it.b);
    assert_int_equal(mproc_connection_send(it.a, &five, sizeof five, SOON), MPROC_OK);
    assert_receives_number(it.a, 6);
    assert_int_equal(exit_code_of(child), GOOD);
    assert_ends(it.a);
    close_end(it.a);
}

static bool is_not_held(mproc_connection it)
{
    char byte;
    size_t size;
    intptr_t handle;
    return mproc_connection_send(it, "", 1, 0) == MPROC_ENOTHELD &&
           mproc_connection_recv(it, &byte, 1, &size, 0) == MPROC_ENOTHELD &&
           mproc_connection_poll(it, 0) == MPROC_ENOTHELD &&
           mproc_connection_handle(it, &handle) == MPROC_ENOTHELD &&
           mproc_connection_close(it) == MPROC_ENOTHELD;
}

static int use_one_of_two(void *args, size_t size)
{
    told *it = args;
    (void)size;
    if (!is_not_held(it->other))
        return 1;
    if (it->number == NOTHING_HELD)
        return is_not_held(it->one) ? GOOD : 2;
    return mproc_connection_send(it->one, &it->number, sizeof it->number, SOON) ? 3 : GOOD;
}

static void a_child_holds_no_others(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_DUPLEX);
    told args = {.one = it.b, .other = it.a, .number = 7};
    assert_int_equal(exit_code_of(start_given(use_one_of_two, &args, sizeof args, &it.b, 1)), GOOD);
    assert_receives_number(it.a, 7);
    args.number = NOTHING_HELD;
    assert_int_equal(run_process(use_one_of_two, &args, sizeof args), GOOD);
    close_end(it.a);
    close_end(it.b);
}

static void the_same_one_may_be_listed_twice(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_SIMPLEX);
    const mproc_connection twice[] = {it.b, it.b};
    const told args = {.one = it.b, .other = it.a, .number = 8};
    assert_int_equal(exit_code_of(start_given(use_one_of_two, &args, sizeof args, twice, 2)), GOOD);
    assert_receives_number(it.a, 8);
    close_end(it.b);
    assert_ends(it.a);
    close_end(it.a);
}

static int number_each(void *args, size_t size)
{
    const mproc_connection *all = args;
    for (int i = 0; (size_t)i < size / sizeof *all; i++) {
        if (mproc_connection_send(all[i], &i, sizeof i, SOON))
            return 1;
    }
    return GOOD;
}

static void hundreds_are_given_in_their_order(void **state)
{
    (void)state;
    static mproc_connection a[HUNDREDS], b[HUNDREDS];
    for (int i = 0; i < HUNDREDS; i++) {
        ends it = new_pipe(MPROC_SIMPLEX);
        a[i] = it.a;
        b[HUNDREDS - 1 - i] = it.b;
    }
    mproc_process *child = start_given(number_each, b, sizeof b, b, HUNDREDS);
    for (int i = 0; i < HUNDREDS; i++)
        close_end(b[i]);
    for (int i = 0; i < HUNDREDS; i++)
        assert_receives_number(a[i], HUNDREDS - 1 - i);
    assert_int_equal(exit_code_of(child), GOOD);
    for (int i = 0; i < HUNDREDS; i++) {
        assert_ends(a[i]);
        close_end(a[i]);
    }
}

/* ---- the end ---- */

static const mproc_start_method methods[] = {MPROC_FORK, MPROC_SPAWN, MPROC_FORKSERVER};
enum { METHODS = 3 };

/* By each method that there is; they hold nothing, and run on. */
static void start_siblings(mproc_process *siblings[METHODS])
{
    for (int i = 0; i < METHODS; i++) {
        siblings[i] = NULL;
        mproc_err err = mproc_process_create(
            &siblings[i],
            &(mproc_process_options){.target = wait_forever, .method = methods[i], .daemon = true});
        if (err != MPROC_ENOSYS)
            assert_int_equal(err, MPROC_OK);
        if (!err)
            assert_int_equal(mproc_process_start(siblings[i]), MPROC_OK);
    }
}

static void end_siblings(mproc_process *siblings[METHODS])
{
    for (int i = 0; i < METHODS; i++) {
        if (siblings[i])
            end_process(siblings[i]);
    }
}

/* Says that it is there, and ends when it is told so, or when the other side has gone. */
static int hold_one(void *args, size_t size)
{
    told *it = args;
    if (mproc_connection_send(it->one, &it->number, sizeof it->number, SOON))
        return 1;
    mproc_connection_recv(it->other, &it->number, sizeof it->number, &size, MPROC_FOREVER);
    return GOOD;
}

typedef enum { RETURNS, IS_KILLED, IS_TERMINATED, WAYS } way_to_end;

static void check_end(way_to_end way)
{
    mproc_process *early[METHODS], *late[METHODS];
    ends data = new_pipe(MPROC_SIMPLEX), control = new_pipe(MPROC_SIMPLEX);
    const told args = {.one = data.b, .other = control.a, .number = 9};
    const mproc_connection given[] = {data.b, control.a};
    start_siblings(early);
    mproc_process *child = start_given(hold_one, &args, sizeof args, given, 2);
    start_siblings(late);
    close_end(data.b);
    close_end(control.a);
    assert_receives_number(data.a, 9);
    assert_is_open(data.a);
    if (way == RETURNS)
        close_end(control.b); /* which is exact as well */
    else if (way == IS_KILLED)
        assert_int_equal(mproc_process_kill(child), MPROC_OK);
    else
        assert_int_equal(mproc_process_terminate(child), MPROC_OK);
    assert_ends(data.a);
    if (way == RETURNS)
        assert_int_equal(exit_code_of(child), GOOD);
    else
        end_process(child);
    if (way != RETURNS)
        close_end(control.b);
    close_end(data.a);
    end_siblings(early);
    end_siblings(late);
}

static void the_end_comes_with_the_child_that_held_it(void **state)
{
    (void)state;
    for (way_to_end way = RETURNS; way < WAYS; way++)
        check_end(way);
}

static void the_end_waits_for_the_last_of_several(void **state)
{
    (void)state;
    enum { HOLDERS = 3 };
    mproc_process *children[HOLDERS];
    mproc_connection control[HOLDERS];
    ends data = new_pipe(MPROC_SIMPLEX);
    for (int i = 0; i < HOLDERS; i++) {
        ends own = new_pipe(MPROC_SIMPLEX);
        const told args = {.one = data.b, .other = own.a, .number = i};
        const mproc_connection given[] = {data.b, own.a};
        control[i] = own.b;
        children[i] = start_given(hold_one, &args, sizeof args, given, 2);
        close_end(own.a);
        assert_receives_number(data.a, i);
    }
    close_end(data.b);
    for (int i = 0; i < HOLDERS; i++) {
        assert_is_open(data.a);
        close_end(control[i]);
        assert_int_equal(exit_code_of(children[i]), GOOD);
    }
    assert_ends(data.a);
    close_end(data.a);
}

static void a_daemon_holds_what_it_was_given(void **state)
{
    (void)state;
    ends data = new_pipe(MPROC_SIMPLEX), control = new_pipe(MPROC_SIMPLEX);
    const told args = {.one = data.b, .other = control.a, .number = 3};
    const mproc_connection given[] = {data.b, control.a};
    mproc_process *child = start_options((mproc_process_options){.target = hold_one,
                                                                 .args = &args,
                                                                 .args_size = sizeof args,
                                                                 .connections = given,
                                                                 .connection_count = 2,
                                                                 .daemon = true});
    close_end(data.b);
    assert_receives_number(data.a, 3);
    end_process(child);
    assert_ends(data.a);
    close_end(data.a);
    close_end(control.a);
    close_end(control.b);
}

/* ---- children of children ---- */

static mproc_process *begin(mproc_target target, const told *args, const mproc_connection *given,
                            size_t count)
{
    mproc_process *child = NULL;
    if (mproc_process_create(&child, &(mproc_process_options){.target = target,
                                                              .args = args,
                                                              .args_size = sizeof *args,
                                                              .connections = given,
                                                              .connection_count = count}) ||
        mproc_process_start(child)) {
        mproc_process_free(child);
        return NULL;
    }
    return child;
}

static bool ends_well(mproc_process *child)
{
    int code = 0;
    bool well = child && !mproc_process_join(child, SOON) &&
                !mproc_process_exitcode(child, &code) && code == GOOD;
    mproc_process_free(child);
    return well;
}

/* One grandchild gets it, another does not; then nobody but the first holds it. */
static int hand_on(void *args, size_t size)
{
    told *it = args;
    told nothing = {.one = it->one, .other = it->other, .number = NOTHING_HELD};
    const mproc_connection given[] = {it->one, it->other};
    (void)size;
    mproc_process *child = begin(hold_one, it, given, 2);
    if (!child || !ends_well(begin(use_one_of_two, &nothing, NULL, 0)))
        return 1;
    if (mproc_connection_close(it->one) || mproc_connection_close(it->other))
        return 2;
    return ends_well(child) ? GOOD : 3;
}

static void a_child_hands_on_what_it_holds(void **state)
{
    (void)state;
    ends data = new_pipe(MPROC_SIMPLEX), control = new_pipe(MPROC_SIMPLEX);
    const told args = {.one = data.b, .other = control.a, .number = 4};
    const mproc_connection given[] = {data.b, control.a};
    mproc_process *child = start_given(hand_on, &args, sizeof args, given, 2);
    close_end(data.b);
    close_end(control.a);
    assert_receives_number(data.a, 4);
    assert_is_open(data.a);
    close_end(control.b);
    assert_ends(data.a);
    assert_int_equal(exit_code_of(child), GOOD);
    close_end(data.a);
}

/* ---- what is left ---- */

static void no_handle_is_left_behind(void **state)
{
    (void)state;
    size_t before = 0;
    for (int round = 0; round < 6; round++) {
        if (round == 2) /* what is made once has been made */
            before = host_open_handles();
        ends it = new_pipe(MPROC_DUPLEX);
        const told args = {.one = it.b, .other = it.a, .number = round};
        assert_int_equal(exit_code_of(start_given(use_one_of_two, &args, sizeof args, &it.b, 1)),
                         GOOD);
        assert_receives_number(it.a, round);
        close_end(it.a);
        close_end(it.b);
    }
    assert_in_range(host_open_handles(), 0, host_is_windows ? before + 4 : before);
}

/* ---- bad input ---- */

static void what_is_not_held_cannot_be_given(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_DUPLEX);
    mproc_process *child = NULL;
    mproc_pool *pool = NULL;
    const mproc_connection given[] = {it.a, it.b}, forged[] = {it.a, {0}, {1}, {UINT64_MAX}};
    mproc_process_options options = {.target = return_code, .connection_count = 2};
    mproc_pool_options for_pool = {.workers = 1, .connection_count = 2};
    assert_int_equal(mproc_process_create(&child, &options), MPROC_EINVAL);
    assert_int_equal(mproc_pool_create(&pool, &for_pool), MPROC_EINVAL);
    options.connections = forged;
    for_pool.connections = forged;
    for (options.connection_count = 2; options.connection_count <= 4; options.connection_count++)
        assert_int_equal(mproc_process_create(&child, &options), MPROC_ENOTHELD);
    assert_int_equal(mproc_pool_create(&pool, &for_pool), MPROC_ENOTHELD);
    options.connection_count = SIZE_MAX;
    options.connections = given;
    close_end(it.a);
    close_end(it.b);
    assert_int_equal(mproc_process_create(&child, &options), MPROC_ENOTHELD);
    assert_null(child);
    assert_null(pool);
}

static void what_was_closed_meanwhile_starts_nothing(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_DUPLEX), other = new_pipe(MPROC_SIMPLEX);
    const mproc_connection given[] = {other.b, it.a, it.b};
    mproc_process *child = create_process(&(mproc_process_options){
        .target = wait_forever, .connections = given, .connection_count = 3});
    size_t running = 99;
    close_end(it.b);
    assert_int_equal(mproc_process_start(child), MPROC_ENOTHELD);
    assert_int_equal(mproc_process_pid(child), 0);
    assert_int_equal(mproc_active_children(NULL, 0, &running), MPROC_OK);
    assert_int_equal(running, 0);
    assert_int_equal(mproc_process_start(child), MPROC_ENOTHELD);
    mproc_process_free(child);
    assert_ends(it.a); /* whose other end nobody has kept */
    close_end(it.a);
    close_end(other.b);
    assert_ends(other.a);
    close_end(other.a);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_uses_what_it_was_given),
        cmocka_unit_test(a_child_holds_no_others),
        cmocka_unit_test(the_same_one_may_be_listed_twice),
        cmocka_unit_test(hundreds_are_given_in_their_order),
        cmocka_unit_test(the_end_comes_with_the_child_that_held_it),
        cmocka_unit_test(the_end_waits_for_the_last_of_several),
        cmocka_unit_test(a_daemon_holds_what_it_was_given),
        cmocka_unit_test(a_child_hands_on_what_it_holds),
        cmocka_unit_test(no_handle_is_left_behind),
        cmocka_unit_test(what_is_not_held_cannot_be_given),
        cmocka_unit_test(what_was_closed_meanwhile_starts_nothing),
    };
    return cmocka_run_group_tests_name("given connections", tests, NULL, NULL);
}
