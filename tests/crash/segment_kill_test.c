/* Named shared memory, its users killed at every step: a sweep finds what they left, also when the
 * sweeper is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "../pace/pace.h"
#include "../unit/family_support.h"
#include "budget.h"
#include "data/shared_memory.h"
#include "family/family.h"
#include "hash.h"
#include "killpoint.h"
#include "os.h"

enum { SECONDS = 4, LEAST = 40, SOAK = 10000 }; /* of both halves; kills of the storm */
enum { SIZE = 100000, SOON = 60000, KILLED = 9, UNEXPECTED = 50, NAMES = 3, NEVER = -1 };

typedef struct order {
    int operation;
    int point; /* is killed there; 0 is before anything; NEVER */
    unsigned seed;
    char name[NAMES][64];
} order;

static order base_order(void)
{
    order told = {.point = NEVER};
    for (int i = 0; i < NAMES; i++)
        snprintf(told.name[i], sizeof told.name[i], "test_mproc_kill_%lld_%d",
                 (long long)os_getpid(), i);
    return told;
}

/* ---- victims ---- */

static int left;

/* To the system the end of a process is one as the other. */
static void count_down(void)
{
    if (left-- == 0)
        _Exit(KILLED);
}

static void die_at(int point)
{
    left = point;
    if (point != NEVER) {
        killpoint_reached = count_down;
        count_down();
    }
}

static mproc_shared_memory *make_one(const char *name)
{
    mproc_shared_memory *memory = NULL;
    if (mproc_shared_memory_create(&memory, name, SIZE))
        _Exit(UNEXPECTED);
    return memory;
}

static mproc_err create_one(const char *name, int point)
{
    mproc_shared_memory *memory = NULL;
    die_at(point);
    return mproc_shared_memory_create(&memory, name, SIZE);
}

static mproc_err unlink_one(const char *name, int point)
{
    mproc_shared_memory *memory = make_one(name);
    die_at(point);
    return mproc_shared_memory_unlink(memory);
}

static mproc_err close_one(const char *name, int point)
{
    mproc_shared_memory *memory = make_one(name);
    memset(mproc_shared_memory_data(memory), 5, SIZE);
    die_at(point);
    return mproc_shared_memory_close(memory);
}

static mproc_err open_one(const char *name, int point)
{
    mproc_shared_memory *memory = NULL;
    die_at(point);
    mproc_err err = mproc_shared_memory_open(&memory, name, SIZE);
    return err == MPROC_ENOENT ? MPROC_OK : err;
}

static mproc_err sweep_all(const char *name, int point)
{
    (void)name;
    die_at(point);
    os_segment_sweep();
    return MPROC_OK;
}

typedef enum before { NOTHING, DEAD, LIVING } before;

static const struct {
    const char *name;
    mproc_err (*act)(const char *name, int point);
    before before; /* what there is of that name */
    bool may_stay;
} operations[] = {
    {"create", create_one, NOTHING, false},
    {"unlink", unlink_one, NOTHING, false},
    {"close by the creator", close_one, NOTHING, true},
    {"create over a dead one", create_one, DEAD, false},
    {"open a dead one", open_one, DEAD, false},
    {"open a living one", open_one, LIVING, true},
    {"sweep a dead one", sweep_all, DEAD, false},
    {"sweep a living one", sweep_all, LIVING, true},
};
enum { CREATE = 0, SWEEP = 6, OPERATIONS = sizeof operations / sizeof operations[0] };

static int be_victim(void *args, size_t size)
{
    const order *told = args;
    (void)size;
    mproc_err err = operations[told->operation].act(told->name[0], told->point);
    _Exit(err ? UNEXPECTED : 0); /* nothing is closed */
}

/* ---- the root ---- */

/* Not a fork of this process: what that inherits would keep segments in use. A server's forks are the
 * cheaper ones. */
static mproc_process *start(mproc_target target, const order *told)
{
    mproc_process *process = NULL;
    const mproc_process_options options = {
        .target = target,
        .args = told,
        .args_size = sizeof *told,
        .method = os_can_start(MPROC_FORKSERVER) ? MPROC_FORKSERVER : MPROC_SPAWN};
    assert_int_equal(mproc_process_create(&process, &options), MPROC_OK);
    assert_int_equal(mproc_process_start(process), MPROC_OK);
    return process;
}

/* True: it came to the end. */
static bool run(int operation, int point)
{
    order told = base_order();
    told.operation = operation;
    told.point = point;
    mproc_process *process = start(be_victim, &told);
    int code = -1;
    assert_int_equal(mproc_process_join(process, SOON), MPROC_OK);
    mproc_process_exitcode(process, &code);
    mproc_process_free(process);
    assert_true(code == 0 || code == KILLED);
    return code == 0;
}

static bool is_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    FILE *file = fopen(path, "rb");
    if (file)
        fclose(file);
    return file != NULL;
}

static bool has_marker(const char *name)
{
    char marker[32];
    snprintf(marker, sizeof marker, "mproc-%016llx",
             (unsigned long long)hash_text(name, HASH_SEED));
    return is_file(marker);
}

static void drop(mproc_shared_memory *memory)
{
    assert_int_equal(mproc_shared_memory_unlink(memory), MPROC_OK);
    mproc_shared_memory_close(memory);
}

static void check(const char *name, bool may_stay)
{
    mproc_shared_memory *memory = NULL;
    os_segment_sweep();
    if (os_has_futex) /* Linux lists the names */
        assert_int_equal(is_file(name) && !may_stay, false);
    mproc_err err = mproc_shared_memory_open(&memory, name, SIZE);
    if (!err) {
        assert_true(may_stay);
        unsigned char *bytes = mproc_shared_memory_data(memory);
        assert_int_equal(bytes[0], 5);
        assert_int_equal(bytes[SIZE - 1], 5);
        drop(memory);
    } else {
        assert_int_equal(err, MPROC_ENOENT);
    }
    assert_int_equal(mproc_shared_memory_create(&memory, name, SIZE), MPROC_OK);
    assert_int_equal(((unsigned char *)mproc_shared_memory_data(memory))[SIZE - 1], 0);
    drop(memory);
    assert_false(is_file(name));
    assert_false(has_marker(name));
}

static mproc_shared_memory *prepare(const char *name, before is)
{
    mproc_shared_memory *memory = NULL;
    if (is == DEAD)
        assert_true(run(CREATE, NEVER));
    if (is == LIVING) {
        assert_int_equal(mproc_shared_memory_create(&memory, name, SIZE), MPROC_OK);
        memset(mproc_shared_memory_data(memory), 5, SIZE);
    }
    return memory;
}

/* The victim at `point`, and the one who sweeps after it at `second`. */
static bool run_case(int operation, int point, int second, bool *second_done)
{
    const order told = base_order();
    mproc_shared_memory *living = prepare(told.name[0], operations[operation].before);
    bool done = run(operation, point);
    *second_done = second == NEVER || run(SWEEP, second);
    if (living) {
        mproc_shared_memory *again = NULL;
        os_segment_sweep();
        assert_int_equal(mproc_shared_memory_open(&again, told.name[0], SIZE), MPROC_OK);
        mproc_shared_memory_close(again);
        drop(living);
    }
    check(told.name[0], operations[operation].may_stay);
    return done;
}

typedef struct sweeps {
    int64_t end; /* of the time that there is for all of them */
    int killed, passed_by;
} sweeps;

/* At every point, or at every third one when the time is up. */
static void kill_sweeps(int operation, int point, sweeps *sum)
{
    const int third = 3;
    bool swept = !os_has_futex; /* elsewhere a sweep does nothing */
    for (int second = os_now() < sum->end ? 0 : (int)pace_draw((size_t)third); !swept; second++) {
        run_case(operation, point, second, &swept);
        sum->killed++;
        if (!swept && os_now() >= sum->end) {
            second += third - 1;
            sum->passed_by += third - 1;
        }
    }
}

static void shuffle(int list[OPERATIONS])
{
    for (int i = 0; i < OPERATIONS; i++) {
        const int j = (int)pace_draw((size_t)i + 1);
        list[i] = list[j];
        list[j] = i;
    }
}

static void killed_at_any_step_nothing_is_left(void **state)
{
    (void)state;
    int list[OPERATIONS], all = 0;
    sweeps sum = {.end = budget_end(SECONDS, 2)};
    print_message("MPROC_TEST_SEED=%u\n", pace_seed());
    shuffle(list);
    for (int i = 0; i < OPERATIONS; i++) {
        int points = 0;
        for (bool done = false, swept; !done; points++) {
            done = run_case(list[i], points, NEVER, &swept);
            kill_sweeps(list[i], points, &sum);
        }
        all += points;
        print_message("%-24s %3d kill points\n", operations[list[i]].name, points);
    }
    print_message(
        "segments: %d kill points, sweeps killed at %d of about %d, seed %u: all recovered\n", all,
        sum.killed, sum.killed + sum.passed_by, pace_seed());
}

static void a_slot_tells_of_its_segments(void **state)
{
    (void)state;
    slot_id id;
    assert_int_equal(slot_claim(family.self, "one", false, &id), MPROC_OK);
    assert_false(slot_has_used(id, SLOT_USES_SEGMENTS));
    shared_memory_sweep(id);
    slot_note_use(id, SLOT_USES_SEGMENTS);
    assert_true(slot_has_used(id, SLOT_USES_SEGMENTS));
    assert_true(run(CREATE, NEVER));
    shared_memory_sweep(id);
    assert_false(os_has_futex && is_file(base_order().name[0]));
    check(base_order().name[0], false);
    slot_free(id);
    assert_int_equal(slot_claim(family.self, "one", false, &id), MPROC_OK);
    assert_false(slot_has_used(id, SLOT_USES_SEGMENTS));
    slot_free(id);
}

/* ---- a storm ---- */

static bool is_sound(mproc_shared_memory *memory)
{
    unsigned char *bytes = mproc_shared_memory_data(memory);
    bytes[SIZE - 1]++;
    return mproc_shared_memory_size(memory) >= SIZE;
}

static int use_at_random(void *args, size_t size)
{
    order *told = args;
    (void)size;
    for (;;) {
        mproc_shared_memory *memory = NULL;
        const char *name = told->name[next_random(&told->seed) % NAMES];
        unsigned kind = next_random(&told->seed);
        mproc_err err = kind & 1 ? mproc_shared_memory_create(&memory, name, SIZE)
                                 : mproc_shared_memory_open(&memory, name, SIZE);
        if (err && err != MPROC_EEXIST && err != MPROC_ENOENT && err != MPROC_ERANGE)
            _Exit(UNEXPECTED);
        if (err)
            continue;
        if (!is_sound(memory))
            _Exit(UNEXPECTED + 1);
        err = kind & 2 ? MPROC_OK : mproc_shared_memory_unlink(memory);
        if (err && err != MPROC_ENOENT)
            _Exit(UNEXPECTED + 2);
        mproc_shared_memory_close(memory);
    }
}

static void end_user(mproc_process *user)
{
    mproc_exit_status status;
    assert_int_equal(mproc_process_kill(user), MPROC_OK);
    assert_int_equal(mproc_process_join(user, SOON), MPROC_OK);
    assert_int_equal(mproc_process_exit_status(user, &status), MPROC_OK);
    assert_int_equal(status.code, KILLED);
    mproc_process_free(user);
}

static void killed_at_any_instant_nothing_is_left(void **state)
{
    (void)state;
    enum { USERS = 4 };
    const int64_t end = budget_end(SECONDS, 2);
    int kills = 0;
    order told = base_order();
    mproc_process *users[USERS];
    for (unsigned i = 0; i < USERS; i++) {
        told.seed = pace_seed() + i;
        users[i] = start(use_at_random, &told);
    }
    for (uint32_t seed = pace_seed(); kills < LEAST || (is_soak() ? kills < SOAK : os_now() < end);
         kills++) {
        const int64_t until = os_now() + next_random(&seed) % 3000 * 1000;
        while (os_now() < until)
            os_yield();
        told.seed = next_random(&seed);
        end_user(users[kills % USERS]);
        users[kills % USERS] = start(use_at_random, &told);
    }
    for (int i = 0; i < USERS; i++)
        end_user(users[i]);
    for (int i = 0; i < NAMES; i++) {
        /* What its creator closed stays. */
        mproc_shared_memory *memory = NULL;
        if (!mproc_shared_memory_open(&memory, told.name[i], SIZE))
            drop(memory);
        check(told.name[i], false);
    }
    print_message("segment storm: %d kills; %llu process starts in all, seed %u\n", kills + USERS,
                  (unsigned long long)count_starts(), pace_seed());
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_step_nothing_is_left),
        cmocka_unit_test(a_slot_tells_of_its_segments),
        cmocka_unit_test(killed_at_any_instant_nothing_is_left),
    };
    return cmocka_run_group_tests_name("segment kills", tests, found_family, NULL);
}
