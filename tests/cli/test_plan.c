/* SPDX-License-Identifier: Apache-2.0
 * test_plan.c - what was understood of a study file. */
#include <asytest.h>
#include "plan.h"

static const char study[] =
    "assay: 1\nname: plan\n"
    "run: {command: [train, '{lr}'], length: {unit: epochs, max: 9}}\n"
    "objective: {metric: loss, goal: minimize, take: last}\n"
    "parameters:\n"
    "  lr: {min: 1.0e-5, max: 1.0, scale: log}\n"
    "  layers: {min: 1, max: 8}\n"
    "  optimizer: {values: [sgd, adam, lamb]}\n"
    "  momentum: {min: 0.0, max: 0.99, when: {optimizer: sgd}}\n"
    "  beta: {min: 0.5, max: 1.0, when: {optimizer: [adam, lamb], layers: {min: 2, max: 3}}}\n"
    "search: {sampler: random, seed: 7, pruner: {name: asha, min: 1, reduction: 4}}\n"
    "budget: {trials: 64, time: 90s, parallel: 3}\n"
    "resources: {cores: 2, memory: 512MiB}\n";

static struct asy_study_spec *parse(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_study_spec *spec = NULL;

    T_OK(asy_study_parse(study, strlen(study), "plan.yaml", "/", &spec, NULL, &err), &err);
    return spec;
}

static void the_plan_names_conditions_whole(void)
{
    struct asy_study_spec *spec = parse();
    struct asy_buf out = { 0 };

    asy_buf_init(&out, 1u << 16);
    if (spec) {
        asy__plan_study(spec, &out);
        T_STR("plan", out.data,
              "study    plan: minimize loss (the last of a trial)\n"
              "run      train {lr}, at most 9 epochs a trial, no checkpoints\n"
              "space    lr         1e-05 to 1, log\n"
              "         layers     1 to 8, whole\n"
              "         optimizer  {sgd, adam, lamb}\n"
              "         momentum   0 to 0.99  when optimizer = sgd\n"
              "         beta       0.5 to 1  when optimizer in {adam, lamb} and layers in 2 to 3\n"
              "search   random, pruner asha (min 1, reduction 4, rule 2), seed 7\n"
              "budget   64 trials or 1 min 30 s, whichever comes first\n");
    }
    asy_buf_fini(&out);
    asy_study_destroy(spec);
}

/* The plan of a study and what a trial needs. */
static bool plan_of(const char *text, struct asy_buf *out)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_study_spec *spec = NULL;
    bool ok = T_OK(asy_study_parse(text, strlen(text), "plan.yaml", "/", &spec, NULL, &err), &err);

    asy_buf_init(out, 1u << 16);
    if (ok) {
        asy__plan_study(spec, out);
        asy__plan_resources(spec, out);
    }
    asy_study_destroy(spec);
    return ok;
}

static void the_device_and_its_parts_are_told(void)
{
    static const struct { const char *resources, *run, *needs; } cases[] = {
        { "{device: opencl}", "run      mlp, at most 9 epochs a trial, on opencl\n", "1 core and" },
        { "{gpus: 0.5}", "run      mlp, at most 9 epochs a trial\n", "1 core, 0.5 of a GPU and" },
        { "{gpus: 0.5, ranks: 2}", "a trial\n", "2 cores (2 ranks of 1), 0.5 of a GPU each and" },
        { "{gpus: 1, ranks: 2}", "a trial\n", "2 cores (2 ranks of 1), 2 GPUs and" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_buf out = { 0 };
        char text[600];

        snprintf(text, sizeof text, "assay: 1\nname: plan\n"
                 "run: {model: mlp, length: {max: 9}}\ndata: {file: rows.csv}\n"
                 "objective: {metric: val_loss, goal: minimize}\n"
                 "parameters: {lr: {min: 0.1, max: 1.0}}\n"
                 "budget: {trials: 64}\nresources: %s\n", cases[i].resources);
        if (plan_of(text, &out)) {
            T_HAS("run", out.data, cases[i].run);
            T_HAS("needs", out.data, cases[i].needs);
        }
        asy_buf_fini(&out);
    }
}

static void a_pruner_is_told_in_the_words_of_the_file(void)
{
    static const struct { const char *pruner, *want; } cases[] = {
        { "hyperband", "pruner hyperband (min 1, reduction 3, brackets as many as fit)" },
        { "{name: hyperband, brackets: 2}", "pruner hyperband (min 1, reduction 3, brackets 2)" },
        { "{name: patient, inner: threshold, upper: 4}",
          "pruner patient (patience 5, min_delta 0, inner threshold, upper 4)" },
        { "patient", "pruner patient (patience 5, min_delta 0, inner none)" },
        { "none", "pruner none, seed 7" },
        { "wilcoxon", "judged so with 'objective: {take: mean}'" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_buf out = { 0 };
        char text[600];

        snprintf(text, sizeof text, "assay: 1\nname: plan\n"
                 "run: {command: [train], length: {max: 9}}\n"
                 "objective: {metric: loss, goal: minimize}\n"
                 "parameters: {lr: {min: 0.1, max: 1.0}}\n"
                 "search: {sampler: random, seed: 7, pruner: %s}\n"
                 "budget: {trials: 64}\n", cases[i].pruner);
        if (plan_of(text, &out))
            t__check(strstr(out.data, cases[i].want) != NULL, __LINE__, __FILE__,
                     "%s: got %s", cases[i].pruner, out.data);
        asy_buf_fini(&out);
    }
}

static void a_budget_says_what_ends_the_study(void)
{
    static const struct { const char *name, *search, *budget, *want; } cases[] = {
        { "grid", "grid", "{}", "budget   all points of the space, which are 12\n" },
        { "brute force", "brute_force", "{}", "budget   all points of the space, which are 12\n" },
        { "part of a grid", "grid", "{trials: 5}", "budget   5 trials\n" },
        { "endless", "random", "{endless: true}", "budget   open: runs until it is stopped\n" },
        { "patience", "random", "{trials: 9, patience: 3}",
          "budget   9 trials; before that, after 3 trials in a row without a better one\n" },
        { "little patience", "random", "{trials: 9, patience: 1}",
          "budget   9 trials; before that, after 1 trial without a better one\n" },
        { "regret", "random", "{trials: 99, regret: 0.01}",
          "budget   99 trials; before that, once hardly any point can be better by more than "
          "0.01\n" },
        { "all of them", "random", "{trials: 99, time: 5s, patience: 30, regret: 0.5}",
          "budget   99 trials or 5 s, whichever comes first; before that, after 30 trials in a "
          "row without a better one or once hardly any point can be better by more than 0.5\n" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_study_spec *spec = NULL;
        struct asy_buf out = { 0 };
        char text[600];
        int len = snprintf(text, sizeof text, "assay: 1\nname: plan\nrun: {command: [train]}\n"
                           "objective: {metric: loss, goal: minimize}\n"
                           "parameters: {a: {min: 1, max: 4}, b: {values: [x, y, z]}}\n"
                           "search: {sampler: %s}\nbudget: %s\n", cases[i].search,
                           cases[i].budget);

        asy_buf_init(&out, 1u << 16);
        if (T_OK(asy_study_parse(text, (size_t)len, "plan.yaml", "/", &spec, NULL, &err), &err)) {
            asy__plan_study(spec, &out);
            T_HAS(cases[i].name, out.data, cases[i].want);
        }
        asy_buf_fini(&out);
        asy_study_destroy(spec);
    }
}

static void slots_follow_from_workers_and_limits(void)
{
    static const struct { const char *name, *workers, *want; } cases[] = {
        { "cores decide", "{\"workers\":[{\"host\":\"a\",\"cores\":5,\"memory\":8589934592,"
          "\"fit\":\"\"}]}",
          "slots    2 trials at a time, each 2 cores and 512 MiB, on a (5 cores, 8.0 GiB)\n" },
        { "memory decides", "{\"workers\":[{\"host\":\"a\",\"cores\":64,\"memory\":600000000,"
          "\"fit\":\"\"}]}",
          "slots    1 trial at a time, each 2 cores and 512 MiB, on a (64 cores, 572 MiB)\n" },
        { "budget.parallel decides", "{\"workers\":[{\"host\":\"a\",\"cores\":64,"
          "\"memory\":8589934592,\"fit\":\"\"}]}",
          "slots    3 trials at a time, each 2 cores and 512 MiB, on a (64 cores, 8.0 GiB)\n" },
        { "only who is here counts", "{\"workers\":[{\"host\":\"a\",\"state\":\"away\",\"cores\":4,"
          "\"memory\":8589934592,\"fit\":\"\"},{\"host\":\"a\",\"state\":\"ready\",\"cores\":2,"
          "\"memory\":8589934592,\"fit\":\"\"},{\"host\":\"b\",\"state\":\"draining\",\"cores\":2,"
          "\"memory\":8589934592,\"fit\":\"\"},{\"host\":\"c\",\"state\":\"gone\",\"cores\":2,"
          "\"memory\":8589934592,\"fit\":\"\"}]}",
          "slots    1 trial at a time, each 2 cores and 512 MiB, on a (2 cores, 8.0 GiB)\n" },
        { "one out of service does not count", "{\"workers\":[{\"host\":\"a\",\"cores\":4,"
          "\"memory\":8589934592,\"fit\":\"wrong sums\"}]}",
          "slots    none: no worker can hold a trial; one takes 2 cores and 512 MiB, "
          "on a (4 cores, 8.0 GiB)\n" },
        { "they are still to come", "{\"workers\":[]}",
          "slots    none yet: no worker is here; one takes 2 cores and 512 MiB\n" },
    };
    struct asy_study_spec *spec = parse();
    struct asy_buf out = { 0 };

    asy_buf_init(&out, 1u << 16);
    for (size_t i = 0; spec && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *root = NULL;

        asy_buf_clear(&out);
        if (T_OK(asy_json_parse(cases[i].workers, strlen(cases[i].workers), &root, &err), &err)) {
            asy__plan_slots(spec, root, &out);
            T_STR(cases[i].name, out.data, cases[i].want);
        }
        asy_json_destroy(root);
    }
    asy_buf_fini(&out);
    asy_study_destroy(spec);
}

static void gangs_may_span_workers(void)
{
    static const char two[] = "{\"workers\":[{\"host\":\"a\",\"cores\":3,\"memory\":8589934592,"
                              "\"fit\":\"\"},{\"host\":\"b\",\"cores\":%d,"
                              "\"memory\":%s,\"fit\":\"\"}]}";
    static const struct {
        const char *name, *memory, *want;
        int cores;
        uint32_t gpus;
    } cases[] = {
        { "over both", "8589934592", "slots    1 trial at a time, each 4 cores (2 ranks of 2) and "
          "1.0 GiB, on a (3 cores, 8.0 GiB), b (3 cores, 8.0 GiB), its ranks on several of them\n",
          3, 0 },
        { "one has room for both", "8589934592", "slots    1 trial at a time, each 4 cores (2 "
          "ranks of 2) and 1.0 GiB, on a (3 cores, 8.0 GiB), b (4 cores, 8.0 GiB)\n", 4, 0 },
        { "cores are short", "8589934592", "slots    none: no worker can hold a trial; one takes 4 "
          "cores (2 ranks of 2) and 1.0 GiB, on a (3 cores, 8.0 GiB), b (1 core, 8.0 GiB)\n", 1,
          0 },
        { "memory is short", "134217728", "slots    none: no worker can hold a trial; one takes 4 "
          "cores (2 ranks of 2) and 1.0 GiB, on a (3 cores, 8.0 GiB), b (3 cores, 128 MiB)\n", 3,
          0 },
        { "GPUs are of one worker", "8589934592", "slots    none: no worker can hold a trial; one "
          "takes 4 cores (2 ranks of 2), 2 GPUs and 1.0 GiB, on a (3 cores, 8.0 GiB), b (3 cores, "
          "8.0 GiB)\n", 3, 10000 },
    };
    struct asy_study_spec *spec = parse();
    struct asy_buf out = { 0 };

    asy_buf_init(&out, 1u << 16);
    for (size_t i = 0; spec && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *root = NULL;
        char workers[400];
        int len = snprintf(workers, sizeof workers, two, cases[i].cores, cases[i].memory);

        asy_buf_clear(&out);
        spec->ranks = 2;
        spec->gpus = cases[i].gpus;
        if (T_OK(asy_json_parse(workers, (size_t)len, &root, &err), &err)) {
            asy__plan_slots(spec, root, &out);
            T_STR(cases[i].name, out.data, cases[i].want);
        }
        asy_json_destroy(root);
    }
    asy_buf_fini(&out);
    asy_study_destroy(spec);
}

static void gpus_count_for_slots(void)
{
    static const char workers[] =
        "{\"workers\":[{\"host\":\"a\",\"cores\":16,\"memory\":17179869184,\"fit\":\"\",\"gpus\":3,"
        "\"gpu_list\":[{\"shared\":true},{\"shared\":true},{\"shared\":false}]}]}";
    static const struct { const char *name, *want; uint32_t gpus; } cases[] = {
        { "whole ones", "slots    1 trial at a time, each 2 cores, 2 GPUs and 512 MiB, on a "
          "(16 cores, 16 GiB, 3 GPUs)\n", 20000 },
        { "parts", "slots    4 trials at a time, each 2 cores, 0.4 of a GPU and 512 MiB, on a "
          "(16 cores, 16 GiB, 3 GPUs)\n", 4000 },
        { "too many", "slots    none: no worker can hold a trial; one takes 2 cores, 4 GPUs and "
          "512 MiB, on a (16 cores, 16 GiB, 3 GPUs)\n", 40000 },
    };
    struct asy_study_spec *spec = parse();
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy_buf out = { 0 };

    asy_buf_init(&out, 1u << 16);
    if (spec && T_OK(asy_json_parse(workers, strlen(workers), &root, &err), &err)) {
        spec->parallel = 0;
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            asy_buf_clear(&out);
            spec->gpus = cases[i].gpus;
            asy__plan_slots(spec, root, &out);
            T_STR(cases[i].name, out.data, cases[i].want);
        }
    }
    asy_json_destroy(root);
    asy_buf_fini(&out);
    asy_study_destroy(spec);
}

static void data_is_described(void)
{
    static const char text[] = "{\"rows\":150,\"columns\":5,\"label\":\"species\",\"classes\":"
                               "[\"a\",\"b\"],\"split\":{\"train\":90,\"validation\":30,"
                               "\"test\":30}}";
    static const char tokens[] = "{\"tokens\":1000,\"vocabulary\":61,\"task\":\"tokens\",\"split\":"
                                 "{\"train\":600,\"validation\":200,\"test\":200}}";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy_buf out = { 0 };

    asy_buf_init(&out, 1u << 16);
    if (T_OK(asy_json_parse(text, strlen(text), &root, &err), &err)) {
        asy__plan_data(root, "/data/iris.csv", NULL, &out);
        T_STR("data", out.data,
              "data     /data/iris.csv\n"
              "         150 rows, 5 columns, label species, 2 classes (a b)\n"
              "         split: train 90, validation 30, test 30\n");
        asy_buf_clear(&out);
        asy__plan_data(root, "/x.npy", "/y.npy", &out);
        T_HAS("labels", out.data, "data     /x.npy\n         labels in /y.npy\n         150 rows");
    }
    asy_json_destroy(root);
    root = NULL;
    asy_buf_clear(&out);
    if (T_OK(asy_json_parse(tokens, strlen(tokens), &root, &err), &err)) {
        asy__plan_data(root, "/data/play.txt", NULL, &out);
        T_STR("tokens", out.data,
              "data     /data/play.txt\n"
              "         1000 tokens, 61 different ones\n"
              "         split: train 600, validation 200, test 200\n");
    }
    asy_json_destroy(root);
    asy_buf_fini(&out);
}

T_MAIN("cli plan", T_TEST(the_plan_names_conditions_whole),
       T_TEST(the_device_and_its_parts_are_told),
       T_TEST(a_pruner_is_told_in_the_words_of_the_file),
       T_TEST(a_budget_says_what_ends_the_study),
       T_TEST(slots_follow_from_workers_and_limits), T_TEST(gpus_count_for_slots),
       T_TEST(gangs_may_span_workers), T_TEST(data_is_described))
