#include "win32.h"

#include <psapi.h>
#include <stdlib.h>
#include <string.h>

static const IMAGE_NT_HEADERS64 *headers_of(HMODULE module)
{
    const unsigned char *base = (const unsigned char *)module;
    const IMAGE_DOS_HEADER *dos = (const void *)base;
    if (dos->e_magic != IMAGE_DOS_SIGNATURE)
        return NULL;
    const IMAGE_NT_HEADERS64 *headers = (const void *)(base + dos->e_lfanew);
    bool known = headers->Signature == IMAGE_NT_SIGNATURE &&
                 headers->OptionalHeader.Magic == IMAGE_NT_OPTIONAL_HDR64_MAGIC;
    return known ? headers : NULL;
}

static const IMAGE_SECTION_HEADER *sections_of(const IMAGE_NT_HEADERS64 *headers)
{
    return (const void *)((const unsigned char *)&headers->OptionalHeader +
                          headers->FileHeader.SizeOfOptionalHeader);
}

static bool is_executable(const IMAGE_NT_HEADERS64 *headers, uint64_t offset)
{
    const IMAGE_SECTION_HEADER *section = sections_of(headers);
    for (size_t i = 0; i < headers->FileHeader.NumberOfSections; i++, section++) {
        if (section->Characteristics & IMAGE_SCN_MEM_EXECUTE && offset >= section->VirtualAddress &&
            offset - section->VirtualAddress < section->Misc.VirtualSize)
            return true;
    }
    return false;
}

static uint64_t hash(uint64_t seed, const void *bytes, size_t size)
{
    const unsigned char *next = bytes;
    for (size_t i = 0; i < size; i++)
        seed = (seed ^ next[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return seed;
}

/* The linker's own identity of this build, where it wrote one: "RSDS", a GUID, an age. */
static uint64_t hash_build_id(uint64_t seed, const unsigned char *base,
                              const IMAGE_OPTIONAL_HEADER64 *header)
{
    if (header->NumberOfRvaAndSizes <= IMAGE_DIRECTORY_ENTRY_DEBUG)
        return seed;
    IMAGE_DATA_DIRECTORY place = header->DataDirectory[IMAGE_DIRECTORY_ENTRY_DEBUG];
    if (place.VirtualAddress > header->SizeOfImage ||
        place.Size > header->SizeOfImage - place.VirtualAddress)
        return seed;
    const IMAGE_DEBUG_DIRECTORY *entry = (const void *)(base + place.VirtualAddress);
    for (size_t i = 0; i < place.Size / sizeof *entry; i++, entry++) {
        const DWORD size = 24;
        if (entry->Type == IMAGE_DEBUG_TYPE_CODEVIEW && entry->SizeOfData >= size &&
            entry->AddressOfRawData && entry->AddressOfRawData <= header->SizeOfImage - size)
            seed = hash(seed, base + entry->AddressOfRawData, size);
    }
    return seed;
}

/* All headers, for a reproducible build has no time stamp. Not the code: a debugger's breakpoints
 * and relocations change it. The loader itself changes the image base. */
static uint64_t identity_of(HMODULE module, const IMAGE_NT_HEADERS64 *headers)
{
    IMAGE_NT_HEADERS64 copy = *headers;
    copy.OptionalHeader.ImageBase = 0;
    uint64_t identity = hash(UINT64_C(0xcbf29ce484222325), &copy, sizeof copy);
    identity = hash(identity, sections_of(headers),
                    headers->FileHeader.NumberOfSections * sizeof(IMAGE_SECTION_HEADER));
    return hash_build_id(identity, (const unsigned char *)module, &headers->OptionalHeader);
}

mproc_err os_code_from(os_function function, os_code *code)
{
    HMODULE module;
    uintptr_t address = (uintptr_t)function;
    /* Referenced meanwhile, or another thread could unload it. */
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (LPCWSTR)address, &module))
        return MPROC_EIMAGE;
    const IMAGE_NT_HEADERS64 *headers = headers_of(module);
    uint64_t offset = address - (uintptr_t)module;
    bool found = headers && is_executable(headers, offset);
    if (found)
        *code = (os_code){.identity = identity_of(module, headers), .offset = offset};
    FreeLibrary(module);
    return found ? MPROC_OK : MPROC_EIMAGE;
}

static bool find_in(HMODULE module, const os_code *code, os_function *function)
{
    HMODULE held;
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (LPCWSTR)(void *)module, &held))
        return false;
    const IMAGE_NT_HEADERS64 *headers = headers_of(held);
    bool found = headers && identity_of(held, headers) == code->identity &&
                 is_executable(headers, code->offset);
    if (found)
        *function = (os_function)((uintptr_t)held + (uintptr_t)code->offset);
    FreeLibrary(held);
    return found;
}

/* All loaded modules; *count of them. NULL: no memory, or the loader is too busy. */
static HMODULE *list_modules(size_t *count)
{
    HMODULE *list = NULL;
    DWORD size = 64 * sizeof(HMODULE);
    for (int attempt = 0; attempt < 16; attempt++) {
        HMODULE *larger = realloc(list, size);
        if (!larger)
            break;
        list = larger;
        DWORD needed = 0;
        if (!K32EnumProcessModules(GetCurrentProcess(), list, size, &needed))
            continue; /* the loader's list changed under its reader */
        if (needed <= size) {
            *count = needed / sizeof(HMODULE);
            return list;
        }
        size = needed + 16 * sizeof(HMODULE);
    }
    free(list);
    return NULL;
}

mproc_err os_code_find(const os_code *code, os_function *function)
{
    const os_code wanted = *code;
    if (find_in(GetModuleHandleW(NULL), &wanted, function))
        return MPROC_OK;
    size_t count;
    HMODULE *list = list_modules(&count);
    if (!list)
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    bool found = false;
    for (size_t i = 0; !found && i < count; i++)
        found = find_in(list[i], &wanted, function);
    free(list);
    return found ? MPROC_OK : MPROC_EIMAGE;
}
