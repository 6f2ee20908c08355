#include "trace_support.h"

#include <stdlib.h>

/* ---- strict JSON ---- */

enum { DEEPEST = 20 };

typedef struct reader {
    const unsigned char *at, *end;
    int depth;
} reader;

static int peek(const reader *from)
{
    return from->at < from->end ? *from->at : -1;
}

static bool take(reader *from, char wanted)
{
    if (peek(from) != (unsigned char)wanted)
        return false;
    from->at++;
    return true;
}

static void skip_space(reader *from)
{
    while (peek(from) == ' ' || peek(from) == '\n' || peek(from) == '\r' || peek(from) == '\t')
        from->at++;
}

static bool take_word(reader *from, const char *word)
{
    while (*word && take(from, *word))
        word++;
    return !*word;
}

static bool take_digits(reader *from)
{
    const unsigned char *begin = from->at;
    while (peek(from) >= '0' && peek(from) <= '9')
        from->at++;
    return from->at > begin;
}

static bool take_number(reader *from)
{
    take(from, '-');
    if (!take(from, '0') && !take_digits(from))
        return false;
    if (take(from, '.') && !take_digits(from))
        return false;
    if (!take(from, 'e') && !take(from, 'E'))
        return true;
    if (!take(from, '+'))
        take(from, '-');
    return take_digits(from);
}

static bool take_escape(reader *from)
{
    int kind = peek(from);
    if (kind < 0 || !strchr("\"\\/bfnrtu", kind))
        return false;
    from->at++;
    for (int i = 0; kind == 'u' && i < 4; i++) {
        int digit = peek(from);
        if (digit <= 0 || !strchr("0123456789abcdefABCDEF", digit))
            return false;
        from->at++;
    }
    return true;
}

static bool take_character(reader *from)
{
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    int first = peek(from);
    if (first < 0x20)
        return false;
    size_t size = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size == 0 || first > 0xf4 || (size_t)(from->end - from->at) < size)
        return false;
    unsigned long code = size == 1 ? (unsigned long)first : (unsigned long)first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((from->at[i] & 0xc0) != 0x80)
            return false;
        code = code << 6 | (from->at[i] & 0x3fu);
    }
    from->at += size;
    return code >= least[size] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
}

static bool take_string(reader *from)
{
    if (!take(from, '"'))
        return false;
    while (!take(from, '"')) {
        if (take(from, '\\') ? !take_escape(from) : !take_character(from))
            return false;
    }
    return true;
}

static bool take_value(reader *from);

static bool take_member(reader *from, bool has_key)
{
    skip_space(from);
    if (has_key && !take_string(from))
        return false;
    skip_space(from);
    if (has_key && !take(from, ':'))
        return false;
    bool taken = take_value(from);
    skip_space(from);
    return taken;
}

static bool take_list(reader *from, bool has_keys, char end)
{
    from->at++;
    skip_space(from);
    if (take(from, end))
        return true;
    do {
        if (!take_member(from, has_keys))
            return false;
    } while (take(from, ','));
    return take(from, end);
}

static bool take_value(reader *from)
{
    bool taken = false;
    if (++from->depth > DEEPEST)
        return false;
    skip_space(from);
    switch (peek(from)) {
    case '{':
        taken = take_list(from, true, '}');
        break;
    case '[':
        taken = take_list(from, false, ']');
        break;
    case '"':
        taken = take_string(from);
        break;
    case 't':
        taken = take_word(from, "true");
        break;
    case 'f':
        taken = take_word(from, "false");
        break;
    case 'n':
        taken = take_word(from, "null");
        break;
    default:
        taken = take_number(from);
    }
    from->depth--;
    return taken;
}

bool is_strict_json(const char *text, size_t size)
{
    reader from = {.at = (const unsigned char *)text, .end = (const unsigned char *)text + size};
    if (!take_value(&from))
        return false;
    skip_space(&from);
    return from.at == from.end;
}

/* ---- programs ---- */

const run_result *run_traced(const char *name, const char *argument, const char *path)
{
    host_set_variable(TRACE_VARIABLE, path);
    const run_result *ran = run_role(name, argument, NULL);
    host_set_variable(TRACE_VARIABLE, NULL);
    return ran;
}

timeline trace_of(const char *name, const char *argument, const note *place)
{
    const run_result *ran = run_traced(name, argument, place->path);
    if (ran->code)
        print_error("%s\n", ran->output);
    assert_int_equal(ran->code, 0);
    timeline read = read_timeline(place);
    assert_well_formed(&read);
    return read;
}

/* ---- events ---- */

timeline read_timeline(const note *place)
{
    timeline read = {NULL, 0};
    FILE *file = fopen(place->path, "rb");
    if (!file)
        return read;
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    read.text = malloc((size_t)size + 1);
    assert_non_null(read.text);
    read.size = fread(read.text, 1, (size_t)size, file);
    assert_int_equal(read.size, size);
    fclose(file);
    read.text[read.size] = '\0';
    return read;
}

void drop_timeline(timeline *read, const note *place)
{
    free(read->text);
    read->text = NULL;
    drop_note(place);
}

void assert_well_formed(const timeline *read)
{
    assert_non_null(read->text);
    assert_true(read->size > 5);
    assert_int_equal(strlen(read->text), read->size);
    assert_true(is_strict_json(read->text, read->size));
    assert_memory_equal(read->text, "[\n{", 3);
    assert_string_equal(read->text + read->size - 4, "}\n]\n");
    for (const char *line = strchr(read->text, '\n') + 1; strcmp(line, "]\n") != 0;
         line = strchr(line, '\n') + 1)
        assert_memory_equal(line, "{\"ph\":\"", 7);
}

static bool has_all(const char *line, size_t length, const char *const *parts)
{
    char event[2048];
    assert_true(length < sizeof event);
    memcpy(event, line, length);
    event[length] = '\0';
    for (; *parts; parts++) {
        if (!strstr(event, *parts))
            return false;
    }
    return true;
}

size_t count_events(const timeline *read, const char *const *parts)
{
    size_t count = 0;
    const char *line = read->text;
    for (const char *end; (end = strchr(line, '\n')); line = end + 1)
        count += has_all(line, (size_t)(end - line), parts);
    return count;
}

double number_in(const timeline *read, const char *part, const char *other, const char *key)
{
    const char *const parts[] = {part, other, key, NULL};
    const char *line = read->text;
    for (const char *end; (end = strchr(line, '\n')); line = end + 1) {
        if (has_all(line, (size_t)(end - line), parts))
            return strtod(strstr(line, key) + strlen(key), NULL);
    }
    return -1;
}
