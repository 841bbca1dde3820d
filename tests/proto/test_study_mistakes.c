/* SPDX-License-Identifier: Apache-2.0
 * Study files: how mistakes come, those that lie beside the file, and what is too much. */
#include "folder.h"
#include "studykit.h"

/* What is said of a text with mistakes, which the caller ends; the first is in err. */
static void refuse(const char *text, struct asy_buf *problems, struct asy_error *err)
{
    struct asy_study_spec *spec = NULL;

    asy_buf_init(problems, 64u << 10);
    T_EQ("rc", asy_study_parse(text, strlen(text), "f", "/b", &spec, problems, err), ASY_E_INVAL);
}

/* The mistakes of a text are these, and perhaps others. */
static void has_all(const char *text, size_t n, const char *const wants[])
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;

    refuse(text, &problems, &err);
    for (size_t i = 0; i < n; i++)
        T_HAS("all", problems.data, wants[i]);
    asy_buf_fini(&problems);
}

static void all_mistakes_come_at_once(void)
{
    static const char text[] =
        "assay: 1\nnmae: x\nretries: -1\nrun: {model: mlp, length: {max: 0}}\n"
        "data: x\nobjective: {metric: val_loss, goal: up}\n"
        "parameters: {lr: {min: 2, max: 1}, foo: {min: 1, max: 2}}\n";
    static const char *const wants[] = { ":2:1: nmae:", ":3:10: retries:", "name: is missing",
                                         ":4:33: run.length.max:", ":6:37: objective.goal:",
                                         "parameters.lr:", "parameters.foo:", "budget:" };

    has_all(text, ASY_ARRAY_LEN(wants), wants);
}

/* What a section would have said that is something else is not missing beside that. */
static void a_section_that_is_no_map_is_one_mistake(void)
{
    static const struct {
        const char *name, *run, *search, *want;
    } cases[] = {
        { "a model", "{model: mlp, length: 20}", "", "run.length: must be a map, not '20'\n" },
        { "a pruner's rungs", "{command: [a, \"{lr}\"], length: 20}", "search: {pruner: asha}\n",
          "run.length: must be a map, not '20'\n" },
        { "a population", "{command: [a, \"{lr}\"], checkpoint: true, length: [2]}",
          "search: {sampler: pbt}\n", "run.length: must be a map, not a list\n" },
        { "missing", "{model: mlp}", "",
          "run.length.max: is missing: the epochs of a whole trial\n" },
        { "missing in it", "{model: mlp, length: {unit: epochs}}", "",
          "run.length.max: is missing: the epochs of a whole trial\n" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf text, problems;

        asy_buf_init(&text, 4096);
        asy_buf_addf(&text, "assay: 1\nname: x\nrun: %s\n%s%sobjective: {metric: val_loss, goal: "
                     "minimize}\nparameters: {lr: {min: 0.001, max: 1}}\nbudget: {trials: 10}\n",
                     cases[i].run, strstr(cases[i].run, "model") ? "data: {file: a.csv}\n" : "",
                     cases[i].search);
        refuse(text.data, &problems, &err);
        T_HAS(cases[i].name, problems.data, cases[i].want);
        T_EQ(cases[i].name, strchr(problems.data, '\n') - problems.data + 1, problems.len);
        asy_buf_fini(&problems);
        asy_buf_fini(&text);
    }
}

/* Whatever the file says: the command line counts lines. */
static void a_mistake_is_one_line(void)
{
    static const char text[] = "assay: 1\nname: \"x\\ny\"\n\"a\\nb\": 1\n"
                               "run: {command: [sh, \"{l\\nr}\", \"{\\e[2J}\"]}\n"
                               OBJECTIVE PARAMS BUDGET;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;
    size_t n = 0;

    refuse(text, &problems, &err);
    for (const char *at = problems.data; *at; at += strcspn(at, "\n") + 1, n++)
        T_EQ(at, strncmp(at, "f:", 2), 0);
    T_EQ("mistakes", n, 4);
    T_HAS("a word", problems.data, "f:4:21: run.command[1]: {l?r} is not a parameter");
    T_HAS("a key", problems.data, "f:3:1: a?b: unknown key");
    T_TRUE(!strchr(problems.data, '\033') && !strchr(err.text, '\n'));
    asy_buf_fini(&problems);
}

static void a_key_twice_hides_no_other_mistake(void)
{
    static const char text[] = "assay: 1\nname: x\nname: y\nretries: -1\nassay: 2\n"
                               "budget: {trials: 0, trials: 1, trials: 2}\n";
    static const char *const wants[] = { "f:3:1: YAML: key 'name' stands in line 2 already\n",
                                         "f:5:1: YAML: key 'assay' stands in line 1 already\n",
                                         "f:6:21: YAML: key 'trials' stands in line 6 already\n",
                                         "f:6:32: YAML: key 'trials'", "f:4:10: retries:",
                                         "f:6:18: budget.trials:", "run: is missing" };

    has_all(text, ASY_ARRAY_LEN(wants), wants);
}

static void mistakes_come_in_the_order_of_the_file(void)
{
    /* Found in another one: by the table, then the space, then what spans keys. */
    static const char text[] = "assay: 1\nname: X\nparameters: {a: {min: 2, max: 1}}\nfoo: 1\n"
                               "run: {command: [\"{b\"]}\nobjective: {metric: m, goal: up}\n"
                               "retries: -1\n";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;
    unsigned line, before = 0;
    size_t n = 0;

    refuse(text, &problems, &err);
    for (const char *at = problems.data; *at; at += strcspn(at, "\n") + 1, n++) {
        T_EQ(at, sscanf(at, "f:%9u:", &line), 1);
        T_TRUE(line >= before);
        before = line;
    }
    T_EQ("all", n, 7);
    T_EQ("the first is the error", strncmp(problems.data, err.text, strlen(err.text)), 0);
    asy_buf_fini(&problems);
}

static void a_flood_of_mistakes_is_cut(void)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems, text;
    int more;

    for (int n = 200; n <= 201; n++) {
        asy_buf_init(&problems, 1u << 20);
        asy_buf_init(&text, 1u << 20);
        asy_buf_adds(&text, MODEL);
        for (int i = 0; i < n; i++)
            asy_buf_addf(&text, "x%d: 1\n", i);
        T_EQ("rc", asy_study_parse(text.data, text.len, "f", "/b", &spec, &problems, &err),
             ASY_E_INVAL);
        T_EQ("said", strstr(problems.data, "f: more mistakes follow\n") != NULL, n > 200);
        T_EQ("counted", asy_study_count_problems(&problems, &more), 200);
        T_EQ("more", more, n > 200);
        asy_buf_fini(&text);
        asy_buf_fini(&problems);
    }
}

static void files_that_are_not_there_are_mistakes_of_a_users_file(void)
{
#define REST OBJECTIVE PARAMS "bugdet: {trials: 1}\n"
    static const struct { const char *name, *text, *wants[3];
    } cases[] = {
        { "data",
          HEAD MODEL_RUN "data: {file: lost.csv, label: kind}\n" REST,
          { "s.yaml:4:14: data.file: cannot read '", "/lost.csv': no such file or directory\n" } },
        { "data, in short",
          HEAD MODEL_RUN "data: lost.csv\n" REST,
          { "s.yaml:4:7: data: cannot read '" } },
        { "labels",
          HEAD MODEL_RUN "data: {file: s.yaml, labels: lost.npy}\n" REST,
          { "s.yaml:4:30: data.labels: cannot read '", "/lost.npy': no such file" } },
        { "labels that the images' name stands for",
          HEAD MODEL_RUN "data: {file: t-images-idx3-ubyte}\n" REST,
          { "s.yaml:4:14: data.labels: cannot read '", "/t-labels-idx1-ubyte': no such file" } },
        { "files",
          HEAD "run: {command: [sh], files: [s.yaml, lost/]}\n" REST,
          { "s.yaml:3:38: run.files[1]: cannot read '", "/lost/': no such file" } },
        { "program",
          HEAD "run: {command: [./lost, a]}\n" REST,
          { "s.yaml:3:17: run.command[0]: cannot run '", "/lost': no such file" } },
        { "no program",
          HEAD "run: {command: [./s.yaml]}\n" REST,
          { "s.yaml': permission denied" } },
        { "absolute", HEAD "run: {command: [/lost], cwd: trial}\n" REST, { "cannot run '/lost'" } },
        { "programs of later", HEAD "run: {command: [./lost], cwd: trial}\n" REST, { NULL } },
        { "one of many", HEAD "run: {command: [\"./x{lr}\"]}\n" REST, { NULL } },
        { "a name", HEAD "run: {command: [lost, a]}\n" REST,
          { "s.yaml:3:17: run.command[0]: cannot find 'lost' in PATH\n" } },
        { "a name from here", HEAD "run: {command: [s.yaml]}\n" REST,
          { "cannot find 's.yaml' in PATH; did you mean './s.yaml'?" } },
        { "a folder of PATH", HEAD "run: {command: [bin]}\n" REST,
          { "cannot find 'bin' in PATH" } },
        { "a name in PATH", HEAD "run: {command: [sh]}\n" REST, { NULL } },
        { "a name in the study's PATH", HEAD "run: {command: [lost], env: {PATH: /opt}}\n" REST,
          { NULL } },
        { "one name of many", HEAD "run: {command: [\"x{lr}\"]}\n" REST, { NULL } },
    };
    struct t_folder folder;
    char path[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "s.yaml", path);
    setenv("PATH", "/:/usr/bin:/bin", 1);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;

        asy_buf_init(&problems, 64u << 10);
        t_write(path, cases[i].text);
        T_EQ(cases[i].name, asy_study_load(path, NULL, &spec, &problems, &err), ASY_E_INVAL);
        T_HAS(cases[i].name, problems.data, "bugdet: unknown key"); /* besides */
        T_EQ(cases[i].name, strstr(problems.data, "cannot") != NULL, cases[i].wants[0] != NULL);
        for (size_t k = 0; cases[i].wants[k]; k++)
            T_HAS(cases[i].name, problems.data, cases[i].wants[k]);
        asy_buf_clear(&problems);
        T_EQ(cases[i].name,
             asy_study_parse(cases[i].text, strlen(cases[i].text), "s", "/base", &spec, &problems,
                             &err),
             ASY_E_INVAL);
        T_TRUE(!strstr(problems.data, "cannot")); /* elsewhere they may well be */
        asy_buf_fini(&problems);
    }
    t_folder_drop(&folder);
#undef REST
}

static void two_files_at_one_place_are_a_mistake(void)
{
    static const struct { const char *name, *files, *want; } cases[] = {
        { "one name", "[a.py, /x/a.py]", "run.files[1]: 'a.py' in a trial's folder is what "
                                         "run.files[0] becomes already\n" },
        { "folders", "[/x/src/, b, /y/src]", "run.files[2]: 'src' " },
        { "three", "[/x/a, /y/a, /z/a]", "run.files[2]: 'a' in a trial's folder is what "
                                         "run.files[1]" },
        { "one of another folder", "[src/a, /x/a]", NULL },
        { "below each other", "[src/, src/a, /x/b]", NULL },
        { "twice the same", "[src/, src, src//]", NULL },
        { "names that begin alike", "[a, ab, a/b, /x/abc]", NULL },
    };

    struct t_folder folder;
    char path[PATH_MAX], text[1000];

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "s.yaml", path);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;

        asy_buf_init(&problems, 64u << 10);
        snprintf(text, sizeof text, HEAD "run: {command: [sh], files: %s}\n" OBJECTIVE PARAMS
                 BUDGET, cases[i].files);
        t_write(path, text);
        T_EQ(cases[i].name, asy_study_load(path, NULL, &spec, &problems, &err),
             ASY_E_INVAL);
        T_HAS(cases[i].name, problems.data, "run.files[0]: cannot read '"); /* besides */
        if (cases[i].want)
            T_HAS(cases[i].name, problems.data, cases[i].want);
        T_EQ(cases[i].name, strstr(problems.data, "becomes already") != NULL,
             cases[i].want != NULL);
        asy_buf_fini(&problems);
        T_OK(asy_study_parse(text, strlen(text), "s", folder.path, &spec, NULL, &err), &err);
        asy_study_destroy(spec); /* a stored one */
    }
    t_folder_drop(&folder);
}

/* A reader of data that answers with a text and keeps what it was asked. */
struct reader {
    const char *answer; /* NULL: all is well */
    enum asy_code code;
    char asked[2000];
};

static int look(void *ctx, const char *text, size_t len, struct asy_error *err)
{
    struct reader *reader = ctx;

    snprintf(reader->asked, sizeof reader->asked, "%.*s", (int)len, text);
    return reader->answer ? asy_fail(err, reader->code, "%s", reader->answer) : 0;
}

/* text with the path in the place of %s, if it has one. */
static const char *fill(const char *text, const char *path, char ret[2 * PATH_MAX])
{
    const char *at = text ? strstr(text, "%s") : NULL;

    if (at)
        snprintf(ret, 2 * PATH_MAX, "%.*s%s%s", (int)(at - text), text, path, at + 2);
    else
        snprintf(ret, 2 * PATH_MAX, "%s", text ? text : "");
    return ret;
}

static void what_is_wrong_with_the_data_is_a_mistake_with_a_place(void)
{
#define ALL_DATA "data: {file: s.yaml, label: knid, split: {test: 0.1}}\n"
#define REST OBJECTIVE PARAMS BUDGET
    static const struct { const char *name, *text, *answer, *want, *asked; enum asy_code code;
    } cases[] = {
        { "label", HEAD MODEL_RUN ALL_DATA REST, "'%s': label: no column 'knid'",
          "s.yaml:4:29: data.label: no column 'knid'\n", "\"label\":\"knid\"", ASY_E_INVAL },
        { "split", HEAD MODEL_RUN ALL_DATA REST, "'%s': split: too few",
          "s.yaml:4:42: data.split: too few\n", "\"test\":0.1", ASY_E_INVAL },
        { "a group", HEAD MODEL_RUN "data: {file: s.yaml, split: {group: g}}\n" REST,
          "'%s': split.group: no column 'g'", "s.yaml:4:37: data.split.group: no column 'g'\n",
          "\"group\":\"g\"", ASY_E_INVAL },
        { "a row", HEAD MODEL_RUN ALL_DATA REST, "'%s': row 3 has 2 fields",
          "s.yaml:4:14: data.file: '%s': row 3 has 2 fields\n", "\"file\":\"/", ASY_E_INVAL },
        { "no key", HEAD MODEL_RUN ALL_DATA REST, "'%s': rows: many", "data.file: '%s': rows: many",
          "", ASY_E_INVAL },
        { "in short", HEAD MODEL_RUN "data: s.yaml\n" REST, "'%s': label: all the same",
          "s.yaml:4:7: data.label: all the same\n", "\"label\":-1", ASY_E_INVAL },
        { "metric", HEAD MODEL_RUN ALL_DATA REST, "objective: 'val_loss' is not reported",
          "objective.metric: 'val_loss' is not reported\n", "\"metric\":\"val_loss\"",
          ASY_E_INVAL },
        { "besides", HEAD MODEL_RUN ALL_DATA "bugdet: 1\n" REST, "'%s': label: no column",
          "s.yaml:4:29: data.label: no column\n", "", ASY_E_INVAL },
        { "a layer", HEAD "run: {model: layers, length: {max: 9}, layers: [{dense: \"{w}\"}, {act: "
          "relu}]}\n" ALL_DATA OBJECTIVE BUDGET "parameters: {w: {min: 3, max: 9}}\n",
          "run: layer 1 (act): does not fit", "s.yaml:3:65: run.layers[1]: layer 1 (act): does not "
          "fit\n", "},\"sample\":{\"w\":3}}",
          ASY_E_INVAL },
        { "the outputs' layer", HEAD "run: {model: layers, length: {max: 9}, layers: [flatten]}\n"
          ALL_DATA REST, "run: layer 2 (dense): too large", "s.yaml:3:14: run.model: layer 2",
          "\"sample\":{\"lr\":1e-05}", ASY_E_INVAL },
        { "a searched shape", HEAD "run: {model: transformer, d_model: 30, length: {max: 9}}\n"
          ALL_DATA OBJECTIVE BUDGET "parameters: {heads: {values: [2, 3, 5]}, blocks: {min: 1, "
          "max: 4}}\n", "run: does not fit",
          "run.model: does not fit, with the least value of each parameter\n",
          "},\"sample\":{\"heads\":2,\"blocks\":1}}", ASY_E_INVAL },
        { "what its least values leave out", HEAD "run: {model: mlp, length: {max: 9}}\n" ALL_DATA
          OBJECTIVE BUDGET "parameters: {momentum: {min: 0.5, max: 0.9, when: {optimizer: sgd}}, "
          "optimizer: {values: [adam, sgd]}}\n", "run: too large", "run.model: too large\n",
          "},\"sample\":{\"optimizer\":\"adam\"}}", ASY_E_INVAL },
        { "a constant", HEAD "run: {model: mlp, length: {max: 9}, class_weights: {a: 2, y: 1}}\n"
          ALL_DATA OBJECTIVE BUDGET "parameters: {hidden: {min: 3, max: 9}}\n",
          "run: class_weights: 'knid' has no class 'y'", "s.yaml:3:52: run.class_weights: 'knid' "
          "has no class 'y'\n", "\"class_weights\":{\"a\":2.0,\"y\":1.0}", ASY_E_INVAL },
        { "a wrong metric is not asked about",
          HEAD MODEL_RUN ALL_DATA "objective: {metric: loss, goal: minimize}\n" PARAMS BUDGET,
          "'%s': label: none", "data.label: none\n", "0}}}", ASY_E_INVAL },
        { "wrong data is not asked about", HEAD MODEL_RUN "data: {file: s.yaml, scale: x}\n" REST,
          "'%s': label: none", NULL, "-", ASY_E_INVAL },
        { "nobody can look", HEAD MODEL_RUN ALL_DATA REST, "no program", NULL, "knid",
          ASY_E_NOENT },
        { "all is well", HEAD MODEL_RUN ALL_DATA REST, NULL, NULL, "knid", ASY_E_INVAL },
        { "commands have none", COMMAND_HEAD REST, "label: x", NULL, "-", ASY_E_INVAL },
    };
    struct t_folder folder;
    char path[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "s.yaml", path);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char answer[2 * PATH_MAX], want[2 * PATH_MAX];
        struct reader ctx = { cases[i].answer ? fill(cases[i].answer, path, answer) : NULL,
                              cases[i].code, "-" };
        const struct asy_study_reader reader = { look, &ctx };
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;
        int rc;

        asy_buf_init(&problems, 64u << 10);
        t_write(path, cases[i].text);
        rc = asy_study_load(path, &reader, &spec, &problems, &err);
        T_HAS(cases[i].name, problems.data, fill(cases[i].want, path, want));
        T_HAS(cases[i].name, ctx.asked, cases[i].asked);
        if (cases[i].want)
            T_EQ(cases[i].name, rc, ASY_E_INVAL);
        else
            T_TRUE(!strstr(problems.data, "label"));
        asy_study_destroy(spec);
        asy_buf_fini(&problems);
    }
    t_folder_drop(&folder);
#undef REST
#undef ALL_DATA
}

static void a_study_without_a_folder_is_refused(void)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    T_EQ("rc", asy_study_parse(MODEL, strlen(MODEL), "study", NULL, &spec, NULL, &err),
         ASY_E_INVAL);
    T_HAS("text", err.text, "dir: is missing");
    T_EQ("rc",
         asy_study_parse(MODEL "dir: x\n", strlen(MODEL "dir: x\n"), "study", NULL, &spec, NULL,
                         &err),
         ASY_E_INVAL);
    T_HAS("text", err.text, "dir: must be an absolute path");
}

static void wide_studies_are_bounded(void)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf text;

    asy_buf_init(&text, 4u << 20);
    asy_buf_adds(&text, COMMAND_HEAD OBJECTIVE BUDGET "parameters:\n");
    for (int i = 0; i < 4097; i++)
        asy_buf_addf(&text, "  p%d: {min: 1, max: 2}\n", i);
    T_EQ("parameters", asy_study_parse(text.data, text.len, "f", "/b", &spec, NULL, &err),
         ASY_E_INVAL);
    asy_buf_clear(&text);
    asy_buf_adds(&text,
                 COMMAND_HEAD OBJECTIVE BUDGET "parameters:\n  x: {min: 1, max: 2}\ndescription: ");
    for (int i = 0; i < 900000; i++)
        asy_buf_addc(&text, 'x');
    T_EQ("text", asy_study_parse(text.data, text.len, "f", "/b", &spec, NULL, &err), ASY_E_TOOBIG);
    asy_study_destroy(spec);
    asy_buf_fini(&text);
}

T_MAIN("study mistakes", T_TEST(all_mistakes_come_at_once),
       T_TEST(a_section_that_is_no_map_is_one_mistake),
       T_TEST(a_mistake_is_one_line),
       T_TEST(a_key_twice_hides_no_other_mistake), T_TEST(mistakes_come_in_the_order_of_the_file),
       T_TEST(a_flood_of_mistakes_is_cut),
       T_TEST(files_that_are_not_there_are_mistakes_of_a_users_file),
       T_TEST(two_files_at_one_place_are_a_mistake),
       T_TEST(what_is_wrong_with_the_data_is_a_mistake_with_a_place),
       T_TEST(a_study_without_a_folder_is_refused), T_TEST(wide_studies_are_bounded))
