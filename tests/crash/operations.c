#include "operation.h"

extern const operation heap_operations[], memory_operations[], lock_operations[],
    rlock_operations[], semaphore_operations[], event_operations[], barrier_operations[],
    condition_operations[], value_operations[], array_operations[], string_operations[],
    process_operations[], queue_operations[], pool_operations[];

static const struct {
    const char *noun;
    const operation *operations;
    int kind;
} lists[] = {
    {"heap", heap_operations, 0},
    {"memory", memory_operations, 0},
    {"lock", lock_operations, KIND_LOCK},
    {"rlock", lock_operations, KIND_RLOCK},
    {"rlock", rlock_operations, KIND_RLOCK},
    {"semaphore", semaphore_operations, 0},
    {"event", event_operations, 0},
    {"condition", condition_operations, 0},
    {"value", value_operations, 0},
    {"array", array_operations, 0},
    {"string", string_operations, 0},
    {"barrier", barrier_operations, 0},
    {"process", process_operations, 0},
    {"queue", queue_operations, 0},
    {"pool", pool_operations, KIND_WORKER},
};

const operation *operation_at(uint32_t index, const char **noun, int *kind)
{
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        *noun = lists[i].noun;
        *kind = lists[i].kind;
        for (const operation *op = lists[i].operations; op->name; op++) {
            if (index-- == 0)
                return op;
        }
    }
    return NULL;
}
