/* SPDX-License-Identifier: Apache-2.0
 * tidy.c - see tidy.h. Names are "<sha256>.<study>-<trial>-<attempt>-<report>", of parts with
 * ".part-" before that. */
#include "tidy.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <asy/hash.h>

#define PART ".part-"
#define SHA_LEN (ASY_SHA_TEXT - 1)
#define ID_LEN (ASY_ID_TEXT - 1)

static int study_of(const char *name, struct asy_id *ret_study)
{
    struct asy_sha sha;

    return strlen(name) > SHA_LEN + 1 + ID_LEN && name[SHA_LEN] == '.' &&
           name[SHA_LEN + 1 + ID_LEN] == '-' && asy_sha_parse(name, SHA_LEN, &sha, NULL) == 0 &&
           asy_id_parse(name + SHA_LEN + 1, ID_LEN, ret_study, NULL) == 0;
}

void asy__tidy_look(const char *artifacts, unsigned number,
                    void (*found)(void *arg, const char *path, struct asy_id study), void *arg)
{
    int parts = number >= ASY__TIDY_FOLDERS - 1;
    size_t skip = parts ? strlen(PART) : 0;
    char folder[4200], path[4600], two[4] = "";
    struct dirent *entry;
    struct asy_id study;
    DIR *dir;

    if (!parts)
        snprintf(two, sizeof two, "/%02x", number & 0xff);
    snprintf(folder, sizeof folder, "%.4190s%s", artifacts, two);
    if (!(dir = opendir(folder)))
        return;
    while ((entry = readdir(dir))) {
        if (strncmp(entry->d_name, PART, skip) || !study_of(entry->d_name + skip, &study))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        found(arg, path, study);
    }
    closedir(dir);
}
