/* SPDX-License-Identifier: Apache-2.0
 * A network in the memory of a device: trains along the cpu's curve with every update, reads
 * nothing on the way, and says what it cannot do.
 *
 * Tolerances: sums in another order make each step differ by some 1e-7 of its size; in 100 steps of
 * a smooth problem with small rates that stays below 1e-4 of the loss. */
#include "device_mlp.h"
#include "device_leaks.h"
#include "frame.h"
#include <stdlib.h>

static struct asy_device *device;

static bool open_device(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    return device || T_OK(asy_device_open(ASY_DEVICE_OPENCL, 0, &device, &err), &err);
}

/* A network on the device that begins as the cpu's, with the data held there; NULL, and the test
 * has failed. */
static struct asy_device_net *net_of(const struct mlp *mlp)
{
    struct asy_device_net *net = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (!open_device() || !T_OK(asy_device_net_create(device, &mlp_desc, &net, &err), &err))
        return NULL;
    if (T_OK(asy_device_net_write(net, ASY_ARRAY_PARAMS, mlp->params, MLP_PARAMS, &err), &err) &&
        T_OK(asy_device_net_hold(net, MLP_ROWS, mlp->x, mlp->label, NULL, &err), &err))
        return net;
    asy_device_net_destroy(net);
    return NULL;
}

static bool step_on_device(struct asy_device_net *net, const struct asy_device_update *update)
{
    struct asy_op_step step = { .rows = MLP_BATCH, .scale = 1.0f / MLP_BATCH };
    struct asy_error err = ASY_ERROR_INIT;
    uint32_t row[MLP_BATCH];

    mlp_batch(update->step, row);
    return T_OK(asy_device_net_pick(net, MLP_BATCH, row, &err), &err) &&
           T_OK(asy_device_net_gradient(net, 0, &step, &err), &err) &&
           T_OK(asy_device_net_update(net, update, &err), &err);
}

static const struct {
    const char *name;
    struct asy_device_update update;
} updates[] = {
    { "sgd", { .rule = ASY_RULE_SGD, .sgd = { 0.1f, 0, 1e-4f, 0 } } },
    { "momentum", { .rule = ASY_RULE_SGD, .sgd = { 0.02f, 0.9f, 1e-4f, 0 }, .mean_rate = 0.01 } },
    { "nesterov", { .rule = ASY_RULE_SGD, .sgd = { 0.02f, 0.9f, 0, 1 }, .clip = 0.5 } },
    { "adamw", { .rule = ASY_RULE_ADAMW, .adam = { 1e-3, 0.9, 0.999, 1e-8, 0.1 } } },
    { "adam-l2", { .rule = ASY_RULE_ADAM_L2, .adam = { 1e-3, 0.9, 0.99, 1e-8, 0.01 },
                   .clip = 0.3 } },
    { "lamb", { .rule = ASY_RULE_LAMB, .adam = { 2e-3, 0.9, 0.999, 1e-6, 0.1 }, .clip = 0.3 } },
    { "lars", { .rule = ASY_RULE_LARS, .sgd = { 1, 0.9f, 1e-3f, 0 }, .trust = 0.01 } },
    { "lars clipped", { .rule = ASY_RULE_LARS, .sgd = { 1, 0, 1e-3f, 0 }, .trust = 0.01,
                        .clip = 0.2 } },
};

static void compare_array(const char *name, struct asy_device_net *net,
                          enum asy_device_array array, const float *want)
{
    struct asy_error err = ASY_ERROR_INIT;
    float *got = calloc(MLP_PARAMS, sizeof *got);

    if (T_TRUE(got != NULL) && T_OK(asy_device_net_read(net, array, got, MLP_PARAMS, &err), &err))
        for (size_t i = 0; i < MLP_PARAMS; i++)
            if (fabs((double)got[i] - (double)want[i]) > 1e-4 * (0.1 + fabs((double)want[i]))) {
                T_NEAR(name, (double)got[i], (double)want[i], 1e-4);
                break;
            }
    free(got);
}

static void train_both(const char *name, const struct asy_device_update *how)
{
    struct asy_device_update update = *how;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device_net *net = NULL;
    double first = 0;
    struct mlp mlp;

    if (!mlp_init(&mlp) || !(net = net_of(&mlp)))
        goto out;
    for (update.step = 1; update.step <= 100; update.step++) {
        double sums[ASY_SUMS];

        mlp_step(&mlp, &update);
        if (!step_on_device(net, &update) ||
            !T_OK(asy_device_net_sums(net, 1, sums, &err), &err) ||
            !T_NEAR(name, sums[ASY_SUM_LOSS] / MLP_BATCH, mlp.loss, 1e-4 * mlp.loss))
            goto out;
        first = update.step == 1 ? mlp.loss : first;
    }
    T_TRUE(mlp.loss < 0.9 * first); /* else there was no curve to compare */
    compare_array(name, net, ASY_ARRAY_PARAMS, mlp.params);
    compare_array(name, net, ASY_ARRAY_MEAN, mlp.mean);
out:
    asy_device_net_destroy(net);
    mlp_fini(&mlp);
}

static void every_update_follows_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(updates); i++)
        train_both(updates[i].name, &updates[i].update);
}

static void steps_read_nothing(void)
{
    struct asy_device_net *net = NULL;
    struct asy_device_traffic before, after;
    struct mlp mlp;

    if (!mlp_init(&mlp) || !(net = net_of(&mlp)))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(updates); i++) {
        struct asy_device_update update = updates[i].update;

        before = asy_device_traffic(device);
        for (update.step = 1; update.step <= 20; update.step++)
            if (!step_on_device(net, &update))
                goto out;
        after = asy_device_traffic(device);
        T_EQ(updates[i].name, after.reads - before.reads, 0);
        T_EQ(updates[i].name, after.writes - before.writes, 20); /* which rows */
        T_EQ(updates[i].name, after.bytes_written - before.bytes_written, 20 * 4 * MLP_BATCH);
        T_TRUE(after.launches > before.launches);
    }
out:
    asy_device_net_destroy(net);
    mlp_fini(&mlp);
}

static void the_same_steps_give_the_same_bits(void)
{
    float *params[2] = { calloc(MLP_PARAMS, 4), calloc(MLP_PARAMS, 4) };
    struct asy_error err = ASY_ERROR_INIT;
    struct mlp mlp;

    if (!mlp_init(&mlp) || !T_TRUE(params[0] && params[1]))
        goto out;
    for (int i = 0; i < 2; i++) {
        struct asy_device_update update = updates[5].update;
        struct asy_device_net *net = net_of(&mlp);

        if (!net)
            goto out;
        for (update.step = 1; update.step <= 30 && step_on_device(net, &update);)
            update.step++;
        T_OK(asy_device_net_read(net, ASY_ARRAY_PARAMS, params[i], MLP_PARAMS, &err), &err);
        asy_device_net_destroy(net);
    }
    T_EQ("bits", memcmp(params[0], params[1], MLP_PARAMS * 4), 0);
    T_TRUE(memcmp(params[0], mlp.params, MLP_PARAMS * 4) != 0);
out:
    free(params[0]);
    free(params[1]);
    mlp_fini(&mlp);
}

/* Two halves added up are the whole. */
static void gradients_add_up(void)
{
    struct asy_op_step step = { .rows = MLP_BATCH, .scale = 0.5f / MLP_BATCH };
    float *one = calloc(MLP_PARAMS, sizeof *one), *two = calloc(MLP_PARAMS, sizeof *two);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device_net *net = NULL;
    uint32_t row[MLP_BATCH];
    double sums[ASY_SUMS];
    struct mlp mlp;

    mlp_batch(1, row);
    if (!mlp_init(&mlp) || !T_TRUE(one && two) || !(net = net_of(&mlp)) ||
        !T_OK(asy_device_net_pick(net, MLP_BATCH, row, &err), &err) ||
        !T_OK(asy_device_net_gradient(net, 0, &step, &err), &err) ||
        !T_OK(asy_device_net_read(net, ASY_ARRAY_GRADS, one, MLP_PARAMS, &err), &err) ||
        !T_OK(asy_device_net_gradient(net, 1, &step, &err), &err) ||
        !T_OK(asy_device_net_read(net, ASY_ARRAY_GRADS, two, MLP_PARAMS, &err), &err))
        goto out;
    for (size_t i = 0; i < MLP_PARAMS; i++)
        if (two[i] != 2 * one[i]) { /* exactly */
            T_NEAR("added", (double)two[i], 2 * (double)one[i], 0);
            break;
        }
    T_OK(asy_device_net_sums(net, 1, sums, &err), &err);
    T_NEAR("rows", sums[ASY_SUM_ROWS], 2 * MLP_BATCH, 0);
    T_OK(asy_device_net_sums(net, 1, sums, &err), &err);
    T_NEAR("rows", sums[ASY_SUM_ROWS] + sums[ASY_SUM_LOSS], 0, 0);
out:
    asy_device_net_destroy(net);
    free(one);
    free(two);
    mlp_fini(&mlp);
}

/* Rows from the host: outputs are probabilities by a loss, logits without; a running mean of zeros
 * gives even ones. */
static void outputs_are_of_the_parameters_asked_for(void)
{
    float out[2][MLP_BATCH * MLP_OUT] = { { 0 } };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device_net *net = NULL;
    double sums[ASY_SUMS];
    struct mlp mlp;

    if (!mlp_init(&mlp) || !(net = net_of(&mlp)) ||
        !T_OK(asy_device_net_rows(net, 7, mlp.x, mlp.label, NULL, &err), &err) ||
        !T_OK(asy_device_net_outputs(net, ASY_ARRAY_PARAMS, NULL, 7, out[0], &err), &err) ||
        !T_OK(asy_device_net_outputs(net, ASY_ARRAY_PARAMS, &mlp_loss, 7, out[1], &err), &err))
        goto out;
    for (size_t i = 0; i < 7; i++) {
        double sum = 0, all = 0;

        for (size_t j = 0; j < MLP_OUT; j++) {
            sum += (double)out[1][i * MLP_OUT + j];
            all += exp((double)out[0][i * MLP_OUT + j]);
        }
        T_NEAR("all classes", sum, 1, 1e-6);
        T_NEAR("of logits", (double)out[1][i * MLP_OUT], exp((double)out[0][i * MLP_OUT]) / all,
               1e-6);
    }
    T_OK(asy_device_net_outputs(net, ASY_ARRAY_MEAN, &mlp_loss, 7, NULL, &err), &err);
    T_OK(asy_device_net_outputs(net, ASY_ARRAY_MEAN, &mlp_loss, 7, out[1], &err), &err);
    T_NEAR("even", (double)out[1][5], 1.0 / MLP_OUT, 1e-7);
    T_OK(asy_device_net_sums(net, 0, sums, &err), &err);
    T_NEAR("rows", sums[ASY_SUM_ROWS], 21, 0);
    T_EQ("rows beyond", asy_device_net_rows(net, MLP_BATCH + 1, mlp.x, NULL, NULL, &err),
         ASY_E_INVAL);
    T_EQ("others at hand", asy_device_net_outputs(net, ASY_ARRAY_PARAMS, NULL, 8, NULL, &err),
         ASY_E_INVAL);
out:
    asy_device_net_destroy(net);
    mlp_fini(&mlp);
}

/* Against the shares themselves; a row is judged by its own label, whatever stands before it. */
static void same_judgement(const float *shares, int32_t label, const uint32_t *judged,
                           const float *scores)
{
    uint32_t best = 0, before = 0;

    for (uint32_t c = 0; c < MLP_OUT; c++) {
        best = shares[c] > shares[best] ? c : best;
        before += shares[c] > shares[label] || (shares[c] == shares[label] && c < (uint32_t)label);
    }
    T_EQ("class", judged[0], best);
    T_EQ("before", judged[1], before);
    T_NEAR("scores", (double)scores[0], (double)shares[MLP_OUT - 2], 0);
    T_NEAR("scores", (double)scores[1], (double)shares[MLP_OUT - 1], 0);
}

static void rows_are_judged_where_they_are(void)
{
    float out[2][MLP_BATCH * MLP_OUT], scores[4 * MLP_BATCH];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device_net *net = NULL;
    uint32_t judged[4 * MLP_BATCH];
    struct asy_device_traffic before, after;
    size_t rows = 0;
    struct mlp mlp;

    if (!mlp_init(&mlp) || !(net = net_of(&mlp)))
        goto out;
    for (size_t pass = 0; pass < 2; pass++) { /* the second by a mean of zeros: all are equal */
        if (!T_OK(asy_device_net_rows(net, 7, mlp.x + 7 * pass * MLP_IN, mlp.label + 7 * pass, NULL,
                                      &err), &err) ||
            !T_OK(asy_device_net_outputs(net, pass ? ASY_ARRAY_MEAN : ASY_ARRAY_PARAMS, &mlp_loss,
                                         7, out[pass], &err), &err) ||
            !T_OK(asy_device_net_judge(net, 7, &err), &err))
            goto out;
    }
    T_EQ("others at hand", asy_device_net_judge(net, 8, &err), ASY_E_INVAL);
    before = asy_device_traffic(device);
    T_OK(asy_device_net_judged(net, judged, scores, &rows, &err), &err);
    after = asy_device_traffic(device);
    T_EQ("reads", after.reads - before.reads, 2);
    T_EQ("bytes", after.bytes_read - before.bytes_read, 14 * 4 * 4);
    if (T_EQ("rows", rows, 14))
        for (size_t i = 0; i < 14; i++)
            same_judgement(out[i / 7] + i % 7 * MLP_OUT, mlp.label[i], judged + 2 * i,
                           scores + 2 * i);
    T_OK(asy_device_net_judged(net, judged, scores, &rows, &err), &err);
    T_EQ("forgotten", rows, 0);
    T_EQ("reads", asy_device_traffic(device).reads, after.reads);
    while (rows + 7 <= 2 * MLP_BATCH && T_OK(asy_device_net_judge(net, 7, &err), &err))
        rows += 7;
    T_EQ("no room", asy_device_net_judge(net, 7, &err), ASY_E_INVAL);
    T_HAS("no room", err.text, "7 rows to be judged, with ");
out:
    asy_device_net_destroy(net);
    mlp_fini(&mlp);
}

/* Half a batch of a wide layer has fewer tiles, which are cut into parts where those of the whole
 * batch are not. Eighths, whose products add up exactly in any order. */
#define WIDE_ROWS ((size_t)128)
#define WIDE_IN ((size_t)520)
#define WIDE_OUT ((size_t)2112)
#define WIDE_PARAMS (WIDE_OUT * WIDE_IN + WIDE_OUT)

static float eighths(size_t i)
{
    return (float)((int)(i * 2654435761u % 17) - 8) / 8;
}

static double wide_output(const float *x, const float *params, size_t row, size_t unit)
{
    double sum = (double)params[WIDE_OUT * WIDE_IN + unit];

    for (size_t i = 0; i < WIDE_IN; i++)
        sum += (double)x[row * WIDE_IN + i] * (double)params[unit * WIDE_IN + i];
    return sum;
}

static void a_wide_layer_takes_a_part_of_a_batch(void)
{
    static const struct asy_op dense = {
        .kind = ASY_OP_DENSE, .per_row = 1, .n = { WIDE_IN, WIDE_OUT },
        .in = { { ASY_SPACE_INPUT, 0 }, { ASY_SPACE_PARAMS, 0 },
                { ASY_SPACE_PARAMS, WIDE_OUT * WIDE_IN } },
        .out = { { ASY_SPACE_WORK, 0 }, { ASY_SPACE_WORK, 0 } } };
    static const struct asy_device_net_desc desc = {
        .eval = &dense, .n_eval = 1, .features = WIDE_IN, .outputs = WIDE_OUT, .labels = 1,
        .eval_rows = 2 * WIDE_ROWS, .n_params = WIDE_PARAMS, .n_work = 2 * WIDE_ROWS * WIDE_OUT };
    float *x = calloc(WIDE_ROWS * WIDE_IN, sizeof *x), *params = calloc(WIDE_PARAMS, sizeof *x);
    float *got = calloc(WIDE_ROWS * WIDE_OUT, sizeof *got);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device_net *net = NULL;

    for (size_t i = 0; x && i < WIDE_ROWS * WIDE_IN; i++)
        x[i] = eighths(i);
    for (size_t i = 0; params && i < WIDE_PARAMS; i++)
        params[i] = eighths(i + 5);
    if (!T_TRUE(x && params && got) || !open_device() ||
        !T_OK(asy_device_net_create(device, &desc, &net, &err), &err) ||
        !T_OK(asy_device_net_write(net, ASY_ARRAY_PARAMS, params, WIDE_PARAMS, &err), &err) ||
        !T_OK(asy_device_net_rows(net, WIDE_ROWS, x, NULL, NULL, &err), &err) ||
        !T_OK(asy_device_net_outputs(net, ASY_ARRAY_PARAMS, NULL, WIDE_ROWS, got, &err), &err))
        goto out;
    for (size_t i = 0; i < WIDE_ROWS * WIDE_OUT; i += 101)
        if (!T_NEAR("output", (double)got[i],
                    wide_output(x, params, i / WIDE_OUT, i % WIDE_OUT), 0))
            break;
out:
    asy_device_net_destroy(net);
    free(x);
    free(params);
    free(got);
}

static void what_devices_lack_is_refused_by_name(void)
{
    struct asy_op op = { .kind = ASY_OP_DENSE, .per_row = 1, .flags = 1u << 9 };
    struct asy_device_net_desc desc = { .eval = &op, .n_eval = 1, .eval_rows = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device_net *net = NULL;
    struct asy__mem *array = NULL;

    if (!open_device())
        return;
    T_EQ("flag", asy_device_net_create(device, &desc, &net, &err), ASY_E_UNSUPPORTED);
    T_HAS("flag", err.text, "'dense' with flags 0x200");
    op.flags = ASY_OP_BF16;
    T_EQ("bf16", asy_device_net_create(device, &desc, &net, &err), ASY_E_UNSUPPORTED);
    T_HAS("bf16", err.text, "mixed precision (operation 'dense')");
    op.flags = 0;
    desc.n_work = SIZE_MAX / 8;
    T_EQ("memory", asy_device_net_create(device, &desc, &net, &err), ASY_E_TOOBIG);
    T_HAS("memory", err.text, asy_device_info(device)->name);
    T_HAS("memory", err.text, "opencl device");
    T_HAS("memory", err.text, "MiB for itself and 1 rows at a time");
    T_EQ("array", asy__device_alloc(device, SIZE_MAX / 8, &array, &err), ASY_E_TOOBIG);
    T_HAS("array", err.text, "CL_DEVICE_MAX_MEM_ALLOC_SIZE");
}

/* What cannot be there even if nobody else has any of it: the device's memory as it is told. */
static void a_network_beyond_all_memory_is_too_big(void)
{
    struct asy_device_net *nets[3] = { NULL };
    struct asy_error err = ASY_ERROR_INIT;
    uint64_t memory;
    size_t one;

    if (!open_device() || !T_OK(asy_device_net_create(device, &mlp_desc, &nets[0], &err), &err))
        return;
    memory = device->info.memory;
    one = device->in_nets;
    T_TRUE(one > MLP_PARAMS * 5 * sizeof(float));
    device->info.memory = 2 * one;
    T_OK(asy_device_net_create(device, &mlp_desc, &nets[1], &err), &err);
    T_EQ("third", asy_device_net_create(device, &mlp_desc, &nets[2], &err), ASY_E_TOOBIG);
    T_HAS("third", err.text, ", with its other folds, and all of the device's memory are ");
    asy_device_net_destroy(nets[0]);
    T_OK(asy_device_net_create(device, &mlp_desc, &nets[2], &err), &err);
    asy_device_net_destroy(nets[1]);
    asy_device_net_destroy(nets[2]);
    T_EQ("left", device->in_nets, 0);
    device->info.memory = one - 1;
    T_EQ("alone", asy_device_net_create(device, &mlp_desc, &nets[0], &err), ASY_E_TOOBIG);
    T_EQ("left", device->in_nets, 0);
    device->info.memory = memory;
}

static void devices_are_listed(void)
{
    struct asy_device_info info[4];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *none = NULL;
    size_t n = 0, again = 0;

    if (!T_OK(asy_device_list(ASY_DEVICE_OPENCL, info, ASY_ARRAY_LEN(info), &n, &err), &err) ||
        !T_TRUE(n > 0))
        return;
    T_TRUE(*info[0].name && *info[0].driver && info[0].memory > 0 && info[0].units > 0);
    T_OK(asy_device_list(ASY_DEVICE_OPENCL, NULL, 0, &again, &err), &err);
    T_EQ("without room", again, n);
    T_EQ("beyond", asy_device_open(ASY_DEVICE_OPENCL, n, &none, &err), ASY_E_NOENT);
    T_OK(asy_device_list(ASY_DEVICE_CPU, NULL, 0, &again, &err), &err);
    T_EQ("cpu", again, 0);
    T_EQ("cpu", asy_device_open(ASY_DEVICE_CPU, 0, &none, &err), ASY_E_NOENT);
}

static void close_device(void)
{
    asy_device_close(device);
    device = NULL;
}

T_MAIN("device-net", T_TEST(devices_are_listed), T_TEST(every_update_follows_the_cpu),
       T_TEST(steps_read_nothing), T_TEST(the_same_steps_give_the_same_bits),
       T_TEST(gradients_add_up), T_TEST(outputs_are_of_the_parameters_asked_for),
       T_TEST(rows_are_judged_where_they_are),
       T_TEST(a_wide_layer_takes_a_part_of_a_batch), T_TEST(what_devices_lack_is_refused_by_name),
       T_TEST(a_network_beyond_all_memory_is_too_big),
       T_TEST(close_device))
