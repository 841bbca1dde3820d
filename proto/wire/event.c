/* SPDX-License-Identifier: Apache-2.0
 * event.c - events to bytes, back, copied, as JSON. */
#include "codec.h"
#include <inttypes.h>
#include <assay.pb-c.h>

#define SCRATCH 8192 /* bytes on the stack: an ordinary event or frame needs no malloc to encode */

/* The one body pointer of the generated union, whichever it is. */
static ProtobufCMessage **body_of(Assay__V1__Event *pb)
{
    return (ProtobufCMessage **)(void *)&pb->study_created;
}

int asy__event_to_pb(const struct asy_event *event, struct asy__pass *pass,
                     ProtobufCMessage **ret_pb)
{
    const struct asy__shape *shape = asy__event_shape(event->kind);
    Assay__V1__Event *pb;
    int rc;

    if (!shape)
        return asy_fail(pass->err, ASY_E_INVAL, "%d is not a kind of event", (int)event->kind);
    if (!(pb = asy__arena_raw(pass->arena, sizeof *pb, 8)))
        return asy__no_room(pass);
    assay__v1__event__init(pb);
    pb->body_case = (Assay__V1__Event__BodyCase)event->kind;
    if ((rc = asy__to_pb(shape, event, pass, body_of(pb))) < 0)
        return rc;
    *ret_pb = &pb->base;
    return 0;
}

/* The kind is the one that the bytes name; columns stay as they are. */
int asy__event_from_pb(const ProtobufCMessage *pb, struct asy__pass *pass, struct asy_event *event)
{
    const Assay__V1__Event *message = (const void *)pb;
    uint32_t kind = message ? (uint32_t)message->body_case : 0;
    const struct asy__shape *shape = asy__event_shape(kind);

    if (!shape && message && message->base.n_unknown_fields)
        return asy_fail(pass->err, pass->code, "event of kind %" PRIu32 " is not known",
                        message->base.unknown_fields[0].tag);
    if (!shape)
        return asy_fail(pass->err, pass->code, "event without a body");
    event->kind = (enum asy_event_kind)kind;
    return asy__from_pb(shape, (const void *)message->study_created, pass, event);
}

int asy__event_deepen(struct asy__pass *pass, struct asy_event *event)
{
    const struct asy__shape *shape = asy__event_shape(event->kind);

    if (!shape)
        return asy_fail(pass->err, ASY_E_INVAL, "%d is not a kind of event", (int)event->kind);
    return asy__deepen(shape, pass, event);
}

int asy_event_encode(const struct asy_event *event, struct asy_buf *buf, struct asy_error *err)
{
    _Alignas(16) char block[SCRATCH];
    struct asy_arena scratch;
    struct asy__pass pass = { &scratch, err, ASY_E_INVAL };
    ProtobufCMessage *pb = NULL;
    int rc;

    asy__arena_init(&scratch, block, sizeof block, SIZE_MAX);
    rc = asy__event_to_pb(event, &pass, &pb);
    if (rc == 0)
        rc = asy__pack(pb, asy_event_kind_name(event->kind), SIZE_MAX, buf, err);
    asy__arena_fini(&scratch);
    return rc;
}

int asy_event_decode(const void *bytes, size_t n, struct asy_arena *arena,
                     struct asy_event *event, struct asy_error *err)
{
    struct asy__pass pass = { arena, err, ASY_E_CORRUPT };
    struct asy_event decoded = *event;
    ProtobufCMessage *pb;
    int rc;

    if (!asy__event_shape(event->kind))
        return asy_fail(err, ASY_E_UNSUPPORTED, "event of kind %d is not known",
                        (int)event->kind);
    if ((rc = asy__unpack(&assay__v1__event__descriptor, bytes, n, &pass, &pb)) < 0 ||
        (rc = asy__event_from_pb(pb, &pass, &decoded)) < 0)
        return rc;
    if (decoded.kind != event->kind)
        return asy_fail(err, ASY_E_CORRUPT, "event of kind '%s' has the body of '%s'",
                        asy_event_kind_name(event->kind), asy_event_kind_name(decoded.kind));
    *event = decoded;
    return 0;
}

int asy_event_copy(const struct asy_event *event, struct asy_arena *arena,
                   struct asy_event *ret_event, struct asy_error *err)
{
    struct asy__pass pass = { arena, err, ASY_E_INVAL };
    struct asy_event copy = *event;
    int rc = asy__event_deepen(&pass, &copy);

    if (rc == 0)
        *ret_event = copy;
    return rc;
}

void asy_event_write_json(const struct asy_event *event, struct asy_jsonw *w, const char *key)
{
    const struct asy__shape *shape = asy__event_shape(event->kind);
    char id[ASY_ID_TEXT];

    asy_jsonw_open(w, key, '{');
    asy_jsonw_u64(w, "seq", event->seq);
    asy_jsonw_i64(w, "wall_us", event->wall_us);
    if (!asy_id_is_none(event->study))
        asy_jsonw_str(w, "study", asy_id_format(event->study, id));
    if (event->trial != UINT64_MAX)
        asy_jsonw_u64(w, "trial", event->trial);
    if (event->attempt)
        asy_jsonw_u64(w, "attempt", event->attempt);
    asy_jsonw_str(w, "kind", asy_event_kind_name(event->kind));
    if (shape)
        asy__to_json(shape, event, w);
    asy_jsonw_close(w, '}');
}
