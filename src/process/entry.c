#include "entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../family/heap.h"
#include "../family/log.h"
#include "../family/text.h"

typedef struct start_record {
    os_code target;
    uint64_t args_size;
    int32_t method;
    int32_t log_level;
    bool interruptible;
    process_identity identity;
    _Alignas(HEAP_ALIGNMENT) unsigned char args[];
} start_record;

mproc_err entry_record(const mproc_process *process, slot_id id)
{
    os_code target;
    mproc_err err = os_code_from((os_function)process->target, &target);
    if (err)
        return err;
    if (process->args_size > SIZE_MAX - sizeof(start_record))
        return MPROC_ENOMEM;
    arena_ref ref;
    if ((err = heap_alloc(sizeof(start_record) + process->args_size, family.self, &ref)))
        return err;
    start_record *record = arena_at(ref);
    *record = (start_record){.target = target,
                             .args_size = process->args_size,
                             .method = family.method,
                             .log_level = (int32_t)log_get_level(),
                             .interruptible = family.interruptible,
                             .identity = process_identity_of(process)};
    if (process->args_size)
        memcpy(record->args, process->args, process->args_size);
    atomic_store(&slot_at(id)->record, ref);
    heap_give(ref, family.self, id);
    return MPROC_OK;
}

mproc_err entry_spawn(os_process *child, entry_kind kind, slot_id id, const os_lifeline *line,
                      bool mortal, os_handle channel)
{
    char text[OS_SPAWN_TEXT];
    snprintf(text, sizeof text, "%s.%" PRIx64 ".%" PRIx64,
             kind == ENTRY_SERVER ? "server" : "child", id, arena_extent());
    const os_handle handles[] = {arena_handle(), line->watch, channel};
    return os_spawn(child, text, handles, channel == OS_NO_HANDLE ? 2 : 3, mortal ? line : NULL);
}

/* Without scanf: see text.h. */
bool entry_parse(const os_entry *entry, entry_kind *kind, slot_id *id, uint64_t *arena_bytes)
{
    const char *at = entry->text;
    *kind = strncmp(at, "server.", 7) == 0 ? ENTRY_SERVER : ENTRY_CHILD;
    if (*kind == ENTRY_CHILD && strncmp(at, "child.", 6) != 0)
        return false;
    at += *kind == ENTRY_SERVER ? 7 : 6;
    return text_read_hex(&at, id) && *at++ == '.' && text_read_hex(&at, arena_bytes) &&
           *at == '\0' && entry->handle_count == (*kind == ENTRY_SERVER ? 3u : 2u);
}

mproc_err entry_read(entry_task *task)
{
    slot *mine = slot_at(family.self);
    arena_ref ref = mine ? atomic_load(&mine->record) : 0;
    if (!ref || ref > arena_extent() - sizeof(start_record))
        return MPROC_EINVAL;
    start_record *record = arena_at(ref);
    uint64_t size = record->args_size;
    if (size > arena_extent() - sizeof(start_record) - ref)
        return MPROC_EINVAL;
    os_code target = record->target;
    os_function function;
    family.method = record->method;
    family.interruptible = record->interruptible;
    os_set_interruptible(family.interruptible);
    log_set_level((mproc_log_level)record->log_level);
    process_begin(&record->identity);
    mproc_err err = os_code_find(&target, &function);
    if (err)
        return err;
    task->target = (mproc_target)function;
    task->args = size ? record->args : NULL;
    task->args_size = (size_t)size;
    return MPROC_OK;
}

void entry_free_record(void)
{
    slot *mine = slot_at(family.self);
    arena_ref ref = mine ? atomic_exchange(&mine->record, 0) : 0;
    heap_free(ref, family.self);
}
