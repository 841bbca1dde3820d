/* SPDX-License-Identifier: Apache-2.0
 * Ranks of several cores: whatever a team of any size computes has the bits of one thread. */
#include "trainkit.h"
#include <stdlib.h>
#include <sys/syscall.h>
#include <asy/cpus.h>
#include <asy/rng.h>
#include <asy/training.h>
#include "cores.h"
#include "net/families.h"
#include "learn/score.h"

/* ---- a step ---------------------------------------------------------------------------------- */

enum { ROWS = 72, MOST = 1 << 19 };

static struct net_case {
    const char *name;
    enum asy__family family;
    size_t features, classes, vocabulary;
    const char *params;
} cases[] = {
    { "mlp", ASY__MLP, 200, 10, 0, "{\"hidden\":160,\"activation\":\"gelu\",\"dropout\":0.3}" },
    { "mlp, numbers", ASY__MLP, 200, 0, 0, "{\"hidden\":160,\"activation\":\"tanh\"}" },
    { "mlp, layer norm", ASY__MLP, 129, 7, 0, "{\"hidden\":255,\"norm\":\"layer\"}" },
    { "mlp, batch norm", ASY__MLP, 200, 7, 0, "{\"hidden\":160,\"norm\":\"batch\"}" },
    { "mlp, bf16", ASY__MLP, 200, 10, 0, "{\"hidden\":160,\"precision\":\"bf16\"}" },
    { "linear", ASY__LINEAR, 900, 64, 0, "{}" },
    { "cnn", ASY__CNN, 784, 10, 0, "{\"filters\":8,\"kernel\":5,\"padding\":\"valid\"}" },
    { "cnn, mean", ASY__CNN, 784, 10, 0,
      "{\"filters\":8,\"pool\":\"mean\",\"activation\":\"silu\"}" },
    { "cnn, residual", ASY__CNN, 784, 10, 0,
      "{\"filters\":8,\"residual\":true,\"norm\":\"batch\"}" },
    { "gpt", ASY__GPT, 32, 0, 50, "{\"d_model\":64,\"context\":32,\"tied\":true,\"dropout\":0.1,"
      "\"attention_dropout\":0.2}" },
    { "transformer", ASY__TRANSFORMER, 128, 5, 0, "{\"d_model\":64,\"tokens\":16}" },
};

struct step {
    struct asy__net *net;
    float *memory, *params, *buffers, *grads, *x, *out;
    int32_t *label;
    float target[ROWS];
    struct asy__score score;
};

static void fini(struct step *s)
{
    asy__net_destroy(s->net);
    free(s->memory);
    free(s->params);
    free(s->buffers);
    free(s->grads);
    free(s->x);
    free(s->out);
    free(s->label);
}

/* Columns stand for those of a table; only their number counts. */
static struct asy__net *net_of(const struct net_case *c)
{
    static struct asy__column columns[1024];
    struct asy__schema schema = { .n_features = c->features, .columns = columns,
                                  .classification = c->classes || c->vocabulary,
                                  .vocabulary = c->vocabulary };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *params = NULL;
    struct asy__net *net = NULL;
    struct asy__hyper hyper;

    schema.classes.n = c->classes;
    asy__hyper_defaults(c->family, &hyper);
    if (T_OK(asy_json_parse(c->params, strlen(c->params), &params, &err), &err) &&
        T_OK(asy__hyper_read(params, &hyper, &err), &err))
        T_OK(asy__family_net(&hyper, &schema, ROWS, ROWS, &net, &err), &err);
    asy_json_destroy(params);
    return net;
}

static bool init(struct step *s, const struct net_case *c, struct asy_team *team)
{
    size_t tokens = c->vocabulary ? c->features : 1, outs;
    struct asy_rng rng;

    memset(s, 0, sizeof *s);
    if (!(s->net = net_of(c)))
        return false;
    asy__net_team(s->net, team);
    outs = asy__shape_size(s->net->outputs);
    if (posix_memalign((void **)&s->memory, 64, asy__net_room(s->net) * sizeof(float)))
        s->memory = NULL;
    s->params = malloc(s->net->n_params * sizeof(float));
    s->buffers = calloc(s->net->n_buffers + 1, sizeof(float));
    s->grads = calloc(s->net->n_params, sizeof(float));
    s->x = malloc(ROWS * c->features * sizeof(float));
    s->out = malloc(ROWS * outs * sizeof(float));
    s->label = malloc(ROWS * tokens * sizeof(int32_t));
    if (!T_TRUE(s->memory && s->params && s->buffers && s->grads && s->x && s->out && s->label))
        return false;
    memset(s->memory, 0xff, asy__net_room(s->net) * sizeof(float)); /* no number */
    asy__net_bind(s->net, s->memory);
    asy__net_init(s->net, 5, s->params, s->buffers);
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < ROWS * c->features; i++)
        s->x[i] = c->vocabulary ? (float)asy_rng_below(&rng, c->vocabulary)
                                : (float)asy_rng_normal(&rng);
    for (size_t i = 0; i < ROWS * tokens; i++)
        s->label[i] = (int32_t)asy_rng_below(&rng, s->net->outputs.channels);
    for (size_t i = 0; i < ROWS; i++)
        s->target[i] = (float)asy_rng_normal(&rng);
    return true;
}

/* The gradient of a batch's later rows, then the outputs. */
static bool run(struct step *s, const struct net_case *c, struct asy_team *team)
{
    struct asy__batch batch = { .rows = ROWS, .first = 3, .scale = 1.0f / ROWS, .seed = 9,
                                .step = 4 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__learner learner;
    float *out = NULL;

    if (!init(s, c, team))
        return false;
    batch.x = s->x;
    batch.label = s->label;
    batch.target = s->target;
    learner = asy__net_learner(s->net, s->params, s->buffers);
    if (!T_OK(learner.type->gradient(&learner, &batch, s->grads, &s->score, &err), &err) ||
        !T_OK(learner.type->outputs(&learner, s->x, learner.rows_max, &out, &err), &err))
        return false;
    memcpy(s->out, out, learner.rows_max * learner.outs * sizeof *out);
    return true;
}

static void compare(const char *name, size_t n, const struct step *one, const struct step *many)
{
    const struct asy__net *net = one->net;
    size_t outs = net->eval_rows * asy__shape_size(net->outputs);

    if (memcmp(one->grads, many->grads, net->n_params * sizeof(float)) != 0 ||
        memcmp(one->out, many->out, outs * sizeof(float)) != 0 ||
        memcmp(one->buffers, many->buffers, net->n_buffers * sizeof(float)) != 0 ||
        memcmp(&one->score, &many->score, sizeof one->score) != 0)
        t__check(false, __LINE__, __FILE__, "%s: %zu threads have other bits", name, n);
}

static void a_step_has_the_bits_of_one_thread(void)
{
    asy_kernels_init();
    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct step one, many;

        if (run(&one, &cases[c], NULL))
            for (size_t n = 2; n <= 3; n++) {
                struct asy_team *team = NULL;

                if (!T_OK(asy_team_create(n, NULL, &team, &err), &err))
                    break;
                if (run(&many, &cases[c], team))
                    compare(cases[c].name, n, &one, &many);
                if (asy_team_runs(team) < 3)
                    t__check(false, __LINE__, __FILE__, "%s: the team was not asked",
                             cases[c].name);
                fini(&many);
                asy_team_destroy(team);
            }
        fini(&one);
    }
}

/* ---- trainings ------------------------------------------------------------------------------- */

static int train(const char *dir, const char *family, const char *file, const char *cores,
                 const char *params, const char *name, char path[160])
{
    static const struct asy_train_callbacks callbacks;
    static struct asy_train_result result;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_trainer *trainer = NULL;
    struct asy_comm *comm = NULL;
    struct asy_json *job = kit_family_job(family, file, cores, "val_loss", "minimize", 2, params,
                                          "");
    int rc = asy_comm_self(&comm, &err);

    if (rc == 0 && (rc = asy_trainer_create(comm, &trainer, &err)) == 0)
        rc = asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err);
    T_OK(rc, &err);
    snprintf(path, 160, "%s/%s", dir, name);
    if (rc == 0)
        T_EQ("kept", rename(result.model_path, path), 0);
    asy_trainer_destroy(trainer);
    asy_comm_destroy(comm);
    asy_json_destroy(job);
    return rc;
}

/* The kit's braces close those of resources. */
#define CORES(data, n) data "},\"resources\":{\"cores\":" n
#define STRICT(data, n) CORES(data, n) ",\"reproducible\":\"strict\""
#define TABLE "\"label\":-1"
#define TEXT "\"format\":\"text\""

static void a_training_has_the_bits_of_one_core(void)
{
    static const struct {
        const char *family, *file, *one, *two, *params;
    } jobs[] = {
        { "mlp", KIT_DIGITS, CORES(TABLE, "1"), CORES(TABLE, "2"),
          "\"hidden\":256,\"batch_size\":512,\"ema\":0.9" },
        { "mlp", KIT_DIGITS, CORES(TABLE, "1"), CORES(TABLE, "2"),
          "\"hidden\":256,\"batch_size\":512,\"optimizer\":\"lamb\",\"clip\":1,\"accumulate\":2" },
        { "mlp", KIT_DIGITS, STRICT(TABLE, "1"), STRICT(TABLE, "2"),
          "\"hidden\":256,\"batch_size\":1024,\"optimizer\":\"sgd\"" },
        { "gpt", ASY_SOURCE_DIR "/README.md", CORES(TEXT, "1"), CORES(TEXT, "64"),
          "\"d_model\":64,\"heads\":2,\"context\":64,\"batch_size\":16" },
    };
    char dir[64], one[160], two[160];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(jobs); i++)
        if (train(dir, jobs[i].family, jobs[i].file, jobs[i].one, jobs[i].params, "one", one) ==
                0 &&
            train(dir, jobs[i].family, jobs[i].file, jobs[i].two, jobs[i].params, "two", two) == 0)
            kit_same(jobs[i].family, one, two);
    kit_rmdir(dir);
}

/* As many as asked for, as there are, and pinned where they are the rank's own. */
static void a_team_fits_the_cores_that_are_there(void)
{
    static unsigned cpus[8192];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_team *team = NULL;
    size_t n, now;

    T_OK(asy_cpus_read(0, cpus, ASY_ARRAY_LEN(cpus), &n, &err), &err);
    T_OK(asy__cores_team(1, &team, &err), &err);
    T_TRUE(team == NULL);
    T_OK(asy__cores_team(n + 1, &team, &err), &err);
    T_EQ("no more than there are", asy_team_size(team), n);
    asy_team_destroy(team);
    team = NULL;
    T_OK(asy__cores_team(n, &team, &err), &err);
    T_EQ("all of them", asy_team_size(team), n);
    T_OK(asy_cpus_read((pid_t)syscall(SYS_gettid), cpus, ASY_ARRAY_LEN(cpus), &now, &err), &err);
    T_EQ("the owner's", now, 1);
    asy_team_destroy(team);
}

T_MAIN("cores", T_TEST(a_step_has_the_bits_of_one_thread),
       T_TEST(a_training_has_the_bits_of_one_core), T_TEST(a_team_fits_the_cores_that_are_there))
