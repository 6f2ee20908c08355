#include "drive.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "family/park.h"
#include "host.h"

#define MILLISECOND INT64_C(1000000)

/* ---- the root ---- */

static char context[200];

void scene_context(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(context, sizeof context, format, list);
    va_end(list);
}

void scene_expect(bool condition, const char *text, const char *file, int line)
{
    if (condition)
        return;
    print_error("%s: not so: %s\n", context, text);
    _fail(file, line);
}

/* ---- everybody ---- */

void scene_blame(scene *s, uint32_t line)
{
    uint32_t none = 0;
    atomic_compare_exchange_strong(&s->wrong, &none, line);
}

void scene_nap(scene *s)
{
    park(&s->nap, 0, os_now() + MILLISECOND / 5, family.self);
}

static int64_t patience(void)
{
    return os_now() + PATIENCE_MS * MILLISECOND;
}

bool scene_await(const _Atomic uint32_t *word, uint32_t value)
{
    const int64_t end = patience();
    _Atomic uint32_t *place = (_Atomic uint32_t *)(uintptr_t)word;
    for (uint32_t now; (now = atomic_load(place)) != value;) {
        if (os_now() > end)
            return false;
        park(place, now, end, family.self);
    }
    return true;
}

void scene_tell(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    unpark(word, UINT32_MAX);
}

bool scene_is_over(const scene *s)
{
    return atomic_load(&s->over) || atomic_load(&s->done);
}

/* ---- who sleeps ---- */

static char state_of_process(int64_t pid)
{
    char name[64], text[512] = "";
    snprintf(name, sizeof name, "/proc/%lld/stat", (long long)pid);
    FILE *file = pid ? fopen(name, "r") : NULL;
    if (!file)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *at = strrchr(text, ')');
    return at && at[1] ? at[2] : 0;
}

static bool has_place_asleep(slot_id id)
{
    const uint64_t asleep = UINT64_C(1) << 63;
    for (uint32_t i = 1; i < PARK_PLACES; i++) {
        park_place *place = arena_entry(ARENA_PLACES, i);
        if (!place)
            break;
        if (atomic_load(&place->owner) == id && atomic_load(&place->word) & asleep)
            return true;
    }
    return false;
}

bool scene_sleeps(slot_id id)
{
    return os_has_futex ? state_of_process(slot_pid(id)) == 'S' : has_place_asleep(id);
}

void victim_await_sleep(scene *s)
{
    const int64_t end = patience();
    while (!scene_is_over(s) && !scene_sleeps(atomic_load(&s->victim))) {
        if (os_now() > end) {
            MUST(false);
            return;
        }
        scene_nap(s);
    }
}

/* ---- companions ---- */

typedef struct companion_order {
    arena_ref scene;
    int who;
} companion_order;

static mproc_process *processes[COMPANIONS];

static const operation *operation_now(const scene *s)
{
    const char *noun;
    int kind;
    return operation_at(atomic_load(&s->operation), &noun, &kind);
}

static int accompany(void *args, size_t size)
{
    const companion_order *told = args;
    (void)size;
    scene *s = arena_at(told->scene);
    companion *me = &s->companions[told->who];
    signal(SIGSEGV, SIG_DFL);
    uint32_t done = atomic_load(&me->done);
    atomic_store(&me->slot, family.self);
    for (uint32_t order; (order = atomic_load(&me->order)) != UINT32_MAX;) {
        if (order == done) {
            park(&me->order, order, OS_FOREVER, family.self);
            continue;
        }
        operation_now(s)->accompany(s, told->who);
        done = order;
        scene_tell(&me->done, done);
    }
    return 0;
}

void companions_start(arena_ref of_scene)
{
    for (int i = 0; i < COMPANIONS; i++) {
        const companion_order told = {of_scene, i};
        const mproc_process_options options = {
            .target = accompany, .args = &told, .args_size = sizeof told, .daemon = true};
        EXPECT(mproc_process_create(&processes[i], &options) == MPROC_OK);
        EXPECT(mproc_process_start(processes[i]) == MPROC_OK);
    }
    scene *s = arena_at(of_scene);
    const int64_t end = patience();
    for (int i = 0; i < COMPANIONS; i++) {
        while (!atomic_load(&s->companions[i].slot) && os_now() < end)
            scene_nap(s);
        EXPECT(atomic_load(&s->companions[i].slot) != 0);
    }
}

void companions_end(void)
{
    for (int i = 0; i < COMPANIONS; i++) {
        mproc_process_kill(processes[i]);
        mproc_process_join(processes[i], MPROC_FOREVER);
        mproc_process_free(processes[i]);
        processes[i] = NULL;
    }
}

void companion_call(scene *s, int who)
{
    companion *one = &s->companions[who];
    atomic_store(&one->stage, STAGE_NONE);
    atomic_store(&one->result, MPROC_OK); /* not that of another operation, should it have none */
    scene_tell(&one->order, atomic_load(&one->order) + 1);
}

void companion_says(scene *s, int who, uint32_t stage)
{
    scene_tell(&s->companions[who].stage, stage);
}

void companion_await_stage(scene *s, int who, uint32_t stage)
{
    MUST(scene_await(&s->companions[who].stage, stage));
}

static bool is_done(const companion *one)
{
    return atomic_load(&one->done) == atomic_load(&one->order);
}

void companion_await_sleep(scene *s, int who)
{
    companion *one = &s->companions[who];
    const int64_t end = patience();
    companion_await_stage(s, who, STAGE_CALLS);
    while (!is_done(one) && !scene_sleeps(atomic_load(&one->slot))) {
        if (os_now() > end) {
            MUST(false);
            return;
        }
        scene_nap(s);
    }
}

bool companion_finish(scene *s, int who, int *result)
{
    companion *one = &s->companions[who];
    if (!scene_await(&one->done, atomic_load(&one->order)))
        return false;
    *result = atomic_load(&one->result);
    return true;
}

static int be_doomed(void *args, size_t size)
{
    scene *s = arena_at(*(arena_ref *)args);
    (void)size;
    operation_now(s)->accompany(s, DOOMED);
    host_end_self();
    return 0;
}

void doomed_call(scene *s)
{
    mproc_process *doomed = NULL;
    const arena_ref ref = arena_offset(s);
    const mproc_process_options options = {
        .target = be_doomed, .args = &ref, .args_size = sizeof ref};
    EXPECT(mproc_process_create(&doomed, &options) == MPROC_OK);
    EXPECT(mproc_process_start(doomed) == MPROC_OK);
    EXPECT(mproc_process_join(doomed, PATIENCE_MS) == MPROC_OK);
    mproc_process_free(doomed);
}
