/* MPROC_TRACE: what a program with processes leaves in the file, seen from outside. */
#include "trace_support.h"

#include <stdlib.h>

/* ---- the programs ---- */

static int start_child(void *args, size_t size)
{
    (void)args;
    (void)size;
    const int given = 3;
    return try_process(&(mproc_process_options){.target = return_code,
                                                .args = &given,
                                                .args_size = sizeof given,
                                                .name = "grand\"child\" \xc3\xa9\n\xff"});
}

static int run_tree(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    int code = -1;
    mproc_process *process[2];
    for (int i = 0; i < 2; i++) {
        if (mproc_process_create(&process[i], &(mproc_process_options){.target = start_child}) ||
            mproc_process_start(process[i]))
            return 1;
    }
    for (int i = 0; i < 2; i++) {
        if (mproc_process_join(process[i], SOON) || mproc_process_exitcode(process[i], &code))
            return 2;
        mproc_process_free(process[i]);
    }
    return code;
}

static mproc_process *start_named(mproc_target target, const char *name, bool daemon)
{
    mproc_process *process;
    const mproc_process_options options = {.target = target, .name = name, .daemon = daemon};
    if (mproc_process_create(&process, &options))
        return NULL;
    if (!mproc_process_start(process))
        return process;
    mproc_process_free(process);
    return NULL;
}

static int crash(void *args, size_t size)
{
    (void)args;
    (void)size;
    host_crash();
    return 0;
}

static int quit(void *args, size_t size)
{
    (void)args;
    (void)size;
    host_quit(4);
    return 0;
}

/* One that crashes, one that is killed, one that goes without a word, a daemon for the end. */
static int end_badly(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc_process *daemon = start_named(wait_forever, "daemon", true);
    mproc_process *crashing = start_named(crash, "crashing", false);
    mproc_process *killed = start_named(wait_forever, "killed", false);
    mproc_process *silent = start_named(quit, "silent", false);
    if (!daemon || !crashing || !killed || !silent)
        return 1;
    host_kill(mproc_process_pid(killed));
    if (mproc_process_join(killed, SOON) || mproc_process_join(crashing, SOON) ||
        mproc_process_join(silent, SOON))
        return 2;
    mproc_process_free(daemon);
    mproc_process_free(crashing);
    mproc_process_free(killed);
    mproc_process_free(silent);
    return 0;
}

static int do_nothing(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return mproc_cpu_count() > 0 ? 0 : 1;
}

static int warn(int argc, char **argv)
{
    return mproc_log_to_stderr(MPROC_LOG_WARNING) ? 1 : run_tree(argc, argv);
}

static const role roles[] = {
    {"run_tree", run_tree}, {"end_badly", end_badly}, {"do_nothing", do_nothing}, {"warn", warn}};

/* ---- the tests ---- */

static void each_process_has_its_track(void **state)
{
    (void)state;
    note place = new_note("trace");
    assert_int_equal(run_traced("run_tree", NULL, place.path)->code, 3);
    timeline read = read_timeline(&place);
    assert_well_formed(&read);
    const char *const names[] = {"MainProcess", "Process-1", "Process-2"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char called[64], life[64], pid[32];
        snprintf(called, sizeof called, "\"args\":{\"name\":\"%s\"}", names[i]);
        snprintf(life, sizeof life, "\"name\":\"%s\",\"cat\":\"process\"", names[i]);
        assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"M\"", "\"process_name\"", called), 1);
        assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"X\"", life), 1);
        snprintf(pid, sizeof pid, "\"pid\":%.0f,",
                 number_in(&read, "process_name", called, "\"pid\":"));
        assert_int_equal(COUNT_EVENTS(&read, life, pid), 1);
    }
    assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"i\""), 0);
    assert_int_equal(COUNT_EVENTS(&read, "\"process_name\""), 5);
    drop_timeline(&read, &place);
}

static void names_are_escaped(void **state)
{
    (void)state;
    note place = new_note("trace");
    assert_int_equal(run_traced("run_tree", NULL, place.path)->code, 3);
    timeline read = read_timeline(&place);
    assert_well_formed(&read);
    const char *name = "grand\\\"child\\\" \xc3\xa9\\u000a\xef\xbf\xbd\"";
    assert_int_equal(COUNT_EVENTS(&read, "\"process_name\"", name), 2);
    assert_int_equal(COUNT_EVENTS(&read, "\"cat\":\"process\"", name), 2);
    drop_timeline(&read, &place);
}

static void children_lie_within_their_parents(void **state)
{
    (void)state;
    note place = new_note("trace");
    assert_int_equal(run_traced("run_tree", NULL, place.path)->code, 3);
    timeline read = read_timeline(&place);
    const char *const life = "\"cat\":\"process\"";
    double begin = number_in(&read, "\"name\":\"MainProcess\"", life, "\"ts\":");
    double whole = number_in(&read, "\"name\":\"MainProcess\"", life, "\"dur\":");
    double child = number_in(&read, "\"name\":\"Process-1\"", life, "\"ts\":");
    double lived = number_in(&read, "\"name\":\"Process-1\"", life, "\"dur\":");
    assert_true(begin > 0 && begin <= child);
    assert_true(lived > 0 && child + lived <= begin + whole);
    drop_timeline(&read, &place);
}

static void bad_ends_are_marked(void **state)
{
    (void)state;
    note place = new_note("trace");
    timeline read = trace_of("end_badly", NULL, &place);
    const char *const names[] = {"MainProcess", "daemon", "crashing", "killed", "silent"};
    const char *const marks[] = {NULL, "\"terminated\"", "\"cat\":\"crash\"", "\"cat\":\"crash\"",
                                 NULL};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char life[64], pid[32];
        snprintf(life, sizeof life, "\"name\":\"%s\",\"cat\":\"process\"", names[i]);
        assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"X\"", life), 1);
        snprintf(pid, sizeof pid, "\"pid\":%.0f,", number_in(&read, life, "", "\"pid\":"));
        /* A Windows process that somebody ends from outside has just exited. */
        bool told = marks[i] && !(host_is_windows && !strcmp(names[i], "killed"));
        assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"i\"", pid), told);
        if (told)
            assert_int_equal(COUNT_EVENTS(&read, "\"ph\":\"i\"", "\"code\":", pid, marks[i]), 1);
    }
    drop_timeline(&read, &place);
}

static void old_file_is_replaced(void **state)
{
    (void)state;
    note place = new_note("trace");
    FILE *file = fopen(place.path, "w");
    assert_non_null(file);
    for (int i = 0; i < 10000; i++)
        fputs("nothing of this stays\n", file);
    fclose(file);
    assert_int_equal(run_traced("run_tree", NULL, place.path)->code, 3);
    timeline read = read_timeline(&place);
    assert_well_formed(&read);
    drop_timeline(&read, &place);
}

static void nothing_is_written_unless_asked(void **state)
{
    (void)state;
    note place = new_note("trace");
    assert_int_equal(run_traced("run_tree", NULL, NULL)->code, 3);
    assert_int_equal(run_traced("run_tree", NULL, "")->code, 3);
    /* Nor by a program without processes. */
    assert_int_equal(run_traced("do_nothing", NULL, place.path)->code, 0);
    timeline read = read_timeline(&place);
    assert_null(read.text);
}

static void file_that_cannot_be_written_is_one_warning(void **state)
{
    (void)state;
    char folder[400], nowhere[500];
    assert_true(host_temporary_folder(folder, sizeof folder));
    snprintf(nowhere, sizeof nowhere, "%snot-there/trace.json", folder);
    folder[strlen(folder) - 1] = '\0'; /* a folder is no file either */
    const char *const paths[] = {nowhere, folder};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const run_result *ran = run_traced("warn", NULL, paths[i]);
        assert_int_equal(ran->code, 3);
        const char *warning = strstr(ran->output, "[WARNING/MainProcess] there will be no trace,");
        assert_non_null(warning);
        assert_null(strstr(strchr(warning, '\n'), "no trace"));
        ran = run_traced("run_tree", NULL, paths[i]);
        assert_int_equal(ran->code, 3);
        assert_string_equal(ran->output, "");
    }
}

static void the_reader_is_strict(void **state)
{
    (void)state;
    const char *const good[] = {
        "[]", "{}", " [ 1 , -2.50e+3 ] ", "\"\\u00e9\\n\xc3\xa9\"", "null", "{\"a\":[{}]}", "0"};
    const char *const bad[] = {"",       "[",        "[1,]",    "{\"a\":1,}",  "[1] 2",
                               "\"\n\"", "\"\xff\"", "01",      "{a:1}",       "\"\\x\"",
                               "[1",     "\"",       "[{},{]}", "\"\xc0\x80\""};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(is_strict_json(good[i], strlen(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(is_strict_json(bad[i], strlen(bad[i])));
    assert_false(is_strict_json("[]\0", 3));
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_is_strict),
        cmocka_unit_test(each_process_has_its_track),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(children_lie_within_their_parents),
        cmocka_unit_test(bad_ends_are_marked),
        cmocka_unit_test(old_file_is_replaced),
        cmocka_unit_test(nothing_is_written_unless_asked),
        cmocka_unit_test(file_that_cannot_be_written_is_one_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
