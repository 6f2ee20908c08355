#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

bool raw_write(intptr_t handle, const void *bytes, size_t size)
{
    return write((int)handle, bytes, size) == (ssize_t)size;
}

bool raw_read(intptr_t handle, void *bytes, size_t size)
{
    size_t have = 0;
    while (have < size) {
        ssize_t got = read((int)handle, (char *)bytes + have, size - have);
        if (got <= 0 && errno != EINTR)
            return false;
        have += got > 0 ? (size_t)got : 0;
    }
    return true;
}

bool raw_pair(intptr_t handles[2], bool socket, bool blocking)
{
    int made[2];
    if (socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, made) : pipe(made))
        return false;
    for (int i = 0; i < 2; i++) {
        if (!blocking)
            fcntl(made[i], F_SETFL, fcntl(made[i], F_GETFL) | O_NONBLOCK);
        handles[i] = made[i];
    }
    return true;
}
