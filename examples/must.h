/* What a short program does about errors: say it and end. */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

#include <mproc/error.h>

static inline void must(mproc_err err)
{
    if (err == MPROC_OK)
        return;
    fprintf(stderr, "failed: %s\n", mproc_strerror(err));
    exit(EXIT_FAILURE);
}

#endif
