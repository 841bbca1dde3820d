/* SPDX-License-Identifier: Apache-2.0
 * folder.h - a folder of its own for a test, and files in it. */
#ifndef ASY_TEST_FOLDER_H
#define ASY_TEST_FOLDER_H
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/durable.h>
#include "asytest.h"

struct t_folder {
    char path[64];
};

static inline bool t_folder_make(struct t_folder *folder)
{
    *folder = (struct t_folder){ "/tmp/assay-test-XXXXXX" };
    return T_TRUE(mkdtemp(folder->path) != NULL);
}

static inline void t_folder_drop(struct t_folder *folder)
{
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_durable_remove(folder->path, &err), &err);
}

/* "<folder>/<name>". */
static inline const char *t_path(const struct t_folder *folder, const char *name,
                                 char ret[PATH_MAX])
{
    snprintf(ret, PATH_MAX, "%s/%s", folder->path, name);
    return ret;
}

/* Writes text to a file, and reads it back as text. */
static inline bool t_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    size_t n = strlen(text);
    bool ok = file && fwrite(text, 1, n, file) == n;

    if (file && fclose(file) != 0)
        ok = false;
    return T_TRUE(ok);
}

static inline bool t_file_is(const char *name, const char *path, const char *want)
{
    struct asy_error err = ASY_ERROR_INIT;
    char *got = NULL;
    size_t len = 0;
    bool ok = T_OK(asy_read_file(path, 1u << 20, &got, &len, &err), &err) &&
              T_STR(name, got, want);

    free(got);
    return ok;
}
#endif
