/* SPDX-License-Identifier: Apache-2.0
 * From tables to matrices: types, categories, missing values, scales, splits; what is refused. */
#include "trainkit.h"
#include <asy/training.h>
#include "data/data.h"

/* Writes text to a file, reads it under the given data options, and hands out both. */
struct loaded {
    char dir[64], path[128];
    struct asy_json *job;
    struct asy__data data;
    struct asy_error err;
    int rc;
};

static void load(struct loaded *l, const char *text, const char *options)
{
    struct asy__data_spec spec;

    memset(l, 0, sizeof *l);
    if (!T_TRUE(kit_dir(l->dir) != NULL))
        return;
    snprintf(l->path, sizeof l->path, "%s/t.csv", l->dir);
    kit_write(l->path, text, strlen(text));
    l->job = kit_job(l->path, options, "train_loss", "minimize", 1, "", "");
    l->rc = asy__data_spec_read(asy_json_get(asy_json_get(l->job, "study"), "data"), &spec,
                                &l->err);
    if (l->rc == 0)
        l->rc = asy__data_load(&spec, NULL, 1, &l->data, &l->err);
}

static void drop(struct loaded *l)
{
    asy__data_fini(&l->data);
    asy_json_destroy(l->job);
    kit_rmdir(l->dir);
}

#define ALL "\"split\":{\"validation\":0,\"test\":0}"
#define ZEROS "0,0\n0,1\n"
static void hostile_tables_are_refused_with_their_place(void)
{
    static const struct {
        const char *name, *text, *options, *says;
    } cases[] = {
        { "empty", "", ALL, "has no rows" },
        { "only a header", "a,b\nx,y\n", "\"header\":true," ALL, "there is a single row" },
        { "header alone", "a,b\n", "\"header\":true," ALL, "no rows below the header" },
        { "ragged", "1,2,0\n3,4\n", ALL, "row 2 has 2 fields, the first has 3" },
        { "long row", "1,0\n3,1,2\n", ALL, "row 2 has 3 fields, the first has 2" },
        { "missing value", "a,b,y\n1,2,0\n3,,1\n", ALL,
          "row 3, column 2 ('b'): a value is missing (missing: mean or drop would allow it)" },
        { "missing label", "a,b,y\n1,2,0\n3,4,NA\n", ALL,
          "row 3, column 3 ('y'): the label is missing (missing: drop leaves such rows out)" },
        { "infinite", "1,0\n-inf,1\n", ALL, "row 2, column 1 ('column 1'): infinite" },
        { "too large for a float", "1,0\n1e39,1\n", ALL, "too large for a float" },
        { "infinite label", "1,2.5\n2,inf\n", ALL, "an infinite label" },
        { "a label without a square", "1,2.5\n2,-1e200\n", ALL,
          "t.csv': label: -1e+200 is too large to be learnt; numbers up to 1e+100 are" },
        { "labels whose squares are none", "1,2.5e-170\n2,3.5e-170\n", ALL,
          "label: its numbers are within 1e-170 of each other, too near to be learnt" },
        { "beyond a factor", "0,0\n2e38,1\n", "\"scale\":\"standard\"," ALL,
          "t.csv': column 'column 1': from 0 to 2e+38 is too far to be scaled (scale: none" },
        { "beyond a difference", /* of a spread of 7e37, which has a factor */
          "-1.8e38,0\n1.8e38,1\n" ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS,
          "\"scale\":\"standard\"," ALL, "from -1.8e+38 to 1.8e+38 is too far to be scaled" },
        { "one class", "1,0\n2,0\n", ALL, "nothing to learn" },
        { "one column", "1\n2\n", ALL, "only one column was found" },
        { "all excluded", "a,y\n1,0\n2,1\n", "\"exclude\":[\"a\"]," ALL, "no column is left" },
        { "label out of range", "1,2\n3,4\n", "\"label\":2," ALL, "no column 2, there are 2" },
        { "label before the first", "1,2\n3,4\n", "\"label\":-3," ALL, "no column -3" },
        { "label name", "a,speed\n1,2\n3,4\n", "\"label\":\"sped\"," ALL, "did you mean 'speed'?" },
        { "name without header", "1,2\n3,4\n", "\"label\":\"y\"," ALL, "the file has no header" },
        { "two labels", "1,2,3\n3,4,5\n", "\"label\":[0,1]," ALL, "one label" },
        { "label excluded", "1,2\n3,4\n", "\"exclude\":[-1]," ALL, "is the label" },
        { "excluded and categorical", "1,2,0\n3,4,1\n", "\"exclude\":[0],\"categorical\":[0]," ALL,
          "is excluded" },
        { "same name twice", "a,b,a\n1,2,0\n3,4,1\n", ALL, "columns 1 and 3 are both named 'a'" },
        { "text in a regression label", "1,2.5\n2,high\n", "\"task\":\"regression\"," ALL,
          "the label is not a number" },
        { "name not UTF-8", "a\xff,y\n1,0\n2,1\n", ALL, "row 1, column 1: the name is not UTF-8" },
        { "category not UTF-8", "1,r\xc3,0\n2,b,1\n", ALL,
          "row 1, column 2 ('column 2'): not UTF-8" },
        { "binary", "\x01\x02\x03", ALL, "only one column was found" },
        { "one text among numbers", "1,0\n2,1\nx,0\ny,1\n", "\"header\":false," ALL,
          "column 1 ('column 1') mixes numbers (2) and texts (2, the first in row 3: 'x'); if all "
          "are names, say so in data.categorical" },
        { "one text among numbers below a header", "a,b\n1,0\n2,1\n-Infinity,0\n", ALL,
          "column 1 ('a') mixes numbers (2) and texts (1, the first in row 4: '-Infinity')" },
        { "numbers and texts as labels", "1,0\n2,x\n", ALL,
          "column 2 ('column 2') mixes numbers (1) and texts (1, the first in row 2: 'x'); if all "
          "are names, say task: classification" },
        { "semicolons", "a;b\n1;2\n", ALL, "t.csv': ';' separates its fields, not a comma: "
          "python3 -c \"import pandas; pandas.read_csv('IN', sep=';').to_csv('OUT.csv', "
          "index=False)\"" },
        { "semicolons and decimal commas", "a;b\n1,5;2,5\n", ALL, "sep=';', decimal=','" },
        { "bars", "a|b\n1|2\n", ALL, "'|' separates its fields" },
        { "tabs", "a\tb\n1\t2\n", ALL, "tabs separate its fields: say data.format: tsv" },
        { "commas in a TSV", "a,b\n1,2\n", "\"format\":\"tsv\"," ALL,
          "commas separate its fields: say data.format: csv" },
        { "semicolons in a text", "a;b,c\n1\n", ALL, "row 2 has 1 fields, the first has 2" },
        { "a row of each class", "1,a\n2,b\n3,c\n4,d\n", "\"split\":{\"validation\":0.4}",
          "4 rows in 4 classes are too few to validate on" },
        { "key", "1,0\n2,1\n", "\"lable\":0," ALL, "unknown key 'lable'; did you mean 'label'?" },
        { "split key", "1,0\n2,1\n", "\"split\":{\"validaton\":0.2}",
          "did you mean 'validation'?" },
        { "one fold", "1,0\n2,1\n", "\"split\":{\"folds\":1}", "2 folds or more" },
        { "too many", "1,0\n2,1\n", "\"split\":{\"folds\":50,\"repeats\":3}", "at most 100" },
        { "no use", "1,0\n2,1\n", "\"split\":{\"repeats\":3,\"validation\":0}",
          "repeats without folds" },
        { "shares", "1,0\n2,1\n", "\"split\":{\"validation\":0.5,\"test\":0.5}", "below 1" },
        { "NaN share", "1,0\n2,1\n", "\"split\":{\"validation\":\"nan\"}", "file names" },
        { "too few rows", "1,0\n2,1\n", "\"split\":{\"validation\":0.4,\"test\":0.4}", "too few" },
        { "missing rule", "1,0\n2,1\n", "\"missing\":\"zero\"," ALL, "error, mean, drop" },
        { "header word", "1,0\n2,1\n", "\"header\":\"yes\"," ALL, "auto, true or false" },
        { "format", "1,0\n2,1\n", "\"format\":\"xls\"," ALL,
          "format cannot be 'xls'; auto, csv, tsv, libsvm, npy, npz, idx, hdf5, text, " },
        { "labels", "1,0\n2,1\n", "\"labels\":[\"y\"]," ALL, "labels is the name of a file" },
        { "arrays", "1,0\n2,1\n", "\"arrays\":[1]," ALL, "arrays is a list of names" },
        { "dropped all", "1,\n2,\n", "\"missing\":\"drop\"," ALL,
          "no rows are left: each of 2 lacks something" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct loaded l;

        load(&l, cases[i].text, cases[i].options);
        if (!T_TRUE(l.rc < 0))
            fprintf(stderr, "  accepted: %s\n", cases[i].name);
        T_HAS(cases[i].name, l.err.text, cases[i].says);
        drop(&l);
    }
}

static long pages; /* what the machine seems to have; 0: what it has */
long __real_sysconf(int name);
long __wrap_sysconf(int name);
long __wrap_sysconf(int name)
{
    return pages && name == _SC_PHYS_PAGES ? pages : __real_sysconf(name);
}

/* What memory does not hold goes to a disk; what that does not hold either is refused. */
static void tables_beyond_the_machine_go_to_disk_or_are_refused(void)
{
    static const struct {
        const char *name;
        long pages;
        int has_disk;
        const char *says;
    } cases[] = {
        { "all of it", 2, 1, "1000 rows of 2 numbers take" }, /* not even the labels */
        { "cells", 3, 0, "1000 rows of 2 numbers take" },
        { "the disk", 3, 0, "and cannot make '/nowhere/.cells-" },
        { "features", 100, 0, "1000 rows of 501 numbers take" }, /* 500 categories */
        { "features on disk", 100, 1, NULL },
        { "all on disk", 3, 1, NULL },
    };
    struct loaded want, l;
    struct asy_buf text;

    asy_buf_init(&text, 1u << 20);
    for (int i = 0; i < 1000; i++)
        asy_buf_addf(&text, "%d,n%d,%d\n", i, i % 500, i & 1);
    load(&want, text.data, ALL);
    T_OK(want.rc, &want.err);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases) && want.rc == 0; i++) {
        setenv("TMPDIR", cases[i].has_disk ? want.dir : "/nowhere", 1);
        pages = cases[i].pages;
        load(&l, text.data, ALL);
        pages = 0;
        if (cases[i].says) {
            T_EQ(cases[i].name, l.rc, ASY_E_TOOBIG);
            T_HAS(cases[i].name, l.err.text, cases[i].says);
        } else if (T_OK(l.rc, &l.err) && T_EQ(cases[i].name, l.data.schema.n_features, 501)) {
            T_TRUE(l.data.x_pages.at != NULL);
            T_EQ(cases[i].name, memcmp(l.data.x, want.data.x, sizeof *l.data.x * 1000 * 501), 0);
            T_EQ(cases[i].name, memcmp(l.data.label, want.data.label, 1000 * sizeof(int32_t)), 0);
        }
        drop(&l);
    }
    unsetenv("TMPDIR");
    drop(&want);
    asy_buf_fini(&text);
}

static void absurd_categories_are_refused(void)
{
    struct asy_buf text;
    struct loaded l;

    asy_buf_init(&text, 1u << 20);
    for (int i = 0; i < 1001; i++)
        asy_buf_addf(&text, "id%d,%d\n", i, i & 1);
    load(&l, text.data, ALL);
    T_EQ("ids", l.rc, ASY_E_FORMAT);
    T_HAS("ids", l.err.text, "row 1001, column 1 ('column 1'): more than 1000 distinct");
    drop(&l);
    asy_buf_fini(&text);
}

static void headers_and_tasks_are_found(void)
{
    static const struct {
        const char *name, *text, *options;
        int header, classification;
        size_t rows, classes, features;
    } cases[] = {
        { "numbers", "1,0\n2,1\n", ALL, 0, 1, 2, 2, 1 },
        { "names", "a,y\n1,0\n2,1\n", ALL, 1, 1, 2, 2, 1 },
        { "forced header", "1,0\n2,1\n3,0\n", "\"header\":true," ALL, 1, 1, 2, 2, 1 },
        { "forced none", "a,0\nb,1\n", "\"header\":false," ALL, 0, 1, 2, 2, 2 },
        { "numbers as names", "1,2,label\n5,6,x\n7,8,y\n", ALL, 0, 1, 3, 3, 2 },
        { "texts with names", "size,kind\nbig,cat\nsmall,dog\nbig,dog\n", ALL, 1, 1, 3, 2, 2 },
        { "texts without", "big,cat\nsmall,dog\nbig,dog\n", ALL, 0, 1, 3, 2, 2 },
        { "fractions", "1,0.5\n2,1\n", ALL, 0, 0, 2, 0, 1 },
        { "integers as a quantity", "1,5\n2,7\n", "\"task\":\"regression\"," ALL, 0, 0, 2, 0, 1 },
        { "fractions as classes", "1,0.5\n2,1\n", "\"task\":\"classification\"," ALL, 0, 1, 2, 2,
          1 },
        { "label first", "y,a,b\n0,1,2\n1,3,4\n", "\"label\":\"y\"," ALL, 1, 1, 2, 2, 2 },
        { "label in a list", "0,1,2\n1,3,4\n", "\"label\":[0]," ALL, 0, 1, 2, 2, 2 },
        { "excluded", "a,b,y\n1,2,0\n3,4,1\n", "\"exclude\":[\"a\"]," ALL, 1, 1, 2, 2, 1 },
        { "numbers as categories", "3,0\n1,1\n3,1\n2,0\n", "\"categorical\":[0]," ALL, 0, 1, 4, 2,
          3 },
        { "equal numbers", "1,1\n2,1.0\n3,01\n4,2\n", ALL, 0, 1, 4, 2, 1 },
        { "equal long numbers", "1,90071992547409921\n2,+90071992547409921\n"
          "3,090071992547409921.0\n4,90071992547409922\n", ALL, 0, 1, 4, 2, 1 },
        { "equal powers of ten", "1,1e17\n2,100000000000000000\n3,-1e17\n", ALL, 0, 1, 3, 2, 1 },
        { "dropped", "1,0\n,1\n3,1\n4,?\n", "\"missing\":\"drop\"," ALL, 0, 1, 2, 2, 1 },
        { "missing in an excluded column", "1,,0\n2,,1\n", "\"exclude\":[1]," ALL, 0, 1, 2, 2, 1 },
        { "spaces", " 1 , 0\n 2 , 1\n", ALL, 0, 1, 2, 2, 1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct loaded l;

        load(&l, cases[i].text, cases[i].options);
        if (T_OK(l.rc, &l.err)) {
            T_EQ(cases[i].name, l.data.schema.has_header, cases[i].header);
            T_EQ(cases[i].name, l.data.schema.classification, cases[i].classification);
            T_EQ(cases[i].name, l.data.n_rows, cases[i].rows);
            T_EQ(cases[i].name, l.data.schema.classes.n, cases[i].classes);
            T_EQ(cases[i].name, l.data.schema.n_features, cases[i].features);
        }
        drop(&l);
    }
}

static void labels_are_sorted_by_kind(void)
{
    static const struct {
        const char *name, *text, *first, *last;
    } cases[] = {
        { "numbers", "1,10\n1,9\n1,-2\n", "-2", "10" },
        { "texts", "1,pear\n1,10\n1,apple\n", "10", "pear" },
        { "bytes", "1,b\n1,B\n1,\xc3\xa4\n", "B", "\xc3\xa4" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct loaded l;

        load(&l, cases[i].text, "\"task\":\"classification\"," ALL);
        if (T_OK(l.rc, &l.err) && T_EQ(cases[i].name, l.data.schema.classes.n, 3)) {
            T_STR(cases[i].name, l.data.schema.classes.texts[0], cases[i].first);
            T_STR(cases[i].name, l.data.schema.classes.texts[2], cases[i].last);
        }
        drop(&l);
    }
}

static void values_are_scaled_filled_and_expanded(void)
{
    static const struct {
        const char *name, *options;
        float want[4][4]; /* x, then the one-hot features of blue, green, red */
    } cases[] = {
        { "standard", "\"scale\":\"standard\",\"missing\":\"mean\"," ALL,
          { { -1.5f / 1.118034f, 0, 0, 1 }, { -0.5f / 1.118034f, 1, 0, 0 },
            { 0.5f / 1.118034f, 0, 1, 0 }, { 1.5f / 1.118034f, 0, 0, 1 } } },
        { "minmax", "\"scale\":\"minmax\",\"missing\":\"mean\"," ALL,
          { { 0, 0, 0, 1 }, { 1.0f / 3, 1, 0, 0 }, { 2.0f / 3, 0, 1, 0 }, { 1, 0, 0, 1 } } },
        { "none", "\"scale\":\"none\",\"missing\":\"mean\"," ALL,
          { { 1, 0, 0, 1 }, { 2, 1, 0, 0 }, { 3, 0, 1, 0 }, { 4, 0, 0, 1 } } },
    };
    struct loaded l;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        load(&l, "1,red,0\n2,blue,1\n3,green,0\n4,red,1\n", cases[i].options);
        if (T_OK(l.rc, &l.err) && T_EQ(cases[i].name, l.data.schema.n_features, 4))
            for (size_t k = 0; k < 16; k++)
                T_NEAR(cases[i].name, (double)l.data.x[k], (double)cases[i].want[k / 4][k % 4],
                       1e-6);
        drop(&l);
    }
    load(&l, "1,red,0\n,blue,1\n4,,0\n4,red,1\n", cases[2].options);
    if (T_OK(l.rc, &l.err)) {
        T_NEAR("mean", (double)l.data.x[1 * 3], 3, 1e-6);
        T_NEAR("no category", (double)(l.data.x[2 * 3 + 1] + l.data.x[2 * 3 + 2]), 0, 0);
    }
    drop(&l);
    load(&l, "5,0\n5,1\n5,0\n", "\"scale\":\"standard\"," ALL);
    if (T_OK(l.rc, &l.err))
        T_NEAR("constant", (double)l.data.x[1], 0, 0);
    drop(&l);
    load(&l, "1.2e-38,0\n1.21e-38,1\n1.22e-38,0\n", "\"scale\":\"standard\"," ALL);
    for (size_t i = 0; i < 3 && T_OK(l.rc, &l.err); i++) /* their differences have no inverse */
        T_NEAR("as good as constant", (double)l.data.x[i], 0, 1e-30);
    drop(&l);
    load(&l, "3e38,0\n-3e38,1\n", "\"scale\":\"none\"," ALL);
    if (T_OK(l.rc, &l.err))
        T_NEAR("as they are", (double)l.data.x[0], 3e38, 1e32);
    drop(&l);
}

/* The scale must not know the validation and test rows. */
static void scales_are_fitted_on_training_rows_alone(void)
{
    struct asy_buf text;
    struct loaded l;
    double sum = 0, all = 0;
    size_t n;

    asy_buf_init(&text, 1u << 20);
    for (int i = 0; i < 200; i++)
        asy_buf_addf(&text, "%d,%d\n", i * i, i & 1);
    load(&l, text.data, "\"scale\":\"standard\"");
    if (T_OK(l.rc, &l.err)) {
        n = l.data.start[1];
        for (size_t i = 0; i < l.data.n_rows; i++) {
            all += (double)l.data.x[i];
            sum += i < n ? (double)l.data.x[i] : 0;
        }
        T_NEAR("training mean", sum / (double)n, 0, 1e-5);
        T_TRUE(fabs(all / 200) > 1e-4);
    }
    drop(&l);
    asy_buf_fini(&text);
}

static void splits_keep_shares_and_classes(void)
{
    static const struct {
        const char *name, *options;
        size_t train, validation, test;
    } cases[] = {
        { "default", "\"label\":-1", 180, 60, 60 },
        { "plain", "\"split\":{\"stratify\":false}", 180, 60, 60 },
        { "uneven", "\"split\":{\"validation\":0.15,\"test\":0.33}", 156, 45, 99 },
        { "no test", "\"split\":{\"test\":0}", 240, 60, 0 },
        { "other seed", "\"split\":{\"seed\":1}", 180, 60, 60 },
    };
    struct asy_buf text;
    float first[300];

    asy_buf_init(&text, 1u << 20);
    for (int i = 0; i < 300; i++) /* 200 of a, 97 of b, 3 of c */
        asy_buf_addf(&text, "%d,%s\n", i, i < 200 ? "a" : i < 297 ? "b" : "c");
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct loaded l;
        size_t per_class[3] = { 0 };
        char options[160];
        double sum = 0;

        snprintf(options, sizeof options, "%s,\"scale\":\"none\"", cases[i].options);
        load(&l, text.data, options);
        if (!T_OK(l.rc, &l.err)) {
            drop(&l);
            continue;
        }
        T_EQ(cases[i].name, l.data.start[1], cases[i].train);
        T_EQ(cases[i].name, l.data.start[2] - l.data.start[1], cases[i].validation);
        T_EQ(cases[i].name, l.data.start[3] - l.data.start[2], cases[i].test);
        for (size_t r = 0; r < 300; r++) {
            size_t at = (size_t)l.data.x[r];

            sum += (double)l.data.x[r];
            T_EQ("label follows its row", l.data.label[r], at < 200 ? 0 : at < 297 ? 1 : 2);
            if (r < l.data.start[1])
                per_class[l.data.label[r]]++;
        }
        T_NEAR("every row once", sum, 299 * 300 / 2, 0);
        if (i == 0) {
            T_EQ("a", per_class[0], 120);
            T_NEAR("b", (double)per_class[1], 58, 1);
            T_NEAR("c", (double)per_class[2], 2, 1);
            memcpy(first, l.data.x, sizeof first);
        }
        if (i == 4)
            T_TRUE(memcmp(first, l.data.x, sizeof first) != 0);
        drop(&l);
    }
    asy_buf_fini(&text);
}

static void describing_says_what_was_understood(void)
{
    static const char want[] =
        "{\"rows\":4,\"dropped\":1,\"columns\":3,\"features\":3,\"header\":true,\"label\":\"y\","
        "\"task\":\"classification\",\"classes\":[\"no\",\"yes\"],"
        "\"split\":{\"train\":4,\"validation\":0,\"test\":0}}";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf json;
    struct loaded l;

    asy_buf_init(&json, 1u << 16);
    load(&l, "a,c,y\n1,red,yes\n2,blue,no\n,red,no\n3,red,no\n4,blue,yes\n",
         "\"missing\":\"drop\"," ALL);
    T_OK(asy_trainer_describe(l.job, &json, &err), &err);
    T_STR("description", json.data, want);
    drop(&l);
    asy_buf_fini(&json);
}

/* Before any trial starts: what the data is like decides what is reported. */
static void describing_refuses_an_objective_that_is_not_reported(void)
{
    static const struct {
        const char *name, *text, *options, *metric, *says;
    } cases[] = {
        { "accuracy of a quantity", "1,0.5\n2,1.5\n3,2\n", ALL, "train_accuracy",
          "'train_accuracy' is not reported; there are train_loss, train_mae, train_r2" },
        { "r2 of classes", "1,a\n2,b\n", ALL, "train_r2", "there are train_accuracy, train_loss" },
        { "validation of no rows", "1,a\n2,b\n", ALL, "val_loss", "nothing to validate on" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *job;
        struct asy_buf json;
        struct loaded l;

        asy_buf_init(&json, 1u << 16);
        load(&l, cases[i].text, cases[i].options);
        job = kit_job(l.path, cases[i].options, cases[i].metric, "minimize", 1, "", "");
        T_EQ(cases[i].name, asy_trainer_describe(job, &json, &err), ASY_E_INVAL);
        T_HAS(cases[i].name, err.text, cases[i].says);
        asy_json_destroy(job);
        drop(&l);
        asy_buf_fini(&json);
    }
}

/* Reads text as rows to predict, by the model of l. */
static int apply(const struct loaded *l, const char *text, struct asy__data *ret,
                 struct asy_error *err)
{
    struct asy__data_spec spec;
    int rc;

    kit_write(l->path, text, strlen(text));
    rc = asy__data_spec_read(asy_json_get(asy_json_get(l->job, "study"), "data"), &spec, err);
    spec.header = -1;
    spec.stratify = 0;
    return rc < 0 ? rc : asy__data_load(&spec, &l->data.schema, 0, ret, err);
}

/* What a model calls its columns may be what a row has twice. */
static void numbers_that_are_names_are_told_from_rows(void)
{
    static const struct {
        const char *name, *text, *says; /* says NULL: the second feature begins with value */
        float value;
    } cases[] = {
        { "names", "1,0\n8,9\n", NULL, 8 },
        { "a row", "1,1\n8,9\n", NULL, 1 },
        { "a name twice", "0,1,1\n7,8,9\n", "column 3 is another one named '1', which the model",
          0 },
        { "a name twice that it has no use for", "0,1,y,y\n7,8,9,9\n", NULL, 8 },
    };
    struct loaded l;

    load(&l, "0,1,y\n5,6,a\n6,5,b\n", "\"header\":true,\"scale\":\"none\"," ALL);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases) && T_OK(l.rc, &l.err); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__data data = { 0 };
        int rc = apply(&l, cases[i].text, &data, &err);

        if (cases[i].says)
            T_HAS(cases[i].name, err.text, cases[i].says);
        else if (T_OK(rc, &err))
            T_TRUE(data.x[1] == cases[i].value);
        asy__data_fini(&data);
    }
    drop(&l);
}

/* As labels do, unless training told apart what is equal. */
static void categories_go_by_their_value_where_all_are_numbers(void)
{
    static const struct {
        const char *name, *known, *given;
        int want; /* the feature that is 1; -1: none */
    } cases[] = {
        { "a point", "0,a\n3,b\n", "3.0,\n", 1 },
        { "a sign and a zero", "0,a\n3,b\n", "+03,\n", 1 },
        { "none", "0,a\n3,b\n", "2,\n", -1 },
        { "with zeros in front", "01,a\n02,b\n", "1,\n", 0 },
        { "equal ones", "1,a\n01,b\n", "1.0,\n", -1 },
        { "equal ones as they are", "1,a\n01,b\n", "1,\n", 1 },
        { "texts among them", "1,a\nx,b\n", "1.0,\n", -1 },
        { "long ones", "9007199254740993,a\n1,b\n", "+9007199254740993,\n", 1 },
        { "long ones' neighbours", "9007199254740993,a\n1,b\n", "9007199254740992,\n", -1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__data data = { 0 };
        struct loaded l;

        load(&l, cases[i].known, "\"categorical\":[0],\"scale\":\"none\"," ALL);
        if (T_OK(l.rc, &l.err) && T_OK(apply(&l, cases[i].given, &data, &err), &err)) {
            int got = data.x[0] == 1 ? 0 : data.x[1] == 1 ? 1 : -1;

            T_EQ(cases[i].name, got, cases[i].want);
        }
        asy__data_fini(&data);
        drop(&l);
    }
}

static void a_schema_survives_its_file(void)
{
    struct asy__schema copy = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct loaded l;

    load(&l, "a,\"c \"\"x\"\"\",y\n1.5,red,yes\n2,blue,no\n7,red,no\n", ALL);
    if (T_OK(l.rc, &l.err) && T_OK(asy__schema_copy(&l.data.schema, &copy, &err), &err)) {
        T_EQ("columns", copy.n_columns, 3);
        T_EQ("features", copy.n_features, 3);
        T_STR("name", copy.columns[1].name, "c \"x\"");
        T_STR("value", copy.columns[1].values.texts[0], "blue");
        T_EQ("shift", memcmp(copy.shift, l.data.schema.shift, 3 * sizeof *copy.shift), 0);
        T_EQ("factor", memcmp(copy.factor, l.data.schema.factor, 3 * sizeof *copy.factor), 0);
    }
    asy__schema_fini(&copy);
    drop(&l);
}

T_MAIN("data", T_TEST(hostile_tables_are_refused_with_their_place),
       T_TEST(tables_beyond_the_machine_go_to_disk_or_are_refused),
       T_TEST(absurd_categories_are_refused),
       T_TEST(headers_and_tasks_are_found), T_TEST(labels_are_sorted_by_kind),
       T_TEST(values_are_scaled_filled_and_expanded),
       T_TEST(scales_are_fitted_on_training_rows_alone), T_TEST(splits_keep_shares_and_classes),
       T_TEST(describing_says_what_was_understood),
       T_TEST(describing_refuses_an_objective_that_is_not_reported),
       T_TEST(numbers_that_are_names_are_told_from_rows),
       T_TEST(categories_go_by_their_value_where_all_are_numbers),
       T_TEST(a_schema_survives_its_file))
