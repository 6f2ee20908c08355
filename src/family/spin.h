/* Looking for a while before sleeping: a wake-up costs a hundred times what a word takes from one
 * processor to another. Whether it pays depends on who else runs, so each thread learns it from
 * its last attempts.
 *
 * It looks for longer than a wake-up takes, or not at all. With less, two that hand over to each
 * other would never find out that they need not sleep: each would always be waiting for the other
 * to wake up. */
#ifndef MPROC_FAMILY_SPIN_H
#define MPROC_FAMILY_SPIN_H

#include "../os.h"

typedef struct spin {
    uint32_t done, limit;
} spin;

/* Measures what has to be measured, so that forked children need not: that reads files. */
void spin_prepare(void);
spin spin_begin(void);
/* False: it is time to sleep. */
static inline bool spin_once(spin *s)
{
    if (s->done >= s->limit)
        return false;
    s->done++;
    os_pause();
    return true;
}
/* `paid`: what was waited for came while it looked. */
void spin_end(const spin *s, bool paid);

/* In a loop that waits for what another thread does in a moment: lets that run. Sleeps after many
 * turns in vain, for a thread of a lower priority never runs beside one that only yields. */
void spin_give_way(uint32_t *turns);

#endif
