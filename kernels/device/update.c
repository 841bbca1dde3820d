/* SPDX-License-Identifier: Apache-2.0
 * update.c - updates of a network's parameters on its device. Nothing is read: the norms of
 * clipping, LAMB and LARS become factors in the device's memory.
 *
 * Norms are sums of squares by parts of a tensor, as pairs of floats, in one order. Unlike those of
 * the cpu, in double precision, they reach 1e19 at most: a gradient above it is not clipped but
 * taken as none, and one below 1e-19 has a norm of 0. */
#include "net.h"
#include <math.h>
#include <stdlib.h>

#define PART 4096 /* floats: 16 for each item of a group */

/* Cuts tensors into parts; parts NULL: only counts. */
static size_t cut(const struct asy_device_span *spans, size_t n, uint32_t (*parts)[3],
                  uint32_t (*tensors)[3])
{
    size_t n_parts = 0;

    for (size_t s = 0; s < n; s++) {
        size_t count = asy__groups(spans[s].n, PART);

        for (size_t i = 0; parts && i < count; i++) {
            size_t at = i * PART, left = spans[s].n - at;

            parts[n_parts + i][0] = (uint32_t)(spans[s].at + at);
            parts[n_parts + i][1] = (uint32_t)(left < PART ? left : PART);
            parts[n_parts + i][2] = (uint32_t)s;
        }
        if (tensors) {
            tensors[s][0] = (uint32_t)n_parts;
            tensors[s][1] = (uint32_t)count;
            tensors[s][2] = spans[s].adapts != 0;
        }
        n_parts += count;
    }
    return n_parts;
}

static int alloc(struct asy_device *device, struct asy__update_state *u, size_t n_tensors,
                 struct asy_error *err)
{
    int rc;

    if ((rc = asy__device_alloc(device, 3 * u->n_parts, &u->parts, err)) ||
        (rc = asy__device_alloc(device, 3 * n_tensors, &u->tensors, err)) ||
        (rc = asy__device_alloc(device, 2 * u->n_parts, &u->weights, err)) ||
        (rc = asy__device_alloc(device, 2 * u->n_parts, &u->change, err)) ||
        (rc = asy__device_alloc(device, n_tensors, &u->trust, err)))
        return rc;
    return asy__device_alloc(device, 1, &u->factor, err);
}

int asy__update_init(struct asy_device_net *net, struct asy_error *err)
{
    size_t n = net->desc.n_spans;
    struct asy__update_state *u = &net->update;
    uint32_t (*parts)[3] = NULL, (*tensors)[3] = NULL;
    int rc;

    u->n_parts = cut(net->desc.spans, n, NULL, NULL);
    parts = calloc(u->n_parts + 1, sizeof *parts);
    tensors = calloc(n + 1, sizeof *tensors);
    if (!parts || !tensors) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for the updates of %zu tensors", n);
        goto out;
    }
    cut(net->desc.spans, n, parts, tensors);
    if ((rc = alloc(net->device, u, n, err)) ||
        (rc = asy__device_write(net->device, u->parts, 0, parts, 3 * u->n_parts, err)))
        goto out;
    rc = asy__device_write(net->device, u->tensors, 0, tensors, 3 * n, err);
out:
    free(parts);
    free(tensors);
    return rc;
}

void asy__update_fini(struct asy_device_net *net)
{
    struct asy__mem *mems[] = { net->update.parts, net->update.tensors, net->update.weights,
                                net->update.change, net->update.trust, net->update.factor };

    for (size_t i = 0; i < ASY_ARRAY_LEN(mems); i++)
        asy__device_free(net->device, mems[i]);
}

/* What a step of Adam takes, as the cpu has it (asy/kernels.h). */
struct constants {
    float keep, rate, root;
};
static struct constants constants_of(const struct asy_adam *adam, double lr, uint64_t step)
{
    double first = 1 - pow(adam->beta1, (double)step);
    double second = 1 - pow(adam->beta2, (double)step);

    return (struct constants){ (float)(1 - lr * adam->weight_decay), (float)(lr / first),
                               (float)(1 / sqrt(second)) };
}

/* The arrays that every update takes. */
struct arrays {
    struct asy__mem *w, *g, *m, *v;
    size_t n;
    int clips;
};
#define ARG_CLIP(net, a) ARG_MEM((net)->update.factor), ARG_U32((a)->clips)

static int sgd(struct asy_device_net *net, const struct arrays *a, const struct asy_sgd *how,
               struct asy_error *err)
{
    return ASY__LAUNCH(net->device, err, sgd_step, asy__groups(a->n, 256), 1, 1, ARG_MEM(a->w),
                       ARG_MEM(a->g), ARG_MEM(a->m), ARG_CLIP(net, a), ARG_U64(a->n),
                       ARG_F32(how->lr), ARG_F32(how->momentum), ARG_F32(how->weight_decay),
                       ARG_U32(how->nesterov != 0));
}

static int adam(struct asy_device_net *net, const struct arrays *a, const struct asy_adam *how,
                int l2, uint64_t step, struct asy_error *err)
{
    struct constants c = constants_of(how, how->lr, step);

    return ASY__LAUNCH(net->device, err, adam_step, asy__groups(a->n, 256), 1, 1, ARG_MEM(a->w),
                       ARG_MEM(a->g), ARG_MEM(a->m), ARG_MEM(a->v), ARG_CLIP(net, a),
                       ARG_U64(a->n), ARG_F32(l2 ? 1 : c.keep), ARG_F32(c.rate), ARG_F32(c.root),
                       ARG_F32((float)how->epsilon), ARG_F32((float)how->beta1),
                       ARG_F32((float)how->beta2), ARG_F32(l2 ? (float)how->weight_decay : 0));
}

static int squares(struct asy_device_net *net, struct asy__mem *x, struct asy__mem *sums,
                   struct asy_error *err)
{
    return ASY__LAUNCH(net->device, err, part_squares, net->update.n_parts, 1, 1, ARG_MEM(x),
                       ARG_MEM(net->update.parts), ARG_MEM(sums));
}

/* The sums of squares of w and of what is taken off it have been made: trust of each tensor. */
static int trust(struct asy_device_net *net, int clips, double coefficient, double decay,
                 struct asy_error *err)
{
    struct asy__update_state *u = &net->update;

    return ASY__LAUNCH(net->device, err, trust_of, net->desc.n_spans, 1, 1, ARG_MEM(u->weights),
                       ARG_MEM(u->change), ARG_MEM(u->tensors), ARG_MEM(u->factor), ARG_U32(clips),
                       ARG_F32((float)coefficient), ARG_F32((float)decay), ARG_MEM(u->trust));
}

static int lamb(struct asy_device_net *net, const struct arrays *a, const struct asy_adam *how,
                uint64_t step, struct asy_error *err)
{
    struct constants c = constants_of(how, 1, step);
    struct asy__update_state *u = &net->update;
    float decay = (float)how->weight_decay, epsilon = (float)how->epsilon;
    int rc = ASY__LAUNCH(net->device, err, lamb_moments, u->n_parts, 1, 1, ARG_MEM(a->w),
                         ARG_MEM(a->g), ARG_MEM(a->m), ARG_MEM(a->v), ARG_CLIP(net, a),
                         ARG_MEM(u->parts), ARG_MEM(u->weights), ARG_MEM(u->change),
                         ARG_F32(c.rate), ARG_F32(c.root), ARG_F32(epsilon),
                         ARG_F32((float)how->beta1), ARG_F32((float)how->beta2), ARG_F32(decay));

    if (rc || (rc = trust(net, 0, 1, 0, err)))
        return rc;
    return ASY__LAUNCH(net->device, err, lamb_apply, u->n_parts, 1, 1, ARG_MEM(a->w), ARG_MEM(a->m),
                       ARG_MEM(a->v), ARG_MEM(u->parts), ARG_MEM(u->trust), ARG_F32((float)how->lr),
                       ARG_F32(c.rate), ARG_F32(c.root), ARG_F32(epsilon), ARG_F32(decay));
}

/* Those of the gradient are there where it is clipped. */
static int lars(struct asy_device_net *net, const struct arrays *a, const struct asy_sgd *how,
                double coefficient, struct asy_error *err)
{
    struct asy__update_state *u = &net->update;
    int rc = squares(net, a->w, u->weights, err);

    if (!rc && !a->clips)
        rc = squares(net, a->g, u->change, err);
    if (rc || (rc = trust(net, a->clips, coefficient, (double)how->weight_decay, err)))
        return rc;
    return ASY__LAUNCH(net->device, err, lars_apply, u->n_parts, 1, 1, ARG_MEM(a->w), ARG_MEM(a->g),
                       ARG_MEM(a->m), ARG_CLIP(net, a), ARG_MEM(u->parts), ARG_MEM(u->trust),
                       ARG_F32(how->lr), ARG_F32(how->momentum), ARG_F32(how->weight_decay),
                       ARG_U32(how->nesterov != 0));
}

static int clip(struct asy_device_net *net, const struct arrays *a, double most,
                struct asy_error *err)
{
    struct asy__update_state *u = &net->update;
    int rc = squares(net, a->g, u->change, err);

    return rc ? rc : ASY__LAUNCH(net->device, err, clip_factor, 1, 1, 1, ARG_MEM(u->change),
                                 ARG_U32(u->n_parts), ARG_F32((float)most), ARG_MEM(u->factor));
}

static int check(const struct asy_device_net *net, const struct asy_device_update *update,
                 struct asy_error *err)
{
    int by_sgd = update->rule == ASY_RULE_SGD || update->rule == ASY_RULE_LARS;
    int by_tensors = update->rule == ASY_RULE_LAMB || update->rule == ASY_RULE_LARS;

    if (!net->arrays[ASY_ARRAY_GRADS])
        return asy_fail(err, ASY_E_INVAL, "an update of a network that is only evaluated");
    if ((!net->arrays[ASY_ARRAY_M] && (!by_sgd || update->sgd.momentum != 0)) ||
        (!net->arrays[ASY_ARRAY_V] && !by_sgd) ||
        (!net->arrays[ASY_ARRAY_MEAN] && update->mean_rate != 0))
        return asy_fail(err, ASY_E_INVAL, "an update that needs arrays which are not kept");
    if (!net->desc.n_spans && (by_tensors || update->clip > 0))
        return asy_fail(err, ASY_E_INVAL, "an update by tensors of a network that names none");
    return 0;
}

static int step(struct asy_device_net *net, const struct arrays *a,
                const struct asy_device_update *update, struct asy_error *err)
{
    switch (update->rule) {
    case ASY_RULE_SGD:
        return sgd(net, a, &update->sgd, err);
    case ASY_RULE_ADAMW:
    case ASY_RULE_ADAM_L2:
        return adam(net, a, &update->adam, update->rule == ASY_RULE_ADAM_L2, update->step, err);
    case ASY_RULE_LAMB:
        return lamb(net, a, &update->adam, update->step, err);
    case ASY_RULE_LARS:
        return lars(net, a, &update->sgd, update->trust, err);
    }
    return asy_fail(err, ASY_E_INVAL, "no update has the number %d", (int)update->rule);
}

int asy_device_net_update(struct asy_device_net *net, const struct asy_device_update *update,
                          struct asy_error *err)
{
    struct arrays a = { net->arrays[ASY_ARRAY_PARAMS], net->arrays[ASY_ARRAY_GRADS],
                        net->arrays[ASY_ARRAY_M], net->arrays[ASY_ARRAY_V], net->desc.n_params,
                        update->clip > 0 };
    int rc = check(net, update, err);

    if (!rc && a.clips)
        rc = clip(net, &a, update->clip, err);
    if (rc || (rc = step(net, &a, update, err)) || update->mean_rate == 0)
        return rc;
    return ASY__LAUNCH(net->device, err, mean_step, asy__groups(a.n, 256), 1, 1, ARG_MEM(a.w),
                       ARG_MEM(net->arrays[ASY_ARRAY_MEAN]), ARG_U64(a.n),
                       ARG_F32((float)update->mean_rate));
}
