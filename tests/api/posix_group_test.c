/* Linux, where control groups can be made: a group with little memory. */
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CANNOT = 77, MEMORY = 256 << 20, BLOCK = 1 << 20 };

static bool write_text(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    bool done = fputs(text, file) >= 0;
    return !fclose(file) && done;
}

/* ---- inside ---- */

static bool enter_group(const char *folder)
{
    char pid[32];
    snprintf(pid, sizeof pid, "%lld", (long long)getpid());
    return write_text(folder, "cgroup.procs", pid);
}

/* All of it is written to: memory that was handed out is there. */
static mproc_err take(mproc_memory *memory)
{
    mproc_err err = mproc_memory_alloc(memory, BLOCK);
    if (!err)
        memset(mproc_memory_data(*memory), 1, BLOCK);
    return err;
}

static int start_one(void)
{
    mproc_process *process;
    int code = 7;
    if (mproc_process_create(&process, &(mproc_process_options){.target = return_code,
                                                                .args = &code,
                                                                .args_size = sizeof code}))
        return 1;
    int wrong = mproc_process_start(process) || mproc_process_join(process, SOON) ||
                mproc_process_exitcode(process, &code) || code != 7;
    mproc_process_free(process);
    return wrong;
}

static int fill(int argc, char **argv)
{
    static mproc_memory taken[MEMORY / BLOCK];
    size_t count = 0;
    mproc_err err = MPROC_OK;
    if (argc < 1 || !enter_group(argv[0]))
        return CANNOT;
    while (count < COUNT_OF(taken) && !(err = take(&taken[count])))
        count++;
    if (err != MPROC_ENOMEM || count < COUNT_OF(taken) / 8)
        return 1;
    if (start_one())
        return 2;
    if (mproc_memory_free(taken[--count]) || take(&taken[count]))
        return 3;
    for (size_t i = 0; i <= count; i++) {
        if (mproc_memory_free(taken[i]))
            return 4;
    }
    return 0;
}

/* ---- outside ---- */

typedef struct group {
    char folder[PATH_MAX];
} group;

/* Version 1 has a line "N:memory:PATH", version 2 "0::PATH". */
static bool find_own(group *found)
{
    char line[PATH_MAX], *path;
    bool old = false;
    FILE *file = fopen("/proc/self/cgroup", "r");
    found->folder[0] = '\0';
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if ((path = strstr(line, ":memory:")) != NULL) {
            snprintf(found->folder, sizeof found->folder, "/sys/fs/cgroup/memory%.3000s", path + 8);
            old = true;
        } else if (!old && strncmp(line, "0::", 3) == 0) {
            snprintf(found->folder, sizeof found->folder, "/sys/fs/cgroup%.3000s", line + 3);
        }
    }
    if (file)
        fclose(file);
    return found->folder[0];
}

static bool make_group(group *made)
{
    char bytes[32];
    if (!find_own(made))
        return false;
    size_t length = strlen(made->folder);
    snprintf(made->folder + length, sizeof made->folder - length, "/mproc-test-%lld",
             (long long)getpid());
    snprintf(bytes, sizeof bytes, "%d", MEMORY);
    if (mkdir(made->folder, 0755))
        return false;
    if (write_text(made->folder, "memory.limit_in_bytes", bytes) ||
        write_text(made->folder, "memory.max", bytes))
        return true;
    rmdir(made->folder);
    return false;
}

/* It is busy until the last of its processes has been forgotten. */
static void remove_group(const group *made)
{
    int64_t deadline = host_now() + SOON;
    while (rmdir(made->folder) && errno == EBUSY && host_now() < deadline)
        host_nap(1);
}

static void a_full_control_group_is_told_and_nobody_is_killed(void **state)
{
    (void)state;
    group made;
    if (!make_group(&made))
        skip();
    int code = run_role("fill", made.folder, NULL)->code;
    remove_group(&made);
    if (code == CANNOT)
        skip();
    assert_int_equal(code, 0);
}

int main(int argc, char **argv)
{
    static const role roles[] = {{"fill", fill}};
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_control_group_is_told_and_nobody_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
