#include "image.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

extern char explore_private_begin[], explore_private_end[]; /* private.ld */

typedef struct part {
    char *at;
    size_t size;
    unsigned char *first[IMAGES], *now[IMAGES];
    int in_place;
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

static void reset(part *p, int home)
{
    for (int i = 0; i < IMAGES; i++)
        memcpy(p->now[i], p->first[i], p->size);
    memcpy(p->at, p->first[home], p->size);
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
    memcpy(p->now[p->in_place], p->at, p->size);
    memcpy(p->at, p->now[i], p->size);
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
