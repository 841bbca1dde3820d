/* SPDX-License-Identifier: Apache-2.0
 * proc_image.c - the environment of a child, the files its program may be, and where our own
 * programs lie. A program without a slash is looked up in the PATH that the child will have. */
#include "proc.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* entry is "K=V", name "K" (with any "=..." behind it ignored) or, as a pattern, "K*". */
static int names(const char *entry, const char *name, int pattern)
{
    size_t n = strcspn(name, "=");

    if (pattern && n > 0 && name[n - 1] == '*')
        return !strncmp(entry, name, n - 1);
    return !strncmp(entry, name, n) && entry[n] == '=';
}

static int in_list(const char *entry, const char *const *list, int pattern)
{
    for (; list && *list; list++)
        if (names(entry, *list, pattern))
            return 1;
    return 0;
}

static size_t length(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

/* One block: the pointers, then the bytes of the spec's own entries. */
static char **make_env(const struct asy_proc_spec *spec)
{
    size_t n_inherited = 0, n_set = length(spec->env_set), n = 0, bytes = 0;
    char **env, *text;

    while (environ && environ[n_inherited])
        n_inherited++;
    for (size_t i = 0; i < n_set; i++)
        bytes += strlen(spec->env_set[i]) + 1;
    if (!(env = malloc((n_inherited + n_set + 1) * sizeof *env + bytes)))
        return NULL;
    for (size_t i = 0; i < n_inherited; i++)
        if (!in_list(environ[i], spec->env_drop, 1) && !in_list(environ[i], spec->env_set, 0))
            env[n++] = environ[i];
    text = (char *)(env + n_inherited + n_set + 1);
    for (size_t i = 0; i < n_set; i++) {
        size_t len = strlen(spec->env_set[i]) + 1;

        if (in_list(spec->env_set[i], spec->env_set + i + 1, 0))
            continue; /* a program would find the first of a name, and the last one counts */
        env[n++] = memcpy(text, spec->env_set[i], len);
        text += len;
    }
    env[n] = NULL;
    return env;
}

const char *asy_proc_env(const struct asy_proc_spec *spec, const char *name)
{
    size_t n = strlen(name);

    if (strchr(name, '='))
        return NULL;
    for (size_t i = length(spec->env_set); i-- > 0;)
        if (names(spec->env_set[i], name, 0))
            return spec->env_set[i] + n + 1;
    for (char **entry = environ; entry && *entry; entry++)
        if (names(*entry, name, 0))
            return in_list(*entry, spec->env_drop, 1) ? NULL : *entry + n + 1;
    return NULL;
}

static const char *path_of(char *const *env)
{
    for (; *env; env++)
        if (!strncmp(*env, "PATH=", 5))
            return *env + 5;
    return DEFAULT_PATH;
}

/* One block: the pointers, then "<folder>/<name>" for each folder of PATH (the empty one is "."),
 * or the name alone if it has a slash. */
static char **make_candidates(const char *name, const char *path)
{
    size_t n_name = strlen(name), n = 1, i = 0;
    char **list, *text;

    if (strchr(name, '/'))
        path = NULL;
    for (const char *p = path; p && *p; p++)
        n += *p == ':';
    if (!(list = malloc((n + 1) * sizeof *list + (path ? strlen(path) : 0) + n * (n_name + 3))))
        return NULL;
    text = (char *)(list + n + 1);
    for (i = 0; i < n; i++) {
        size_t len = path ? strcspn(path, ":") : 0;

        list[i] = text;
        if (path) {
            memcpy(text, len ? path : ".", len ? len : 1);
            text += len ? len : 1;
            *text++ = '/';
            path += len + (path[len] == ':');
        }
        memcpy(text, name, n_name + 1);
        text += n_name + 1;
    }
    list[n] = NULL;
    return list;
}

int asy__image_make(const struct asy_proc_spec *spec, struct asy__image *ret,
                    struct asy_error *err)
{
    for (size_t i = 0; spec->env_set && spec->env_set[i]; i++)
        if (!strchr(spec->env_set[i], '=') || spec->env_set[i][0] == '=')
            return asy_fail(err, ASY_E_INVAL, "cannot start '%s': '%.60s' is not KEY=VALUE",
                            spec->argv[0], spec->env_set[i]);
    if (!(ret->env = make_env(spec)) ||
        !(ret->candidates = make_candidates(spec->argv[0], path_of(ret->env)))) {
        asy__image_fini(ret);
        return asy_fail(err, ASY_E_NOMEM, "no memory to start '%s'", spec->argv[0]);
    }
    return 0;
}

void asy__image_fini(struct asy__image *image)
{
    free(image->candidates);
    free(image->env);
    *image = (struct asy__image){ NULL, NULL };
}

int asy_proc_self_dir(char *ret_path, size_t size, struct asy_error *err)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash;

    if (n < 0)
        return asy_fail_errno(err, errno, "cannot read '/proc/self/exe'");
    path[n] = 0;
    if (!(slash = strrchr(path, '/')))
        return asy_fail(err, ASY_E_IO, "'/proc/self/exe' is no path: '%s'", path);
    n = slash == path ? 1 : slash - path;
    if ((size_t)n >= size)
        return asy_fail(err, ASY_E_TOOBIG, "path of %zd characters is too long", n);
    memcpy(ret_path, path, (size_t)n);
    ret_path[n] = 0;
    return 0;
}

/* Whether "<folder>/<between><name>" can be run; if so it is copied out. */
static int found(const char *folder, size_t n_folder, const char *between, const char *name,
                 char *ret_path, size_t size)
{
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof path, "%.*s/%s%s", (int)n_folder, folder, between, name);

    if (n < 0 || (size_t)n >= sizeof path || (size_t)n >= size)
        return 0;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, X_OK) < 0)
        return 0;
    memcpy(ret_path, path, (size_t)n + 1);
    return 1;
}

int asy_proc_find_program(const char *name, char *ret_path, size_t size, struct asy_error *err)
{
    const char *path = getenv("PATH");
    char self[PATH_MAX];
    int rc;

    if (!*name || strchr(name, '/'))
        return asy_fail(err, ASY_E_INVAL, "'%s' is not the name of a program", name);
    if ((rc = asy_proc_self_dir(self, sizeof self, err)))
        return rc;
    if (found(self, strlen(self), "", name, ret_path, size) ||
        found(self, strlen(self), "../libexec/assay/", name, ret_path, size))
        return 0;
    for (path = path ? path : DEFAULT_PATH; *path;) {
        size_t len = strcspn(path, ":");

        /* A relative folder would mean something else in every working folder. */
        if (path[0] == '/' && found(path, len, "", name, ret_path, size))
            return 0;
        path += len + (path[len] == ':');
    }
    return asy_fail(err, ASY_E_NOENT,
                    "cannot find program '%s' in '%s', '%s/../libexec/assay' or PATH", name, self,
                    self);
}
