/* From outcomes and records to what the caller of map gets. */
#ifndef MPROC_POOL_RESULTS_H
#define MPROC_POOL_RESULTS_H

#include "map.h"

/* When every item has its outcome: writes results and failures where the caller wants them. The
 * error of the failed item with the lowest index, which *first receives, or MPROC_ENOMEM. */
mproc_err results_deliver(const map_call *call, mproc_task_error *first);
mproc_err results_empty(mproc_results **kept);

/* In words. */
void results_describe_end(char *text, size_t size, const pool_crash *crash);
void results_describe_time_out(char *text, size_t size, int timeout_ms);

#endif
