/* SPDX-License-Identifier: Apache-2.0
 * tally.c - see tally.h. */
#include "tally.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const size_t asy__tops[ASY__TOPS] = { 2, 3, 5, 10 };

struct asy__tally {
    size_t classes, rows, begin, end;
    int64_t *rows_of, *guessed, *right; /* [classes] each, in one block with tops */
    int64_t *tops;                      /* [ASY__TOPS] */
    size_t columns;                     /* of scores: of two classes the second says it all */
    float *scores;                      /* [end - begin][columns]; NULL: no area is asked for */
    double *line;                       /* [rows]: a column of all ranks */
    struct asy__scored *scored;         /* [rows] */
};

static int add_area(struct asy__tally *tally, struct asy_error *err)
{
    size_t own = tally->end - tally->begin;

    tally->columns = tally->classes == 2 ? 1 : tally->classes;
    tally->scores = calloc(own * tally->columns + 1, sizeof *tally->scores);
    tally->line = calloc(tally->rows + 1, sizeof *tally->line);
    tally->scored = calloc(tally->rows + 1, sizeof *tally->scored);
    if (!tally->scores || !tally->line || !tally->scored)
        return asy_fail(err, ASY_E_NOMEM, "no memory for scores of %zu rows", tally->rows);
    return 0;
}

int asy__tally_create(size_t classes, size_t rows, size_t begin, size_t end, int with_area,
                      struct asy__tally **ret_tally, struct asy_error *err)
{
    struct asy__tally *tally = calloc(1, sizeof *tally);
    int rc = 0;

    if (!tally || !(tally->rows_of = calloc(3 * classes + ASY__TOPS, sizeof *tally->rows_of))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for counts of %zu classes", classes);
        goto out;
    }
    tally->guessed = tally->rows_of + classes;
    tally->right = tally->guessed + classes;
    tally->tops = tally->right + classes;
    tally->classes = classes;
    tally->rows = rows;
    tally->begin = begin;
    tally->end = end;
    if (with_area && (rc = add_area(tally, err)) < 0)
        goto out;
    *ret_tally = tally;
    tally = NULL;
out:
    asy__tally_destroy(tally);
    return rc;
}

void asy__tally_destroy(struct asy__tally *tally)
{
    int saved = errno;

    if (!tally)
        return;
    free(tally->rows_of);
    free(tally->scores);
    free(tally->line);
    free(tally->scored);
    free(tally);
    errno = saved;
}

size_t asy__tally_rows(const struct asy__tally *tally)
{
    return tally->end - tally->begin;
}

size_t asy__tally_columns(const struct asy__tally *tally)
{
    return tally->columns;
}

void asy__tally_clear(struct asy__tally *tally)
{
    memset(tally->rows_of, 0, (3 * tally->classes + ASY__TOPS) * sizeof *tally->rows_of);
}

/* How many classes stand before the label; of equal ones the first does. */
static size_t place_of(const float *shares, size_t classes, size_t label)
{
    size_t before = 0;

    for (size_t c = 0; c < classes; c++)
        before += shares[c] > shares[label] || (shares[c] == shares[label] && c < label);
    return before;
}

static size_t guess(const float *shares, size_t classes)
{
    size_t best = 0;

    for (size_t c = 1; c < classes; c++)
        best = shares[c] > shares[best] ? c : best;
    return best;
}

static void count(struct asy__tally *tally, size_t own, size_t best, size_t place)
{
    tally->rows_of[own]++;
    tally->guessed[best]++;
    tally->right[own] += best == own;
    for (size_t t = 0; t < ASY__TOPS; t++)
        tally->tops[t] += place < asy__tops[t];
}

void asy__tally_add(struct asy__tally *tally, size_t at, size_t rows, const float *shares,
                    const int32_t *label)
{
    size_t classes = tally->classes, columns = tally->columns;

    for (size_t i = 0; i < rows; i++, shares += classes) {
        size_t own = (size_t)label[i];

        count(tally, own, guess(shares, classes), place_of(shares, classes, own));
        if (tally->scores)
            memcpy(tally->scores + (at + i - tally->begin) * columns, shares + classes - columns,
                   columns * sizeof *shares);
    }
}

void asy__tally_add_judged(struct asy__tally *tally, size_t at, size_t rows, const uint32_t *judged,
                           const float *scores, const int32_t *label)
{
    size_t columns = tally->columns;

    for (size_t i = 0; i < rows; i++)
        count(tally, (size_t)label[i], judged[2 * i], judged[2 * i + 1]);
    if (tally->scores)
        memcpy(tally->scores + (at - tally->begin) * columns, scores,
               rows * columns * sizeof *scores);
}

double asy__f1(int64_t rows, int64_t guessed, int64_t right)
{
    return right ? 2 * (double)right / (double)(rows + guessed) : 0;
}

static int by_score(const void *a, const void *b)
{
    float x = ((const struct asy__scored *)a)->score, y = ((const struct asy__scored *)b)->score;

    return (x > y) - (x < y);
}

/* Pairs in which the one of the class is higher, twice, and equal ones once: whole numbers, so that
 * the order of rows does not matter. */
double asy__area(struct asy__scored *scored, size_t rows)
{
    int64_t in = 0, out = 0, wins = 0;

    for (size_t i = 0; i < rows; i++)
        if (isnan(scored[i].score))
            return NAN;
    qsort(scored, rows, sizeof *scored, by_score);
    for (size_t i = 0, j; i < rows; i = j) {
        int64_t here[2] = { 0, 0 };

        for (j = i; j < rows && scored[j].score == scored[i].score; j++)
            here[scored[j].in != 0]++;
        wins += here[1] * (2 * out + here[0]);
        in += here[1];
        out += here[0];
    }
    return in && out ? (double)wins / 2 / ((double)in * (double)out) : NAN;
}

/* Of class c against the rest; by all ranks. */
static int area_of(struct asy__tally *tally, struct asy_comm *comm, const int32_t *label,
                   size_t column, size_t class, double *ret, struct asy_error *err)
{
    int rc;

    memset(tally->line, 0, tally->rows * sizeof *tally->line);
    for (size_t i = tally->begin; i < tally->end; i++)
        tally->line[i] = (double)tally->scores[(i - tally->begin) * tally->columns + column];
    if ((rc = asy_comm_sum_f64(comm, tally->line, tally->rows, err)) < 0)
        return rc;
    for (size_t i = 0; i < tally->rows; i++)
        tally->scored[i] = (struct asy__scored){ (float)tally->line[i],
                                                 label[i] == (int32_t)class };
    *ret = asy__area(tally->scored, tally->rows);
    return 0;
}

static int mean_area(struct asy__tally *tally, struct asy_comm *comm, const int32_t *label,
                     double *ret, struct asy_error *err)
{
    double sum = 0, n = 0;

    for (size_t c = 0; c < tally->columns; c++) {
        double area;
        int rc = area_of(tally, comm, label, c, tally->columns == 1 ? 1 : c, &area, err);

        if (rc < 0)
            return rc;
        if (!isnan(area))
            n++, sum += area;
    }
    *ret = n > 0 ? sum / n : NAN;
    return 0;
}

int asy__tally_sum(struct asy__tally *tally, struct asy_comm *comm, const int32_t *label,
                   struct asy__tally_result *ret, struct asy_error *err)
{
    struct asy__tally_result result = { .area = NAN };
    double sum = 0, n = 0;
    int rc = asy_comm_sum_i64(comm, tally->rows_of, 3 * tally->classes + ASY__TOPS, err);

    if (rc < 0 || (tally->scores && (rc = mean_area(tally, comm, label, &result.area, err)) < 0))
        return rc;
    for (size_t c = 0; c < tally->classes; c++) {
        if (!tally->rows_of[c] && !tally->guessed[c])
            continue;
        n++;
        sum += asy__f1(tally->rows_of[c], tally->guessed[c], tally->right[c]);
    }
    result.f1 = n > 0 ? sum / n : NAN;
    for (size_t t = 0; t < ASY__TOPS; t++)
        result.top[t] = (double)tally->tops[t] / (double)tally->rows;
    *ret = result;
    return 0;
}
