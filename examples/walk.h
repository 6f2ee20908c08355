/* Finds files below a folder by the endings of their names. */
#ifndef WALK_H
#define WALK_H

#include <stdbool.h>
#include <stddef.h>

struct walk {
    const char *const *endings;
    size_t ending_count;
    /* Called for each such folder. */
    void (*unreadable)(void *context, const char *path, const char *reason);
    void *context;
};

struct walk_files {
    /* The folder as it was given, a slash, the way from there; sorted by their bytes. */
    char **paths;
    size_t count;
};

/* Follows links to files, not to folders. false: no memory; `files` is empty then. */
bool walk(const struct walk *walk, const char *folder, struct walk_files *files);

void walk_files_free(struct walk_files *files);

#endif
