#include <mproc/progress_bar.h>

#include <stdlib.h>
#include <string.h>

#include "os.h"

#include "progress/line.h"
#include "progress/meter.h"
#include "progress/text.h"

#define TENTH INT64_C(100000000) /* between two drawings */
#define USUAL_COLUMNS 80         /* of a terminal that does not say */
#define ERASE_REST "\033[K"
#define END_OF_LINE "\r\n" /* a terminal in raw mode takes a mere line feed by its word */

struct mproc_progress_bar {
    os_mutex mutex;
    int64_t pid;
    bool plain; /* the user wants no escape sequences */
    char label[PROGRESS_LABEL_SIZE];
    char unit[PROGRESS_UNIT_SIZE];

    bool shown;
    size_t done, total, failed; /* as shown last */
    int64_t finished_at;        /* when `done` reached `total`; 0: it has not */
    progress_meter meter;

    bool up_to_date;      /* the line is what was shown last, and that was the end */
    int64_t next_drawing; /* not before */
    int64_t next_finish;  /* likewise, of those that come at once */
    int columns;          /* of the last drawing */
};

static bool is_set(const char *name, const char *value)
{
    const char *text = getenv(name);
    return text != NULL && (value != NULL ? strcmp(text, value) == 0 : text[0] != '\0');
}

mproc_err mproc_progress_bar_create(mproc_progress_bar **bar,
                                    const mproc_progress_bar_options *options)
{
    static const mproc_progress_bar_options defaults = {.label = NULL};
    if (bar == NULL)
        return MPROC_EINVAL;
    mproc_progress_bar *made = calloc(1, sizeof *made);
    if (made == NULL)
        return MPROC_ENOMEM;
    if (options == NULL)
        options = &defaults;
    os_mutex_init(&made->mutex);
    made->pid = os_getpid();
    made->plain = is_set("NO_COLOR", NULL) || is_set("TERM", "dumb");
    progress_text_clean(made->label, sizeof made->label, options->label ? options->label : "");
    progress_text_clean(made->unit, sizeof made->unit, options->unit ? options->unit : "items");
    progress_meter_start(&made->meter, os_now());
    *bar = made;
    return MPROC_OK;
}

/* ---- what is shown ---- */

static void take_note(mproc_progress_bar *bar, int64_t now, size_t done, size_t total,
                      size_t failed)
{
    if (bar->finished_at != 0 && done < bar->done)
        progress_meter_start(&bar->meter, bar->finished_at);
    progress_meter_observe(&bar->meter, now, done);
    bool finished = total > 0 && done >= total;
    if (!finished)
        bar->finished_at = 0;
    else if (bar->finished_at == 0)
        bar->finished_at = now;
    if (done != bar->done || total != bar->total || failed != bar->failed)
        bar->up_to_date = false;
    bar->shown = true;
    bar->done = done;
    bar->total = total;
    bar->failed = failed;
}

static progress_state describe(const mproc_progress_bar *bar, int64_t now, bool at_end)
{
    bool ended = at_end || bar->finished_at != 0;
    int64_t until = bar->finished_at != 0 ? bar->finished_at : now;
    size_t remaining = bar->total > bar->done ? bar->total - bar->done : 0;
    return (progress_state){
        .label = bar->label,
        .unit = bar->unit,
        .done = bar->done,
        .total = bar->total,
        .failed = bar->failed,
        .rate = ended ? progress_meter_average(&bar->meter, until)
                      : progress_meter_rate(&bar->meter, until),
        .left = progress_meter_left(&bar->meter, until, remaining),
        .elapsed = progress_meter_elapsed(&bar->meter, until),
        .ended = ended,
    };
}

/* ---- the terminal ---- */

typedef struct drawing {
    char bytes[PROGRESS_LINE_SIZE + PROGRESS_MOST_COLUMNS + 16];
    size_t size;
} drawing;

static void put(drawing *to, const char *bytes, size_t size)
{
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

/* The rest of a longer line goes, without reaching into the last column. */
static void put_line(drawing *to, const progress_line *line, int before, int columns, bool plain)
{
    put(to, "\r", 1);
    put(to, line->text, line->size);
    if (!plain)
        put(to, ERASE_REST, sizeof ERASE_REST - 1);
    else
        for (int at = line->columns; at < before && at < columns - 1; at++)
            put(to, " ", 1);
}

static void draw(mproc_progress_bar *bar, int64_t now, bool at_end)
{
    os_terminal terminal;
    if (!os_terminal_look(&terminal))
        return;
    bool plain = bar->plain || !terminal.escapes;
    int columns = terminal.columns > 0 ? terminal.columns : USUAL_COLUMNS;
    drawing to;
    to.size = 0;
    if (!at_end || !bar->up_to_date) {
        progress_state state = describe(bar, now, at_end);
        progress_line line;
        progress_line_format(&line, &state, columns, !plain);
        put_line(&to, &line, bar->columns, columns, plain);
        bar->columns = line.columns;
        bar->up_to_date = state.ended;
    }
    if (at_end)
        put(&to, END_OF_LINE, sizeof END_OF_LINE - 1);
    os_terminal_write(to.bytes, to.size);
}

static void draw_if_due(mproc_progress_bar *bar, int64_t now)
{
    bool finished = bar->finished_at == now && now >= bar->next_finish;
    if (!finished && now < bar->next_drawing)
        return;
    if (finished)
        bar->next_finish = now + TENTH;
    bar->next_drawing = now + TENTH;
    draw(bar, now, false);
}

void mproc_progress_bar_show(void *context, size_t done, size_t total, size_t failed)
{
    mproc_progress_bar *bar = context;
    if (bar == NULL || bar->pid != os_getpid())
        return;
    os_mutex_lock(&bar->mutex);
    int64_t now = os_now();
    take_note(bar, now, done, total, failed);
    draw_if_due(bar, now);
    os_mutex_unlock(&bar->mutex);
}

void mproc_progress_bar_free(mproc_progress_bar *bar)
{
    if (bar == NULL)
        return;
    if (bar->shown && bar->pid == os_getpid())
        draw(bar, os_now(), true);
    free(bar);
}
