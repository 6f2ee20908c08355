#include "posix.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#if POSIX_LINUX

/* Where one controller's files lie in one of the two generations of control groups. A group is
 * bound by all those above it, too, so each directory from its own up to the mount is asked. */
typedef struct group {
    const char *controller;
    bool first; /* version 1 */
    char path[PATH_MAX];
    char mount[PATH_MAX];
} group;

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length) {
        bool begins = at == list || at[-1] == ',';
        char end = at[length];
        if (begins && (end == '\0' || end == ',' || end == '\n'))
            return true;
    }
    return false;
}

/* A line of /proc/self/cgroup: number:controllers:path */
static bool find_path(group *found)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char *line = NULL;
    size_t capacity = 0;
    bool there = false;
    while (file && !there && getline(&line, &capacity, file) > 0) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *controllers++ = '\0';
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        there = found->first ? has_word(controllers, found->controller)
                             : !strcmp(line, "0") && *controllers == '\0';
        there = there && strlen(path) < sizeof found->path;
        if (there)
            memcpy(found->path, path, strlen(path) + 1);
    }
    free(line);
    if (file)
        fclose(file);
    return there;
}

/* A line of /proc/self/mountinfo: id parent device root mount options... - type source options */
static bool parse_mount(char *line, group *found)
{
    char *root = line, *rest = strstr(line, " - ");
    for (int i = 0; i < 3 && root; i++) {
        root = strchr(root, ' ');
        root = root ? root + 1 : NULL;
    }
    char *mount = root ? strchr(root, ' ') : NULL;
    char *end = mount ? strchr(mount + 1, ' ') : NULL;
    if (!end || !rest || end > rest)
        return false;
    *mount++ = '\0';
    *end = '\0';
    char *type = rest + 3, *options = strrchr(type, ' ');
    size_t type_length = strcspn(type, " ");
    bool first = type_length == 6 && !strncmp(type, "cgroup", 6);
    bool second = type_length == 7 && !strncmp(type, "cgroup2", 7);
    if (found->first ? !first || !options || !has_word(options + 1, found->controller) : !second)
        return false;
    size_t shown = !strcmp(root, "/") ? 0 : strlen(root);
    if (strncmp(found->path, root, shown) != 0 || !strchr("/", found->path[shown]) ||
        strstr(found->path, "/.."))
        found->path[0] = '\0'; /* another namespace's view: only the mount is certain */
    else
        memmove(found->path, found->path + shown, strlen(found->path + shown) + 1);
    snprintf(found->mount, sizeof found->mount, "%s", mount);
    return true;
}

static bool find_group(group *found, const char *controller, bool first)
{
    *found = (group){.controller = controller, .first = first};
    if (!find_path(found))
        return false;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t capacity = 0;
    bool there = false;
    while (file && !there && getline(&line, &capacity, file) > 0)
        there = parse_mount(line, found);
    free(line);
    if (file)
        fclose(file);
    return there;
}

/* Up to two numbers; how many there were. "max" and -1 are no numbers. */
static int read_numbers(const char *directory, const char *path, const char *name,
                        unsigned long long numbers[2])
{
    char file_name[2 * PATH_MAX + 64], text[64] = "";
    snprintf(file_name, sizeof file_name, "%s%s/%s", directory, path, name);
    FILE *file = fopen(file_name, "re");
    if (!file)
        return 0;
    if (!fgets(text, sizeof text, file) || text[0] == '-')
        text[0] = '\0';
    fclose(file);
    return sscanf(text, "%llu %llu", &numbers[0], &numbers[1]);
}

typedef uint64_t visit(const group *at);

static uint64_t least_of(const char *controller, visit *limit)
{
    uint64_t least = UINT64_MAX;
    for (int version = 1; version <= 2; version++) {
        group at;
        if (!find_group(&at, controller, version == 1))
            continue;
        for (;;) {
            uint64_t here = limit(&at);
            least = here < least ? here : least;
            char *last = strrchr(at.path, '/');
            if (!last)
                break;
            *last = '\0';
        }
    }
    return least;
}

static uint64_t cpu_quota(const group *at)
{
    unsigned long long quota[2] = {0, 0};
    if (at->first) {
        unsigned long long period[2];
        if (read_numbers(at->mount, at->path, "cpu.cfs_quota_us", quota) < 1 ||
            read_numbers(at->mount, at->path, "cpu.cfs_period_us", period) < 1)
            return UINT64_MAX;
        quota[1] = period[0];
    } else if (read_numbers(at->mount, at->path, "cpu.max", quota) < 2) {
        return UINT64_MAX;
    }
    return quota[0] > 0 && quota[1] > 0 ? (quota[0] - 1) / quota[1] + 1 : UINT64_MAX;
}

static uint64_t memory_maximum(const group *at)
{
    unsigned long long bytes[2];
    const char *name = at->first ? "memory.limit_in_bytes" : "memory.max";
    return read_numbers(at->mount, at->path, name, bytes) >= 1 && bytes[0] > 0 ? bytes[0]
                                                                               : UINT64_MAX;
}

static long affinity(void)
{
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 4) {
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set)
            return 0;
        int failed = sched_getaffinity(0, size, set);
        int number = errno, count = failed ? 0 : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (!failed || number != EINVAL) /* EINVAL: the kernel has more of them */
            return count;
    }
    return 0;
}

#else

typedef uint64_t visit(void);

static uint64_t least_of(const char *controller, visit *limit)
{
    (void)controller;
    return limit();
}

static uint64_t cpu_quota(void)
{
    return UINT64_MAX;
}

static uint64_t memory_maximum(void)
{
    return UINT64_MAX;
}

static long affinity(void)
{
    return 0;
}

#endif

int os_cpu_count(void)
{
    long count = affinity();
    if (count < 1)
        count = sysconf(_SC_NPROCESSORS_ONLN);
    if (count < 1)
        count = 1;
    if (count > INT_MAX)
        count = INT_MAX;
    uint64_t quota = least_of("cpu", cpu_quota);
    return quota < (uint64_t)count ? (int)quota : (int)count;
}

uint64_t os_memory_limit(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t machine = UINT64_C(1) << 30; /* a system that does not say has at least this */
    if (pages > 0 && page > 0)
        machine = (uint64_t)pages * (uint64_t)page;
    uint64_t group_limit = least_of("memory", memory_maximum);
    return group_limit < machine ? group_limit : machine;
}

#if POSIX_LINUX

/* statm: total, resident and shared pages; what is shared counts for nobody. */
uint64_t os_memory_used(void)
{
    unsigned long long total, resident, shared;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    int read = fscanf(file, "%llu %llu %llu", &total, &resident, &shared);
    fclose(file);
    return read == 3 && resident > shared ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE)
                                          : 0;
}

#else

/* The most that it ever was: there is no call for the present on all of these systems. */
uint64_t os_memory_used(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage))
        return 0;
#if defined(__APPLE__)
    return (uint64_t)usage.ru_maxrss;
#else
    return (uint64_t)usage.ru_maxrss * 1024;
#endif
}

#endif
