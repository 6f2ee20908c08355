/* Headers of messages, as Python's multiprocessing.connection writes and reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "channel/frame.h"

static const struct {
    uint64_t size;
    const char *header;
    size_t length;
} known[] = {
    {0, "\0\0\0\0", 4},
    {5, "\0\0\0\x05", 4},
    {0x7fffffff, "\x7f\xff\xff\xff", 4},
    {0x80000000, "\xff\xff\xff\xff\0\0\0\0\x80\0\0\0", 12},
    {UINT64_C(0x123456789a), "\xff\xff\xff\xff\0\0\0\x12\x34\x56\x78\x9a", 12},
    {FRAME_MOST, "\xff\xff\xff\xff\x40\0\0\0\0\0\0\0", 12},
};

static void headers_are_pythons(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        unsigned char header[FRAME_LONG];
        assert_int_equal(frame_write(header, known[i].size), known[i].length);
        assert_memory_equal(header, known[i].header, known[i].length);
    }
}

static void a_header_is_read_when_all_of_it_is_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const unsigned char *header = (const unsigned char *)known[i].header;
        uint64_t size = 7;
        size_t need;
        for (size_t have = 0; have < known[i].length; have++) {
            assert_int_equal(frame_read(header, have, &need, &size), FRAME_PART);
            assert_int_equal(need, have < FRAME_SHORT ? FRAME_SHORT : FRAME_LONG);
            assert_true(size == 7);
        }
        assert_int_equal(frame_read(header, known[i].length, &need, &size), FRAME_WHOLE);
        assert_true(size == known[i].size);
    }
}

static void sizes_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\x80\0\0\0........", "\xff\xff\xff\xfe........",
                                        "\xff\xff\xff\xff\x40\0\0\0\0\0\0\x01",
                                        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint64_t size = 7;
        size_t need;
        assert_int_equal(frame_read((const unsigned char *)wrong[i], FRAME_LONG, &need, &size),
                         FRAME_WRONG);
        assert_true(size == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_pythons),
        cmocka_unit_test(a_header_is_read_when_all_of_it_is_there),
        cmocka_unit_test(sizes_that_are_none_are_refused),
    };
    return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
