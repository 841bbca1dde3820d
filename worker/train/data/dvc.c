/* SPDX-License-Identifier: Apache-2.0
 * dvc.c - dvc-data's Tree.as_bytes(): json.dumps() of {"md5", "relpath"} of all files, sorted by
 * relpath, and ".dir" behind the md5 of that. */
#include "dvc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/buf.h>
#include <asy/durable.h>

/* Python would write such a name with escapes. */
static int is_plain(const char *name)
{
    for (; *name; name++)
        if (*name < ' ' || *name > '~' || *name == '"' || *name == '\\')
            return 0;
    return 1;
}

static int add_file(struct asy_buf *list, const char *folder, const char *name,
                    struct asy_error *err)
{
    char md5[ASY_MD5_TEXT], *path = NULL;
    int rc;

    if (!is_plain(name))
        return asy_fail(err, ASY_E_UNSUPPORTED, "'%.100s' is no plain name", name);
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    if ((rc = asy_md5_file(path, md5, err)) == 0)
        asy_buf_addf(list, "%s{\"md5\": \"%s\", \"relpath\": \"%s\"}", list->len > 1 ? ", " : "",
                     md5, name);
    free(path);
    return rc;
}

int asy__dvc_folder_id(const char *folder, char ret_id[ASY__DVC_TEXT], struct asy_error *err)
{
    char md5[ASY_MD5_TEXT], **files = NULL;
    struct asy_buf list;
    size_t n = 0;
    int rc;

    if ((rc = asy_durable_tree_files(folder, &files, &n, err)) < 0)
        return rc;
    asy_buf_init(&list, 64u << 20);
    asy_buf_addc(&list, '[');
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add_file(&list, folder, files[i], err);
    asy_buf_addc(&list, ']');
    if (rc == 0 && (rc = asy_buf_check(&list, "a folder's list", err)) == 0 &&
        (rc = asy_md5_bytes(list.data, list.len, md5, err)) == 0)
        snprintf(ret_id, ASY__DVC_TEXT, "%s.dir", md5);
    asy_buf_fini(&list);
    free(files);
    return rc;
}
