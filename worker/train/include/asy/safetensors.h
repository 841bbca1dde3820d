/* SPDX-License-Identifier: Apache-2.0
 * asy/safetensors.h - the safetensors file format: eight bytes of header length (little endian), a
 * JSON header, then the tensors' bytes without holes.
 *
 * Everything in a file is checked before anything is used: the header has at most 100 MB, names are
 * unique, shapes and offsets fit, tensors neither overlap nor leave holes nor reach beyond the end.
 *
 * Ownership: a parsed file borrows the bytes it was parsed from; names and metadata are borrowed
 *            from it. Threads: read-only after parsing; then any. */
#ifndef ASY_SAFETENSORS_H
#define ASY_SAFETENSORS_H
#include <asy/buf.h>

#define ASY_SAFETENSORS_HEADER_MAX 100000000u
#define ASY_SAFETENSORS_DIMS 8

struct asy_tensor {
    const char *name;
    const char *dtype; /* "F32" */
    size_t n_dims;
    uint64_t shape[ASY_SAFETENSORS_DIMS];
    const void *bytes; /* may be unaligned */
    size_t size;       /* bytes */
};

struct asy_safetensors;
ASY_MUST_CHECK int asy_safetensors_parse(const void *bytes, size_t len,
                                         struct asy_safetensors **ret_file, struct asy_error *err);
/* Maps the file at path and parses it; destroy unmaps. */
ASY_MUST_CHECK int asy_safetensors_open(const char *path, struct asy_safetensors **ret_file,
                                        struct asy_error *err);
void asy_safetensors_destroy(struct asy_safetensors *file);
size_t asy_safetensors_len(const struct asy_safetensors *file);
const struct asy_tensor *asy_safetensors_at(const struct asy_safetensors *file, size_t i);
const struct asy_tensor *asy_safetensors_find(const struct asy_safetensors *file, const char *name);
/* The value of a key of __metadata__, or NULL. */
const char *asy_safetensors_meta(const struct asy_safetensors *file, const char *key);
/* Copies a float32 tensor of exactly n entries. ASY_E_CORRUPT: absent, another type or size. */
ASY_MUST_CHECK int asy_safetensors_read_f32(const struct asy_safetensors *file, const char *name,
                                            size_t n, float *ret, struct asy_error *err);

/* Writes a file of tensors, float32 ones or bytes, in the order given, mode 0600; it is closed but
 * not synced. A failed write leaves no file. meta: pairs of key and value, n_meta pairs. */
struct asy_tensor_out {
    const char *name;
    size_t n_dims;
    uint64_t shape[4];
    const float *data;
    const unsigned char *bytes; /* in place of data: of type U8 */
};
ASY_MUST_CHECK int asy_safetensors_write(const char *path, const char *const (*meta)[2],
                                         size_t n_meta, const struct asy_tensor_out *tensors,
                                         size_t n, struct asy_error *err);
#endif
