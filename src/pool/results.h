/* From outcomes and records to what the caller of map gets. */
#ifndef MPROC_POOL_RESULTS_H
#define MPROC_POOL_RESULTS_H

#include "pool.h"

/* When every item has its outcome: writes results and failures where the caller wants them. The
 * error of the failed item with the lowest index, or MPROC_ENOMEM. `kept` may be NULL, also what
 * it points to may be written. */
mproc_err results_deliver(mproc_pool *pool, const pool_job *job, const mproc_map_options *options,
                          void *fixed, mproc_results **kept);
mproc_err results_empty(mproc_results **kept);

#endif
