/* SPDX-License-Identifier: Apache-2.0
 * study_paths.c - the paths that a study names, and whether what they name is there. */
#include "study_impl.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/bin:/usr/bin" /* where programs are looked for without PATH */

const char *asy__absolute(struct asy__parse *p, const char *path)
{
    struct asy__value *dir = asy__val(p, "dir");
    const char *base = dir->has ? dir->s : p->base_dir;
    size_t n_base, n_path;
    char *whole;

    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        path += strspn(path, "/");
    }
    if (!strcmp(path, "."))
        path = "";
    if (path[0] == '/' || !base)
        return asy__take_text(p, path, strlen(path));
    n_base = strlen(base);
    n_path = strlen(path);
    while (n_base > 1 && base[n_base - 1] == '/')
        n_base--;
    if (!(whole = asy__take(p, n_base + n_path + 2)))
        return NULL;
    memcpy(whole, base, n_base);
    if (n_path && whole[n_base - 1] != '/')
        whole[n_base++] = '/';
    memcpy(whole + n_base, path, n_path);
    return whole;
}

void asy__look_for(struct asy__parse *p, const char *path, int mode, const struct asy_yaml *node,
                   const char *key)
{
    struct asy_error why = ASY_ERROR_INIT;

    if (!p->look || access(path, mode) == 0)
        return;
    asy_fail_errno(&why, errno, "cannot %s '%s'", mode == X_OK ? "run" : "read", path);
    asy__problem(p, node, key, "%s", why.text);
}

/* 1: some folder of PATH has it, or may have: what is not absolute depends on where it will run. */
int asy__in_path(const char *name)
{
    const char *at = getenv("PATH");

    for (at = at ? at : DEFAULT_PATH;; at++) {
        int len = (int)strcspn(at, ":");
        char file[PATH_MAX];
        struct stat st;

        if (*at != '/' || snprintf(file, sizeof file, "%.*s/%s", len, at, name) >= (int)sizeof file)
            return 1;
        if (stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0)
            return 1;
        at += len;
        if (!*at)
            return 0;
    }
}

void asy__look_in_path(struct asy__parse *p, const char *name, const struct asy_yaml *node,
                       const char *key)
{
    const char *here;

    if (!p->look || asy__in_path(name))
        return;
    here = asy__absolute(p, name);
    if (here && access(here, F_OK) == 0)
        asy__problem(p, node, key, "cannot find '%s' in PATH; did you mean './%s'?", name, name);
    else
        asy__problem(p, node, key, "cannot find '%s' in PATH", name);
}
