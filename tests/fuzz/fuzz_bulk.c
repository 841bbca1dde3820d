/* SPDX-License-Identifier: Apache-2.0
 * Headers of the bulk socket. What decodes encodes again, and then stays the same. */
#include <asy/bulk.h>
#include <string.h>
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *arena = NULL;
    struct asy_bulk bulk = { 0 }, again = { 0 };
    struct asy_buf first, second;

    if (size > 1u << 13 || asy_arena_create(1u << 20, &arena, &err) < 0)
        return 0;
    asy_buf_init(&first, 1u << 16);
    asy_buf_init(&second, 1u << 16);
    if (asy_bulk_decode(data, size, arena, &bulk, &err) == 0 &&
        asy_bulk_encode(&bulk, &first, &err) == 0) { /* a text may be too long to say again */
        FUZZ_CHECK(asy_bulk_decode(first.data, first.len, arena, &again, &err) == 0);
        FUZZ_CHECK(again.kind == bulk.kind && again.what == bulk.what);
        FUZZ_CHECK(asy_bulk_encode(&again, &second, &err) == 0);
        FUZZ_CHECK(first.len == second.len && !memcmp(first.data, second.data, first.len));
    } else {
        FUZZ_CHECK(err.text[0]);
    }
    asy_buf_fini(&first);
    asy_buf_fini(&second);
    asy_arena_destroy(arena);
    return 0;
}
