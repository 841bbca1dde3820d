/* SPDX-License-Identifier: Apache-2.0
 * JSON from anywhere: what parses can be walked and written, and reads back as the same. */
#include <asy/json.h>
#include <string.h>
#include "fuzz.h"

static void write_text(struct asy_buf *buf, const struct asy_json *root)
{
    struct asy_jsonw w;

    asy_jsonw_init(&w, buf, 0);
    asy_jsonw_node(&w, NULL, root);
}

/* The writer has one level less than the reader. */
static unsigned depth_of(const uint8_t *data, size_t size)
{
    unsigned depth = 0, deepest = 0;

    for (size_t i = 0; i < size; i++) {
        depth += data[i] == '[' || data[i] == '{';
        deepest = depth > deepest ? depth : deepest;
        depth -= depth && (data[i] == ']' || data[i] == '}');
    }
    return deepest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy_json *root = NULL, *again = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf first, second;

    if (size > 1u << 16 || depth_of(data, size) > 60)
        return 0;
    asy_buf_init(&first, 1u << 22);
    asy_buf_init(&second, 1u << 22);
    if (asy_json_parse((const char *)data, size, &root, &err) == 0) {
        write_text(&first, root);
        FUZZ_CHECK(first.rc == 0);
        FUZZ_CHECK(asy_json_parse(first.data, first.len, &again, &err) == 0);
        write_text(&second, again);
        FUZZ_CHECK(first.len == second.len && !memcmp(first.data, second.data, first.len));
    }
    asy_json_destroy(root);
    asy_json_destroy(again);
    asy_buf_fini(&first);
    asy_buf_fini(&second);
    return 0;
}
