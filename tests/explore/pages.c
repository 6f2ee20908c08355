#include "pages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, CHANGED_MOST = 4096 };

static unsigned char *arena, *copies; /* the copies lie as the pages do */
static size_t arena_bytes;
static size_t changed[CHANGED_MOST]; /* offsets of pages */
static size_t changed_count;

void pages_open(unsigned char *begin, size_t size)
{
    arena = begin;
    arena_bytes = size;
    copies = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
    if (copies == MAP_FAILED || mprotect(arena, size, PROT_READ))
        abort();
}

bool pages_catch(void *address)
{
    const size_t offset = (size_t)((unsigned char *)address - arena) / PAGE * PAGE;
    if (!arena || (unsigned char *)address < arena || offset >= arena_bytes)
        return false;
    for (size_t i = 0; i < changed_count; i++) {
        if (changed[i] == offset)
            return false;
    }
    if (changed_count == CHANGED_MOST)
        return false;
    memcpy(copies + offset, arena + offset, PAGE);
    changed[changed_count++] = offset;
    return !mprotect(arena + offset, PAGE, PROT_READ | PROT_WRITE);
}

void pages_restore(void)
{
    for (size_t i = 0; i < changed_count; i++)
        memcpy(arena + changed[i], copies + changed[i], PAGE);
}
