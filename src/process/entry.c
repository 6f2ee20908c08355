#include "entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../family/gate.h"
#include "../family/heap.h"
#include "../family/log.h"
#include "../family/text.h"

/* One of the holdings that come with it. */
typedef struct entry_gift {
    uint64_t id;
    uint32_t flags;
} entry_gift;

typedef struct start_record {
    os_code target;
    uint64_t args_size;
    uint64_t gift_count; /* behind the args */
    int32_t method;
    int32_t log_level;
    bool interruptible, deaf;
    process_identity identity;
    _Alignas(HEAP_ALIGNMENT) unsigned char args[];
} start_record;

/* Where the gifts begin, and with how many the record ends. False: more than `most`. */
static bool lay_out(uint64_t args_size, uint64_t gift_count, uint64_t most, uint64_t *gifts_at,
                    uint64_t *size)
{
    const uint64_t fixed = sizeof(start_record) + sizeof(entry_gift), item = sizeof(entry_gift);
    if (most < fixed || args_size > most - fixed || gift_count > (most - fixed - args_size) / item)
        return false;
    *gifts_at = sizeof(start_record) + (args_size + item - 1) / item * item;
    *size = *gifts_at + gift_count * item;
    return true;
}

static void write_gifts(entry_gift *gifts, const handover *given)
{
    for (size_t i = 0; i < given->count; i++)
        gifts[i] = (entry_gift){.id = given->held[i]->id, .flags = given->held[i]->flags};
}

mproc_err entry_record(const mproc_process *process, const handover *given, slot_id id)
{
    os_code target;
    mproc_err err = os_code_from((os_function)process->target, &target);
    if (err)
        return err;
    uint64_t gifts_at, size;
    arena_ref ref;
    if (!lay_out(process->args_size, given->count, SIZE_MAX, &gifts_at, &size))
        return MPROC_ENOMEM;
    if ((err = heap_alloc((size_t)size, family.self, &ref)))
        return err;
    start_record *record = arena_at(ref);
    *record = (start_record){.target = target,
                             .args_size = process->args_size,
                             .gift_count = given->count,
                             .method = family.method,
                             .log_level = (int32_t)log_get_level(),
                             .interruptible = family.interruptible,
                             .deaf = process->hooks != NULL,
                             .identity = process_identity_of(process)};
    if (process->args_size)
        memcpy(record->args, process->args, process->args_size);
    write_gifts(arena_at(ref + gifts_at), given);
    atomic_store(&slot_at(id)->record, ref);
    heap_give(ref, family.self, id);
    return MPROC_OK;
}

mproc_err entry_spawn(os_process *child, entry_kind kind, slot_id id, const os_lifeline *line,
                      bool mortal, const os_handle *handles, size_t count)
{
    char text[OS_SPAWN_TEXT];
    snprintf(text, sizeof text, "%s.%" PRIx64 ".%" PRIx64,
             kind == ENTRY_SERVER ? "server" : "child", id, arena_extent());
    if (count > SIZE_MAX / sizeof *handles - ENTRY_OTHERS)
        return MPROC_ENOMEM;
    os_handle *all = malloc((ENTRY_OTHERS + count) * sizeof *all);
    if (!all)
        return MPROC_ENOMEM;
    all[ENTRY_ARENA] = arena_handle();
    all[ENTRY_LIFELINE] = line->watch;
    for (size_t i = 0; i < count; i++)
        all[ENTRY_OTHERS + i] = handles[i];
    mproc_err err = os_spawn(child, text, all, ENTRY_OTHERS + count, mortal ? line : NULL);
    free(all);
    return err;
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
           *at == '\0' && entry->handle_count >= ENTRY_OTHERS &&
           (*kind == ENTRY_CHILD || entry->handle_count == ENTRY_OTHERS + 1);
}

mproc_err entry_read(entry_task *task)
{
    slot *mine = slot_at(family.self);
    arena_ref ref = mine ? atomic_load(&mine->record) : 0;
    if (!ref || ref > arena_extent() - sizeof(start_record))
        return MPROC_EINVAL;
    start_record *record = arena_at(ref);
    uint64_t args_size = record->args_size, gift_count = record->gift_count, gifts_at, size;
    if (!lay_out(args_size, gift_count, arena_extent() - ref, &gifts_at, &size))
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
    task->args = args_size ? record->args : NULL;
    task->args_size = (size_t)args_size;
    task->gifts = arena_at(ref + gifts_at);
    task->gift_count = (size_t)gift_count;
    task->deaf = record->deaf;
    return MPROC_OK;
}

mproc_err entry_receive(const entry_task *task, const os_handle *handles, size_t count)
{
    mproc_err err = count == task->gift_count ? MPROC_OK : MPROC_EINVAL;
    gate_enter();
    for (size_t i = 0; !err && i < count; i++)
        err = holding_receive(task->gifts[i].id, handles[i], task->gifts[i].flags);
    gate_leave();
    return err;
}

void entry_free_record(void)
{
    slot *mine = slot_at(family.self);
    arena_ref ref = mine ? atomic_exchange(&mine->record, 0) : 0;
    heap_free(ref, family.self);
}
