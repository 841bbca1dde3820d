/* SPDX-License-Identifier: Apache-2.0
 * YAML from users: every node of what parses has its place, its text and its type. */
#include <asy/yaml.h>
#include <math.h>
#include <string.h>
#include "fuzz.h"

static size_t walk(const struct asy_yaml *node, unsigned depth)
{
    size_t n = 1;

    FUZZ_CHECK(depth <= 33 && node->line > 0 && node->column > 0);
    if (node->type == ASY_YAML_LIST || node->type == ASY_YAML_MAP) {
        for (size_t i = 0; i < node->len; i++) {
            if (node->type == ASY_YAML_MAP) {
                FUZZ_CHECK(asy_yaml_get(node, node->keys[i]->text) == node->items[i]);
                n += walk(node->keys[i], depth + 1);
            }
            n += walk(node->items[i], depth + 1);
        }
        return n;
    }
    FUZZ_CHECK(strlen(node->text) == node->len);
    if (node->type == ASY_YAML_BOOL)
        FUZZ_CHECK(node->i == 0 || node->i == 1);
    if (node->type == ASY_YAML_INT)
        FUZZ_CHECK(node->f == (double)node->i);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_yaml *root = NULL;

    if (size > 1u << 14)
        return 0;
    if (asy_yaml_parse((const char *)data, size, 1u << 16, &root, &err) == 0)
        FUZZ_CHECK(walk(root, 0) > 0);
    else
        FUZZ_CHECK(err.text[0]);
    asy_yaml_destroy(root);
    return 0;
}
