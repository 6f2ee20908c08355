#include "count_options.h"

#include <stdlib.h>
#include <string.h>

#define MOST_WORKERS 1024

static const char *const usual_endings[] = {".txt", ".md", ".c", ".h"};

void count_usage(FILE *stream)
{
    fputs(
        "usage: count [--workers N] [--start-method fork|spawn|forkserver] [--output FILE] DIR "
        "[.ending...]\n"
        "Counts lines and characters of the files below DIR whose names end so (.txt .md .c .h).\n",
        stream);
}

static bool parse_workers(int *workers, const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || number < 1 || number > MOST_WORKERS) {
        fprintf(stderr, "count: --workers takes a number from 1 to %d, not '%s'\n", MOST_WORKERS,
                text);
        return false;
    }
    *workers = (int)number;
    return true;
}

static bool parse_method(mproc_start_method *method, const char *text)
{
    static const struct {
        const char *name;
        mproc_start_method method;
    } methods[] = {{"fork", MPROC_FORK}, {"spawn", MPROC_SPAWN}, {"forkserver", MPROC_FORKSERVER}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(text, methods[i].name) == 0) {
            *method = methods[i].method;
            return true;
        }
    }
    fprintf(stderr, "count: --start-method takes fork, spawn or forkserver, not '%s'\n", text);
    return false;
}

static bool parse_option(struct count_options *options, const char *name, const char *value)
{
    bool workers = strcmp(name, "--workers") == 0, method = strcmp(name, "--start-method") == 0;
    if (!workers && !method && strcmp(name, "--output") != 0) {
        fprintf(stderr, "count: there is no option %s\n", name);
        return false;
    }
    if (value == NULL) {
        fprintf(stderr, "count: %s takes a value\n", name);
        return false;
    }
    if (workers)
        return parse_workers(&options->workers, value);
    if (method)
        return parse_method(&options->method, value);
    options->output = value;
    return true;
}

static bool parse_endings(struct count_options *options, char **arguments)
{
    options->endings = usual_endings;
    options->ending_count = sizeof usual_endings / sizeof *usual_endings;
    if (*arguments == NULL)
        return true;
    options->endings = (const char *const *)arguments;
    for (options->ending_count = 0; arguments[options->ending_count] != NULL;
         options->ending_count++) {
        const char *ending = arguments[options->ending_count];
        if (ending[0] != '.' || ending[1] == '\0') {
            fprintf(stderr, "count: an ending begins with a dot, unlike '%s'\n", ending);
            return false;
        }
    }
    return true;
}

bool count_options_parse(struct count_options *options, char **arguments)
{
    *options = (struct count_options){0};
    char **next = arguments + (*arguments != NULL);
    for (; *next != NULL && strncmp(*next, "--", 2) == 0; next += 2) {
        if (strcmp(*next, "--help") == 0)
            return true;
        if (strcmp(*next, "--") == 0) {
            next++;
            break;
        }
        if (!parse_option(options, next[0], next[1]))
            return false;
    }
    if (*next == NULL) {
        fputs("count: which folder?\n", stderr);
        return false;
    }
    options->folder = *next;
    return parse_endings(options, next + 1);
}
