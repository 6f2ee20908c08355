/* The command line of count. */
#ifndef COUNT_OPTIONS_H
#define COUNT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <mproc/process.h>

struct count_options {
    int workers;               /* 0: as many as there are processors */
    mproc_start_method method; /* MPROC_START_DEFAULT: the system's */
    const char *output;        /* NULL: standard output */
    const char *folder;        /* NULL: help was asked for */
    const char *const *endings;
    size_t ending_count;
};

void count_usage(FILE *stream);

/* false: said on standard error what is wrong. The options point into `arguments`. */
bool count_options_parse(struct count_options *options, char **arguments);

#endif
