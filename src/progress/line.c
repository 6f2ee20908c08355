#include "progress/line.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "progress/text.h"

#define BAR_LEAST 10
#define RED "\033[31m"
#define NOT_RED "\033[0m"

enum {
    UNIT = 1,
    RATE = 2,
    BAR = 4,
    LABEL = 8,
    TIME = 16,
    COUNT = 32,
    FAILED = 64,
    PERCENT = 128,
};

/* What goes first when room is short. */
static const unsigned of_total[] = {UNIT, RATE, BAR, LABEL, TIME, COUNT, FAILED, PERCENT, 0};
static const unsigned of_unknown[] = {UNIT, RATE, LABEL, TIME, FAILED, COUNT, 0};

typedef struct texts {
    const progress_state *state;
    bool red;
    int label_columns; /* at most */
    char percent[16], count[64], rate[32], time[64], failed[32];
} texts;

/* ---- the parts ---- */

static void format_percent(char *text, size_t size, size_t done, size_t total)
{
    int percent = 100;
    if (done < total)
        percent = (int)((double)done / (double)total * 100);
    snprintf(text, size, "%3d%%", percent > 99 && done < total ? 99 : percent);
}

static void format_count(char *text, size_t size, size_t done, size_t total)
{
    char of[24] = "";
    snprintf(of, sizeof of, "%zu", total);
    if (total == 0)
        snprintf(text, size, "%zu", done);
    else
        snprintf(text, size, "%*zu/%s", (int)strlen(of), done, of);
}

/* Three digits in five columns, without a locale's decimal point. */
static void format_rate(char *text, size_t size, double rate)
{
    static const char thousands[] = " kMGTPE";
    char digits[16];
    const char *power = thousands;
    if (!(rate >= 0)) {
        snprintf(text, size, "    -/s");
        return;
    }
    while (rate >= 999.5 && power[1] != '\0') {
        rate /= 1000;
        power++;
    }
    if (!(rate < 999))
        rate = 999;
    unsigned thousandths = (unsigned)(rate * 1000 + 0.5);
    if (rate > 0 && thousandths == 0)
        snprintf(digits, sizeof digits, "<.001");
    else if (thousandths < 1000)
        snprintf(digits, sizeof digits, "0.%03u", thousandths);
    else if (thousandths < 9995)
        snprintf(digits, sizeof digits, "%u.%02u", (thousandths + 5) / 1000,
                 (thousandths + 5) / 10 % 100);
    else if (thousandths < 99950)
        snprintf(digits, sizeof digits, "%u.%u", (thousandths + 50) / 1000,
                 (thousandths + 50) / 100 % 10);
    else
        snprintf(digits, sizeof digits, "%u", (thousandths + 500) / 1000);
    size_t length = strlen(digits);
    if (*power != ' ')
        snprintf(digits + length, sizeof digits - length, "%c", *power);
    snprintf(text, size, "%5s/s", digits);
}

static void format_clock(char *text, size_t size, double seconds)
{
    const double day = 86400;
    if (!(seconds < 10000 * day)) {
        snprintf(text, size, ">9999d");
        return;
    }
    uint64_t whole = (uint64_t)seconds, minutes = whole / 60, hours = minutes / 60;
    if (hours >= 100)
        snprintf(text, size, "%" PRIu64 "d%02" PRIu64 "h", hours / 24, hours % 24);
    else if (hours > 0)
        snprintf(text, size, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, hours, minutes % 60,
                 whole % 60);
    else
        snprintf(text, size, "%" PRIu64 ":%02" PRIu64, minutes, whole % 60);
}

static void format_time(char *text, size_t size, const progress_state *state)
{
    char clock[24] = "-:--";
    if (!state->ended) {
        if (state->left >= 0)
            format_clock(clock, sizeof clock, state->left + 0.999);
        snprintf(text, size, "%5s left", clock);
    } else if (state->elapsed < 60) {
        unsigned tenths = state->elapsed > 0 ? (unsigned)(state->elapsed * 10) : 0;
        snprintf(text, size, "in %u.%u s", tenths / 10, tenths % 10);
    } else {
        format_clock(clock, sizeof clock, state->elapsed);
        snprintf(text, size, "in %s", clock);
    }
}

static void format_parts(texts *parts, const progress_state *state)
{
    format_percent(parts->percent, sizeof parts->percent, state->done, state->total);
    format_count(parts->count, sizeof parts->count, state->done, state->total);
    format_rate(parts->rate, sizeof parts->rate, state->rate);
    format_time(parts->time, sizeof parts->time, state);
    snprintf(parts->failed, sizeof parts->failed, "%zu failed", state->failed);
}

/* ---- the line ---- */

static void add(progress_line *line, const char *text, size_t size, int columns)
{
    if (size > sizeof line->text - line->size)
        size = sizeof line->text - line->size;
    memcpy(line->text + line->size, text, size);
    line->size += size;
    line->columns += columns;
}

static void add_text(progress_line *line, const char *text)
{
    add(line, text, strlen(text), progress_text_columns(text));
}

static void add_label(progress_line *line, const char *label, int most)
{
    static const char dots[] = "...";
    int dotted = (int)sizeof dots - 1;
    if (progress_text_columns(label) <= most) {
        add_text(line, label);
        return;
    }
    char cut[PROGRESS_LABEL_SIZE];
    size_t size = progress_text_cut(label, most > 2 * dotted ? most - dotted : most);
    memcpy(cut, label, size);
    cut[size] = '\0';
    add_text(line, cut);
    if (most > 2 * dotted)
        add_text(line, dots);
}

static void add_bar(progress_line *line, const progress_state *state, int cells)
{
    int filled = cells;
    if (state->done < state->total)
        filled = (int)((double)state->done / (double)state->total * cells);
    if (filled == cells && state->done < state->total)
        filled--;
    add_text(line, "[");
    for (int i = 0; i < cells; i++)
        add(line, i < filled ? "#" : ".", 1, 1);
    add_text(line, "]");
}

static void add_failed(progress_line *line, const texts *parts)
{
    if (parts->red)
        add(line, RED, sizeof RED - 1, 0);
    add_text(line, parts->failed);
    if (parts->red)
        add(line, NOT_RED, sizeof NOT_RED - 1, 0);
}

static void separate(progress_line *line, unsigned shown, unsigned with_comma)
{
    if (line->size > 0)
        add_text(line, shown & with_comma ? ", " : " ");
}

static void compose(progress_line *line, const texts *parts, unsigned shown, int cells)
{
    line->size = 0;
    line->columns = 0;
    if (shown & LABEL)
        add_label(line, parts->state->label, parts->label_columns);
    if (shown & PERCENT) {
        separate(line, shown, 0);
        add_text(line, parts->percent);
    }
    if (shown & BAR) {
        separate(line, shown, 0);
        add_bar(line, parts->state, cells);
    }
    if (shown & COUNT) {
        separate(line, shown, 0);
        add_text(line, parts->count);
        if (shown & UNIT) {
            add_text(line, " ");
            add_text(line, parts->state->unit);
        }
    }
    if (shown & RATE) {
        separate(line, shown, COUNT);
        add_text(line, parts->rate);
    }
    if (shown & TIME) {
        separate(line, shown, COUNT | RATE);
        add_text(line, parts->time);
    }
    if (shown & FAILED) {
        separate(line, shown, COUNT | RATE | TIME);
        add_failed(line, parts);
    }
}

static unsigned all_parts(const progress_state *state)
{
    unsigned shown = COUNT | RATE;
    if (state->label[0] != '\0')
        shown |= LABEL;
    if (state->unit[0] != '\0')
        shown |= UNIT;
    if (state->failed > 0)
        shown |= FAILED;
    if (state->total > 0)
        shown |= PERCENT | BAR | TIME;
    if (state->ended)
        shown |= TIME;
    return shown;
}

void progress_line_format(progress_line *line, const progress_state *state, int columns, bool red)
{
    texts parts = {.state = state, .red = red, .label_columns = PROGRESS_MOST_COLUMNS};
    int room = (columns < PROGRESS_MOST_COLUMNS ? columns : PROGRESS_MOST_COLUMNS) - 1;
    unsigned shown = all_parts(state);
    const unsigned *next = state->total > 0 ? of_total : of_unknown;
    format_parts(&parts, state);
    compose(line, &parts, shown, BAR_LEAST);
    if (line->columns > room) {
        parts.label_columns = room / 3;
        compose(line, &parts, shown, BAR_LEAST);
    }
    for (; line->columns > room && *next; next++) {
        shown &= ~*next;
        compose(line, &parts, shown, BAR_LEAST);
    }
    if (shown & BAR)
        compose(line, &parts, shown, BAR_LEAST + room - line->columns);
}
