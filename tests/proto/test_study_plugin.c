/* SPDX-License-Identifier: Apache-2.0
 * Study files of plug-ins: checked against the table that the library tells, read again without. */
#include <asy/durable.h>
#include <asy/study.h>
#include "folder.h"

#define HEAD "assay: 1\nname: s\n"
#define DATA "data: d.csv\n"
#define REST "objective: {metric: val_loss, goal: minimize}\nbudget: {trials: 10}\n"
#define PARAMS "parameters: {lr: {min: 1e-5, max: 1.0, scale: log}}\n"
#define TABLE(own_data)                                                                        \
    "{\"abi\":1,\"name\":\"fm\",\"help\":\"\",\"own_data\":" own_data ",\"hyperparameters\":[" \
    "{\"name\":\"factors\",\"type\":\"int\",\"min\":1,\"max\":64,\"default\":4,"               \
    "\"shape\":true,\"help\":\"\"},"                                                           \
    "{\"name\":\"drop\",\"type\":\"real\",\"min\":0,\"max\":0.9,\"default\":0,\"shape\":false,"\
    "\"help\":\"\"},"                                                                          \
    "{\"name\":\"open\",\"type\":\"real\",\"min\":0,\"max\":0,\"default\":-1.5,"               \
    "\"shape\":false,\"help\":\"\"},"                                                          \
    "{\"name\":\"kernel\",\"type\":\"word\",\"words\":\"linear|no|rbf\",\"default\":\"no\","   \
    "\"shape\":false,\"help\":\"\"},"                                                          \
    "{\"name\":\"bias\",\"type\":\"flag\",\"default\":true,\"shape\":false,\"help\":\"\"}],"   \
    "\"metrics\":[{\"name\":\"loss\",\"help\":\"\"},{\"name\":\"recall\",\"help\":\"\"}]}"

struct teller {
    const char *says; /* JSON, or why not */
    enum asy_code code;
    char asked[PATH_MAX];
};

static int table(void *ctx, const char *path, struct asy_buf *ret_json, struct asy_error *err)
{
    struct teller *teller = ctx;

    snprintf(teller->asked, sizeof teller->asked, "%s", path);
    if (teller->code)
        return asy_fail(err, teller->code, "%s", teller->says);
    asy_buf_adds(ret_json, teller->says);
    return 0;
}

static struct asy_study_spec *load(const struct t_folder *folder, const char *text,
                                   struct teller *teller, struct asy_buf *problems)
{
    const struct asy_study_reader reader = { .ctx = teller, .table = table };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_study_spec *spec = NULL;
    char path[PATH_MAX];

    t_write(t_path(folder, "s.yaml", path), text);
    ASY_IGNORE(asy_study_load(path, &reader, &spec, problems, &err)); /* problems tell */
    return spec;
}

/* A folder with a library and data, as far as a study file goes. */
static bool make(struct t_folder *folder)
{
    char path[PATH_MAX];

    if (!t_folder_make(folder))
        return false;
    t_write(t_path(folder, "x.so", path), "");
    t_write(t_path(folder, "d.csv", path), "1,2\n");
    t_write(t_path(folder, "f.txt", path), "");
    return true;
}

static void defaults_of_both_tables_are_filled_in(void)
{
    static const char text[] = HEAD "run: {plugin: ./x.so, factors: 8, batch_size: 32, "
                               "files: [f.txt], length: {max: 5}}\n" DATA REST
                               "parameters: {lr: {min: 1e-5, max: 1.0}, "
                               "drop: {min: 0.0, max: 0.5}}\n";
    struct teller teller = { .says = TABLE("false") };
    struct asy_study_spec *s = NULL, *again = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;
    struct t_folder folder;
    char path[PATH_MAX];

    asy_buf_init(&problems, 64u << 10);
    if (!make(&folder))
        goto out;
    s = load(&folder, text, &teller, &problems);
    T_STR("mistakes", problems.data ? problems.data : "", "");
    if (!s)
        goto drop;
    T_STR("asked", teller.asked, t_path(&folder, "x.so", path));
    T_EQ("kind", s->kind, ASY_RUN_PLUGIN);
    T_TRUE(asy_study_is_native(s) && s->checkpoint && s->data_file && !s->model);
    T_STR("plug-in", s->plugin, path);
    T_STR("unit", s->length_unit, "epochs");
    T_EQ("silence", s->silence_ms, 600000);
    T_EQ("files", s->n_files, 1);
    T_EQ("factors", asy_json_i64(asy_json_get(s->fixed, "factors"), 0), 8);
    T_EQ("batch", asy_json_i64(asy_json_get(s->fixed, "batch_size"), 0), 32);
    T_NEAR("open", asy_json_f64(asy_json_get(s->fixed, "open"), 0), -1.5, 0);
    T_STR("kernel", asy_json_str(asy_json_get(s->fixed, "kernel"), ""), "no");
    T_EQ("bias", asy_json_bool(asy_json_get(s->fixed, "bias"), 0), 1);
    T_STR("optimizer", asy_json_str(asy_json_get(s->fixed, "optimizer"), ""), "adam");
    T_TRUE(!asy_json_get(s->fixed, "drop") && !asy_json_get(s->fixed, "lr"));
    /* Nobody who reads it later can load the library. */
    if (T_OK(asy_study_parse(s->canonical, s->canonical_len, "s", NULL, &again, NULL, &err), &err))
        T_STR("canonical", again->canonical, s->canonical);
drop:
    t_folder_drop(&folder);
out:
    asy_buf_fini(&problems);
    asy_study_destroy(s);
    asy_study_destroy(again);
}

static void an_open_range_can_be_searched(void)
{
    static const char *const params[] = {
        "parameters: {open: {min: -3.0, max: 1e9}}\n", "parameters: {open: {values: [-2, 5.5]}}\n",
    };
    struct t_folder folder;

    if (!make(&folder))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(params); i++) {
        struct teller teller = { .says = TABLE("false") };
        struct asy_buf problems;
        char text[400];

        asy_buf_init(&problems, 64u << 10);
        snprintf(text, sizeof text, "%s%s",
                 HEAD "run: {plugin: x.so, length: {max: 5}}\n" DATA REST, params[i]);
        asy_study_destroy(load(&folder, text, &teller, &problems));
        T_STR(params[i], problems.data ? problems.data : "", "");
        asy_buf_fini(&problems);
    }
    t_folder_drop(&folder);
}

static void a_plugin_may_bring_its_own_data(void)
{
    static const char text[] = HEAD "run: {plugin: x.so, length: {max: 5}}\n" REST PARAMS;
    struct teller teller = { .says = TABLE("true") };
    struct asy_study_spec *s = NULL, *again = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;
    struct t_folder folder;

    asy_buf_init(&problems, 64u << 10);
    if (make(&folder)) {
        s = load(&folder, text, &teller, &problems);
        T_STR("mistakes", problems.data ? problems.data : "", "");
        T_TRUE(s && !s->data_file && !asy_json_get(s->root, "data"));
        if (s && T_OK(asy_study_parse(s->canonical, s->canonical_len, "s", NULL, &again, NULL,
                                      &err), &err))
            T_STR("canonical", again->canonical, s->canonical);
        t_folder_drop(&folder);
    }
    asy_buf_fini(&problems);
    asy_study_destroy(s);
    asy_study_destroy(again);
}

static void each_mistake_has_its_place(void)
{
#define RUN "run: {plugin: x.so, length: {max: 5}}\n"
#define PBT "search: {sampler: {name: pbt, interval: 1}}\n"
    static const struct { const char *name, *says, *text, *want; enum asy_code code; } cases[] = {
        { "a constant", TABLE("false"),
          HEAD "run: {plugin: x.so, factor: 3, length: {max: 5}}\n" DATA REST PARAMS,
          "s.yaml:3:21: run.factor: unknown key; did you mean 'factors'?\n", 0 },
        { "a loss of ours", TABLE("false"),
          HEAD "run: {plugin: x.so, label_smoothing: 0.1, length: {max: 5}}\n" DATA REST PARAMS,
          "s.yaml:3:21: run.label_smoothing: is an option of networks alone, not of plugin\n", 0 },
        { "its range", TABLE("false"),
          HEAD "run: {plugin: x.so, factors: 65, length: {max: 5}}\n" DATA REST PARAMS,
          "s.yaml:3:30: run.factors: must be a whole number from 1 to 64, not '65'\n", 0 },
        { "its word", TABLE("false"),
          HEAD "run: {plugin: x.so, fixed: {kernel: rfb}, length: {max: 5}}\n" DATA REST PARAMS,
          "run.fixed.kernel: must be one of linear, no, rbf, not 'rfb'; did you mean 'rbf'?\n", 0 },
        { "a parameter", TABLE("false"),
          HEAD RUN DATA REST "parameters: {facters: {min: 1, max: 2}}\n",
          "s.yaml:7:14: parameters.facters: is not a hyperparameter of the plug-in; did you mean "
          "'factors'?\n", 0 },
        { "its values", TABLE("false"),
          HEAD RUN DATA REST "parameters: {factors: {min: 1, max: 200}}\n",
          "s.yaml:7:23: parameters.factors: must be a whole number from 1 to 64\n", 0 },
        { "twice", TABLE("false"),
          HEAD "run: {plugin: x.so, drop: 0.1, length: {max: 5}}\n" DATA REST
          "parameters: {drop: {min: 0.0, max: 0.5}}\n",
          "parameters.drop: stands in run as a constant too\n", 0 },
        { "metric", TABLE("false"),
          HEAD RUN DATA PARAMS "objective: {metric: val_racell, goal: maximize}\n"
          "budget: {trials: 10}\n",
          "objective.metric: the plug-in does not report 'val_racell', but train_loss, val_loss, "
          "train_recall, val_recall; did you mean 'val_recall'?\n", 0 },
        { "no data", TABLE("false"), HEAD RUN REST PARAMS,
          "data: is missing; the plug-in needs a data file\n", 0 },
        { "data", TABLE("true"), HEAD RUN DATA REST PARAMS,
          "s.yaml:4:7: data: the plug-in brings its own data; leave it out\n", 0 },
        { "name of ours", "{\"hyperparameters\":[{\"name\":\"lr\",\"type\":\"real\"}],"
          "\"metrics\":[{\"name\":\"loss\"}]}",
          HEAD RUN DATA REST PARAMS,
          "s.yaml:3:15: run.plugin: its hyperparameter 'lr' has the name of one of the engine's\n",
          0 },
        { "a key of run", "{\"hyperparameters\":[{\"name\":\"repeats\",\"type\":\"real\"}],"
          "\"metrics\":[{\"name\":\"loss\"}]}",
          HEAD RUN DATA REST PARAMS,
          "run.plugin: its hyperparameter 'repeats' has the name of one of the engine's\n", 0 },
        { "too long a number", "{\"hyperparameters\":[{\"name\":\"n\",\"type\":\"int\","
          "\"default\":1}],\"metrics\":[{\"name\":\"loss\"}]}",
          HEAD "run: {plugin: x.so, n: 9007199254740993, length: {max: 5}}\n" DATA REST PARAMS,
          "run.n: must be a whole number up to 2^53, not '9007199254740993'\n", 0 },
        { "library", "plug-in 'x.so': it has no asy_trainer_plugin()", HEAD RUN DATA REST PARAMS,
          "s.yaml:3:15: run.plugin: plug-in 'x.so': it has no asy_trainer_plugin()\n",
          ASY_E_INVAL },
        { "file", "-", HEAD "run: {plugin: y.so, length: {max: 5}}\n" DATA REST PARAMS,
          "s.yaml:3:15: run.plugin: cannot read '", ASY_E_INVAL },
        { "two", TABLE("false"),
          HEAD "run: {model: mlp, plugin: x.so, length: {max: 5}}\n" DATA REST PARAMS,
          "run: has both model and plugin; give one\n", 0 },
        { "of a command", TABLE("false"),
          HEAD "run: {plugin: x.so, env: {A: b}, length: {max: 5}}\n" DATA REST PARAMS,
          "run.env: is for run.command, not for a plug-in\n", 0 },
        { "length", TABLE("false"), HEAD "run: {plugin: x.so}\n" DATA REST PARAMS,
          "run.length.max: is missing: the epochs of a whole trial\n", 0 },
        { "silence of a model", "-",
          HEAD "run: {model: mlp, silence: 1s, length: {max: 5}}\n" DATA REST PARAMS,
          "run.silence: is for run.plugin\n", 0 },
        { "population", TABLE("false"),
          HEAD RUN DATA REST "parameters: {factors: {min: 1, max: 8}, drop: {min: 0.0, "
          "max: 0.5}}\n" PBT,
          "parameters.factors: cannot change between checkpoints, which pbt does: a constant in "
          "run can be it\n", 0 },
    };
    struct t_folder folder;

    if (!make(&folder))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct teller teller = { .says = cases[i].says, .code = cases[i].code };
        struct asy_study_spec *spec;
        struct asy_buf problems;

        asy_buf_init(&problems, 64u << 10);
        spec = load(&folder, cases[i].text, &teller, &problems);
        T_TRUE(!spec);
        T_HAS(cases[i].name, problems.data ? problems.data : "", cases[i].want);
        if (problems.data && strchr(problems.data, '\n') != problems.data + problems.len - 1)
            T_STR(cases[i].name, problems.data, "one line");
        asy_study_destroy(spec);
        asy_buf_fini(&problems);
    }
    t_folder_drop(&folder);
#undef PBT
#undef RUN
}

/* It comes from a process that ran a user's code. */
static void nonsense_in_a_table_is_a_mistake(void)
{
#define ONE(hyper) "{\"hyperparameters\":[" hyper "],\"metrics\":[{\"name\":\"loss\"}]}"
    static const char *const tables[] = {
        ONE("{}"), ONE("7"), ONE("{\"name\":\"a b\",\"type\":\"real\",\"default\":1}"),
        ONE("{\"name\":\"a\",\"type\":\"real\"}"), ONE("{\"name\":\"a\",\"default\":1}"),
        ONE("{\"name\":\"a\",\"type\":\"real\",\"default\":\"nan\"}"),
        ONE("{\"name\":\"a\",\"type\":\"real\",\"default\":1,\"min\":2,\"max\":1}"),
        ONE("{\"name\":\"a\",\"type\":\"int\",\"default\":1.5}"),
        ONE("{\"name\":\"a\",\"type\":\"int\",\"default\":9007199254740994}"),
        ONE("{\"name\":\"a\",\"type\":\"flag\",\"default\":1}"),
        ONE("{\"name\":\"a\",\"type\":\"word\",\"words\":\"b\",\"default\":\"c\"}"),
        ONE("{\"name\":\"a\",\"type\":\"word\",\"words\":\"b'\\nc\",\"default\":\"b'\\nc\"}"),
        ONE("{\"name\":\"a\",\"type\":\"word\",\"words\":\"b|c\",\"default\":\"b|c\"}"),
    };
    struct t_folder folder;

    if (!make(&folder))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(tables); i++) {
        struct teller teller = { .says = tables[i] };
        struct asy_study_spec *spec;
        struct asy_buf problems;

        asy_buf_init(&problems, 64u << 10);
        spec = load(&folder, HEAD "run: {plugin: x.so, length: {max: 5}}\n" DATA REST PARAMS,
                    &teller, &problems);
        T_TRUE(!spec);
        T_HAS(tables[i], problems.data ? problems.data : "",
              "s.yaml:3:15: run.plugin: has told a table that makes no sense\n");
        asy_study_destroy(spec);
        asy_buf_fini(&problems);
    }
    t_folder_drop(&folder);
#undef ONE
}

/* What nobody could look at is no mistake of the file. */
static void without_a_table_names_are_believed(void)
{
    static const char text[] = HEAD "run: {plugin: x.so, depth: 3, ratio: 2.0, kind: a, on: true, "
                               "length: {max: 5}}\n" DATA
                               "objective: {metric: val_hits, goal: maximize}\n"
                               "budget: {trials: 1}\nparameters: {gain: {min: 1, max: 2}}\n";
    struct teller teller = { .says = "no program", .code = ASY_E_NOENT };
    struct asy_study_spec *s = NULL, *again = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;
    struct t_folder folder;

    asy_buf_init(&problems, 64u << 10);
    if (make(&folder)) {
        s = load(&folder, text, &teller, &problems);
        T_STR("mistakes", problems.data ? problems.data : "", "");
        if (s && T_OK(asy_study_parse(s->canonical, s->canonical_len, "s", NULL, &again, NULL,
                                      &err), &err)) {
            T_STR("canonical", again->canonical, s->canonical);
            T_HAS("whole", s->canonical, "\"depth\":3,\"ratio\":2.0,\"kind\":\"a\",\"on\":true}");
        }
        t_folder_drop(&folder);
    }
    asy_buf_fini(&problems);
    asy_study_destroy(s);
    asy_study_destroy(again);
}

T_MAIN("study of a plug-in", T_TEST(defaults_of_both_tables_are_filled_in),
       T_TEST(an_open_range_can_be_searched), T_TEST(a_plugin_may_bring_its_own_data),
       T_TEST(each_mistake_has_its_place),
       T_TEST(nonsense_in_a_table_is_a_mistake), T_TEST(without_a_table_names_are_believed))
