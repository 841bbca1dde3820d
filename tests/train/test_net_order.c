/* SPDX-License-Identifier: Apache-2.0
 * What is told of a gradient while it is made: what is called whole is whole, no bit depends on
 * whether anybody listens, and weights come before inputs. */
#include <asytest.h>
#include <asy/comm.h>
#include <asy/kernels.h>
#include <asy/rng.h>
#include "learn/score.h"
#include "net/net_order.h"

#define FEATURES 800
#define CLASSES 10
#define ROWS 1300 /* of more than two parts of a product, and no multiple of one */

/* One net with its memory, and a listener. */
struct listened {
    struct asy__net *net;
    struct asy__net_order *order; /* NULL: nobody listens */
    float *memory, *params, *grads;
    const float *want; /* [n_params] */
    size_t calls, whole, early, backward, dx_first;
};

static float x[ROWS * FEATURES];
static int32_t label[ROWS];

static bool make(struct listened *l, int bf16)
{
    static const struct asy__layer_desc layers[] = {
        { .kind = ASY__DENSE, .width = 150, .act = ASY_ACT_TANH },
        { .kind = ASY__DENSE, .width = 64, .act = ASY_ACT_RELU },
        { .kind = ASY__LAYER_NORM },
        { .kind = ASY__DENSE, .width = 70 },
        { .kind = ASY__DENSE, .width = CLASSES },
    };
    struct asy__net_options options = { .features = { 1, 1, FEATURES }, .train_rows = ROWS,
                                        .eval_rows = 1, .bf16 = bf16,
                                        .loss = { .kind = ASY_OP_SOFTMAX_LOSS } };
    struct asy_error err = ASY_ERROR_INIT;

    memset(l, 0, sizeof *l);
    if (!T_OK(asy__net_create(layers, ASY_ARRAY_LEN(layers), &options, &l->net, &err), &err) ||
        !T_EQ("memory", posix_memalign((void **)&l->memory, 64,
                                       asy__net_room(l->net) * sizeof(float)), 0))
        return false;
    memset(l->memory, 0xff, asy__net_room(l->net) * sizeof(float)); /* no number */
    asy__net_bind(l->net, l->memory);
    l->params = calloc(l->net->n_params, sizeof(float));
    l->grads = calloc(l->net->n_params, sizeof(float));
    if (!T_TRUE(l->params && l->grads))
        return false;
    asy__net_init(l->net, 7, l->params, NULL);
    return true;
}

static void fini(struct listened *l)
{
    asy__net_order_destroy(l->order);
    asy__net_destroy(l->net);
    free(l->memory);
    free(l->params);
    free(l->grads);
}

/* The first `n` in the order are what they will be. */
static size_t wrong_ones(const struct listened *l, size_t n)
{
    size_t n_extents, wrong = 0;
    const struct asy_comm_extent *extents = asy__net_order_get(l->order, &n_extents);

    for (size_t e = 0; e < n_extents && n > 0; e++) {
        size_t some = extents[e].n < n ? extents[e].n : n;

        wrong += memcmp(l->grads + extents[e].at, l->want + extents[e].at,
                        some * sizeof(float)) != 0;
        n -= some;
    }
    return wrong;
}

static void listen(void *arg, const struct asy_op *op, size_t n)
{
    struct listened *l = arg;
    size_t whole = asy__net_order_whole(l->order, op, n);

    l->calls++;
    T_TRUE(whole >= l->whole);
    l->early += whole > l->whole && n < SIZE_MAX;
    l->whole = whole;
    T_EQ("extents that are not whole", wrong_ones(l, whole), 0);
    l->backward += op->kind == ASY_OP_DENSE_DX && n == SIZE_MAX;
    l->dx_first += op->kind == ASY_OP_DENSE_DX && op[1].kind == ASY_OP_DENSE_DW &&
                   op[1].in[0].at == op->in[0].at && op[1].in[0].space == op->in[0].space;
}

static bool run(struct listened *l)
{
    struct asy__learner learner = asy__net_learner(l->net, l->params, NULL);
    struct asy__batch batch = { .rows = ROWS, .x = x, .label = label, .scale = 1.0f / ROWS };
    struct asy__score score = { 0 };
    struct asy_error err = ASY_ERROR_INIT;

    if (l->order) {
        learner.between = listen;
        learner.between_arg = l;
    }
    return T_OK(learner.type->gradient(&learner, &batch, l->grads, &score, &err), &err);
}

static void check(int bf16)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct listened deaf, one;
    bool ok = make(&deaf, bf16);

    ok = make(&one, bf16) && ok;
    if (!ok || !run(&deaf) || !T_OK(asy__net_order_create(one.net, &one.order, &err), &err))
        goto out;
    one.want = deaf.grads;
    if (!run(&one))
        goto out;
    T_EQ("whole", one.whole, one.net->n_params);
    T_EQ("gradients of inputs", one.backward, 3);
    T_EQ("that come before those of their weights", one.dx_first, 0);
    T_EQ("same bits", memcmp(deaf.grads, one.grads, one.net->n_params * sizeof(float)), 0);
    if (!bf16) {
        T_EQ("parts that are whole before their operation is over", one.early, 2);
        T_TRUE(one.calls >= one.net->train.n + 3 * 2 + 2 + 3 * 2 + 3 * 2); /* and within products */
    }
out:
    fini(&deaf);
    fini(&one);
}

static void what_is_told_is_whole(void)
{
    check(0);
}

static void in_bf16_too(void)
{
    check(1);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(what_is_told_is_whole),
        T_TEST(in_bf16_too),
    };
    struct asy_rng rng;

    asy_kernels_init();
    asy_rng_init(&rng, 3, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < ASY_ARRAY_LEN(x); i++)
        x[i] = (float)asy_rng_normal(&rng);
    for (size_t i = 0; i < ROWS; i++)
        label[i] = (int32_t)asy_rng_below(&rng, CLASSES);
    return t__main("net_order", tests, ASY_ARRAY_LEN(tests));
}
