/* SPDX-License-Identifier: Apache-2.0
 * The table of the study file's keys, as it is shown and listed. */
#include "studykit.h"

static void help_shows_the_table(void)
{
    static const struct { const char *key, *want; } cases[] = {
        { NULL, "run.length.max" }, { NULL, "Hyperparameters of mlp" },
        { "search.pruner", "reduction" }, { "reduction", "pruner asha" }, { "tpe", "candidates" },
        { "max", "run.length.max" }, { "parameters", "scale: log" }, { "run.hidden", "65536" },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf buf;

    asy_buf_init(&buf, 1u << 20);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&buf);
        T_OK(asy_study_help(cases[i].key, &buf, &err), &err);
        T_HAS(cases[i].key ? cases[i].key : "whole", buf.data, cases[i].want);
    }
    asy_buf_clear(&buf);
    T_EQ("unknown", asy_study_help("prunner", &buf, &err), ASY_E_NOENT);
    T_HAS("unknown", err.text, "did you mean 'pruner'?");
    T_EQ("nothing written", buf.len, 0);
    asy_study_reference(&buf);
    T_HAS("reference", buf.data,
          "| `search.sampler.name` | one of auto, random, grid, tpe, ");
    asy_buf_fini(&buf);
}

static int listed(const char *group, const char *name)
{
    const char *other;

    for (size_t i = 0; (other = asy_study_option(group, i)); i++)
        if (!strcmp(other, name))
            return 1;
    return 0;
}

static void options_are_listed_by_group(void)
{
    T_STR("first", asy_study_option("sampler tpe", 0), "startup_trials");
    T_STR("last", asy_study_option("sampler tpe", 4), "group");
    T_TRUE(!asy_study_option("sampler tpe", 5) && !asy_study_option("sampler random", 0));
    T_STR("mlp", asy_study_option("model mlp", 0), "hidden");
    T_STR("all networks", asy_study_option("model networks", 0), "lr");
    T_EQ("a network has both", listed("model mlp", "hidden") && listed("model mlp", "momentum"), 1);
    T_EQ("trees do not", listed("model gbdt", "momentum"), 0);
    T_EQ("no family", listed("model nets", "momentum") || listed("model ?", "momentum"), 0);
}

T_MAIN("study help", T_TEST(help_shows_the_table), T_TEST(options_are_listed_by_group))
