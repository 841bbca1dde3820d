/* SPDX-License-Identifier: Apache-2.0
 * cache.c - see cache.h. */
#include "cache.h"
#include <asy/durable.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_IMAGE ((size_t)256 << 20)

/* Changes with the options of the compiler, and with the form of the files: a sha256 of the image,
 * then the image. */
static const char form[] = "assay cuda 1";

struct asy__cuda_key asy__cuda_key_of(const struct asy__nvrtc *nvrtc, struct asy__target target,
                                      const char *source)
{
    const char *disabled = getenv("CUDA_CACHE_DISABLE");
    int made_by[] = { nvrtc->major, nvrtc->minor, target.arch, target.is_text };
    struct asy__cuda_key key = { "" };
    struct asy_sha_state *state;

    if ((disabled && !strcmp(disabled, "1")) || asy_sha_create(&state, NULL))
        return key;
    asy_sha_update(state, form, sizeof form);
    asy_sha_update(state, made_by, sizeof made_by);
    asy_sha_update(state, source, strlen(source));
    asy_sha_format(asy_sha_final(state), key.text);
    asy_sha_destroy(state);
    return key;
}

/* -1: nothing is kept. Ends before the file's name, which ret_name points to. */
static int path_of(const struct asy__cuda_key *key, char path[PATH_MAX], char **ret_name)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int by_xdg = xdg && *xdg == '/', n;

    if (!key->text[0] || (!by_xdg && (!home || *home != '/')))
        return -1;
    n = snprintf(path, PATH_MAX, "%s%s/assay/cuda", by_xdg ? xdg : home, by_xdg ? "" : "/.cache");
    if (n < 0 || (size_t)n + 1 + ASY_SHA_TEXT > PATH_MAX)
        return -1;
    snprintf(path + n, PATH_MAX - (size_t)n, "/%s", key->text);
    *ret_name = path + n;
    return 0;
}

static int is_ours(const char *path)
{
    struct stat st;

    return !lstat(path, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           !(st.st_mode & 022);
}

int asy__cuda_cache_get(const struct asy__cuda_key *key, char **ret_image, size_t *ret_n)
{
    char path[PATH_MAX], *name, *bytes = NULL;
    struct asy_sha sha;
    size_t n = 0;

    if (path_of(key, path, &name) || !is_ours(path) ||
        asy_read_file(path, MAX_IMAGE, &bytes, &n, NULL))
        return 0;
    if (n <= sizeof sha || asy_sha_bytes(bytes + sizeof sha, n - sizeof sha, &sha, NULL) ||
        memcmp(&sha, bytes, sizeof sha)) {
        free(bytes);
        return 0;
    }
    *ret_n = n - sizeof sha;
    memmove(bytes, bytes + sizeof sha, *ret_n);
    *ret_image = bytes;
    return 1;
}

void asy__cuda_cache_put(const struct asy__cuda_key *key, const char *image, size_t n)
{
    char path[PATH_MAX], *name, *bytes;
    struct asy_sha sha;

    if (n > MAX_IMAGE - sizeof sha || path_of(key, path, &name) ||
        asy_sha_bytes(image, n, &sha, NULL) || !(bytes = malloc(sizeof sha + n)))
        return;
    memcpy(bytes, &sha, sizeof sha);
    memcpy(bytes + sizeof sha, image, n);
    *name = '\0';
    if (asy_durable_mkdirs(path, NULL) == 0) {
        *name = '/';
        ASY_IGNORE(asy_durable_write(path, bytes, sizeof sha + n, 0600, NULL)); /* costs time */
    }
    free(bytes);
}
