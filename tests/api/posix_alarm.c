#include "posix_alarm.h"

#include <sys/time.h>

atomic_int alarms;

static void count_alarm(int number)
{
    (void)number;
    alarms++;
}

void ring_every(int milliseconds, int flags)
{
    struct sigaction action = {.sa_handler = count_alarm, .sa_flags = flags};
    const struct itimerval every = {.it_interval.tv_usec = milliseconds * 1000,
                                    .it_value.tv_usec = milliseconds * 1000};
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

int wait_uninterruptibly(const timed_wait *waits, size_t count, int flags)
{
    for (size_t i = 0; i < count; i++) {
        alarms = 0;
        ring_every(5, i % 2 ? flags : 0);
        const int64_t before = host_now();
        const mproc_err err = waits[i](150);
        const int64_t took = host_now() - before;
        ring_every(0, 0);
        if (err != MPROC_ETIMEDOUT || took < 150 || alarms < 2)
            return 10 + (int)i;
    }
    return 0;
}

int wait_interruptibly(const timed_wait *waits, size_t count, int flags)
{
    for (size_t i = 0; i < count; i++) {
        ring_every(20, i % 2 ? flags : 0);
        const mproc_err timed = waits[i](SOON), forever = waits[i](MPROC_FOREVER);
        ring_every(0, 0);
        if (timed != MPROC_EINTR || forever != MPROC_EINTR || waits[i](0) != MPROC_ETIMEDOUT)
            return 10 + (int)i;
    }
    return 0;
}
