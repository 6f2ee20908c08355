#include "posix.h"

#include <string.h>

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, size - i < sizeof word ? size - i : sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

static const uint64_t hash_seed = UINT64_C(0xcbf29ce484222325);

#if defined(__APPLE__)

#include <mach-o/dyld.h>
#include <mach-o/loader.h>

typedef struct module {
    uintptr_t base; /* the slide: what an address in the file is moved by */
    uint64_t identity;
    uintptr_t code, code_end;
} module;

static bool read_module(uint32_t index, module *read)
{
    const struct mach_header_64 *header = (const void *)_dyld_get_image_header(index);
    if (!header)
        return false;
    *read = (module){.base = (uintptr_t)_dyld_get_image_vmaddr_slide(index)};
    const struct load_command *command = (const void *)(header + 1);
    for (uint32_t i = 0; i < header->ncmds; i++) {
        if (command->cmd == LC_UUID) {
            const struct uuid_command *id = (const void *)command;
            read->identity = mix(hash_seed, id->uuid, sizeof id->uuid);
        } else if (command->cmd == LC_SEGMENT_64) {
            const struct segment_command_64 *segment = (const void *)command;
            if (segment->initprot & VM_PROT_EXECUTE) {
                read->code = read->base + segment->vmaddr;
                read->code_end = read->code + segment->vmsize;
            }
        }
        command = (const void *)((const char *)command + command->cmdsize);
    }
    return read->identity != 0;
}

mproc_err os_code_from(os_function function, os_code *code)
{
    uintptr_t address = (uintptr_t)function;
    for (uint32_t i = 0; i < _dyld_image_count(); i++) {
        module in;
        if (read_module(i, &in) && address >= in.code && address < in.code_end) {
            *code = (os_code){.identity = in.identity, .offset = address - in.base};
            return MPROC_OK;
        }
    }
    return MPROC_EIMAGE;
}

mproc_err os_code_find(const os_code *code, os_function *function)
{
    for (uint32_t i = 0; i < _dyld_image_count(); i++) {
        module in;
        if (!read_module(i, &in) || in.identity != code->identity)
            continue;
        uintptr_t address = in.base + (uintptr_t)code->offset;
        if (address >= in.code && address < in.code_end) {
            *function = (os_function)address;
            return MPROC_OK;
        }
    }
    return MPROC_EIMAGE;
}

#else

#include <link.h>

static bool in_code(const struct dl_phdr_info *info, uintptr_t address)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t begin = (uintptr_t)info->dlpi_addr + (uintptr_t)part->p_vaddr;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) && address >= begin &&
            address - begin < part->p_memsz)
            return true;
    }
    return false;
}

/* The hash of the build id in one PT_NOTE; 0: there is none. */
static uint64_t hash_build_id(const unsigned char *notes, size_t size, size_t alignment)
{
    alignment = alignment == 8 ? 8 : 4;
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, notes, sizeof note);
        size_t name_end = sizeof note + note.n_namesz;
        size_t content = (name_end + alignment - 1) / alignment * alignment;
        size_t end = content + note.n_descsz;
        if (content < name_end || end < content || end > size)
            return 0;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            !memcmp(notes + sizeof note, "GNU", 4))
            return mix(hash_seed, notes + content, note.n_descsz);
        size_t next = (end + alignment - 1) / alignment * alignment;
        next = next < size ? next : size;
        notes += next;
        size -= next;
    }
    return 0;
}

static uint64_t hash_code(const struct dl_phdr_info *info)
{
    uint64_t hash = mix(hash_seed, info->dlpi_phdr, info->dlpi_phnum * sizeof *info->dlpi_phdr);
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & (PF_X | PF_R)) == (PF_X | PF_R))
            hash = mix(hash, (const void *)((uintptr_t)info->dlpi_addr + (uintptr_t)part->p_vaddr),
                       part->p_filesz);
    }
    return hash;
}

/* Hashing code takes a while, so it is done once for each module. The table needs no lock: an entry
 * is claimed, filled and published; one that a fork caught in between stays unused. A module that
 * is unloaded may leave its place to another: `unloads` tells those apart. */
typedef struct known {
    _Atomic uint32_t state; /* 0: free, 1: being filled, 2: valid */
    uintptr_t headers;
    unsigned long long unloads;
    uint64_t identity;
} known;

static known table[32];

static uint64_t cached_hash(const struct dl_phdr_info *info, size_t info_size)
{
    unsigned long long unloads = 0;
    if (info_size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs)
        unloads = info->dlpi_subs;
    uintptr_t headers = (uintptr_t)info->dlpi_phdr;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (atomic_load_explicit(&table[i].state, memory_order_acquire) == 2 &&
            table[i].headers == headers && table[i].unloads == unloads)
            return table[i].identity;
    }
    uint64_t identity = hash_code(info);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint32_t unused = 0;
        if (atomic_compare_exchange_strong(&table[i].state, &unused, 1)) {
            table[i].headers = headers;
            table[i].unloads = unloads;
            table[i].identity = identity;
            atomic_store_explicit(&table[i].state, 2, memory_order_release);
            break;
        }
    }
    return identity;
}

static uint64_t identity_of(const struct dl_phdr_info *info, size_t info_size)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_NOTE)
            continue;
        uint64_t identity =
            hash_build_id((const void *)((uintptr_t)info->dlpi_addr + (uintptr_t)part->p_vaddr),
                          part->p_memsz, part->p_align);
        if (identity)
            return identity;
    }
    return cached_hash(info, info_size);
}

typedef struct search {
    os_code code;
    uintptr_t address;
} search;

static int match_address(struct dl_phdr_info *info, size_t size, void *data)
{
    search *wanted = data;
    if (!in_code(info, wanted->address))
        return 0;
    wanted->code.identity = identity_of(info, size);
    wanted->code.offset = wanted->address - (uintptr_t)info->dlpi_addr;
    return 1;
}

static int match_code(struct dl_phdr_info *info, size_t size, void *data)
{
    search *wanted = data;
    uintptr_t address = (uintptr_t)info->dlpi_addr + (uintptr_t)wanted->code.offset;
    if (!in_code(info, address) || identity_of(info, size) != wanted->code.identity)
        return 0;
    wanted->address = address;
    return 1;
}

/* The program itself is looked up once. A fork may copy the linker's lock as another thread holds it,
 * and then the child must not ask for it: it hardly ever has to, for most functions lie in there, and
 * before it was forked its parent has looked. It is never unloaded. */
static struct {
    _Atomic uint32_t state; /* 0: not looked up, 1: being filled, 2: valid */
    struct dl_phdr_info info;
    uint64_t identity;
} program;

static int read_program(struct dl_phdr_info *info, size_t size, void *data)
{
    uint32_t unread = 0;
    (void)data;
    if (atomic_compare_exchange_strong(&program.state, &unread, 1)) {
        program.info.dlpi_addr = info->dlpi_addr;
        program.info.dlpi_phdr = info->dlpi_phdr;
        program.info.dlpi_phnum = info->dlpi_phnum;
        program.identity = identity_of(info, size);
        atomic_store_explicit(&program.state, 2, memory_order_release);
    }
    return 1; /* it comes first */
}

static bool knows_program(void)
{
    if (!atomic_load_explicit(&program.state, memory_order_acquire))
        dl_iterate_phdr(read_program, NULL);
    return atomic_load_explicit(&program.state, memory_order_acquire) == 2;
}

mproc_err os_code_from(os_function function, os_code *code)
{
    search wanted = {.address = (uintptr_t)function};
    if (knows_program() && in_code(&program.info, wanted.address)) {
        *code = (os_code){.identity = program.identity,
                          .offset = wanted.address - (uintptr_t)program.info.dlpi_addr};
        return MPROC_OK;
    }
    if (!dl_iterate_phdr(match_address, &wanted))
        return MPROC_EIMAGE;
    *code = wanted.code;
    return MPROC_OK;
}

mproc_err os_code_find(const os_code *code, os_function *function)
{
    search wanted = {.code = *code};
    if (knows_program() && program.identity == code->identity) {
        wanted.address = (uintptr_t)program.info.dlpi_addr + (uintptr_t)code->offset;
        if (in_code(&program.info, wanted.address)) {
            *function = (os_function)wanted.address;
            return MPROC_OK;
        }
    }
    if (!dl_iterate_phdr(match_code, &wanted))
        return MPROC_EIMAGE;
    *function = (os_function)wanted.address;
    return MPROC_OK;
}

#endif
