/* SPDX-License-Identifier: Apache-2.0
 * A network that is told token after token says what a pass over the whole window says, to the
 * bit; and so what a model writes is what it would write without anything kept. */
#include "trainkit.h"
#include "nomem.h"
#include <asy/rng.h>
#include <asy/training.h>
#include "net/families.h"
#include "net/net_steps.h"

#define VOCABULARY 13
#define CONTEXT 37 /* of more than one block of queries */

struct bench {
    struct asy__net *net;
    struct asy__net_steps *steps;
    float *memory, ids[2 * CONTEXT];
};

static void fill(float *x, size_t n, uint64_t seed)
{
    struct asy_rng rng;

    asy_rng_init(&rng, seed, 0, ASY_RNG_INIT);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(0.3 * asy_rng_normal(&rng));
}

static bool set_up(struct bench *b, const char *params)
{
    struct asy__schema schema = { .vocabulary = VOCABULARY, .classification = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy__hyper hyper;
    struct asy_rng rng;
    bool ok;

    memset(b, 0, sizeof *b);
    asy__hyper_defaults(ASY__GPT, &hyper);
    ok = T_OK(asy_json_parse(params, strlen(params), &root, &err), &err) &&
         T_OK(asy__hyper_read(root, &hyper, &err), &err);
    hyper.context = CONTEXT;
    ok = ok && T_OK(asy__family_net(&hyper, &schema, 0, 1, &b->net, &err), &err) &&
         T_EQ("memory", posix_memalign((void **)&b->memory, 64,
                                       (b->net->n_params + asy__net_room(b->net)) * sizeof(float)),
              0);
    if (ok) {
        fill(b->memory, b->net->n_params, 5);
        asy__net_bind(b->net, b->memory + b->net->n_params);
        ok = T_OK(asy__net_steps_create(b->net, b->memory, &b->steps, &err), &err);
    }
    asy_rng_init(&rng, 6, 0, ASY_RNG_INIT);
    for (size_t i = 0; i < 2 * CONTEXT; i++)
        b->ids[i] = (float)asy_rng_below(&rng, VOCABULARY);
    asy_json_destroy(root);
    return ok;
}

static void tear_down(struct bench *b)
{
    asy__net_steps_destroy(b->steps);
    asy__net_destroy(b->net);
    free(b->memory);
}

/* What a whole pass says of the last of n tokens that begin at `first`. */
static bool whole(struct bench *b, size_t first, size_t n, float *ret)
{
    struct asy__learner learner = asy__net_learner(b->net, b->memory, NULL);
    struct asy_error err = ASY_ERROR_INIT;
    float x[CONTEXT] = { 0 }, *out;

    memcpy(x, b->ids + first, n * sizeof *x);
    if (!T_OK(learner.type->outputs(&learner, x, 1, &out, &err), &err))
        return false;
    memcpy(ret, out + (n - 1) * VOCABULARY, VOCABULARY * sizeof *ret);
    return true;
}

static void tell(struct bench *b, const char *name, size_t first, size_t known, size_t n)
{
    float got[VOCABULARY], want[VOCABULARY];

    memcpy(got, asy__net_steps_tell(b->steps, b->ids + first, known, n), sizeof got);
    if (whole(b, first, n, want))
        T_EQ(name, memcmp(got, want, sizeof want), 0);
}

/* In what pieces a window is told does not matter, nor what was told before. */
static void tokens_that_are_kept_change_no_bit(void)
{
    static const char *const cases[] = {
        "{\"d_model\":24,\"heads\":3,\"blocks\":3}",
        "{\"d_model\":20,\"heads\":2,\"blocks\":1,\"tied\":true}",
        "{\"d_model\":48,\"heads\":4,\"blocks\":2,\"activation\":\"relu\",\"dropout\":0.2}",
        "{\"d_model\":24,\"heads\":2,\"blocks\":2,\"activation\":\"softmax\"}",
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct bench b;

        if (set_up(&b, cases[i])) {
            for (size_t n = 1; n <= CONTEXT; n++)
                tell(&b, "one by one", 0, n - 1, n);
            for (size_t first = 1; first < 5; first++)
                tell(&b, "the window moves on", first, 0, CONTEXT);
            tell(&b, "a beginning", 9, 0, 5);
            tell(&b, "more", 9, 5, 6);
            tell(&b, "much more", 9, 6, CONTEXT);
        }
        tear_down(&b);
    }
}

/* Those of a row see each other, and places that come later would change what is kept. */
static void who_sees_what_comes_is_refused(void)
{
    static const struct { const char *name; struct asy__layer_desc layers[3]; } cases[] = {
        { "both ways", { { .kind = ASY__EMBED, .width = 12, .vocabulary = 5 },
                         { .kind = ASY__ATTENTION, .heads = 2 } } },
        { "a mean", { { .kind = ASY__EMBED, .width = 12, .vocabulary = 5 },
                      { .kind = ASY__ATTENTION, .heads = 2, .causal = 1 },
                      { .kind = ASY__GLOBAL_MEAN } } },
    };
    const struct asy__net_options options = { .features = { 1, 7, 1 }, .eval_rows = 1 };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__net_steps *steps = NULL;
        struct asy__net *net = NULL;

        if (T_OK(asy__net_create(cases[i].layers, 2 + i, &options, &net, &err), &err)) {
            T_EQ(cases[i].name, asy__net_steps_create(net, NULL, &steps, &err),
                 ASY_E_UNSUPPORTED);
            T_HAS(cases[i].name, err.text, "told token after token");
        }
        asy__net_destroy(net);
    }
}

static const struct bench *thirsty;

static int create(struct asy_error *err)
{
    struct asy__net_steps *steps = NULL;
    int rc = asy__net_steps_create(thirsty->net, thirsty->memory, &steps, err);

    asy__net_steps_destroy(steps);
    return rc;
}

static void want_of_memory_is_an_error(void)
{
    struct bench b;

    thirsty = &b;
    if (set_up(&b, "{\"d_model\":8,\"heads\":2,\"blocks\":2}"))
        T_EQ("allocations", t_nomem_each("steps", create), 2);
    tear_down(&b);
}

/* ---- what a model writes --------------------------------------------------------------------- */

static char *written(const char *model, const char *prompt, size_t n, double temperature)
{
    const struct asy_generate options = { prompt, n, 0, temperature, 3 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf text;
    char *taken = NULL;

    asy_buf_init(&text, 1u << 16);
    if (T_OK(asy_trainer_generate(model, &options, 0, &text, &err), &err))
        taken = asy_buf_take(&text, NULL);
    asy_buf_fini(&text);
    if (taken && *taken)
        taken[strlen(taken) - 1] = '\0'; /* the end of the line */
    return taken;
}

/* Each token by a call of its own, which keeps nothing from the one before: over the window's end
 * and beyond. */
static void calls_of_one_token_write_the_same(void)
{
    struct asy_json *job = kit_family_job("gpt", ASY_SOURCE_DIR "/LICENSE", "\"format\":\"text\"",
                                          "val_loss", "minimize", 3,
                                          "\"d_model\":16,\"heads\":2,\"blocks\":2,\"context\":24,"
                                          "\"lr\":0.01", "");
    static const struct asy_train_callbacks callbacks = { 0 };
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *comm = NULL;
    char dir[64], *all = NULL, *text = strdup("the "), *next;

    if (!text || !kit_dir(dir) || !T_OK(asy_comm_self(&comm, &err), &err) ||
        !T_OK(asy_trainer_create(comm, &trainer, &err), &err) ||
        !T_OK(asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err), &err))
        goto out;
    all = written(result.model_path, "the ", 60, 0);
    for (int i = 0; i < 60 && (next = written(result.model_path, text, 1, 0)); i++) {
        free(text);
        text = next;
    }
    T_STR("written", all ? all : "", text);
    T_EQ("tokens", strlen(text), 64);
out:
    free(all);
    free(text);
    asy_json_destroy(job);
    asy_trainer_destroy(trainer);
    asy_comm_destroy(comm);
    kit_rmdir(dir);
}

T_MAIN("generate", T_TEST(tokens_that_are_kept_change_no_bit),
       T_TEST(who_sees_what_comes_is_refused), T_TEST(want_of_memory_is_an_error),
       T_TEST(calls_of_one_token_write_the_same))
