/* What a start hands on to the child of what this process holds. */
#ifndef MPROC_PROCESS_HANDOVER_H
#define MPROC_PROCESS_HANDOVER_H

#include <mproc/connection.h>

#include "../family/holding.h"

typedef struct handover {
    holding **held;
    os_handle *handles; /* the same, for the seam */
    size_t count;
} handover;

/* MPROC_ENOTHELD: one of them is not held here. */
mproc_err handover_check(const mproc_connection *connections, size_t count);
/* Until the end none of them is closed. Fails as the check does; or MPROC_ENOMEM. */
mproc_err handover_begin(handover *it, const uint64_t *ids, size_t count);
void handover_end(handover *it); /* also of one whose begin has failed */

#endif
