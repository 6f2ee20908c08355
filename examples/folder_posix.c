#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct folder {
    DIR *stream;
};

struct folder *folder_open(const char *path)
{
    struct folder *folder = malloc(sizeof *folder);
    if (folder == NULL)
        return NULL;
    folder->stream = opendir(path);
    if (folder->stream == NULL) {
        int error = errno;
        free(folder);
        errno = error;
        return NULL;
    }
    return folder;
}

static enum folder_kind kind_of(DIR *stream, const char *name)
{
    struct stat itself, target;
    if (fstatat(dirfd(stream), name, &itself, AT_SYMLINK_NOFOLLOW) != 0)
        return FOLDER_FILE;
    if (S_ISDIR(itself.st_mode))
        return FOLDER_FOLDER;
    if (!S_ISLNK(itself.st_mode))
        return S_ISREG(itself.st_mode) ? FOLDER_FILE : FOLDER_OTHER;
    if (fstatat(dirfd(stream), name, &target, 0) != 0)
        return FOLDER_FILE;
    return S_ISREG(target.st_mode) ? FOLDER_FILE : FOLDER_OTHER;
}

const char *folder_next(struct folder *folder, enum folder_kind *kind)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder->stream);
        if (entry == NULL)
            return NULL;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        *kind = kind_of(folder->stream, entry->d_name);
        return entry->d_name;
    }
}

void folder_close(struct folder *folder)
{
    if (folder == NULL)
        return;
    closedir(folder->stream);
    free(folder);
}
