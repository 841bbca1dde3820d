/* SPDX-License-Identifier: Apache-2.0
 * msg.c - control messages to frames and back. */
#include "codec.h"
#include <inttypes.h>
#include <string.h>
#include <assay.pb-c.h>

#define SCRATCH 16384  /* bytes on the stack: an ordinary frame needs no malloc to encode */
#define BODY_LAST 999u /* field numbers of Frame up to this are bodies */

static const char *role_known(uint32_t value)
{
    return value == ASY_ROLE_AGENT ? "agent" : value == ASY_ROLE_CLIENT ? "client" : NULL;
}

static const char *cancel_known(uint32_t value)
{
    static const char *const names[] = { NULL, "pause", "stop", "kill" };

    return value < ASY_ARRAY_LEN(names) ? names[value] : NULL;
}

static const char *control_known(uint32_t value)
{
    static const char *const names[] = { NULL, "pause", "resume", "stop", "priority", "stop-trial",
                                         "drain", "shutdown", "adopt", "discard", "stay" };

    return value < ASY_ARRAY_LEN(names) ? names[value] : NULL;
}

static const char *part_known(uint32_t value)
{
    static const char *const names[] = { NULL, "start", "run", "ready", "failed", "ask", "well",
                                         "away" };

    return value < ASY_ARRAY_LEN(names) ? names[value] : NULL;
}

/* ---- parts ---------------------------------------------------------------------------------- */

#define REPORT(type_, m) { #m, type_, offsetof(struct asy_report, m) }
static const struct asy__field report_fields[] = {
    REPORT(ASY__ID, study),  REPORT(ASY__U64, trial),  REPORT(ASY__U32, attempt),
    REPORT(ASY__U64, epoch), REPORT(ASY__U64, number), REPORT(ASY__EVENT, event),
};
#define OFFER(type_, m) { #m, type_, offsetof(struct asy_offer, m) }
#define OFFER_SUB(m, shape) { #m, ASY__SUB, offsetof(struct asy_offer, m), 0, shape }
static const struct asy__field offer_fields[] = {
    OFFER(ASY__ID, store),   OFFER(ASY__U64, first),  OFFER(ASY__U64, milestone),
    OFFER(ASY__U64, step),   OFFER(ASY__U64, seed),   OFFER(ASY__SHA, params),
    OFFER_SUB(placement, &asy__placement_shape),      OFFER_SUB(from, &asy__checkpoint_shape),
};
static const struct asy__shape offer_shape = {
    &assay__v1__offer__descriptor, sizeof(struct asy_offer), offer_fields,
    ASY_ARRAY_LEN(offer_fields)
};
#define HOLDING(type_, m) { #m, type_, offsetof(struct asy_holding, m) }
static const struct asy__field holding_fields[] = {
    HOLDING(ASY__ID, study),  HOLDING(ASY__U64, trial),    HOLDING(ASY__U32, attempt),
    HOLDING(ASY__U64, epoch), HOLDING(ASY__BOOL, running), HOLDING(ASY__U64, reported),
    HOLDING(ASY__U32, part),
    { "offer", ASY__PART, offsetof(struct asy_holding, offer), 0, &offer_shape },
};
#define GPU(type_, m) { #m, type_, offsetof(struct asy_gpu, m) }
static const struct asy__field gpu_fields[] = {
    GPU(ASY__TEXT, id),   GPU(ASY__TEXT, name),  GPU(ASY__U64, memory),
    GPU(ASY__U32, group), GPU(ASY__BOOL, whole),
};
#define MARK(type_, m) { #m, type_, offsetof(struct asy_watermark, m) }
static const struct asy__field mark_fields[] = {
    MARK(ASY__ID, study),    MARK(ASY__U64, trial),   MARK(ASY__U32, attempt),
    MARK(ASY__U64, durable), MARK(ASY__BOOL, closed),
};
#define LEASE(type_, m) { #m, type_, offsetof(struct asy_lease, m) }
#define LEASE_SUB(m, shape) { #m, ASY__SUB, offsetof(struct asy_lease, m), 0, shape }
static const struct asy__field lease_fields[] = {
    LEASE(ASY__ID, study),      LEASE(ASY__U64, trial),
    LEASE(ASY__U32, attempt),   LEASE(ASY__ID, id),
    LEASE(ASY__ID, run),        LEASE(ASY__U64, epoch),
    LEASE(ASY__U64, milestone), LEASE(ASY__U64, seed),
    LEASE_SUB(placement, &asy__placement_shape),
    LEASE(ASY__U32, ranks),     LEASE_SUB(from, &asy__checkpoint_shape),
    LEASE(ASY__JSON, params),   LEASE(ASY__TEXT_OPT, spec),
    LEASE(ASY__SHA, spec_id),   LEASE(ASY__TEXT, owner),
    LEASE(ASY__U32, resume_retries), LEASE(ASY__U32, part),
    { "placements", ASY__SUBS, offsetof(struct asy_lease, placements),
      offsetof(struct asy_lease, n_placements), &asy__placement_shape },
    LEASE(ASY__ID, adopts),     LEASE(ASY__U32, adopts_attempt),
};
#define PART(message, plain, fields_) \
    { &assay__v1__##message##__descriptor, sizeof(plain), fields_, ASY_ARRAY_LEN(fields_) }
static const struct asy__shape report_shape = PART(report, struct asy_report, report_fields);
static const struct asy__shape holding_shape = PART(holding, struct asy_holding, holding_fields);
static const struct asy__shape gpu_shape = PART(gpu, struct asy_gpu, gpu_fields);
static const struct asy__shape mark_shape = PART(watermark, struct asy_watermark, mark_fields);
static const struct asy__shape lease_shape = PART(lease, struct asy_lease, lease_fields);

/* ---- bodies --------------------------------------------------------------------------------- */

#define OFF(m) offsetof(struct asy_msg, m)
#define BODY(type_, b, m) { #m, type_, OFF(b.m) }
#define BODY_LIST(type_, b, m, n) { #m, type_, OFF(b.m), OFF(b.n) }
#define BODY_SUBS(b, m, n, shape) { #m, ASY__SUBS, OFF(b.m), OFF(b.n), shape }
#define BODY_ENUM(b, m, names) { #m, ASY__ENUM, OFF(b.m), 0, NULL, names }

static const struct asy__field hello[] = {
    BODY_ENUM(hello, role, role_known),
    BODY(ASY__U32, hello, major),
    BODY(ASY__U32, hello, minor),
    BODY(ASY__TEXT, hello, version),
    BODY(ASY__TEXT, hello, host),
    BODY(ASY__ID, hello, agent),
    BODY(ASY__ID, hello, store),
    BODY(ASY__U64, hello, owner_epoch),
    BODY(ASY__U32, hello, cores),
    BODY(ASY__U64, hello, memory),
    BODY_LIST(ASY__U32S, hello, core_groups, n_core_groups),
    BODY(ASY__JSON, hello, hardware),
    BODY(ASY__JSON, hello, versions),
    BODY(ASY__TEXT, hello, fit),
    BODY(ASY__I64, hello, walltime_left_ms),
    BODY_SUBS(hello, holdings, n_holdings, &holding_shape),
    BODY_SUBS(hello, gpus, n_gpus, &gpu_shape),
};
static const struct asy__field welcome[] = {
    BODY(ASY__ID, welcome, store),
    BODY(ASY__U64, welcome, owner_epoch),
    BODY(ASY__I64, welcome, heartbeat_ms),
    BODY(ASY__I64, welcome, lost_after_ms),
    BODY(ASY__TEXT, welcome, version),
    BODY_SUBS(welcome, keep, n_keep, &holding_shape),
    BODY_SUBS(welcome, marks, n_marks, &mark_shape),
    BODY_SUBS(welcome, kill, n_kill, &holding_shape),
    BODY(ASY__I64, welcome, idle_heartbeat_ms),
    BODY(ASY__TEXT, welcome, files),
    BODY(ASY__U32, welcome, bulk_port),
    BODY(ASY__TEXT, welcome, nonce),
    BODY_LIST(ASY__TEXTS, welcome, endpoints, n_endpoints),
    BODY_SUBS(welcome, offers, n_offers, &holding_shape),
    BODY(ASY__TEXT, welcome, owner),
    BODY(ASY__U32, welcome, minor),
};
static const struct asy__field reject[] = { BODY(ASY__TEXT, reject, text) };
static const struct asy__field heartbeat[] = {
    BODY(ASY__I64, heartbeat, sent_ms),
    BODY(ASY__U32, heartbeat, free_cores),
    BODY(ASY__F64, heartbeat, load),
};
static const struct asy__field pong[] = { BODY(ASY__I64, pong, sent_ms) };
static const struct asy__field reports[] = {
    BODY_SUBS(reports, reports, n_reports, &report_shape),
};
static const struct asy__field ack[] = { BODY_SUBS(ack, marks, n_marks, &mark_shape) };
static const struct asy__field lease[] = { BODY_SUBS(lease, leases, n_leases, &lease_shape) };
static const struct asy__field cancel[] = {
    BODY(ASY__ID, cancel, study),
    BODY(ASY__U64, cancel, trial),
    BODY(ASY__U32, cancel, attempt),
    BODY(ASY__U64, cancel, epoch),
    BODY_ENUM(cancel, mode, cancel_known),
    BODY(ASY__I64, cancel, grace_ms),
    BODY_ENUM(cancel, cause, asy__cause_known),
    BODY(ASY__TEXT, cancel, text),
    BODY(ASY__ID, cancel, store),
};
static const struct asy__field drain[] = { BODY(ASY__TEXT, drain, text) };
static const struct asy__field bye[] = { BODY(ASY__TEXT, bye, text) };
static const struct asy__field submit[] = {
    BODY(ASY__U64, submit, request), BODY(ASY__ID, submit, study),
    BODY(ASY__JSON, submit, spec),   BODY(ASY__BOOL, submit, resume),
    BODY(ASY__TEXT, submit, command_line),
};
static const struct asy__field control[] = {
    BODY(ASY__U64, control, request),
    BODY_ENUM(control, verb, control_known),
    BODY(ASY__TEXT, control, study),
    BODY(ASY__I64, control, number),
};
static const struct asy__field reply[] = {
    BODY(ASY__U64, reply, request),
    BODY(ASY__I32, reply, code),
    BODY(ASY__TEXT, reply, text),
    BODY_LIST(ASY__BLOB, reply, json, json_len),
    BODY(ASY__BOOL, reply, more),
};
static const struct asy__field query[] = {
    BODY(ASY__U64, query, request), BODY(ASY__TEXT, query, what), BODY(ASY__TEXT, query, study),
    BODY(ASY__I64, query, trial),   BODY(ASY__I64, query, after), BODY(ASY__I64, query, limit),
    BODY(ASY__TEXT, query, arg),
};
static const struct asy__field watch[] = {
    BODY(ASY__U64, watch, request),
    BODY(ASY__TEXT, watch, study),
    BODY(ASY__U64, watch, after_seq),
    BODY(ASY__BOOL, watch, stop),
};
static const struct asy__field news[] = {
    BODY(ASY__U64, news, request),
    BODY(ASY__U64, news, seq),
    BODY_LIST(ASY__BLOB, news, json, json_len),
};
static const struct asy__field unsupported[] = { BODY(ASY__U32, unsupported, type) };
static const struct asy__field record[] = {
    BODY(ASY__U64, record, request),
    BODY(ASY__TEXT, record, study),
    BODY(ASY__I64, record, trial),
    BODY(ASY__EVENT, record, event),
};
static const struct asy__field part[] = {
    BODY(ASY__ID, part, study),
    BODY(ASY__U64, part, trial),
    BODY(ASY__U32, part, attempt),
    BODY(ASY__U64, part, epoch),
    BODY(ASY__U32, part, from),
    BODY(ASY__U32, part, to),
    BODY_ENUM(part, kind, part_known),
    BODY(ASY__ID, part, gang),
    BODY_LIST(ASY__TEXTS, part, words, n_words),
    BODY(ASY__TEXT, part, text),
    BODY(ASY__U32, part, end),
    BODY_ENUM(part, cause, asy__cause_known),
    BODY(ASY__I32, part, exit_code),
    BODY(ASY__I32, part, signal),
};

#define TYPE(message, fields_) \
    { &assay__v1__##message##__descriptor, 0, fields_, ASY_ARRAY_LEN(fields_) }
static const struct asy__shape shapes[] = {
    [ASY_MSG_HELLO] = TYPE(hello, hello),
    [ASY_MSG_WELCOME] = TYPE(welcome, welcome),
    [ASY_MSG_REJECT] = TYPE(reject, reject),
    [ASY_MSG_REHELLO] = { &assay__v1__rehello__descriptor, 0, NULL, 0 },
    [ASY_MSG_HEARTBEAT] = TYPE(heartbeat, heartbeat),
    [ASY_MSG_PONG] = TYPE(pong, pong),
    [ASY_MSG_REPORTS] = TYPE(reports, reports),
    [ASY_MSG_ACK] = TYPE(ack, ack),
    [ASY_MSG_LEASE] = TYPE(leases, lease),
    [ASY_MSG_CANCEL] = TYPE(cancel, cancel),
    [ASY_MSG_DRAIN] = TYPE(drain, drain),
    [ASY_MSG_BYE] = TYPE(bye, bye),
    [ASY_MSG_SUBMIT] = TYPE(submit, submit),
    [ASY_MSG_CONTROL] = TYPE(control, control),
    [ASY_MSG_REPLY] = TYPE(reply, reply),
    [ASY_MSG_QUERY] = TYPE(query, query),
    [ASY_MSG_WATCH] = TYPE(watch, watch),
    [ASY_MSG_NEWS] = TYPE(news, news),
    [ASY_MSG_UNSUPPORTED] = TYPE(unsupported, unsupported),
    [ASY_MSG_RECORD] = TYPE(record, record),
    [ASY_MSG_PART] = TYPE(part, part),
};

const struct asy__shape *asy__msg_shape(uint32_t type)
{
    return type > 0 && type < ASY_ARRAY_LEN(shapes) ? &shapes[type] : NULL;
}

/* ---- what rows cannot say ------------------------------------------------------------------- */

static int report_kind(enum asy_event_kind kind)
{
    return kind == ASY_EV_STARTED || kind == ASY_EV_REPORT || kind == ASY_EV_CHECKPOINT ||
           kind == ASY_EV_ENDED;
}

static int record_kind(enum asy_event_kind kind)
{
    return kind == ASY_EV_ARTIFACT || kind == ASY_EV_TAG || kind == ASY_EV_SCORE ||
           kind == ASY_EV_DATASET;
}

/* Which events a frame may carry. */
static int check_events(const struct asy_msg *msg, enum asy_code code, struct asy_error *err)
{
    if (msg->type == ASY_MSG_REPORTS)
        for (size_t i = 0; i < msg->reports.n_reports; i++)
            if (!report_kind(msg->reports.reports[i].event.kind))
                return asy_fail(err, code, "a report cannot be a '%s' event",
                                asy_event_kind_name(msg->reports.reports[i].event.kind));
    if (msg->type == ASY_MSG_RECORD && !record_kind(msg->record.event.kind))
        return asy_fail(err, code, "a client cannot record a '%s' event",
                        asy_event_kind_name(msg->record.event.kind));
    return 0;
}

/* Events in frames travel without columns; they are those of what carries them. All four kinds of
 * report begin with their number. */
static void fill_columns(struct asy_msg *msg)
{
    if (msg->type == ASY_MSG_RECORD) {
        msg->record.event.trial =
            msg->record.trial < 0 ? UINT64_MAX : (uint64_t)msg->record.trial;
        return;
    }
    for (size_t i = 0; msg->type == ASY_MSG_REPORTS && i < msg->reports.n_reports; i++) {
        struct asy_report *report = (struct asy_report *)(uintptr_t)&msg->reports.reports[i];

        report->event.study = report->study;
        report->event.trial = report->trial;
        report->event.attempt = report->attempt;
        report->event.started.report = report->number;
    }
}

/* ---- frames --------------------------------------------------------------------------------- */

static ProtobufCMessage **body_of(Assay__V1__Frame *pb)
{
    return (ProtobufCMessage **)(void *)&pb->hello;
}

int asy_msg_encode(const struct asy_msg *msg, struct asy_buf *buf, struct asy_error *err)
{
    _Alignas(16) char block[SCRATCH];
    struct asy_arena scratch;
    struct asy__pass pass = { &scratch, err, ASY_E_INVAL };
    const struct asy__shape *shape = asy__msg_shape(msg->type);
    Assay__V1__Frame frame = ASSAY__V1__FRAME__INIT;
    int rc;

    if (!shape)
        return asy_fail(err, ASY_E_INVAL, "%d is not a type of message", (int)msg->type);
    if ((rc = check_events(msg, ASY_E_INVAL, err)) < 0)
        return rc;
    asy__arena_init(&scratch, block, sizeof block, SIZE_MAX);
    frame.body_case = (Assay__V1__Frame__BodyCase)msg->type;
    if (!asy_id_is_none(msg->session)) {
        frame.has_session = 1;
        frame.session.len = sizeof msg->session.b;
        frame.session.data = (uint8_t *)(uintptr_t)msg->session.b;
    }
    rc = asy__to_pb(shape, msg, &pass, body_of(&frame));
    if (rc == 0)
        rc = asy__pack(&frame.base, asy_msg_type_name(msg->type), ASY_FRAME_MAX, buf, err);
    asy__arena_fini(&scratch);
    if (rc < 0)
        asy_error_prefix(err, "cannot encode %s", asy_msg_type_name(msg->type));
    return rc;
}

/* A frame without a body that we know: its number, if the sender is just newer than we are. */
static int unknown_body(const Assay__V1__Frame *frame, struct asy_id session,
                        struct asy_msg *ret_msg, struct asy_error *err)
{
    for (size_t i = 0; i < frame->base.n_unknown_fields; i++) {
        uint32_t number = frame->base.unknown_fields[i].tag;

        if (number == 0 || number > BODY_LAST)
            continue;
        *ret_msg = (struct asy_msg){ .type = ASY_MSG_UNSUPPORTED, .session = session };
        ret_msg->unsupported.type = number;
        return asy_fail(err, ASY_E_UNSUPPORTED, "message of type %" PRIu32 " is not known", number);
    }
    return asy_fail(err, ASY_E_FORMAT, "frame without a body");
}

int asy_msg_decode(const void *bytes, size_t n, struct asy_arena *arena, struct asy_msg *ret_msg,
                   struct asy_error *err)
{
    struct asy__pass pass = { arena, err, ASY_E_FORMAT };
    struct asy_msg msg = { 0 };
    const struct asy__shape *shape;
    const Assay__V1__Frame *frame;
    ProtobufCMessage *pb;
    int rc;

    if (n > ASY_FRAME_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "frame of %zu bytes is larger than %u", n,
                        ASY_FRAME_MAX);
    if ((rc = asy__unpack(&assay__v1__frame__descriptor, bytes, n, &pass, &pb)) < 0)
        return rc;
    frame = (const void *)pb;
    if (frame->has_session && frame->session.len != sizeof msg.session.b)
        return asy_fail(err, ASY_E_FORMAT, "session id has %zu bytes, not 16", frame->session.len);
    if (frame->has_session)
        memcpy(msg.session.b, frame->session.data, sizeof msg.session.b);
    msg.type = (enum asy_msg_type)frame->body_case;
    if (!(shape = asy__msg_shape(msg.type)))
        return unknown_body(frame, msg.session, ret_msg, err);
    if ((rc = asy__from_pb(shape, (const void *)frame->hello, &pass, &msg)) < 0 ||
        (rc = check_events(&msg, ASY_E_FORMAT, err)) < 0) {
        asy_error_prefix(err, "cannot decode %s", asy_msg_type_name(msg.type));
        return rc;
    }
    fill_columns(&msg);
    *ret_msg = msg;
    return 0;
}

int asy_msg_copy(const struct asy_msg *msg, struct asy_arena *arena, struct asy_msg *ret_msg,
                 struct asy_error *err)
{
    struct asy__pass pass = { arena, err, ASY_E_INVAL };
    const struct asy__shape *shape = asy__msg_shape(msg->type);
    struct asy_msg copy = *msg;
    int rc;

    if (!shape)
        return asy_fail(err, ASY_E_INVAL, "%d is not a type of message", (int)msg->type);
    if ((rc = asy__deepen(shape, &pass, &copy)) == 0)
        *ret_msg = copy;
    return rc;
}
