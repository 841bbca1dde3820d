/* SPDX-License-Identifier: Apache-2.0
 * Which device a rank takes, of lists that no machine here shows. */
#include <asytest.h>
#include "on_device.h"

static void ranks_find_their_gpus_in_the_text(void)
{
    static const struct {
        const char *text;
        int rank;
        int rc;
        size_t place;
    } cases[] = {
        { "0;1", 0, 0, 0 },
        { "0;1", 1, 0, 1 },
        { "2;0;1", 0, 0, 2 },
        { "0,1;2,3", 1, 0, 2 },
        { "12,13;3", 0, 0, 12 },
        { "0;1", 2, ASY_E_FORMAT, 0 },
        { "0", 1, ASY_E_FORMAT, 0 },
        { "", 0, ASY_E_FORMAT, 0 },
        { "", 1, ASY_E_FORMAT, 0 },
        { ";", 1, ASY_E_FORMAT, 0 },
        { ";1", 0, ASY_E_FORMAT, 0 },
        { "0;;1", 1, ASY_E_FORMAT, 0 },
        { ",0", 0, ASY_E_FORMAT, 0 },
        { "-1;0", 0, ASY_E_FORMAT, 0 },
        { "0x1;0", 0, ASY_E_FORMAT, 0 },
        { " 0;1", 0, ASY_E_FORMAT, 0 },
        { "GPU-1;GPU-2", 0, ASY_E_FORMAT, 0 },
        { "99999999999999999999999999;0", 0, ASY_E_FORMAT, 0 },
        { "%s%n;%s", 1, ASY_E_FORMAT, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        size_t place = 0;

        T_EQ(cases[i].text, asy__rank_gpu(cases[i].text, cases[i].rank, &place, &err), cases[i].rc);
        T_EQ(cases[i].text, place, cases[i].place);
    }
}

/* A list as letters: c is a CPU, g a GPU. */
static void ranks_take_their_devices(void)
{
    static const struct {
        const char *name, *devices;
        int has_gpus;
        const char *ranks;
        int rank;
        long want; /* the index, or a code below 0 */
    } cases[] = {
        { "the only one", "g", 1, NULL, 0, 0 },
        { "in turn", "gg", 1, NULL, 1, 1 },
        { "in turn, again", "gg", 1, NULL, 2, 0 },
        { "no CPU beside a GPU", "cg", 1, NULL, 0, 1 },
        { "no CPU beside a GPU, for any rank", "gcg", 1, NULL, 1, 2 },
        { "no CPU beside a GPU, round", "gc", 1, NULL, 1, 0 },
        { "a CPU that is offered as a GPU", "c", 1, NULL, 0, 0 },
        { "two of them", "cc", 1, NULL, 1, 1 },
        { "as the lease says", "gg", 1, "1;0", 0, 1 },
        { "as the lease says", "gg", 1, "1;0", 1, 0 },
        { "a shared one", "gg", 1, "0;0", 1, 0 },
        { "the first of two", "gggg", 1, "0,1;2,3", 1, 2 },
        { "among GPUs", "cgg", 1, "0;1", 1, 2 },
        { "one that is not seen", "gc", 1, "0;1", 1, ASY_E_NOENT },
        { "a text that is none", "gg", 1, "x;y", 0, ASY_E_FORMAT },
        { "a CPU without GPUs", "gc", 0, NULL, 0, 1 },
        { "a CPU without GPUs, whatever is set", "gc", 0, "0;1", 1, 1 },
        { "somebody else's", "g", 0, NULL, 0, ASY_E_NOENT },
        { "nothing", "", 1, NULL, 0, ASY_E_NOENT },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_device_info info[8] = { { 0 } };
        struct asy_error err = ASY_ERROR_INIT;
        size_t n = strlen(cases[i].devices), index = 0;
        int rc;

        for (size_t d = 0; d < n; d++)
            info[d].is_cpu = cases[i].devices[d] == 'c';
        rc = asy__device_pick(info, n, cases[i].has_gpus, cases[i].ranks, cases[i].rank, &index,
                              &err);
        T_EQ(cases[i].name, rc < 0 ? rc : (long)index, cases[i].want);
    }
}

T_MAIN("device-choice", T_TEST(ranks_find_their_gpus_in_the_text), T_TEST(ranks_take_their_devices))
