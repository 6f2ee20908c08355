/* A shared library with a target in it. */
#include <stddef.h>

int plugin_answer(void *args, size_t size);

int plugin_answer(void *args, size_t size)
{
    return args ? (int)size : 65;
}
