/* SPDX-License-Identifier: Apache-2.0
 * keys.c - key pairs in files.
 *
 *     assay-key 1
 *     public <40 Z85 characters>
 *     secret <40 Z85 characters>
 *
 * Both halves are kept although the first follows from the second: a reader with cut and paste
 * needs it, and a pair that does not match shows a damaged file. */
#include <asy/keys.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>
#include "channel.h"
#include "private.h"

#define FORM "assay-key 1\npublic %s\nsecret %s\n"
#define PUBLIC_AT 19 /* offsets into the form */
#define SECRET_AT (PUBLIC_AT + ASY_KEY_TEXT - 1 + 8)
#define FORM_LEN (SECRET_AT + ASY_KEY_TEXT - 1 + 1)

int asy_keypair_make(struct asy_keypair *ret_pair, struct asy_error *err)
{
    struct asy_keypair pair;

    if (zmq_curve_keypair(pair.public_key, pair.secret_key) < 0)
        return errno == ENOTSUP ? asy_fail(err, ASY_E_UNSUPPORTED,
                                           "cannot make a key pair: this libzmq has no CURVE")
                                : asy__fail_zmq(err, errno, "cannot make a key pair");
    *ret_pair = pair;
    explicit_bzero(&pair, sizeof pair);
    return 0;
}

/* Writing the form again must give the text: so nothing else can stand in it. */
static int parse_pair(const char *path, const char *text, size_t len, struct asy_keypair *ret_pair,
                      struct asy_error *err)
{
    struct asy_keypair pair = { { 0 }, { 0 } };
    char again[FORM_LEN + 1], public_key[ASY_KEY_TEXT];
    int rc = 0;

    if (len == FORM_LEN) {
        memcpy(pair.public_key, text + PUBLIC_AT, ASY_KEY_TEXT - 1);
        memcpy(pair.secret_key, text + SECRET_AT, ASY_KEY_TEXT - 1);
        snprintf(again, sizeof again, FORM, pair.public_key, pair.secret_key);
    }
    if (len != FORM_LEN || memcmp(text, again, len) != 0)
        rc = asy_fail(err, ASY_E_CORRUPT, "cannot use '%s': not a key file of assay", path);
    else if (asy__check_key(pair.secret_key, "secret key", NULL) ||
             zmq_curve_public(public_key, pair.secret_key) < 0 ||
             strcmp(public_key, pair.public_key) != 0)
        rc = asy_fail(err, ASY_E_CORRUPT, "cannot use '%s': its two keys are not a pair", path);
    else
        *ret_pair = pair;
    explicit_bzero(&pair, sizeof pair);
    explicit_bzero(again, sizeof again);
    return rc;
}

static int load_pair(const char *path, struct asy_keypair *ret_pair, struct asy_error *err)
{
    char *text = NULL;
    size_t len;
    int rc = asy__private_read(path, ASY__SECRET, 4096, &text, &len, err);

    if (rc)
        return rc;
    rc = parse_pair(path, text, len, ret_pair, err);
    asy__wipe(text, len);
    return rc;
}

static int create_pair(const char *path, struct asy_keypair *ret_pair, struct asy_error *err)
{
    struct asy_keypair pair;
    char text[FORM_LEN + 1];
    int rc;

    if ((rc = asy_keypair_make(&pair, err)))
        return rc;
    snprintf(text, sizeof text, FORM, pair.public_key, pair.secret_key);
    if ((rc = asy__private_create(path, text, FORM_LEN, err)) == 0)
        *ret_pair = pair;
    explicit_bzero(&pair, sizeof pair);
    explicit_bzero(text, sizeof text);
    return rc;
}

int asy_keypair_load(const char *path, struct asy_keypair *ret_pair, struct asy_error *err)
{
    int rc = load_pair(path, ret_pair, err);

    if (rc == ASY_E_NOENT)
        rc = create_pair(path, ret_pair, err);
    return rc == ASY_E_EXISTS ? load_pair(path, ret_pair, err) /* another was faster */ : rc;
}
