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

/* The whole file through a digest. */
static int digest_file(const char *path, EVP_MD_CTX *evp, uint64_t *ret_size, struct asy_error *err)
{
    uint64_t size = 0;
    char chunk[16384];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc = 0;
    ssize_t n;

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = asy_fail_errno(err, errno, "cannot read '%s'", path);
            break;
        }
        ASY_ASSERT(EVP_DigestUpdate(evp, chunk, (size_t)n) == 1, "digest of %zd bytes", n);
        size += (uint64_t)n;
    }
    close(fd);
    if (rc == 0 && ret_size)
        *ret_size = size;
    return rc;
}

int asy_sha_file(const char *path, struct asy_sha *ret, uint64_t *ret_size, struct asy_error *err)
{
    struct asy_sha_state *state = NULL;
    int rc;

    if ((rc = asy_sha_create(&state, err)) < 0)
        return rc;
    if ((rc = digest_file(path, state->evp, ret_size, err)) == 0)
        *ret = asy_sha_final(state);
    asy_sha_destroy(state);
    return rc;
}

/* path NULL: the n bytes. */
static int md5(const char *path, const void *from, size_t n, char ret_text[ASY_MD5_TEXT],
               struct asy_error *err)
{
    EVP_MD_CTX *evp = EVP_MD_CTX_new();
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int rc = 0;

    if (!evp)
        return asy_fail(err, ASY_E_NOMEM, "no memory for an md5 state");
    if (EVP_DigestInit_ex(evp, EVP_md5(), NULL) != 1)
        rc = asy_fail(err, ASY_E_UNSUPPORTED, "this machine's OpenSSL has no md5");
    else if (path)
        rc = digest_file(path, evp, NULL, err);
    else
        ASY_ASSERT(EVP_DigestUpdate(evp, from, n) == 1, "md5 of %zu bytes", n);
    if (rc == 0) {
        ASY_ASSERT(EVP_DigestFinal_ex(evp, bytes, &len) == 1 && len == (ASY_MD5_TEXT - 1) / 2,
                   "md5 of %u bytes", len);
        asy__hex_format(bytes, len, ret_text);
    }
    EVP_MD_CTX_free(evp);
    return rc;
}

int asy_md5_bytes(const void *bytes, size_t n, char ret_text[ASY_MD5_TEXT], struct asy_error *err)
{
    return md5(NULL, bytes, n, ret_text, err);
}

int asy_md5_file(const char *path, char ret_text[ASY_MD5_TEXT], struct asy_error *err)
{
    return md5(path, NULL, 0, ret_text, err);
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
