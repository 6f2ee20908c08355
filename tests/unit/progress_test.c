#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "progress/line.h"
#include "progress/meter.h"
#include "progress/text.h"

#define SECOND INT64_C(1000000000)
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ---- text ---- */

static void assert_clean(const char *from, const char *expected)
{
    char to[64];
    progress_text_clean(to, sizeof to, from);
    assert_string_equal(to, expected);
}

static void what_a_terminal_might_obey_becomes_question_marks(void **state)
{
    (void)state;
    assert_clean("plain", "plain");
    assert_clean("a\nb\tc\r\033[31md\177", "a?b?c??[31md?");
    assert_clean("\302\233K", "?K");                  /* U+009B, which is escape and bracket */
    assert_clean("\342\200\250\342\200\256x", "??x"); /* a line end, and from right to left */
    assert_clean("gr\303\266\303\237e \346\274\242 \360\237\230\200",
                 "gr\303\266\303\237e \346\274\242 \360\237\230\200");
}

static void what_is_no_utf8_becomes_question_marks(void **state)
{
    (void)state;
    assert_clean("\377x", "?x");
    assert_clean("\200\277", "??");
    assert_clean("\303", "?");
    assert_clean("\346\274", "??");
    assert_clean("\346\274x", "??x");
    assert_clean("\300\257", "??");           /* too long for its character */
    assert_clean("\355\240\200", "???");      /* half of a pair */
    assert_clean("\364\220\200\200", "????"); /* behind the last one */
    assert_clean("\370\210\200\200\200", "?????");
}

static void long_texts_end_at_a_character(void **state)
{
    (void)state;
    char to[6];
    progress_text_clean(to, sizeof to, "abcd\303\266");
    assert_string_equal(to, "abcd");
    progress_text_clean(to, sizeof to, "abc\303\266x");
    assert_string_equal(to, "abc\303\266");
    progress_text_clean(to, 1, "abc");
    assert_string_equal(to, "");
}

static void columns_are_counted_as_a_terminal_does(void **state)
{
    (void)state;
    assert_int_equal(progress_text_columns(""), 0);
    assert_int_equal(progress_text_columns("gr\303\266\303\237e"), 5);
    assert_int_equal(progress_text_columns("\346\274\242\345\255\227"), 4);
    assert_int_equal(progress_text_columns("\360\237\230\200"), 2);
    assert_int_equal(progress_text_columns("e\314\201"), 1);
    assert_int_equal(progress_text_cut("\346\274\242\345\255\227", 3), 3);
    assert_int_equal(progress_text_cut("\346\274\242\345\255\227", 1), 0);
    assert_int_equal(progress_text_cut("e\314\201x", 1), 3);
    assert_int_equal(progress_text_cut("abc", 9), 3);
}

/* ---- lines ---- */

static const progress_state half = {
    .label = "reading",
    .unit = "files",
    .done = 420,
    .total = 1000,
    .failed = 3,
    .rate = 12.34,
    .left = 46.5,
    .elapsed = 34,
};

static void assert_line(const progress_state *state, int columns, const char *expected)
{
    progress_line line;
    char text[PROGRESS_LINE_SIZE + 1];
    progress_line_format(&line, state, columns, false);
    memcpy(text, line.text, line.size);
    text[line.size] = '\0';
    assert_string_equal(text, expected);
    assert_int_equal(line.columns, progress_text_columns(text));
    assert_true(line.columns < columns || line.columns == 0);
}

static void a_line_fills_its_width(void **state)
{
    (void)state;
    assert_line(&half, 100,
                "reading  42% [###############......................]"
                "  420/1000 files,  12.3/s,  0:47 left, 3 failed");
    assert_line(&half, 80,
                "reading  42% [#######..........]  420/1000 files,  12.3/s,  0:47 left, 3 failed");
}

static void a_narrow_line_leaves_out_one_part_after_the_other(void **state)
{
    (void)state;
    assert_line(&half, 74,
                "reading  42% [####.......]  420/1000 files,  12.3/s,  0:47 left, 3 failed");
    assert_line(&half, 72,
                "reading  42% [######.........]  420/1000,  12.3/s,  0:47 left, 3 failed");
    assert_line(&half, 60, "reading  42% [#####.......]  420/1000,  0:47 left, 3 failed");
    assert_line(&half, 50, "reading  42%  420/1000,  0:47 left, 3 failed");
    assert_line(&half, 40, " 42%  420/1000,  0:47 left, 3 failed");
    assert_line(&half, 30, " 42%  420/1000, 3 failed");
    assert_line(&half, 20, " 42% 3 failed");
    assert_line(&half, 10, " 42%");
    assert_line(&half, 5, " 42%");
    assert_line(&half, 4, "");
    assert_line(&half, 1, "");
    assert_line(&half, 0, "");
    assert_line(&half, -1, "");
}

static void at_the_end_a_line_tells_the_time_it_took(void **state)
{
    (void)state;
    progress_state end = half;
    end.done = 1000;
    end.failed = 0;
    end.ended = true;
    end.elapsed = 81.9;
    assert_line(&end, 70, "reading 100% [####################] 1000/1000 files,  12.3/s, in 1:21");
    end.elapsed = 0.35;
    assert_line(&end, 70, "reading 100% [###################] 1000/1000 files,  12.3/s, in 0.3 s");
    end.elapsed = 59.99;
    assert_line(&end, 70, "reading 100% [##################] 1000/1000 files,  12.3/s, in 59.9 s");
}

static void of_an_unknown_total_there_is_count_and_rate(void **state)
{
    (void)state;
    progress_state unknown = half;
    unknown.total = 0;
    assert_line(&unknown, 80, "reading 420 files,  12.3/s, 3 failed");
    assert_line(&unknown, 30, "reading 420, 3 failed");
    assert_line(&unknown, 15, "420, 3 failed");
    assert_line(&unknown, 13, "420");
    assert_line(&unknown, 3, "");
    unknown.ended = true;
    assert_line(&unknown, 80, "reading 420 files,  12.3/s, in 34.0 s, 3 failed");
}

static void a_line_without_texts_has_no_holes(void **state)
{
    (void)state;
    progress_state bare = half;
    bare.label = bare.unit = "";
    bare.failed = 0;
    assert_line(&bare, 60, " 42% [########.............]  420/1000,  12.3/s,  0:47 left");
}

static void long_labels_are_cut_between_characters(void **state)
{
    (void)state;
    progress_state named = half;
    named.failed = 0;
    named.label = "what is read is a name that is much too long for this terminal";
    assert_line(&named, 80,
                "what is read is a name ...  42% [#####.........]  420/1000,  12.3/s,  0:47 left");
    named.label = "\346\274\242\345\255\227\346\274\242\345\255\227\346\274\242\345\255\227"
                  "\346\274\242\345\255\227";
    assert_line(&named, 44,
                "\346\274\242\345\255\227\346\274\242\345\255\227\346\274\242...  42%  420/1000,  "
                "0:47 left");
    named.total = 0;
    assert_line(&named, 15, "\346\274\242\345\255\227 420");
}

static void failures_are_red_and_take_no_room_for_it(void **state)
{
    (void)state;
    progress_line plain, red;
    progress_line_format(&plain, &half, 80, false);
    progress_line_format(&red, &half, 80, true);
    assert_int_equal(plain.columns, red.columns);
    static const char end[] = "\033[31m3 failed\033[0m";
    assert_memory_equal(red.text + red.size - strlen(end), end, strlen(end));
}

static void rates_have_three_digits(void **state)
{
    (void)state;
    static const struct {
        double rate;
        const char *text;
    } cases[] = {
        {-1, "7,     -/s"},     {0, "7, 0.000/s"},      {1e-9, "7, <.001/s"},
        {0.0123, "7, 0.012/s"}, {0.9996, "7,  1.00/s"}, {1, "7,  1.00/s"},
        {9.996, "7,  10.0/s"},  {99.96, "7,   100/s"},  {999.4, "7,   999/s"},
        {999.6, "7, 1.00k/s"},  {12345, "7, 12.3k/s"},  {999600, "7, 1.00M/s"},
        {3.2e9, "7, 3.20G/s"},  {1e30, "7,  999E/s"},
    };
    progress_state only = {.label = "", .unit = "", .done = 7};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        only.rate = cases[i].rate;
        assert_line(&only, 80, cases[i].text);
    }
    only.rate = INFINITY;
    assert_line(&only, 80, "7,  999E/s");
    only.rate = NAN;
    assert_line(&only, 80, "7,     -/s");
}

static void times_are_short(void **state)
{
    (void)state;
    static const struct {
        double left;
        const char *text;
    } cases[] = {
        {-1, "  0% 0/9,  -:-- left"},           {0, "  0% 0/9,  0:00 left"},
        {0.2, "  0% 0/9,  0:01 left"},          {59.5, "  0% 0/9,  1:00 left"},
        {3599, "  0% 0/9, 59:59 left"},         {3600, "  0% 0/9, 1:00:00 left"},
        {359999, "  0% 0/9, 99:59:59 left"},    {360000, "  0% 0/9, 4d04h left"},
        {863999000, "  0% 0/9, 9999d23h left"}, {1e300, "  0% 0/9, >9999d left"},
    };
    progress_state only = {.label = "", .unit = "", .total = 9, .rate = 1};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        only.left = cases[i].left;
        assert_line(&only, 27, cases[i].text);
    }
}

static void absurd_numbers_do_no_harm(void **state)
{
    (void)state;
    progress_state absurd = {.label = "x", .unit = "items", .rate = 1, .left = 1e308};
    absurd.done = 20;
    absurd.total = 10;
    assert_line(&absurd, 30, "x 100% 20/10, >9999d left");
    absurd.done = SIZE_MAX - 1;
    absurd.total = SIZE_MAX;
    assert_line(&absurd, 60, " 99% 18446744073709551614/18446744073709551615, >9999d left");
    absurd.failed = SIZE_MAX;
    assert_line(&absurd, 40, " 99% 18446744073709551615 failed");
    static const size_t numbers[] = {0, 1, 10, SIZE_MAX / 2, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < 6 * 6 * 6; i++) {
        absurd.done = numbers[i % 6];
        absurd.total = numbers[i / 6 % 6];
        absurd.failed = numbers[i / 36];
        for (int columns = 0; columns < 3000; columns += columns < 130 ? 1 : 287) {
            progress_line line;
            progress_line_format(&line, &absurd, columns, true);
            assert_true(line.columns < columns || line.columns == 0);
            assert_true(line.size < sizeof line.text);
        }
    }
}

static void a_percentage_is_full_only_at_the_end(void **state)
{
    (void)state;
    progress_state nearly = {
        .label = "", .unit = "", .done = 99999, .total = 100000, .rate = 1, .left = 1};
    assert_line(&nearly, 60, " 99% [################.]  99999/100000,  1.00/s,  0:01 left");
    nearly.done++;
    assert_line(&nearly, 60, "100% [#################] 100000/100000,  1.00/s,  0:01 left");
}

/* ---- rates ---- */

static void nothing_done_has_no_rate(void **state)
{
    (void)state;
    progress_meter meter;
    progress_meter_start(&meter, 5 * SECOND);
    progress_meter_observe(&meter, 6 * SECOND, 0);
    assert_true(progress_meter_rate(&meter, 7 * SECOND) < 0);
    assert_true(progress_meter_left(&meter, 7 * SECOND, 3) < 0);
    assert_true(progress_meter_left(&meter, 7 * SECOND, 0) >= 0);
    assert_true(progress_meter_elapsed(&meter, 7 * SECOND) > 1.999);
    assert_true(progress_meter_average(&meter, 5 * SECOND) < 0);
    progress_meter_observe(&meter, 5 * SECOND, 10); /* a clock that stands still */
    assert_true(progress_meter_rate(&meter, 5 * SECOND) < 0);
}

static void assert_near(double value, double expected, double part)
{
    assert_true(value > expected * (1 - part) && value < expected * (1 + part));
}

static void an_even_rate_is_told_exactly(void **state)
{
    (void)state;
    progress_meter meter;
    progress_meter_start(&meter, 0);
    for (int i = 1; i <= 600; i++) {
        int64_t now = i * (SECOND / 10);
        progress_meter_observe(&meter, now, (size_t)i * 7);
        assert_near(progress_meter_rate(&meter, now), 70, 0.001);
        assert_near(progress_meter_left(&meter, now, 7000), 100, 0.01);
    }
    assert_near(progress_meter_average(&meter, 60 * SECOND), 70, 0.001);
}

static void a_change_of_rate_shows_within_some_seconds(void **state)
{
    (void)state;
    progress_meter meter;
    progress_meter_start(&meter, 0);
    size_t done = 0;
    double before = 100;
    for (int i = 1; i <= 800; i++) {
        done += i <= 300 ? 10 : 1;
        int64_t now = i * (SECOND / 10);
        progress_meter_observe(&meter, now, done);
        double rate = progress_meter_rate(&meter, now);
        assert_true(rate < before * 1.001); /* it only falls */
        assert_true(rate > before * 0.97);  /* and without jumps */
        before = rate;
    }
    assert_near(before, 10, 0.2);
}

/* One item each 20 seconds, looked at each tenth of a second. */
static void slow_items_let_the_time_left_run_down_like_a_clock(void **state)
{
    (void)state;
    progress_meter meter;
    progress_meter_start(&meter, 0);
    for (int i = 1; i <= 4000; i++) {
        int64_t now = i * (SECOND / 10);
        size_t done = (size_t)i / 200;
        progress_meter_observe(&meter, now, done);
        if (i > 200)
            assert_near(progress_meter_left(&meter, now, 100 - done), 2000 - i / 10.0, 0.01);
    }
}

static void a_rate_falls_while_nothing_comes(void **state)
{
    (void)state;
    progress_meter meter;
    progress_meter_start(&meter, 0);
    for (int i = 1; i <= 100; i++)
        progress_meter_observe(&meter, i * (SECOND / 10), (size_t)i * 10);
    double before = progress_meter_rate(&meter, 10 * SECOND);
    assert_near(before, 100, 0.001);
    for (int i = 11; i <= 100; i++) {
        double rate = progress_meter_rate(&meter, i * SECOND);
        assert_true(rate > 0 && rate < before);
        before = rate;
    }
    assert_true(before < 10);
}

static void what_goes_backwards_is_no_rate(void **state)
{
    (void)state;
    progress_meter meter;
    progress_meter_start(&meter, 0);
    progress_meter_observe(&meter, 1 * SECOND, 100);
    progress_meter_observe(&meter, 2 * SECOND, 50);
    progress_meter_observe(&meter, 1 * SECOND, SIZE_MAX);
    progress_meter_observe(&meter, 3 * SECOND, 0);
    assert_true(progress_meter_rate(&meter, 3 * SECOND) > 0);
    assert_true(progress_meter_left(&meter, 0, SIZE_MAX) >= 0);
    assert_true(progress_meter_elapsed(&meter, -SECOND) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_terminal_might_obey_becomes_question_marks),
        cmocka_unit_test(what_is_no_utf8_becomes_question_marks),
        cmocka_unit_test(long_texts_end_at_a_character),
        cmocka_unit_test(columns_are_counted_as_a_terminal_does),
        cmocka_unit_test(a_line_fills_its_width),
        cmocka_unit_test(a_narrow_line_leaves_out_one_part_after_the_other),
        cmocka_unit_test(at_the_end_a_line_tells_the_time_it_took),
        cmocka_unit_test(of_an_unknown_total_there_is_count_and_rate),
        cmocka_unit_test(a_line_without_texts_has_no_holes),
        cmocka_unit_test(long_labels_are_cut_between_characters),
        cmocka_unit_test(failures_are_red_and_take_no_room_for_it),
        cmocka_unit_test(rates_have_three_digits),
        cmocka_unit_test(times_are_short),
        cmocka_unit_test(absurd_numbers_do_no_harm),
        cmocka_unit_test(a_percentage_is_full_only_at_the_end),
        cmocka_unit_test(nothing_done_has_no_rate),
        cmocka_unit_test(an_even_rate_is_told_exactly),
        cmocka_unit_test(a_change_of_rate_shows_within_some_seconds),
        cmocka_unit_test(slow_items_let_the_time_left_run_down_like_a_clock),
        cmocka_unit_test(a_rate_falls_while_nothing_comes),
        cmocka_unit_test(what_goes_backwards_is_no_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
