/* A bar on a terminal of the test's own, whose screen is read back. */
#include "support.h"

#include "../terminal/terminal.h"

/* Whether the text is like this; `*` is any characters, also none. */
static bool is_like(const char *text, const char *pattern)
{
    for (; *pattern != '*'; text++, pattern++) {
        if (*text != *pattern)
            return false;
        if (*text == '\0')
            return true;
    }
    for (;; text++) {
        if (is_like(text, pattern + 1))
            return true;
        if (*text == '\0')
            return false;
    }
}

static void assert_like(const char *text, const char *pattern)
{
    if (!is_like(text, pattern))
        print_error("\"%s\" is not like \"%s\"\n", text, pattern);
    assert_true(is_like(text, pattern));
}

static void assert_clean_screen(void)
{
    assert_false(terminal_has_wrapped());
    assert_false(terminal_was_strange());
}

static mproc_progress_bar *create_bar(const char *label, const char *unit)
{
    mproc_progress_bar *bar = NULL;
    const mproc_progress_bar_options options = {.label = label, .unit = unit};
    assert_int_equal(mproc_progress_bar_create(&bar, &options), MPROC_OK);
    assert_non_null(bar);
    return bar;
}

/* Shows it until it is drawn, for there are ten drawings a second at most. */
static bool show_until_drawn(mproc_progress_bar *bar, size_t done, size_t total, size_t failed,
                             const char *pattern)
{
    int64_t patience = host_now() + SOON;
    do
        mproc_progress_bar_show(bar, done, total, failed);
    while (!is_like(terminal_row(0), pattern) && host_now() < patience);
    return host_now() < patience;
}

static int prepare(void **state)
{
    (void)state;
    host_set_variable("NO_COLOR", NULL);
    host_set_variable("TERM", "xterm");
    return 0;
}

/* ---- bad input ---- */

static void bad_input_is_refused(void **state)
{
    (void)state;
    mproc_progress_bar *bar = NULL;
    mproc_progress as_progress = mproc_progress_bar_show;
    assert_int_equal(mproc_progress_bar_create(NULL, NULL), MPROC_EINVAL);
    as_progress(NULL, 1, 2, 3);
    mproc_progress_bar_free(NULL);
    assert_int_equal(mproc_progress_bar_create(&bar, NULL), MPROC_OK);
    mproc_progress_bar_free(bar);
    bar = create_bar(NULL, NULL);
    mproc_progress_bar_free(bar);
}

static void absurd_numbers_do_no_harm(void **state)
{
    (void)state;
    static const size_t numbers[] = {0, 1, 5, 10, SIZE_MAX / 2, SIZE_MAX};
    if (!terminal_open(60))
        skip();
    mproc_progress_bar *bar = create_bar("absurd", NULL);
    for (size_t i = 0; i < 6 * 6 * 6 * 6; i++)
        mproc_progress_bar_show(bar, numbers[i % 6], numbers[i / 6 % 6], numbers[i / 36 % 6]);
    mproc_progress_bar_show(bar, 30, 20, 40);
    mproc_progress_bar_free(bar);
    terminal_close();
    assert_like(terminal_row(0), "absurd 100% [##*#] 30/20, in * s, 40 failed");
    assert_string_equal(terminal_row(1), "");
    assert_int_equal(terminal_cursor_row(), 1);
    assert_clean_screen();
}

static void strange_labels_are_made_harmless(void **state)
{
    (void)state;
    static char long_one[100000];
    memset(long_one, 'x', sizeof long_one - 1);
    if (!terminal_open(40))
        skip();
    mproc_progress_bar *bar = create_bar("a\nb\033[2Jc\377", "\r");
    mproc_progress_bar_show(bar, 5, 0, 0);
    mproc_progress_bar_free(bar);
    bar = create_bar(long_one, long_one);
    mproc_progress_bar_show(bar, 5, 0, 0);
    mproc_progress_bar_free(bar);
    terminal_close();
    assert_like(terminal_row(0), "a?b?[2Jc? 5 ?, * s");
    assert_like(terminal_row(1), "xxxxxxxxxx... 5, *in * s");
    assert_int_equal(terminal_cursor_row(), 2);
    assert_clean_screen();
}

static void wide_characters_do_not_wrap(void **state)
{
    (void)state;
    if (!terminal_open(30))
        skip();
    mproc_progress_bar *bar = create_bar("\346\274\242\345\255\227\346\274\242\345\255\227"
                                         "\346\274\242\345\255\227\346\274\242\345\255\227",
                                         NULL);
    mproc_progress_bar_show(bar, 2, 4, 0);
    mproc_progress_bar_free(bar);
    terminal_close();
    assert_clean_screen();
    assert_int_equal(terminal_cursor_row(), 1);
    if (!host_is_windows)
        assert_like(terminal_row(0), "\346\274\242\345\255\227\346\274\242...  50% 2/4, in * s");
}

/* ---- where it draws ---- */

static int draw_to_no_terminal(int argc, char **argv)
{
    (void)argc, (void)argv;
    mproc_progress_bar *bar;
    if (mproc_progress_bar_create(&bar, NULL) != MPROC_OK)
        return 1;
    for (size_t done = 0; done <= 1000; done++)
        mproc_progress_bar_show(bar, done, 1000, done / 10);
    mproc_progress_bar_free(bar);
    return 0;
}

static void nothing_is_written_to_what_is_no_terminal(void **state)
{
    (void)state;
    const run_result *run = run_role("draw_to_no_terminal", NULL, NULL);
    assert_string_equal(run->output, "");
    assert_int_equal(run->code, 0);
    assert_true(terminal_open_null());
    int code = draw_to_no_terminal(0, NULL);
    terminal_close();
    assert_int_equal(code, 0);
}

static void a_bar_that_was_shown_nothing_writes_nothing(void **state)
{
    (void)state;
    if (!terminal_open(60))
        skip();
    mproc_progress_bar_free(create_bar("idle", NULL));
    terminal_close();
    assert_int_equal(terminal_cursor_row(), 0);
    assert_string_equal(terminal_row(0), "");
}

static mproc_progress_bar *inherited;

static int draw_in_a_fork(void)
{
    mproc_progress_bar_show(inherited, 9, 10, 0);
    mproc_progress_bar_show(inherited, 10, 10, 0);
    mproc_progress_bar_free(inherited);
    return 0;
}

static void a_forked_child_draws_nothing(void **state)
{
    (void)state;
    if (!terminal_open(60))
        skip();
    inherited = create_bar("mine", NULL);
    mproc_progress_bar_show(inherited, 1, 10, 0);
    int code = host_raw_fork(draw_in_a_fork);
    bool same = is_like(terminal_row(0), "mine  10% *");
    mproc_progress_bar_free(inherited);
    terminal_close();
    assert_true(code <= 0);
    assert_true(same);
    assert_like(terminal_row(0), "mine  10% [#*.]  1/10 items, *");
    assert_int_equal(terminal_cursor_row(), 1);
}

/* ---- what it draws ---- */

static void a_line_fits_at_each_width(void **state)
{
    (void)state;
    static const struct {
        int columns;
        const char *first, *last;
    } cases[] = {
        {200, "reading  42% [##*..]  420/1000 files, */s, * left, 3 failed",
         "reading 100% [##*#] 1000/1000 files, */s, in *, 3 failed"},
        {80, "reading  42% [##*..]  420/1000 files, */s, * left, 3 failed",
         "reading 100% [##*#] 1000/1000 files, */s, in *, 3 failed"},
        {60, "reading  42% [##*..]  420/1000, * left, 3 failed",
         "reading 100% [##*#] 1000/1000, in *, 3 failed"},
        {48, "reading  42%  420/1000, * left, 3 failed", "reading 100% *1000/1000, in *, 3 failed"},
        {32, " 42%  420/1000, 3 failed", "100% 1000/1000, *3 failed"},
        {16, " 42% 3 failed", "100% 3 failed"},
        {7, " 42%", "100%"},
        {5, " 42%", "100%"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (!terminal_open(cases[i].columns))
            skip();
        mproc_progress_bar *bar = create_bar("reading", "files");
        mproc_progress_bar_show(bar, 420, 1000, 3);
        bool first = is_like(terminal_row(0), cases[i].first);
        mproc_progress_bar_show(bar, 1000, 1000, 3);
        mproc_progress_bar_free(bar);
        terminal_close();
        assert_true(first);
        assert_like(terminal_row(0), cases[i].last);
        assert_true(strlen(terminal_row(0)) < (size_t)cases[i].columns);
        if (strchr(terminal_row(0), '[') != NULL)
            assert_int_equal(strlen(terminal_row(0)), cases[i].columns - 1);
        assert_string_equal(terminal_row(1), "");
        assert_int_equal(terminal_cursor_row(), 1);
        assert_clean_screen();
    }
}

/* Without escapes nobody can erase what a wider line has left in the last column. */
static const char *resized_row(int columns)
{
    static char text[1024];
    snprintf(text, sizeof text, "%s", terminal_row(0));
    if (host_is_windows)
        text[columns - 1] = '\0';
    for (size_t length = strlen(text); length > 0 && text[length - 1] == ' ';)
        text[--length] = '\0';
    return text;
}

static void a_line_follows_the_width_of_its_terminal(void **state)
{
    (void)state;
    static const int widths[] = {100, 50, 30, 140, 80};
    bool drawn = true;
    size_t length[5];
    if (!terminal_open(widths[0]))
        skip();
    mproc_progress_bar *bar = create_bar("resized", NULL);
    for (size_t i = 0; i < COUNT_OF(widths); i++) {
        char pattern[32];
        snprintf(pattern, sizeof pattern, "*%2zu%%*%zu/100*", i + 1, i + 1);
        terminal_resize(widths[i]);
        drawn = show_until_drawn(bar, i + 1, 100, 0, pattern) && drawn;
        length[i] = strlen(resized_row(widths[i]));
    }
    mproc_progress_bar_show(bar, 100, 100, 0);
    mproc_progress_bar_free(bar);
    terminal_close();
    assert_true(drawn);
    assert_int_equal(length[0], 99);
    assert_true(length[1] < 50);
    assert_true(length[2] < 30);
    assert_int_equal(length[3], 139);
    assert_int_equal(length[4], 79);
    assert_like(resized_row(80), "resized 100% [##*#] 100/100 items, */s, in * s");
    assert_int_equal(terminal_cursor_row(), 1);
    assert_clean_screen();
}

static void of_an_unknown_total_there_is_count_and_rate(void **state)
{
    (void)state;
    if (!terminal_open(60))
        skip();
    mproc_progress_bar *bar = create_bar(NULL, "rows");
    mproc_progress_bar_show(bar, 7, 0, 0);
    bool first = is_like(terminal_row(0), "7 rows, */s");
    mproc_progress_bar_show(bar, 8, 0, 1);
    mproc_progress_bar_free(bar);
    terminal_close();
    assert_true(first);
    assert_like(terminal_row(0), "8 rows, */s, in * s, 1 failed");
    assert_clean_screen();
}

static void what_was_shown_last_stands_there_in_the_end(void **state)
{
    (void)state;
    if (!terminal_open(80))
        skip();
    mproc_progress_bar *bar = create_bar("stopped", NULL);
    for (size_t done = 0; done <= 700; done++)
        mproc_progress_bar_show(bar, done, 1000, 0);
    mproc_progress_bar_free(bar);
    terminal_close();
    assert_like(terminal_row(0), "stopped  70% [##*..]  700/1000 items, */s, in * s");
    assert_int_equal(terminal_cursor_row(), 1);
    assert_clean_screen();
}

static void a_second_map_starts_over_on_the_same_line(void **state)
{
    (void)state;
    if (!terminal_open(80))
        skip();
    mproc_progress_bar *bar = create_bar("again", NULL);
    mproc_progress_bar_show(bar, 10, 10, 0);
    bool first = is_like(terminal_row(0), "again 100% *10/10 items, *in *");
    bool second = show_until_drawn(bar, 3, 20, 0, "again  15% * 3/20 items, * left");
    mproc_progress_bar_show(bar, 20, 20, 0);
    mproc_progress_bar_free(bar);
    terminal_close();
    assert_true(first && second);
    assert_like(terminal_row(0), "again 100% *20/20 items, *in * s");
    assert_int_equal(terminal_cursor_row(), 1);
    assert_clean_screen();
}

static void it_draws_ten_times_a_second_at_most(void **state)
{
    (void)state;
    if (!terminal_open(80))
        skip();
    int64_t begin = host_now();
    mproc_progress_bar *bar = create_bar("quick", NULL);
    size_t done = 0;
    while (host_now() < begin + 450)
        mproc_progress_bar_show(bar, done++, SIZE_MAX, 0);
    mproc_progress_bar_show(bar, SIZE_MAX, SIZE_MAX, 0);
    mproc_progress_bar_free(bar);
    int64_t tenths = (host_now() - begin) / 100;
    long drawings = terminal_returns();
    terminal_close();
    assert_true(drawings < 0 || drawings >= 2);
    /* The first, the one at the end, and the carriage return with each line feed: two of them, for
     * the terminal adds one. */
    assert_true(drawings <= tenths + 4);
    assert_clean_screen();
}

/* ---- what the terminal understands ---- */

static void draw_long_then_short(const char *pattern, bool *drawn)
{
    mproc_progress_bar *bar = create_bar(NULL, NULL);
    mproc_progress_bar_show(bar, 1000000000, 0, 1000000000);
    *drawn = show_until_drawn(bar, 5, 0, 1, pattern);
    mproc_progress_bar_free(bar);
}

static void plain_terminals_get_no_escapes(void **state)
{
    (void)state;
    static const char *const variables[][2] = {{"NO_COLOR", "1"}, {"TERM", "dumb"}};
    for (int i = 0; i < 2; i++) {
        bool drawn = false;
        prepare(NULL);
        host_set_variable(variables[i][0], variables[i][1]);
        if (!terminal_open(60))
            skip();
        terminal_obey(true);
        draw_long_then_short("5 items, */s, 1 failed", &drawn);
        terminal_close();
        assert_true(drawn);
        assert_like(terminal_row(0), "5 items, */s, in * s, 1 failed");
        assert_false(terminal_had_escapes());
        assert_clean_screen();
    }
    prepare(NULL);
}

static void escapes_are_used_where_they_are_understood(void **state)
{
    (void)state;
    bool drawn = false;
    if (!terminal_open(60))
        skip();
    bool obeys = terminal_obey(true);
    draw_long_then_short("5 items, */s, *1 failed*", &drawn);
    terminal_close();
    assert_true(drawn);
    assert_clean_screen();
    if (host_is_windows)
        return; /* wine says that it obeys, and shows them */
    assert_true(obeys);
    assert_true(terminal_had_escapes());
    assert_like(terminal_row(0), "5 items, */s, in * s, 1 failed");
}

/* ---- who draws ---- */

static void show_many(void *bar)
{
    for (size_t done = 0; done < 20000; done++)
        mproc_progress_bar_show(bar, done, 20000, done / 3);
}

static void many_threads_may_show_at_once(void **state)
{
    (void)state;
    host_thread threads[3];
    bool started = true;
    if (!terminal_open(70))
        skip();
    mproc_progress_bar *bar = create_bar("shared", NULL);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        started = host_thread_start(&threads[i], show_many, bar) && started;
    for (size_t i = 0; started && i < COUNT_OF(threads); i++)
        host_thread_join(&threads[i]);
    mproc_progress_bar_show(bar, 20000, 20000, 0);
    mproc_progress_bar_free(bar);
    terminal_close();
    assert_true(started);
    assert_like(terminal_row(0), "shared 100% *20000/20000*, in *");
    assert_int_equal(terminal_cursor_row(), 1);
    assert_clean_screen();
}

static int fail_odd_ones(mproc_task *task)
{
    return mproc_task_index(task) % 2 ? mproc_task_fail(task, "odd") : 0;
}

static void a_map_shows_how_far_it_is(void **state)
{
    (void)state;
    static int items[1000];
    mproc_pool *pool = NULL;
    mproc_err err = mproc_pool_create(&pool, &(mproc_pool_options){.workers = 2});
    assert_int_equal(err, MPROC_OK);
    if (!terminal_open(80)) {
        mproc_pool_free(pool);
        skip();
    }
    mproc_progress_bar *bar = create_bar("mapping", NULL);
    err = mproc_pool_map(
        pool, fail_odd_ones, items, sizeof items[0], COUNT_OF(items), NULL, 0,
        &(mproc_map_options){.progress = mproc_progress_bar_show, .progress_context = bar});
    mproc_progress_bar_free(bar);
    terminal_close();
    mproc_pool_free(pool);
    assert_int_equal(err, MPROC_ETASK);
    assert_like(terminal_row(0), "mapping 100% [##*#] 1000/1000*, in *, 500 failed");
    assert_clean_screen();
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    static const role roles[] = {{"draw_to_no_terminal", draw_to_no_terminal}};
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code) || terminal_restart(&code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bad_input_is_refused, prepare),
        cmocka_unit_test_setup(absurd_numbers_do_no_harm, prepare),
        cmocka_unit_test_setup(strange_labels_are_made_harmless, prepare),
        cmocka_unit_test_setup(wide_characters_do_not_wrap, prepare),
        cmocka_unit_test_setup(nothing_is_written_to_what_is_no_terminal, prepare),
        cmocka_unit_test_setup(a_bar_that_was_shown_nothing_writes_nothing, prepare),
        cmocka_unit_test_setup(a_forked_child_draws_nothing, prepare),
        cmocka_unit_test_setup(a_line_fits_at_each_width, prepare),
        cmocka_unit_test_setup(a_line_follows_the_width_of_its_terminal, prepare),
        cmocka_unit_test_setup(of_an_unknown_total_there_is_count_and_rate, prepare),
        cmocka_unit_test_setup(what_was_shown_last_stands_there_in_the_end, prepare),
        cmocka_unit_test_setup(a_second_map_starts_over_on_the_same_line, prepare),
        cmocka_unit_test_setup(it_draws_ten_times_a_second_at_most, prepare),
        cmocka_unit_test_setup(plain_terminals_get_no_escapes, prepare),
        cmocka_unit_test_setup(escapes_are_used_where_they_are_understood, prepare),
        cmocka_unit_test_setup(many_threads_may_show_at_once, prepare),
        cmocka_unit_test_setup(a_map_shows_how_far_it_is, prepare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
