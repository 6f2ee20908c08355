/* How long this machine takes to start a process, to wake one, and to give it a page: medians, so
 * that a moment of other load does not count. The last line is the factor by which the tests' limits
 * are longer here than on the machines for which they were written: see pace.h. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TIMES = 101, PAGES = 64, PAGE = 4096, MOST = 20 };

/* Microseconds with which a factor of 1 goes. */
static const double usual_fork = 250, usual_wake_up = 40, usual_page = 6;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int by_size(const void *one, const void *other)
{
    const double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double median(double (*once)(void))
{
    double all[TIMES];
    for (int i = 0; i < TIMES; i++) {
        const double begin = now();
        const double per = once();
        all[i] = (now() - begin) / per;
    }
    qsort(all, TIMES, sizeof all[0], by_size);
    return all[TIMES / 2];
}

static double start_and_await(void)
{
    const pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    return 1;
}

static double touch_pages(void)
{
    unsigned char *pages =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return 1;
    for (int i = 0; i < PAGES; i++)
        *(volatile unsigned char *)(pages + i * PAGE) = 1;
    munmap(pages, PAGES * PAGE);
    return PAGES;
}

/* To another process and back. */
static int there[2], back[2];

static double pass_a_byte(void)
{
    char byte = 0;
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
        exit(1);
    return 2;
}

static void echo(void)
{
    char byte;
    close(there[1]);
    while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1) {
    }
    _exit(0);
}

static double most(double factor, double time, double usual)
{
    return time / usual > factor ? time / usual : factor;
}

int main(void)
{
    const double starts = median(start_and_await), page = median(touch_pages);
    if (pipe(there) || pipe(back))
        return 1;
    const pid_t other = fork();
    if (other == 0)
        echo();
    const double wake_up = median(pass_a_byte);
    close(there[1]);
    waitpid(other, NULL, 0);
    double factor =
        most(most(most(1, starts, usual_fork), wake_up, usual_wake_up), page, usual_page);
    if (factor > MOST)
        factor = MOST;
    printf("fork %.0f us, wake-up %.0f us, page fault %.1f us\nlimits x %d\n", starts, wake_up,
           page, (int)(factor + 0.9));
    return 0;
}
