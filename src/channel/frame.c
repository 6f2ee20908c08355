#include "frame.h"

static const uint64_t short_most = 0x7fffffff;
static const uint32_t is_long = UINT32_MAX; /* -1 */

static void put(unsigned char *to, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(number >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const unsigned char *from, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | from[i];
    return number;
}

size_t frame_write(unsigned char header[FRAME_LONG], uint64_t size)
{
    if (size <= short_most) {
        put(header, size, FRAME_SHORT);
        return FRAME_SHORT;
    }
    put(header, is_long, FRAME_SHORT);
    put(header + FRAME_SHORT, size, FRAME_LONG - FRAME_SHORT);
    return FRAME_LONG;
}

frame_state frame_read(const unsigned char *header, size_t have, size_t *need, uint64_t *size)
{
    *need = FRAME_SHORT;
    if (have < FRAME_SHORT)
        return FRAME_PART;
    uint64_t told = get(header, FRAME_SHORT);
    if (told == is_long) {
        *need = FRAME_LONG;
        if (have < FRAME_LONG)
            return FRAME_PART;
        told = get(header + FRAME_SHORT, FRAME_LONG - FRAME_SHORT);
    } else if (told > short_most) {
        return FRAME_WRONG;
    }
    if (told > FRAME_MOST)
        return FRAME_WRONG;
    *size = told;
    return FRAME_WHOLE;
}
