/* SPDX-License-Identifier: Apache-2.0
 * Boosted trees on a device, by themselves: a tree that can be worked out by hand, ranks, devices
 * that fail alone or among ranks, memory that is not there. That trees are the cpu's is
 * test_gbdt_device's. */
#include <asytest.h>
#include <asy/device_trees.h>
#include <asy/rng.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "device_leaks.h"
#include "failing_driver.h"
#include "frame.h"
#include "nomem.h"

#define FEATURES 9
#define BINS 12
#define DEPTH 4
#define ROWS 3000
#define ROUNDS 3
#define PLACES (((size_t)2 << DEPTH) - 1)
#define RANKS 2

static uint32_t at[FEATURES + 1];
static uint64_t words[2 * ROWS];
static float label[ROWS];

/* Rows begin .. end - 1; a table of its own. */
struct part {
    struct asy_device_trees_desc desc;
    uint64_t *words;
};

static struct part whole;

static void make_table(void)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    for (size_t f = 0; f <= FEATURES; f++)
        at[f] = (uint32_t)(f * (BINS + 1)); /* bins 0 to BINS */
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t f = 0; f < FEATURES; f++) {
            uint64_t bin = asy_rng_below(&rng, BINS + 1);

            words[f / 8 * ROWS + r] |= bin << 8 * (f % 8);
            label[r] += (float)bin * (float)(f % 3) / (float)(1 + f);
        }
        label[r] += (float)asy_rng_normal(&rng);
    }
}

static bool part_init(struct part *part, size_t begin, size_t end)
{
    size_t rows = end - begin;

    *part = (struct part){ .desc = {
        .loss = ASY_DEVICE_TREES_SQUARED, .outputs = 1, .max_depth = DEPTH, .rows = rows,
        .features = FEATURES, .at = at, .label = label + begin, .learning_rate = 0.3, .l2 = 1,
        .min_child_weight = 1, .subsample = 0.75, .seed = 3, .first_row = begin,
    } };
    part->words = malloc(2 * rows * sizeof *part->words + 1);
    for (size_t w = 0; part->words && w < 2; w++)
        memcpy(part->words + w * rows, words + w * ROWS + begin, rows * sizeof *words);
    part->desc.words = part->words;
    return part->words != NULL;
}

/* A life of trees on a device; nodes of the last round. */
static int boost(struct asy_device *device, const struct part *part,
                 struct asy_device_tree_node *nodes, struct asy_error *err)
{
    static const uint8_t use[FEATURES] = { 1, 1, 1, 0, 1, 1, 1, 1, 1 };
    struct asy_device_trees *trees = NULL;
    float *margins = calloc(part->desc.rows + 1, sizeof *margins);
    int rc = margins ? asy_device_trees_create(device, &part->desc, &trees, err)
                     : asy_fail(err, ASY_E_NOMEM, "no memory for margins");

    for (uint64_t round = 0; rc == 0 && round < ROUNDS; round++)
        rc = asy_device_trees_round(trees, round, use, nodes, margins, err);
    asy_device_trees_destroy(trees);
    free(margins);
    return rc;
}

static struct asy_device *device_open(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = NULL;

    T_OK(asy_device_open(ASY_DEVICE_OPENCL, 0, &device, &err), &err);
    return device;
}

/* ---- a tree by hand -------------------------------------------------------------------------- */

/* Six rows of one feature in bins 1, 1, 2, 2, 3 and that of missing values, labels 1, 1, 5, 5, 9
 * and 9: derivatives are margin - label, and 1. The root's best split has the first two on the
 * left: 4 / 2 + 784 / 4 - 900 / 6 = 48; missing values go with the others. */
static void a_tree_is_what_it_is_by_hand(void)
{
    static const uint64_t bins[] = { 1, 1, 2, 2, 3, 0 };
    static const uint32_t cells[] = { 0, 4 };
    static const float labels[] = { 1, 1, 5, 5, 9, 9 };
    static const uint8_t use[] = { 1 };
    const struct asy_device_trees_desc desc = {
        .outputs = 1, .max_depth = 1, .rows = 6, .features = 1, .words = bins, .at = cells,
        .label = labels, .learning_rate = 0.5, .subsample = 1,
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = device_open();
    struct asy_device_trees *trees = NULL;
    struct asy_device_tree_node nodes[3];
    float margins[6];

    if (!device || !T_OK(asy_device_trees_create(device, &desc, &trees, &err), &err) ||
        !T_OK(asy_device_trees_round(trees, 0, use, nodes, margins, &err), &err))
        goto out;
    T_EQ("feature", nodes[0].feature, 0);
    T_EQ("bin", nodes[0].bin, 1);
    T_EQ("default", nodes[0].default_left, 0);
    T_NEAR("gain", (double)nodes[0].gain, 48, 0);
    T_NEAR("weight", (double)nodes[0].weight, 6, 0);
    T_EQ("leaf", nodes[1].feature, ASY_DEVICE_TREE_LEAF);
    T_NEAR("left", (double)nodes[1].value, 0.5, 0);
    T_NEAR("right", (double)nodes[2].value, 3.5, 0);
    for (size_t r = 0; r < 6; r++)
        T_NEAR("margin", (double)margins[r], r < 2 ? 0.5 : 3.5, 0);
out:
    asy_device_trees_destroy(trees);
    asy_device_close(device);
}

/* ---- ranks ----------------------------------------------------------------------------------- */

/* Each rank is a thread with a device of its own. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t full;
    int64_t *x[RANKS];
    size_t n[RANKS], waiting;
    unsigned long sums;
} meeting = { .lock = PTHREAD_MUTEX_INITIALIZER, .full = PTHREAD_COND_INITIALIZER };

static int meet(void *arg, int64_t *x, size_t n, struct asy_error *err)
{
    size_t rank = *(const size_t *)arg;
    unsigned long turn;

    (void)err;
    pthread_mutex_lock(&meeting.lock);
    turn = meeting.sums;
    meeting.x[rank] = x;
    meeting.n[rank] = n;
    if (++meeting.waiting == RANKS) {
        T_EQ("numbers", meeting.n[0], meeting.n[1]);
        for (size_t i = 0; i < n; i++)
            meeting.x[0][i] = meeting.x[1][i] += meeting.x[0][i];
        meeting.waiting = 0;
        meeting.sums++;
        pthread_cond_broadcast(&meeting.full);
    }
    while (meeting.sums == turn)
        pthread_cond_wait(&meeting.full, &meeting.lock);
    pthread_mutex_unlock(&meeting.lock);
    return 0;
}

struct rank {
    size_t rank;
    struct part part;
    struct asy_device *device;
    struct asy_device_tree_node nodes[PLACES];
    struct asy_error err;
    int rc;
};

static void *run_rank(void *arg)
{
    struct rank *rank = arg;

    rank->rc = boost(rank->device, &rank->part, rank->nodes, &rank->err);
    return NULL;
}

static void run_both(struct rank ranks[RANKS])
{
    pthread_t thread;

    if (T_EQ("thread", pthread_create(&thread, NULL, run_rank, &ranks[1]), 0)) {
        run_rank(&ranks[0]);
        pthread_join(thread, NULL);
    }
}

/* Of so many rows the first rank has the first ones. */
static bool ranks_init(struct rank ranks[RANKS], size_t first)
{
    bool ok = true;

    for (size_t r = 0; r < RANKS; r++) {
        ranks[r] = (struct rank){ .rank = r };
        ok = T_TRUE(part_init(&ranks[r].part, r ? first : 0, r ? ROWS : first)) && ok;
        ranks[r].part.desc.join = meet;
        ranks[r].part.desc.join_arg = &ranks[r].rank;
    }
    return ok;
}

static void ranks_fini(struct rank ranks[RANKS])
{
    for (size_t r = 0; r < RANKS; r++) {
        free(ranks[r].part.words);
        asy_device_close(ranks[r].device);
    }
}

static void check_ranks(size_t first, const struct asy_device_tree_node *nodes)
{
    static struct rank ranks[RANKS];

    if (ranks_init(ranks, first) && (ranks[0].device = device_open()) &&
        (ranks[1].device = device_open())) {
        run_both(ranks);
        for (size_t r = 0; r < RANKS; r++)
            if (T_OK(ranks[r].rc, &ranks[r].err))
                T_EQ("nodes", memcmp(ranks[r].nodes, nodes, sizeof ranks[r].nodes), 0);
    }
    ranks_fini(ranks);
}

/* Rows that are drawn go by their number among all, so the parts do, too. */
static void ranks_make_the_trees_of_one(void)
{
    static struct asy_device_tree_node nodes[PLACES];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = device_open();

    if (device && T_OK(boost(device, &whole, nodes, &err), &err)) {
        T_TRUE(nodes[0].feature >= 0);
        check_ranks(1000, nodes);
        check_ranks(1, nodes);
        check_ranks(0, nodes);
    }
    asy_device_close(device);
}

/* Wherever one rank's device fails in a round, the other one comes to its end, and knows. */
static void a_rank_whose_device_fails_ends_the_round_for_all(void)
{
    static struct rank ranks[RANKS];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device_trees *trees;
    long created = 0, n;

    failing_tell(FAILING_NEVER, FAILING_NEVER);
    if (!ranks_init(ranks, 1000) || !(ranks[1].device = device_open()) ||
        !T_OK(asy__device_open(&failing_driver, 0, &ranks[0].device, &err), &err) ||
        !T_OK(asy_device_trees_create(ranks[0].device, &ranks[0].part.desc, &trees, &err), &err))
        goto out;
    created = failing.calls; /* where a rank fails alone, and has joined nobody yet */
    asy_device_trees_destroy(trees);
    for (n = created; n < 100000; n += 7) {
        asy_device_close(ranks[0].device);
        ranks[0].device = NULL;
        failing_tell(n, FAILING_NEVER);
        if (!T_OK(asy__device_open(&failing_driver, 0, &ranks[0].device, &err), &err))
            break;
        run_both(ranks);
        if (ranks[0].rc == 0)
            break;
        T_EQ("failed", ranks[0].rc, ASY_E_GONE);
        T_HAS("why", ranks[0].err.text, "fell off the bus");
        T_EQ("other", ranks[1].rc, ASY_E_GONE);
        T_HAS("why", ranks[1].err.text, "another rank");
        T_TRUE(!asy_device_is_gone(ranks[1].device));
    }
    T_OK(ranks[0].rc, &ranks[0].err);
    T_OK(ranks[1].rc, &ranks[1].err);
    T_TRUE(n > created + 100);
out:
    ranks_fini(ranks);
    T_EQ("arrays", failing.arrays, 0);
}

/* ---- what is missing ------------------------------------------------------------------------- */

static int whole_life(struct asy_error *err)
{
    static struct asy_device_tree_node nodes[PLACES];
    struct asy_device *device = NULL;
    int rc = asy__device_open(&failing_driver, 0, &device, err);

    if (rc == 0)
        rc = boost(device, &whole, nodes, err);
    asy_device_close(device);
    return rc;
}

static void a_device_that_is_gone_is_said_at_any_call(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = ASY_E_GONE;
    long n;

    for (n = 0; rc == ASY_E_GONE && n < 100000; n += n < 60 ? 1 : 7) {
        failing_tell(n, FAILING_NEVER);
        if ((rc = whole_life(&err)) == ASY_E_GONE)
            T_HAS("text", err.text, "fell off the bus");
        T_EQ("arrays", failing.arrays, 0);
    }
    T_OK(rc, &err);
    T_TRUE(n > 100);
}

/* Which is not that a derivative is too large: that ends a trial as diverged. */
static void a_launch_that_is_too_large_is_no_derivative(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = ASY_OK;
    long n;

    failing.gives = ASY_E_TOOBIG;
    for (n = 0; n < 200 && rc != ASY_E_UNSUPPORTED; n++) { /* until it falls on a launch */
        failing_tell(n, FAILING_NEVER);
        rc = whole_life(&err);
        T_TRUE(rc == ASY_E_GONE || rc == ASY_E_UNSUPPORTED);
    }
    T_EQ("launch", rc, ASY_E_UNSUPPORTED);
    T_EQ("launch", err.code, ASY_E_UNSUPPORTED);
    T_HAS("launch", err.text, "the grid is too large");
    failing.gives = ASY_OK;
    T_EQ("arrays", failing.arrays, 0);
}

static void a_device_without_memory_is_said_at_any_array(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = ASY_E_NOMEM;
    long n;

    for (n = 0; rc == ASY_E_NOMEM && n < 100; n++) {
        failing_tell(FAILING_NEVER, n);
        if ((rc = whole_life(&err)) == ASY_E_NOMEM)
            T_HAS("text", err.text, "no room for an array");
        T_EQ("arrays", failing.arrays, 0);
    }
    T_OK(rc, &err);
    T_TRUE(n > 15);
}

static void a_host_without_memory_is_said(void)
{
    failing_tell(FAILING_NEVER, FAILING_NEVER);
    T_TRUE(t_nomem_each("trees", whole_life) > 3);
    T_EQ("arrays", failing.arrays, 0);
}

static void a_device_without_doubles_is_refused(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    failing_tell(FAILING_NEVER, FAILING_NEVER);
    failing.lacks = "tree_split";
    T_EQ("doubles", whole_life(&err), ASY_E_UNSUPPORTED);
    T_HAS("text", err.text, "has no double precision");
    T_EQ("arrays", failing.arrays, 0);
    failing.lacks = NULL;
}

static void trees_beyond_the_devices_memory_are_refused(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = device_open();
    struct asy_device_trees *trees = NULL;
    struct asy_device_trees_desc desc = whole.desc;
    uint32_t *many = calloc(65537, sizeof *many);

    for (uint32_t f = 0; many && f < 65537; f++)
        many[f] = f * 256;
    desc.at = many;
    desc.features = 65536;
    desc.max_depth = 12;
    desc.rows = 0;
    if (device && T_TRUE(many != NULL)) {
        T_EQ("too big", asy_device_trees_create(device, &desc, &trees, &err), ASY_E_TOOBIG);
        T_HAS("text", err.text, "all of the device's memory are");
    }
    asy_device_close(device);
    free(many);
}

static void the_driver_is_closed(void)
{
    T_EQ("arrays", failing.arrays, 0);
    failing_close();
    free(whole.words);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(a_tree_is_what_it_is_by_hand),
        T_TEST(ranks_make_the_trees_of_one),
        T_TEST(a_rank_whose_device_fails_ends_the_round_for_all),
        T_TEST(a_device_that_is_gone_is_said_at_any_call),
        T_TEST(a_launch_that_is_too_large_is_no_derivative),
        T_TEST(a_device_without_memory_is_said_at_any_array),
        T_TEST(a_host_without_memory_is_said),
        T_TEST(a_device_without_doubles_is_refused),
        T_TEST(trees_beyond_the_devices_memory_are_refused),
        T_TEST(the_driver_is_closed),
    };

    make_table();
    return part_init(&whole, 0, ROWS) ? t__main("device-trees", tests, ASY_ARRAY_LEN(tests)) : 1;
}
