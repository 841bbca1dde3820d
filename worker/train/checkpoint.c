/* SPDX-License-Identifier: Apache-2.0
 * checkpoint.c - a training's state as a safetensors file.
 *
 * Numbers of the metadata that must come back exactly are written as the 16 hex digits of their
 * bits, which no locale or rounding touches. */
#include "state.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/safetensors.h>

#define FORMAT "assay checkpoint 1"
#define DIGITS 16

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double value_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* n words of 64 bits, 16 hex digits each. */
static void add_words(struct asy_buf *buf, const uint64_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        asy_buf_addf(buf, "%016llx", (unsigned long long)words[i]);
}

static int read_words(const char *text, uint64_t *words, size_t n)
{
    if (!text || strlen(text) != n * DIGITS)
        return -1;
    for (size_t i = 0; i < n; i++) {
        words[i] = 0;
        for (size_t d = 0; d < DIGITS; d++) {
            static const char digits[] = "0123456789abcdef";
            const char *at = strchr(digits, text[i * DIGITS + d]);

            if (!at)
                return -1;
            words[i] = words[i] << 4 | (uint64_t)(at - digits);
        }
    }
    return 0;
}

#define PROGRESS_WORDS 10
#define SCORE_WORDS 7
/* In checkpoints from before there were plateaus, and sums of squares beside the loss's. */
#define OLD_PROGRESS_WORDS 7
#define OLD_SCORE_WORDS 6

static void pack(const struct asy__progress *p, uint64_t words[PROGRESS_WORDS])
{
    words[0] = p->epoch;
    words[1] = p->batch;
    words[2] = p->step;
    words[3] = p->best_epoch;
    words[4] = bits_of(p->best);
    words[5] = bits_of(p->last);
    words[6] = p->shards;
    words[7] = bits_of(p->plateau.best);
    words[8] = p->plateau.poor;
    words[9] = bits_of(p->plateau.cut);
}

static void unpack(const uint64_t words[PROGRESS_WORDS], struct asy__progress *p)
{
    p->epoch = words[0];
    p->batch = words[1];
    p->step = words[2];
    p->best_epoch = words[3];
    p->best = value_of(words[4]);
    p->last = value_of(words[5]);
    p->shards = words[6];
    p->plateau = (struct asy__plateau){ value_of(words[7]), words[8], value_of(words[9]) };
}

static int read_progress(const char *text, struct asy__progress *p)
{
    static const struct asy__plateau fresh = ASY__PLATEAU_INIT;
    uint64_t words[PROGRESS_WORDS] = { 0 };
    int old = text && strlen(text) == OLD_PROGRESS_WORDS * DIGITS;

    if (read_words(text, words, old ? OLD_PROGRESS_WORDS : PROGRESS_WORDS) < 0)
        return -1;
    unpack(words, p);
    if (old)
        p->plateau = fresh;
    return 0;
}

/* What a plug-in has: sums of its own, and bytes. */
static size_t add_kept(const struct asy__kept *kept, int has_best, uint64_t shards,
                       struct asy_buf *sums, struct asy_tensor_out *tensors)
{
    const struct {
        const char *name;
        const struct asy__bytes *bytes;
    } parts[] = { { "state", &kept->state }, { "best_state", &kept->best } };
    size_t n = 0;

    for (size_t i = 0; i < (size_t)shards * kept->n_sums; i++) {
        uint64_t word = bits_of(kept->sums[i]);

        add_words(sums, &word, 1);
    }
    for (size_t i = 0; i < (has_best ? 2u : 1u); i++)
        if (parts[i].bytes->n)
            tensors[n++] = (struct asy_tensor_out){ .name = parts[i].name, .n_dims = 1,
                                                    .shape = { parts[i].bytes->n },
                                                    .bytes = parts[i].bytes->data };
    return n;
}

int asy__checkpoint_write(const char *path, const char *identity, const struct asy__state *state,
                          const struct asy__score *partial, struct asy_error *err)
{
    struct asy_gbdt_packed packed = { 0 };
    struct asy_tensor_out tensors[9];
    const struct {
        const char *name;
        const float *data;
        size_t n;
    } parts[] = { { "params", state->params, state->n_params },
                  { "m", state->m, state->n_params },
                  { "v", state->v, state->n_params },
                  { "mean", state->mean, state->n_params },
                  { "outer", state->outer, state->n_params },
                  { "best", state->progress.best_epoch ? state->best : NULL,
                    state->n_params + state->n_buffers },
                  { "buffers", state->n_buffers ? state->buffers : NULL, state->n_buffers } };
    uint64_t words[PROGRESS_WORDS];
    struct asy_buf progress, scores, kept;
    size_t n = 0;
    int rc;

    asy_buf_init(&progress, 1024);
    asy_buf_init(&scores, 16u << 20);
    asy_buf_init(&kept, 64u << 20);
    pack(&state->progress, words);
    add_words(&progress, words, PROGRESS_WORDS);
    for (uint64_t r = 0; r < state->progress.shards; r++) {
        memcpy(words, &partial[r], sizeof partial[r]);
        add_words(&scores, words, SCORE_WORDS);
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(parts) && !state->trees; i++)
        if (parts[i].data)
            tensors[n++] = (struct asy_tensor_out){ parts[i].name, 1, { parts[i].n },
                                                    parts[i].data };
    if (state->kept)
        n += add_kept(state->kept, state->progress.best_epoch > 0, state->progress.shards, &kept,
                      tensors + n);
    if (state->trees) {
        if ((rc = asy_gbdt_pack(state->trees, SIZE_MAX, &packed, err)) < 0)
            goto out;
        asy_gbdt_packed_tensors(&packed, tensors);
        n = 2;
    }
    if ((rc = asy_buf_check(&progress, "a checkpoint", err)) == 0 &&
        (rc = asy_buf_check(&scores, "a checkpoint", err)) == 0 &&
        (rc = asy_buf_check(&kept, "a checkpoint", err)) == 0) {
        const char *meta[][2] = { { "format", FORMAT },
                                  { "identity", identity },
                                  { "progress", progress.data },
                                  { "partial", scores.data },
                                  { "plug-in's partial", kept.data } };
        size_t n_meta = ASY_ARRAY_LEN(meta) - !state->kept;

        rc = asy_safetensors_write(path, (const char *const(*)[2])meta, n_meta,
                                   tensors, n, err);
    }
out:
    asy_gbdt_packed_fini(&packed);
    asy_buf_fini(&progress);
    asy_buf_fini(&scores);
    asy_buf_fini(&kept);
    return rc;
}

static size_t line_len(const char *text)
{
    return strcspn(text, "\n");
}

/* Says in which line the two differ: "key is X there, Y here". */
static int differ(const char *theirs, const char *ours, struct asy_error *err)
{
    size_t n = line_len(theirs), m = line_len(ours), key = strcspn(ours, "=\n");

    if (key == m || key >= n || memcmp(theirs, ours, key + 1) != 0)
        return asy_fail(err, ASY_E_INVAL, "is of another trial");
    theirs += key + 1;
    n -= key + 1;
    m -= key + 1;
    return asy_fail(err, ASY_E_INVAL, "is of another trial: %.*s is %.*s there, %.*s here",
                    (int)key, ours, n > 40 ? 40 : (int)n, theirs, m > 40 ? 40 : (int)m,
                    ours + key + 1);
}

static int compare(const char *theirs, const char *ours, struct asy_error *err)
{
    if (!theirs)
        return asy_fail(err, ASY_E_CORRUPT, "does not say which trial it is of");
    while (*theirs || *ours) {
        size_t n = line_len(theirs), m = line_len(ours);

        if (n != m || memcmp(theirs, ours, n) != 0)
            return differ(theirs, ours, err);
        theirs += n + (theirs[n] != '\0');
        ours += m + (ours[m] != '\0');
    }
    return 0;
}

/* The counts must fit each other before anything is computed with them. */
static int check(const struct asy__progress *p, struct asy_error *err)
{
    if (p->epoch > 1000000000000000 || p->best_epoch > p->epoch || p->shards < 1 ||
        p->shards > 65536 || p->step < p->batch || p->step > (uint64_t)1 << 60 ||
        (p->best_epoch > 0 && !isfinite(p->best)) ||
        !(p->plateau.cut >= 0 && p->plateau.cut <= 1))
        return asy_fail(err, ASY_E_CORRUPT, "its counts contradict each other");
    return 0;
}

/* Where the sums of squares are not by themselves, the loss is them. */
static int read_scores(const char *text, struct asy__score *ret, size_t n)
{
    size_t words = text && strlen(text) == n * OLD_SCORE_WORDS * DIGITS ? OLD_SCORE_WORDS
                                                                        : SCORE_WORDS;
    uint64_t *at = (uint64_t *)(void *)ret;

    if (read_words(text, at, n * words) < 0)
        return -1;
    for (size_t i = n; words == OLD_SCORE_WORDS && i-- > 0;) {
        memmove(&ret[i], at + i * words, words * sizeof *at);
        ret[i].squared = ret[i].loss;
    }
    return 0;
}

static int read_partial(const char *text, const struct asy__progress *progress,
                        struct asy__score *partial, size_t shards, struct asy_error *err)
{
    size_t n = (size_t)progress->shards;
    struct asy__score *there = calloc(n, sizeof *there);
    int rc = 0;

    if (!there)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the sums of %zu shards", n);
    if (read_scores(text, there, n) < 0) {
        rc = asy_fail(err, ASY_E_CORRUPT, "its sums of the epoch are not readable");
    } else if (n == shards) {
        memcpy(partial, there, n * sizeof *there);
    } else {
        memset(partial, 0, shards * sizeof *partial);
        for (size_t r = 0; r < n; r++) {
            partial[0].rows += there[r].rows;
            partial[0].loss += there[r].loss;
            partial[0].correct += there[r].correct;
            partial[0].absolute += there[r].absolute;
            partial[0].target += there[r].target;
            partial[0].target_squared += there[r].target_squared;
            partial[0].squared += there[r].squared;
        }
    }
    free(there);
    return rc;
}

/* As read_partial: of another number of shards all goes to the first. */
static int read_kept_sums(const char *text, const struct asy__progress *progress,
                          struct asy__kept *kept, size_t shards, struct asy_error *err)
{
    size_t n = (size_t)progress->shards * kept->n_sums;
    uint64_t *words = calloc(n, sizeof *words);
    int rc = 0;

    if (!words)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the sums of a plug-in");
    memset(kept->sums, 0, shards * kept->n_sums * sizeof *kept->sums);
    if (read_words(text, words, n) < 0)
        rc = asy_fail(err, ASY_E_CORRUPT, "its sums of the epoch are not readable");
    for (size_t i = 0; i < n && rc == 0; i++)
        kept->sums[progress->shards == shards ? i : i % kept->n_sums] += value_of(words[i]);
    free(words);
    return rc;
}

static int read_kept(const struct asy_safetensors *file, const struct asy__progress *progress,
                     struct asy__kept *kept, size_t shards, struct asy_error *err)
{
    int rc = read_kept_sums(asy_safetensors_meta(file, "plug-in's partial"), progress, kept, shards,
                            err);

    if (rc < 0 || (rc = asy__bytes_read(file, "state", &kept->state, err)) < 0)
        return rc;
    return asy__bytes_read(file, "best_state", &kept->best, err);
}

static int read_trees(const struct asy_safetensors *file, struct asy__state *state,
                      struct asy_error *err)
{
    struct asy_gbdt_packed packed = { 0 };
    int rc = asy_gbdt_packed_read(file, &packed, err);

    if (rc == 0)
        rc = asy_gbdt_unpack(state->trees, &packed, err);
    asy_gbdt_packed_fini(&packed);
    if (rc == 0 && asy_gbdt_rounds(state->trees) != state->progress.epoch)
        return asy_fail(err, ASY_E_CORRUPT, "its counts contradict each other");
    return rc;
}

static int read_all(const struct asy_safetensors *file, const char *identity,
                    struct asy__state *state, struct asy__score *partial, size_t shards,
                    struct asy_error *err)
{
    const char *format = asy_safetensors_meta(file, "format");
    size_t n = state->n_params;
    int rc;

    if (!format || strcmp(format, FORMAT) != 0)
        return asy_fail(err, ASY_E_CORRUPT, "is not a checkpoint of this version");
    if ((rc = compare(asy_safetensors_meta(file, "identity"), identity, err)) < 0)
        return rc;
    if (read_progress(asy_safetensors_meta(file, "progress"), &state->progress) < 0)
        return asy_fail(err, ASY_E_CORRUPT, "does not say where it stands");
    if ((rc = check(&state->progress, err)) < 0 ||
        (rc = read_partial(asy_safetensors_meta(file, "partial"), &state->progress, partial, shards,
                           err)) < 0)
        return rc;
    if (!state->params && !state->trees)
        return 0; /* folds: each has a file of its own */
    if (state->trees)
        return read_trees(file, state, err);
    if (state->kept && (rc = read_kept(file, &state->progress, state->kept, shards, err)) < 0)
        return rc;
    if ((rc = asy_safetensors_read_f32(file, "params", n, state->params, err)) < 0)
        return rc;
    if (state->m && state->m_may_lack && !asy_safetensors_find(file, "m"))
        memset(state->m, 0, n * sizeof *state->m);
    else if (state->m && (rc = asy_safetensors_read_f32(file, "m", n, state->m, err)) < 0)
        return rc;
    if (state->v && (rc = asy_safetensors_read_f32(file, "v", n, state->v, err)) < 0)
        return rc;
    if (state->mean && state->mean_may_lack && !asy_safetensors_find(file, "mean"))
        memcpy(state->mean, state->params, n * sizeof *state->mean);
    else if (state->mean && (rc = asy_safetensors_read_f32(file, "mean", n, state->mean, err)) < 0)
        return rc;
    if (state->outer && state->outer_may_lack && !asy_safetensors_find(file, "outer"))
        memset(state->outer, 0, n * sizeof *state->outer);
    else if (state->outer &&
             (rc = asy_safetensors_read_f32(file, "outer", n, state->outer, err)) < 0)
        return rc;
    if (state->n_buffers && (rc = asy_safetensors_read_f32(file, "buffers", state->n_buffers,
                                                           state->buffers, err)) < 0)
        return rc;
    if (state->progress.best_epoch)
        return asy_safetensors_read_f32(file, "best", n + state->n_buffers, state->best, err);
    return 0;
}

int asy__checkpoint_read(const char *path, const char *identity, struct asy__state *state,
                         struct asy__score *partial, size_t shards, struct asy_error *err)
{
    struct asy_safetensors *file = NULL;
    int rc;

    if ((rc = asy_safetensors_open(path, &file, err)) < 0) {
        asy_error_prefix(err, "cannot resume from the checkpoint");
        return rc;
    }
    rc = read_all(file, identity, state, partial, shards, err);
    if (rc < 0)
        asy_error_prefix(err, "cannot resume: checkpoint '%.80s'", path);
    asy_safetensors_destroy(file);
    return rc;
}
