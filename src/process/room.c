#include "room.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "../hot.h"

/* After a fork each page that the parent writes to costs it a fault, 5 to 30 us. malloc and free
 * write to two pages: the heap's and that of errno. So the first few small objects lie beside the
 * library's other state, which a start writes to anyway. */
enum { FEW = 2, SMALL = 384 };

MPROC_HOT static struct {
    _Alignas(16) unsigned char bytes[SMALL];
    atomic_bool taken;
} few[FEW];

void *room_take(size_t size)
{
    for (int i = 0; size <= SMALL && i < FEW; i++) {
        if (!atomic_load_explicit(&few[i].taken, memory_order_relaxed) &&
            !atomic_exchange_explicit(&few[i].taken, true, memory_order_acquire))
            return few[i].bytes;
    }
    return malloc(size);
}

void room_return(void *block)
{
    for (int i = 0; i < FEW; i++) {
        if (block == few[i].bytes) {
            atomic_store_explicit(&few[i].taken, false, memory_order_release);
            return;
        }
    }
    free(block);
}
