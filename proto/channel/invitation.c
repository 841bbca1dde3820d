/* SPDX-License-Identifier: Apache-2.0
 * invitation.c - see asy/invitation.h. One JSON object, like the discovery file: readers ignore
 * members that they do not know and refuse what they cannot use. */
#include <asy/invitation.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <asy/address.h>
#include <asy/json.h>
#include "channel.h"
#include "endpoints.h"
#include "private.h"

#define FILE_BYTES (64u << 10)
#define FORMAT 1
#define NOTE_SUFFIX ".now"

/* ---- writing ------------------------------------------------------------------------------- */

static void write_endpoints(struct asy_jsonw *w, const struct asy_discovery *at)
{
    asy__endpoints_write(w, at);
    asy_jsonw_str(w, "server_key", at->server_key);
}

int asy_invitation_format(const struct asy_invitation *invitation, struct asy_buf *ret_text,
                          struct asy_error *err)
{
    struct asy_jsonw w;
    char store[ASY_ID_TEXT];

    asy_jsonw_init(&w, ret_text, 1);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_i64(&w, "assay_invitation", FORMAT);
    asy_jsonw_str(&w, "for", invitation->is_worker ? "worker" : "user");
    asy_jsonw_str(&w, "name", invitation->name);
    write_endpoints(&w, &invitation->at);
    asy_jsonw_str(&w, "store", asy_id_format(invitation->at.store, store));
    asy_jsonw_str(&w, "host", invitation->at.host);
    asy_jsonw_str(&w, "boot_id", invitation->at.boot_id);
    asy_jsonw_str(&w, "owner", invitation->owner);
    asy_jsonw_str(&w, "public_key", invitation->pair.public_key);
    asy_jsonw_str(&w, "secret_key", invitation->pair.secret_key);
    asy_jsonw_close(&w, '}');
    asy_buf_addc(ret_text, '\n');
    return asy_buf_check(ret_text, "the invitation", err);
}

int asy_invitation_save(const char *path, const struct asy_invitation *invitation,
                        struct asy_error *err)
{
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, FILE_BYTES);
    if ((rc = asy_invitation_format(invitation, &buf, err)) == 0)
        rc = asy__private_create(path, buf.data, buf.len, err);
    if (buf.data)
        explicit_bzero(buf.data, buf.len);
    asy_buf_fini(&buf);
    return rc;
}

/* ---- reading ------------------------------------------------------------------------------- */

static int bad(struct asy_error *err, const char *path, const char *why)
{
    return asy_fail(err, ASY_E_CORRUPT, "'%s' is not an invitation: %s", path, why);
}

static int take_key(const struct asy_json *root, const char *key, char ret[ASY_KEY_TEXT])
{
    return asy__text_take(root, key, ret, ASY_KEY_TEXT) && asy__check_key(ret, key, NULL) == 0;
}

static int take_endpoints(const struct asy_json *root, struct asy_discovery *ret)
{
    const char *host;
    size_t len;
    int port;

    if (!asy__endpoints_take(root, ret) || !*ret->endpoints[0])
        return 0;
    for (size_t i = 0; i < ASY_ENDPOINTS_MAX && *ret->endpoints[i]; i++)
        if (asy_address_split(ret->endpoints[i], &host, &len, &port, NULL) < 0)
            return 0;
    return 1;
}

static int take(const char *path, const struct asy_json *root, struct asy_invitation *ret,
                struct asy_error *err)
{
    char store[ASY_ID_TEXT], kind[16];

    if (asy_json_i64(asy_json_get(root, "assay_invitation"), 0) != FORMAT)
        return bad(err, path, "it does not say 'assay_invitation: 1'");
    if (!asy__text_take(root, "for", kind, sizeof kind) ||
        (strcmp(kind, "worker") && strcmp(kind, "user")))
        return bad(err, path, "'for' is neither 'worker' nor 'user'");
    ret->is_worker = !strcmp(kind, "worker");
    if (!take_endpoints(root, &ret->at))
        return bad(err, path, "'endpoints' or 'more_endpoints' is not a list of 1 to 4 texts like "
                              "'tcp://HOST:PORT'");
    if (!take_key(root, "server_key", ret->at.server_key) ||
        !take_key(root, "owner", ret->owner) ||
        !take_key(root, "public_key", ret->pair.public_key) ||
        !take_key(root, "secret_key", ret->pair.secret_key))
        return bad(err, path, "'server_key', 'owner', 'public_key' or 'secret_key' is not a key");
    if (!asy__text_take(root, "store", store, sizeof store) ||
        asy_id_parse(store, strlen(store), &ret->at.store, NULL))
        return bad(err, path, "'store' is not an id");
    if (!asy__text_take(root, "name", ret->name, sizeof ret->name) ||
        !asy__text_take(root, "host", ret->at.host, sizeof ret->at.host) ||
        !asy__text_take(root, "boot_id", ret->at.boot_id, sizeof ret->at.boot_id))
        return bad(err, path, "'name', 'host' or 'boot_id' is not a short text");
    return 0;
}

/* A private JSON file; the caller destroys *ret_root. */
static int read_json(const char *path, struct asy_json **ret_root, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    char *text = NULL;
    size_t len = 0;
    int rc = asy__private_read(path, ASY__SECRET, FILE_BYTES, &text, &len, err);

    if (rc == ASY_E_TOOBIG)
        return bad(err, path, "it is too long");
    if (rc)
        return rc;
    if ((rc = asy_json_parse(text, len, ret_root, &why)))
        rc = rc == ASY_E_NOMEM ? asy_fail(err, rc, "%s", why.text) : bad(err, path, why.text);
    asy__wipe(text, len);
    return rc;
}

int asy_invitation_read(const char *path, struct asy_invitation *ret_invitation,
                        struct asy_error *err)
{
    struct asy_invitation invitation = { .is_worker = 0 };
    struct asy_json *root = NULL;
    int rc = read_json(path, &root, err);

    if (rc == 0 && (rc = take(path, root, &invitation, err)) == 0)
        *ret_invitation = invitation;
    explicit_bzero(&invitation.pair, sizeof invitation.pair);
    asy_json_destroy(root);
    return rc;
}

/* ---- what was told since -------------------------------------------------------------------- */

static int note_path(const char *path, char ret[PATH_MAX], struct asy_error *err)
{
    return snprintf(ret, PATH_MAX, "%s" NOTE_SUFFIX, path) < PATH_MAX
               ? 0 : asy_fail(err, ASY_E_TOOBIG, "path '%.100s' is too long", path);
}

int asy_invitation_noted(const char *path, const struct asy_invitation *invitation,
                         struct asy_discovery *ret_discovery, int *ret_newer,
                         struct asy_error *err)
{
    struct asy_discovery found = invitation->at;
    char note[PATH_MAX], key[ASY_KEY_TEXT];
    struct asy_json *root = NULL;
    struct stat file, beside;
    int rc;

    if ((rc = note_path(path, note, err)) || (rc = read_json(note, &root, err)))
        return rc;
    if (!take_endpoints(root, &found) || !take_key(root, "server_key", key) ||
        strcmp(key, invitation->at.server_key)) {
        rc = asy_fail(err, ASY_E_NOENT, "'%s' is of another coordinator", note);
        goto out;
    }
    *ret_newer = stat(path, &file) == 0 && stat(note, &beside) == 0 &&
                 (beside.st_mtim.tv_sec > file.st_mtim.tv_sec ||
                  (beside.st_mtim.tv_sec == file.st_mtim.tv_sec &&
                   beside.st_mtim.tv_nsec >= file.st_mtim.tv_nsec));
    *ret_discovery = found;
out:
    asy_json_destroy(root);
    return rc;
}

int asy_invitation_note(const char *path, const struct asy_invitation *invitation,
                        const char *const *endpoints, size_t n, struct asy_error *err)
{
    struct asy_discovery told = invitation->at, known;
    struct asy_jsonw w;
    struct asy_buf buf;
    char note[PATH_MAX];
    int newer, rc;

    memset(told.endpoints, 0, sizeof told.endpoints);
    for (size_t i = 0; i < n && i < ASY_ENDPOINTS_MAX; i++)
        snprintf(told.endpoints[i], sizeof told.endpoints[i], "%s", endpoints[i]);
    if (n == 0 || (asy_invitation_noted(path, invitation, &known, &newer, NULL) == 0 && newer &&
                   !memcmp(known.endpoints, told.endpoints, sizeof told.endpoints)))
        return 0;
    asy_buf_init(&buf, FILE_BYTES);
    asy_jsonw_init(&w, &buf, 1);
    asy_jsonw_open(&w, NULL, '{');
    write_endpoints(&w, &told);
    asy_jsonw_close(&w, '}');
    asy_buf_addc(&buf, '\n');
    if ((rc = note_path(path, note, err)) == 0 &&
        (rc = asy_buf_check(&buf, "the list of endpoints", err)) == 0)
        rc = asy__private_write(note, buf.data, buf.len, err);
    asy_buf_fini(&buf);
    return rc;
}
