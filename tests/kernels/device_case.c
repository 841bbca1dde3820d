/* SPDX-License-Identifier: Apache-2.0 */
#include "device_case.h"
#include <stdlib.h>
#include <asy/rng.h>

static struct asy_device *device;

struct asy_device *case_device(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (!device)
        T_OK(asy_device_open(ASY_DEVICE_OPENCL, 0, &device, &err), &err);
    return device;
}

void case_device_close(void)
{
    asy_device_close(device);
    device = NULL;
}

/* What a program runs on: numbers on the host, before, after it on the cpu, after it on the
 * device; and their memory there. */
struct memory {
    float *cpu[ASY_SPACES], *got[ASY_SPACES];
    int32_t *label;
    float *target, *gemm;
    double sums[ASY_SUMS];
    struct asy__mem *spaces[ASY_SPACES], *labels, *targets, *weights, *pairs, *room;
    size_t n_room;
    double rows;
};

static float *numbers(struct asy_rng *rng, size_t n, int below)
{
    float *x = aligned_alloc(64, (n * sizeof *x + 64) / 64 * 64);

    for (size_t i = 0; x && i < n; i++)
        x[i] = below ? (float)asy_rng_below(rng, (uint64_t)below)
                     : (float)(2 * asy_rng_double(rng) - 1);
    return x;
}

static bool host_init(struct memory *m, const struct device_case *c)
{
    size_t labels = c->rows * (size_t)(c->labels ? c->labels : 1);
    struct asy_rng rng;
    bool ok = true;

    asy_rng_init(&rng, 7, 0, ASY_RNG_SIM);
    for (int s = 1; s < ASY_SPACES; s++) {
        m->cpu[s] = numbers(&rng, c->n[s], s == ASY_SPACE_INPUT ? c->ids : 0);
        m->got[s] = calloc(c->n[s] + 1, sizeof *m->got[s]);
        ok = ok && m->cpu[s] && m->got[s];
    }
    m->label = calloc(labels, sizeof *m->label);
    m->target = numbers(&rng, labels, 0);
    m->gemm = aligned_alloc(64, ASY_OP_ROOM * sizeof *m->gemm);
    if (!(ok && m->label && m->target && m->gemm))
        return false;
    for (size_t i = 0; i < labels; i++)
        m->label[i] = c->classes ? (int32_t)asy_rng_below(&rng, (uint64_t)c->classes) : 0;
    return true;
}

static bool device_write(struct memory *m, const struct device_case *c)
{
    size_t labels = c->rows * (size_t)(c->labels ? c->labels : 1);
    struct asy_error err = ASY_ERROR_INIT;

    for (int s = 1; s < ASY_SPACES; s++)
        if (!T_OK(asy__device_alloc(device, c->n[s], &m->spaces[s], &err), &err) ||
            !T_OK(asy__device_write(device, m->spaces[s], 0, m->cpu[s], c->n[s], &err), &err))
            return false;
    if (c->class_weights &&
        (!T_OK(asy__device_alloc(device, (size_t)c->classes, &m->weights, &err), &err) ||
         !T_OK(asy__device_write(device, m->weights, 0, c->class_weights, (size_t)c->classes, &err),
               &err)))
        return false;
    return T_OK(asy__device_alloc(device, labels, &m->labels, &err), &err) &&
           T_OK(asy__device_write(device, m->labels, 0, m->label, labels, &err), &err) &&
           T_OK(asy__device_alloc(device, labels, &m->targets, &err), &err) &&
           T_OK(asy__device_write(device, m->targets, 0, m->target, labels, &err), &err) &&
           T_OK(asy__device_alloc(device, (size_t)2 * ASY_SUMS, &m->pairs, &err), &err) &&
           T_OK(asy__device_alloc(device, m->n_room, &m->room, &err), &err);
}

static void memory_fini(struct memory *m)
{
    struct asy__mem *mems[] = { m->labels, m->targets, m->weights, m->pairs, m->room };

    for (int s = 1; s < ASY_SPACES; s++) {
        free(m->cpu[s]);
        free(m->got[s]);
        asy__device_free(device, m->spaces[s]);
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(mems); i++)
        asy__device_free(device, mems[i]);
    free(m->label);
    free(m->target);
    free(m->gemm);
}

static void run_on_cpu(struct memory *m, const struct device_case *c,
                       const struct asy_op_step *step)
{
    struct asy_op_cpu cpu = { .label = m->label, .target = m->target, .sums = m->sums,
                              .class_weights = c->class_weights, .room = m->gemm, .plain = 1 };

    for (int s = 1; s < ASY_SPACES; s++)
        cpu.read[s] = cpu.write[s] = m->cpu[s];
    asy_op_run(c->ops, c->n_ops ? c->n_ops : 1, &cpu, step);
}

static bool run_on_device(struct memory *m, const struct device_case *c,
                          const struct asy_op_step *step)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__pass pass = { .device = device, .label = m->labels, .target = m->targets,
                              .class_weights = m->weights, .sums = m->pairs, .room = m->room,
                              .n_room = m->n_room, .rows = &m->rows };

    memcpy(pass.spaces, m->spaces, sizeof pass.spaces);
    if (!T_OK(asy__exec_run(&pass, c->ops, c->n_ops ? c->n_ops : 1, step, &err), &err))
        return false;
    for (int s = 1; s < ASY_SPACES; s++)
        if (!T_OK(asy__device_read(device, m->spaces[s], 0, m->got[s], c->n[s], &err), &err))
            return false;
    return true;
}

/* Once more from the same numbers: not a bit may differ, or groups disturb each other. */
static bool run_again(struct memory *m, const struct device_case *c, const struct asy_op_step *step)
{
    struct asy_error err = ASY_ERROR_INIT;
    float *first[ASY_SPACES] = { NULL };
    bool ok = true;

    for (int s = 1; s < ASY_SPACES && ok; s++) {
        first[s] = m->got[s];
        ok = T_TRUE((m->got[s] = calloc(c->n[s] + 1, sizeof **m->got)) != NULL) &&
             T_OK(asy__device_write(device, m->spaces[s], 0, m->cpu[s], c->n[s], &err), &err);
    }
    ok = ok && T_OK(asy__device_zero(device, m->pairs, 0, (size_t)2 * ASY_SUMS, &err), &err);
    m->rows = 0;
    ok = ok && run_on_device(m, c, step);
    for (int s = 1; s < ASY_SPACES; s++) {
        if (ok)
            T_EQ(c->name, memcmp(first[s], m->got[s], c->n[s] * sizeof **m->got), 0);
        free(first[s]);
    }
    return ok;
}

static void compare_space(const struct memory *m, const struct device_case *c, int s)
{
    static const char *const names[ASY_SPACES] = { "", "input", "params", "grads", "buffers",
                                                   "work" };

    for (size_t i = 0; i < c->n[s]; i++) {
        double want = (double)m->cpu[s][i], got = (double)m->got[s][i];
        char what[128];

        if (s == ASY_SPACE_WORK && i >= c->own_at && i < c->own_at + c->own_n)
            continue;
        if (fabs(got - want) <= c->tol * (1 + fabs(want)))
            continue;
        snprintf(what, sizeof what, "%s: %s [%zu]", c->name, names[s], i);
        T_NEAR(what, got, want, c->tol * (1 + fabs(want)));
        return;
    }
}

static void compare_sums(const struct memory *m, const struct device_case *c)
{
    float pairs[2 * ASY_SUMS];
    struct asy_error err = ASY_ERROR_INIT;

    if (!T_OK(asy__device_read(device, m->pairs, 0, pairs, ASY_ARRAY_LEN(pairs), &err), &err))
        return;
    T_NEAR(c->name, m->rows, m->sums[ASY_SUM_ROWS], 0);
    for (int i = 1; i < ASY_SUMS; i++) {
        char what[128];

        snprintf(what, sizeof what, "%s: sum %d", c->name, i);
        T_NEAR(what, (double)pairs[2 * i] + (double)pairs[2 * i + 1], m->sums[i],
               c->tol * (1 + fabs(m->sums[i])));
    }
}

void case_run(const struct device_case *c)
{
    struct asy_op_step step = { c->rows, c->first, c->scale, c->seed, c->step };
    struct asy_error err = ASY_ERROR_INIT;
    struct memory m = { 0 };

    if (!case_device() ||
        !T_OK(asy__exec_check(c->ops, c->n_ops ? c->n_ops : 1, c->rows, &m.n_room, &err),
              &err))
        return;
    if (T_TRUE(host_init(&m, c)) && device_write(&m, c) && run_on_device(&m, c, &step) &&
        run_again(&m, c, &step)) {
        run_on_cpu(&m, c, &step);
        for (int s = 1; s < ASY_SPACES; s++)
            compare_space(&m, c, s);
        compare_sums(&m, c);
    }
    memory_fini(&m);
}
