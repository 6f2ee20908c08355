#include "operation.h"

extern const operation heap_operations[];

static const operation *const lists[] = {
    heap_operations,
};

const operation *operation_at(uint32_t index)
{
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const operation *op = lists[i]; op->name; op++) {
            if (index-- == 0)
                return op;
        }
    }
    return NULL;
}
