/* SPDX-License-Identifier: Apache-2.0
 * asy/hash.h - sha256 content ids, and md5 for those of others (OpenSSL's libcrypto). Threads: one
 * owner per state. */
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

/* md5 as hexadecimal digits: for the names that others give to content, never for integrity.
 * ASY_E_UNSUPPORTED: the library does without it (FIPS). */
#define ASY_MD5_TEXT 33
ASY_MUST_CHECK int asy_md5_bytes(const void *bytes, size_t n, char ret_text[ASY_MD5_TEXT],
                                 struct asy_error *err);
ASY_MUST_CHECK int asy_md5_file(const char *path, char ret_text[ASY_MD5_TEXT],
                                struct asy_error *err);

/* Hashes of files that were read once, by what a changed file does not keep: device, inode, size
 * and time of change. The oldest of some thousand are forgotten. */
struct asy_sha_memo;
struct stat;
ASY_MUST_CHECK int asy_sha_memo_create(struct asy_sha_memo **ret_memo, struct asy_error *err);
void asy_sha_memo_destroy(struct asy_sha_memo *memo);
/* 1 and the hash, if it is known. */
int asy_sha_memo_get(const struct asy_sha_memo *memo, const struct stat *st, struct asy_sha *ret);
/* st: from before the file was read. A file that was written in the last seconds is not remembered:
 * it may be written again without its time showing it. */
void asy_sha_memo_put(struct asy_sha_memo *memo, const struct stat *st, struct asy_sha sha);

const char *asy_hash_version(void); /* of OpenSSL's libcrypto, as loaded: "3.0.15" */
const char *asy_sha_format(struct asy_sha sha, char text[ASY_SHA_TEXT]);
ASY_MUST_CHECK int asy_sha_parse(const char *text, size_t len, struct asy_sha *ret,
                                 struct asy_error *err);
#endif
