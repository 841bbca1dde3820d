/* SPDX-License-Identifier: Apache-2.0
 * Losses, optimisers, learning rates and metrics beside those of PyTorch and scikit-learn, as
 * make_fit_golden.py has them on record.
 *
 * Theirs are in double precision. Ours: rates and metrics too, but for a few roundings in another
 * order, so 1e-12; losses and gradients are floats of a few steps, so 2e-6; weights after ten steps
 * of a size of up to 0.2 each, of which Adam's are off by 1.5e-5 (1 - beta2 as a float is off by
 * twice as much), so 1e-5. */
#include "trainkit.h"
#include <asy/loss.h>
#include "learn/tally.h"
#include "learn/update.h"

#define GOLDEN ASY_SOURCE_DIR "/tests/train/data/fit_torch.json"
#define MOST 1024

static struct asy_json *golden;

static double number(const struct asy_json *node, const char *key, double absent)
{
    return asy_json_f64(asy_json_get(node, key), absent);
}

static size_t floats(const struct asy_json *node, const char *key, float x[MOST])
{
    const struct asy_json *list = asy_json_get(node, key), *item;
    size_t n = 0;

    for (; n < MOST && (item = asy_json_at(list, n)); n++)
        x[n] = (float)asy_json_f64(item, (double)NAN);
    return n;
}

static size_t labels_of(const struct asy_json *node, const char *key, int32_t x[MOST])
{
    float values[MOST];
    size_t n = floats(node, key, values);

    for (size_t i = 0; i < n; i++)
        x[i] = (int32_t)values[i];
    return n;
}

static void near(const char *name, const float *got, const struct asy_json *want, size_t n,
                 double tol)
{
    T_EQ(name, asy_json_len(want), n);
    for (size_t i = 0; i < n; i++)
        T_NEAR(name, (double)got[i], asy_json_f64(asy_json_at(want, i), (double)NAN), tol);
}

static void losses_of_classes(void)
{
    const struct asy_json *cases = asy_json_get(golden, "class_losses"), *c;
    float x[MOST], weights[MOST];
    int32_t label[MOST];

    T_EQ("cases", asy_json_len(cases), 6);
    for (size_t i = 0; (c = asy_json_at(cases, i)); i++) {
        size_t classes = (size_t)number(c, "classes", 0), n = floats(c, "outputs", x);
        struct asy_class_loss how = { .smoothing = (float)number(c, "smoothing", -1) };
        uint64_t hits = 0;

        labels_of(c, "labels", label);
        if (floats(c, "weights", weights))
            how.weights = weights;
        T_NEAR("loss", asy_class_loss(&how, n / classes, classes, x, label, 1, &hits),
               number(c, "loss", NAN), 2e-6 * number(c, "loss", NAN));
        near("gradient", x, asy_json_get(c, "gradient"), n, 2e-6);
    }
}

static void losses_of_numbers(void)
{
    static const struct asy_class_loss plain = { 0, NULL };
    const struct asy_json *cases = asy_json_get(golden, "number_losses"), *c;
    float y[MOST], target[MOST];

    T_EQ("cases", asy_json_len(cases), 5);
    for (size_t i = 0; (c = asy_json_at(cases, i)); i++) {
        const char *name = asy_json_str(asy_json_get(c, "name"), "");
        float parameter = (float)number(c, "parameter", 0);
        size_t n = floats(c, "outputs", y);
        int32_t label[MOST];
        uint64_t hits = 0;
        double loss;

        floats(c, "targets", target);
        labels_of(c, "targets", label);
        if (!strcmp(name, "huber"))
            loss = asy_huber_loss(parameter, n, y, target, 1);
        else if (!strcmp(name, "quantile"))
            loss = asy_quantile_loss(parameter, n, y, target, 1);
        else
            loss = asy_binary_loss(&plain, n, y, label, 1, &hits);
        T_NEAR(name, loss, number(c, "loss", NAN), 2e-6 * number(c, "loss", NAN));
        near(name, y, asy_json_get(c, "gradient"), n, 2e-6);
    }
}

static int index_of(const char *word, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(word, words[i]))
            return i;
    return -1;
}

static struct asy__hyper hyper_of(const struct asy_json *c)
{
    static const char *const optimizers[] = { "sgd", "adam", "adamw", "adam_l2", NULL };
    struct asy__hyper h;

    asy__hyper_defaults(ASY__MLP, &h);
    h.optimizer = index_of(asy_json_str(asy_json_get(c, "optimizer"), ""), optimizers);
    h.lr = number(c, "lr", NAN);
    h.momentum = number(c, "momentum", 0);
    h.nesterov = asy_json_bool(asy_json_get(c, "nesterov"), 0);
    h.weight_decay = number(c, "weight_decay", 0);
    h.beta1 = number(c, "beta1", h.beta1);
    h.beta2 = number(c, "beta2", h.beta2);
    h.clip = number(c, "clip", 0);
    return h;
}

/* As a training does it, with what asy__update_step() makes of the hyperparameters. */
static void optimisers(void)
{
    const struct asy_json *cases = asy_json_get(golden, "optimisers"), *c;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *comm = NULL;

    T_EQ("cases", asy_json_len(cases), 7);
    T_OK(asy_comm_self(&comm, &err), &err);
    for (size_t i = 0; comm && (c = asy_json_at(cases, i)); i++) {
        float w[MOST], g[MOST], m[MOST] = { 0 }, v[MOST] = { 0 }, after[MOST];
        float room[64] __attribute__((aligned(64))) = { 0 };
        struct asy__hyper h = hyper_of(c);
        size_t n = floats(c, "start", w), steps = floats(c, "gradients", g) / n;
        struct asy__span span = { 0, n, 1 };
        struct asy__update_memory memory = { w, h.momentum > 0 || h.optimizer ? m : NULL, v, NULL,
                                             room };
        struct asy__update *update = NULL;

        if (!T_OK(asy__update_create(&h, 1, 10, &span, 1, n, &update, &err), &err))
            break;
        T_TRUE(asy__update_room(update) <= 64);
        for (size_t s = 0; s < steps; s++) {
            struct asy_comm_sum sum = { g + s * n, 0, n };

            asy__update_step(update, &memory, comm, &sum, s + 1, 1);
            memcpy(after + s * n, w, n * sizeof *w);
        }
        near(asy_json_str(asy_json_get(c, "optimizer"), ""), after, asy_json_get(c, "after"),
             n * steps, 1e-5);
        asy__update_destroy(update);
    }
    asy_comm_destroy(comm);
}

static void learning_rates(void)
{
    static const char *const rules[] = { "constant", "step", "linear", "cosine", "one_cycle",
                                         NULL };
    const struct asy_json *cases = asy_json_get(golden, "schedules"), *c;

    T_EQ("cases", asy_json_len(cases), 10);
    for (size_t i = 0; (c = asy_json_at(cases, i)); i++) {
        const char *rule = asy_json_str(asy_json_get(c, "rule"), "");
        const struct asy_json *rates = asy_json_get(c, "rates");
        struct asy__schedule s = {
            .rule = (enum asy__lr_schedule)index_of(rule, rules),
            .lr = number(c, "lr", NAN), .end = number(c, "end", 0),
            .factor = number(c, "factor", 1), .every = (uint64_t)number(c, "every", 0),
            .warmup = (uint64_t)number(c, "warmup", 0), .total = (uint64_t)number(c, "total", 0),
        };

        T_EQ("rates", asy_json_len(rates), s.total);
        for (uint64_t step = 1; step <= s.total; step++)
            T_NEAR(rule, asy__schedule_lr(&s, step, 1),
                   asy_json_f64(asy_json_at(rates, step - 1), (double)NAN), 1e-11);
    }
}

static void plateaus(void)
{
    const struct asy_json *cases = asy_json_get(golden, "plateaus"), *c;

    T_EQ("cases", asy_json_len(cases), 3);
    for (size_t i = 0; (c = asy_json_at(cases, i)); i++) {
        const struct asy_json *values = asy_json_get(c, "values");
        const struct asy_json *rates = asy_json_get(c, "rates");
        struct asy__schedule s = { .rule = ASY__LR_PLATEAU, .lr = 1 };
        struct asy__plateau p = ASY__PLATEAU_INIT;

        for (size_t e = 0; e < asy_json_len(values); e++) {
            T_NEAR("rate", asy__schedule_lr(&s, e + 1, p.cut),
                   asy_json_f64(asy_json_at(rates, e), (double)NAN), 1e-12);
            asy__plateau_judge(&p, asy_json_f64(asy_json_at(values, e), (double)NAN),
                               asy_json_bool(asy_json_get(c, "maximize"), 0),
                               (uint64_t)number(c, "patience", 0), number(c, "factor", NAN));
        }
    }
}

static void metrics_of_classes(void)
{
    const struct asy_json *cases = asy_json_get(golden, "class_metrics"), *c;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *comm = NULL;

    T_EQ("cases", asy_json_len(cases), 3);
    T_OK(asy_comm_self(&comm, &err), &err);
    for (size_t i = 0; comm && (c = asy_json_at(cases, i)); i++) {
        size_t classes = (size_t)number(c, "classes", 0);
        struct asy__tally_result got = { 0 };
        struct asy__tally *tally = NULL;
        int32_t label[MOST];
        float shares[MOST];
        size_t rows = labels_of(c, "labels", label);

        T_EQ("shares", floats(c, "shares", shares), rows * classes);
        if (T_OK(asy__tally_create(classes, rows, 0, rows, 1, &tally, &err), &err)) {
            asy__tally_add(tally, 0, rows, shares, label);
            T_OK(asy__tally_sum(tally, comm, label, &got, &err), &err);
            T_NEAR("f1", got.f1, number(c, "f1", NAN), 1e-12);
            /* theirs are divided by their sum, a float's last digit off one: one pair may turn */
            T_NEAR("area", got.area, number(c, "auc", NAN), classes == 2 ? 1e-12 : 2e-3);
        }
        asy__tally_destroy(tally);
    }
    asy_comm_destroy(comm);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(losses_of_classes), T_TEST(losses_of_numbers), T_TEST(optimisers),
        T_TEST(learning_rates), T_TEST(plateaus), T_TEST(metrics_of_classes),
    };
    struct asy_error err = ASY_ERROR_INIT;
    char *text = NULL;
    size_t len = 0;
    int rc;

    asy_kernels_init();
    if (asy_read_file(GOLDEN, 1u << 20, &text, &len, &err) < 0 ||
        asy_json_parse(text, len, &golden, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    rc = t__main("fit_parity", tests, ASY_ARRAY_LEN(tests));
    asy_json_destroy(golden);
    free(text);
    return rc;
}
