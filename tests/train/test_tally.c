/* SPDX-License-Identifier: Apache-2.0
 * Counts of classes and the area under the curve, by hand and against the plain definition. */
#include "trainkit.h"
#include "nomem.h"
#include <asy/rng.h>
#include "learn/tally.h"

static struct asy_comm *comm;

/* Of three classes: right, right, taken for 2, taken for 1, and a tie that the first wins. */
static const float shares[5 * 3] = {
    0.7f, 0.2f, 0.1f, 0.1f, 0.6f, 0.3f, 0.2f, 0.3f, 0.5f, 0.1f, 0.5f, 0.4f, 0.4f, 0.4f, 0.2f,
};
static const int32_t labels[5] = { 0, 1, 1, 2, 1 };

static void counts_are_those_by_hand(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__tally_result got = { 0 };
    struct asy__tally *tally = NULL;

    if (T_OK(asy__tally_create(3, 5, 0, 5, 0, &tally, &err), &err)) {
        for (int again = 0; again < 2; again++) { /* clear leaves nothing */
            asy__tally_clear(tally);
            asy__tally_add(tally, 0, 2, shares, labels);
            asy__tally_add(tally, 2, 3, shares + 6, labels + 2);
            T_OK(asy__tally_sum(tally, comm, labels, &got, &err), &err);
            /* rows 1 3 1, guessed 2 2 1, right 1 1 0 */
            T_NEAR("f1", got.f1, (2.0 / 3 + 2.0 / 5 + 0) / 3, 1e-15);
            T_NEAR("top 2", got.top[0], 1, 0);
            T_NEAR("top 3", got.top[1], 1, 0);
            T_TRUE(isnan(got.area));
        }
    }
    asy__tally_destroy(tally);
}

static void classes_without_rows_do_not_count(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__tally_result got = { 0 };
    struct asy__tally *tally = NULL;
    static const float two[2 * 4] = { 0.4f, 0.3f, 0.2f, 0.1f, 0.1f, 0.2f, 0.3f, 0.4f };
    static const int32_t which[2] = { 0, 3 };

    if (T_OK(asy__tally_create(4, 2, 0, 2, 1, &tally, &err), &err)) {
        asy__tally_add(tally, 0, 2, two, which);
        T_OK(asy__tally_sum(tally, comm, which, &got, &err), &err);
        T_NEAR("f1", got.f1, 1, 0);
        T_NEAR("area", got.area, 1, 0);
        T_NEAR("top 2", got.top[0], 1, 0);
    }
    asy__tally_destroy(tally);
}

static void the_area_is_the_share_of_pairs(void)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 3, 0, ASY_RNG_SIM);
    for (size_t n = 2; n < 60; n += 7) {
        struct asy__scored scored[60];
        double wins = 0, pairs = 0, want;

        for (size_t i = 0; i < n; i++)
            scored[i] = (struct asy__scored){ (float)asy_rng_below(&rng, 8), i % 3 == 0 };
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                if (!scored[i].in || scored[j].in)
                    continue;
                pairs++;
                wins += scored[i].score > scored[j].score   ? 1
                        : scored[i].score < scored[j].score ? 0
                                                            : 0.5;
            }
        want = wins / pairs;
        T_NEAR("area", asy__area(scored, n), want, 1e-15);
    }
}

static void what_has_no_area_has_none(void)
{
    struct asy__scored same[2] = { { 1, 1 }, { 2, 1 } }, broken[2] = { { NAN, 1 }, { 2, 0 } };

    T_TRUE(isnan(asy__area(same, 2)));
    T_TRUE(isnan(asy__area(broken, 2)));
    T_TRUE(isnan(asy__area(same, 0)));
    T_NEAR("nothing right", asy__f1(3, 0, 0), 0, 0);
    T_NEAR("nothing there", asy__f1(0, 0, 0), 0, 0);
}

static int create(struct asy_error *err)
{
    struct asy__tally *tally = NULL;
    int rc = asy__tally_create(3, 5, 0, 5, 1, &tally, err);

    asy__tally_destroy(tally);
    return rc;
}

static void want_of_memory_is_an_error(void)
{
    T_EQ("failures", t_nomem_each("create", create), 5);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(counts_are_those_by_hand), T_TEST(classes_without_rows_do_not_count),
        T_TEST(the_area_is_the_share_of_pairs), T_TEST(what_has_no_area_has_none),
        T_TEST(want_of_memory_is_an_error),
    };
    int rc;

    if (asy_comm_self(&comm, NULL) < 0)
        return 1;
    rc = t__main("tally", tests, ASY_ARRAY_LEN(tests));
    asy_comm_destroy(comm);
    return rc;
}
