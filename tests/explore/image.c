#include "image.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

extern char explore_private_begin[], explore_private_end[]; /* private.ld */

enum { PAGE = 4096, PAGES_MOST = 64 };

typedef struct part {
    char *at;
    size_t size;
    unsigned char *first[IMAGES], *now[IMAGES];
    int in_place;
    size_t swapped[PAGES_MOST]; /* offsets of the pages that are */
    int swapped_count;
} part;

static part statics, locals;

/* The first object is the program itself. */
static int find_locals(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_TLS && info->dlpi_tls_data) {
            locals.at = info->dlpi_tls_data;
            locals.size = info->dlpi_phdr[i].p_memsz;
        }
    }
    return 1;
}

static void open_part(part *p)
{
    for (int i = 0; i < IMAGES; i++) {
        p->first[i] = malloc(p->size + 1);
        p->now[i] = malloc(p->size + 1);
        if (!p->first[i] || !p->now[i])
            abort();
    }
}

void images_open(void)
{
    statics.at = explore_private_begin;
    statics.size = (size_t)(explore_private_end - explore_private_begin);
    dl_iterate_phdr(find_locals, NULL);
    open_part(&statics);
    open_part(&locals);
}

void image_define(int i)
{
    memcpy(statics.first[i], statics.at, statics.size);
    memcpy(locals.first[i], locals.at, locals.size);
}

/* ---- what is swapped ---- */

static void swap_page(part *p, size_t offset)
{
    if (p->swapped_count == PAGES_MOST)
        abort();
    p->swapped[p->swapped_count++] = offset;
}

static size_t page_size(const part *p, size_t offset)
{
    return p->size - offset < PAGE ? p->size - offset : PAGE;
}

static bool differs(const part *p, size_t offset)
{
    for (int i = 1; i < IMAGES; i++) {
        if (memcmp(p->first[0] + offset, p->first[i] + offset, page_size(p, offset)))
            return true;
    }
    return false;
}

void images_protect(void)
{
    for (size_t at = 0; at < locals.size; at += PAGE)
        swap_page(&locals, at);
    for (size_t at = 0; at < statics.size; at += PAGE) {
        if (differs(&statics, at))
            swap_page(&statics, at);
        else if (mprotect(statics.at + at, PAGE, PROT_READ))
            abort();
    }
}

/* Nobody has written there yet: it is as it was defined, in all images. */
bool image_catch(void *address)
{
    const size_t offset = (size_t)((char *)address - statics.at) / PAGE * PAGE;
    if (!statics.at || (char *)address < statics.at || offset >= statics.size)
        return false;
    for (int i = 0; i < statics.swapped_count; i++) {
        if (statics.swapped[i] == offset)
            return false;
    }
    for (int i = 0; i < IMAGES; i++)
        memcpy(statics.now[i] + offset, statics.first[i] + offset, PAGE);
    swap_page(&statics, offset);
    return !mprotect(statics.at + offset, PAGE, PROT_READ | PROT_WRITE);
}

/* ---- swapping ---- */

static void copy(const part *p, void *to, const void *from)
{
    for (int i = 0; i < p->swapped_count; i++) {
        const size_t at = p->swapped[i];
        memcpy((char *)to + at, (const char *)from + at, page_size(p, at));
    }
}

static void reset(part *p, int home)
{
    for (int i = 0; i < IMAGES; i++)
        copy(p, p->now[i], p->first[i]);
    copy(p, p->at, p->first[home]);
    p->in_place = home;
}

void images_reset(void)
{
    reset(&statics, IMAGES - 1);
    reset(&locals, IMAGES - 1);
}

static void enter(part *p, int i)
{
    if (p->in_place == i)
        return;
    copy(p, p->now[p->in_place], p->at);
    copy(p, p->at, p->now[i]);
    p->in_place = i;
}

void image_enter(int process, int thread)
{
    enter(&statics, process);
    enter(&locals, thread);
}

size_t image_size(void)
{
    return statics.size + locals.size;
}

void image_static(char **begin, size_t *size)
{
    *begin = statics.at;
    *size = statics.size;
}
