/* SPDX-License-Identifier: Apache-2.0
 * Bytes of the store as an event: the first byte is the kind. What decodes encodes again, and then
 * stays the same; its JSON is JSON. */
#include <asy/event.h>
#include <string.h>
#include "fuzz.h"

static void check_json(const struct asy_event *event)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy_jsonw w;
    struct asy_buf buf;

    asy_buf_init(&buf, 1u << 24);
    asy_jsonw_init(&w, &buf, 0);
    asy_event_write_json(event, &w, NULL);
    FUZZ_CHECK(buf.rc == 0 && asy_json_parse(buf.data, buf.len, &root, &err) == 0);
    asy_json_destroy(root);
    asy_buf_fini(&buf);
}

static void check_event(const struct asy_event *event, struct asy_arena *arena)
{
    struct asy_event again = { .kind = event->kind }, copy;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf first, second;

    asy_buf_init(&first, 1u << 22);
    asy_buf_init(&second, 1u << 22);
    FUZZ_CHECK(asy_event_encode(event, &first, &err) == 0);
    FUZZ_CHECK(asy_event_decode(first.data, first.len, arena, &again, &err) == 0);
    FUZZ_CHECK(asy_event_copy(&again, arena, &copy, &err) == 0);
    FUZZ_CHECK(asy_event_encode(&copy, &second, &err) == 0);
    FUZZ_CHECK(first.len == second.len && !memcmp(first.data, second.data, first.len));
    check_json(event);
    asy_buf_fini(&first);
    asy_buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *arena = NULL;
    struct asy_event event = { 0 };

    if (size == 0 || size > 1u << 16 || asy_arena_create(8u << 20, &arena, &err) < 0)
        return 0;
    event.kind = (enum asy_event_kind)data[0];
    if (asy_event_decode(data + 1, size - 1, arena, &event, &err) == 0)
        check_event(&event, arena);
    asy_arena_destroy(arena);
    return 0;
}
