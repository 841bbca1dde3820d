/* SPDX-License-Identifier: Apache-2.0
 * tally.h - what metrics of classes need beside sums over rows: counts by class, places of the
 * labels among the guesses, and for the area under the curve the scores of all rows.
 *
 * Counts add up over ranks. The area is that of the exact statistic of ranks, so scores of all rows
 * come together for it, a class at a time; a histogram would need less, but its area would depend
 * on where the bins are. Memory is taken once, for the part that is scored.
 *
 * Ownership: create/destroy. Threads: one owner. */
#ifndef ASY__TALLY_H
#define ASY__TALLY_H
#include <stdint.h>
#include <asy/comm.h>

/* Up to so many scores (rows times classes: 16 MiB of them, a second of sorting) the area comes
 * without being asked for, where it is not wanted after each epoch. */
#define ASY__AREA_UNASKED ((size_t)1 << 22)

#define ASY__TOPS 4
extern const size_t asy__tops[ASY__TOPS]; /* 2, 3, 5, 10: what val_top2 and so on count */

struct asy__tally;
/* Of a part of so many rows, of which this rank scores begin..end. */
ASY_MUST_CHECK int asy__tally_create(size_t classes, size_t rows, size_t begin, size_t end,
                                     int with_area, struct asy__tally **ret_tally,
                                     struct asy_error *err);
void asy__tally_destroy(struct asy__tally *tally); /* NULL is fine */
void asy__tally_clear(struct asy__tally *tally);
/* Rows at.. of the part: shares [rows][classes] of each row's classes, and its label. */
void asy__tally_add(struct asy__tally *tally, size_t at, size_t rows, const float *shares,
                    const int32_t *label);

/* The same of rows that others have looked at: judged [rows][2] has for each the class with the
 * greatest share and how many stand before the label's, scores [rows][columns] shares of the last
 * classes, if columns is not 0. */
size_t asy__tally_rows(const struct asy__tally *tally); /* end - begin */
size_t asy__tally_columns(const struct asy__tally *tally);
void asy__tally_add_judged(struct asy__tally *tally, size_t at, size_t rows, const uint32_t *judged,
                           const float *scores, const int32_t *label);

struct asy__tally_result {
    double f1;   /* mean over the classes that occur or were guessed */
    double area; /* under the curve, mean over the classes against the rest (of two: of the second);
                  * NaN: not asked for, or no class has rows both in it and not */
    double top[ASY__TOPS]; /* shares of rows */
};
/* By all ranks of comm, each with its rows added: the result of all rows. label [rows]: of the
 * whole part. */
ASY_MUST_CHECK int asy__tally_sum(struct asy__tally *tally, struct asy_comm *comm,
                                  const int32_t *label, struct asy__tally_result *ret,
                                  struct asy_error *err);

/* 2 precision recall / (precision + recall), from counts; 0 where there is nothing right. */
double asy__f1(int64_t rows, int64_t guessed, int64_t right);
/* Probability that a row of the class has a higher score than one that is not of it, halves for
 * equal ones. Sorts scored [rows]. NaN: one of both is empty, or a score is NaN. */
struct asy__scored {
    float score;
    int32_t in;
};
double asy__area(struct asy__scored *scored, size_t rows);
#endif
