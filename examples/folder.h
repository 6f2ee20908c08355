/* Reads one folder. */
#ifndef FOLDER_H
#define FOLDER_H

enum folder_kind {
    FOLDER_FILE,   /* or a link to one, or a link that leads nowhere: opening it will say why */
    FOLDER_FOLDER, /* and no link to one, so that following them comes to an end */
    FOLDER_OTHER
};

struct folder;

/* NULL with errno. */
struct folder *folder_open(const char *path);

/* The next name, without "." and "..", valid until the next call. NULL: no more, errno is 0; or a
 * failure, errno tells which. */
const char *folder_next(struct folder *folder, enum folder_kind *kind);

void folder_close(struct folder *folder);

#endif
