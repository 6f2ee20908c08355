#include "budget.h"

#include "../pace/pace.h"
#include "family/slot.h"
#include "os.h"

int64_t budget_end(int usual, int parts)
{
    const int64_t millisecond = 1000000;
    return pace_is_soak() ? OS_FOREVER : os_now() + pace_budget(usual) * millisecond / parts;
}

/* Each process claims a slot, and each claim is one more generation. */
uint64_t count_starts(void)
{
    const unsigned index_bits = 16; /* of a slot_id */
    uint64_t claims = 0;
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        slot *one = arena_entry(ARENA_SLOTS, i);
        if (!one)
            break;
        claims += slot_id_of(atomic_load(&one->life), i) >> index_bits;
    }
    return claims - 1;
}
