/* SPDX-License-Identifier: Apache-2.0
 * Two ranks and more under mpirun: sums in rank order, and training that both widths agree on. Run
 * as `mpirun -n 2 test_comm_mpi [RANKS]`; every rank runs every check. RANKS: of a node at most, as
 * if the rest were on others. */
#include "rankskit.h"
#include "comm/wire.h"
#include <sched.h>
#include <asy/clock.h>
#include <asy/op.h>
#include <asy/safetensors.h>
#include <asy/training.h>

static int local_max; /* ranks of a node; 0: all are on one */

static int no_memory; /* for the next array that grows */
void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    return no_memory-- > 0 ? NULL : __real_reallocarray(old, n, size);
}

static int other_machine; /* has other logarithms */
double __real_log(double x);
double __wrap_log(double x);

double __wrap_log(double x)
{
    return __real_log(x) * (other_machine ? 1.001 : 1);
}

static int n_joint; /* steps in which ranks made gradients together */
void __real_asy_op_joint(const struct asy_op *program, size_t n_ops, const struct asy_op_cpu *cpu,
                         const struct asy_op_party *parties, size_t n, size_t index);
void __wrap_asy_op_joint(const struct asy_op *program, size_t n_ops, const struct asy_op_cpu *cpu,
                         const struct asy_op_party *parties, size_t n, size_t index);

void __wrap_asy_op_joint(const struct asy_op *program, size_t n_ops, const struct asy_op_cpu *cpu,
                         const struct asy_op_party *parties, size_t n, size_t index)
{
    n_joint++;
    __real_asy_op_joint(program, n_ops, cpu, parties, n, index);
}

static void ranks_of_a_node_share_memory(void)
{
    int rank = asy_comm_rank(comm), size = asy_comm_size(comm), first = 0, want = size;

    if (local_max) {
        first = rank / local_max * local_max;
        want = size - first < local_max ? size - first : local_max;
    }
    T_EQ("ranks", asy_comm_local_size(comm), want);
    T_EQ("number", asy_comm_local_rank(comm), rank - first);
}

#define TAIL 3
#define MOST 700001

/* 1, then 2^-24 of each further rank: lost one by one in rank order, in float. */
static float addend(int rank, size_t i)
{
    return (rank == 0 ? 1.0f : 0x1p-24f) * (float)(1 + i % 3);
}

static float sum_at(size_t i)
{
    float sum = addend(0, i);

    for (int r = 1; r < asy_comm_size(comm); r++)
        sum += addend(r, i);
    return sum;
}

/* The sum at once, or in two halves, of which the second goes piece by piece. */
static int add(size_t n, float *tail, int in_pieces, struct asy_comm_sum *ret,
               struct asy_error *err)
{
    int rc;

    if (!in_pieces)
        return asy_comm_reduce(comm, n, TAIL, tail, ret, err);
    if ((rc = asy_comm_meet(comm, n, TAIL, tail, ret, err)) < 0)
        return rc;
    for (size_t at = ret->from, to; at < ret->to; at = to) {
        to = ret->to - at < 1111 ? ret->to : at + 1111;
        asy_comm_add_up(comm, ret, at, to);
    }
    return 0;
}

/* Each rank puts its part where all see it; twice, as what is left of a sum must not disturb the
 * next one. */
static void sums_go_in_rank_order(void)
{
    static const size_t sizes[] = { 1, 16, 17, 1000, 65536 - TAIL, 65536, 262145, MOST };
    struct asy_error err = ASY_ERROR_INIT;
    size_t ranks = (size_t)asy_comm_size(comm);
    struct asy_comm_memory memory;
    struct asy_comm_sum sum;
    float tail[TAIL];

    for (size_t k = 0; k < 2 * ASY_ARRAY_LEN(sizes); k++) {
        size_t n = sizes[k / 2], wrong = 0;

        if (!T_OK(asy_comm_share(comm, ranks, n + TAIL, n, &memory, &err), &err))
            return;
        asy_comm_settle(comm);
        for (size_t i = 0; i < n + TAIL; i++)
            memory.own[i] = addend(asy_comm_rank(comm), i);
        if (!T_OK(add(n, tail, k % 2, &sum, &err), &err))
            return;
        memcpy(memory.common + sum.from, sum.x + sum.from, (sum.to - sum.from) * sizeof(float));
        asy_comm_settle(comm);
        for (size_t i = 0; i < n; i++)
            wrong += memory.common[i] != sum_at(i);
        for (size_t i = 0; i < TAIL; i++)
            wrong += tail[i] != sum_at(n + i);
        T_EQ("wrong entries", wrong, 0);
        asy_comm_settle(comm); /* before anyone's next zeros */
    }
}

/* In another order than that of the memory, some of it before all is there; each rank looks at it
 * as often as its number says. */
static void a_sum_may_begin_before_its_end(void)
{
    static const struct asy_comm_extent order[] = {
        { 300000, 100000 }, { 16, 15360 }, { 15376, 284624 }, { 0, 16 }, { 400000, 32 },
    };
    size_t ranks = (size_t)asy_comm_size(comm), n = 400032, whole = 0, wrong = 0;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm_memory memory;
    struct asy_comm_sum sum;
    float tail[TAIL];

    if (!T_OK(asy_comm_share(comm, ranks, n + TAIL, n, &memory, &err), &err) ||
        !T_OK(asy_comm_order(comm, order, ASY_ARRAY_LEN(order), TAIL, &err), &err))
        return;
    asy_comm_settle(comm);
    for (int turn = 0; turn < 3; turn++) {
        whole = 0;
        for (size_t e = 0; e < ASY_ARRAY_LEN(order); e++) {
            for (size_t i = order[e].at; i < order[e].at + order[e].n; i++)
                memory.own[i] = (float)(1 << turn) * addend(asy_comm_rank(comm), i);
            whole += order[e].n;
            for (int k = 0; k < asy_comm_rank(comm) * turn; k++)
                T_OK(asy_comm_ready(comm, whole - (e == 1 ? 7 : 0), &err), &err);
        }
        for (size_t i = n; i < n + TAIL; i++)
            memory.own[i] = addend(asy_comm_rank(comm), i);
        if (!T_OK(asy_comm_reduce(comm, n, TAIL, tail, &sum, &err), &err))
            return;
        for (size_t i = sum.from; i < sum.to; i++)
            wrong += sum.x[i] != (float)(1 << turn) * sum_at(i);
        for (size_t i = 0; i < TAIL; i++)
            wrong += tail[i] != sum_at(n + i);
        T_EQ("wrong entries", wrong, 0);
        asy_comm_settle(comm);
        if (!T_OK(asy_comm_reduce(comm, 100, TAIL, tail, &sum, &err), &err)) /* of others */
            return;
        asy_comm_settle(comm);
    }
}

#define PATIENCE_NS 60000000000 /* to see what comes: on machines that do other things, too */

/* Memory of n entries whose sums may begin early, as they come. 0: failed, or nothing goes
 * anywhere, as all ranks are on one node. */
static int share_in_order(size_t n, struct asy_comm_memory *ret)
{
    struct asy_comm_extent all = { 0, n };
    struct asy_error err = ASY_ERROR_INIT;

    if (!local_max || local_max >= asy_comm_size(comm))
        return 0;
    if (!T_OK(asy_comm_share(comm, (size_t)asy_comm_size(comm), n + TAIL, n, ret, &err), &err) ||
        !T_OK(asy_comm_order(comm, &all, 1, TAIL, &err), &err))
        return 0;
    asy_comm_settle(comm);
    return 1;
}

/* Before anybody asks for the sum, its first entries are there: on nodes of several ranks, too. */
static void a_node_sends_before_the_end(void)
{
    size_t n = 100000;
    int64_t until_ns = asy_clock_ns() + PATIENCE_NS;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm_memory memory;
    const volatile float *first;
    struct asy_comm_sum sum;
    float tail[TAIL];

    if (!share_in_order(n, &memory))
        return;
    for (size_t i = 0; i < n + TAIL; i++)
        memory.own[i] = 8 * addend(asy_comm_rank(comm), i); /* of no sum before */
    first = comm->node.total;
    do
        T_OK(asy_comm_ready(comm, n, &err), &err);
    while (*first != 8 * sum_at(0) && asy_clock_ns() < until_ns);
    T_NEAR("the first entry", *first, 8 * sum_at(0), 0);
    T_OK(asy_comm_reduce(comm, n, TAIL, tail, &sum, &err), &err);
    asy_comm_settle(comm);
}

/* The others of a node come only when the sum is there, for which each has said that it has all. */
static void the_first_of_a_node_sends_while_it_waits(void)
{
    size_t ranks = (size_t)asy_comm_size(comm), n = 100000, wrong = 0;
    float all = (float)(ranks * (ranks + 1) / 2); /* more than a node has by itself */
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm_memory memory;
    const volatile float *first;
    struct asy_comm_sum sum;
    float tail[TAIL];

    if (!share_in_order(n, &memory))
        return;
    for (size_t i = 0; i < n + TAIL; i++)
        memory.own[i] = (float)(asy_comm_rank(comm) + 1);
    first = comm->node.total;
    if (asy_comm_local_rank(comm) > 0) {
        T_OK(asy_comm_ready(comm, n, &err), &err);
        while (*first != all)
            sched_yield();
    }
    T_OK(asy_comm_reduce(comm, n, TAIL, tail, &sum, &err), &err);
    for (size_t i = sum.from; i < sum.to; i++)
        wrong += sum.x[i] != all;
    T_EQ("wrong entries", wrong, 0);
    asy_comm_settle(comm);
}

static void numbers_are_rounded_to_the_nearest(void)
{
    static const struct {
        const char *name;
        uint32_t bits;
        uint16_t want;
    } cases[] = {
        { "one", 0x3f800000, 0x3f80 },
        { "below half", 0x3f807fff, 0x3f80 },
        { "half, even stays", 0x3f808000, 0x3f80 },
        { "half, odd goes up", 0x3f818000, 0x3f82 },
        { "above half", 0x3f808001, 0x3f81 },
        { "carries over", 0xbfffffff, 0xc000 },
        { "too large", 0x7f7fffff, 0x7f80 },
        { "infinite", 0xff800000, 0xff80 },
        { "a NaN by its last bit", 0x7f800001, 0x7fc0 },
        { "a NaN of all bits", 0xffffffff, 0xffff },
        { "zero", 0x80000000, 0x8000 },
        { "tiny", 0x00008001, 0x0001 },
    };
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        uint16_t got = 0;
        uint32_t back;
        float x;

        memcpy(&x, &cases[i].bits, sizeof x);
        asy__wire_pack(1, &x, &got);
        T_EQ(cases[i].name, got, cases[i].want);
        asy__wire_unpack(1, &got, &x);
        memcpy(&back, &x, sizeof back);
        T_EQ(cases[i].name, back, (uint32_t)cases[i].want << 16);
    }
}

static float as_sent(float x)
{
    uint16_t small;

    asy__wire_pack(1, &x, &small);
    asy__wire_unpack(1, &small, &x);
    return x;
}

static float uneven(int rank, size_t i)
{
    return (float)(1 + i % 1000) * (rank % 2 ? -0.37f : 1.01f) / (float)(1 + rank);
}

/* Node by node; what each adds to is what came, and all have what the last one sent. */
static float rounded_sum(size_t i)
{
    int size = asy_comm_size(comm), each = local_max ? local_max : size;
    float sum = 0;

    if (each >= size)
        return NAN; /* one node: nothing goes anywhere */
    for (int r = 0; r < size; r++) {
        if (r > 0 && r % each == 0)
            sum = as_sent(sum);
        sum = r == 0 ? uneven(r, i) : sum + uneven(r, i);
    }
    return as_sent(sum);
}

static float exact_sum(size_t i)
{
    float sum = uneven(0, i);

    for (int r = 1; r < asy_comm_size(comm); r++)
        sum += uneven(r, i);
    return sum;
}

/* Begun early or not; n ends within a piece, and what rides behind it is not rounded. */
static void check_rounded(int early, int rounds)
{
    static const struct asy_comm_extent order[] = { { 100000, 131088 }, { 0, 100000 } };
    size_t ranks = (size_t)asy_comm_size(comm), n = 231088, wrong = 0;
    int one_node = !local_max || local_max >= asy_comm_size(comm);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm_memory memory;
    struct asy_comm_sum sum;
    float tail[TAIL];

    if (!T_OK(asy_comm_share(comm, ranks, n + TAIL, n, &memory, &err), &err))
        return;
    if (rounds)
        asy_comm_round(comm);
    if (early && !T_OK(asy_comm_order(comm, order, 2, TAIL, &err), &err))
        return;
    asy_comm_settle(comm);
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < n + TAIL; i++)
            memory.own[i] = uneven(asy_comm_rank(comm), i);
        for (size_t k = 0; early && k <= n; k += n / 8)
            T_OK(asy_comm_ready(comm, k, &err), &err);
        if (!T_OK(asy_comm_reduce(comm, n, TAIL, tail, &sum, &err), &err))
            return;
        for (size_t i = sum.from; i < sum.to; i++)
            wrong += sum.x[i] != (rounds && !one_node ? rounded_sum(i) : exact_sum(i));
        for (size_t i = 0; i < TAIL; i++)
            wrong += tail[i] != exact_sum(n + i);
        T_EQ("wrong entries", wrong, 0);
        asy_comm_settle(comm);
    }
}

static void rounded_sums_are_the_same_on_all(void)
{
    check_rounded(0, 1);
    check_rounded(1, 1);
    check_rounded(1, 0); /* of a job behind it */
    check_rounded(0, 0);
}

/* One rank alone has no memory for its part of a sum: it says so, and no other waits for it. */
static void a_rank_without_memory_tells_the_others(void)
{
    static const size_t sizes[] = { 2 * MOST, 100 }; /* more memory than before, and less */
    struct asy_error err = ASY_ERROR_INIT;
    size_t ranks = (size_t)asy_comm_size(comm);
    struct asy_comm_memory memory;
    double failed;

    for (size_t k = 0; k < ASY_ARRAY_LEN(sizes); k++) {
        int rank = asy_comm_rank(comm), rc;

        no_memory = rank == 1;
        rc = asy_comm_share(comm, ranks, sizes[k], sizes[k], &memory, &err);
        no_memory = 0;
        T_EQ("refused", rc, rank == 1 ? ASY_E_NOMEM : 0);
        failed = rc < 0;
        T_OK(asy_comm_sum_f64(comm, &failed, 1, &err), &err);
        T_NEAR("ranks that failed", failed, 1, 0);
        T_OK(asy_comm_share(comm, ranks, sizes[k], sizes[k], &memory, &err), &err);
    }
}

static void a_node_gets_what_the_first_has(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm_memory memory;
    size_t n = 100000, wrong = 0;

    if (!T_OK(asy_comm_share(comm, (size_t)asy_comm_size(comm), 1, 2 * n, &memory, &err), &err))
        return;
    asy_comm_settle(comm);
    for (size_t i = 0; i < 2 * n && asy_comm_local_rank(comm) == 0; i++)
        memory.common[i] = (float)(asy_comm_rank(comm) + 1) * (float)i;
    T_OK(asy_comm_spread(comm, memory.common + n, n, &err), &err);
    for (size_t i = 0; i < n; i++)
        wrong += memory.common[n + i] != (float)(n + i);
    T_EQ("wrong entries", wrong, 0);
    asy_comm_settle(comm);
}

/* Around what goes at once, and around a piece. */
static const size_t sizes[] = { 1, 128, 129, 131072, 131073, 350001 };

static void doubles_add_up(void)
{
    static double y[350001];
    int rank = asy_comm_rank(comm), size = asy_comm_size(comm);
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t s = 0; s < ASY_ARRAY_LEN(sizes); s++) {
        size_t wrong = 0;

        for (size_t i = 0; i < sizes[s]; i++)
            y[i] = (double)(rank + 1) * (double)i;
        T_OK(asy_comm_sum_f64(comm, y, sizes[s], &err), &err);
        for (size_t i = 0; i < sizes[s]; i++)
            wrong += y[i] != (double)i * size * (size + 1) / 2;
        T_EQ("wrong entries", wrong, 0);
    }
}

static void whole_numbers_add_up(void)
{
    static int64_t z[350001];
    int rank = asy_comm_rank(comm), size = asy_comm_size(comm);
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t s = 0; s < ASY_ARRAY_LEN(sizes); s++) {
        size_t wrong = 0;

        for (size_t i = 0; i < sizes[s]; i++) /* no double holds it */
            z[i] = ((int64_t)1 << 59) - ((int64_t)i << rank);
        T_OK(asy_comm_sum_i64(comm, z, sizes[s], &err), &err);
        for (size_t i = 0; i < sizes[s]; i++)
            wrong += z[i] != size * ((int64_t)1 << 59) - (int64_t)i * ((1 << size) - 1);
        T_EQ("wrong entries", wrong, 0);
    }
}

static void bytes_come_from_the_root(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    char text[32];

    snprintf(text, sizeof text, "rank %d", asy_comm_rank(comm));
    T_OK(asy_comm_bcast(comm, text, sizeof text, asy_comm_size(comm) - 1, &err), &err);
    T_EQ("root", text[5] - '0', asy_comm_size(comm) - 1);
}

static uint64_t n_reports, n_checkpoints;
static double objective;
static char kept[128];
static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    (void)arg, (void)step, (void)n;
    n_reports++;
    objective = metrics[4].value; /* val_loss */
    return 0;
}
static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)arg, (void)step;
    n_checkpoints++;
    ASY_IGNORE(asy_durable_remove(kept, NULL)); /* a folder does not replace one */
    return rename(path, kept) < 0 ? ASY_E_IO : 0;
}
static const struct asy_train_callbacks callbacks = { .report = on_report,
                                                      .checkpoint = on_checkpoint };

#define PARAMS "\"hidden\":32,\"batch_size\":33"
static void check_training(const char *family, const char *params)
{
    struct asy_json *whole = kit_family_job(family, KIT_DIGITS, "", "val_loss", "minimize", 4,
                                            params, "");
    struct asy_json *part = kit_family_job(family, KIT_DIGITS, "", "val_loss", "minimize", 4,
                                           params, "\"until\":2");
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *self = NULL;
    char dir[64], straight[160];
    int root = asy_comm_rank(comm) == 0;
    double wide = 0;

    n_reports = n_checkpoints = 0;
    if (!shared_dir(dir) || !T_OK(asy_trainer_create(comm, &trainer, &err), &err))
        goto out;
    snprintf(straight, sizeof straight, "%s/straight", dir);
    snprintf(kept, sizeof kept, "%s/kept", dir);
    T_OK(asy_trainer_run(trainer, whole, dir, NULL, &callbacks, &result, &err), &err);
    T_EQ("outcome", result.outcome, ASY_TRAIN_COMPLETE);
    T_EQ("reports of rank 0 alone", n_reports, root ? 4 : 0);
    wide = result.objective;
    if (root)
        T_EQ("keep", rename(result.model_path, straight), 0);
    T_OK(asy_trainer_run(trainer, part, dir, NULL, &callbacks, &result, &err), &err);
    T_EQ("outcome", result.outcome, ASY_TRAIN_PAUSED);
    T_EQ("checkpoints of rank 0 alone", n_checkpoints, root ? 1 : 0);
    T_OK(asy_trainer_run(trainer, whole, dir, kept, &callbacks, &result, &err), &err);
    T_EQ("outcome", result.outcome, ASY_TRAIN_COMPLETE);
    if (root) {
        kit_same("resumed", result.model_path, straight);
        asy_trainer_destroy(trainer);
        trainer = NULL;
        if (T_OK(asy_comm_self(&self, &err), &err) &&
            T_OK(asy_trainer_create(self, &trainer, &err), &err)) {
            T_OK(asy_trainer_run(trainer, whole, dir, NULL, &callbacks, &result, &err), &err);
            /* the same sums in another order: rounding, grown by four epochs of training */
            T_NEAR("one rank", result.objective, wide, 1e-3 * wide);
        }
    }
out:
    asy_trainer_destroy(trainer);
    asy_comm_destroy(self);
    asy_json_destroy(whole);
    asy_json_destroy(part);
    drop_dir(dir);
}

/* Batches of 239 rows leave 3 for the last one: fewer than there may be ranks. (No Adam: a bias
 * before batch normalisation has a gradient of rounding alone, which Adam would scale up.) */
static void ranks_train_as_one(void)
{
    check_training("mlp", PARAMS);
    check_training("mlp", "\"hidden\":128,\"batch_size\":16");
    check_training("cnn", "\"filters\":4,\"norm\":\"batch\",\"batch_size\":239,"
                   "\"optimizer\":\"sgd\",\"lr\":0.02");
}

#define STEPS 100
static double curve[STEPS], alone[STEPS];
static void on_step(void *arg, uint64_t step, double loss)
{
    double *to = arg;

    if (step >= 1 && step <= STEPS)
        to[step - 1] = loss;
}

/* Loss of each of the first steps of a job, by this gang or by rank 0 alone. */
static void take_curve_of(const char *params, struct asy_comm *by, double *to, const char *dir,
                          const char *resume, const char *until)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 6, params, until);
    const struct asy_train_callbacks record = { .arg = to, .step = on_step,
                                                .checkpoint = on_checkpoint };
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (T_OK(asy_trainer_create(by, &trainer, &err), &err))
        T_OK(asy_trainer_run(trainer, job, dir, resume, &record, &result, &err), &err);
    asy_trainer_destroy(trainer);
    asy_json_destroy(job);
}

static void take_curve(struct asy_comm *by, double *to, const char *dir, const char *resume,
                       const char *until)
{
    take_curve_of("\"batch_size\":64", by, to, dir, resume, until);
}

/* The same sums in another order: the relative error of a float, grown by a hundred updates. */
static void compare_curves(const char *what)
{
    for (size_t i = 0; i < STEPS; i++)
        T_NEAR(what, curve[i], alone[i], 1e-4 * fabs(alone[i]));
}

static void the_loss_curve_is_that_of_one_rank(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *self = NULL;
    char dir[64];

    if (!shared_dir(dir))
        return;
    snprintf(kept, sizeof kept, "%s/kept", dir);
    take_curve(comm, curve, dir, NULL, "");
    if (asy_comm_rank(comm) == 0 && T_OK(asy_comm_self(&self, &err), &err)) {
        take_curve(self, alone, dir, NULL, "");
        T_TRUE(alone[0] > 1 && alone[STEPS - 1] < 0.5 * alone[0]); /* it learns */
        compare_curves("as one");
        take_curve(self, curve, dir, NULL, "\"until\":3"); /* this width goes on where one paused */
    }
    T_OK(asy_comm_bcast(comm, kept, sizeof kept, 0, &err), &err);
    take_curve(comm, curve, dir, kept, "");
    if (asy_comm_rank(comm) == 0)
        compare_curves("resumed by more");
    take_curve(comm, curve, dir, NULL, "\"until\":3"); /* and the other way round */
    if (self) {
        take_curve(self, curve, dir, kept, "");
        compare_curves("resumed by one");
    }
    asy_comm_destroy(self);
    drop_dir(dir);
}

/* Eight bits of each sum of gradients are left: a relative error of 2^-9 at each node that it comes
 * by. Adam goes by signs and sizes of many of them. */
static void a_model_of_rounded_sums_is_near(void)
{
    int one_node = asy_comm_local_size(comm) == asy_comm_size(comm);
    size_t differ = 0;
    char dir[64];

    if (!shared_dir(dir))
        return;
    snprintf(kept, sizeof kept, "%s/kept", dir);
    memset(curve, 0, sizeof curve);
    take_curve(comm, alone, dir, NULL, "");
    take_curve_of("\"batch_size\":64,\"wire\":\"bf16\"", comm, curve, dir, NULL, "");
    if (asy_comm_rank(comm) == 0) {
        for (size_t i = 0; i < STEPS; i++) {
            T_NEAR("loss", curve[i], alone[i], 0.03 * fabs(alone[i]));
            differ += curve[i] != alone[i];
        }
        T_EQ("rounded", differ > 0, !one_node);
        kit_rmdir(dir);
    }
}

static void write_few(const char *path)
{
    FILE *f = fopen(path, "we");

    if (!T_TRUE(f != NULL))
        return;
    for (int i = 0; i < 90; i++)
        fprintf(f, "%d,%d,%d\n", i % 7, i % 11, i % 7 * 3 - i % 11);
    fclose(f);
}

/* A tensor in two models' files, to the last bit. */
static void same_tensor(const char *name, const char *a, const char *b)
{
    struct asy_safetensors *x = NULL, *y = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (T_OK(asy_safetensors_open(a, &x, &err), &err) &&
        T_OK(asy_safetensors_open(b, &y, &err), &err)) {
        const struct asy_tensor *ours = asy_safetensors_find(x, name);
        const struct asy_tensor *theirs = asy_safetensors_find(y, name);

        if (T_TRUE(ours && theirs && ours->size > 1000) && T_EQ("size", ours->size, theirs->size))
            T_EQ("bits", memcmp(ours->bytes, theirs->bytes, ours->size), 0);
    }
    asy_safetensors_destroy(x);
    asy_safetensors_destroy(y);
}

/* All tensors of two models; returns how many there are. */
static size_t same_tensors(const char *what, const char *path, const char *want)
{
    struct asy_safetensors *file = NULL, *other = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    size_t n = 0;

    if (T_OK(asy_safetensors_open(path, &file, &err), &err) &&
        T_OK(asy_safetensors_open(want, &other, &err), &err))
        for (; n < asy_safetensors_len(file); n++) {
            const struct asy_tensor *a = asy_safetensors_at(file, n);
            const struct asy_tensor *b = asy_safetensors_find(other, a->name);

            if (T_TRUE(b != NULL) && T_EQ(what, a->size, b->size))
                T_EQ(a->name, memcmp(a->bytes, b->bytes, a->size), 0);
        }
    asy_safetensors_destroy(file);
    asy_safetensors_destroy(other);
    return n;
}

/* A job by all ranks; the model is kept as name. Returns how many steps were made together. */
static int train_as(const char *dir, const char *name, const char *data, const char *params)
{
    struct asy_json *job = kit_family_job("mlp", KIT_DIGITS, data, "val_loss", "minimize", 2,
                                          params, "");
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    char to[160];

    n_joint = 0;
    snprintf(to, sizeof to, "%s/%s", dir, name);
    if (T_OK(asy_trainer_create(comm, &trainer, &err), &err) &&
        T_OK(asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err), &err) &&
        asy_comm_rank(comm) == 0)
        T_EQ("keep", rename(result.model_path, to), 0);
    asy_trainer_destroy(trainer);
    asy_json_destroy(job);
    return n_joint;
}

/* A norm that is never reached keeps ranks from making gradients together, and changes nothing
 * else. The last batch of an epoch has fewer rows than there may be ranks. */
static void gradients_made_together_have_the_bits_of_others(void)
{
    static const char *const cases[] = {
        "\"optimizer\":\"sgd\"", "\"optimizer\":\"adam\",\"ema\":0.9",
        "\"optimizer\":\"adam_l2\",\"weight_decay\":0.1,\"dropout\":0.2",
        "\"optimizer\":\"sgd\",\"momentum\":0,\"norm\":\"layer\"",
    };
    int one_node = asy_comm_local_size(comm) == asy_comm_size(comm);
    char dir[64], params[256], one[128], other[128];

    if (!shared_dir(dir))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        snprintf(params, sizeof params, "\"hidden\":128,\"layers\":2,\"batch_size\":16,%s",
                 cases[i]);
        T_EQ(cases[i], train_as(dir, "together", "", params) > 100, one_node);
        snprintf(params + strlen(params), sizeof params - strlen(params), ",\"clip\":1e30");
        T_EQ("steps", train_as(dir, "apart", "", params), 0);
        snprintf(one, sizeof one, "%s/together", dir);
        snprintf(other, sizeof other, "%s/apart", dir);
        if (asy_comm_rank(comm) == 0)
            T_TRUE(same_tensors(cases[i], one, other) >= 6);
    }
    drop_dir(dir);
}

#define WIDE "\"hidden\":128,\"layers\":2,\"batch_size\":16,\"optimizer\":\"adam\""
#define CORES "\"label\":-1},\"resources\":{\"cores\":2"
/* With two cores each, of which the first rank gets one: it has no team of threads, the others do,
 * and all take the same way. */
static void a_rank_with_fewer_cores_goes_with_the_others(void)
{
    char dir[64], one[128], other[128];
    cpu_set_t all, few;
    int cpu = sched_getcpu();

    if (!shared_dir(dir) || !T_TRUE(cpu >= 0) ||
        !T_EQ("CPUs", sched_getaffinity(0, sizeof all, &all), 0))
        return;
    CPU_ZERO(&few);
    CPU_SET(cpu, &few);
    if (asy_comm_rank(comm) == 0)
        T_EQ("one CPU", sched_setaffinity(0, sizeof few, &few), 0);
    T_EQ("joint steps", train_as(dir, "teams", CORES, WIDE), 0);
    T_EQ("all CPUs", sched_setaffinity(0, sizeof all, &all), 0);
    train_as(dir, "alone", "", WIDE);
    snprintf(one, sizeof one, "%s/teams", dir);
    snprintf(other, sizeof other, "%s/alone", dir);
    if (asy_comm_rank(comm) == 0) {
        T_TRUE(same_tensors("cores", one, other) >= 6);
        kit_rmdir(dir);
    }
}

static void ranks_that_disagree_about_sizes_are_told(void)
{
    int last = asy_comm_rank(comm) == asy_comm_size(comm) - 1;
    int second = asy_comm_local_rank(comm) == 1, shares = asy_comm_local_size(comm) > 1;
    size_t ranks = (size_t)asy_comm_size(comm);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm_memory memory;

    T_EQ("own", asy_comm_share(comm, ranks, last ? 1000 : 2000, 64, &memory, &err), ASY_E_STATE);
    T_HAS("own", err.text, "1000 to 2000");
    T_EQ("common", asy_comm_share(comm, ranks, 1000, second ? 80 : 64, &memory, &err),
         shares ? ASY_E_STATE : 0);
    if (shares)
        T_HAS("common", err.text, "64 to 80");
    T_OK(asy_comm_share(comm, ranks, 1000, 64, &memory, &err), &err);
}

/* A file that is another one on one rank, by a row or by a number in it. */
static void ranks_that_disagree_about_data_are_told(void)
{
    int last = asy_comm_rank(comm) == asy_comm_size(comm) - 1;
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64], file[160], want[200];
    struct asy_buf text;

    asy_buf_init(&text, 1u << 16);
    if (!shared_dir(dir) || !T_OK(asy_trainer_create(comm, &trainer, &err), &err))
        goto out;
    snprintf(file, sizeof file, "%s/%d.csv", dir, asy_comm_rank(comm));
    for (int more = 0; more < 2; more++) {
        struct asy_json *job = kit_job(file, "", "val_loss", "minimize", 2, "\"batch_size\":8", "");

        asy_buf_clear(&text);
        for (int i = 0; i < 80 + (last && more); i++)
            asy_buf_addf(&text, "%d,%d\n", i + (last && i == 3), i % 2);
        T_TRUE(kit_write(file, text.data, text.len));
        T_EQ("run", asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err),
             ASY_E_STATE);
        snprintf(want, sizeof want, "rank %d: its data is not that of rank 0: %s",
                 asy_comm_size(comm) - 1,
                 more ? "81 rows, 49 of them to train on, where that has 80 and 48"
                      : "as many rows (80), but not the same");
        T_STR("who and what", err.text, want);
        asy_json_destroy(job);
    }
out:
    asy_trainer_destroy(trainer);
    asy_buf_fini(&text);
    drop_dir(dir);
}

#define TREES "\"subsample\":0.7,\"colsample\":0.5,\"max_depth\":4"
static void trees_are_those_of_one_rank(void)
{
    struct asy_json *whole = kit_family_job("gbdt", KIT_DIGITS, "", "val_loss", "minimize", 5,
                                            TREES, "");
    struct asy_json *part = kit_family_job("gbdt", KIT_DIGITS, "", "val_loss", "minimize", 5,
                                           TREES, "\"until\":2");
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *self = NULL;
    char dir[64], straight[160];
    int root = asy_comm_rank(comm) == 0;
    double value;

    if (!shared_dir(dir) || !T_OK(asy_trainer_create(comm, &trainer, &err), &err))
        goto out;
    snprintf(straight, sizeof straight, "%s/straight", dir);
    snprintf(kept, sizeof kept, "%s/kept", dir);
    T_OK(asy_trainer_run(trainer, whole, dir, NULL, &callbacks, &result, &err), &err);
    T_EQ("outcome", result.outcome, ASY_TRAIN_COMPLETE);
    value = result.objective;
    if (root)
        T_EQ("keep", rename(result.model_path, straight), 0);
    T_OK(asy_trainer_run(trainer, part, dir, NULL, &callbacks, &result, &err), &err);
    T_EQ("outcome", result.outcome, ASY_TRAIN_PAUSED);
    T_OK(asy_trainer_run(trainer, whole, dir, kept, &callbacks, &result, &err), &err);
    T_EQ("outcome", result.outcome, ASY_TRAIN_COMPLETE);
    if (root) {
        kit_same("resumed", result.model_path, straight);
        asy_trainer_destroy(trainer);
        trainer = NULL;
        if (T_OK(asy_comm_self(&self, &err), &err) &&
            T_OK(asy_trainer_create(self, &trainer, &err), &err)) {
            T_OK(asy_trainer_run(trainer, whole, dir, NULL, &callbacks, &result, &err), &err);
            same_tensor("nodes", result.model_path, straight);
            kit_same("with all that is said of them", result.model_path, straight);
            T_EQ("value", memcmp(&result.objective, &value, sizeof value), 0);
            T_OK(asy_trainer_run(trainer, whole, dir, kept, &callbacks, &result, &err), &err);
            kit_same("one rank goes on where more paused", result.model_path, straight);
        }
    }
out:
    asy_trainer_destroy(trainer);
    asy_comm_destroy(self);
    asy_json_destroy(whole);
    asy_json_destroy(part);
    drop_dir(dir);
}

/* Fewer than ranks have shards of: some have none. */
static void few_rows_make_the_trees_of_one(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_comm *self = NULL;
    struct asy_json *job = NULL;
    char dir[64], file[160], straight[160];
    int root = asy_comm_rank(comm) == 0;

    if (!shared_dir(dir) || !T_OK(asy_trainer_create(comm, &trainer, &err), &err))
        return;
    snprintf(file, sizeof file, "%s/few.csv", dir);
    snprintf(straight, sizeof straight, "%s/straight", dir);
    if (root)
        write_few(file);
    T_OK(asy_comm_bcast(comm, kept, sizeof kept, 0, &err), &err); /* the file is there */
    job = kit_family_job("gbdt", file, "\"label\":-1},\"resources\":{\"reproducible\":\"strict\"",
                         "val_loss", "minimize", 5, TREES, ""); /* as they are without it */
    T_OK(asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err), &err);
    if (root && T_EQ("keep", rename(result.model_path, straight), 0)) {
        asy_trainer_destroy(trainer);
        trainer = NULL;
        if (T_OK(asy_comm_self(&self, &err), &err) &&
            T_OK(asy_trainer_create(self, &trainer, &err), &err) &&
            T_OK(asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err), &err))
            kit_same("few rows", result.model_path, straight);
    }
    asy_trainer_destroy(trainer);
    asy_comm_destroy(self);
    asy_json_destroy(job);
    drop_dir(dir);
}

/* Ends the study's data and begins its resources. */
#define STRICT "},\"resources\":{\"reproducible\":\"strict\""

static const struct strict_case {
    const char *family, *file, *data, *params;
} strict_cases[] = {
    { "mlp", KIT_DIGITS, "\"label\":-1" STRICT, PARAMS ",\"optimizer\":\"adam\","
      "\"ema\":0.9,\"lr_schedule\":\"plateau\",\"lr_every\":1" },
    { "mlp", KIT_DIGITS, "\"label\":-1" STRICT,
      PARAMS ",\"optimizer\":\"sgd\",\"momentum\":0.9,\"norm\":\"layer\",\"dropout\":0.25,"
             "\"clip\":0.5,\"class_weights\":[1,2,1,1,0.5,1,1,1,1,3]" },
    { "mlp", KIT_DIGITS, "\"label\":-1" STRICT,
      PARAMS ",\"optimizer\":\"lamb\",\"label_smoothing\":0.1,\"accumulate\":2,\"warmup\":1" },
    { "cnn", KIT_DIGITS, "\"label\":-1" STRICT, PARAMS ",\"filters\":6" },
    { "cnn", KIT_DIGITS, "\"label\":-1" STRICT,
      PARAMS ",\"filters\":4,\"residual\":true,\"dropout\":0.25" },
    { "cnn", KIT_DIGITS, "\"label\":-1" STRICT,
      PARAMS ",\"filters\":4,\"augment_crop\":2,\"augment_flip\":true,\"augment_shift\":1" },
    { "gpt", ASY_SOURCE_DIR "/README.md", "\"format\":\"text\"" STRICT,
      "\"d_model\":12,\"heads\":3,\"blocks\":1,\"context\":20,\"batch_size\":40,"
      "\"dropout\":0.1,\"attention_dropout\":0.2,\"tied\":true" },
    { "transformer", KIT_DIGITS, "\"label\":-1" STRICT,
      "\"d_model\":8,\"heads\":2,\"blocks\":1,\"tokens\":8,\"batch_size\":100,\"dropout\":0.1" },
    { "mlp", KIT_DIGITS, "\"split\":{\"folds\":3}" STRICT,
      PARAMS ",\"optimizer\":\"adam\",\"ema\":0.9" },
    { "gbdt", KIT_DIGITS, "\"split\":{\"folds\":2,\"repeats\":2}" STRICT, TREES },
    { "gpt", ASY_SOURCE_DIR "/LICENSE", "\"format\":\"text\",\"split\":{\"folds\":2}" STRICT,
      "\"d_model\":8,\"heads\":2,\"blocks\":1,\"context\":20,\"batch_size\":40" },
    { PLUGIN_SHARES_SO, KIT_DIGITS, "\"split\":{\"folds\":3}" STRICT,
      "\"lr\":0.01,\"batch_size\":64" },
};

/* A strict job by this gang or by rank 0 alone; the model file is kept as name. */
static void train_strictly(struct asy_comm *by, const char *dir, const char *resume,
                           const char *until, const struct strict_case *c, const char *name)
{
    char to[160];
    struct asy_json *job;
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    job = kit_family_job(c->family, c->file, c->data, "val_loss", "minimize", 4, c->params, until);
    if (T_OK(asy_trainer_create(by, &trainer, &err), &err) &&
        T_OK(asy_trainer_run(trainer, job, dir, resume, &callbacks, &result, &err), &err) &&
        asy_comm_rank(by) == 0 && name) {
        snprintf(to, sizeof to, "%s/%s", dir, name);
        T_EQ("keep", rename(result.model_path, to), 0);
    }
    asy_trainer_destroy(trainer);
    asy_json_destroy(job);
}

/* The objective of a job by these ranks. */
static double objective_of(struct asy_comm *by, const char *dir, const struct asy_json *job)
{
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    double got = NAN;

    if (T_OK(asy_trainer_create(by, &trainer, &err), &err) &&
        T_OK(asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err), &err))
        got = result.objective;
    asy_trainer_destroy(trainer);
    return got;
}

/* Counts and scores of all ranks' rows come together, to the same bits. */
static void metrics_are_those_of_one_rank(void)
{
    static const struct {
        const char *family, *data, *metric, *params;
    } cases[] = {
        { "mlp", "\"label\":-1" STRICT, "val_auc", PARAMS },
        { "mlp", "\"label\":-1" STRICT, "val_top2", PARAMS },
        { "gbdt", "", "val_auc", "\"max_depth\":2" },
        { "gbdt", "", "val_f1", "\"max_depth\":2" },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *self = NULL;
    char dir[64];
    int root = asy_comm_rank(comm) == 0;

    if (!shared_dir(dir) || !T_OK(asy_comm_self(&self, &err), &err))
        return;
    snprintf(kept, sizeof kept, "%s/kept", dir);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *job = kit_family_job(cases[i].family, KIT_DIGITS, cases[i].data,
                                              cases[i].metric, "maximize", 2, cases[i].params, "");
        double got = objective_of(comm, dir, job);

        T_TRUE(got > 0.2 && got <= 1);
        if (root)
            T_NEAR(cases[i].metric, got, objective_of(self, dir, job), 0);
        asy_json_destroy(job);
    }
    asy_comm_destroy(self);
    drop_dir(dir);
}

static void a_strict_model_is_the_same_for_every_width(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *self = NULL;
    char dir[64], wide[160], narrow[160], resumed[160];
    int root = asy_comm_rank(comm) == 0;

    if (!shared_dir(dir) || !T_OK(asy_comm_self(&self, &err), &err))
        return;
    snprintf(wide, sizeof wide, "%s/wide", dir);
    snprintf(narrow, sizeof narrow, "%s/narrow", dir);
    snprintf(resumed, sizeof resumed, "%s/resumed", dir);
    snprintf(kept, sizeof kept, "%s/kept", dir);
    for (size_t i = 0; i < ASY_ARRAY_LEN(strict_cases); i++) {
        train_strictly(comm, dir, NULL, "", &strict_cases[i], "wide");
        if (root) {
            train_strictly(self, dir, NULL, "", &strict_cases[i], "narrow");
            kit_same(strict_cases[i].family, wide, narrow);
            train_strictly(self, dir, NULL, "\"until\":2", &strict_cases[i], NULL);
        }
        T_OK(asy_comm_bcast(comm, kept, sizeof kept, 0, &err), &err); /* rank 0 has paused */
        train_strictly(comm, dir, kept, "", &strict_cases[i], "resumed");
        if (root)
            kit_same(strict_cases[i].family, resumed, narrow);
    }
    asy_comm_destroy(self);
    drop_dir(dir);
}

/* Eight ranks have one each of a strict batch's eight parts, so they make gradients together. */
static void strict_gradients_may_be_made_together(void)
{
    static const struct strict_case dense = { "mlp", KIT_DIGITS, "\"label\":-1" STRICT, WIDE };
    int size = asy_comm_size(comm), joins = size == 8 && asy_comm_local_size(comm) == size;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *self = NULL;
    char dir[64], wide[160], narrow[160];

    if (!shared_dir(dir) || !T_OK(asy_comm_self(&self, &err), &err))
        return;
    snprintf(wide, sizeof wide, "%s/wide", dir);
    snprintf(narrow, sizeof narrow, "%s/narrow", dir);
    n_joint = 0;
    train_strictly(comm, dir, NULL, "", &dense, "wide");
    T_EQ("joint steps", n_joint > 100, joins);
    if (asy_comm_rank(comm) == 0) {
        train_strictly(self, dir, NULL, "", &dense, "narrow");
        T_TRUE(same_tensors("strict", wide, narrow) >= 6);
        kit_rmdir(dir);
    }
    asy_comm_destroy(self);
}

/* The other ranks are on machines that draw other weights. */
static void the_first_rank_draws_for_all(void)
{
    static const struct strict_case plain = { "mlp", KIT_DIGITS, "\"label\":-1" STRICT,
                                              PARAMS ",\"optimizer\":\"sgd\"" };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *self = NULL;
    char dir[64], wide[160], narrow[160];

    if (!shared_dir(dir))
        return;
    snprintf(wide, sizeof wide, "%s/wide", dir);
    snprintf(narrow, sizeof narrow, "%s/narrow", dir);
    snprintf(kept, sizeof kept, "%s/kept", dir);
    other_machine = asy_comm_rank(comm) > 0;
    train_strictly(comm, dir, NULL, "", &plain, "wide");
    other_machine = 0;
    if (asy_comm_rank(comm) == 0) {
        if (T_OK(asy_comm_self(&self, &err), &err)) {
            train_strictly(self, dir, NULL, "", &plain, "narrow");
            same_tensor("layers.0.weight", wide, narrow);
        }
        asy_comm_destroy(self);
        kit_rmdir(dir);
    }
}

/* A request to one rank stops all at the same step; a mistake on one is one of all. */
static void ranks_stop_and_fail_together(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 100000, PARAMS, "");
    struct asy_json *bad = kit_job(asy_comm_rank(comm) == 0 ? KIT_DIGITS : "/nowhere", "",
                                   "val_loss", "minimize", 1, PARAMS, "");
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    double step = 0;
    char dir[64];

    if (!shared_dir(dir) || !T_OK(asy_trainer_create(comm, &trainer, &err), &err))
        goto out;
    snprintf(kept, sizeof kept, "%s/kept", dir);
    if (asy_comm_rank(comm) == 1)
        asy_trainer_request(trainer, ASY_TRAIN_STOP);
    T_OK(asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err), &err);
    T_EQ("outcome", result.outcome, ASY_TRAIN_STOPPED);
    step = (double)result.step;
    T_OK(asy_comm_sum_f64(comm, &step, 1, &err), &err);
    T_NEAR("step", step, (double)result.step * asy_comm_size(comm), 0);
    T_TRUE(asy_trainer_run(trainer, bad, dir, NULL, &callbacks, &result, &err) < 0);
    T_HAS("who", err.text, "rank 1: ");
    T_HAS("why", err.text, "/nowhere");
    T_TRUE(asy_trainer_run(trainer, job, dir, "/nowhere", &callbacks, &result, &err) < 0);
out:
    asy_trainer_destroy(trainer);
    asy_json_destroy(job);
    asy_json_destroy(bad);
    drop_dir(dir);
}

int main(int argc, char **argv)
{
    static const struct t_test tests[] = {
        T_TEST(ranks_of_a_node_share_memory),
        T_TEST(sums_go_in_rank_order),
        T_TEST(a_sum_may_begin_before_its_end),
        T_TEST(a_node_sends_before_the_end),
        T_TEST(the_first_of_a_node_sends_while_it_waits),
        T_TEST(numbers_are_rounded_to_the_nearest),
        T_TEST(rounded_sums_are_the_same_on_all),
        T_TEST(a_rank_without_memory_tells_the_others),
        T_TEST(a_node_gets_what_the_first_has),
        T_TEST(doubles_add_up),
        T_TEST(whole_numbers_add_up),
        T_TEST(bytes_come_from_the_root),
        T_TEST(ranks_train_as_one),
        T_TEST(gradients_made_together_have_the_bits_of_others),
        T_TEST(a_rank_with_fewer_cores_goes_with_the_others),
        T_TEST(ranks_that_disagree_about_sizes_are_told),
        T_TEST(ranks_that_disagree_about_data_are_told),
        T_TEST(the_loss_curve_is_that_of_one_rank),
        T_TEST(a_model_of_rounded_sums_is_near),
        T_TEST(trees_are_those_of_one_rank),
        T_TEST(few_rows_make_the_trees_of_one),
        T_TEST(metrics_are_those_of_one_rank),
        T_TEST(a_strict_model_is_the_same_for_every_width),
        T_TEST(strict_gradients_may_be_made_together),
        T_TEST(the_first_rank_draws_for_all),
        T_TEST(ranks_stop_and_fail_together),
    };
    int rc;

    local_max = ranks_asked(argc, argv);
    if (!ranks_open(local_max))
        return 2;
    if (asy_comm_size(comm) < 2) {
        fprintf(stderr, "this test needs mpirun -n 2\n");
        asy_comm_destroy(comm);
        return 2;
    }
    rc = t__main("comm_mpi", tests, ASY_ARRAY_LEN(tests));
    asy_comm_destroy(comm);
    return rc;
}
