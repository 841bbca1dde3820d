/* SPDX-License-Identifier: Apache-2.0
 * Frames from the network. What decodes encodes again, and then stays the same; but a frame of
 * hundreds of empty events may, written out, unpack to more than frames of its length may. */
#include <asy/msg.h>
#include <string.h>
#include "fuzz.h"

static void check_msg(const struct asy_msg *msg, struct asy_arena *arena)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf first, second;
    struct asy_msg again, copy;
    int rc;

    asy_buf_init(&first, ASY_FRAME_MAX);
    asy_buf_init(&second, ASY_FRAME_MAX);
    FUZZ_CHECK(asy_msg_encode(msg, &first, &err) == 0);
    if ((rc = asy_msg_decode(first.data, first.len, arena, &again, &err)) == ASY_E_TOOBIG)
        goto out;
    FUZZ_CHECK(rc == 0 && again.type == msg->type);
    FUZZ_CHECK(asy_msg_copy(&again, arena, &copy, &err) == 0);
    FUZZ_CHECK(asy_msg_encode(&copy, &second, &err) == 0);
    FUZZ_CHECK(first.len == second.len && !memcmp(first.data, second.data, first.len));
out:
    asy_buf_fini(&first);
    asy_buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *arena = NULL;
    struct asy_msg msg = { 0 };
    int rc;

    if (size > 1u << 16 || asy_arena_create(8u << 20, &arena, &err) < 0)
        return 0;
    rc = asy_msg_decode(data, size, arena, &msg, &err);
    if (rc == 0)
        check_msg(&msg, arena);
    else if (rc == ASY_E_UNSUPPORTED)
        FUZZ_CHECK(msg.type == ASY_MSG_UNSUPPORTED && msg.unsupported.type > 0);
    else
        FUZZ_CHECK(msg.type == 0 && err.text[0]);
    asy_arena_destroy(arena);
    return 0;
}
