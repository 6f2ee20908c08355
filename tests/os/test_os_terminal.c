#include "roles.h"

#include "../terminal/terminal.h"

static void what_is_no_terminal_is_known(void **state)
{
    (void)state;
    os_terminal found = {.columns = -7};
    assert_true(terminal_open_null());
    bool there = os_terminal_look(&found);
    terminal_close();
    assert_false(there);
    assert_int_equal(found.columns, -7);
}

static void a_terminal_tells_its_width_at_any_time(void **state)
{
    (void)state;
    static const int widths[] = {80, 132, 40, 1000};
    os_terminal found[4] = {{.columns = -7}};
    bool there = true;
    if (!terminal_open(widths[0]))
        skip();
    for (int i = 0; i < 4; i++) {
        terminal_resize(widths[i]);
        there = os_terminal_look(&found[i]) && there;
    }
    terminal_close();
    assert_true(there);
    for (int i = 0; i < 4; i++)
        assert_int_equal(found[i].columns, widths[i]);
}

static void a_terminal_tells_whether_it_obeys_escapes(void **state)
{
    (void)state;
    bool told = true;
    os_terminal found;
    if (!terminal_open(80))
        skip();
    for (int escapes = 0; escapes < 2; escapes++)
        if (terminal_obey(escapes == 1))
            told = os_terminal_look(&found) && found.escapes == (escapes == 1) && told;
    terminal_close();
    assert_true(told);
}

static void what_is_written_stands_there(void **state)
{
    (void)state;
    static const char text[] = "one\r\ngr\303\266\303\237er\rG";
    mproc_err written[3];
    if (!terminal_open(80))
        skip();
    written[0] = os_terminal_write(text, sizeof text - 1);
    written[1] = os_terminal_write(text, 0);
    written[2] = os_terminal_write("\r\n", 2);
    terminal_close();
    assert_string_equal(terminal_row(0), "one");
    assert_string_equal(terminal_row(1), "Gr\303\266\303\237er");
    assert_int_equal(terminal_cursor_row(), 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(written[i], MPROC_OK);
}

int main(int argc, char **argv)
{
    int code;
    if (play_role(argc, argv, NULL, 0, &code) || terminal_restart(&code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_terminal_is_known),
        cmocka_unit_test(a_terminal_tells_its_width_at_any_time),
        cmocka_unit_test(a_terminal_tells_whether_it_obeys_escapes),
        cmocka_unit_test(what_is_written_stands_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
