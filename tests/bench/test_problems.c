/* SPDX-License-Identifier: Apache-2.0
 * test_problems.c - the problems of the area "tuner": the best is where it is said to be, seeds
 * move it, tables are read whole or not at all; those with several objectives have the values that
 * pymoo gives them (data/wfg.inc, made by make_wfg.py). */
#include <math.h>
#include <stdlib.h>
#include <zlib.h>
#include "asytest.h"
#include "folder.h"
#include "problems.h"
#include "problems_mo.h"

#define SEEDS 4

static struct problem *open_problem(const char *name, uint64_t seed, const char *tables)
{
    struct problem *p = problem_open(name, seed, tables);

    if (!T_TRUE(p != NULL))
        abort();
    return p;
}

static void the_best_is_where_it_is_said_to_be(void)
{
    for (size_t i = 0; strncmp(problem_name(i), "table", 5); i++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct problem *p = open_problem(problem_name(i), seed, NULL);
            double best[20], x[20], spread = 0;

            problem_optimum(p, best);
            T_NEAR(problem_name(i), problem_regret(p, best), 0, 1e-9); /* Hartmann6's: 8 digits */
            for (int k = 0; k < 200; k++) {
                for (size_t d = 0; d < problem_dims(p); d++) {
                    const struct problem_param *param = problem_param(p, d);

                    T_TRUE(best[d] >= param->lo && best[d] <= param->hi);
                    x[d] = best[d] + (param->hi - param->lo) * 0.01 * cos(k * 31 + (double)d);
                }
                T_TRUE(problem_regret(p, x) > 0);
                spread = fmax(spread, fabs(problem_value(p, x) - problem_value(p, best)));
            }
            T_TRUE(spread > 1e-4);
            problem_close(p);
        }
}

static void seeds_move_the_best(void)
{
    for (size_t i = 0; strncmp(problem_name(i), "table", 5); i++) {
        double at[SEEDS];

        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct problem *p = open_problem(problem_name(i), seed, NULL);
            const struct problem_param *param = problem_param(p, 0);
            double best[20];

            problem_optimum(p, best);
            at[seed] = (best[0] - param->lo) / (param->hi - param->lo);
            for (uint64_t other = 0; other < seed; other++)
                T_TRUE(fabs(at[seed] - at[other]) > 1e-6);
            problem_close(p);
        }
    }
}

static void write_table(const char *path, int rows)
{
    static const char *const words[] = { "b", "a", "c" };
    gzFile file = gzopen(path, "wb");

    if (!T_TRUE(file != NULL))
        abort();
    gzprintf(file, "n,word,seed0,seed1\n");
    for (int i = 0; i < rows; i++)
        gzprintf(file, "%d,%s,%d,%d\n", 1 << i / 3, words[i % 3], i * 5 % 12, i * 5 % 12 + 2);
    gzclose(file);
}

/* Accuracies i * 5 % 12 + 1 of 12 configurations: the best is 12, at row 7 (n 4, word a). */
static void tables_are_read_whole(void)
{
    struct t_folder folder;
    char path[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "hpobench-car.csv.gz", path);
    write_table(path, 12);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct problem *p = open_problem("table-car", seed, folder.path);
        double best[2], x[2], sum = 0;

        T_EQ("columns", problem_dims(p), 2);
        T_EQ("ordered", problem_param(p, 0)->kind, PROBLEM_INT);
        T_EQ("not ordered", problem_param(p, 1)->kind, PROBLEM_CHOICE);
        problem_optimum(p, best);
        T_TRUE(problem_regret(p, best) == 0);
        for (x[0] = 0; x[0] < 4; x[0]++)
            for (x[1] = 0; x[1] < 3; x[1]++)
                sum += problem_regret(p, x);
        T_NEAR("all rows", sum, 66, 1e-12);
        problem_close(p);
    }
    write_table(path, 11);
    T_TRUE(!problem_open("table-car", 0, folder.path));
    T_TRUE(!problem_open("table-segment", 0, folder.path));
    T_TRUE(!problem_open("table-car", 0, NULL));
    T_TRUE(!problem_open("nothing", 0, folder.path));
    t_folder_drop(&folder);
}

static void several_objectives_are_pymoos(void)
{
    static const struct {
        const char *name;
        double x[10], f[MO_GOALS_MAX];
    } points[] = {
#include "data/wfg.inc"
    };
    size_t asked = 0;

    for (size_t i = 0; mo_problem_name(i); i++)
        for (size_t k = 0; k < ASY_ARRAY_LEN(points); k++) {
            double f[MO_GOALS_MAX];

            if (strcmp(points[k].name, mo_problem_name(i)) != 0)
                continue;
            asked++;
            mo_problem_values(i, points[k].x, f);
            for (size_t j = 0; j < mo_problem_goals(i); j++) /* numpy's sums have another order */
                T_NEAR(points[k].name, f[j], points[k].f[j], 1e-9);
        }
    T_EQ("points", asked, ASY_ARRAY_LEN(points));
}

T_MAIN("problems", T_TEST(the_best_is_where_it_is_said_to_be), T_TEST(seeds_move_the_best),
       T_TEST(tables_are_read_whole), T_TEST(several_objectives_are_pymoos))
