/* SPDX-License-Identifier: Apache-2.0
 * Data sets that one trainer has read and others map: the same bits, whoever comes first, whatever
 * lies in the way. */
#include "trainkit.h"
#include "nomem.h"
#include <sys/wait.h>
#include <asy/training.h>
#include "data/dvc.h"
#include "data/import.h"
#include "data/source.h"

#define PARTS "\"split\":{\"validation\":0.25,\"test\":0.25}"

#define TOKENS PARTS ",\"sequence\":\"tokens\",\"exclude\":[\"b\",\"kind\"]"
#define TEXTS PARTS ",\"sequence\":\"text\",\"length\":2,\"exclude\":[\"a\",\"b\"]"

struct place {
    char dir[64], source[128], imports[128];
    struct asy_json *job;
    struct asy__data_spec spec;
    struct asy__import import;
};

/* A table of 200 rows, and where it is to be imported. */
static bool begin(struct place *p, const char *options)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf text;
    bool ok;

    memset(p, 0, sizeof *p);
    if (!T_TRUE(kit_dir(p->dir) != NULL))
        return false;
    snprintf(p->source, sizeof p->source, "%s/t.csv", p->dir);
    snprintf(p->imports, sizeof p->imports, "%s/imports", p->dir);
    asy_buf_init(&text, 1u << 20);
    asy_buf_adds(&text, "a,b,kind,y\n");
    for (int i = 0; i < 200; i++)
        asy_buf_addf(&text, "%d,%g,%s,%d\n", i * 7 % 31, i * 0.37, i % 3 ? "x" : "z", i * i % 5);
    ok = kit_write(p->source, text.data, text.len);
    asy_buf_fini(&text);
    p->job = kit_job(p->source, options, "train_loss", "minimize", 1, "", "");
    p->import = (struct asy__import){ .dir = p->imports, .limit = UINT64_MAX };
    return ok && T_OK(asy_sha_file(p->source, &p->import.file, NULL, &err), &err) &&
           T_OK(asy__data_spec_read(asy_json_get(asy_json_get(p->job, "study"), "data"), &p->spec,
                                    &err), &err);
}

static void end(struct place *p)
{
    asy_json_destroy(p->job);
    kit_rmdir(p->dir);
}

static int load(struct place *p, struct asy__data *ret, struct asy_error *err)
{
    return asy__import_load(&p->import, &p->spec, ret, err);
}

/* The folder of the only import. */
static bool only_import(const struct place *p, char ret[300])
{
    DIR *dir = opendir(p->imports);
    struct dirent *entry;
    int n = 0;

    while (dir && (entry = readdir(dir)))
        if (strlen(entry->d_name) == 64) {
            snprintf(ret, 300, "%s/%.64s", p->imports, entry->d_name);
            n++;
        }
    if (dir)
        closedir(dir);
    return T_EQ("imports", n, 1);
}

static void same(const char *name, const struct asy__data *got, const struct asy__data *want)
{
    size_t n = want->n_rows, width = want->schema.n_features;

    if (!T_EQ(name, got->n_rows, n) || !T_EQ(name, got->schema.n_features, width))
        return;
    T_EQ(name, got->crc, want->crc);
    T_EQ(name, memcmp(got->start, want->start, sizeof got->start), 0);
    T_EQ(name, memcmp(got->x, want->x, n * width * sizeof *got->x), 0);
    T_EQ(name, memcmp(got->label, want->label, n * sizeof *got->label), 0);
    T_EQ(name, memcmp(got->target, want->target, n * sizeof *got->target), 0);
    T_EQ(name, memcmp(got->schema.shift, want->schema.shift, width * sizeof *got->x), 0);
    T_EQ(name, memcmp(got->schema.factor, want->schema.factor, width * sizeof *got->x), 0);
    T_TRUE(want->schema.classification ||
           (got->schema.target_shift == want->schema.target_shift &&
            got->schema.target_factor == want->schema.target_factor));
    T_EQ(name, got->schema.classes.n, want->schema.classes.n);
    T_EQ(name, got->schema.ids, want->schema.ids);
    T_EQ(name, got->schema.characters.n, want->schema.characters.n);
}

static void imports_have_the_bits_of_the_data(void)
{
    static const char *const options[] = { PARTS, PARTS ",\"task\":\"regression\"",
                                           PARTS ",\"scale\":\"minmax\",\"label\":\"kind\"",
                                           PARTS ",\"exclude\":[\"kind\"]", TOKENS, TEXTS };
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < ASY_ARRAY_LEN(options); i++) {
        struct asy__data want = { 0 }, first = { 0 }, again = { 0 };
        struct place p;

        if (begin(&p, options[i]) && T_OK(asy__data_load(&p.spec, NULL, 1, &want, &err), &err) &&
            T_OK(load(&p, &first, &err), &err)) {
            same("imported", &first, &want);
            kit_write(p.source, "gone", 4); /* it is not read again */
            if (T_OK(load(&p, &again, &err), &err))
                same("mapped", &again, &want);
        }
        asy__data_fini(&want);
        asy__data_fini(&first);
        asy__data_fini(&again);
        end(&p);
    }
}

static int count_rows(void *arg, uint64_t row, const struct asy__cell *cells, size_t n,
                      struct asy_error *err)
{
    (void)row, (void)cells, (void)err;
    *(size_t *)arg += n;
    return 0;
}

static void imports_are_arrays_of_numpy_with_a_manifest(void)
{
    static const char *const names[] = { "x.npy", "label.npy" };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data data = { 0 };
    struct asy_json *root = NULL;
    char folder[300], path[400], want[ASY_SHA_TEXT], dvc[ASY__DVC_TEXT], *text = NULL;
    struct asy_sha sha;
    size_t n = 0;
    struct place p;

    if (!begin(&p, PARTS) || !T_OK(load(&p, &data, &err), &err) || !only_import(&p, folder))
        goto out;
    snprintf(path, sizeof path, "%s/manifest.json", folder);
    if (!T_OK(asy_read_file(path, 1u << 20, &text, &n, &err), &err) ||
        !T_OK(asy_json_parse(text, n, &root, &err), &err))
        goto out;
    T_EQ("rows", asy_json_i64(asy_json_get(root, "rows"), 0), 200);
    T_EQ("removed", unlink(path), 0); /* what is left are the arrays */
    if (T_OK(asy__dvc_folder_id(folder, dvc, &err), &err))
        T_STR("DVC", asy_json_str(asy_json_get(root, "dvc"), ""), dvc);
    if (T_OK(asy_durable_tree_sha(folder, &sha, NULL, &err), &err))
        T_STR("content", asy_json_str(asy_json_get(root, "content"), ""),
              asy_sha_format(sha, want));
    T_STR("source",
          asy_json_str(asy_json_get(asy_json_at(asy_json_get(root, "sources"), 0), "sha256"), ""),
          asy_sha_format(p.import.file, want));
    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++) {
        const struct asy_json *file = asy_json_at(asy_json_get(root, "files"), i);
        struct asy__data_spec spec = { .header = -1, .separator = ',', .file = path };
        struct asy__source source = { 0 };
        size_t cells = 0;

        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        T_STR("name", asy_json_str(asy_json_get(file, "path"), ""), names[i]);
        if (!T_OK(asy_sha_file(path, &sha, NULL, &err), &err) ||
            !T_STR("hash", asy_json_str(asy_json_get(file, "sha256"), ""),
                   asy_sha_format(sha, want)) ||
            !T_OK(asy__source_open(&spec, NULL, &source, &err), &err))
            continue;
        T_EQ("format", source.format, ASY__FORMAT_NPY);
        T_OK(asy__source_rows(&source, count_rows, &cells, NULL, &err), &err);
        T_EQ("cells", cells, i ? 200 : 200 * data.schema.n_features);
        asy__source_close(&source);
    }
out:
    asy_json_destroy(root);
    free(text);
    asy__data_fini(&data);
    end(&p);
}

/* As DVC 3 says of the same folder. */
static void folders_have_the_id_of_dvc(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64], path[128], id[ASY__DVC_TEXT];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    snprintf(path, sizeof path, "%s/a.txt", dir);
    kit_write(path, "1\n", 2);
    snprintf(path, sizeof path, "%s/b", dir);
    T_EQ("mkdir", mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/b/c.txt", dir);
    kit_write(path, "2\n", 2);
    if (T_OK(asy__dvc_folder_id(dir, id, &err), &err))
        T_STR("id", id, "7e26dd394c2d6e8c41d34c4521a40424.dir");
    snprintf(path, sizeof path, "%s/b/\xc3\xa4", dir);
    kit_write(path, "", 0);
    T_EQ("another name", asy__dvc_folder_id(dir, id, &err), ASY_E_UNSUPPORTED);
    kit_rmdir(dir);
}

static void what_lies_in_the_way_is_made_anew(void)
{
    static const struct {
        const char *name, *file, *text;
    } cases[] = {
        { "a short array", "x.npy", "short" },          { "no array", "x.npy", NULL },
        { "short labels", "label.npy", "" },            { "no manifest", "manifest.json", NULL },
        { "a torn manifest", "manifest.json", "{\"fo" }, { "an empty one", "manifest.json", "" },
        { "of another version", "manifest.json", "{\"format\":\"assay import 99\"}" },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data want = { 0 };
    struct place p;

    if (!begin(&p, PARTS) || !T_OK(asy__data_load(&p.spec, NULL, 1, &want, &err), &err))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__data data = { 0 };
        char folder[300], path[400];

        if (!T_OK(load(&p, &data, &err), &err) || !only_import(&p, folder))
            break;
        asy__data_fini(&data);
        snprintf(path, sizeof path, "%s/%s", folder, cases[i].file);
        if (cases[i].text)
            kit_write(path, cases[i].text, strlen(cases[i].text));
        else
            T_EQ("removed", unlink(path), 0);
        snprintf(path, sizeof path, "%s/part", p.imports); /* of one who was killed */
        T_EQ("part", mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/part/x.npy", p.imports);
        kit_write(path, "half", 4);
        if (T_OK(load(&p, &data, &err), &err))
            same(cases[i].name, &data, &want);
        asy__data_fini(&data);
    }
out:
    asy__data_fini(&want);
    end(&p);
}

static void labels_of_no_class_are_not_believed(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data data = { 0 };
    char folder[300], path[400], *bytes = NULL;
    size_t n = 0;
    struct place p;

    if (begin(&p, PARTS) && T_OK(load(&p, &data, &err), &err) && only_import(&p, folder)) {
        asy__data_fini(&data);
        snprintf(path, sizeof path, "%s/label.npy", folder);
        T_OK(asy_read_file(path, 1u << 20, &bytes, &n, &err), &err);
        bytes[n - 4] = 5; /* there are 0 to 3 or fewer */
        kit_write(path, bytes, n);
        if (T_OK(load(&p, &data, &err), &err)) /* made anew */
            for (size_t i = 0; i < data.n_rows; i++)
                T_TRUE(data.label[i] >= 0 && (size_t)data.label[i] < data.schema.classes.n);
    }
    free(bytes);
    asy__data_fini(&data);
    end(&p);
}

/* They index the vectors of tokens. */
static void tokens_that_there_are_not_are_not_believed(void)
{
    static const float beyond[] = { 32, -1 }; /* there are 0 to 30, and padding */
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < ASY_ARRAY_LEN(beyond); i++) {
        struct asy__data data = { 0 };
        char folder[300], path[400], *bytes = NULL;
        size_t n = 0;
        struct place p;

        if (begin(&p, TOKENS) && T_OK(load(&p, &data, &err), &err) && only_import(&p, folder)) {
            asy__data_fini(&data);
            snprintf(path, sizeof path, "%s/x.npy", folder);
            T_OK(asy_read_file(path, 1u << 20, &bytes, &n, &err), &err);
            memcpy(bytes + n - sizeof beyond[i], &beyond[i], sizeof beyond[i]);
            kit_write(path, bytes, n);
            if (T_OK(load(&p, &data, &err), &err) && T_EQ("ids", data.schema.ids, 32))
                for (size_t r = 0; r < data.n_rows; r++)
                    T_TRUE(data.x[r] >= 0 && data.x[r] < 31);
        }
        free(bytes);
        asy__data_fini(&data);
        end(&p);
    }
}

static void a_source_that_has_changed_is_not_imported(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data data = { 0 };
    struct place p;
    DIR *dir;

    if (begin(&p, PARTS)) {
        p.import.file.b[0] ^= 1;
        T_EQ("changed", load(&p, &data, &err), ASY_E_STATE);
        T_HAS("changed", err.text, "has changed since the study was submitted");
        if (T_TRUE((dir = opendir(p.imports)) != NULL)) {
            for (struct dirent *e; (e = readdir(dir));)
                T_TRUE(*e->d_name == '.' || !strcmp(e->d_name, "lock"));
            closedir(dir);
        }
        p.import.file.b[0] ^= 1;
        p.import.least = 1u << 20;
        T_EQ("small", load(&p, &data, &err), ASY_E_UNSUPPORTED);
    }
    end(&p);
}

/* All of them at once, none of which has anything but the files in common. */
static void whoever_comes_at_once_gets_one_import(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data data = { 0 };
    char folder[300];
    pid_t pids[6];
    struct place p;

    if (begin(&p, PARTS)) {
        for (size_t i = 0; i < ASY_ARRAY_LEN(pids); i++)
            if ((pids[i] = fork()) == 0)
                _exit(load(&p, &data, &err) < 0 || data.n_rows != 200);
        for (size_t i = 0; i < ASY_ARRAY_LEN(pids); i++) {
            int status = -1;

            T_EQ("child", waitpid(pids[i], &status, 0), pids[i]);
            T_EQ("child", status, 0);
        }
        only_import(&p, folder);
    }
    end(&p);
}

static int there(const char *folder)
{
    return access(folder, F_OK) == 0;
}

static void imports_beyond_the_limit_go_unless_they_are_used(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data first = { 0 }, data = { 0 };
    char folder[300];
    struct place p;

    if (!begin(&p, PARTS) || !T_OK(load(&p, &first, &err), &err) || !only_import(&p, folder))
        goto out;
    p.import.limit = 1;
    for (uint64_t seed = 1; seed < 4; seed++) {
        if (seed == 2) /* nobody uses the first any more */
            asy__data_fini(&first);
        p.spec.seed = seed;
        T_OK(load(&p, &data, &err), &err);
        T_EQ("in use", there(folder), seed < 2);
        asy__data_fini(&data);
    }
    only_import(&p, folder); /* the last one */
out:
    asy__data_fini(&first);
    end(&p);
}

static struct place *place_once;

static int load_once(struct asy_error *err)
{
    struct asy__data data = { 0 };
    int rc = load(place_once, &data, err);

    asy__data_fini(&data);
    return rc;
}

/* A failure of the process is none of the import: it stays. */
static void every_allocation_may_fail(void)
{
    static const char *const options[] = { PARTS, TEXTS };
    struct stat before, after;
    char folder[300], path[400];
    struct place p;

    for (size_t i = 0; i < ASY_ARRAY_LEN(options); i++) {
        if (begin(&p, options[i])) {
            place_once = &p;
            T_TRUE(t_nomem_each("import", load_once) > 20);
            if (only_import(&p, folder)) {
                snprintf(path, sizeof path, "%s/x.npy", folder);
                T_EQ("there", stat(path, &before), 0);
                T_TRUE(t_nomem_each("mapping", load_once) > 5);
                T_EQ("still there", stat(path, &after), 0);
                T_EQ("the same", after.st_ino, before.st_ino);
            }
        }
        end(&p);
    }
}

/* ---- by way of the trainer ------------------------------------------------------------------ */

static void train(const struct place *p, const char *rest, struct asy_train_result *ret,
                  int want_rc)
{
    struct asy_train_callbacks callbacks = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_trainer *trainer = NULL;
    struct asy_comm *comm = NULL;
    struct asy_json *job = kit_job(p->source, PARTS, "val_loss", "minimize", 3, "\"lr\":0.1", rest);

    if (T_OK(asy_comm_self(&comm, &err), &err) &&
        T_OK(asy_trainer_create(comm, &trainer, &err), &err))
        T_EQ(rest, asy_trainer_run(trainer, job, p->dir, NULL, &callbacks, ret, &err), want_rc);
    T_HAS(rest, err.text, want_rc ? "has changed since the study was submitted" : "");
    asy_trainer_destroy(trainer);
    asy_comm_destroy(comm);
    asy_json_destroy(job);
}

static void training_is_the_same_with_imports_and_where_there_can_be_none(void)
{
    static const struct {
        const char *name, *dir;
    } cases[] = { { "imported", "imports" }, { "mapped", "imports" },
                  { "in a file", "t.csv/imports" } };
    char rest[600], sha[ASY_SHA_TEXT], folder[300];
    struct asy_train_result want = { 0 };
    struct place p;

    if (begin(&p, PARTS)) {
        train(&p, "", &want, 0);
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            struct asy_train_result got = { 0 };

            snprintf(rest, sizeof rest, "\"import\":{\"dir\":\"%s/%s\",\"limit\":1000000,"
                     "\"least\":0,\"file\":\"%s\"}", p.dir, cases[i].dir,
                     asy_sha_format(p.import.file, sha));
            train(&p, rest, &got, 0);
            T_EQ(cases[i].name, memcmp(&got.objective, &want.objective, sizeof got.objective), 0);
            only_import(&p, folder);
        }
    }
    end(&p);
}

/* A small one is not imported, but no less than what was submitted. */
static void what_has_changed_is_not_trained_on(void)
{
    static const int least[] = { 0, 1000000 };
    char rest[600], sha[ASY_SHA_TEXT];
    struct place p;

    if (begin(&p, PARTS)) {
        for (size_t i = 0; i < 2 * ASY_ARRAY_LEN(least); i++) {
            struct asy_train_result result = { 0 };

            p.import.file.b[0] ^= 1; /* changed, then as it was */
            snprintf(rest, sizeof rest, "\"import\":{\"dir\":\"%s\",\"limit\":1000000,"
                     "\"least\":%d,\"file\":\"%s\"}", p.imports, least[i / 2],
                     asy_sha_format(p.import.file, sha));
            train(&p, rest, &result, i % 2 ? 0 : ASY_E_STATE);
        }
    }
    end(&p);
}

T_MAIN("import", T_TEST(imports_have_the_bits_of_the_data),
       T_TEST(imports_are_arrays_of_numpy_with_a_manifest),
       T_TEST(folders_have_the_id_of_dvc), T_TEST(what_lies_in_the_way_is_made_anew),
       T_TEST(labels_of_no_class_are_not_believed),
       T_TEST(tokens_that_there_are_not_are_not_believed),
       T_TEST(a_source_that_has_changed_is_not_imported),
       T_TEST(whoever_comes_at_once_gets_one_import),
       T_TEST(imports_beyond_the_limit_go_unless_they_are_used),
       T_TEST(every_allocation_may_fail),
       T_TEST(training_is_the_same_with_imports_and_where_there_can_be_none),
       T_TEST(what_has_changed_is_not_trained_on))
