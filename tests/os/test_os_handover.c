/* Handles that a child is given at its start: any number, in their order, and nobody else has
 * them. */
#include "roles.h"

#include <stdlib.h>
#include <string.h>

enum { MANY = 300 };

/* Sleepers hang on this: none of them outlives the test. */

/* ---- channels whose one end is given away ---- */

typedef struct bundle {
    size_t count;
    os_handle kept[MANY], given[MANY];
} bundle;

static bundle *make_bundle(size_t count)
{
    static bundle made;
    os_handle ends[2];
    made.count = count;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(os_channel_pair(ends, false), MPROC_OK);
        made.kept[i] = ends[0];
        made.given[i] = ends[1];
    }
    return &made;
}

/* So that the numbers that a child is to have are still in use here, each by another one. */
static void reverse(bundle *it)
{
    for (size_t i = 0, j = it->count - 1; i < j; i++, j--) {
        os_handle kept = it->kept[i], given = it->given[i];
        it->kept[i] = it->kept[j];
        it->given[i] = it->given[j];
        it->kept[j] = kept;
        it->given[j] = given;
    }
}

static void let_go(bundle *it)
{
    for (size_t i = 0; i < it->count; i++)
        os_handle_close(it->given[i]);
}

static void drop_kept(bundle *it)
{
    for (size_t i = 0; i < it->count; i++)
        os_handle_close(it->kept[i]);
}

/* In a child: each of them learns its own place. */
static int number_each(const os_handle *handles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        os_channel channel;
        const uint32_t number = (uint32_t)i;
        const os_part parts[2] = {{&number, sizeof number}, {NULL, 0}};
        size_t done;
        CHECK(os_channel_open(&channel, handles[i]) == MPROC_OK);
        CHECK(os_channel_write(&channel, parts, OS_NO_HANDLE, &done, soon()) == MPROC_OK);
        CHECK(done == sizeof number);
        os_channel_close(&channel);
    }
    return 0;
}

static void assert_number_comes(os_handle handle, uint32_t number)
{
    os_channel channel;
    uint32_t came = UINT32_MAX;
    size_t got;
    assert_int_equal(os_channel_open(&channel, handle), MPROC_OK);
    assert_int_equal(os_channel_read(&channel, &came, sizeof came, &got, NULL, soon()), MPROC_OK);
    assert_int_equal(got, sizeof came);
    assert_int_equal(came, number);
    os_channel_close(&channel);
}

/* At its end when the last holder of the other end is gone: at once, or not yet. */
static mproc_err look_for_end(os_handle handle, int64_t deadline)
{
    os_channel channel;
    char byte;
    size_t got;
    assert_int_equal(os_channel_open(&channel, handle), MPROC_OK);
    mproc_err err = os_channel_read(&channel, &byte, 1, &got, NULL, deadline);
    os_channel_close(&channel);
    return err;
}

/* ---- spawned ---- */

static int play_numberer(const os_entry *entry, const char *argument)
{
    (void)argument;
    CHECK(entry->handle_count > 1);
    CHECK(number_each(entry->handles + 1, entry->handle_count - 1) == 0);
    os_lifeline_wait(entry->handles[0], OS_FOREVER);
    return 7;
}

static os_process start_with(const char *name, const bundle *it)
{
    os_handle handles[MANY + 1] = {lifeline.watch};
    memcpy(handles + 1, it->given, it->count * sizeof *handles);
    return start_role(name, handles, it->count + 1);
}

static void check_many(bundle *it)
{
    os_process child = start_with("numberer", it);
    os_process sibling = start_role("sleeper", &lifeline.watch, 1);
    let_go(it);
    for (size_t i = 0; i < it->count; i++)
        assert_number_comes(it->kept[i], (uint32_t)i);
    assert_int_equal(look_for_end(it->kept[0], in_milliseconds(5)), MPROC_ETIMEDOUT);
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    for (size_t i = 0; i < it->count; i++)
        assert_int_equal(look_for_end(it->kept[i], soon()), MPROC_EEOF);
    assert_was_ended(&child, true);
    assert_int_equal(os_process_signal(&sibling, true), MPROC_OK);
    assert_was_ended(&sibling, true);
    drop_kept(it);
}

static void hundreds_arrive_in_their_order_and_nowhere_else(void **state)
{
    (void)state;
    check_many(make_bundle(MANY));
}

static void their_numbers_may_be_any(void **state)
{
    (void)state;
    bundle *it = make_bundle(MANY);
    reverse(it);
    check_many(it);
}

static void a_few_arrive_as_well(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 12; count++)
        check_many(make_bundle(count));
}

static int play_next(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_process child;
    CHECK(os_spawn(&child, "numberer", entry->handles, entry->handle_count, NULL) == MPROC_OK);
    os_process_close(&child);
    return 5;
}

static void a_child_can_hand_them_on(void **state)
{
    (void)state;
    bundle *it = make_bundle(20);
    os_lifeline other = lifeline;
    assert_int_equal(os_lifeline_create(&lifeline), MPROC_OK);
    os_process child = start_with("next", it);
    let_go(it);
    assert_exits_with(&child, 5);
    for (size_t i = 0; i < it->count; i++)
        assert_number_comes(it->kept[i], (uint32_t)i);
    if (os_can_start(MPROC_FORK)) { /* elsewhere a life line breaks with its maker only */
        os_lifeline_close(&lifeline);
        for (size_t i = 0; i < it->count; i++)
            assert_int_equal(look_for_end(it->kept[i], soon()), MPROC_EEOF);
    }
    lifeline = other;
    drop_kept(it);
}

/* ---- of a server ---- */

static int play_server(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_order order = os_forkserver_serve(entry->handles[0], NULL);
    CHECK(number_each(order.handles, order.handle_count) == 0);
    free(order.handles);
    os_lifeline_wait(entry->handles[1], OS_FOREVER);
    return (int)order.word;
}

static void end_foreign(os_process *child)
{
    assert_int_equal(os_process_signal(child, true), MPROC_OK);
    if (!child->foreign)
        assert_was_ended(child, true);
    else
        os_process_close(child);
}

static void ask_and_check(os_handle channel, bundle *it)
{
    os_process child, sibling;
    assert_int_equal(os_forkserver_request(channel, 1, it->given, it->count, &child), MPROC_OK);
    assert_int_equal(os_forkserver_request(channel, 2, NULL, 0, &sibling), MPROC_OK);
    let_go(it);
    for (size_t i = 0; i < it->count; i++)
        assert_number_comes(it->kept[i], (uint32_t)i);
    assert_int_equal(look_for_end(it->kept[0], in_milliseconds(5)), MPROC_ETIMEDOUT);
    end_foreign(&child);
    for (size_t i = 0; i < it->count; i++)
        assert_int_equal(look_for_end(it->kept[i], soon()), MPROC_EEOF);
    end_foreign(&sibling);
    drop_kept(it);
}

static void a_server_passes_them_on_and_keeps_none(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORKSERVER))
        skip();
    static const size_t counts[] = {1, 8, 249, 250, 251, MANY};
    os_handle ends[2];
    bundle *early = make_bundle(3);
    assert_int_equal(os_forkserver_channel(ends), MPROC_OK);
    const os_handle handles[] = {ends[1], lifeline.watch};
    os_process server = start_role("server", handles, 2);
    os_handle_close(ends[1]);
    ask_and_check(ends[0], early); /* older than the server */
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        ask_and_check(ends[0], make_bundle(counts[i]));
    os_handle_close(ends[0]);
    assert_exits_with(&server, 0);
}

static void handles_for_a_dead_server_stay_nowhere(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORKSERVER))
        skip();
    os_handle ends[2];
    os_process child;
    bundle *it = make_bundle(MANY);
    assert_int_equal(os_forkserver_channel(ends), MPROC_OK);
    os_handle_close(ends[1]);
    assert_int_equal(os_forkserver_request(ends[0], 1, it->given, it->count, &child),
                     MPROC_EBROKEN);
    os_handle_close(ends[0]);
    let_go(it);
    for (size_t i = 0; i < it->count; i++)
        assert_int_equal(look_for_end(it->kept[i], soon()), MPROC_EEOF);
    drop_kept(it);
}

int main(int argc, char **argv)
{
    static const role roles[] = {{"numberer", play_numberer},
                                 {"sleeper", play_sleeper},
                                 {"next", play_next},
                                 {"server", play_server}};
    int code;
    if (play_role(argc, argv, roles, sizeof roles / sizeof roles[0], &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hundreds_arrive_in_their_order_and_nowhere_else),
        cmocka_unit_test(their_numbers_may_be_any),
        cmocka_unit_test(a_few_arrive_as_well),
        cmocka_unit_test(a_child_can_hand_them_on),
        cmocka_unit_test(a_server_passes_them_on_and_keeps_none),
        cmocka_unit_test(handles_for_a_dead_server_stay_nowhere),
    };
    return cmocka_run_group_tests_name("os handover", tests, open_lifeline, NULL);
}
