/* SPDX-License-Identifier: Apache-2.0
 * bulk.c - headers of the bulk socket to bytes and back. */
#include <asy/bulk.h>
#include <string.h>
#include <assay.pb-c.h>
#include "codec.h"

#define SCRATCH 2048
#define HEADER_MAX 4096u

static const char *kind_known(uint32_t value)
{
    static const char *const names[] = { NULL, "get", "put", "log", "data", "credit", "end",
                                         "cancel" };

    return value < ASY_ARRAY_LEN(names) ? names[value] : NULL;
}

/* 0: a header that needs none. */
static const char *what_known(uint32_t value)
{
    static const char *const names[] = { "", "input", "checkpoint", "model", "stdout", "stderr" };

    return value < ASY_ARRAY_LEN(names) ? names[value] : NULL;
}

#define FIELD(type_, m) { #m, type_, offsetof(struct asy_bulk, m) }
#define FIELD_ENUM(m, names) { #m, ASY__ENUM, offsetof(struct asy_bulk, m), 0, NULL, names }
static const struct asy__field fields[] = {
    FIELD_ENUM(kind, kind_known), FIELD(ASY__U32, transfer), FIELD_ENUM(what, what_known),
    FIELD(ASY__ID, study),        FIELD(ASY__U64, trial),    FIELD(ASY__U32, attempt),
    FIELD(ASY__U64, report),      FIELD(ASY__SHA, sha),      FIELD(ASY__BOOL, tree),
    FIELD(ASY__U64, bytes),       FIELD(ASY__U64, offset),   FIELD(ASY__U32, credit),
    FIELD(ASY__BOOL, last),       FIELD(ASY__I32, code),     FIELD(ASY__TEXT, text),
    FIELD(ASY__ID, store),
};
const struct asy__shape asy__bulk_shape = { &assay__v1__bulk__descriptor, sizeof(struct asy_bulk),
                                            fields, ASY_ARRAY_LEN(fields) };

int asy_bulk_encode(const struct asy_bulk *bulk, struct asy_buf *buf, struct asy_error *err)
{
    _Alignas(16) char block[SCRATCH];
    struct asy_arena scratch;
    struct asy__pass pass = { &scratch, err, ASY_E_INVAL };
    ProtobufCMessage *pb;
    int rc;

    asy__arena_init(&scratch, block, sizeof block, SIZE_MAX);
    if ((rc = asy__to_pb(&asy__bulk_shape, bulk, &pass, &pb)) == 0)
        rc = asy__pack(pb, "a bulk header", HEADER_MAX, buf, err);
    asy__arena_fini(&scratch);
    return rc;
}

int asy_bulk_decode(const void *bytes, size_t n, struct asy_arena *arena,
                    struct asy_bulk *ret_bulk, struct asy_error *err)
{
    struct asy__pass pass = { arena, err, ASY_E_FORMAT };
    struct asy_bulk bulk = { 0 };
    ProtobufCMessage *pb;
    int rc;

    if (n > HEADER_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "bulk header of %zu bytes is larger than %u", n,
                        HEADER_MAX);
    if ((rc = asy__unpack(&assay__v1__bulk__descriptor, bytes, n, &pass, &pb)) < 0 ||
        (rc = asy__from_pb(&asy__bulk_shape, pb, &pass, &bulk)) < 0)
        return rc;
    *ret_bulk = bulk;
    return 0;
}
