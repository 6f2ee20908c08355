/* A bar on a terminal that shows how far something is: what `progress` of a map is told, or a
 * program's own loop. It needs nothing else of this library: neither the guard nor a family. */
#ifndef MPROC_PROGRESS_BAR_H
#define MPROC_PROGRESS_BAR_H

#include <stddef.h>

#include <mproc/error.h>

MPROC_BEGIN

typedef struct mproc_progress_bar mproc_progress_bar;

typedef struct mproc_progress_bar_options {
    const char *label; /* UTF-8, in front; default: none */
    const char *unit;  /* UTF-8, what is counted; default "items" */
} mproc_progress_bar_options;

/* Makes a bar, and draws nothing yet. Time counts from here, so make it right before the work.
 *
 *     reading  42% [########............] 420/1000 files, 12.3/s,  0:47 left, 3 failed
 *
 * bar      receives it.
 * options  may be NULL. Control characters and what is not UTF-8 are shown as question marks; of
 *          very long texts the beginning is kept.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: NULL; MPROC_ENOMEM.
 * **Ownership**: the caller's, until mproc_progress_bar_free; the texts are copied.
 * **Threads**: safe, unless another thread changes the environment meanwhile: NO_COLOR and TERM are
 * read here.
 * *Like* `tqdm(desc=label, unit=unit)`, which is not Python's own. */
MPROC_API mproc_err mproc_progress_bar_create(mproc_progress_bar **bar,
                                              const mproc_progress_bar_options *options);

/* Takes note of how far things are, and draws that on the standard error: at most ten times a
 * second, and at once when `done` reaches `total`. It is an mproc_progress:
 * `.progress = mproc_progress_bar_show, .progress_context = bar`.
 *
 * bar     an mproc_progress_bar; NULL: nothing happens.
 * done    how many are done, failed ones included.
 * total   of how many; 0: unknown, so that count and rate are all there is to show.
 * failed  how many of them failed; shown when it is not 0.
 *
 * Any numbers will do, also such as go backwards. When `done` had reached `total` and is smaller
 * again, something new begins, on the same line: time and rate start over. Rate and time left are
 * those of the last seconds, of the last tenth when it takes long; at the end the whole time and
 * the average stand there.
 *
 * Each drawing asks for the terminal's width, is one write, and never wraps. What does not fit is
 * left out: the unit, the rate, the bar, the label, the time, and then the count. Nothing is
 * written while the standard error is no terminal, and when it fails, nobody is told.
 *
 * **Threads**: safe. While one draws, the others wait; a terminal that is held up (Ctrl-S) holds up
 * the caller, as it does with any output. Not signal-safe. In a forked child the bar of the parent
 * does nothing.
 * **Platform**: escape sequences erase the rest of the line, and failures are red. With NO_COLOR
 * set, TERM=dumb, or a Windows console whose ENABLE_VIRTUAL_TERMINAL_PROCESSING is off, only a
 * carriage return and spaces are used. What a pipe carries to a terminal (MSYS) is no terminal on
 * Windows. */
MPROC_API void mproc_progress_bar_show(void *bar, size_t done, size_t total, size_t failed);

/* Draws what was shown last, unless it stands there, ends the line and frees the bar. NULL is fine;
 * a bar that was shown nothing writes nothing. Output that is to stand below the bar comes after
 * this call.
 * **Threads**: no other thread may still use the bar. A forked child may free its copy: nothing is
 * written. */
MPROC_API void mproc_progress_bar_free(mproc_progress_bar *bar);

MPROC_END

#endif
