/* SPDX-License-Identifier: Apache-2.0
 * hash.c - sha256 over OpenSSL's EVP interface. A digest in progress does not fail in any way that
 * a caller could act on, so update and final assert. */
#include <asy/hash.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "hex.h"

struct asy_sha_state {
    EVP_MD_CTX *evp;
};

int asy_sha_create(struct asy_sha_state **ret_state, struct asy_error *err)
{
    struct asy_sha_state *state = calloc(1, sizeof *state);

    if (!state || !(state->evp = EVP_MD_CTX_new()) ||
        EVP_DigestInit_ex(state->evp, EVP_sha256(), NULL) != 1) {
        asy_sha_destroy(state);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sha256 state");
    }
    *ret_state = state;
    return 0;
}

void asy_sha_destroy(struct asy_sha_state *state)
{
    int saved = errno;

    if (state)
        EVP_MD_CTX_free(state->evp);
    free(state);
    errno = saved;
}

void asy_sha_update(struct asy_sha_state *state, const void *bytes, size_t n)
{
    if (n > 0)
        ASY_ASSERT(EVP_DigestUpdate(state->evp, bytes, n) == 1, "sha256 of %zu bytes", n);
}

struct asy_sha asy_sha_final(struct asy_sha_state *state)
{
    struct asy_sha sha;
    unsigned len = 0;

    ASY_ASSERT(EVP_DigestFinal_ex(state->evp, sha.b, &len) == 1 && len == sizeof sha.b,
               "sha256 of %u bytes", len);
    return sha;
}

int asy_sha_bytes(const void *bytes, size_t n, struct asy_sha *ret, struct asy_error *err)
{
    struct asy_sha_state *state = NULL;
    int rc = asy_sha_create(&state, err);

    if (rc)
        return rc;
    asy_sha_update(state, bytes, n);
    *ret = asy_sha_final(state);
    asy_sha_destroy(state);
    return 0;
}

int asy_sha_file(const char *path, struct asy_sha *ret, uint64_t *ret_size, struct asy_error *err)
{
    struct asy_sha_state *state = NULL;
    uint64_t size = 0;
    char chunk[16384];
    int fd = -1, rc;
    ssize_t n;

    if ((rc = asy_sha_create(&state, err)))
        goto out;
    if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0) {
        rc = asy_fail_errno(err, errno, "cannot open '%s'", path);
        goto out;
    }
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = asy_fail_errno(err, errno, "cannot read '%s'", path);
            goto out;
        }
        asy_sha_update(state, chunk, (size_t)n);
        size += (uint64_t)n;
    }
    *ret = asy_sha_final(state);
    if (ret_size)
        *ret_size = size;
out:
    if (fd >= 0)
        close(fd);
    asy_sha_destroy(state);
    return rc;
}

const char *asy_sha_format(struct asy_sha sha, char text[ASY_SHA_TEXT])
{
    asy__hex_format(sha.b, sizeof sha.b, text);
    return text;
}

int asy_sha_parse(const char *text, size_t len, struct asy_sha *ret, struct asy_error *err)
{
    struct asy_sha sha;

    if (len != ASY_SHA_TEXT - 1)
        return asy_fail(err, ASY_E_FORMAT, "a sha256 has 64 hex digits, not %zu characters", len);
    if (!asy__hex_parse(text, sizeof sha.b, sha.b))
        return asy_fail(err, ASY_E_FORMAT, "a sha256 has 64 hex digits and nothing else");
    *ret = sha;
    return 0;
}

const char *asy_hash_version(void)
{
    return OpenSSL_version(OPENSSL_FULL_VERSION_STRING);
}
