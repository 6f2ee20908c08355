/* Kills at the kill points that are compiled into the library behind every shared store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drive.h"
#include "host.h"
#include "killpoint.h"

static _Atomic uint32_t left;
static _Atomic uint32_t *reached_so_far; /* in the arena */
static int64_t victim;                   /* its children inherit the rest */

static void count_down(void)
{
    if (os_getpid() != victim)
        return;
    if (atomic_fetch_sub(&left, 1) == 0)
        host_end_self();
    atomic_fetch_add(reached_so_far, 1);
}

static void nothing(void)
{
}

static void begin(uint32_t point, _Atomic uint32_t *counter)
{
    atomic_store(&left, point);
    reached_so_far = counter;
    victim = os_getpid();
    killpoint_reached = count_down;
    count_down(); /* the first of them is before anything has happened */
}

static void count(_Atomic uint32_t *counter)
{
    begin(THE_END, counter);
}

static void end(void)
{
    killpoint_reached = NULL;
}

static bool bring(long long pid, scene *s, uint32_t point, _Atomic uint32_t *counter)
{
    (void)pid;
    (void)point;
    (void)counter; /* it counts by itself */
    return scene_await(&s->ready, 1);
}

static void finish(scene *s)
{
    scene_tell(&s->go, 1);
}

const kill_method method = {"kill points", nothing, begin, end, count, bring, finish, NULL};

static void whatever_is_killed_is_recovered(void **state)
{
    (void)state;
    drive_operations(
        &(drive_options){.recovery = true, .repeats = true, .dense = 40, .seconds = 22});
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_killed_is_recovered),
    };
    return cmocka_run_group_tests(tests, drive_set_up, drive_tear_down);
}
