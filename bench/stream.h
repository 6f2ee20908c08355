/* A stream of messages from some processes to others, by a queue of one make or another. */
#ifndef STREAM_H
#define STREAM_H

#include <stddef.h>
#include <stdint.h>

enum { STREAM_SMALL = 64, STREAM_MOST = 64 /* messages in a batch */ };

struct stream {
    const struct means *means;
    uint32_t producers, consumers;
    size_t bound; /* messages that may wait; 0: as many as there is memory for */
    size_t size;  /* of a message */
    size_t batch; /* so many are put, or taken, at once */
    uint64_t count;
};

/* What the messages go through: one queue, made before the processes that share it. */
struct means {
    void (*open)(const struct stream *stream);
    void (*put)(const unsigned char *messages, size_t count);
    size_t (*get)(unsigned char *messages, size_t most); /* at least one */
};
extern const struct means by_queue; /* mproc's */
extern const struct means by_boost;
extern const struct means by_ring; /* unsafe, for one producer and one consumer that spin */

/* One stream in a process. The processes of it stay, and sleep between the samples. */
void stream_open(const struct stream *stream);
double stream_sample(void); /* seconds for each message, from the start to the last one's arrival */
void stream_close(void);

#endif
