/* SPDX-License-Identifier: Apache-2.0
 * format.h - pieces of text for people: numbers in five digits, durations, sizes, lines that fit.
 *
 * Everything is appended to a buffer; nothing here reads a clock, a terminal or a locale. What is
 * exact goes out as JSON or CSV, never through these.
 *
 * Threads: any. */
#ifndef ASY__FORMAT_H
#define ASY__FORMAT_H
#include <asy/buf.h>
#include <asy/json.h>

void asy__fmt_number(struct asy_buf *out, double value); /* five digits; "-" for NaN */
void asy__fmt_value(struct asy_buf *out, const struct asy_json *node); /* "-" for null */
void asy__fmt_params(struct asy_buf *out, const struct asy_json *params); /* "lr=0.001 hidden=64" */
void asy__fmt_duration(struct asy_buf *out, int64_t us); /* "3.2 ms", "0.35 s", "2 min 05 s" */
/* What ran from one time to the other; nothing if these are not known (0). The start of what is
 * short is heard of together with its end: "<" and the time since it was leased, nothing if that is
 * not known (0). */
void asy__fmt_took(struct asy_buf *out, int64_t leased_us, int64_t from_us, int64_t to_us);
void asy__fmt_exact(struct asy_buf *out, int64_t ms);    /* as it was set: "10 min", "1 h 30 min" */
void asy__fmt_age(struct asy_buf *out, int64_t ms);      /* "35 min ago" */
void asy__fmt_clock(struct asy_buf *out, int64_t ms);    /* "0:42", "1:02:03" */
/* A guess, as rough as it is: "about 40 s", "about 2 min", "about 3 h". */
void asy__fmt_guess(struct asy_buf *out, int64_t ms);
void asy__fmt_bytes(struct asy_buf *out, uint64_t bytes); /* "61 KiB" */
void asy__fmt_big(struct asy_buf *out, double value);     /* "1.3M", "950k", "72" */
/* "1 trial", "3 trials" */
void asy__fmt_count(struct asy_buf *out, uint64_t n, const char *one);
/* "epochs" and 1 are "epoch 1"; without a unit it is "step 1". */
void asy__fmt_step(struct asy_buf *out, const char *unit, uint64_t step);
/* A word, or a command, as it could be typed again: words that need it in single quotes. */
void asy__fmt_word(struct asy_buf *out, const char *word);
void asy__fmt_command(struct asy_buf *out, const char *verb, int argc, char **argv);

/* Columns that text takes on a terminal: control characters none, wide ones two. */
size_t asy__text_width(const char *text, size_t len);
/* How many bytes of text fit into width columns. */
size_t asy__text_fit(const char *text, size_t len, size_t width);
/* Text from outside on one line: control characters, so also escape sequences, become blanks, what
 * is no UTF-8 question marks. */
void asy__fmt_clean(struct asy_buf *out, const char *text);
/* Clean text, shortened to width columns; "..." shows that something is missing. */
void asy__fmt_short(struct asy_buf *out, const char *text, size_t width);
/* Words over as many lines as they need, each begun by indent, the later ones by more too. width 0:
 * one line. */
void asy__fmt_wrap(struct asy_buf *out, const char *text, const char *indent, const char *more,
                   size_t width);
#endif
