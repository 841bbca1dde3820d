/* SPDX-License-Identifier: Apache-2.0
 * Study files that meet a stored study: what may change, and defaults that were others before. */
#include "studykit.h"

static void only_budget_resources_and_priority_may_change(void)
{
    static const struct { const char *name, *text, *key;
    } cases[] = {
        { "the same", MODEL, NULL },
        { "budget", MODEL_HEAD OBJECTIVE PARAMS "budget: {trials: 99, time: 1h}\n", NULL },
        { "resources", MODEL "resources: {cores: 4, ranks: 4}\n", NULL },
        { "bits", MODEL "resources: {reproducible: strict}\n",
          "'resources.reproducible' was normal" },
        { "priority", MODEL "priority: 5\n", NULL },
        { "retries", MODEL "retries: 5\n", "'retries'" },
        { "seed", MODEL "search: {seed: 5}\n", "'search.seed'" },
        { "pruner", MODEL "search: {pruner: median}\n", "'search.pruner.name'" },
        { "length", HEAD "run: {model: mlp, length: {max: 41}}\n" DATA OBJECTIVE PARAMS BUDGET,
          "'run.length.max'" },
        { "range",
          MODEL_HEAD OBJECTIVE BUDGET "parameters: {lr: {min: 1e-5, max: 2.0, scale: log}}\n",
          "'parameters.lr.max'" },
        { "tag", MODEL "tags: {a: b}\n", "'tags.a'" },
    };
    struct asy_study_spec *earlier = parse("earlier", MODEL);

    for (size_t i = 0; earlier && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *later = parse(cases[i].name, cases[i].text);
        struct asy_error err = ASY_ERROR_INIT;

        if (!later)
            continue;
        T_EQ(cases[i].name, asy_study_resumable(earlier, later, &err),
             cases[i].key ? ASY_E_INVAL : 0);
        if (cases[i].key)
            T_HAS(cases[i].name, err.text, cases[i].key);
        asy_study_destroy(later);
    }
    asy_study_destroy(earlier);
}

/* The rule of asha is younger than the canonical texts of some stores. */
static void a_text_from_before_asha_had_rules_has_the_first(void)
{
    static const char text[] = "assay: 1\nname: a\nrun: {command: [a], length: {unit: steps, "
                               "max: 9}}\nobjective: {metric: l, goal: minimize}\n"
                               "parameters: {x: {min: 0.0, max: 1.0}}\n"
                               "search: {pruner: asha}\nbudget: {trials: 3}\n";
    static const char rule[] = ",\"rule\":2";
    struct asy_study_spec *s = parse("rules", text), *stored = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    char old[4096];
    const char *at;

    if (!s || !T_TRUE((at = strstr(s->canonical, rule)) != NULL))
        goto out;
    T_NEAR("a new study's", s->pruner_options[2].value, 2, 0);
    snprintf(old, sizeof old, "%.*s%s", (int)(at - s->canonical), s->canonical,
             at + strlen(rule));
    if (!T_OK(asy_study_parse(old, strlen(old), "stored", NULL, &stored, NULL, &err), &err))
        goto out;
    T_STR("option", stored->pruner_options[2].name, "rule");
    T_NEAR("an old study's", stored->pruner_options[2].value, 1, 0);
    T_EQ("but for that the same", strcmp(stored->canonical, s->canonical) != 0, 1);
out:
    asy_study_destroy(stored);
    asy_study_destroy(s);
}

#define ASHA(options) HEAD "run: {model: mlp, length: {max: 40}}\n" DATA OBJECTIVE PARAMS BUDGET \
    "search: {pruner: {name: asha" options "}}\n"

/* The default of asha's rule was another one before: a file that does not say it keeps the stored
 * study's, whichever that is. */
static void a_resume_keeps_a_default_that_has_changed(void)
{
    static const struct { const char *name, *text, *stored, *refused; double rule;
    } cases[] = {
        { "unsaid, as before there were rules", ASHA(""), "", NULL, 1 },
        { "unsaid, as it is now", ASHA(""), ",\"rule\":2", NULL, 2 },
        { "unsaid, as chosen", ASHA(""), ",\"rule\":1", NULL, 1 },
        { "said, as before there were rules", ASHA(", rule: 1"), "", NULL, 1 },
        { "said, another than before", ASHA(", rule: 2"), "",
          "'search.pruner.rule' differs; write 'rule: 1', or leave it out", 0 },
        { "said, another than now", ASHA(", rule: 1"), ",\"rule\":2",
          "'search.pruner.rule' differs; write 'rule: 2', or leave it out", 0 },
        { "another option", ASHA(", reduction: 3"), "",
          "'search.pruner.reduction' differs; only budget", 0 },
        { "another pruner", MODEL "search: {pruner: {name: hyperband}}\n", "",
          "'search.pruner.name' differs; only budget", 0 },
    };
    static const char rule[] = ",\"rule\":2";
    struct asy_study_spec *s = parse("asha", ASHA(""));
    const char *at = s ? strstr(s->canonical, rule) : NULL;
    struct asy_buf said;

    asy_buf_init(&said, 1 << 16);
    for (size_t i = 0; T_TRUE(at != NULL) && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *stored = NULL, *file = NULL, *sent = NULL, *later = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        char old[4096];

        snprintf(old, sizeof old, "%.*s%s%s", (int)(at - s->canonical), s->canonical,
                 cases[i].stored, at + strlen(rule));
        file = parse(cases[i].name, cases[i].text);
        if (file && T_OK(asy_study_with_inputs(file, NULL, 0, &sent, &err), &err) &&
            T_OK(asy_study_said(sent, &said, &err), &err) &&
            T_OK(asy_study_parse(old, strlen(old), "stored", NULL, &stored, NULL, &err), &err)) {
            asy_study_destroy(sent);
            sent = NULL;
            if (T_OK(asy_study_parse(said.data, said.len, "s", NULL, &sent, NULL, &err), &err) &&
                T_OK(asy_study_as_stored(sent, stored, &later, &err), &err)) {
                T_EQ(cases[i].name, asy_study_resumable(stored, later, &err),
                     cases[i].refused ? ASY_E_INVAL : 0);
                if (cases[i].refused)
                    T_HAS(cases[i].name, err.text, cases[i].refused);
                else
                    T_NEAR(cases[i].name, later->pruner_options[2].value, cases[i].rule, 0);
            }
        }
        asy_study_destroy(later);
        asy_study_destroy(sent);
        asy_study_destroy(file);
        asy_study_destroy(stored);
    }
    asy_study_destroy(s);
    asy_buf_fini(&said);
}

T_MAIN("study resume", T_TEST(only_budget_resources_and_priority_may_change),
       T_TEST(a_text_from_before_asha_had_rules_has_the_first),
       T_TEST(a_resume_keeps_a_default_that_has_changed))
