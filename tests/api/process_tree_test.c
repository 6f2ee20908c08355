/* Who is whose child: names, current and parent, descendants, active children, daemons. */
#include "support.h"

#include <stdlib.h>

/* A child that has no shared memory yet tells its findings in one note. */
typedef struct question {
    note answer;
    mproc_start_method method; /* of what it starts itself */
    int depth;
    long long expected;
} question;

static void ask(mproc_target target, question *it, char *answer, size_t capacity, bool daemon)
{
    it->answer = new_note("answer");
    mproc_process *process = start_options((mproc_process_options){
        .target = target, .args = it, .args_size = sizeof *it, .daemon = daemon});
    assert_int_equal(exit_code_of(process), 0);
    assert_true(find_note(&it->answer, answer, capacity));
    drop_note(&it->answer);
}

static mproc_err start_another(mproc_process **process, mproc_target target, const void *args,
                               size_t size, mproc_start_method method)
{
    const mproc_process_options options = {
        .target = target, .args = args, .args_size = size, .method = method};
    mproc_err err = mproc_process_create(process, &options);
    return err ? err : mproc_process_start(*process);
}

/* ---- names ---- */

static int name_three(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (int i = 0; i < 3; i++) {
        mproc_process *process;
        const mproc_process_options options = {.target = return_code};
        if (mproc_process_create(&process, &options))
            return 1;
        printf("%s\n", mproc_process_name(process));
        mproc_process_free(process);
    }
    printf("%s\n", mproc_process_name(mproc_process_current()));
    return 0;
}

static void names_are_numbered(void **state)
{
    (void)state;
    const run_result *ran = run_role("name_three", NULL, NULL);
    assert_int_equal(ran->code, 0);
    assert_string_equal(ran->output, "Process-1\nProcess-2\nProcess-3\nMainProcess\n");
}

static int tell_name(void *args, size_t size)
{
    (void)size;
    const question *it = args;
    mproc_process *own;
    if (it->depth == 0)
        return !leave_note(&it->answer, mproc_process_name(mproc_process_current()));
    question next = *it;
    next.depth--;
    int code = 1;
    if (start_another(&own, tell_name, &next, sizeof next, it->method) ||
        mproc_process_join(own, SOON) || mproc_process_exitcode(own, &code))
        return 1;
    mproc_process_free(own);
    return code;
}

static void names_of_descendants_show_their_descent(void **state)
{
    (void)state;
    char own[64], childs[64], grandchilds[64], number[64];
    question it = {.depth = 0};
    mproc_process *here = create_process(&(mproc_process_options){.target = return_code});
    snprintf(number, sizeof number, "%s", mproc_process_name(here));
    mproc_process_free(here);
    ask(tell_name, &it, own, sizeof own, false);
    int before = atoi(number + strlen("Process-"));
    assert_int_equal(atoi(own + strlen("Process-")), before + 1);
    it.depth = 1;
    ask(tell_name, &it, childs, sizeof childs, false);
    it.depth = 2;
    ask(tell_name, &it, grandchilds, sizeof grandchilds, false);
    snprintf(number, sizeof number, "Process-%d:1", before + 2);
    assert_string_equal(childs, number);
    snprintf(number, sizeof number, "Process-%d:1:1", before + 3);
    assert_string_equal(grandchilds, number);
}

static void name_may_be_chosen(void **state)
{
    (void)state;
    char name[] = "worker \xc3\xa4";
    char answer[128];
    question it = {.answer = new_note("answer")};
    mproc_process *process = create_process(&(mproc_process_options){
        .target = tell_name, .args = &it, .args_size = sizeof it, .name = name});
    name[0] = 'W';
    assert_string_equal(mproc_process_name(process), "worker \xc3\xa4");
    assert_int_equal(mproc_process_start(process), MPROC_OK);
    assert_int_equal(exit_code_of(process), 0);
    assert_true(find_note(&it.answer, answer, sizeof answer));
    assert_string_equal(answer, "worker \xc3\xa4");
    drop_note(&it.answer);
}

static void long_name_is_cut(void **state)
{
    (void)state;
    char name[100], answer[128];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    question it = {.answer = new_note("answer")};
    mproc_process *process = create_process(&(mproc_process_options){
        .target = tell_name, .args = &it, .args_size = sizeof it, .name = name});
    name[63] = '\0';
    assert_string_equal(mproc_process_name(process), name);
    assert_int_equal(mproc_process_start(process), MPROC_OK);
    assert_int_equal(exit_code_of(process), 0);
    assert_true(find_note(&it.answer, answer, sizeof answer));
    assert_string_equal(answer, name);
    drop_note(&it.answer);
}

/* ---- current and parent ---- */

static int know_itself(void *args, size_t size)
{
    (void)size;
    const question *it = args;
    mproc_process *self = mproc_process_current(), *parent = mproc_process_parent();
    intptr_t sentinel;
    bool good =
        self && parent && mproc_process_pid(self) == host_pid() &&
        mproc_process_pid(parent) == it->expected && mproc_process_is_alive(self) &&
        mproc_process_is_alive(parent) && !strcmp(mproc_process_name(parent), "MainProcess") &&
        mproc_process_join(self, 0) == MPROC_EDEADLK &&
        mproc_process_join(parent, 0) == MPROC_ETIMEDOUT &&
        mproc_process_terminate(parent) == MPROC_ESTATE &&
        mproc_process_kill(self) == MPROC_ESTATE && mproc_process_start(parent) == MPROC_ESTATE &&
        mproc_process_sentinel(self, &sentinel) == MPROC_ESTATE &&
        mproc_process_sentinel(parent, &sentinel) == MPROC_OK && !host_is_ready(sentinel, 0) &&
        mproc_process_current() == self && mproc_process_parent() == parent;
    mproc_process_free(self);
    mproc_process_free(parent);
    good = good && mproc_process_pid(mproc_process_current()) == host_pid();
    return !leave_note(&it->answer, good ? "good" : "bad");
}

static void child_knows_itself_and_its_parent(void **state)
{
    (void)state;
    char answer[16];
    question it = {.expected = host_pid()};
    ask(know_itself, &it, answer, sizeof answer, false);
    assert_string_equal(answer, "good");
}

static void first_process_knows_itself_and_has_no_parent(void **state)
{
    (void)state;
    mproc_process *self = mproc_process_current();
    assert_non_null(self);
    assert_null(mproc_process_parent());
    assert_int_equal(mproc_process_pid(self), host_pid());
    assert_string_equal(mproc_process_name(self), "MainProcess");
    assert_true(mproc_process_is_alive(self));
    assert_false(mproc_process_is_daemon(self));
    assert_int_equal(mproc_process_join(self, MPROC_FOREVER), MPROC_EDEADLK);
    assert_int_equal(mproc_process_start(self), MPROC_ESTATE);
    assert_int_equal(mproc_process_terminate(self), MPROC_ESTATE);
    mproc_process_free(self);
    assert_ptr_equal(mproc_process_current(), self);
}

typedef struct orphan {
    note born, told;
} orphan;

static int outlive_parent(void *args, size_t size)
{
    (void)size;
    const orphan *it = args;
    intptr_t sentinel = -1;
    mproc_process *parent = mproc_process_parent();
    bool good = mproc_process_is_alive(parent) &&
                mproc_process_sentinel(parent, &sentinel) == MPROC_OK &&
                !host_is_ready(sentinel, 0);
    leave_number(&it->born, host_pid());
    good = good && mproc_process_join(parent, SOON) == MPROC_OK &&
           !mproc_process_is_alive(parent) && host_is_ready(sentinel, 0);
    return !leave_note(&it->told, good ? "good" : "bad");
}

static int leave_orphan(void *args, size_t size)
{
    mproc_process *process;
    if (start_another(&process, outlive_parent, args, size, MPROC_START_DEFAULT))
        return 1;
    host_wait_forever();
    return 0;
}

static void grandchild_sees_the_death_of_its_parent(void **state)
{
    (void)state;
    char told[16] = "";
    orphan it = {.born = new_note("born"), .told = new_note("told")};
    mproc_process *process = start_process(leave_orphan, &it, sizeof it);
    long long grandchild = await_number(&it.born);
    assert_true(grandchild > 0);
    assert_int_equal(mproc_process_kill(process), MPROC_OK);
    assert_int_equal(exit_code_of(process), -9);
    assert_true(await_note(&it.told, told, sizeof told));
    drop_note(&it.told);
    assert_string_equal(told, "good");
}

/* ---- nested start methods ---- */

static void start_methods_nest(void **state)
{
    (void)state;
    const mproc_start_method methods[] = {MPROC_FORK, MPROC_SPAWN, MPROC_FORKSERVER};
    char answer[64];
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        question it = {.depth = 3, .method = methods[i]};
        if (!host_is_windows || methods[i] == MPROC_SPAWN)
            ask(tell_name, &it, answer, sizeof answer, false);
    }
}

static int tell_method(void *args, size_t size)
{
    (void)size;
    const question *it = args;
    leave_number(&it->answer, mproc_get_start_method());
    return 0;
}

static void start_method_is_inherited(void **state)
{
    (void)state;
    char answer[16];
    question it = {.depth = 0};
    ask(tell_method, &it, answer, sizeof answer, false);
    assert_int_equal(atoi(answer), mproc_get_start_method());
}

static char **arguments_of_main;
static int argument_count;

static int see_arguments(void *args, size_t size)
{
    (void)size;
    const question *it = args;
    return !leave_note(&it->answer,
                       arguments_of_main[0] && !arguments_of_main[1] ? "none" : "some");
}

static void private_argument_is_gone_in_the_target(void **state)
{
    (void)state;
    char answer[16];
    question it = {.depth = 0};
    if (argument_count != 1)
        skip();
    ask(see_arguments, &it, answer, sizeof answer, false);
    assert_string_equal(answer, "none");
}

/* ---- daemons ---- */

static int tell_daemon(void *args, size_t size)
{
    (void)size;
    const question *it = args;
    const mproc_process_options options = {.target = return_code};
    mproc_process *child;
    if (mproc_process_create(&child, &options))
        return 1;
    bool both = mproc_process_is_daemon(mproc_process_current()) && mproc_process_is_daemon(child);
    bool any = mproc_process_is_daemon(mproc_process_current()) || mproc_process_is_daemon(child);
    mproc_process_free(child);
    return !leave_note(&it->answer, both ? "both" : any ? "one" : "none");
}

static void daemon_is_inherited(void **state)
{
    (void)state;
    char answer[16];
    question it = {.depth = 0};
    ask(tell_daemon, &it, answer, sizeof answer, true);
    assert_string_equal(answer, "both");
    ask(tell_daemon, &it, answer, sizeof answer, false);
    assert_string_equal(answer, "none");
}

/* ---- active children ---- */

static void active_children_leave_out_unstarted_and_ended(void **state)
{
    (void)state;
    size_t count = 99;
    mproc_process *list[8];
    int zero = 0;
    mproc_process *unstarted = create_process(&(mproc_process_options){.target = return_code});
    mproc_process *ended = start_process(return_code, &zero, sizeof zero);
    assert_int_equal(mproc_process_join(ended, SOON), MPROC_OK);
    assert_int_equal(mproc_active_children(list, COUNT_OF(list), &count), MPROC_OK);
    assert_int_equal(count, 0);
    mproc_process *first = start_process(wait_forever, NULL, 0);
    mproc_process *second = start_process(wait_forever, NULL, 0);
    assert_int_equal(mproc_active_children(NULL, 0, &count), MPROC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(mproc_active_children(list, 1, &count), MPROC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(mproc_process_pid(list[0]), mproc_process_pid(first));
    mproc_process_free(list[0]);
    assert_int_equal(mproc_active_children(list, COUNT_OF(list), &count), MPROC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(mproc_process_pid(list[0]), mproc_process_pid(first));
    assert_int_equal(mproc_process_pid(list[1]), mproc_process_pid(second));
    mproc_process_free(list[0]);
    mproc_process_free(list[1]);
    end_process(first);
    end_process(second);
    mproc_process_free(ended);
    mproc_process_free(unstarted);
    assert_int_equal(mproc_active_children(list, COUNT_OF(list), &count), MPROC_OK);
    assert_int_equal(count, 0);
}

static void freed_running_child_stays_a_child(void **state)
{
    (void)state;
    size_t count;
    mproc_process *found;
    hold it = {.until = new_note("go"), .code = 33};
    mproc_process *process = start_process(hold_on, &it, sizeof it);
    long long pid = mproc_process_pid(process);
    mproc_process_free(process);
    assert_int_equal(mproc_active_children(&found, 1, &count), MPROC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(mproc_process_pid(found), pid);
    assert_true(mproc_process_is_alive(found));
    assert_true(leave_note(&it.until, ""));
    assert_int_equal(exit_code_of(found), 33);
    drop_note(&it.until);
}

static const role roles[] = {{"name_three", name_three}};

int main(int argc, char **argv)
{
    arguments_of_main = argv;
    argument_count = argc;
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_numbered),
        cmocka_unit_test(names_of_descendants_show_their_descent),
        cmocka_unit_test(name_may_be_chosen),
        cmocka_unit_test(long_name_is_cut),
        cmocka_unit_test(child_knows_itself_and_its_parent),
        cmocka_unit_test(first_process_knows_itself_and_has_no_parent),
        cmocka_unit_test(grandchild_sees_the_death_of_its_parent),
        cmocka_unit_test(start_methods_nest),
        cmocka_unit_test(start_method_is_inherited),
        cmocka_unit_test(private_argument_is_gone_in_the_target),
        cmocka_unit_test(daemon_is_inherited),
        cmocka_unit_test(active_children_leave_out_unstarted_and_ended),
        cmocka_unit_test(freed_running_child_stays_a_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
