/* Something to wait on that becomes readable when this process's slot is rung: for waits that must
 * see kernel objects and queues at once. A thread stands between the two. */
#ifndef MPROC_CHANNEL_DOORBELL_H
#define MPROC_CHANNEL_DOORBELL_H

#include "../os.h"

/* Made when first asked for, and again in a forked child. The handle stays the doorbell's: an end
 * of a channel. Rings from now on are heard. */
mproc_err doorbell_handle(os_handle *handle);
void doorbell_answer(void); /* it has been heard: look once more after this */

#endif
