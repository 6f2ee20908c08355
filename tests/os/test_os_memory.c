#include "roles.h"

#include <stdlib.h>
#include <string.h>

enum { SPAN = 65536 };

static bool is_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

static void committed_memory_is_zeroed(void **state)
{
    (void)state;
    os_shared shared;
    assert_int_equal(os_shared_create(&shared, (UINT64_C(1) << 30) + 1, BOARD_SIZE), MPROC_OK);
    assert_true(shared.size >= BOARD_SIZE && shared.size % SPAN == 0);
    assert_int_equal(os_shared_commit(&shared, SPAN, 3 * SPAN), MPROC_OK);
    assert_true(os_shared_is_committed(&shared, SPAN, 3 * SPAN));
    assert_true(is_zero(shared.base + SPAN, 3 * SPAN));
    os_handle_close(shared.object);
}

static void committing_again_changes_nothing(void **state)
{
    (void)state;
    os_shared shared;
    make_board(&shared);
    memset(shared.base, 7, SPAN);
    assert_int_equal(os_shared_commit(&shared, 0, 2 * SPAN), MPROC_OK);
    assert_int_equal(os_shared_commit(&shared, 0, 0), MPROC_OK);
    assert_int_equal(shared.base[SPAN - 1], 7);
    assert_int_equal(shared.base[SPAN], 0);
    drop_board(&shared);
}

static void committing_outside_is_out_of_memory(void **state)
{
    (void)state;
    os_shared shared;
    make_board(&shared);
    assert_int_equal(os_shared_commit(&shared, shared.size, SPAN), MPROC_ENOMEM);
    assert_int_equal(os_shared_commit(&shared, 0, shared.size + SPAN), MPROC_ENOMEM);
    assert_int_equal(os_shared_commit(&shared, SPAN, UINT64_MAX - SPAN + 1), MPROC_ENOMEM);
    assert_false(os_shared_is_committed(&shared, shared.size, SPAN));
    assert_false(os_shared_decommit(&shared, shared.size, SPAN));
    drop_board(&shared);
}

static void decommitted_memory_comes_back_zeroed(void **state)
{
    (void)state;
    os_shared shared;
    make_board(&shared);
    assert_int_equal(os_shared_commit(&shared, 0, 4 * SPAN), MPROC_OK);
    memset(shared.base, 9, 4 * SPAN);
    bool gone = os_shared_decommit(&shared, SPAN, 2 * SPAN);
    assert_int_equal(os_shared_commit(&shared, SPAN, 2 * SPAN), MPROC_OK);
    assert_int_equal(shared.base[SPAN - 1], 9);
    assert_int_equal(shared.base[3 * SPAN], 9);
    assert_int_equal(shared.base[SPAN], gone ? 0 : 9);
    assert_int_equal(shared.base[3 * SPAN - 1], gone ? 0 : 9);
    drop_board(&shared);
}

static void what_cannot_be_reserved_is_refused(void **state)
{
    (void)state;
    os_shared shared = {.size = 5};
    assert_int_not_equal(os_shared_create(&shared, UINT64_MAX, UINT64_MAX / 4), MPROC_OK);
    assert_int_equal(shared.size, 5);
    assert_int_equal(os_shared_create(&shared, UINT64_MAX, BOARD_SIZE), MPROC_OK);
    assert_true(shared.size >= BOARD_SIZE);
    os_handle_close(shared.object);
}

static void what_is_no_memory_cannot_be_opened(void **state)
{
    (void)state;
    os_shared shared, mapped = {.size = 5};
    os_lifeline line;
    make_board(&shared);
    assert_int_not_equal(os_shared_open(&mapped, OS_NO_HANDLE, SPAN), MPROC_OK);
    assert_int_not_equal(os_shared_open(&mapped, shared.object, UINT64_C(1) << 40), MPROC_OK);
    assert_int_equal(os_lifeline_create(&line), MPROC_OK);
    assert_int_not_equal(os_shared_open(&mapped, line.watch, SPAN), MPROC_OK);
    assert_int_equal(mapped.size, 5);
    os_lifeline_close(&line);
    drop_board(&shared);
}

/* The two places of one object differ, the bytes do not. */
static void two_mappings_show_the_same_bytes(void **state)
{
    (void)state;
    os_shared shared;
    make_board(&shared)->bytes[3] = 11;
    os_process child = start_role("bytes", &shared.object, 1);
    assert_exits_with(&child, 11);
    assert_int_equal(((board *)(void *)shared.base)->bytes[4], 12);
    assert_int_equal(shared.base[BOARD_SIZE - 1], 13);
    drop_board(&shared);
}

static int play_bytes(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_shared shared;
    CHECK(entry->handle_count == 1);
    board *on = find_board(&shared, entry->handles[0]);
    CHECK(on != NULL);
    on->bytes[4] = 12;
    CHECK(os_shared_commit(&shared, BOARD_SIZE - SPAN, SPAN) == MPROC_OK);
    shared.base[BOARD_SIZE - 1] = 13;
    return on->bytes[3];
}

static void a_fork_inherits_the_mapping(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORK))
        skip();
    os_shared shared;
    board *on = make_board(&shared);
    os_process child;
    bool in_child;
    assert_int_equal(os_fork(&child, &in_child), MPROC_OK);
    if (in_child) {
        on->bytes[0] = 5;
        if (!os_shared_commit(&shared, SPAN, SPAN))
            shared.base[SPAN] = 6;
        _Exit(0);
    }
    assert_exits_with(&child, 0);
    assert_int_equal(on->bytes[0], 5);
    assert_int_equal(shared.base[SPAN], 6);
    drop_board(&shared);
}

/* ---- words ---- */

static void a_changed_word_is_not_waited_for(void **state)
{
    (void)state;
    _Atomic uint32_t word = 1;
    if (!os_has_futex)
        skip();
    assert_int_equal(os_futex_wait(&word, 2, OS_FOREVER), MPROC_OK);
    assert_int_equal(os_futex_wait(&word, 1, 0), MPROC_ETIMEDOUT);
    int64_t deadline = in_milliseconds(20);
    assert_int_equal(os_futex_wait(&word, 1, deadline), MPROC_ETIMEDOUT);
    assert_true(os_now() >= deadline);
    os_futex_wake(&word, 1);
    os_futex_wake(&word, UINT32_MAX);
}

static int play_futex(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_shared shared;
    board *on = find_board(&shared, entry->handles[0]);
    CHECK(on != NULL);
    for (uint32_t turn = 1; turn <= 1000; turn++) {
        while (atomic_load(&on->word[0]) != turn)
            CHECK(os_futex_wait(&on->word[0], turn - 1, soon()) == MPROC_OK);
        atomic_store(&on->word[1], turn);
        os_futex_wake(&on->word[1], 1);
    }
    return 0;
}

static void a_word_is_waited_for_across_processes(void **state)
{
    (void)state;
    if (!os_has_futex)
        skip();
    os_shared shared;
    board *on = make_board(&shared);
    os_process child = start_role("futex", &shared.object, 1);
    for (uint32_t turn = 1; turn <= 1000; turn++) {
        atomic_store(&on->word[0], turn);
        os_futex_wake(&on->word[0], UINT32_MAX);
        while (atomic_load(&on->word[1]) != turn)
            assert_int_equal(os_futex_wait(&on->word[1], turn - 1, soon()), MPROC_OK);
    }
    assert_exits_with(&child, 0);
    drop_board(&shared);
}

/* ---- signals ---- */

static void make_signals(const os_shared *shared)
{
    static const unsigned char fallback[16] = "tests of the os";
    unsigned char nonce[16];
    if (os_random(nonce, sizeof nonce))
        memcpy(nonce, fallback, sizeof nonce);
    board *on = (board *)(void *)shared->base;
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(os_signal_init(&on->signal[i], nonce, i), MPROC_OK);
}

static void posts_are_counted(void **state)
{
    (void)state;
    os_shared shared;
    board *on = make_board(&shared);
    make_signals(&shared);
    assert_int_equal(os_signal_wait(&on->signal[0], 0), MPROC_ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        os_signal_post(&on->signal[0]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(os_signal_wait(&on->signal[0], i ? OS_FOREVER : 0), MPROC_OK);
    int64_t deadline = in_milliseconds(20);
    assert_int_equal(os_signal_wait(&on->signal[0], deadline), MPROC_ETIMEDOUT);
    assert_true(os_now() >= deadline);
    drop_board(&shared);
}

static int play_signal(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_shared shared;
    board *on = find_board(&shared, entry->handles[0]);
    CHECK(on != NULL);
    for (int turn = 0; turn < 500; turn++) {
        CHECK(os_signal_wait(&on->signal[0], soon()) == MPROC_OK);
        os_signal_post(&on->signal[1]);
    }
    return 0;
}

static void a_signal_is_waited_for_across_processes(void **state)
{
    (void)state;
    os_shared shared;
    board *on = make_board(&shared);
    make_signals(&shared);
    os_process child = start_role("signal", &shared.object, 1);
    for (int turn = 0; turn < 500; turn++) {
        os_signal_post(&on->signal[0]);
        assert_int_equal(os_signal_wait(&on->signal[1], soon()), MPROC_OK);
    }
    assert_exits_with(&child, 0);
    drop_board(&shared);
}

static int play_waiter(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_shared shared;
    board *on = find_board(&shared, entry->handles[0]);
    CHECK(on != NULL);
    os_signal_post(&on->signal[1]);
    CHECK(os_signal_wait(&on->signal[0], soon()) == MPROC_OK);
    return 0;
}

static void posting_to_a_dead_waiter_is_harmless(void **state)
{
    (void)state;
    os_shared shared;
    board *on = make_board(&shared);
    make_signals(&shared);
    for (int i = 0; i < 3; i++) {
        os_process child = start_role("waiter", &shared.object, 1);
        assert_int_equal(os_signal_wait(&on->signal[1], soon()), MPROC_OK);
        assert_int_equal(os_process_signal(&child, true), MPROC_OK);
        assert_was_ended(&child, true);
    }
    os_signal_post(&on->signal[0]);
    os_process child = start_role("waiter", &shared.object, 1);
    assert_exits_with(&child, 0);
    drop_board(&shared);
}

int main(int argc, char **argv)
{
    static const role roles[] = {{"bytes", play_bytes},
                                 {"futex", play_futex},
                                 {"signal", play_signal},
                                 {"waiter", play_waiter}};
    int code;
    if (play_role(argc, argv, roles, sizeof roles / sizeof roles[0], &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(committed_memory_is_zeroed),
        cmocka_unit_test(committing_again_changes_nothing),
        cmocka_unit_test(committing_outside_is_out_of_memory),
        cmocka_unit_test(decommitted_memory_comes_back_zeroed),
        cmocka_unit_test(what_cannot_be_reserved_is_refused),
        cmocka_unit_test(what_is_no_memory_cannot_be_opened),
        cmocka_unit_test(two_mappings_show_the_same_bytes),
        cmocka_unit_test(a_fork_inherits_the_mapping),
        cmocka_unit_test(a_changed_word_is_not_waited_for),
        cmocka_unit_test(a_word_is_waited_for_across_processes),
        cmocka_unit_test(posts_are_counted),
        cmocka_unit_test(a_signal_is_waited_for_across_processes),
        cmocka_unit_test(posting_to_a_dead_waiter_is_harmless),
    };
    return cmocka_run_group_tests_name("os memory", tests, NULL, NULL);
}
