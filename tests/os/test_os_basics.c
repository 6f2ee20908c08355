#include "roles.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

static void time_moves_forward(void **state)
{
    (void)state;
    int64_t before = os_now();
    uint64_t born = os_birth_time();
    for (int i = 0; i < 1000; i++) {
        int64_t now = os_now();
        assert_true(now >= before);
        before = now;
        os_pause();
    }
    int64_t later = os_now() + 2000000;
    while (os_now() < later)
        os_yield();
    assert_true(os_birth_time() > born);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    unsigned char one[1000] = {0}, other[1000] = {0};
    assert_int_equal(os_random(one, 0), MPROC_OK);
    assert_int_equal(one[0], 0);
    assert_int_equal(os_random(one, sizeof one), MPROC_OK);
    assert_int_equal(os_random(other, sizeof other), MPROC_OK);
    assert_memory_not_equal(one, other, 16);
    assert_memory_not_equal(one + sizeof one - 16, other + sizeof other - 16, 16);
}

static void a_machine_has_a_processor_and_memory(void **state)
{
    (void)state;
    assert_true(os_cpu_count() >= 1 && os_cpu_count() < 1 << 20);
    assert_true(os_memory_limit() >= UINT64_C(1) << 20);
}

static void every_error_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int err = MPROC_OK; err >= MPROC_EPROTO; err--) {
        assert_string_not_equal(mproc_strerror((mproc_err)err), "unknown error");
        assert_true(strlen(mproc_strerror((mproc_err)err)) > 0);
        for (int other = MPROC_OK; other > err; other--)
            assert_string_not_equal(mproc_strerror((mproc_err)err),
                                    mproc_strerror((mproc_err)other));
    }
    const int strange[] = {1, MPROC_EPROTO - 1, -1000, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++)
        assert_string_equal(mproc_strerror((mproc_err)strange[i]), "unknown error");
}

static void remember_other(void *data)
{
    int *seen = data;
    *seen = mproc_os_error();
    error_remember(7);
}

static void each_thread_remembers_its_own_error(void **state)
{
    (void)state;
    int seen = -1;
    os_handle thread;
    error_remember(5);
    assert_int_equal(os_thread_start(&thread, remember_other, &seen), MPROC_OK);
    os_thread_join(thread);
    assert_int_equal(seen, 0);
    assert_int_equal(mproc_os_error(), 5);
}

typedef struct counter {
    os_mutex mutex;
    os_rwlock lock;
    int count;
    _Atomic uint32_t stop, inside, most, turns;
} counter;

enum { ROUNDS = 50000 };

static void count_up(void *data)
{
    counter *of = data;
    for (int i = 0; i < ROUNDS; i++) {
        os_mutex_lock(&of->mutex);
        of->count++;
        os_mutex_unlock(&of->mutex);
    }
}

static void a_mutex_lets_one_thread_in(void **state)
{
    (void)state;
    counter of = {.count = 0};
    os_handle threads[2];
    os_mutex_init(&of.mutex);
    for (int i = 0; i < 2; i++)
        assert_int_equal(os_thread_start(&threads[i], count_up, &of), MPROC_OK);
    for (int i = 0; i < 2; i++)
        os_thread_join(threads[i]);
    assert_int_equal(of.count, 2 * ROUNDS);
    os_mutex_lock(&of.mutex);
    os_mutex_init(&of.mutex); /* as after a fork that copied it locked */
    os_mutex_lock(&of.mutex);
    os_mutex_unlock(&of.mutex);
}

static void count_up_as_writer(void *data)
{
    counter *of = data;
    for (int i = 0; i < ROUNDS; i++) {
        os_rwlock_write(&of->lock);
        of->count++;
        os_rwlock_write_end(&of->lock);
    }
}

static void a_rwlock_lets_one_writer_in(void **state)
{
    (void)state;
    counter of = {.count = 0};
    os_handle threads[2];
    os_rwlock_init(&of.lock);
    for (int i = 0; i < 2; i++)
        assert_int_equal(os_thread_start(&threads[i], count_up_as_writer, &of), MPROC_OK);
    for (int i = 0; i < 2; i++)
        os_thread_join(threads[i]);
    assert_int_equal(of.count, 2 * ROUNDS);
    os_rwlock_write(&of.lock);
    os_rwlock_init(&of.lock);
    os_rwlock_read(&of.lock);
    os_rwlock_read_end(&of.lock);
}

/* Two readers hand over to one another, so that there is always one inside. */
static void read_overlapping(void *data)
{
    counter *of = data;
    while (!atomic_load(&of->stop)) {
        os_rwlock_read(&of->lock);
        uint32_t inside = atomic_fetch_add(&of->inside, 1) + 1, most = atomic_load(&of->most);
        while (inside > most && !atomic_compare_exchange_weak(&of->most, &most, inside)) {
        }
        uint32_t turn = atomic_fetch_add(&of->turns, 1);
        int64_t patience = os_now() + 1000000;
        while (atomic_load(&of->turns) == turn + 1 && os_now() < patience)
            os_yield();
        atomic_fetch_sub(&of->inside, 1);
        os_rwlock_read_end(&of->lock);
    }
}

static void readers_do_not_starve_a_writer(void **state)
{
    (void)state;
    counter of = {.count = 0};
    os_handle threads[2];
    os_rwlock_init(&of.lock);
    for (int i = 0; i < 2; i++)
        assert_int_equal(os_thread_start(&threads[i], read_overlapping, &of), MPROC_OK);
    assert_true(comes_to(&of.most, 2));
    for (int i = 0; i < 100; i++) {
        os_rwlock_write(&of.lock);
        assert_int_equal(atomic_load(&of.inside), 0);
        os_rwlock_write_end(&of.lock);
    }
    atomic_store(&of.stop, 1);
    for (int i = 0; i < 2; i++)
        os_thread_join(threads[i]);
}

static void use_stack(void *data)
{
    _Atomic uint32_t *word = data;
    volatile unsigned char large[6 << 20];
    for (size_t i = 0; i < sizeof large; i += 4096)
        large[i] = 1;
    atomic_store(word, 1u + large[4096]);
    while (atomic_load(word) != 3)
        os_yield();
}

static void a_thread_has_a_large_stack_and_is_noticed(void **state)
{
    (void)state;
    _Atomic uint32_t word = 0;
    os_handle thread;
    assert_int_equal(os_thread_start(&thread, use_stack, (void *)&word), MPROC_OK);
    assert_true(comes_to(&word, 2));
    if (os_can_start(MPROC_FORK) && os_has_futex)
        assert_false(os_thread_is_alone());
    atomic_store(&word, 3);
    os_thread_join(thread);
}

/* ---- the ends of threads ---- */

static _Atomic uint32_t told, asks_again;
static _Thread_local uint32_t mark; /* it is called in the thread itself */

static void count_end(void)
{
    atomic_fetch_add(&told, mark);
    if (atomic_exchange(&asks_again, 0))
        os_thread_tell_end();
}

static void do_not_ask(void *data)
{
    (void)data;
    mark = 100;
}

static void ask(void *data)
{
    (void)data;
    mark = 1;
    os_thread_tell_end();
    os_thread_tell_end();
}

static uint32_t told_of(void (*run)(void *))
{
    os_handle thread;
    atomic_store(&told, 0);
    assert_int_equal(os_thread_start(&thread, run, NULL), MPROC_OK);
    os_thread_join(thread);
    return atomic_load(&told);
}

static void a_thread_that_has_asked_is_told_of_its_end(void **state)
{
    (void)state;
    os_on_thread_end(count_end);
    assert_int_equal(os_thread_tell_end(), MPROC_OK);
    assert_int_equal(told_of(do_not_ask), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(told_of(ask), 1);
    atomic_store(&asks_again, 1);
    const uint32_t twice = told_of(ask); /* where the system does that */
    assert_true(twice == 1 || twice == 2);
    assert_int_equal(told_of(do_not_ask), 0);
}

static int answer(void)
{
    return 42;
}

static int datum = 1;

static void code_is_found_again(void **state)
{
    (void)state;
    os_code code;
    os_function found = NULL;
    assert_int_equal(os_code_from((os_function)answer, &code), MPROC_OK);
    assert_int_equal(os_code_find(&code, &found), MPROC_OK);
    assert_int_equal(((int (*)(void))found)(), 42);
    assert_true(found == (os_function)answer);
    os_code again;
    assert_int_equal(os_code_from((os_function)code_is_found_again, &again), MPROC_OK);
    assert_true(again.identity == code.identity && again.offset != code.offset);
}

static void code_of_a_library_is_found_again(void **state)
{
    (void)state;
    os_code code;
    os_function found = NULL;
    assert_int_equal(os_code_from((os_function)qsort, &code), MPROC_OK);
    assert_int_equal(os_code_find(&code, &found), MPROC_OK);
    assert_true(found == (os_function)qsort);
}

static void what_is_no_code_is_refused(void **state)
{
    (void)state;
    os_code code = {.identity = 1, .offset = 2};
    int on_stack = 0;
    void *on_heap = malloc(16);
    assert_int_equal(os_code_from((os_function)0, &code), MPROC_EIMAGE);
    assert_int_equal(os_code_from((os_function)(uintptr_t)&datum, &code), MPROC_EIMAGE);
    assert_int_equal(os_code_from((os_function)(uintptr_t)&on_stack, &code), MPROC_EIMAGE);
    assert_int_equal(os_code_from((os_function)(uintptr_t)on_heap, &code), MPROC_EIMAGE);
    assert_int_equal(os_code_from((os_function)UINTPTR_MAX, &code), MPROC_EIMAGE);
    free(on_heap);
    assert_true(code.identity == 1 && code.offset == 2);
}

static void forged_code_is_refused(void **state)
{
    (void)state;
    os_code code;
    os_function found = NULL;
    assert_int_equal(os_code_from((os_function)answer, &code), MPROC_OK);
    os_code forged = code;
    forged.identity ^= 1;
    assert_int_equal(os_code_find(&forged, &found), MPROC_EIMAGE);
    const uint64_t offsets[] = {UINT64_MAX, UINT64_MAX / 2, UINT64_C(1) << 40,
                                code.offset + (UINT64_C(1) << 32),
                                code.offset + (uint64_t)((uintptr_t)&datum - (uintptr_t)answer)};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        forged = (os_code){.identity = code.identity, .offset = offsets[i]};
        assert_int_equal(os_code_find(&forged, &found), MPROC_EIMAGE);
    }
    assert_true(found == (os_function)0);
}

static void no_handle_can_be_closed(void **state)
{
    (void)state;
    os_handle_close(OS_NO_HANDLE);
    os_lifeline line = {.watch = OS_NO_HANDLE, .hold = OS_NO_HANDLE};
    os_lifeline_close(&line);
    os_watcher_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_moves_forward),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(a_machine_has_a_processor_and_memory),
        cmocka_unit_test(every_error_has_a_sentence_of_its_own),
        cmocka_unit_test(each_thread_remembers_its_own_error),
        cmocka_unit_test(a_mutex_lets_one_thread_in),
        cmocka_unit_test(a_rwlock_lets_one_writer_in),
        cmocka_unit_test(readers_do_not_starve_a_writer),
        cmocka_unit_test(a_thread_has_a_large_stack_and_is_noticed),
        cmocka_unit_test(a_thread_that_has_asked_is_told_of_its_end),
        cmocka_unit_test(code_is_found_again),
        cmocka_unit_test(code_of_a_library_is_found_again),
        cmocka_unit_test(what_is_no_code_is_refused),
        cmocka_unit_test(forged_code_is_refused),
        cmocka_unit_test(no_handle_can_be_closed),
    };
    return cmocka_run_group_tests_name("os basics", tests, NULL, NULL);
}
