#include "pace.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t state; /* 0: nothing has been drawn yet */
static unsigned seed;

bool pace_is_soak(void)
{
    const char *text = getenv("MPROC_SOAK");
    return text && *text && *text != '0';
}

int64_t pace_budget(int usual)
{
    const char *text = getenv("MPROC_TEST_BUDGET");
    const int told = text ? atoi(text) : 0;
    return pace_is_soak() ? INT64_MAX / 2 : (told > 0 ? told : usual) * INT64_C(1000);
}

static void begin(void)
{
    const char *text = getenv("MPROC_TEST_SEED");
    seed = text ? (unsigned)strtoul(text, NULL, 10)
                : ((unsigned)time(NULL) * 1000003u ^ (unsigned)clock() ^
                   (unsigned)(uintptr_t)&text >> 4) %
                      1000000;
    state = seed + UINT64_C(0x9E3779B97F4A7C15);
}

unsigned pace_seed(void)
{
    if (!state)
        begin();
    return seed;
}

/* A linear congruential generator, of which the upper half is used. */
size_t pace_draw(size_t limit)
{
    if (!state)
        begin();
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(state >> 33) % limit;
}

/* 1 where nobody has measured: a program that is run by hand. */
static int read_factor(void)
{
    const char *path = getenv("MPROC_TEST_MACHINE");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[200];
    int factor = 1;
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "limits x %d", &factor);
    if (file)
        fclose(file);
    return factor < 1 ? 1 : factor;
}

int pace_limit(int usual)
{
    static _Atomic int factor;
    if (!factor)
        factor = read_factor();
    return usual * factor;
}
