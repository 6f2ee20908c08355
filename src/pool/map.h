/* One map, from its call to its results. */
#ifndef MPROC_POOL_MAP_H
#define MPROC_POOL_MAP_H

#include "lane.h"

typedef struct map_call {
    mproc_pool *pool;
    mproc_function function;
    const void *items; /* `count` items of `item_size`, or mproc_bytes when item_size is 0 */
    size_t item_size, count;
    void *results; /* of `result_size` each */
    size_t result_size;
    mproc_results **kept; /* receives replies of any size; NULL: none are wanted */
    bool wants_results;
    mproc_map_options options;
    pool_work *work;
    uint64_t progress; /* as it was reported last */
    /* Of one that nobody waits in. */
    mproc_result *result;
    bool canceled;
    struct map_call *next;
} map_call;

typedef enum map_state { MAP_RUNS, MAP_DONE, MAP_STOPPED } map_state;

/* Under the lock: how far it is; hands out again what was lost with a worker. */
map_state map_look(map_call *call);
void map_report_progress(map_call *call);
/* Delivers what there is and frees its work; the map's error. *first: of the failed item with the
 * lowest index, if there is any. */
mproc_err map_end(map_call *call, map_state state, mproc_task_error *first);

/* Under the lock. MPROC_ESTATE: it has been. */
mproc_err map_cancel(map_call *call);
/* The item that a worker is at has lasted too long. */
void map_time_out(pool_work *work, uint64_t item, long long pid);
/* Of a worker that has died: what it was at. True: there was something. */
bool map_bury(mproc_pool *pool, pool_work *work, pool_worker *worker, const pool_crash *crash);

/* And what it had taken and not begun, or is to do again. */
void map_give_back(const pool_work *work, pool_worker *worker);

/* ---- its job (layout.c) ---- */

/* MPROC_EINVAL, MPROC_ERANGE: what makes no sense of the call's items and results. */
mproc_err layout_job(map_call *call);

#endif
