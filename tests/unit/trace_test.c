/* The trace from inside: what is written by many threads and processes, killed or forked meanwhile,
 * is whole. */
#include "../api/trace_support.h"

#include <stdlib.h>

#include "family/family.h"
#include "family/json.h"
#include "family/trace.h"

enum { EVENTS = 3000, WRITERS = 3 };

/* ---- lines ---- */

static void assert_becomes(const char *text, const char *expected)
{
    json_line line = {.used = 0};
    json_string(&line, text);
    line.text[line.used] = '\0';
    assert_string_equal(line.text, expected);
    assert_true(is_strict_json(line.text, line.used));
}

static void strings_are_valid_whatever_comes(void **state)
{
    (void)state;
    assert_becomes("", "\"\"");
    assert_becomes("a\"b\\c/", "\"a\\\"b\\\\c/\"");
    assert_becomes("\x01\n\x1f\x7f", "\"\\u0001\\u000a\\u001f\x7f\"");
    assert_becomes("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
                   "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
    assert_becomes("\xff", "\"\xef\xbf\xbd\"");
    assert_becomes("\xc3", "\"\xef\xbf\xbd\"");                 /* cut off */
    assert_becomes("\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""); /* too long for what it says */
    assert_becomes("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_becomes("\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        char text[400];
        size_t length = 0;
        for (; length < 1 + (size_t)round % 390; length++) {
            seed = seed * 1103515245u + 12345u;
            text[length] = (char)(seed >> 16 & 0xff ? seed >> 16 & 0xff : 1);
        }
        text[length] = '\0';
        json_line line = {.used = 0};
        json_string(&line, text);
        assert_true(is_strict_json(line.text, line.used));
        assert_true(line.used <= JSON_TEXT + 2);
    }
}

static void long_strings_are_cut_at_a_character(void **state)
{
    (void)state;
    char text[800];
    for (size_t i = 0; i < sizeof text - 2; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    text[798] = '\0';
    json_line line = {.used = 0};
    json_string(&line, text);
    assert_int_equal(line.used, 2 + JSON_TEXT / 3 * 3);
    assert_true(is_strict_json(line.text, line.used));
}

static void numbers_are_written_out(void **state)
{
    (void)state;
    const int64_t numbers[] = {0, -1, 7, 1234567890123, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char expected[40];
        json_line line = {.used = 0};
        json_number(&line, numbers[i]);
        line.text[line.used] = '\0';
        snprintf(expected, sizeof expected, "%lld", (long long)numbers[i]);
        assert_string_equal(line.text, expected);
    }
}

/* ---- the programs ---- */

static void trace_many(void *name)
{
    trace_thread(name);
    for (int i = 0; i < EVENTS; i++) {
        int64_t now = os_now();
        trace_span("step", "work", now, now + 1500, &(trace_args){.index = i});
    }
}

static int trace_with_threads(void *args, size_t size)
{
    (void)args;
    (void)size;
    os_handle threads[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        if (os_thread_start(&threads[i], trace_many, "helper"))
            return 1;
    }
    for (int i = 0; i < WRITERS; i++)
        os_thread_join(threads[i]);
    return 0;
}

static mproc_process *start(mproc_target target, const void *args, size_t size)
{
    mproc_process *process;
    if (mproc_process_create(
            &process, &(mproc_process_options){.target = target, .args = args, .args_size = size}))
        return NULL;
    if (!mproc_process_start(process))
        return process;
    mproc_process_free(process);
    return NULL;
}

static bool ends_well(mproc_process *process)
{
    int code = -1;
    bool ended =
        process && !mproc_process_join(process, SOON) && !mproc_process_exitcode(process, &code);
    mproc_process_free(process);
    return ended && code == 0;
}

static int write_much(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc_process *process[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        process[i] = start(trace_with_threads, NULL, 0);
    for (int i = 0; i < WRITERS; i++) {
        if (!ends_well(process[i]))
            return 1;
    }
    return 0;
}

static int say_all(void *args, size_t size)
{
    (void)args;
    (void)size;
    const int64_t now = os_now();
    const trace_args all = {.index = -7, .err = MPROC_ECRASHED, .note = "a \"note\""};
    const trace_args none = {.index = TRACE_NO_INDEX};
    trace_track("renamed");
    trace_span("all", "x", 1234567, 2234568, &all);
    trace_span("none", "x", now, now - 5, &none);
    trace_instant("here", "x", NULL);
    mproc_log(MPROC_LOG_INFO, "told %s", "\"quietly\"");
    trace_mark(mproc_process_pid(mproc_process_parent()), "there", "x", NULL);
    return trace_is_on() ? 0 : 1;
}

static int write_each_kind(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return ends_well(start(say_all, NULL, 0)) ? 0 : 1;
}

/* What this process has not written yet is no business of its child. */
static int keep_buffers_apart(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc_process_current();
    trace_instant("once", "x", NULL);
    return ends_well(start(say_all, NULL, 0)) ? 0 : 1;
}

/* Tells when something of it is in the file. A few buffers, and a pause: else that grows as fast as
 * the disk allows. */
static int trace_forever(void *args, size_t size)
{
    (void)size;
    const mproc_event *written = args;
    for (int i = 0;; i++) {
        int64_t now = os_now();
        trace_span("step", "work", now, now + 1500, &(trace_args){.index = i});
        if (i % 600)
            continue;
        trace_flush();
        mproc_event_set(*written);
        host_nap(1);
    }
    return 0;
}

static int kill_writers(int argc, char **argv)
{
    (void)argc;
    mproc_process *writers[WRITERS];
    mproc_event written;
    int kills = atoi(argv[0]);
    if (mproc_event_create(&written))
        return 4;
    for (int i = 0; i < WRITERS; i++)
        writers[i] = start(trace_forever, &written, sizeof written);
    if (mproc_event_wait(written, SOON))
        return 5;
    for (int round = 0; round < kills; round++) {
        mproc_process **victim = &writers[round % WRITERS];
        if (!*victim)
            return 1;
        host_nap(round % 3);
        host_kill(mproc_process_pid(*victim));
        if (mproc_process_join(*victim, SOON))
            return 2;
        mproc_process_free(*victim);
        *victim = start(trace_forever, &written, sizeof written);
    }
    for (int i = 0; i < WRITERS; i++) {
        if (!writers[i] || mproc_process_kill(writers[i]) || mproc_process_join(writers[i], SOON))
            return 3;
        mproc_process_free(writers[i]);
    }
    mproc_event_destroy(written);
    return 0;
}

typedef struct legacy {
    note pid, go, done;
} legacy;

static int outlive(void *args, size_t size)
{
    (void)size;
    const legacy *left = args;
    trace_instant("before", "x", NULL);
    trace_flush();
    leave_number(&left->pid, host_pid());
    await_note(&left->go, NULL, 0);
    trace_many("main");
    trace_flush();
    bool on = trace_is_on();
    leave_note(&left->done, on ? "on" : "off");
    return 0;
}

static int leave_orphan(void *args, size_t size)
{
    if (!start(outlive, args, size))
        return 1;
    await_note(&((const legacy *)args)->go, NULL, 0); /* killed here */
    return 0;
}

/* The orphan is nobody's child, so nobody joins it. */
static int end_before_a_grandchild(int argc, char **argv)
{
    (void)argc;
    legacy left = {.pid = note_at(argv[0]), .go = note_at(argv[1]), .done = note_at(argv[2])};
    mproc_process *process = start(leave_orphan, &left, sizeof left);
    if (!process || !await_note(&left.pid, NULL, 0))
        return 1;
    if (mproc_process_kill(process) || mproc_process_join(process, SOON))
        return 2;
    mproc_process_free(process);
    return 0;
}

static const role roles[] = {{"write_much", write_much},
                             {"write_each_kind", write_each_kind},
                             {"keep_buffers_apart", keep_buffers_apart},
                             {"kill_writers", kill_writers},
                             {"end_before_a_grandchild", end_before_a_grandchild}};

/* ---- the tests ---- */

static void threads_and_processes_write_whole_lines(void **state)
{
    (void)state;
    note place = new_note("trace");
    timeline read = trace_of("write_much", NULL, &place);
    assert_int_equal(COUNT_EVENTS(&read, "\"step\"", "\"dur\":1.500"), WRITERS * WRITERS * EVENTS);
    char last[40];
    snprintf(last, sizeof last, "\"args\":{\"index\":%d}", EVENTS - 1);
    assert_int_equal(COUNT_EVENTS(&read, "\"step\"", last), WRITERS * WRITERS);
    assert_int_equal(COUNT_EVENTS(&read, "\"thread_name\"", "\"helper\""), WRITERS * WRITERS);
    for (int tid = 2; tid < 2 + WRITERS; tid++) {
        char track[20];
        snprintf(track, sizeof track, "\"tid\":%d,", tid);
        assert_int_equal(COUNT_EVENTS(&read, "\"helper\"", track), WRITERS);
        assert_int_equal(COUNT_EVENTS(&read, "\"step\"", track), WRITERS * EVENTS);
    }
    drop_timeline(&read, &place);
}

static void events_say_what_they_were_told(void **state)
{
    (void)state;
    note place = new_note("trace");
    timeline read = trace_of("write_each_kind", NULL, &place);
    char error[200], pid[32];
    snprintf(error, sizeof error,
             "\"args\":{\"index\":-7,\"error\":\"%s\",\"note\":\"a \\\"note\\\"\"}",
             mproc_strerror(MPROC_ECRASHED));
    assert_int_equal(COUNT_EVENTS(&read, "\"name\":\"all\",\"cat\":\"x\"", "\"ph\":\"X\"",
                                  "\"ts\":1234.567,\"dur\":1000.001,", error),
                     1);
    assert_int_equal(COUNT_EVENTS(&read, "\"none\"", "\"dur\":0.000,\"args\":{}"), 1);
    assert_int_equal(COUNT_EVENTS(&read, "\"here\"", "\"ph\":\"i\"", "\"s\":\"t\""), 1);
    assert_int_equal(COUNT_EVENTS(&read, "\"told \\\"quietly\\\"\"", "\"cat\":\"log\"", "INFO"), 1);
    assert_int_equal(COUNT_EVENTS(&read, "\"process_name\"", "{\"name\":\"renamed\"}"), 1);
    snprintf(pid, sizeof pid, "\"pid\":%.0f,",
             number_in(&read, "process_name", "MainProcess", "\"pid\":"));
    assert_int_equal(COUNT_EVENTS(&read, "\"there\"", "\"s\":\"p\"", pid), 1);
    drop_timeline(&read, &place);
}

static void child_does_not_write_its_parents_buffer(void **state)
{
    (void)state;
    note place = new_note("trace");
    timeline read = trace_of("keep_buffers_apart", NULL, &place);
    assert_int_equal(COUNT_EVENTS(&read, "\"once\""), 1);
    assert_int_equal(COUNT_EVENTS(&read, "\"here\""), 1);
    drop_timeline(&read, &place);
}

static void killed_writers_leave_whole_lines(void **state)
{
    (void)state;
    note place = new_note("trace");
    const int kills = host_is_windows ? 10 : 60;
    char argument[20];
    snprintf(argument, sizeof argument, "%d", kills);
    timeline read = trace_of("kill_writers", argument, &place);
    assert_true(COUNT_EVENTS(&read, "\"step\"") > 0);
    assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"X\"", "\"cat\":\"process\""),
                     kills + WRITERS + 1);
    drop_timeline(&read, &place);
}

static void nothing_follows_the_end(void **state)
{
    (void)state;
    note place = new_note("trace"), pid = new_note("pid"), go = new_note("go"),
         done = new_note("done");
    const char *const arguments[] = {pid.path, go.path, done.path, NULL};
    char text[20] = "";
    int code = -1;
    host_set_variable(TRACE_VARIABLE, place.path);
    host_program program = start_role("end_before_a_grandchild", arguments, NULL);
    host_set_variable(TRACE_VARIABLE, NULL);
    assert_true(host_wait(&program, SOON, &code));
    assert_int_equal(code, 0);
    timeline read = read_timeline(&place);
    assert_well_formed(&read);
    assert_int_equal(COUNT_EVENTS(&read, "\"before\""), 1);
    free(read.text);
    assert_true(leave_note(&go, ""));
    assert_true(await_note(&done, text, sizeof text));
    assert_string_equal(text, "off");
    read = read_timeline(&place);
    assert_well_formed(&read);
    assert_int_equal(COUNT_EVENTS(&read, "\"step\""), 0);
    drop_note(&pid);
    drop_note(&go);
    drop_note(&done);
    drop_timeline(&read, &place);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_valid_whatever_comes),
        cmocka_unit_test(long_strings_are_cut_at_a_character),
        cmocka_unit_test(numbers_are_written_out),
        cmocka_unit_test(threads_and_processes_write_whole_lines),
        cmocka_unit_test(events_say_what_they_were_told),
        cmocka_unit_test(child_does_not_write_its_parents_buffer),
        cmocka_unit_test(killed_writers_leave_whole_lines),
        cmocka_unit_test(nothing_follows_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
