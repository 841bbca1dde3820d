/* SPDX-License-Identifier: Apache-2.0
 * asy/hash.h - sha256 content ids (OpenSSL's libcrypto). Threads: one owner per state. */
#ifndef ASY_HASH_H
#define ASY_HASH_H
#include <asy/error.h>

struct asy_sha {
    uint8_t b[32];
};
#define ASY_SHA_TEXT 65

struct asy_sha_state;
ASY_MUST_CHECK int asy_sha_create(struct asy_sha_state **ret_state, struct asy_error *err);
void asy_sha_destroy(struct asy_sha_state *state);
void asy_sha_update(struct asy_sha_state *state, const void *bytes, size_t n);
struct asy_sha asy_sha_final(struct asy_sha_state *state); /* state may be destroyed only */
ASY_MUST_CHECK int asy_sha_bytes(const void *bytes, size_t n, struct asy_sha *ret,
                                 struct asy_error *err);
/* Reads the file at path from its start. ret_size (NULL allowed): its length. */
ASY_MUST_CHECK int asy_sha_file(const char *path, struct asy_sha *ret, uint64_t *ret_size,
                                struct asy_error *err);
const char *asy_hash_version(void); /* of OpenSSL's libcrypto, as loaded: "3.0.15" */
const char *asy_sha_format(struct asy_sha sha, char text[ASY_SHA_TEXT]);
ASY_MUST_CHECK int asy_sha_parse(const char *text, size_t len, struct asy_sha *ret,
                                 struct asy_error *err);
#endif
