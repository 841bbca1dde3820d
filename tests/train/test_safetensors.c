/* SPDX-License-Identifier: Apache-2.0
 * The safetensors reader against files that lie, and a round trip. */
#include "trainkit.h"
#include <asy/safetensors.h>

/* A file of this header and n bytes of data. */
static struct asy_buf make_file(const char *header, size_t n)
{
    struct asy_buf buf;
    uint64_t len = strlen(header);

    asy_buf_init(&buf, 1u << 20);
    for (int i = 0; i < 8; i++)
        asy_buf_addc(&buf, (char)(len >> (8 * i)));
    asy_buf_adds(&buf, header);
    for (size_t i = 0; i < n; i++)
        asy_buf_addc(&buf, (char)i);
    return buf;
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
static void files_that_lie_are_refused(void)
{
    static const struct {
        const char *name, *header;
        size_t n;
        int want;
        const char *says;
    } cases[] = {
        { "right", "{" A "}", 8, 0, "" },
        { "right, with metadata", "{\"__metadata__\":{\"k\":\"v\"}," A "}", 8, 0, "" },
        { "spaces after", "{" A "}      ", 8, 0, "" },
        { "nothing in it", "{}", 0, 0, "" },
        { "scalar", "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, 0, "" },
        { "empty tensors",
          "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
          "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}",
          3, 0, "" },
        { "cut off", "{" A "}", 7, ASY_E_CORRUPT, "outside the file" },
        { "more after", "{" A "}", 9, ASY_E_CORRUPT, "1 bytes after the last" },
        { "not JSON", "{" A, 8, ASY_E_FORMAT, "header" },
        { "an array", "[1]", 0, ASY_E_CORRUPT, "not a JSON object" },
        { "twice the same name", "{" A "," A "}", 8, ASY_E_FORMAT, "header" },
        { "overlap", "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12,
          ASY_E_CORRUPT, "overlaps" },
        { "the same bytes twice",
          "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":"
          "[0,8]}}",
          8, ASY_E_CORRUPT, "overlaps" },
        { "hole", "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]}}", 16,
          ASY_E_CORRUPT, "hole" },
        { "hole before", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
          ASY_E_CORRUPT, "hole" },
        { "shape and size", "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8,
          ASY_E_CORRUPT, "do not match its shape" },
        { "overflow",
          "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,2],\"data_offsets\""
          ":[0,8]}}",
          8, ASY_E_CORRUPT, "impossible shape" },
        { "overflow and zero",
          "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4,0],"
          "\"data_offsets\":[0,0]}}",
          0, ASY_E_CORRUPT, "impossible shape" },
        { "negative", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8,
          ASY_E_CORRUPT, "impossible shape" },
        { "real", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8,
          ASY_E_CORRUPT, "impossible shape" },
        { "backwards", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8,
          ASY_E_CORRUPT, "outside the file" },
        { "dtype", "{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
          ASY_E_CORRUPT, "unknown dtype" },
        { "no dtype", "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, ASY_E_CORRUPT,
          "exactly" },
        { "more keys", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}",
          8, ASY_E_CORRUPT, "exactly" },
        { "three offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8,
          ASY_E_CORRUPT, "exactly" },
        { "nine dimensions",
          "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],"
          "\"data_offsets\":[0,1]}}",
          1, ASY_E_CORRUPT, "too many dimensions" },
        { "number in metadata", "{\"__metadata__\":{\"k\":1}," A "}", 8, ASY_E_CORRUPT,
          "not a string" },
        { "metadata", "{\"__metadata__\":[]," A "}", 8, ASY_E_CORRUPT, "not an object" },
        { "a tensor of text", "{\"a\":\"x\"}", 0, ASY_E_CORRUPT, "exactly" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_buf bytes = make_file(cases[i].header, cases[i].n);
        struct asy_safetensors *file = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        int rc = asy_safetensors_parse(bytes.data, bytes.len, &file, &err);

        T_EQ(cases[i].name, rc, cases[i].want);
        T_HAS(cases[i].name, err.text, cases[i].says);
        asy_safetensors_destroy(file);
        asy_buf_fini(&bytes);
    }
}

static void header_lengths_are_bounded(void)
{
    static const struct {
        const char *name;
        uint8_t bytes[12];
        size_t n;
        int want;
    } cases[] = {
        { "nothing", { 0 }, 0, ASY_E_CORRUPT },
        { "seven bytes", { 2 }, 7, ASY_E_CORRUPT },
        { "longer than the file", { 5, 0, 0, 0, 0, 0, 0, 0, '{', '}' }, 10, ASY_E_CORRUPT },
        { "just above 100 MB", { 0x01, 0xe1, 0xf5, 0x05 }, 12, ASY_E_TOOBIG },
        { "as long as can be", { 255, 255, 255, 255, 255, 255, 255, 255 }, 12, ASY_E_TOOBIG },
        { "no header", { 0 }, 8, ASY_E_FORMAT },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_safetensors *file = NULL;
        struct asy_error err = ASY_ERROR_INIT;

        T_EQ(cases[i].name, asy_safetensors_parse(cases[i].bytes, cases[i].n, &file, &err),
             cases[i].want);
        T_TRUE(err.text[0] && !file);
    }
}

static void what_is_written_is_read(void)
{
    static const float w[6] = { 1, -2, 0.5f, NAN, INFINITY, -0.0f }, b[2] = { 3, 4 };
    const char *meta[][2] = { { "k", "v \"quoted\"\n" }, { "empty", "" } };
    struct asy_tensor_out tensors[] = { { "w", 2, { 2, 3 }, w }, { "b", 1, { 2, 0 }, b } };
    struct asy_safetensors *file = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    const struct asy_tensor *tensor;
    char dir[64], path[128];
    float back[6];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    snprintf(path, sizeof path, "%s/x.safetensors", dir);
    if (!T_OK(asy_safetensors_write(path, (const char *const(*)[2])meta, 2, tensors, 2, &err),
              &err) ||
        !T_OK(asy_safetensors_open(path, &file, &err), &err))
        goto out;
    T_EQ("tensors", asy_safetensors_len(file), 2);
    T_STR("metadata", asy_safetensors_meta(file, "k"), "v \"quoted\"\n");
    T_TRUE(asy_safetensors_meta(file, "absent") == NULL);
    tensor = asy_safetensors_find(file, "w");
    if (T_TRUE(tensor != NULL)) {
        T_EQ("dims", tensor->n_dims, 2);
        T_EQ("rows", tensor->shape[0], 2);
        T_EQ("aligned", (uintptr_t)tensor->bytes % 64, 0);
    }
    T_OK(asy_safetensors_read_f32(file, "w", 6, back, &err), &err);
    T_EQ("bits", memcmp(back, w, sizeof w), 0);
    T_EQ("size", asy_safetensors_read_f32(file, "w", 5, back, &err), ASY_E_CORRUPT);
    T_HAS("size", err.text, "has 6 entries, not 5");
    T_EQ("absent", asy_safetensors_read_f32(file, "x", 5, back, &err), ASY_E_CORRUPT);
    T_EQ("folder", asy_safetensors_write("/nowhere/x", NULL, 0, tensors, 2, &err), ASY_E_NOENT);
out:
    asy_safetensors_destroy(file);
    kit_rmdir(dir);
}

T_MAIN("safetensors", T_TEST(files_that_lie_are_refused), T_TEST(header_lengths_are_bounded),
       T_TEST(what_is_written_is_read))
