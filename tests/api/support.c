#include "support.h"

#include <stdlib.h>

static mproc_start_method method_under_test(void)
{
    const char *name = getenv("MPROC_TEST_METHOD");
    if (name && !strcmp(name, "fork"))
        return MPROC_FORK;
    if (name && !strcmp(name, "spawn"))
        return MPROC_SPAWN;
    return name && !strcmp(name, "forkserver") ? MPROC_FORKSERVER : MPROC_START_DEFAULT;
}

bool play_role(int argc, char **argv, const role *roles, size_t count, int *code)
{
    mproc_set_start_method(method_under_test());
    if (argc < 3 || strcmp(argv[1], "--role"))
        return false;
    *code = 99;
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(roles[i].name, argv[2]))
            *code = roles[i].play(argc - 3, argv + 3);
    }
    return true;
}

/* ---- processes ---- */

mproc_process *create_process(const mproc_process_options *options)
{
    mproc_process *process = NULL;
    assert_int_equal(mproc_process_create(&process, options), MPROC_OK);
    assert_non_null(process);
    return process;
}

mproc_process *start_options(mproc_process_options options)
{
    mproc_process *process = create_process(&options);
    mproc_err err = mproc_process_start(process);
    if (err)
        print_error("%s (%d)\n", mproc_strerror(err), mproc_os_error());
    assert_int_equal(err, MPROC_OK);
    return process;
}

mproc_process *start_process(mproc_target target, const void *args, size_t args_size)
{
    return start_options(
        (mproc_process_options){.target = target, .args = args, .args_size = args_size});
}

mproc_exit_status exit_status_of(mproc_process *process)
{
    mproc_exit_status status = {.kind = MPROC_EXIT_RUNNING};
    mproc_err err = mproc_process_join(process, SOON);
    if (err)
        mproc_process_kill(process);
    assert_int_equal(err, MPROC_OK);
    assert_int_equal(mproc_process_exit_status(process, &status), MPROC_OK);
    mproc_process_free(process);
    return status;
}

int exit_code_of(mproc_process *process)
{
    int code = -1000;
    mproc_err err = mproc_process_join(process, SOON);
    if (err)
        mproc_process_kill(process);
    assert_int_equal(err, MPROC_OK);
    assert_int_equal(mproc_process_exitcode(process, &code), MPROC_OK);
    mproc_process_free(process);
    return code;
}

int run_process(mproc_target target, const void *args, size_t args_size)
{
    return exit_code_of(start_process(target, args, args_size));
}

void end_process(mproc_process *process)
{
    mproc_process_kill(process);
    assert_int_equal(mproc_process_join(process, SOON), MPROC_OK);
    mproc_process_free(process);
}

int try_process(const mproc_process_options *options)
{
    mproc_process *process;
    int code = -1;
    if (mproc_process_create(&process, options) || mproc_process_start(process) ||
        mproc_process_join(process, SOON) || mproc_process_exitcode(process, &code))
        return -1;
    mproc_process_free(process);
    return code;
}

/* ---- bytes that tell where they belong ---- */

static unsigned char byte_of_pattern(size_t place, unsigned seed)
{
    return (unsigned char)((place * 31 + seed) >> (place % 3));
}

unsigned char *new_pattern(size_t size, unsigned seed)
{
    unsigned char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_of_pattern(i, seed);
    return bytes;
}

bool is_pattern(const void *bytes, size_t size, unsigned seed)
{
    const unsigned char *its = bytes;
    for (size_t i = 0; i < size; i++) {
        if (its[i] != byte_of_pattern(i, seed))
            return false;
    }
    return true;
}

/* ---- notes ---- */

note new_note(const char *name)
{
    static int count;
    char folder[300] = "";
    note made;
    host_temporary_folder(folder, sizeof folder);
    snprintf(made.path, sizeof made.path, "%smproc-%lld-%d-%s", folder, host_pid(), count++, name);
    return made;
}

note note_at(const char *path)
{
    note made;
    snprintf(made.path, sizeof made.path, "%s", path);
    return made;
}

bool leave_note(const note *place, const char *text)
{
    char unfinished[sizeof place->path + 16];
    snprintf(unfinished, sizeof unfinished, "%s.%lld", place->path, host_pid());
    FILE *file = fopen(unfinished, "wb");
    if (!file)
        return false;
    bool good = fputs(text, file) >= 0;
    good = !fclose(file) && good;
    return good && !rename(unfinished, place->path);
}

bool find_note(const note *place, char *text, size_t capacity)
{
    FILE *file = fopen(place->path, "rb");
    if (!file)
        return false;
    if (text) {
        size_t length = fread(text, 1, capacity - 1, file);
        text[length] = '\0';
    }
    fclose(file);
    return true;
}

bool await_note(const note *place, char *text, size_t capacity)
{
    int64_t deadline = host_now() + SOON;
    for (int nap = 1; !find_note(place, text, capacity); nap = nap < 8 ? nap * 2 : nap) {
        if (host_now() > deadline)
            return false;
        host_nap(nap);
    }
    return true;
}

void drop_note(const note *place)
{
    remove(place->path);
}

void leave_number(const note *place, long long number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", number);
    leave_note(place, text);
}

long long await_number(const note *place)
{
    char text[32];
    long long number = await_note(place, text, sizeof text) ? atoll(text) : -1;
    drop_note(place);
    return number;
}

/* ---- targets ---- */

int hold_on(void *args, size_t size)
{
    const hold *it = args;
    return size == sizeof *it && await_note(&it->until, NULL, 0) ? it->code : 250;
}

int wait_forever(void *args, size_t size)
{
    (void)args;
    (void)size;
    host_wait_forever();
    return 0;
}

int return_code(void *args, size_t size)
{
    return size == sizeof(int) ? *(int *)args : 250;
}

/* ---- programs ---- */

void read_file(const char *path, char *text, size_t capacity)
{
    size_t length = 0;
    FILE *file = fopen(path, "r");
    if (file) {
        length = fread(text, 1, capacity - 1, file);
        fclose(file);
    }
    text[length] = '\0';
}

const run_result *run_command(const host_command *command)
{
    static run_result made;
    host_program program;
    host_command complete = *command;
    note output = new_note("output");
    complete.output = output.path;
    assert_true(host_start(&program, &complete));
    made.code = -1;
    if (!host_wait(&program, SOON, &made.code)) {
        host_kill(program.pid);
        host_wait(&program, SOON, &made.code);
        made.code = -1;
    }
    read_file(output.path, made.output, sizeof made.output);
    drop_note(&output);
    return &made;
}

const run_result *run_role(const char *name, const char *argument, const char *other)
{
    const char *arguments[] = {"--role", name, argument, other, NULL};
    return run_command(&(host_command){.arguments = arguments});
}

host_program start_role(const char *name, const char *const *arguments, const char *output)
{
    const char *all[8] = {"--role", name};
    for (size_t i = 2; i < COUNT_OF(all) - 1 && arguments && arguments[i - 2]; i++)
        all[i] = arguments[i - 2];
    host_program program = {0};
    assert_true(host_start(&program, &(host_command){.arguments = all, .output = output}));
    return program;
}

host_program start_marked_role(const char *mark, const char *name, const char *const *arguments)
{
    host_set_variable("MPROC_TEST_MARK", mark);
    host_program program = start_role(name, arguments, NULL);
    host_set_variable("MPROC_TEST_MARK", NULL);
    return program;
}

bool await_end_of_marked(const char *mark)
{
    const int64_t end = host_now() + SOON;
    while (host_count_marked(mark) > 0) {
        if (host_now() > end)
            return false;
        host_nap(5);
    }
    return true;
}

bool copy_file(const char *from, const char *to)
{
    char block[65536];
    size_t length;
    FILE *source = fopen(from, "rb"), *copy = fopen(to, "wb");
    bool good = source && copy;
    while (good && (length = fread(block, 1, sizeof block, source)) > 0)
        good = fwrite(block, 1, length, copy) == length;
    if (source)
        fclose(source);
    if (copy)
        good = !fclose(copy) && good;
    return good;
}
