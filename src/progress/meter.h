/* How fast it goes, from what a bar is shown and when. */
#ifndef MPROC_PROGRESS_METER_H
#define MPROC_PROGRESS_METER_H

#include <stddef.h>
#include <stdint.h>

#include "names.h"

/* Times are os_now's. */
typedef struct progress_meter {
    int64_t start;
    int64_t arrival; /* when the last items were done */
    size_t done;     /* as shown last */
    double counted;  /* items since the start */
    double items;    /* the recent ones, and how long they took: both fade */
    double seconds;
} progress_meter;

void progress_meter_start(progress_meter *meter, int64_t now);
void progress_meter_observe(progress_meter *meter, int64_t now, size_t done);
/* The recent rate per second; negative: not known yet. */
double progress_meter_rate(const progress_meter *meter, int64_t now);
/* Seconds until so many more are done; negative: not known. */
double progress_meter_left(const progress_meter *meter, int64_t now, size_t remaining);
double progress_meter_elapsed(const progress_meter *meter, int64_t now);
/* The rate of the whole time; negative: there is none. */
double progress_meter_average(const progress_meter *meter, int64_t now);

#endif
