/* SPDX-License-Identifier: Apache-2.0
 * Training on tokens: what is learnt, that an interruption leaves no trace, what is refused. */
#include "filekit.h"
#include "trainkit.h"
#include <math.h>
#include <asy/rng.h>
#include <asy/training.h>
#include "data/data.h"

#define TEXT "\"format\":\"text\""
#define SMALL                                                                                      \
    "\"d_model\":16,\"heads\":2,\"blocks\":1,\"context\":11,\"batch_size\":16,\"lr\":0.003"

struct bench {
    struct asy_comm *comm;
    struct asy_trainer *trainer;
    char dir[64], text[128], kept[128];
    struct asy_train_result result;
    struct asy_error err;
    struct asy_json *job;
};
static struct seen {
    char names[200];
    double accuracy, loss, perplexity;
} seen;
static struct bench bench;

static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    size_t len = 0;

    (void)arg, (void)step;
    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(seen.names + len, sizeof seen.names - len, "%s ", metrics[i].name);
        if (!strcmp(metrics[i].name, "val_accuracy"))
            seen.accuracy = metrics[i].value;
        if (!strcmp(metrics[i].name, "val_loss"))
            seen.loss = metrics[i].value;
        if (!strcmp(metrics[i].name, "val_perplexity"))
            seen.perplexity = metrics[i].value;
    }
    return 0;
}

static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)arg, (void)step;
    return rename(path, bench.kept) < 0 ? ASY_E_IO : 0;
}

static const struct asy_train_callbacks callbacks = { .report = on_report,
                                                      .checkpoint = on_checkpoint };

/* A text in which the token before the last decides what follows an a. */
static bool set_up(struct bench *b)
{
    struct asy_buf text;
    bool ok;

    memset(b, 0, sizeof *b);
    memset(&seen, 0, sizeof seen);
    if (!T_TRUE(kit_dir(b->dir) != NULL))
        return false;
    snprintf(b->text, sizeof b->text, "%s/t.txt", b->dir);
    snprintf(b->kept, sizeof b->kept, "%s/kept", b->dir);
    asy_buf_init(&text, 1u << 16);
    for (size_t i = 0; i < 600; i++)
        asy_buf_adds(&text, "abac");
    ok = kit_write(b->text, text.data, text.len) &&
         T_OK(asy_comm_self(&b->comm, &b->err), &b->err) &&
         T_OK(asy_trainer_create(b->comm, &b->trainer, &b->err), &b->err);
    asy_buf_fini(&text);
    return ok;
}

static void tear_down(struct bench *b)
{
    asy_json_destroy(b->job);
    asy_trainer_destroy(b->trainer);
    asy_comm_destroy(b->comm);
    kit_rmdir(b->dir);
}

static int train(struct bench *b, const char *family, const char *data, const char *metric,
                 int max, const char *params, const char *rest, const char *resume)
{
    asy_json_destroy(b->job);
    b->job = kit_family_job(family, b->text, data, metric, "minimize", max, params, rest);
    return asy_trainer_run(b->trainer, b->job, b->dir, resume, &callbacks, &b->result, &b->err);
}

static void what_follows_is_learnt(void)
{
    static const char *const params[] = { SMALL, SMALL ",\"tied\":true,\"optimizer\":\"adam\"",
                                          SMALL ",\"dropout\":0.1,\"activation\":\"relu\"" };
    struct bench *b = &bench;

    for (size_t i = 0; i < ASY_ARRAY_LEN(params); i++) {
        struct asy_json *root = NULL;
        struct asy_buf json;

        asy_buf_init(&json, 1u << 16);
        if (set_up(b) &&
            T_OK(train(b, "gpt", TEXT, "val_perplexity", 25, params[i], "", NULL), &b->err)) {
            T_STR("metrics", seen.names,
                  "samples_per_s train_accuracy train_loss train_perplexity val_accuracy val_loss "
                  "val_perplexity ");
            /* of an a at a window's start nobody knows what follows; those of 11 begin anywhere */
            T_NEAR("accuracy", seen.accuracy, 1, 0.05);
            T_NEAR("perplexity", seen.perplexity, exp(seen.loss), 1e-12);
            T_OK(asy_trainer_evaluate(b->job, b->result.model_path, "validation", &json, &b->err),
                 &b->err);
            if (T_OK(asy_json_parse(json.data, json.len, &root, &b->err), &b->err))
                T_NEAR("stored", asy_json_f64(asy_json_get(root, "val_perplexity"), 0),
                       b->result.objective, 0);
            asy_buf_clear(&json);
            T_EQ("predict", asy_trainer_predict(b->result.model_path, b->text, 0, &json, &b->err),
                 ASY_E_UNSUPPORTED);
            T_HAS("predict", b->err.text, "a model of tokens is not applied to a file");
        }
        asy_json_destroy(root);
        asy_buf_fini(&json);
        tear_down(b);
    }
}

/* What the model writes; the caller frees it. */
static char *written(struct bench *b, const struct asy_generate *options, int as_json)
{
    struct asy_buf text;
    char *taken = NULL;

    asy_buf_init(&text, 1u << 20);
    if (T_OK(asy_trainer_generate(b->result.model_path, options, as_json, &text, &b->err), &b->err))
        taken = asy_buf_take(&text, NULL);
    asy_buf_fini(&text);
    return taken;
}

static void says(const char *name, struct bench *b, struct asy_generate options, int as_json,
                 const char *want)
{
    char *text = written(b, &options, as_json);

    T_STR(name, text ? text : "", want);
    free(text);
}

/* Two texts of 60 tokens. */
static bool same(struct bench *b, struct asy_generate x, struct asy_generate y)
{
    char *one, *two;
    bool is;

    x.n = y.n = 60;
    one = written(b, &x, 0);
    two = written(b, &y, 0);
    is = one && two && !strcmp(one, two);
    free(one);
    free(two);
    return is;
}

static void a_model_writes_on(void)
{
    static const struct {
        const char *name;
        struct asy_generate options;
        const char *says;
    } cases[] = {
        { "unknown", { "abd", 3, 0, 1, 0 }, "the model does not know 'd' (U+0064)" },
        { "no text", { "ab\xff", 3, 0, 1, 0 }, "the prompt is not UTF-8" },
        { "cold", { "ab", 3, 0, -1, 0 }, "a temperature is from 0" },
        { "no number", { "ab", 3, 0, NAN, 0 }, "a temperature is from 0" },
        { "too many", { "ab", 1000001, 0, 1, 0 }, "1000001 tokens are too many" },
    };
    struct bench *b = &bench;
    struct asy_buf text;

    asy_buf_init(&text, 1u << 16);
    if (!set_up(b) || !T_OK(train(b, "gpt", TEXT, "val_loss", 25, SMALL, "", NULL), &b->err))
        goto out;
    says("the likeliest", b, (struct asy_generate){ "abac", 13, 0, 0, 0 }, 0,
         "abacabacabacabaca\n");
    says("one of one", b, (struct asy_generate){ "abac", 5, 1, 9, 0 }, 0, "abacabaca\n");
    says("as JSON", b, (struct asy_generate){ "abac", 5, 0, 0, 0 }, 1,
         "{\"prompt\":\"abac\",\"text\":\"abaca\"}\n");
    says("nothing more", b, (struct asy_generate){ "ab", 0, 0, 0, 0 }, 0, "ab\n");
    T_EQ("same seed", same(b, (struct asy_generate){ "a", 0, 0, 20, 3 },
                           (struct asy_generate){ "a", 0, 0, 20, 3 }), 1);
    T_EQ("another seed", same(b, (struct asy_generate){ "a", 0, 0, 20, 3 },
                              (struct asy_generate){ "a", 0, 0, 20, 4 }), 0);
    T_EQ("no prompt", same(b, (struct asy_generate){ "", 0, 0, 0, 3 },
                           (struct asy_generate){ "", 0, 1, 7, 4 }), 1);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        int rc = asy_trainer_generate(b->result.model_path, &cases[i].options, 0, &text, &b->err);

        T_TRUE(rc < 0);
        T_HAS(cases[i].name, b->err.text, cases[i].says);
    }
out:
    asy_buf_fini(&text);
    tear_down(b);
}

/* 0 3 0 5 and so on. */
static void numbers_go_on_as_numbers(void)
{
    const struct asy_generate begun = { "0, 3", 4, 0, 0, 0 }, beyond = { "0 6", 4, 0, 0, 0 };
    struct bench *b = &bench;
    struct asy_buf file, text;
    uint8_t ids[2400];

    asy_buf_init(&file, 1u << 16);
    asy_buf_init(&text, 1u << 16);
    for (size_t i = 0; i < sizeof ids; i++)
        ids[i] = i % 2 == 0 ? 0 : i % 4 == 1 ? 3 : 5;
    if (!set_up(b))
        goto out;
    kit_array(&file, "|u1", "2400,", ids, sizeof ids);
    kit_write(b->text, file.data, file.len);
    if (!T_OK(train(b, "gpt", "\"format\":\"tokens\"", "val_loss", 25, SMALL, "", NULL), &b->err))
        goto out;
    says("numbers", b, begun, 0, "0 3 0 5 0 3\n");
    says("as JSON", b, begun, 1, "{\"prompt\":\"0, 3\",\"text\":\"0 5 0 3\"}\n");
    T_TRUE(asy_trainer_generate(b->result.model_path, &beyond, 0, &text, &b->err) < 0);
    T_HAS("beyond", b->err.text, "'6' is no token; there are 0 to 5");
out:
    asy_buf_fini(&file);
    asy_buf_fini(&text);
    tear_down(b);
}

static void a_model_of_rows_writes_nothing(void)
{
    const struct asy_generate options = ASY_GENERATE_INIT;
    struct bench *b = &bench;
    struct asy_buf text;

    asy_buf_init(&text, 1u << 16);
    if (set_up(b)) {
        asy_json_destroy(b->job);
        b->job = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 1, "\"hidden\":4", "");
        if (T_OK(asy_trainer_run(b->trainer, b->job, b->dir, NULL, &callbacks, &b->result, &b->err),
                 &b->err))
            T_EQ("mlp", asy_trainer_generate(b->result.model_path, &options, 0, &text, &b->err),
                 ASY_E_UNSUPPORTED);
    }
    asy_buf_fini(&text);
    tear_down(b);
}

/* ---- sequences with a label ------------------------------------------------------------------ */

#define LABELLED                                                                                   \
    "\"d_model\":16,\"heads\":2,\"blocks\":1,\"batch_size\":16,\"lr\":0.01,\"optimizer\":\"adam\""
#define WIDTH 7

/* Rows of 1 to 7 tokens of 0 to 4, behind them `behind`; the label says whether there is a 3. */
static bool write_rows(const struct bench *b, const char *behind)
{
    struct asy_rng rng;
    struct asy_buf csv;
    bool ok;

    asy_rng_init(&rng, 5, 0, ASY_RNG_SIM);
    asy_buf_init(&csv, 1u << 20);
    for (int r = 0; r < 600; r++) {
        uint64_t n = 1 + asy_rng_below(&rng, WIDTH);
        int has = 0;

        for (uint64_t t = 0; t < WIDTH; t++) {
            uint64_t id = asy_rng_below(&rng, 5);

            id = id == 3 && asy_rng_below(&rng, 2) ? 1 : id;
            if (t < n)
                asy_buf_addf(&csv, "%d,", (int)id);
            else
                asy_buf_addf(&csv, "%s,", behind);
            has |= t < n && id == 3;
        }
        asy_buf_addf(&csv, "%s\n", has ? "yes" : "no");
    }
    ok = kit_write(b->text, csv.data, csv.len);
    asy_buf_fini(&csv);
    return ok;
}

/* What the model makes of a file's rows; the caller frees it. */
static char *predicted(struct bench *b, const char *rows)
{
    char path[160];
    struct asy_buf text;
    char *taken = NULL;

    snprintf(path, sizeof path, "%.100s/new.csv", b->dir);
    asy_buf_init(&text, 1u << 20);
    if (kit_write(path, rows, strlen(rows)) &&
        asy_trainer_predict(b->result.model_path, path, 0, &text, &b->err) == 0)
        taken = asy_buf_take(&text, NULL);
    asy_buf_fini(&text);
    return taken;
}

static void rows_of_tokens_are_told_apart(void)
{
    static const char *const behind[] = { "", "-1", "nan" };
    struct bench *b = &bench;
    char first[160] = "", *text;

    if (!set_up(b))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(behind); i++) {
        if (!write_rows(b, behind[i]) ||
            !T_OK(train(b, "transformer", "\"sequence\":\"tokens\"", "val_loss", 30, LABELLED, "",
                        NULL), &b->err))
            goto out;
        T_TRUE(seen.accuracy > 0.97);
        if (i) { /* however padding is written */
            kit_same(behind[i], b->result.model_path, first);
            continue;
        }
        snprintf(first, sizeof first, "%.100s/first", b->dir);
        T_EQ("keep", rename(b->result.model_path, first), 0);
    }
    text = predicted(b, "0,1,2,4,0,1,2\n0,3,,,,,\n1,,,,,,\n");
    if (T_TRUE(text != NULL)) {
        T_HAS("none", text, "prediction,no,yes\nno,");
        T_HAS("one, in a short row", text, "\nyes,");
    }
    free(text);
    T_TRUE(predicted(b, "0,1,2,5,0,1,2\n") == NULL);
    T_HAS("beyond", b->err.text, "column 4 ('column 4'): a token that the model does not know");
out:
    tear_down(b);
}

/* By a network that is listed: one token among the others decides, wherever it stands. */
static void listed_layers_embed_tokens(void)
{
    struct bench *b = &bench;

    if (!set_up(b) || !write_rows(b, ""))
        goto out;
    if (T_OK(train(b, "layers", "\"sequence\":\"tokens\"", "val_loss", 30,
                   "\"lr\":0.01,\"layers\":[{\"embed\":12},{\"dense\":16,\"act\":\"relu\"},"
                   "{\"global_max\":true}]", "", NULL), &b->err))
        T_TRUE(seen.accuracy > 0.97);
    T_TRUE(train(b, "layers", "\"sequence\":\"tokens\"", "val_loss", 2,
                 "\"layers\":[{\"dense\":4}]", "", NULL) < 0);
    T_HAS("not embedded", b->err.text, "rows of tokens (data.sequence) need {embed: N}");
    T_TRUE(train(b, "layers", "\"missing\":\"mean\"", "val_loss", 2,
                 "\"layers\":[{\"embed\":4}]", "", NULL) < 0);
    T_HAS("numbers", b->err.text, "layers[0].embed: rows are numbers, not tokens (data.sequence)");
out:
    tear_down(b);
}

/* The word decides, wherever it stands; characters that were not there count as nothing. */
static void texts_are_told_apart(void)
{
    static const char *const words[] = { "good", "b\xc3\xa4" "d" };
    struct bench *b = &bench;
    struct asy_buf csv;
    char *text;

    asy_buf_init(&csv, 1u << 20);
    if (!set_up(b))
        goto out;
    asy_buf_adds(&csv, "review,id,stars\n");
    for (int r = 0; r < 400; r++)
        asy_buf_addf(&csv, "\"%.*s %s%s\",%d,%d\n", r % 5, "so so", words[r % 2],
                     r % 3 ? ", it is" : "", r, r % 2);
    if (kit_write(b->text, csv.data, csv.len) &&
        T_OK(train(b, "transformer",
                   "\"sequence\":\"text\",\"length\":20,\"exclude\":[\"id\"],\"label\":\"stars\"",
                   "val_loss", 12, LABELLED, "", NULL), &b->err)) {
        T_TRUE(seen.accuracy > 0.97);
        text = predicted(b, "review\nso good\n\"b\xc3\xa4" "d, it ~~\"\n");
        if (T_OK(text ? 0 : -1, &b->err) && T_HAS("good", text, "prediction,0,1\n0,"))
            T_HAS("bad, with a stranger", text, "\n1,");
        free(text);
    }
    T_TRUE(train(b, "transformer", "\"sequence\":\"text\",\"label\":\"stars\"", "val_loss", 2,
                 LABELLED, "", NULL) < 0);
    T_HAS("two columns", b->err.text, "where 'review' and 'id' stand; exclude all but the text");
    T_TRUE(train(b, "mlp", "\"sequence\":\"text\",\"exclude\":[\"id\"]", "val_loss", 2, "", "",
                 NULL) < 0);
    T_HAS("mlp", b->err.text, "are for the models transformer and layers, not for mlp");
    T_TRUE(train(b, "transformer", "\"sequence\":\"tokens\"", "val_loss", 2, LABELLED, "",
                 NULL) < 0);
    T_HAS("texts", b->err.text, "tokens are numbers, which column 'review' has not");
out:
    asy_buf_fini(&csv);
    tear_down(b);
}

/* A stored schema is read if `says` is empty, or else refused with that word. */
static void read_schema(const char *name, const char *json, const char *says)
{
    struct asy__schema schema = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    int rc;

    if (!T_OK(asy_json_parse(json, strlen(json), &root, &err), &err))
        return;
    rc = asy__schema_read(root, &schema, &err);
    T_EQ(name, rc, *says ? ASY_E_CORRUPT : 0);
    if (rc < 0)
        T_HAS(name, err.text, says);
    asy__schema_fini(&schema);
    asy_json_destroy(root);
}

/* Of a stored model, what would index vectors of tokens that there are not. */
static void a_schema_of_other_ids_is_refused(void)
{
    static const struct {
        const char *name, *sequence, *fill, *says;
    } cases[] = {
        { "whole", "{\"ids\":6,\"length\":1,\"characters\":[]}", "[5]", "" },
        { "padding beyond", "{\"ids\":6,\"length\":1,\"characters\":[]}", "[6]", "sequence" },
        { "padding between", "{\"ids\":6,\"length\":1,\"characters\":[]}", "[4.5]", "sequence" },
        { "no ids", "{\"length\":1,\"characters\":[]}", "[5]", "sequence" },
        { "other characters", "{\"ids\":6,\"length\":1,\"characters\":[\"a\"]}", "[5]",
          "sequence" },
        { "far too long", "{\"ids\":2,\"length\":4000000000,\"characters\":[\"a\"]}", "[1]",
          "sequence" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char json[600];

        snprintf(json, sizeof json,
                 "{\"task\":\"classification\",\"classes\":[\"0\",\"1\"],\"sequence\":%s,"
                 "\"columns\":[{\"name\":\"a\",\"kind\":\"number\"},{\"name\":\"y\","
                 "\"kind\":\"label\"}],\"fill\":%s,\"shift\":[0],\"factor\":[1]}",
                 cases[i].sequence, cases[i].fill);
        read_schema(cases[i].name, json, cases[i].says);
    }
}

/* What else a row had would be written beside its text, or behind its end. */
static void a_schema_of_more_than_a_text_is_refused(void)
{
    static const struct {
        const char *name, *columns, *characters, *says;
    } cases[] = {
        { "whole", "{\"name\":\"t\",\"kind\":\"text\"}", "\"a\"", "" },
        { "of no characters", "{\"name\":\"t\",\"kind\":\"text\"}", "", "text" },
        { "a number before", "{\"name\":\"n\",\"kind\":\"number\"},"
          "{\"name\":\"t\",\"kind\":\"text\"}", "\"a\"", "text" },
        { "a number behind", "{\"name\":\"t\",\"kind\":\"text\"},"
          "{\"name\":\"n\",\"kind\":\"number\"}", "\"a\"", "text" },
        { "a text beside numbers", "{\"name\":\"t\",\"kind\":\"text\"},"
          "{\"name\":\"n\",\"kind\":\"number\"}", "", "text" },
        { "two", "{\"name\":\"t\",\"kind\":\"text\"},"
          "{\"name\":\"u\",\"kind\":\"text\"}", "\"a\"", "text" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char json[600];

        snprintf(json, sizeof json,
                 "{\"task\":\"classification\",\"classes\":[\"0\",\"1\"],\"sequence\":"
                 "{\"ids\":2,\"length\":1,\"characters\":[%s]},\"columns\":[%s,"
                 "{\"name\":\"y\",\"kind\":\"label\"}],\"fill\":[1],\"shift\":[0],"
                 "\"factor\":[1]}", cases[i].characters, cases[i].columns);
        read_schema(cases[i].name, json, cases[i].says);
    }
}

#define DROPS SMALL ",\"dropout\":0.2,\"attention_dropout\":0.1"

static void an_interruption_leaves_no_trace(void)
{
    struct bench *b = &bench;
    char straight[160];

    if (!set_up(b) ||
        !T_OK(train(b, "gpt", TEXT, "val_loss", 5, DROPS, "", NULL), &b->err))
        goto out;
    snprintf(straight, sizeof straight, "%.100s/straight", b->dir);
    T_EQ("keep", rename(b->result.model_path, straight), 0);
    for (int until = 1; until < 5; until += 2) {
        char rest[32];

        snprintf(rest, sizeof rest, "\"until\":%d", until);
        T_OK(train(b, "gpt", TEXT, "val_loss", 5, DROPS, rest, NULL), &b->err);
        T_EQ("outcome", b->result.outcome, ASY_TRAIN_PAUSED);
        T_OK(train(b, "gpt", TEXT, "val_loss", 5, DROPS, "", b->kept), &b->err);
        T_EQ("outcome", b->result.outcome, ASY_TRAIN_COMPLETE);
        kit_same("resumed", b->result.model_path, straight);
    }
    T_TRUE(train(b, "gpt", TEXT, "val_loss", 5, DROPS ",\"tied\":true", "",
                 b->kept) < 0);
    T_HAS("another", b->err.text, "is of another trial: tied is 0 there, 1 here");
out:
    tear_down(b);
}

static void what_does_not_fit_is_refused(void)
{
    static const struct {
        const char *name, *family, *data, *params, *metric, *says;
    } cases[] = {
        { "a table's model", "mlp", TEXT, "", "val_loss", "the model mlp learns from tables" },
        { "trees", "gbdt", TEXT, "", "val_loss", "the model gbdt learns from tables" },
        { "a table", "gpt", "\"label\":1", "", "val_loss", "the model gpt learns from tokens" },
        { "heads", "gpt", TEXT, "\"d_model\":10,\"heads\":4", "val_loss",
          "d_model 10 is not a multiple of heads 4" },
        { "long windows", "gpt", TEXT, "\"context\":480", "val_loss",
          "the 480 tokens of the validation part make no window of 480" },
        { "longer windows", "gpt", TEXT, "\"context\":800", "val_loss",
          "the 1440 tokens of the training part make no window of 800" },
        { "metric", "gpt", TEXT, "", "val_r2", "'val_r2' is not reported" },
    };
    struct bench *b = &bench;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        if (set_up(b)) {
            if (!strcmp(cases[i].name, "a table"))
                kit_write(b->text, "1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n7,0\n8,1\n9,0\n", 36);
            T_TRUE(train(b, cases[i].family, cases[i].data, cases[i].metric, 2, cases[i].params, "",
                         NULL) < 0);
            T_HAS(cases[i].name, b->err.text, cases[i].says);
        }
        tear_down(b);
    }
}

T_MAIN("sequences", T_TEST(what_follows_is_learnt), T_TEST(a_model_writes_on),
       T_TEST(numbers_go_on_as_numbers), T_TEST(a_model_of_rows_writes_nothing),
       T_TEST(rows_of_tokens_are_told_apart), T_TEST(listed_layers_embed_tokens),
       T_TEST(texts_are_told_apart), T_TEST(a_schema_of_other_ids_is_refused),
       T_TEST(a_schema_of_more_than_a_text_is_refused),
       T_TEST(an_interruption_leaves_no_trace),
       T_TEST(what_does_not_fit_is_refused))
