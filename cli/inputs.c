/* SPDX-License-Identifier: Apache-2.0
 * inputs.c - the files that a study names, each by its content: read once, as the study is
 * submitted. Workers that cannot see them get them by that content; one that was changed since is
 * noticed.
 *
 * Symbolic links below a folder of `files` are followed where they lead to something in that folder
 * or in the study's; elsewhere they are refused, so that a folder brings along what is in it and
 * nothing that merely happens to be linked. */
#include "cli.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/settings.h>

#define DEPTH_MAX 32
#define CHUNK ((size_t)1 << 20)
#define SHOW_BYTES ((uint64_t)256 << 20) /* of a file from which progress is shown */

struct inputs {
    struct asy_study_input *list;
    size_t n, cap;
    const char *base;        /* the study's folder */
    uint64_t copied, limit;  /* bytes of run.files, and how many there may be */
    char base_real[PATH_MAX], root_real[PATH_MAX];
    char *chunk;
};

static void fini(struct inputs *in)
{
    for (size_t i = 0; i < in->n; i++) {
        free((char *)(uintptr_t)in->list[i].path);
        free((char *)(uintptr_t)in->list[i].place);
    }
    free(in->list);
    free(in->chunk);
}

/* ---- one file -------------------------------------------------------------------------------- */

static void show(const char *path, uint64_t done, uint64_t size)
{
    const char *slash = strrchr(path, '/');

    if (size < SHOW_BYTES || !isatty(STDERR_FILENO) || done % (SHOW_BYTES / 16))
        return;
    fprintf(stderr, "\rreading  '%.60s' %3d %%", slash ? slash + 1 : path,
            (int)(100 * done / size));
    if (done >= size)
        fputs("\r\033[K", stderr);
}

static int hash_file(struct inputs *in, struct asy_study_input *input, uint64_t size,
                     struct asy_error *err)
{
    int fd = open(input->path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc = 0;
    struct asy_sha_state *state = NULL;
    ssize_t n;

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", input->path);
    if ((rc = asy_sha_create(&state, err)) < 0)
        goto out;
    while ((n = read(fd, in->chunk, CHUNK)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = asy_fail_errno(err, errno, "cannot read '%s'", input->path);
            goto out;
        }
        asy_sha_update(state, in->chunk, (size_t)n);
        input->bytes += (uint64_t)n;
        show(input->path, input->bytes, size);
    }
    if (size >= SHOW_BYTES && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    input->sha = asy_sha_final(state);
out:
    asy_sha_destroy(state);
    close(fd);
    return rc;
}

/* place NULL: it has none. The new entry is the caller's to fill on. */
static int append(struct inputs *in, const char *path, const char *place,
                  struct asy_study_input **ret, struct asy_error *err)
{
    struct asy_study_input *list = in->list;
    struct asy_study_input input = { .path = strdup(path), .place = place ? strdup(place) : NULL };
    size_t cap = in->cap ? 2 * in->cap : 16;

    if (in->n == in->cap && (list = reallocarray(in->list, cap, sizeof *list))) {
        in->list = list;
        in->cap = cap;
    }
    if (!list || !input.path || (place && !input.place)) {
        free((char *)(uintptr_t)input.path);
        free((char *)(uintptr_t)input.place);
        return asy_fail(err, ASY_E_NOMEM, "no memory for the list of files");
    }
    in->list[in->n] = input;
    *ret = &in->list[in->n++];
    return 0;
}

static int add_file(struct inputs *in, const char *path, const char *place, const struct stat *st,
                    struct asy_error *err)
{
    struct asy_study_input *input;
    uint64_t size = place ? (uint64_t)st->st_size : 0;
    int rc;

    if (size > in->limit - in->copied)
        return asy_fail(err, ASY_E_TOOBIG, "'files', of which each trial gets a copy, have more "
                        "than %llu MiB with '%.120s'; 'files_limit' may allow more",
                        (unsigned long long)in->limit >> 20, path);
    in->copied += size;
    if ((rc = append(in, path, place, &input, err)) < 0)
        return rc;
    input->executable = place && (st->st_mode & 0100);
    return hash_file(in, input, (uint64_t)st->st_size, err);
}

/* ---- folders --------------------------------------------------------------------------------- */

static int is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return n > 0 && !strncmp(path, folder, n) && (path[n] == '/' || !path[n] || n == 1);
}

static int check_link(const struct inputs *in, const char *path, struct asy_error *err)
{
    char real[PATH_MAX];
    struct stat st;

    if (lstat(path, &st) < 0)
        return asy_fail_errno(err, errno, "cannot look at '%s'", path);
    if (!S_ISLNK(st.st_mode))
        return 0;
    if (!realpath(path, real))
        return asy_fail_errno(err, errno, "cannot follow the symbolic link '%s'", path);
    if (is_below(real, in->root_real) || is_below(real, in->base_real))
        return 0;
    return asy_fail(err, ASY_E_INVAL, "the symbolic link '%.100s' leads out of the study's folder; "
                    "name what it leads to in run.files", path);
}

static int add_any(struct inputs *in, const char *path, const char *place, unsigned depth,
                   struct asy_error *err);

static int add_folder(struct inputs *in, const char *path, const char *place, unsigned depth,
                      struct asy_error *err)
{
    struct asy_study_input *input;
    struct dirent **names = NULL;
    int n = scandir(path, &names, NULL, alphasort), rc = 0, some = 0;

    if (n < 0)
        return asy_fail_errno(err, errno, "cannot list '%s'", path);
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        char from[PATH_MAX], to[PATH_MAX];

        if (rc == 0 && strcmp(name, ".") && strcmp(name, "..")) {
            some = 1;
            if (snprintf(from, sizeof from, "%s/%s", path, name) >= (int)sizeof from ||
                snprintf(to, sizeof to, "%s/%s", place, name) >= (int)sizeof to)
                rc = asy_fail(err, ASY_E_TOOBIG, "path '%.100s/%.100s' is too long", path, name);
            else if ((rc = check_link(in, from, err)) == 0)
                rc = add_any(in, from, to, depth + 1, err);
        }
        free(names[i]);
    }
    free(names);
    if (rc == 0 && !some && (rc = append(in, path, place, &input, err)) == 0)
        input->folder = 1;
    return rc;
}

static int add_any(struct inputs *in, const char *path, const char *place, unsigned depth,
                   struct asy_error *err)
{
    struct stat st;

    if (depth > DEPTH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "'files' are nested too deep at '%s'", path);
    if (stat(path, &st) < 0)
        return asy_fail_errno(err, errno, "cannot look at '%s'", path);
    if (S_ISREG(st.st_mode))
        return add_file(in, path, place, &st, err);
    if (S_ISDIR(st.st_mode))
        return add_folder(in, path, place, depth, err);
    return asy_fail(err, ASY_E_INVAL, "'%s' is neither a file nor a folder", path);
}

/* ---- the study ------------------------------------------------------------------------------- */

static int add_entry(struct inputs *in, const char *entry, struct asy_error *err)
{
    char path[PATH_MAX], place[PATH_MAX];
    size_t len, n = strlen(entry);
    const char *at = asy_study_place(in->base, entry, &len);

    while (n > 1 && entry[n - 1] == '/')
        n--;
    snprintf(path, sizeof path, "%.*s", (int)n, entry);
    snprintf(place, sizeof place, "%.*s", (int)len, at);
    if (!realpath(path, in->root_real))
        return asy_fail_errno(err, errno, "cannot find '%s'", path);
    return add_any(in, path, place, 0, err);
}

static int by_path(const void *a, const void *b)
{
    const struct asy_study_input *x = a, *y = b;
    int order = strcmp(x->path, y->path);

    if (order)
        return order;
    return strcmp(x->place ? x->place : "", y->place ? y->place : "");
}

static int read_limit(const char *home, uint64_t *ret, struct asy_error *err)
{
    struct asy_settings *settings = NULL;
    char path[PATH_MAX + 16];
    int rc;

    snprintf(path, sizeof path, "%s/config.yaml", home);
    if ((rc = asy_settings_load(path, &settings, err)) < 0)
        return rc;
    *ret = (uint64_t)asy_settings_i64(settings, "files_limit");
    asy_settings_destroy(settings);
    return 0;
}

/* The data or a plug-in, which is read where it lies. */
static int add_alone(struct inputs *in, const char *path, struct asy_error *err)
{
    struct stat st;

    if (!path)
        return 0;
    if (stat(path, &st) < 0)
        return asy_fail_errno(err, errno, "cannot look at '%s'", path);
    return add_file(in, path, NULL, &st, err);
}

int asy__inputs_list(const struct asy_study_spec *spec, const char *home,
                     struct asy_study_spec **ret_spec, struct asy_error *err)
{
    struct inputs in = { .base = spec->base_dir };
    int rc = read_limit(home, &in.limit, err);

    if (rc < 0)
        return rc;
    if (!(in.chunk = malloc(CHUNK)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to read the study's files");
    if (!realpath(spec->base_dir, in.base_real))
        in.base_real[0] = '\0'; /* nothing is below it, then */
    if ((rc = add_alone(&in, spec->data_file, err)) == 0 &&
        (rc = add_alone(&in, spec->data_labels, err)) == 0)
        rc = add_alone(&in, spec->plugin, err);
    for (size_t i = 0; rc == 0 && i < spec->n_files; i++)
        rc = add_entry(&in, spec->files[i], err);
    if (rc == 0) {
        if (in.n)
            qsort(in.list, in.n, sizeof *in.list, by_path);
        rc = asy_study_with_inputs(spec, in.list, in.n, ret_spec, err);
    }
    fini(&in);
    return rc;
}
