/* SPDX-License-Identifier: Apache-2.0
 * test_sim.c - many seeds through the simulator: every promise holds in every one of them.
 *
 *     test_sim [--runs N] [--from SEED]    stops at the first seed that fails, naming it
 *     test_sim --seed N --trace            shows what happened in one */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "sim.h"

struct totals {
    uint64_t runs, steps, commits, crashes, leases, spread, compared, restores, adopted, kept;
};

static int run_one(uint64_t seed, int trace, struct totals *totals)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct sim_options options;
    struct sim_result result;

    sim_options_draw(&options, seed);
    options.trace = trace;
    if (sim_run(&options, &result, &err)) {
        fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, err.text);
        return 1;
    }
    if (trace && result.table)
        fputs(result.table, stdout);
    free(result.table);
    totals->runs++;
    totals->steps += result.steps;
    totals->commits += result.commits;
    totals->crashes += result.crashes;
    totals->leases += result.leases;
    totals->spread += result.spread;
    totals->compared += result.restarts_compared;
    totals->restores += result.restores;
    totals->adopted += result.adopted;
    totals->kept += result.kept;
    if (result.failed)
        fprintf(stderr, "seed %" PRIu64 " failed: %s\nsee it with --seed %" PRIu64 " --trace\n",
                seed, result.why, seed);
    return result.failed;
}

static int option(int argc, char **argv, const char *name, uint64_t *ret)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], name))
            return asy_parse_u64(argv[i + 1], strlen(argv[i + 1]), ret, NULL) == 0;
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t runs = 10000, from = 1, seed = 0;
    struct totals totals = { 0 };
    int failed = 0;

    if (option(argc, argv, "--seed", &seed))
        return run_one(seed, argc > 3 && !strcmp(argv[argc - 1], "--trace"), &totals);
    option(argc, argv, "--runs", &runs);
    option(argc, argv, "--from", &from);
    for (seed = from; seed < from + runs && !failed; seed++)
        failed = run_one(seed, 0, &totals);
    printf("%" PRIu64 " runs, %" PRIu64 " steps, %" PRIu64 " commits, %" PRIu64
           " coordinators killed, %" PRIu64 " leases, %" PRIu64 " gangs on several agents, %"
           PRIu64 " replays compared, %" PRIu64 " backups restored, %" PRIu64
           " attempts adopted, %" PRIu64 " workers kept\n",
           totals.runs, totals.steps, totals.commits, totals.crashes, totals.leases,
           totals.spread, totals.compared, totals.restores, totals.adopted,
           totals.kept);
    return failed;
}
