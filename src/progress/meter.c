#include "progress/meter.h"

#define FADE_LEAST 5.0 /* seconds */
#define FADE_ITEMS 5.0

static double between(int64_t from, int64_t to)
{
    return to > from ? (double)(to - from) / 1e9 : 0;
}

static double larger(double one, double other)
{
    return one > other ? one : other;
}

void progress_meter_start(progress_meter *meter, int64_t now)
{
    *meter = (progress_meter){.start = now, .arrival = now};
}

/* How many seconds it takes until what was measured counts half. A tenth of the time so far lets
 * the rate of a long run change as slowly as anybody looks at it; some items' time keeps that of
 * slow ones from jumping with each. */
static double fade(const progress_meter *meter, int64_t now)
{
    double elapsed = between(meter->start, now);
    double least = larger(FADE_LEAST, elapsed / 10);
    return meter->counted > 0 ? larger(least, FADE_ITEMS * elapsed / meter->counted) : least;
}

void progress_meter_observe(progress_meter *meter, int64_t now, size_t done)
{
    if (done > meter->done) {
        double more = (double)(done - meter->done), waited = between(meter->arrival, now);
        meter->counted += more;
        double half = fade(meter, now), kept = half / (half + waited);
        meter->items = meter->items * kept + more;
        meter->seconds = meter->seconds * kept + waited;
        meter->arrival = now;
    }
    meter->done = done;
}

/* Until the next item is due, the rate stands; then it falls with the time that it is late. */
double progress_meter_rate(const progress_meter *meter, int64_t now)
{
    if (!(meter->seconds > 0) || !(meter->items > 0))
        return -1;
    double due = meter->seconds / meter->items;
    double late = between(meter->arrival, now) - due;
    if (late <= 0)
        return 1 / due;
    double half = fade(meter, now), kept = half / (half + late);
    return meter->items * kept / (meter->seconds * kept + late);
}

double progress_meter_left(const progress_meter *meter, int64_t now, size_t remaining)
{
    double rate = progress_meter_rate(meter, now);
    if (remaining == 0)
        return 0;
    if (!(rate > 0))
        return -1;
    double waited = between(meter->arrival, now), due = 1 / rate;
    return (double)remaining * due - (waited < due ? waited : due);
}

double progress_meter_elapsed(const progress_meter *meter, int64_t now)
{
    return between(meter->start, now);
}

double progress_meter_average(const progress_meter *meter, int64_t now)
{
    double elapsed = between(meter->start, now);
    return elapsed > 0 ? meter->counted / elapsed : -1;
}
