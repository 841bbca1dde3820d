/* SPDX-License-Identifier: Apache-2.0
 * A table as the data of a study: it is understood, or refused with a reason. The first byte
 * chooses how it is to be read. */
#include <asy/json.h>
#include <asy/training.h>
#include <string.h>
#include "memory_file.h"

static struct asy_json *job(const char *path, unsigned how)
{
    static const char *const missing[] = { "error", "mean", "drop", "mean" };
    static const char *const task[] = { "auto", "classification", "regression", "auto" };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy_buf text;

    asy_buf_init(&text, 4096);
    asy_buf_addf(&text, "{\"study\":{\"data\":{\"file\":\"%s\",\"label\":%d,\"missing\":\"%s\","
                 "\"task\":\"%s\",\"header\":\"auto\",\"scale\":\"%s\",\"categorical\":[%s],"
                 "\"split\":{\"validation\":%s,\"test\":0.2,\"stratify\":%s}}}}",
                 path, how & 1 ? 0 : -1, missing[how >> 1 & 3], task[how >> 3 & 3],
                 how & 32 ? "standard" : "minmax", how & 64 ? "1" : "", how & 128 ? "0.3" : "0",
                 how & 32 ? "true" : "false");
    FUZZ_CHECK(asy_json_parse(text.data, text.len, &root, &err) == 0);
    asy_buf_fini(&text);
    return root;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root;
    struct asy_buf out;
    char path[64];
    int fd, rc;

    if (size < 1 || size > 1u << 14 || is_for_libhdf5(data + 1, size - 1))
        return 0;
    fd = memory_file(data + 1, size - 1, path);
    root = job(path, data[0]);
    asy_buf_init(&out, 1u << 22);
    rc = asy_trainer_describe(root, &out, &err);
    FUZZ_CHECK(rc < 0 ? err.text[0] != 0 : out.len > 0 && !err.text[0]);
    asy_buf_fini(&out);
    asy_json_destroy(root);
    close(fd);
    return 0;
}
