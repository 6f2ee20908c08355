/* Channels: bytes, ends, deadlines, handles that travel, and waiting for any of many. */
#include "roles.h"

#include <stdlib.h>
#include <string.h>

typedef struct pair {
    os_handle ends[2];
    os_channel channel[2];
} pair;

static pair new_pair(bool duplex)
{
    pair made;
    assert_int_equal(os_channel_pair(made.ends, duplex), MPROC_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(os_channel_open(&made.channel[i], made.ends[i]), MPROC_OK);
    return made;
}

static void drop_end(pair *it, int end)
{
    os_channel_close(&it->channel[end]);
    os_handle_close(it->ends[end]);
    it->ends[end] = OS_NO_HANDLE;
}

static void drop_pair(pair *it)
{
    for (int i = 0; i < 2; i++) {
        if (it->ends[i] != OS_NO_HANDLE)
            drop_end(it, i);
    }
}

static mproc_err write_some(os_channel *to, const void *bytes, size_t size, size_t *done,
                            int64_t deadline)
{
    const os_part parts[2] = {{bytes, size}, {NULL, 0}};
    return os_channel_write(to, parts, OS_NO_HANDLE, done, deadline);
}

static void write_text(os_channel *to, const char *text)
{
    size_t done = 0;
    assert_int_equal(write_some(to, text, strlen(text), &done, soon()), MPROC_OK);
    assert_int_equal(done, strlen(text));
}

static void assert_reads(os_channel *from, const char *text)
{
    char bytes[64];
    size_t have = 0, got;
    while (have < strlen(text)) {
        assert_int_equal(
            os_channel_read(from, bytes + have, strlen(text) - have, &got, NULL, soon()), MPROC_OK);
        have += got;
    }
    assert_memory_equal(bytes, text, have);
}

static mproc_err poll_end(const os_channel *end, int64_t deadline)
{
    os_wait_item item = {.handle = end->handle, .is_channel = true};
    mproc_err err = os_wait_ready(&item, 1, deadline);
    assert_int_equal(item.ready, !err);
    return err;
}

static void bytes_go_both_ways(void **state)
{
    (void)state;
    pair it = new_pair(true);
    write_text(&it.channel[0], "there");
    write_text(&it.channel[1], "and back");
    assert_reads(&it.channel[1], "there");
    assert_reads(&it.channel[0], "and back");
    drop_pair(&it);
}

static void one_way_is_from_the_second_to_the_first(void **state)
{
    (void)state;
    pair it = new_pair(false);
    size_t done, got = 7;
    char byte;
    write_text(&it.channel[1], "along");
    assert_reads(&it.channel[0], "along");
    assert_int_not_equal(write_some(&it.channel[0], "x", 1, &done, soon()), MPROC_OK);
    assert_int_not_equal(os_channel_read(&it.channel[1], &byte, 1, &got, NULL, 0), MPROC_OK);
    assert_int_equal(got, 7);
    drop_pair(&it);
}

static void two_parts_become_one(void **state)
{
    (void)state;
    pair it = new_pair(true);
    const os_part parts[2] = {{"head", 4}, {"body", 4}};
    const os_part nothing[2] = {{NULL, 0}, {NULL, 0}};
    size_t done, got;
    char bytes[16];
    assert_int_equal(os_channel_write(&it.channel[0], parts, OS_NO_HANDLE, &done, OS_FOREVER),
                     MPROC_OK);
    assert_int_equal(done, 8);
    assert_int_equal(os_channel_read(&it.channel[1], bytes, sizeof bytes, &got, NULL, OS_FOREVER),
                     MPROC_OK);
    assert_int_equal(got, 8);
    assert_memory_equal(bytes, "headbody", 8);
    assert_int_equal(os_channel_write(&it.channel[0], nothing, OS_NO_HANDLE, &done, 0), MPROC_OK);
    assert_int_equal(done, 0);
    assert_int_equal(poll_end(&it.channel[1], 0), MPROC_ETIMEDOUT);
    drop_pair(&it);
}

static void a_read_in_vain_takes_nothing_and_loses_nothing(void **state)
{
    (void)state;
    pair it = new_pair(true);
    char bytes[4] = "abc";
    size_t got = 7;
    assert_int_equal(os_channel_read(&it.channel[0], bytes, 4, &got, NULL, 0), MPROC_ETIMEDOUT);
    int64_t began = os_now();
    assert_int_equal(os_channel_read(&it.channel[0], bytes, 4, &got, NULL, in_milliseconds(30)),
                     MPROC_ETIMEDOUT);
    assert_true(os_now() - began >= 29000000);
    assert_int_equal(got, 7);
    assert_string_equal(bytes, "abc");
    for (int i = 0; i < 20; i++) {
        assert_int_equal(os_channel_read(&it.channel[0], bytes, 4, &got, NULL, 0), MPROC_ETIMEDOUT);
        write_text(&it.channel[1], "xy");
        assert_reads(&it.channel[0], "xy");
    }
    drop_pair(&it);
}

static void looking_takes_nothing(void **state)
{
    (void)state;
    pair it = new_pair(true);
    assert_int_equal(poll_end(&it.channel[0], 0), MPROC_ETIMEDOUT);
    assert_int_equal(poll_end(&it.channel[0], in_milliseconds(20)), MPROC_ETIMEDOUT);
    write_text(&it.channel[1], "q");
    for (int i = 0; i < 3; i++)
        assert_int_equal(poll_end(&it.channel[0], soon()), MPROC_OK);
    assert_reads(&it.channel[0], "q");
    assert_int_equal(poll_end(&it.channel[0], 0), MPROC_ETIMEDOUT);
    drop_pair(&it);
}

static void the_end_comes_after_all_that_was_written(void **state)
{
    (void)state;
    for (int duplex = 0; duplex < 2; duplex++) {
        pair it = new_pair(duplex);
        char byte;
        size_t got, done;
        write_text(&it.channel[1], "last words");
        drop_end(&it, 1);
        assert_reads(&it.channel[0], "last words");
        assert_int_equal(poll_end(&it.channel[0], soon()), MPROC_OK);
        assert_int_equal(os_channel_read(&it.channel[0], &byte, 1, &got, NULL, 0), MPROC_EEOF);
        assert_int_equal(os_channel_read(&it.channel[0], &byte, 1, &got, NULL, soon()), MPROC_EEOF);
        if (duplex)
            assert_int_equal(write_some(&it.channel[0], "x", 1, &done, soon()), MPROC_EEOF);
        drop_pair(&it);
    }
}

static void writing_to_nobody_is_the_end(void **state)
{
    (void)state;
    pair it = new_pair(false);
    size_t done = 7;
    drop_end(&it, 0);
    assert_int_equal(write_some(&it.channel[1], "x", 1, &done, soon()), MPROC_EEOF);
    assert_int_equal(done, 0);
    assert_int_equal(write_some(&it.channel[1], "x", 1, &done, OS_FOREVER), MPROC_EEOF);
    drop_pair(&it);
}

/* ---- more than fits ---- */

enum { MUCH = 3000000 };

static unsigned char pattern_at(size_t i)
{
    return (unsigned char)(i * 7 + (i >> 11));
}

static void a_write_that_is_late_says_how_far_it_came(void **state)
{
    (void)state;
    pair it = new_pair(true);
    unsigned char *bytes = malloc(MUCH), part[5000];
    assert_non_null(bytes);
    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = pattern_at(i);
    size_t sent = 0, have = 0, late = 0;
    while (have < MUCH) {
        size_t done = 0, got = 0;
        if (sent < MUCH) {
            const os_part parts[2] = {{bytes + sent, (MUCH - sent) / 2},
                                      {bytes + sent + (MUCH - sent) / 2, (MUCH - sent + 1) / 2}};
            mproc_err err = os_channel_write(&it.channel[0], parts, OS_NO_HANDLE, &done,
                                             late % 5 ? 0 : in_milliseconds(2));
            assert_int_equal(err, sent + done < MUCH || err ? MPROC_ETIMEDOUT : MPROC_OK);
            late += err == MPROC_ETIMEDOUT;
            sent += done;
            memset(bytes, 0, sent); /* nobody needs them any more */
        }
        for (int i = 0; i < 50 && have < sent; i++) {
            assert_int_equal(os_channel_read(&it.channel[1], part, sizeof part, &got, NULL, soon()),
                             MPROC_OK);
            for (size_t j = 0; j < got; j++)
                assert_int_equal(part[j], pattern_at(have + j));
            have += got;
        }
    }
    assert_true(late > 2);
    size_t done;
    assert_int_equal(write_some(&it.channel[0], NULL, 0, &done, soon()), MPROC_OK);
    assert_int_equal(poll_end(&it.channel[1], 0), MPROC_ETIMEDOUT);
    free(bytes);
    drop_pair(&it);
}

typedef struct reader {
    os_channel *from;
    size_t have;
    bool good;
} reader;

static void read_all(void *argument)
{
    reader *it = argument;
    static unsigned char part[100000];
    size_t got;
    it->good = true;
    while (it->have < MUCH && !os_channel_read(it->from, part, sizeof part, &got, NULL, soon())) {
        for (size_t j = 0; j < got; j++)
            it->good = it->good && part[j] == pattern_at(it->have + j);
        it->have += got;
    }
}

static void a_thread_reads_while_another_writes(void **state)
{
    (void)state;
    const int64_t deadlines[] = {OS_FOREVER, soon()};
    unsigned char *bytes = malloc(MUCH);
    assert_non_null(bytes);
    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = pattern_at(i);
    for (int i = 0; i < 2; i++) {
        pair it = new_pair(i == 0);
        reader other = {.from = &it.channel[0]};
        os_handle thread;
        size_t done;
        const os_part parts[2] = {{bytes, 4}, {bytes + 4, MUCH - 4}};
        assert_int_equal(os_thread_start(&thread, read_all, &other), MPROC_OK);
        mproc_err err = os_channel_write(&it.channel[1], parts, OS_NO_HANDLE, &done, deadlines[i]);
        os_thread_join(thread);
        assert_int_equal(err, MPROC_OK);
        assert_int_equal(done, MUCH);
        assert_int_equal(other.have, MUCH);
        assert_true(other.good);
        drop_pair(&it);
    }
    free(bytes);
}

/* ---- other processes ---- */

static int play_answer(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_channel channel;
    char bytes[6];
    size_t got, done;
    CHECK(os_channel_open(&channel, entry->handles[0]) == MPROC_OK);
    CHECK(os_channel_read(&channel, bytes, 4, &got, NULL, soon()) == MPROC_OK);
    CHECK(got == 4 && !memcmp(bytes, "ping", 4));
    CHECK(write_some(&channel, "pong", 4, &done, soon()) == MPROC_OK);
    return os_channel_read(&channel, bytes, 4, &got, NULL, soon()) == MPROC_EEOF ? 7 : 8;
}

static void a_child_uses_the_end_it_was_given(void **state)
{
    (void)state;
    pair it = new_pair(true);
    os_process child = start_role("answer", &it.ends[1], 1);
    drop_end(&it, 1);
    write_text(&it.channel[0], "ping");
    assert_reads(&it.channel[0], "pong");
    assert_int_equal(poll_end(&it.channel[0], 0), MPROC_ETIMEDOUT);
    drop_end(&it, 0);
    assert_exits_with(&child, 7);
}

static void its_end_is_the_end(void **state)
{
    (void)state;
    pair it = new_pair(true);
    char byte;
    size_t got;
    os_process child = start_role("answer", &it.ends[1], 1);
    drop_end(&it, 1);
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    assert_int_equal(os_channel_read(&it.channel[0], &byte, 1, &got, NULL, soon()), MPROC_EEOF);
    assert_was_ended(&child, true);
    drop_pair(&it);
}

typedef struct offer {
    int64_t pid;
    uint64_t born, word;
} offer;

static int play_giver(const os_entry *entry, const char *argument)
{
    (void)argument;
    pair it;
    os_channel channel;
    size_t done;
    char byte;
    offer made = {.pid = os_getpid(), .born = os_birth_time()};
    CHECK(os_channel_pair(it.ends, true) == MPROC_OK);
    CHECK(os_channel_open(&channel, entry->handles[0]) == MPROC_OK);
    CHECK(os_channel_open(&it.channel[0], it.ends[0]) == MPROC_OK);
    CHECK(os_handle_offer(it.ends[1], &made.word) == MPROC_OK);
    const os_part parts[2] = {{&made, 8}, {&made.born, sizeof made - 8}};
    os_handle attached = os_can_attach ? it.ends[1] : OS_NO_HANDLE;
    CHECK(os_channel_write(&channel, parts, attached, &done, soon()) == MPROC_OK);
    os_handle_close(it.ends[1]);
    CHECK(write_some(&it.channel[0], "through", 7, &done, soon()) == MPROC_OK);
    return os_channel_read(&it.channel[0], &byte, 1, &done, NULL, soon()) == MPROC_EEOF ? 7 : 8;
}

static void a_handle_travels(void **state)
{
    (void)state;
    pair it = new_pair(true);
    offer made;
    size_t got = 0;
    os_handle attached = OS_NO_HANDLE, handle = OS_NO_HANDLE;
    os_channel channel;
    os_process child = start_role("giver", &it.ends[1], 1);
    assert_int_equal(os_channel_read(&it.channel[0], &made, 8, &got, NULL, soon()), MPROC_OK);
    assert_int_equal(got, 8);
    assert_int_equal(
        os_channel_read(&it.channel[0], &made.born, sizeof made - 8, &got, &attached, soon()),
        MPROC_OK);
    assert_int_equal(got, sizeof made - 8);
    assert_int_equal(attached != OS_NO_HANDLE, os_can_attach);
    assert_int_equal(os_handle_accept(made.pid, made.born, made.word, attached, &handle), MPROC_OK);
    assert_int_equal(os_channel_open(&channel, handle), MPROC_OK);
    assert_reads(&channel, "through");
    os_channel_close(&channel);
    os_handle_close(handle); /* the last one */
    assert_exits_with(&child, 7);
    assert_int_equal(os_handle_accept(made.pid, made.born, 0, OS_NO_HANDLE, &handle),
                     MPROC_EBROKEN);
    drop_pair(&it);
}

/* ---- many ---- */

static int play_brief(const os_entry *entry, const char *argument)
{
    (void)entry;
    (void)argument;
    return 7;
}

static void all_that_are_ready_are_told(void **state)
{
    (void)state;
    enum { MANY = 150 };
    static pair pairs[MANY];
    static os_wait_item items[MANY + 1];
    os_process child = start_role("brief", NULL, 0);
    for (int i = 0; i < MANY; i++) {
        pairs[i] = new_pair(i % 2);
        items[i] = (os_wait_item){.handle = pairs[i].ends[0], .is_channel = true};
    }
    assert_int_equal(os_process_sentinel(&child, &items[MANY].handle), MPROC_OK);
    assert_int_equal(os_wait_ready(items, 3, 0), MPROC_ETIMEDOUT);
    assert_int_equal(os_wait_ready(items, 3, in_milliseconds(10)), MPROC_ETIMEDOUT);
    assert_int_equal(os_wait_ready(items, MANY, in_milliseconds(10)), MPROC_ETIMEDOUT);
    assert_int_equal(os_wait_ready(NULL, 0, in_milliseconds(10)), MPROC_ETIMEDOUT);
    assert_int_equal(os_wait_ready(items, MANY + 1, soon()), MPROC_OK);
    assert_true(items[MANY].ready);
    for (int i = 0; i < MANY; i++)
        assert_false(items[i].ready);
    write_text(&pairs[2].channel[1], "a");
    write_text(&pairs[MANY - 1].channel[1], "b");
    drop_end(&pairs[100], 1);
    assert_int_equal(os_wait_ready(items, MANY + 1, soon()), MPROC_OK);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(items[i].ready, i == 2 || i == 100 || i == MANY - 1);
    assert_true(items[MANY].ready);
    assert_reads(&pairs[2].channel[0], "a");
    for (int i = 0; i < MANY; i++)
        drop_pair(&pairs[i]);
    assert_exits_with(&child, 7);
}

typedef struct late_writer {
    os_channel *to;
} late_writer;

static void write_late(void *argument)
{
    late_writer *it = argument;
    size_t done;
    int64_t until = in_milliseconds(20);
    while (os_now() < until)
        os_yield();
    write_some(it->to, "!", 1, &done, soon());
}

static void who_waits_for_many_wakes(void **state)
{
    (void)state;
    enum { MANY = 70 };
    static pair pairs[MANY];
    static os_wait_item items[MANY];
    for (int i = 0; i < MANY; i++) {
        pairs[i] = new_pair(true);
        items[i] = (os_wait_item){.handle = pairs[i].ends[0], .is_channel = true};
    }
    for (size_t count = 2; count <= MANY; count += MANY - 2) {
        late_writer other = {.to = &pairs[1].channel[1]};
        os_handle thread;
        assert_int_equal(os_thread_start(&thread, write_late, &other), MPROC_OK);
        mproc_err err = os_wait_ready(items, count, OS_FOREVER);
        os_thread_join(thread);
        assert_int_equal(err, MPROC_OK);
        assert_true(items[1].ready);
        assert_false(items[0].ready);
        assert_reads(&pairs[1].channel[0], "!");
    }
    for (int i = 0; i < MANY; i++)
        drop_pair(&pairs[i]);
}

int main(int argc, char **argv)
{
    static const role roles[] = {
        {"answer", play_answer}, {"giver", play_giver}, {"brief", play_brief}};
    int code;
    if (play_role(argc, argv, roles, sizeof roles / sizeof roles[0], &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways),
        cmocka_unit_test(one_way_is_from_the_second_to_the_first),
        cmocka_unit_test(two_parts_become_one),
        cmocka_unit_test(a_read_in_vain_takes_nothing_and_loses_nothing),
        cmocka_unit_test(looking_takes_nothing),
        cmocka_unit_test(the_end_comes_after_all_that_was_written),
        cmocka_unit_test(writing_to_nobody_is_the_end),
        cmocka_unit_test(a_write_that_is_late_says_how_far_it_came),
        cmocka_unit_test(a_thread_reads_while_another_writes),
        cmocka_unit_test(a_child_uses_the_end_it_was_given),
        cmocka_unit_test(its_end_is_the_end),
        cmocka_unit_test(a_handle_travels),
        cmocka_unit_test(all_that_are_ready_are_told),
        cmocka_unit_test(who_waits_for_many_wakes),
    };
    return cmocka_run_group_tests_name("os channel", tests, NULL, NULL);
}
