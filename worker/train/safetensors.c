/* SPDX-License-Identifier: Apache-2.0
 * safetensors.c - reading (the header checked whole) and writing safetensors files.
 *
 * The tensors are sorted by where they begin; each must begin where the one before it ends and the
 * last must end with the file, which excludes overlaps and holes in one pass. */
#include <asy/safetensors.h>
#include <asy/json.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct asy_safetensors {
    struct asy_json *header;
    const struct asy_json *meta;
    struct asy_tensor *tensors; /* in file order */
    size_t n;
    const char *data;
    size_t data_len;
    void *map; /* of open; else NULL */
    size_t map_len;
};

static const struct {
    const char *name;
    unsigned size;
} dtypes[] = {
    { "F32", 4 }, { "F64", 8 }, { "F16", 2 }, { "BF16", 2 }, { "I64", 8 }, { "I32", 4 },
    { "I16", 2 }, { "I8", 1 },  { "U64", 8 }, { "U32", 4 },  { "U16", 2 }, { "U8", 1 },
    { "BOOL", 1 },
};

static int corrupt(struct asy_error *err, const char *name, const char *why)
{
    return asy_fail(err, ASY_E_CORRUPT, "tensor '%.60s' %s", name, why);
}

static int read_count(const struct asy_json *node, uint64_t *ret)
{
    int64_t value = asy_json_i64(node, -1);

    if (!node || asy_json_type(node) != ASY_JSON_INT || value < 0)
        return -1;
    *ret = (uint64_t)value;
    return 0;
}

static int read_tensor(struct asy_safetensors *file, const char *name, const struct asy_json *node,
                       struct asy_tensor *tensor, struct asy_error *err)
{
    const struct asy_json *shape = asy_json_get(node, "shape");
    const struct asy_json *offsets = asy_json_get(node, "data_offsets");
    uint64_t begin, end, size = 0;

    tensor->name = name;
    tensor->dtype = asy_json_str(asy_json_get(node, "dtype"), "");
    for (size_t i = 0; i < ASY_ARRAY_LEN(dtypes); i++)
        if (!strcmp(dtypes[i].name, tensor->dtype))
            size = dtypes[i].size;
    if (asy_json_len(node) != 3 || !shape || asy_json_type(shape) != ASY_JSON_ARRAY || !offsets ||
        asy_json_len(offsets) != 2 || asy_json_type(offsets) != ASY_JSON_ARRAY)
        return corrupt(err, name, "needs exactly dtype, shape and data_offsets");
    if (!size)
        return corrupt(err, name, "has an unknown dtype");
    tensor->n_dims = asy_json_len(shape);
    if (tensor->n_dims > ASY_SAFETENSORS_DIMS)
        return corrupt(err, name, "has too many dimensions");
    for (size_t i = 0; i < tensor->n_dims; i++)
        if (read_count(asy_json_at(shape, i), &tensor->shape[i]) < 0 ||
            __builtin_mul_overflow(size, tensor->shape[i], &size))
            return corrupt(err, name, "has an impossible shape");
    if (read_count(asy_json_at(offsets, 0), &begin) < 0 ||
        read_count(asy_json_at(offsets, 1), &end) < 0 || begin > end || end > file->data_len)
        return corrupt(err, name, "has offsets outside the file");
    if (end - begin != size)
        return corrupt(err, name, "has offsets that do not match its shape");
    tensor->bytes = file->data + begin;
    tensor->size = (size_t)size;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct asy_tensor *x = a, *y = b;

    if (x->bytes != y->bytes)
        return (const char *)x->bytes < (const char *)y->bytes ? -1 : 1;
    return x->size < y->size ? -1 : x->size > y->size; /* empty ones first */
}

static int check_meta(const struct asy_json *meta, struct asy_error *err)
{
    const struct asy_json *value;
    const char *key;

    if (asy_json_type(meta) != ASY_JSON_OBJECT)
        return asy_fail(err, ASY_E_CORRUPT, "__metadata__ is not an object");
    for (size_t i = 0; (value = asy_json_member(meta, i, &key)); i++)
        if (asy_json_type(value) != ASY_JSON_STRING)
            return asy_fail(err, ASY_E_CORRUPT, "__metadata__ '%.60s' is not a string", key);
    return 0;
}

static int read_header(struct asy_safetensors *file, struct asy_error *err)
{
    const struct asy_json *node;
    const char *name, *at = file->data;
    int rc;

    if (asy_json_type(file->header) != ASY_JSON_OBJECT)
        return asy_fail(err, ASY_E_CORRUPT, "the header is not a JSON object");
    file->tensors = calloc(asy_json_len(file->header) + 1, sizeof *file->tensors);
    if (!file->tensors)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu tensors", asy_json_len(file->header));
    for (size_t i = 0; (node = asy_json_member(file->header, i, &name)); i++) {
        if (!strcmp(name, "__metadata__")) {
            file->meta = node;
            rc = check_meta(node, err);
        } else {
            rc = read_tensor(file, name, node, &file->tensors[file->n], err);
            file->n++;
        }
        if (rc < 0)
            return rc;
    }
    qsort(file->tensors, file->n, sizeof *file->tensors, by_place);
    for (size_t i = 0; i < file->n; i++) {
        if ((const char *)file->tensors[i].bytes != at)
            return corrupt(err, file->tensors[i].name, "overlaps another or follows a hole");
        at += file->tensors[i].size;
    }
    if (at != file->data + file->data_len)
        return asy_fail(err, ASY_E_CORRUPT, "%zu bytes after the last tensor",
                        (size_t)(file->data + file->data_len - at));
    return 0;
}

int asy_safetensors_parse(const void *bytes, size_t len, struct asy_safetensors **ret_file,
                          struct asy_error *err)
{
    struct asy_safetensors *file;
    const uint8_t *head = bytes;
    uint64_t size = 0;
    int rc;

    if (len < 8)
        return asy_fail(err, ASY_E_CORRUPT, "cut off: %zu bytes are no safetensors file", len);
    for (int i = 7; i >= 0; i--)
        size = size << 8 | head[i];
    if (size > ASY_SAFETENSORS_HEADER_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "not a safetensors file: a header of %llu bytes",
                        (unsigned long long)size);
    if (size > len - 8)
        return asy_fail(err, ASY_E_CORRUPT, "cut off: a header of %llu bytes in a file of %zu",
                        (unsigned long long)size, len);
    if (!(file = calloc(1, sizeof *file)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a safetensors file");
    file->data = (const char *)bytes + 8 + size;
    file->data_len = len - 8 - (size_t)size;
    rc = asy_json_parse((const char *)bytes + 8, (size_t)size, &file->header, err);
    if (rc < 0)
        asy_error_prefix(err, "header");
    if (rc < 0 || (rc = read_header(file, err)) < 0) {
        asy_safetensors_destroy(file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

int asy_safetensors_open(const char *path, struct asy_safetensors **ret_file,
                         struct asy_error *err)
{
    struct asy_safetensors *file = NULL;
    struct stat st;
    void *map = MAP_FAILED;
    int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0) {
        rc = asy_fail(err, ASY_E_CORRUPT, "'%s' is empty or not a file", path);
        goto out;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        rc = asy_fail_errno(err, errno, "cannot map '%s'", path);
        goto out;
    }
    if ((rc = asy_safetensors_parse(map, (size_t)st.st_size, &file, err)) < 0) {
        asy_error_prefix(err, "'%s'", path);
        munmap(map, (size_t)st.st_size);
        goto out;
    }
    file->map = map;
    file->map_len = (size_t)st.st_size;
    *ret_file = file;
out:
    close(fd);
    return rc;
}

void asy_safetensors_destroy(struct asy_safetensors *file)
{
    int saved = errno;

    if (!file)
        return;
    asy_json_destroy(file->header);
    free(file->tensors);
    if (file->map)
        munmap(file->map, file->map_len);
    free(file);
    errno = saved;
}

size_t asy_safetensors_len(const struct asy_safetensors *file)
{
    return file->n;
}

const struct asy_tensor *asy_safetensors_at(const struct asy_safetensors *file, size_t i)
{
    return i < file->n ? &file->tensors[i] : NULL;
}

const struct asy_tensor *asy_safetensors_find(const struct asy_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->n; i++)
        if (!strcmp(file->tensors[i].name, name))
            return &file->tensors[i];
    return NULL;
}

const char *asy_safetensors_meta(const struct asy_safetensors *file, const char *key)
{
    return asy_json_str(asy_json_get(file->meta, key), NULL);
}

int asy_safetensors_read_f32(const struct asy_safetensors *file, const char *name, size_t n,
                             float *ret, struct asy_error *err)
{
    const struct asy_tensor *tensor = asy_safetensors_find(file, name);

    if (!tensor)
        return corrupt(err, name, "is missing");
    if (strcmp(tensor->dtype, "F32") != 0)
        return corrupt(err, name, "is not of type F32");
    if (tensor->size != n * sizeof *ret)
        return asy_fail(err, ASY_E_CORRUPT, "tensor '%s' has %zu entries, not %zu", name,
                        tensor->size / sizeof *ret, n);
    memcpy(ret, tensor->bytes, tensor->size);
    return 0;
}

static uint64_t count_of(const struct asy_tensor_out *tensor)
{
    uint64_t n = 1;

    for (size_t i = 0; i < tensor->n_dims; i++)
        n *= tensor->shape[i];
    return n;
}

static uint64_t size_of(const struct asy_tensor_out *tensor)
{
    return count_of(tensor) * (tensor->bytes ? 1 : sizeof(float));
}

/* The header is padded with spaces so that the data begins at a multiple of 64. */
static int build_header(struct asy_buf *buf, const char *const (*meta)[2], size_t n_meta,
                        const struct asy_tensor_out *tensors, size_t n, struct asy_error *err)
{
    struct asy_jsonw w;
    uint64_t at = 0, size;

    asy_buf_add(buf, "\0\0\0\0\0\0\0", 8);
    asy_jsonw_init(&w, buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_open(&w, "__metadata__", '{');
    for (size_t i = 0; i < n_meta; i++)
        asy_jsonw_str(&w, meta[i][0], meta[i][1]);
    asy_jsonw_close(&w, '}');
    for (size_t i = 0; i < n; i++) {
        asy_jsonw_open(&w, tensors[i].name, '{');
        asy_jsonw_str(&w, "dtype", tensors[i].bytes ? "U8" : "F32");
        asy_jsonw_open(&w, "shape", '[');
        for (size_t d = 0; d < tensors[i].n_dims; d++)
            asy_jsonw_u64(&w, NULL, tensors[i].shape[d]);
        asy_jsonw_close(&w, ']');
        asy_jsonw_open(&w, "data_offsets", '[');
        asy_jsonw_u64(&w, NULL, at);
        at += size_of(&tensors[i]);
        asy_jsonw_u64(&w, NULL, at);
        asy_jsonw_close(&w, ']');
        asy_jsonw_close(&w, '}');
    }
    asy_jsonw_close(&w, '}');
    while (buf->rc == 0 && buf->len % 64)
        asy_buf_addc(buf, ' ');
    if (buf->rc < 0)
        return asy_buf_check(buf, "a safetensors header", err);
    size = buf->len - 8;
    for (int i = 0; i < 8; i++)
        buf->data[i] = (char)(size >> (8 * i));
    return 0;
}

static int write_all(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;

    while (n > 0) {
        ssize_t did = write(fd, at, n);

        if (did < 0 && errno == EINTR)
            continue;
        if (did <= 0)
            return -1;
        at += did;
        n -= (size_t)did;
    }
    return 0;
}

int asy_safetensors_write(const char *path, const char *const (*meta)[2], size_t n_meta,
                          const struct asy_tensor_out *tensors, size_t n, struct asy_error *err)
{
    struct asy_buf header;
    int fd = -1, rc, saved;

    asy_buf_init(&header, ASY_SAFETENSORS_HEADER_MAX);
    if ((rc = build_header(&header, meta, n_meta, tensors, n, err)) < 0)
        goto out;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        rc = asy_fail_errno(err, errno, "cannot create '%s'", path);
        goto out;
    }
    if (write_all(fd, header.data, header.len) < 0)
        goto failed;
    for (size_t i = 0; i < n; i++)
        if (write_all(fd, tensors[i].bytes ? (const void *)tensors[i].bytes : tensors[i].data,
                      (size_t)size_of(&tensors[i])) < 0)
            goto failed;
    if (close(fd) < 0) {
        fd = -1;
        goto failed;
    }
    goto out;
failed:
    saved = errno;
    if (fd >= 0)
        close(fd);
    unlink(path);
    rc = asy_fail_errno(err, saved, "cannot write '%s'", path);
out:
    asy_buf_fini(&header);
    return rc;
}
