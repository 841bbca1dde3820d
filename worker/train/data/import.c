/* SPDX-License-Identifier: Apache-2.0
 * import.c - who comes first imports, into a folder beside, which gets its name once all of it is
 * on disk; who comes meanwhile waits for that at a lock, which the system takes from the dead. An
 * import that is there is found without it.
 *
 * Its manifest is locked, shared, as long as the arrays are mapped. Whoever removes an import holds
 * that lock alone, and a manifest that was removed while somebody waited for it has no name
 * left. */
#include "import.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/durable.h>
#include "dvc.h"
#include "job.h"
#include "pages.h"
#include "tokens.h"

#define FORMAT "assay import 1"
#define MANIFEST_MAX (64u << 20)
#define PATH_ROOM 4096
#define NAMES_MAX 100 /* bytes of the names below the folder of all imports */

static const char *join(char path[PATH_ROOM], const char *folder, const char *name)
{
    int n = snprintf(path, PATH_ROOM, "%s/%s", folder, name);

    /* asy__import_load() has seen to it. */
    ASY_ASSERT(n > 0 && n < PATH_ROOM, "%d bytes of path", n);
    return path;
}

int asy__import_read(const struct asy_json *node, struct asy__import *ret, struct asy_error *err)
{
    const char *file = asy_json_str(asy_json_get(node, "file"), "");
    const char *labels = asy_json_str(asy_json_get(node, "labels"), NULL);
    struct asy__import import = { .dir = asy_json_str(asy_json_get(node, "dir"), NULL) };
    int rc;

    if (import.dir) {
        import.limit = (uint64_t)asy_json_i64(asy_json_get(node, "limit"), 0);
        import.least = (uint64_t)asy_json_i64(asy_json_get(node, "least"), ASY__IMPORT_LEAST);
        if ((rc = asy_sha_parse(file, strlen(file), &import.file, err)) < 0 ||
            (labels && (rc = asy_sha_parse(labels, strlen(labels), &import.labels, err)) < 0)) {
            asy_error_prefix(err, "import");
            return rc;
        }
    }
    *ret = import;
    return 0;
}

/* ---- locks ---------------------------------------------------------------------------------- */

static int lock(int fd, int how)
{
    int rc;

    do
        rc = flock(fd, how);
    while (rc < 0 && errno == EINTR);
    return rc;
}

static int open_locked(const char *path, int flags, int how, int *ret_fd, struct asy_error *err)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    if (lock(fd, how) < 0) {
        int why = errno;

        close(fd);
        return asy_fail_errno(err, why, "cannot lock '%s'", path);
    }
    *ret_fd = fd;
    return 0;
}

/* ---- the manifest --------------------------------------------------------------------------- */

static const char *matrix_name(const struct asy__schema *schema)
{
    return schema->vocabulary ? "tokens.npy" : "x.npy";
}

static const char *labels_name(const struct asy__schema *schema)
{
    return schema->classification ? "label.npy" : "target.npy";
}

static int write_file(struct asy_jsonw *w, const char *folder, const char *name,
                      struct asy_error *err)
{
    char path[PATH_ROOM], text[ASY_SHA_TEXT];
    struct asy_sha sha;
    uint64_t bytes;
    int rc;

    join(path, folder, name);
    if ((rc = asy_sha_file(path, &sha, &bytes, err)) < 0)
        return rc;
    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "path", name);
    asy_jsonw_u64(w, "bytes", bytes);
    asy_jsonw_str(w, "sha256", asy_sha_format(sha, text));
    asy_jsonw_close(w, '}');
    return 0;
}

static void write_source(struct asy_jsonw *w, const char *path, struct asy_sha sha)
{
    char text[ASY_SHA_TEXT];

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "path", path);
    asy_jsonw_str(w, "sha256", asy_sha_format(sha, text));
    asy_jsonw_close(w, '}');
}

static int write_manifest(const struct asy__import *import, const struct asy__data_spec *spec,
                          const struct asy__data *data, const char *folder, struct asy_error *err)
{
    char path[PATH_ROOM], text[ASY_SHA_TEXT], dvc[ASY__DVC_TEXT] = "";
    struct asy_sha content;
    struct asy_buf buf;
    struct asy_jsonw w;
    int rc;

    if ((rc = asy_durable_tree_sha(folder, &content, NULL, err)) < 0 ||
        ((rc = asy__dvc_folder_id(folder, dvc, err)) < 0 && rc != ASY_E_UNSUPPORTED))
        return rc;
    asy_buf_init(&buf, MANIFEST_MAX);
    asy_jsonw_init(&w, &buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "format", FORMAT);
    asy_jsonw_open(&w, "sources", '[');
    write_source(&w, spec->file, import->file);
    if (spec->labels)
        write_source(&w, spec->labels, import->labels);
    asy_jsonw_close(&w, ']');
    asy_jsonw_u64(&w, "crc", data->crc);
    asy_jsonw_u64(&w, "rows", data->n_rows);
    asy_jsonw_u64(&w, "dropped", data->n_dropped);
    asy_jsonw_open(&w, "start", '[');
    for (int p = 0; p <= ASY__PARTS; p++)
        asy_jsonw_u64(&w, NULL, data->start[p]);
    asy_jsonw_close(&w, ']');
    asy__schema_write(&data->schema, &w, "schema");
    asy_jsonw_str(&w, "content", asy_sha_format(content, text));
    if (*dvc)
        asy_jsonw_str(&w, "dvc", dvc);
    asy_jsonw_open(&w, "files", '[');
    if ((rc = write_file(&w, folder, matrix_name(&data->schema), err)) == 0 &&
        !data->schema.vocabulary)
        rc = write_file(&w, folder, labels_name(&data->schema), err);
    asy_jsonw_close(&w, ']');
    asy_jsonw_close(&w, '}');
    join(path, folder, "manifest.json");
    if (rc == 0 && (rc = asy_buf_check(&buf, "a manifest", err)) == 0)
        rc = asy_durable_write(path, buf.data, buf.len, 0600, err);
    asy_buf_fini(&buf);
    return rc;
}

static int read_manifest(const struct asy_json *root, struct asy__data *data, struct asy_error *err)
{
    const struct asy_json *start = asy_json_get(root, "start");
    int64_t rows = asy_json_i64(asy_json_get(root, "rows"), 0), at, last = 0;
    int rc;

    if (strcmp(asy_json_str(asy_json_get(root, "format"), ""), FORMAT) != 0 || rows < 1 ||
        rows > INT32_MAX || asy_json_len(start) != ASY__PARTS + 1)
        return asy_fail(err, ASY_E_CORRUPT, "it is no manifest of this version");
    data->n_rows = (size_t)rows;
    data->n_dropped = (size_t)asy_json_i64(asy_json_get(root, "dropped"), 0);
    data->crc = (uint32_t)asy_json_i64(asy_json_get(root, "crc"), 0);
    for (size_t p = 0; p <= ASY__PARTS; p++, last = at) {
        at = asy_json_i64(asy_json_at(start, p), -1);
        if (at < last || at > rows)
            return asy_fail(err, ASY_E_CORRUPT, "its parts cannot be used");
        data->start[p] = (size_t)at;
    }
    if ((rc = asy__schema_read(asy_json_get(root, "schema"), &data->schema, err)) < 0)
        return rc;
    return last == rows && (uint64_t)rows * data->schema.n_features <= ASY__CELLS_MAX
               ? 0
               : asy_fail(err, ASY_E_CORRUPT, "its parts cannot be used");
}

/* ---- one that is there ---------------------------------------------------------------------- */

/* They index what is made for the classes. */
static int check_labels(const int32_t *label, const struct asy__data *data, struct asy_error *err)
{
    for (size_t i = 0; i < data->n_rows && data->schema.classification; i++)
        if (label[i] < 0 || (size_t)label[i] >= data->schema.classes.n)
            return asy_fail(err, ASY_E_CORRUPT, "row %zu has no class", i + 1);
    return 0;
}

static int check_tokens(const struct asy__data *data, struct asy_error *err)
{
    for (size_t i = 0; i < data->n_rows; i++)
        if (data->tokens[i] >= data->schema.vocabulary)
            return asy_fail(err, ASY_E_CORRUPT, "token %zu is not of the vocabulary", i + 1);
    return 0;
}

/* Of rows that are sequences: they index what is made for their numbers. */
static int check_ids(const struct asy__data *data, struct asy_error *err)
{
    size_t width = data->schema.n_features;

    for (size_t i = 0; i < data->n_rows * width && data->schema.ids; i++)
        if (!(data->x[i] >= 0 && data->x[i] < (float)data->schema.ids))
            return asy_fail(err, ASY_E_CORRUPT, "row %zu has a token that there is not",
                            i / width + 1);
    return 0;
}

static int map_arrays(const struct asy__data_spec *spec, const char *folder, struct asy__data *data,
                      struct asy_error *err)
{
    size_t rows = data->n_rows, width = data->schema.n_features;
    char path[PATH_ROOM];
    size_t bytes = data->schema.vocabulary ? rows * sizeof *data->tokens
                                           : rows * width * sizeof *data->x;
    void *labels;
    int rc;

    join(path, folder, matrix_name(&data->schema));
    rc = asy__pages_open(path, ASY__NPY_HEAD + bytes, &data->x_pages, err);
    if (rc < 0)
        return rc;
    if (data->schema.vocabulary) {
        data->tokens = (uint16_t *)(void *)((char *)data->x_pages.at + ASY__NPY_HEAD);
        rc = check_tokens(data, err);
        return rc < 0 ? rc : asy__tokens_split(spec, data, err);
    }
    join(path, folder, labels_name(&data->schema));
    rc = asy__pages_open(path, ASY__NPY_HEAD + rows * sizeof *data->target, &data->label_pages,
                         err);
    if (rc < 0)
        return rc;
    data->x = (float *)(void *)((char *)data->x_pages.at + ASY__NPY_HEAD);
    labels = (char *)data->label_pages.at + ASY__NPY_HEAD;
    if ((rc = check_labels(labels, data, err)) < 0 || (rc = check_ids(data, err)) < 0)
        return rc;
    data->label = data->schema.classification ? labels : calloc(rows + 1, sizeof *data->label);
    data->target = data->schema.classification ? calloc(rows + 1, sizeof *data->target) : labels;
    return data->label && data->target
               ? 0
               : asy_fail(err, ASY_E_NOMEM, "no memory for %zu labels", rows);
}

static int open_import(const struct asy__data_spec *spec, const char *folder, struct asy__data *ret,
                       struct asy_error *err)
{
    struct asy__data data = { .lock_fd = -1 };
    struct asy_json *root = NULL;
    struct stat st = { 0 };
    char path[PATH_ROOM], *text = NULL;
    size_t n = 0;
    int rc;

    join(path, folder, "manifest.json");
    if ((rc = open_locked(path, O_RDONLY, LOCK_SH, &data.lock_fd, err)) < 0)
        return rc;
    if (fstat(data.lock_fd, &st) < 0 || !st.st_nlink)
        rc = asy_fail(err, ASY_E_NOENT, "'%s' was removed", path);
    else if ((rc = asy_read_file(path, MANIFEST_MAX, &text, &n, err)) == 0 &&
             (rc = asy_json_parse(text, n, &root, err)) == 0 &&
             (rc = read_manifest(root, &data, err)) == 0)
        rc = map_arrays(spec, folder, &data, err);
    asy_json_destroy(root);
    free(text);
    if (rc < 0) {
        asy_error_prefix(err, "'%s'", folder);
        asy__data_fini(&data);
        return rc;
    }
    ASY_IGNORE(futimens(data.lock_fd, NULL)); /* it was used now; else it seems older than it is */
    *ret = data;
    return 0;
}

/* ---- room ----------------------------------------------------------------------------------- */

struct found {
    char name[ASY_SHA_TEXT];
    struct timespec used;
    uint64_t bytes;
};

static int by_age(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    return (x->used.tv_nsec > y->used.tv_nsec) - (x->used.tv_nsec < y->used.tv_nsec);
}

static int measure(const char *dir, const char *name, struct found *ret)
{
    static const char *const files[] = { "manifest.json", "x.npy", "label.npy", "target.npy",
                                        "tokens.npy" };
    char folder[PATH_ROOM], path[PATH_ROOM];
    struct asy_sha sha;
    struct stat st;

    if (asy_sha_parse(name, strlen(name), &sha, NULL) < 0)
        return 0;
    *ret = (struct found){ .bytes = 0 };
    snprintf(ret->name, sizeof ret->name, "%s", name);
    for (size_t i = 0; i < ASY_ARRAY_LEN(files); i++) {
        if (stat(join(path, join(folder, dir, name), files[i]), &st) < 0)
            continue;
        ret->bytes += (uint64_t)st.st_size;
        if (i == 0)
            ret->used = st.st_mtim;
    }
    return 1;
}

/* The manifest goes first: what has none is nobody's. */
static int remove_unused(const char *dir, const char *name)
{
    char folder[PATH_ROOM], path[PATH_ROOM];
    int fd = -1, rc;

    join(folder, dir, name);
    join(path, folder, "manifest.json");
    /* On NFS an exclusive lock wants a file that may be written. */
    if (open_locked(path, O_RDWR, LOCK_EX | LOCK_NB, &fd, NULL) < 0 && errno != ENOENT)
        return 0;
    rc = fd < 0 ? 0 : unlink(path);
    if (rc == 0)
        rc = asy_durable_remove(folder, NULL);
    if (fd >= 0)
        close(fd);
    return rc == 0;
}

/* The caller holds the folder's lock. */
static void trim(const char *dir, uint64_t limit)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, NULL, alphasort);
    struct found *list = n > 0 ? calloc((size_t)n, sizeof *list) : NULL;
    size_t n_found = 0;
    uint64_t total = 0;

    for (int i = 0; i < n; i++) {
        if (list && measure(dir, names[i]->d_name, &list[n_found]))
            total += list[n_found++].bytes;
        free(names[i]);
    }
    free(names);
    if (n_found)
        qsort(list, n_found, sizeof *list, by_age);
    for (size_t i = 0; i < n_found && total > limit; i++)
        if (remove_unused(dir, list[i].name))
            total -= list[i].bytes;
    free(list);
}

/* ---- a new one ------------------------------------------------------------------------------ */

static int write_labels(const struct asy__data *data, const char *folder, struct asy_error *err)
{
    int classes = data->schema.classification;
    size_t len = data->n_rows * sizeof *data->label;
    struct asy__pages pages = { 0 };
    int rc = asy__pages_make(folder, labels_name(&data->schema), ASY__NPY_HEAD + len, &pages, err);

    if (rc < 0)
        return rc;
    asy__npy_head(pages.at, classes ? "<i4" : "<f4", data->n_rows, 0);
    memcpy((char *)pages.at + ASY__NPY_HEAD,
           classes ? (const void *)data->label : (const void *)data->target, len);
    asy__pages_close(&pages);
    return 0;
}

int asy__import_source(const char *path, struct asy_sha want, struct asy_error *err)
{
    struct asy_sha sha;
    int rc = asy_sha_file(path, &sha, NULL, err);

    if (rc < 0 || !memcmp(&sha, &want, sizeof sha))
        return rc;
    return asy_fail(err, ASY_E_STATE, "'%s' has changed since the study was submitted", path);
}

int asy__import_check(const struct asy__import *import, const struct asy__data_spec *spec,
                      struct asy_error *err)
{
    int rc = import->dir ? asy__import_source(spec->file, import->file, err) : 0;

    return rc == 0 && import->dir && spec->labels
               ? asy__import_source(spec->labels, import->labels, err)
               : rc;
}

/* part: where it grows; folder: its name. */
static int make_import(const struct asy__import *import, const struct asy__data_spec *spec,
                       const char *part, const char *folder, struct asy_error *err)
{
    struct asy__data data = { 0 };
    int rc;

    if ((rc = asy__import_check(import, spec, err)) < 0 ||
        (rc = asy_durable_remove(part, err)) < 0 || /* of one who died over it */
        (rc = asy_durable_mkdirs(part, err)) < 0 ||
        (rc = asy__data_load_into(spec, part, &data, err)) < 0)
        return rc;
    if ((data.schema.vocabulary || (rc = write_labels(&data, part, err)) == 0) &&
        (rc = write_manifest(import, spec, &data, part, err)) == 0)
        rc = asy_durable_move_tree(part, folder, err);
    asy__data_fini(&data);
    return rc;
}

/* Opening it failed: it is not there, or not as it was made, and may be made anew. What else may
 * have happened (no memory, too many files) says nothing about the import. */
static int is_lacking(int rc)
{
    return rc == ASY_E_NOENT || rc == ASY_E_CORRUPT || rc == ASY_E_FORMAT;
}

static int import_it(const struct asy__import *import, const struct asy__data_spec *spec,
                     const char *folder, struct asy__data *ret, struct asy_error *err)
{
    char path[PATH_ROOM];
    int fd = -1, rc;

    if ((rc = asy_durable_mkdirs(import->dir, err)) < 0)
        return rc;
    join(path, import->dir, "lock");
    if ((rc = open_locked(path, O_RDWR | O_CREAT, LOCK_EX, &fd, err)) < 0)
        return rc;
    if (is_lacking(rc = open_import(spec, folder, ret, err))) { /* nobody has made it meanwhile */
        join(path, import->dir, "part");
        if ((rc = asy_durable_remove(folder, err)) == 0 && /* a damaged one */
            (rc = make_import(import, spec, path, folder, err)) == 0)
            rc = open_import(spec, folder, ret, err);
        if (rc < 0)
            ASY_IGNORE(asy_durable_remove(path, NULL)); /* the next import does it, too */
        trim(import->dir, import->limit);
    }
    close(fd);
    return rc;
}

/* What its arrays depend on: those of tokens not on their division. */
static int identify(const struct asy__import *import, const struct asy__data_spec *spec,
                    struct asy_sha *ret, struct asy_error *err)
{
    struct asy__data_spec of = *spec;
    char text[ASY_SHA_TEXT];
    struct asy_buf buf;
    int rc;

    if (asy__format_is_tokens(spec->format))
        of.folds = 0;
    asy_buf_init(&buf, 1u << 20);
    asy_buf_addf(&buf, FORMAT "\nfile=%s\n", asy_sha_format(import->file, text));
    if (spec->labels)
        asy_buf_addf(&buf, "labels=%s\n", asy_sha_format(import->labels, text));
    asy__data_spec_text(&of, &buf);
    if ((rc = asy_buf_check(&buf, "the data's identity", err)) == 0)
        rc = asy_sha_bytes(buf.data, buf.len, ret, err);
    asy_buf_fini(&buf);
    return rc;
}

int asy__import_load(const struct asy__import *import, const struct asy__data_spec *spec,
                     struct asy__data *ret, struct asy_error *err)
{
    char folder[PATH_ROOM], text[ASY_SHA_TEXT];
    struct asy_sha id;
    struct stat st;
    int rc;

    if (!import->dir || stat(spec->file, &st) < 0 || (uint64_t)st.st_size < import->least)
        return asy_fail(err, ASY_E_UNSUPPORTED, "'%s' is not to be imported", spec->file);
    if (strlen(import->dir) > PATH_ROOM - NAMES_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "path '%.120s' is too long", import->dir);
    if ((rc = identify(import, spec, &id, err)) < 0)
        return rc;
    rc = open_import(spec, join(folder, import->dir, asy_sha_format(id, text)), ret, err);
    return is_lacking(rc) ? import_it(import, spec, folder, ret, err) : rc;
}
