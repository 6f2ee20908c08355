#include "walk.h"
#include "folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct list {
    char **items;
    size_t count;
    size_t capacity;
};

/* Takes `item`, which may be NULL. */
static bool list_add(struct list *list, char *item)
{
    if (item == NULL)
        return false;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        char **items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL) {
            free(item);
            return false;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
    return true;
}

static void list_free(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
}

static char *joined(const char *folder, const char *name)
{
    size_t length = strlen(folder), name_size = strlen(name) + 1;
    char *path = malloc(length + 1 + name_size);
    if (path == NULL)
        return NULL;
    memcpy(path, folder, length);
    if (length > 0 && path[length - 1] != '/')
        path[length++] = '/';
    memcpy(path + length, name, name_size);
    return path;
}

static bool is_wanted(const struct walk *walk, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < walk->ending_count; i++) {
        size_t ending = strlen(walk->endings[i]);
        if (ending <= length && strcmp(name + length - ending, walk->endings[i]) == 0)
            return true;
    }
    return false;
}

static bool read_folder(const struct walk *walk, const char *path, struct list *files,
                        struct list *folders)
{
    bool complete = true;
    struct folder *folder = folder_open(path);
    if (folder != NULL) {
        const char *name;
        enum folder_kind kind;
        while (complete && (name = folder_next(folder, &kind)) != NULL) {
            if (kind == FOLDER_FOLDER)
                complete = list_add(folders, joined(path, name));
            else if (kind == FOLDER_FILE && is_wanted(walk, name))
                complete = list_add(files, joined(path, name));
        }
    }
    if (complete && errno != 0)
        walk->unreadable(walk->context, path, strerror(errno));
    folder_close(folder);
    return complete;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool walk(const struct walk *walk, const char *folder, struct walk_files *files)
{
    struct list found = {0}, folders = {0};
    char *first = malloc(strlen(folder) + 1);
    bool complete = first != NULL && list_add(&folders, strcpy(first, folder));
    while (complete && folders.count > 0) {
        char *next = folders.items[--folders.count];
        complete = read_folder(walk, next, &found, &folders);
        free(next);
    }
    list_free(&folders);
    if (!complete) {
        list_free(&found);
        found = (struct list){0};
    }
    if (found.count > 0)
        qsort(found.items, found.count, sizeof *found.items, by_bytes);
    *files = (struct walk_files){.paths = found.items, .count = found.count};
    return complete;
}

void walk_files_free(struct walk_files *files)
{
    list_free(&(struct list){.items = files->paths, .count = files->count});
    *files = (struct walk_files){0};
}
