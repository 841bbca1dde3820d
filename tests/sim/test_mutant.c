/* SPDX-License-Identifier: Apache-2.0
 * test_mutant.c - the simulator with one promise broken on purpose (ASY_MUTANT, see core_impl.h):
 * it has to find out, else it is worth nothing. Passes if some seed fails for the expected
 * reason. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"

#define SEEDS 3000

/* Each mutant may come to light in more than one way. */
static const char *const expected[][4] = {
    [1] = { "was acknowledged and is lost", "was acknowledged, the store does not know it",
            "was told to be over and is not", NULL },
    [2] = { "went to two agents", "the store did not", "the store does not know it", NULL },
    [3] = { "counts for attempt", "counts twice", "is not its newest open one", NULL },
    [4] = { "is taken from its agent", NULL },
    [5] = { "of 10000 parts of GPU", NULL },
    [6] = { "still runs something", "is leased twice", NULL },
    [7] = { "room is taken that is kept for", NULL },
    [8] = { "starts without its parent's checkpoint", "starts from the dropped checkpoint", NULL },
};

static int as_expected(const char *why)
{
    for (size_t i = 0; i < 4 && expected[ASY_MUTANT][i]; i++)
        if (strstr(why, expected[ASY_MUTANT][i]))
            return 1;
    return 0;
}

int main(void)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct sim_options options;
        struct sim_result result;

        sim_options_draw(&options, seed);
        if (sim_run(&options, &result, &err)) {
            fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, err.text);
            return 1;
        }
        free(result.table);
        if (!result.failed || !as_expected(result.why))
            continue;
        printf("mutant %d found by seed %" PRIu64 ": %s\n", ASY_MUTANT, seed, result.why);
        return 0;
    }
    fprintf(stderr, "mutant %d was not found in %d seeds\n", ASY_MUTANT, SEEDS);
    return 1;
}
