#include "handover.h"

#include <stdlib.h>

mproc_err handover_check(const mproc_connection *connections, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        holding *found = holding_enter(connections[i].id);
        if (!found)
            return MPROC_ENOTHELD;
        holding_leave(found);
    }
    return MPROC_OK;
}

mproc_err handover_begin(handover *it, const uint64_t *ids, size_t count)
{
    *it = (handover){.held = NULL};
    if (!count)
        return MPROC_OK;
    it->held = calloc(count, sizeof *it->held);
    it->handles = calloc(count, sizeof *it->handles);
    if (!it->held || !it->handles)
        return MPROC_ENOMEM;
    for (; it->count < count; it->count++) {
        holding *found = holding_enter(ids[it->count]);
        if (!found)
            return MPROC_ENOTHELD;
        it->held[it->count] = found;
        it->handles[it->count] = found->handle;
    }
    return MPROC_OK;
}

void handover_end(handover *it)
{
    for (size_t i = 0; i < it->count; i++)
        holding_leave(it->held[i]);
    free(it->held);
    free(it->handles);
}
