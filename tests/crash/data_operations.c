/* Values, arrays and strings: killed in the middle of setting one, the next is told that it may be
 * half-done; a string is never half-done. */
#include "operation.h"

#include <string.h>

enum { SIZE = 100, ITEM = 10, OLD = 'o', NEW = 'n' };

static void fill(unsigned char bytes[SIZE], int with)
{
    memset(bytes, with, SIZE);
}

static bool is_all(const unsigned char bytes[SIZE], int with)
{
    for (int i = 0; i < SIZE; i++) {
        if (bytes[i] != with)
            return false;
    }
    return true;
}

static outcome whole_or_told(mproc_err err, const unsigned char bytes[SIZE])
{
    EXPECT(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    EXPECT(err || is_all(bytes, OLD) || is_all(bytes, NEW));
    return err ? OUTCOME_ANY : is_all(bytes, OLD) ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

/* ---- values ---- */

static void make_value(scene *s)
{
    unsigned char bytes[SIZE];
    fill(bytes, OLD);
    EXPECT(mproc_value_create(&s->value, SIZE, bytes, NULL) == MPROC_OK);
}

static void act_create_value(scene *s)
{
    unsigned char bytes[SIZE];
    fill(bytes, OLD);
    MUST(mproc_value_create(&s->value, SIZE, bytes, NULL) == MPROC_OK);
}

static void act_destroy_value(scene *s)
{
    MUST(mproc_value_destroy(s->value) == MPROC_OK);
}

static void act_set_value(scene *s)
{
    unsigned char bytes[SIZE];
    fill(bytes, NEW);
    MUST(mproc_value_set(s->value, bytes, SIZE) == MPROC_OK);
}

static void act_change_value(scene *s)
{
    void *data;
    MUST(mproc_value_acquire(s->value, PATIENCE_MS, &data) == MPROC_OK);
    MUST(mproc_value_acquire(s->value, PATIENCE_MS, &data) == MPROC_OK);
    fill(data, NEW);
    MUST(mproc_value_release(s->value) == MPROC_OK);
    MUST(mproc_value_release(s->value) == MPROC_OK);
}

static void use_and_destroy_value(scene *s)
{
    unsigned char bytes[SIZE];
    mproc_err err = mproc_value_acquire(s->value, 0, NULL);
    EXPECT(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    EXPECT(mproc_value_mark_consistent(s->value) == MPROC_OK);
    EXPECT(mproc_value_release(s->value) == MPROC_OK);
    EXPECT(mproc_value_get(s->value, bytes, SIZE) == MPROC_OK);
    EXPECT(mproc_value_set(s->value, bytes, SIZE) == MPROC_OK);
    EXPECT(mproc_value_destroy(s->value) == MPROC_OK);
    EXPECT(!mproc_value_data(s->value));
}

static outcome check_value_made(scene *s)
{
    if (!mproc_value_data(s->value)) {
        EXPECT(mproc_value_destroy(s->value) == MPROC_ESTALE);
        return OUTCOME_BEFORE;
    }
    EXPECT(is_all(mproc_value_data(s->value), OLD));
    use_and_destroy_value(s);
    return OUTCOME_AFTER;
}

static outcome check_value_ended(scene *s)
{
    return check_value_made(s) == OUTCOME_BEFORE ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_value_set(scene *s)
{
    unsigned char bytes[SIZE];
    mproc_err err = mproc_value_get(s->value, bytes, SIZE);
    use_and_destroy_value(s);
    return whole_or_told(err, bytes);
}

/* ---- destroyed under a holder ---- */

static void hold_value_until_over(scene *s, int who)
{
    void *data = NULL;
    MUST(mproc_value_acquire(s->value, PATIENCE_MS, &data) == MPROC_OK);
    companion_says(s, who, STAGE_HOLDS);
    MUST(scene_await(&s->over, 1));
    fill(data, NEW); /* nobody else's yet */
    const mproc_err err = mproc_value_release(s->value);
    MUST(err == MPROC_OK || err == MPROC_ESTALE);
}

static void let_one_hold_value(scene *s)
{
    companion_call(s, 0);
    companion_await_stage(s, 0, STAGE_HOLDS);
}

static outcome check_value_ended_under_holder(scene *s)
{
    int result;
    EXPECT(companion_finish(s, 0, &result));
    if (!mproc_value_data(s->value))
        return OUTCOME_AFTER;
    EXPECT(mproc_value_destroy(s->value) == MPROC_OK);
    return OUTCOME_BEFORE;
}

static void destroy_value_now(scene *s, int who)
{
    atomic_store(&s->companions[who].result, (int)mproc_value_destroy(s->value));
}

static void hold_destroyed_value(scene *s)
{
    for (int i = 0; i < 2; i++)
        MUST(mproc_value_acquire(s->value, PATIENCE_MS, NULL) == MPROC_OK);
    companion_call(s, 0);
    MUST(scene_await(&s->companions[0].done, atomic_load(&s->companions[0].order)));
}

static void act_release_destroyed_value(scene *s)
{
    for (int i = 0; i < 2; i++)
        MUST(mproc_value_release(s->value) == MPROC_ESTALE);
}

static outcome check_destroyed_value(scene *s)
{
    int result;
    EXPECT(companion_finish(s, 0, &result));
    EXPECT(result == MPROC_OK);
    EXPECT(!mproc_value_data(s->value));
    return OUTCOME_ANY;
}

const operation value_operations[] = {
    {"create", NULL, NULL, act_create_value, NULL, check_value_made},
    {"destroy", make_value, NULL, act_destroy_value, NULL, check_value_ended},
    {"set", make_value, NULL, act_set_value, NULL, check_value_set},
    {"change", make_value, NULL, act_change_value, NULL, check_value_set},
    {"destroy under a holder", make_value, let_one_hold_value, act_destroy_value,
     hold_value_until_over, check_value_ended_under_holder},
    {"release a destroyed one", make_value, hold_destroyed_value, act_release_destroyed_value,
     destroy_value_now, check_destroyed_value},
    {0},
};

/* ---- arrays, here with a given lock ---- */

static void make_lock(scene *s)
{
    EXPECT(mproc_lock_create(&s->lock) == MPROC_OK);
}

static mproc_err create_array(scene *s)
{
    unsigned char bytes[SIZE];
    fill(bytes, OLD);
    return mproc_array_create(&s->array, ITEM, SIZE / ITEM, bytes,
                              &(mproc_array_options){.lock = s->lock});
}

static void make_array(scene *s)
{
    make_lock(s);
    EXPECT(create_array(s) == MPROC_OK);
}

static void act_create_array(scene *s)
{
    MUST(create_array(s) == MPROC_OK);
}

static void act_destroy_array(scene *s)
{
    MUST(mproc_array_destroy(s->array) == MPROC_OK);
}

static void act_set_range(scene *s)
{
    unsigned char bytes[SIZE];
    fill(bytes, NEW);
    MUST(mproc_array_set_range(s->array, 0, SIZE / ITEM, bytes) == MPROC_OK);
}

static void use_and_destroy_array(scene *s)
{
    mproc_err err = mproc_array_acquire(s->array, 0, NULL);
    EXPECT(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    EXPECT(mproc_lock_mark_consistent(s->lock) == MPROC_OK);
    EXPECT(mproc_array_release(s->array) == MPROC_OK);
    EXPECT(mproc_array_set_range(s->array, 1, 1, "0123456789") == MPROC_OK);
    EXPECT(mproc_array_destroy(s->array) == MPROC_OK);
}

static outcome check_array_made(scene *s)
{
    const bool made = mproc_array_data(s->array);
    if (made)
        use_and_destroy_array(s);
    EXPECT(mproc_array_destroy(s->array) == MPROC_ESTALE);
    EXPECT(mproc_lock_destroy(s->lock) == MPROC_OK);
    return made ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_array_ended(scene *s)
{
    return check_array_made(s) == OUTCOME_BEFORE ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_range_set(scene *s)
{
    unsigned char bytes[SIZE];
    mproc_err err = mproc_array_get_range(s->array, 0, SIZE / ITEM, bytes);
    use_and_destroy_array(s);
    EXPECT(mproc_lock_destroy(s->lock) == MPROC_OK);
    return whole_or_told(err, bytes);
}

const operation array_operations[] = {
    {"create", make_lock, NULL, act_create_array, NULL, check_array_made},
    {"destroy", make_array, NULL, act_destroy_array, NULL, check_array_ended},
    {"set a range", make_array, NULL, act_set_range, NULL, check_range_set},
    {0},
};

/* ---- strings ---- */

#define OLD_TEXT "the text that was there before"
#define NEW_TEXT "a new one"
#define OTHER_TEXT "what somebody else has written meanwhile"

static void make_string(scene *s)
{
    EXPECT(mproc_string_create(&s->string, SIZE, OLD_TEXT) == MPROC_OK);
}

/* The text stands in the other half. */
static void make_used_string(scene *s)
{
    EXPECT(mproc_string_create(&s->string, SIZE, NULL) == MPROC_OK);
    EXPECT(mproc_string_set(s->string, OLD_TEXT) == MPROC_OK);
}

static void let_one_set(scene *s)
{
    companion_call(s, 0);
}

static void accompany_string(scene *s, int who)
{
    mproc_err err = mproc_string_set(s->string, OTHER_TEXT);
    atomic_store(&s->companions[who].result, (int)err);
}

static void act_create_string(scene *s)
{
    MUST(mproc_string_create(&s->string, SIZE, OLD_TEXT) == MPROC_OK);
}

static void act_destroy_string(scene *s)
{
    MUST(mproc_string_destroy(s->string) == MPROC_OK);
}

static void act_set_string(scene *s)
{
    MUST(mproc_string_set(s->string, NEW_TEXT) == MPROC_OK);
}

static void act_get_string(scene *s)
{
    char text[SIZE];
    MUST(mproc_string_get(s->string, text, SIZE, NULL) == MPROC_OK);
    MUST(!strcmp(text, OLD_TEXT));
}

static bool has_text(scene *s, const char *text)
{
    char buffer[SIZE];
    size_t length;
    EXPECT(mproc_string_get(s->string, buffer, SIZE, &length) == MPROC_OK);
    EXPECT(length == strlen(buffer));
    return !strcmp(buffer, text);
}

static void use_and_destroy_string(scene *s)
{
    for (int i = 0; i < 2; i++) {
        EXPECT(mproc_string_set(s->string, "1") == MPROC_OK && has_text(s, "1"));
        EXPECT(mproc_string_set(s->string, "") == MPROC_OK && has_text(s, ""));
    }
    EXPECT(mproc_string_destroy(s->string) == MPROC_OK);
    EXPECT(!mproc_string_capacity(s->string));
}

static outcome check_string_made(scene *s)
{
    if (!mproc_string_capacity(s->string)) {
        EXPECT(mproc_string_destroy(s->string) == MPROC_ESTALE);
        return OUTCOME_BEFORE;
    }
    EXPECT(has_text(s, OLD_TEXT));
    use_and_destroy_string(s);
    return OUTCOME_AFTER;
}

static outcome check_string_ended(scene *s)
{
    return check_string_made(s) == OUTCOME_BEFORE ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_string_set(scene *s)
{
    const bool set = has_text(s, NEW_TEXT);
    EXPECT(set || has_text(s, OLD_TEXT));
    use_and_destroy_string(s);
    return set ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_string_got(scene *s)
{
    EXPECT(has_text(s, OLD_TEXT));
    use_and_destroy_string(s);
    return OUTCOME_ANY;
}

static outcome check_both_set(scene *s)
{
    int result = -1;
    EXPECT(companion_finish(s, 0, &result));
    EXPECT(result == (int)MPROC_OK);
    EXPECT(has_text(s, NEW_TEXT) || has_text(s, OTHER_TEXT));
    use_and_destroy_string(s);
    return OUTCOME_ANY;
}

const operation string_operations[] = {
    {"create", NULL, NULL, act_create_string, NULL, check_string_made},
    {"destroy", make_string, NULL, act_destroy_string, NULL, check_string_ended},
    {"set", make_string, NULL, act_set_string, NULL, check_string_set},
    {"set once more", make_used_string, NULL, act_set_string, NULL, check_string_set},
    {"set beside another one", make_string, let_one_set, act_set_string, accompany_string,
     check_both_set},
    {"get", make_used_string, NULL, act_get_string, NULL, check_string_got},
    {0},
};
