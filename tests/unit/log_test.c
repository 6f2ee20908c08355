/* The last message that a process has logged, for whoever finds it dead. */
#include "../api/support.h"

#include <stdlib.h>

#include "family/log.h"

enum { ROOM = 64 };

static void assert_kept(const char *room, size_t size, const char *expected)
{
    assert_non_null(memchr(room, '\0', size));
    assert_string_equal(room, expected);
}

static void last_message_is_kept_whatever_its_level(void **state)
{
    (void)state;
    char room[ROOM];
    memset(room, 'x', sizeof room);
    log_keep_in(room, sizeof room);
    assert_kept(room, sizeof room, "");
    assert_int_equal(mproc_log(MPROC_LOG_DEBUG, "item %d", 7), MPROC_OK);
    assert_kept(room, sizeof room, "item 7");
    assert_int_equal(mproc_log(MPROC_LOG_ERROR, "%s", "e"), MPROC_OK);
    assert_kept(room, sizeof room, "e");
    assert_int_equal(mproc_log(MPROC_LOG_OFF, "never"), MPROC_EINVAL);
    log_write(MPROC_LOG_ERROR, "mproc's own");
    assert_kept(room, sizeof room, "e");
    assert_int_equal(mproc_log(MPROC_LOG_ERROR, "%s", ""), MPROC_OK);
    assert_kept(room, sizeof room, "");
    log_keep_in(NULL, 0);
    assert_int_equal(mproc_log(MPROC_LOG_INFO, "nowhere"), MPROC_OK);
    assert_kept(room, sizeof room, "");
}

static void long_one_is_cut_at_a_character(void **state)
{
    (void)state;
    char room[ROOM];
    const struct {
        size_t size;
        const char *text, *kept;
    } cases[] = {
        {4, "abc", "abc"},
        {4, "abcd", "abc"},
        {4, "ab\xc3\xa9", "ab"},
        {5, "ab\xc3\xa9", "ab\xc3\xa9"},
        {4, "\xf0\x9f\x98\x80", ""},
        {1, "abc", ""},
        {4, "\x80\x80\x80\x80\x80", "\x80\x80\x80"}, /* no characters at all */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        memset(room, 'x', sizeof room);
        log_keep_in(room, cases[i].size);
        assert_int_equal(mproc_log(MPROC_LOG_INFO, "%s", cases[i].text), MPROC_OK);
        assert_kept(room, cases[i].size, cases[i].kept);
        assert_int_equal(room[cases[i].size], 'x');
    }
    log_keep_in(NULL, 0);
}

/* ---- killed while it logs ---- */

static char text_of(int round)
{
    return (char)('a' + round % 26);
}

static int log_forever(void *args, size_t size)
{
    (void)size;
    mproc_memory memory = *(mproc_memory *)args;
    log_keep_in(mproc_memory_data(memory), ROOM);
    for (int round = 0;; round++) {
        char text[ROOM];
        size_t length = (size_t)(round * 7 % (ROOM - 1)) + 1;
        memset(text, text_of(round), length);
        text[length] = '\0';
        mproc_log(MPROC_LOG_INFO, "%s", text);
    }
    return 0;
}

/* Old, new or none: all of its bytes are of one message. */
static void killed_one_leaves_a_message_or_none(void **state)
{
    (void)state;
    const int kills = host_is_windows ? 5 : 40;
    mproc_memory memory;
    assert_int_equal(mproc_memory_alloc(&memory, ROOM), MPROC_OK);
    char *room = mproc_memory_data(memory);
    for (int i = 0; i < kills; i++) {
        memset(room, 0, ROOM);
        mproc_process *process = start_process(log_forever, &memory, sizeof memory);
        for (int64_t late = host_now() + SOON; !*(volatile char *)room && host_now() < late;)
            host_nap(1);
        host_nap(i % 3);
        end_process(process);
        assert_non_null(memchr(room, '\0', ROOM));
        assert_int_equal(strspn(room, (char[]){*room, '\0'}), strlen(room));
    }
    mproc_memory_free(memory);
}

/* ---- a child has no room of its parent's ---- */

static int log_once(void *args, size_t size)
{
    (void)args;
    (void)size;
    return mproc_log(MPROC_LOG_INFO, "of the child") ? 1 : 0;
}

static void child_keeps_nothing_in_its_parents_room(void **state)
{
    (void)state;
    mproc_memory memory;
    assert_int_equal(mproc_memory_alloc(&memory, ROOM), MPROC_OK);
    char *room = mproc_memory_data(memory);
    log_keep_in(room, ROOM);
    assert_int_equal(mproc_log(MPROC_LOG_INFO, "of the parent"), MPROC_OK);
    assert_int_equal(run_process(log_once, NULL, 0), 0);
    assert_kept(room, ROOM, "of the parent");
    log_keep_in(NULL, 0);
    mproc_memory_free(memory);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_message_is_kept_whatever_its_level),
        cmocka_unit_test(long_one_is_cut_at_a_character),
        cmocka_unit_test(killed_one_leaves_a_message_or_none),
        cmocka_unit_test(child_keeps_nothing_in_its_parents_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
