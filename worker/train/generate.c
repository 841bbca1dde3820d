/* SPDX-License-Identifier: Apache-2.0
 * generate.c - tokens that a model of the family gpt writes, one after the other.
 *
 * Each is drawn from what the model says of the window before it. While the window fills, only the
 * new token is computed (net/net_steps.h). Where it moves on, places change, and with them all that
 * was kept: a pass over the whole window for each token. Rejected: to move on by half a window at
 * once, which would make that rare, but lets a token see less than the model has learnt from. */
#include "net/net_steps.h"
#include "state.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include <asy/rng.h>
#include <asy/training.h>

#define TOKENS_MAX 1000000u

/* What is written so far: the prompt, then what follows. */
struct written {
    uint32_t *ids; /* [n], room for all */
    size_t n, room;
};

static int add_id(struct written *w, size_t id, struct asy_error *err)
{
    uint32_t *ids;

    if (w->n == w->room) {
        if (!(ids = realloc(w->ids, (2 * w->room + 256) * sizeof *ids)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for tokens");
        w->ids = ids;
        w->room = 2 * w->room + 256;
    }
    w->ids[w->n++] = (uint32_t)id;
    return 0;
}

/* ---- the prompt ------------------------------------------------------------------------------ */

static int read_text(const struct asy__schema *schema, const char *prompt, struct written *w,
                     struct asy_error *err)
{
    size_t len = strlen(prompt), n;
    int rc = 0;

    for (size_t at = 0; at < len && rc == 0; at += n) {
        uint32_t point;
        size_t id;

        if (!(n = asy__utf8_decode(prompt + at, len - at, &point)))
            return asy_fail(err, ASY_E_INVAL, "the prompt is not UTF-8");
        id = asy__dict_find(&schema->classes, prompt + at, n);
        if (id == ASY__DICT_NONE)
            return asy_fail(err, ASY_E_INVAL, "the model does not know '%.*s' (U+%04X), which was "
                            "not in what it was trained on", (int)n, prompt + at, point);
        rc = add_id(w, id, err);
    }
    return rc;
}

/* Numbers between spaces or commas. */
static int read_numbers(const struct asy__schema *schema, const char *prompt, struct written *w,
                        struct asy_error *err)
{
    int rc = 0;

    for (prompt += strspn(prompt, " ,"); *prompt && rc == 0; prompt += strspn(prompt, " ,")) {
        size_t n = strcspn(prompt, " ,");
        uint64_t id;

        if (asy_parse_u64(prompt, n, &id, NULL) < 0 || id >= schema->vocabulary)
            return asy_fail(err, ASY_E_INVAL, "prompt: '%.*s' is no token; there are 0 to %zu",
                            n > 40 ? 40 : (int)n, prompt, schema->vocabulary - 1);
        rc = add_id(w, (size_t)id, err);
        prompt += n;
    }
    return rc;
}

/* There must be something to go on from: without a prompt the end of a line, as where a text
 * begins, or the first token of all. */
static int read_prompt(const struct asy__schema *schema, const char *prompt, struct written *w,
                       struct asy_error *err)
{
    int is_text = schema->classes.n > 0;
    size_t id = is_text ? asy__dict_find(&schema->classes, "\n", 1) : 0;
    int rc = (is_text ? read_text : read_numbers)(schema, prompt, w, err);

    return rc < 0 || w->n ? rc : add_id(w, id == ASY__DICT_NONE ? 0 : id, err);
}

/* ---- drawing --------------------------------------------------------------------------------- */

/* One of the most likely, greatest first; of equal ones the first. */
struct choice {
    double score;
    size_t id;
};

/* choices [top], of n scores, top <= n. */
static void pick(const float *scores, size_t n, size_t top, struct choice *choices)
{
    size_t have = 0;

    for (size_t i = 0; i < n; i++) {
        double score = (double)scores[i];
        size_t at = have;

        if (have == top && score <= choices[top - 1].score)
            continue;
        have += have < top;
        for (at = have - 1; at > 0 && choices[at - 1].score < score; at--)
            choices[at] = choices[at - 1];
        choices[at] = (struct choice){ score, i };
    }
}

/* temperature 0: the most likely. */
static size_t draw(const struct choice *choices, size_t n, double temperature, struct asy_rng *rng)
{
    double sum = 0, at = asy_rng_double(rng);

    for (size_t i = 0; i < n && temperature > 0; i++)
        sum += exp((choices[i].score - choices[0].score) / temperature);
    at *= sum;
    for (size_t i = 0; i < n && temperature > 0; i++) {
        at -= exp((choices[i].score - choices[0].score) / temperature);
        if (at < 0)
            return choices[i].id;
    }
    return choices[0].id;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* What the model says of the token behind those that are written; x: room for a window. again: not
 * for the first time. */
static const float *scores_of_next(struct asy__net_steps *steps, size_t context,
                                   const struct written *w, int again, float *x)
{
    size_t seen = w->n < context ? w->n : context;
    size_t known = again && w->n <= context ? seen - 1 : 0;

    for (size_t i = known; i < seen; i++)
        x[i] = (float)w->ids[w->n - seen + i];
    return asy__net_steps_tell(steps, x, known, seen);
}

static int write_on(struct asy__model *model, const struct asy_generate *options,
                    struct written *w, struct asy_error *err)
{
    size_t context = asy__shape_size(model->net->features), n = model->schema.vocabulary;
    size_t top = options->top && options->top < n ? options->top : n;
    struct choice *choices = calloc(top, sizeof *choices);
    float *x = calloc(context, sizeof *x);
    struct asy__net_steps *steps = NULL;
    struct asy_rng rng;
    int rc;

    if (!choices || !x)
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a window of %zu tokens", context);
    else
        rc = asy__net_steps_create(model->net, model->memory, &steps, err);
    asy_rng_init(&rng, options->seed, 0, ASY_RNG_GENERATE);
    for (size_t t = 0; t < options->n && rc == 0; t++) {
        pick(scores_of_next(steps, context, w, t > 0, x), n, top, choices);
        rc = add_id(w, draw(choices, top, options->temperature, &rng), err);
    }
    asy__net_steps_destroy(steps);
    free(choices);
    free(x);
    return rc;
}

static void add_tokens(const struct asy__schema *schema, const uint32_t *ids, size_t n,
                       struct asy_buf *text)
{
    for (size_t i = 0; i < n; i++)
        if (schema->classes.n)
            asy_buf_adds(text, schema->classes.texts[ids[i]]);
        else
            asy_buf_addf(text, "%s%u", i ? " " : "", ids[i]);
}

static void tell(const struct asy__schema *schema, const char *prompt, const struct written *w,
                 size_t begun, int as_json, struct asy_buf *ret_text)
{
    struct asy_buf text;
    struct asy_jsonw json;

    if (!as_json) {
        size_t from = *prompt ? 0 : begun; /* what only stood for one is not shown */

        add_tokens(schema, w->ids + from, w->n - from, ret_text);
        asy_buf_addc(ret_text, '\n');
        return;
    }
    asy_buf_init(&text, SIZE_MAX / 2);
    add_tokens(schema, w->ids + begun, w->n - begun, &text);
    asy_jsonw_init(&json, ret_text, 0);
    asy_jsonw_open(&json, NULL, '{');
    asy_jsonw_str(&json, "prompt", prompt);
    asy_jsonw_str(&json, "text", text.data ? text.data : "");
    asy_jsonw_close(&json, '}');
    asy_buf_addc(ret_text, '\n');
    asy_buf_fini(&text);
}

static int check(const struct asy_generate *options, const struct asy__schema *schema,
                 struct asy_error *err)
{
    if (!schema->vocabulary)
        return asy_fail(err, ASY_E_UNSUPPORTED, "the model says of rows what they are; only those "
                        "of the family gpt write");
    if (options->n > TOKENS_MAX)
        return asy_fail(err, ASY_E_INVAL, "%zu tokens are too many; at most %u", options->n,
                        TOKENS_MAX);
    if (!(options->temperature >= 0 && options->temperature <= 100))
        return asy_fail(err, ASY_E_INVAL, "a temperature is from 0 (the most likely token) to 100, "
                        "not %g", options->temperature);
    return 0;
}

int asy_trainer_generate(const char *model_path, const struct asy_generate *options, int as_json,
                         struct asy_buf *ret_text, struct asy_error *err)
{
    struct asy__model model = { 0 };
    struct written written = { 0 };
    size_t begun;
    int rc;

    if ((rc = asy__model_read(model_path, &model, err)) < 0)
        return rc;
    if ((rc = check(options, &model.schema, err)) == 0 &&
        (rc = read_prompt(&model.schema, options->prompt, &written, err)) == 0) {
        begun = written.n;
        if ((rc = write_on(&model, options, &written, err)) == 0) {
            tell(&model.schema, options->prompt, &written, begun, as_json, ret_text);
            rc = asy_buf_check(ret_text, "the text", err);
        }
    }
    free(written.ids);
    asy__model_fini(&model);
    return rc;
}
