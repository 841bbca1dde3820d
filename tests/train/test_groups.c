/* SPDX-License-Identifier: Apache-2.0
 * split.group: rows of one group are in one part, in every division of a study and when a model is
 * scored later; shares are kept as far as groups allow. */
#include "trainkit.h"
#include <asy/training.h>
#include "data/data.h"

#define PATIENTS 60
#define ROWS_MAX 1000

/* The rows of a table: patient, x (the row's number), label. Patients have 2 to 13 rows; those of
 * every third one are of class b. In the table they come in turn. */
static size_t make_table(struct asy_buf *text, int named, int32_t *patient)
{
    size_t n = 0;

    asy_buf_adds(text, named ? "patient,x,y\n" : "");
    for (int visit = 0; visit < 13; visit++)
        for (int p = 0; p < PATIENTS; p++) {
            if (visit >= 2 + p % 12)
                continue;
            asy_buf_addf(text, named ? "p%d,%zu,%s\n" : "%d.0,%zu,%s\n", p, n, p % 3 ? "a" : "b");
            patient[n++] = p;
        }
    return n;
}

struct table {
    char dir[64], path[128];
    int32_t patient[ROWS_MAX];
    size_t n;
};

static bool make(struct table *t, int named)
{
    struct asy_buf text;
    bool ok;

    asy_buf_init(&text, 1u << 20);
    t->n = make_table(&text, named, t->patient);
    ok = T_TRUE(kit_dir(t->dir) != NULL);
    snprintf(t->path, sizeof t->path, "%s/t.csv", t->dir);
    ok = ok && kit_write(t->path, text.data, text.len);
    asy_buf_fini(&text);
    return ok;
}

/* Loads one division; part_of [n] by the row's number, which is the only feature. */
static int load(const struct table *t, const char *split, int32_t division, int with_label,
                uint8_t *part_of, struct asy_error *err)
{
    char options[200];
    struct asy__data_spec spec;
    struct asy__data data = { 0 };
    struct asy_json *job;
    int rc;

    snprintf(options, sizeof options, "\"scale\":\"none\",\"split\":{%s}", split);
    job = kit_job(t->path, options, "train_loss", "minimize", 1, "", "");
    rc = asy__data_spec_read(asy_json_get(asy_json_get(job, "study"), "data"), &spec, err);
    if (rc == 0) {
        spec.division = division;
        rc = asy__data_load(&spec, NULL, with_label, &data, err);
    }
    if (rc == 0) {
        T_EQ("the group is not learnt from", data.schema.n_features, 1);
        T_EQ("rows", data.n_rows, t->n);
        for (int part = 0; part < ASY__PARTS; part++)
            for (size_t i = data.start[part]; i < data.start[part + 1]; i++)
                part_of[(size_t)data.x[i]] = (uint8_t)part;
        asy__data_fini(&data);
    }
    asy_json_destroy(job);
    return rc;
}

/* Every patient is in one part. rows [ASY__PARTS], b [ASY__PARTS]: how many, and of class b. */
static void check_whole(const char *name, const struct table *t, const uint8_t *part_of,
                        size_t *rows, size_t *b)
{
    int part[PATIENTS];

    memset(part, -1, sizeof part);
    memset(rows, 0, ASY__PARTS * sizeof *rows);
    memset(b, 0, ASY__PARTS * sizeof *b);
    for (size_t i = 0; i < t->n; i++) {
        int *of = &part[t->patient[i]];

        T_TRUE(*of < 0 || *of == part_of[i]);
        *of = part_of[i];
        rows[part_of[i]]++;
        b[part_of[i]] += t->patient[i] % 3 == 0;
    }
    for (int p = 0; p < ASY__PARTS; p++)
        T_TRUE(rows[p] > 0);
    (void)name;
}

/* Within a group's rows (13) of the share, and of the share of a class. */
static void check_share(const char *name, size_t got, double want)
{
    t__check(fabs((double)got - want) < 13, __LINE__, __FILE__, "%s: %zu rows, the share is %g",
             name, got, want);
}

static void rows_of_a_group_stay_together(void)
{
    static const char *const splits[] = {
        "\"group\":\"patient\",\"validation\":0.2,\"test\":0.25",
        "\"group\":0,\"validation\":0.2,\"test\":0.25,\"stratify\":false",
        "\"group\":\"patient\",\"validation\":0.2,\"test\":0.25,\"seed\":7",
    };
    uint8_t part_of[ASY_ARRAY_LEN(splits)][ROWS_MAX], by_number[ROWS_MAX];
    size_t rows[ASY__PARTS], b[ASY__PARTS], all_b = 0;
    struct asy_error err = ASY_ERROR_INIT;
    struct table t;

    if (!make(&t, 1))
        return;
    for (size_t i = 0; i < t.n; i++)
        all_b += t.patient[i] % 3 == 0;
    for (size_t i = 0; i < ASY_ARRAY_LEN(splits); i++) {
        if (!T_OK(load(&t, splits[i], 0, 1, part_of[i], &err), &err))
            continue;
        check_whole(splits[i], &t, part_of[i], rows, b);
        check_share(splits[i], rows[ASY__VALIDATION], 0.2 * (double)t.n);
        check_share(splits[i], rows[ASY__TEST], 0.25 * (double)t.n);
        if (i != 1) {
            check_share("class b", b[ASY__VALIDATION], 0.2 * (double)all_b);
            check_share("class b", b[ASY__TEST], 0.25 * (double)all_b);
        }
    }
    T_TRUE(memcmp(part_of[0], part_of[2], t.n) != 0); /* by the seed */
    kit_rmdir(t.dir);
    if (!make(&t, 0)) /* equal numbers are one group; without a header, by the column's number */
        return;
    if (T_OK(load(&t, "\"group\":0,\"validation\":0.2,\"test\":0.25", 0, 1, by_number, &err), &err))
        T_EQ("names do not matter", memcmp(by_number, part_of[0], t.n), 0);
    kit_rmdir(t.dir);
}

/* Each group is validated on once in a repetition; the test part is the same throughout. */
static void folds_have_whole_groups(void)
{
    static const char split[] = "\"group\":\"patient\",\"folds\":4,\"repeats\":2,\"test\":0.2";
    uint8_t whole[ROWS_MAX], part_of[ROWS_MAX], first[ROWS_MAX];
    size_t held[2][ROWS_MAX] = { { 0 } }, rows[ASY__PARTS], b[ASY__PARTS];
    struct asy_error err = ASY_ERROR_INIT;
    struct table t;

    if (!make(&t, 1))
        return;
    if (!T_OK(load(&t, split, ASY__UNDIVIDED, 1, whole, &err), &err))
        goto out;
    for (int32_t k = 0; k < 8; k++) {
        if (!T_OK(load(&t, split, k, 1, part_of, &err), &err))
            goto out;
        check_whole("fold", &t, part_of, rows, b);
        check_share("fold", rows[ASY__VALIDATION], 0.2 * (double)t.n);
        for (size_t i = 0; i < t.n; i++) {
            T_EQ("test", part_of[i] == ASY__TEST, whole[i] == ASY__TEST);
            held[k / 4][i] += part_of[i] == ASY__VALIDATION;
        }
        if (k == 0)
            memcpy(first, part_of, t.n);
        if (k == 4)
            T_TRUE(memcmp(first, part_of, t.n) != 0);
    }
    for (size_t i = 0; i < t.n; i++)
        for (int r = 0; r < 2; r++)
            T_EQ("held out", held[r][i], whole[i] == ASY__TRAIN);
out:
    kit_rmdir(t.dir);
}

static void groups_that_cannot_be_are_refused(void)
{
    static const struct {
        const char *text, *split, *says;
    } cases[] = {
        { "g,x,y\n1,0,a\n1,1,b\n", "\"group\":\"g\",\"test\":0",
          "split: 1 group cannot be divided into 2 parts" },
        { "g,x,y\n1,0,a\n2,1,b\n3,2,a\n", "\"group\":\"g\",\"folds\":5,\"test\":0",
          "split: 3 groups cannot be divided into 5 parts" },
        { "g,x,y\n1,0,a\n2,1,b\n3,2,a\n4,3,a\n5,4,b\n",
          "\"group\":\"g\",\"folds\":5,\"test\":0.2",
          "split: 5 groups cannot be divided into 6 parts" },
        { "g,x,y\n1,0,a\n2,1,b\n", "\"group\":\"h\"", "split.group: no column 'h'" },
        { "g,x,y\n1,0,a\n2,1,b\n", "\"group\":\"y\"", "split.group: 'y' is the label" },
        { "g,x,y\n1,0,a\n,1,b\n", "\"group\":\"g\"",
          "row 3, column 1 ('g'): the group is missing" },
    };
    uint8_t part_of[ROWS_MAX];
    struct table t = { .n = 0 };

    if (!make(&t, 1))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;

        kit_write(t.path, cases[i].text, strlen(cases[i].text));
        T_TRUE(load(&t, cases[i].split, 0, 1, part_of, &err) < 0);
        T_HAS(cases[i].split, err.text, cases[i].says);
    }
    kit_rmdir(t.dir);
}

static bool make_of(struct table *t, const char *text, size_t n)
{
    if (!make(t, 1))
        return false;
    kit_write(t->path, text, strlen(text));
    t->n = n;
    return true;
}

/* Ids of 17 digits, of which doubles make some the same. */
static void long_numbers_stay_apart(void)
{
    static const char text[] = "g,x,y\n90071992547409920,0,a\n90071992547409921,1,b\n"
                               "90071992547409922,2,a\n90071992547409923,3,b\n";
    struct asy_error err = ASY_ERROR_INIT;
    struct table t = { .n = 0 };
    uint8_t part_of[ROWS_MAX];

    if (!make_of(&t, text, 4))
        return;
    T_OK(load(&t, "\"group\":\"g\",\"folds\":4,\"test\":0", 0, 1, part_of, &err), &err);
    kit_rmdir(t.dir);
}

/* A part for each where there are as few groups as parts. */
static void no_part_stays_empty(void)
{
    static const char text[] = "g,x,y\n1,0,a\n1,1,b\n1,2,a\n2,3,b\n3,4,a\n";
    struct asy_error err = ASY_ERROR_INIT;
    struct table t = { .n = 0 };
    uint8_t part_of[ROWS_MAX];

    if (!make_of(&t, text, 5))
        return;
    for (int seed = 0; seed < 20; seed++) {
        char split[100];

        snprintf(split, sizeof split, "\"group\":\"g\",\"validation\":0.05,\"test\":0.05,"
                 "\"seed\":%d", seed);
        if (!T_OK(load(&t, split, 0, 1, part_of, &err), &err))
            break;
        T_EQ("the largest is trained on", part_of[0], ASY__TRAIN);
        T_EQ("together", part_of[1], part_of[2]);
        T_TRUE(part_of[3] != part_of[4] && part_of[3] != ASY__TRAIN && part_of[4] != ASY__TRAIN);
    }
    kit_rmdir(t.dir);
}

/* Groups of the sizes given, all of one class. */
static void write_sizes(struct table *t, const size_t *sizes, size_t n)
{
    struct asy_buf text;

    asy_buf_init(&text, 1u << 20);
    asy_buf_adds(&text, "g,x,y\n");
    t->n = 0;
    for (size_t g = 0; g < n; g++)
        for (size_t i = 0; i < sizes[g]; i++, t->n++) {
            t->patient[t->n] = (int32_t)g;
            asy_buf_addf(&text, "%zu,%zu,%c\n", g, t->n, t->n % 2 ? 'a' : 'b');
        }
    kit_write(t->path, text.data, text.len);
    asy_buf_fini(&text);
}

/* The test part leaves as many groups as the others need, where their shares would have it take
 * them: beside a large group that is trained on, all small ones are less than its share. */
static void the_test_part_leaves_groups_for_the_others(void)
{
    static const struct {
        size_t sizes[10], n, divisions;
        const char *split;
    } cases[] = {
        { { 100, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, 10, 1, "\"validation\":0.2,\"test\":0.2" },
        { { 100, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, 10, 5, "\"folds\":5,\"test\":0.2" },
        { { 10, 1, 1, 1, 1, 1 }, 6, 5, "\"folds\":5,\"test\":0.2" },
    };
    uint8_t part_of[ROWS_MAX];
    size_t rows[ASY__PARTS], b[ASY__PARTS];
    struct asy_error err = ASY_ERROR_INIT;
    struct table t;

    if (!make(&t, 1))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char split[100];

        write_sizes(&t, cases[i].sizes, cases[i].n);
        snprintf(split, sizeof split, "\"group\":\"g\",%s", cases[i].split);
        for (size_t k = 0; k < cases[i].divisions; k++)
            if (T_OK(load(&t, split, (int32_t)k, 1, part_of, &err), &err))
                check_whole(split, &t, part_of, rows, b);
    }
    kit_rmdir(t.dir);
}

T_MAIN("groups", T_TEST(rows_of_a_group_stay_together), T_TEST(folds_have_whole_groups),
       T_TEST(groups_that_cannot_be_are_refused), T_TEST(no_part_stays_empty),
       T_TEST(long_numbers_stay_apart),
       T_TEST(the_test_part_leaves_groups_for_the_others))
