/* SPDX-License-Identifier: Apache-2.0
 * bench_gbdt.c - makes a table of two classes, and fits boosted trees to it.
 *
 *   bench_gbdt data FILE ROWS FEATURES SEED
 *   bench_gbdt fit FILE ROWS FEATURES TRAINED ROUNDS DEPTH RATE
 *
 * FILE holds floats: the features [ROWS][FEATURES], standard normal, then the labels [ROWS]. The
 * log-odds of label 1 are linear in all features with products, a wave and a kink in the first few.
 * fit prints the seconds of processor time that binning and fitting the first TRAINED rows take,
 * from floats in memory to the model, and the log loss of the other rows. tests/bench/train.py
 * makes rows of that, and has xgboost do the same (gbdt_peer.py). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <asy/gbdt.h>
#include <asy/parse.h>
#include <asy/rng.h>

static struct asy_error err = ASY_ERROR_INIT;

static void die(const char *what)
{
    fprintf(stderr, "bench_gbdt: %s\n", what);
    exit(1);
}

static void check(int rc)
{
    if (rc < 0)
        die(err.text);
}

static float *get(size_t n)
{
    float *memory = calloc(n, sizeof *memory);

    if (!memory)
        die("no memory");
    return memory;
}

static size_t count(const char *text)
{
    uint64_t n = 0;

    check(asy_parse_u64(text, strlen(text), &n, &err));
    if (n > 1u << 30)
        die("a number is too large");
    return (size_t)n;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- data ------------------------------------------------------------------------------------ */

static double log_odds(const float *x, const double *w, size_t features)
{
    double z = sin(2 * (double)x[0] * (double)x[1]) + (double)x[2] * (double)x[3] +
               fabs((double)x[4]) - 0.8;

    for (size_t f = 0; f < features; f++)
        z += w[f] * (double)x[f] / 2;
    return z;
}

static int make_data(const char *path, size_t rows, size_t features, uint64_t seed)
{
    float *x = get(rows * features), *label = get(rows);
    double *w = calloc(features, sizeof *w);
    FILE *file = fopen(path, "wb");
    struct asy_rng rng;

    if (!w || !file || features < 5)
        die("data needs a file and 5 features");
    asy_rng_init(&rng, seed, 0, ASY_RNG_SIM);
    for (size_t f = 0; f < features; f++)
        w[f] = asy_rng_normal(&rng);
    for (size_t r = 0; r < rows; r++) {
        float *row = x + r * features;

        for (size_t f = 0; f < features; f++)
            row[f] = (float)asy_rng_normal(&rng);
        label[r] = asy_rng_double(&rng) < 1 / (1 + exp(-log_odds(row, w, features)));
    }
    if (fwrite(x, sizeof *x, rows * features, file) != rows * features ||
        fwrite(label, sizeof *label, rows, file) != rows || fclose(file) != 0)
        die("cannot write the data");
    free(w);
    free(x);
    free(label);
    return 0;
}

/* ---- fitting --------------------------------------------------------------------------------- */

static int fit_data(const char *path, size_t rows, size_t features, size_t trained, size_t rounds,
                    const struct asy_gbdt_params *params)
{
    float *x = get(rows * features), *label = get(rows), *margins = get(rows);
    struct asy_gbdt_cuts *cuts = NULL;
    struct asy_gbdt_table *table = NULL;
    struct asy_gbdt *model = NULL;
    struct asy_gbdt_fit *fit = NULL;
    FILE *file = fopen(path, "rb");
    double begin, end, sum, weight;

    if (!file || fread(x, sizeof *x, rows * features, file) != rows * features ||
        fread(label, sizeof *label, rows, file) != rows || trained >= rows)
        die("cannot read the data");
    fclose(file);
    begin = seconds();
    check(asy_gbdt_cuts_create(x, trained, features, ASY_GBDT_BINS_MAX, &cuts, &err));
    check(asy_gbdt_table_create(cuts, x, trained, &table, &err));
    check(asy_gbdt_create(params, features, &model, &err));
    check(asy_gbdt_fit_create(model, table, label, NULL, NULL, &fit, &err));
    for (size_t i = 0; i < rounds; i++)
        check(asy_gbdt_fit_round(fit, &err));
    end = seconds();
    asy_gbdt_predict(model, x + trained * features, rows - trained, margins);
    asy_gbdt_loss(model, margins, label + trained, NULL, rows - trained, &sum, &weight);
    printf("%.6f %.9f\n", end - begin, sum / weight);
    asy_gbdt_fit_destroy(fit);
    asy_gbdt_destroy(model);
    asy_gbdt_table_destroy(table);
    asy_gbdt_cuts_destroy(cuts);
    free(x);
    free(label);
    free(margins);
    return 0;
}

int main(int argc, char **argv)
{
    struct asy_gbdt_params params = ASY_GBDT_PARAMS_INIT;

    if (argc == 6 && !strcmp(argv[1], "data"))
        return make_data(argv[2], count(argv[3]), count(argv[4]), count(argv[5]));
    if (argc != 9 || strcmp(argv[1], "fit") != 0)
        die("usage: bench_gbdt data FILE ROWS FEATURES SEED\n"
            "       bench_gbdt fit FILE ROWS FEATURES TRAINED ROUNDS DEPTH RATE");
    params.loss = ASY_GBDT_LOGISTIC;
    params.max_depth = count(argv[7]);
    check(asy_parse_f64(argv[8], strlen(argv[8]), &params.learning_rate, &err));
    return fit_data(argv[2], count(argv[3]), count(argv[4]), count(argv[5]), count(argv[6]),
                    &params);
}
