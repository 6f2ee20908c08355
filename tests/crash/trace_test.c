/* Kills by ptrace, without the library's help: behind every store that changed the arena, and
 * before and after every system call; in the long form also behind every instruction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../unit/family_support.h"
#include "drive.h"
#include "tracer.h"

static bool each_step;

static void begin(uint32_t point, _Atomic uint32_t *counter)
{
    (void)point; /* the tracer counts */
    (void)counter;
    tracer_mark();
}

/* It is stopped before it goes. */
static bool bring(long long pid, scene *s, uint32_t point, _Atomic uint32_t *counter)
{
    scene_tell(&s->go, 1);
    const bool brought = tracer_bring(pid, point, each_step);
    atomic_store(counter, tracer_count());
    return brought;
}

static void finish(scene *s)
{
    (void)s;
    tracer_kill();
}

const kill_method method = {"ptrace", tracer_enter, begin,  tracer_mark,
                            NULL,     bring,        finish, tracer_let_go};

static void whatever_is_killed_at_a_store_or_a_system_call_is_recovered(void **state)
{
    (void)state;
    if (!tracer_can()) {
        print_message("no tracing here\n");
        skip();
    }
    drive_operations(&(drive_options){.recovery = true, .dense = 40, .seconds = 22});
}

static void whatever_is_killed_at_an_instruction_is_recovered(void **state)
{
    (void)state;
    if (!tracer_can() || !is_soak())
        skip();
    each_step = true;
    drive_operations(&(drive_options){.dense = 200});
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    tracer_pin();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_killed_at_a_store_or_a_system_call_is_recovered),
        cmocka_unit_test(whatever_is_killed_at_an_instruction_is_recovered),
    };
    return cmocka_run_group_tests(tests, drive_set_up, drive_tear_down);
}
