/* SPDX-License-Identifier: Apache-2.0
 * asy/pack.h - a file or a folder tree as one stream of bytes that can be read from any offset, so
 * that a transfer may go on where it broke off.
 *
 * A file's stream is its content. A tree's is, for each file in byte order of its path,
 * "<size> <path>\n" and the content; equal trees give equal streams. Folders without a file and all
 * modes are left out, as they are of a tree's content id (asy/durable.h).
 *
 * Ownership: open/close. Threads: one owner. */
#ifndef ASY_PACK_H
#define ASY_PACK_H
#include <asy/hash.h>

struct asy_pack;
/* ASY_E_INVAL: a tree with links or special files. The files must not change until close. */
ASY_MUST_CHECK int asy_pack_open(const char *path, struct asy_pack **ret_pack,
                                 struct asy_error *err);
void asy_pack_close(struct asy_pack *pack);
uint64_t asy_pack_size(const struct asy_pack *pack);
int asy_pack_is_tree(const struct asy_pack *pack);
/* Up to n bytes from offset on; *ret_n is 0 at the end alone. ASY_E_CORRUPT: a file has become
 * shorter. */
ASY_MUST_CHECK int asy_pack_read(struct asy_pack *pack, uint64_t offset, void *bytes, size_t n,
                                 size_t *ret_n, struct asy_error *err);

/* A stream, in a file, becomes a tree. What is there when it fails is the caller's to remove. */
struct asy_unpack;
/* The tree grows in the folder `to`, which must not exist. */
ASY_MUST_CHECK int asy_unpack_open(const char *stream, const char *to,
                                   struct asy_unpack **ret_unpack, struct asy_error *err);
void asy_unpack_close(struct asy_unpack *unpack); /* NULL is fine */
/* Some n bytes more, those of large files synced. 1: there is more; 0: the tree is whole.
 * ASY_E_FORMAT: it is no such stream, or a path in it leaves the folder. */
ASY_MUST_CHECK int asy_unpack_step(struct asy_unpack *unpack, size_t n, struct asy_error *err);
/* The content id of the tree, once it is whole. */
struct asy_sha asy_unpack_sha(const struct asy_unpack *unpack);
/* All at once. */
ASY_MUST_CHECK int asy_pack_unpack(const char *stream, const char *to, struct asy_sha *ret_sha,
                                   struct asy_error *err);
#endif
