/* SPDX-License-Identifier: Apache-2.0
 * codec.h - plain structs to protobuf-c structs and back, driven by tables.
 *
 * A shape is the table of one plain struct: a row per field, in the order of the message's fields
 * in assay.proto. Encoding, decoding, deep copy and JSON all walk the same rows, so that none of
 * them can forget a field. Hand-written conversions (four per struct, forty structs) were the other
 * way; they drift apart, and this costs a switch per field. */
#ifndef ASY__CODEC_H
#define ASY__CODEC_H
#include "arena.h"
#include <asy/msg.h>

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;

enum asy__type {
    ASY__U32, ASY__I32, ASY__U64, ASY__I64,
    ASY__BOOL,     /* int, 0 or 1 */
    ASY__ENUM,     /* name() knows every allowed value */
    ASY__F64,      /* absent: 0 */
    ASY__F64_NAN,  /* absent: NaN */
    ASY__TEXT,     /* decoded: never NULL */
    ASY__TEXT_OPT, /* NULL and absent are the same */
    ASY__JSON,     /* as TEXT; JSON output takes it as it is if it parses */
    ASY__BLOB,     /* const char * and size_t; decoded: terminated, never NULL */
    ASY__ID, ASY__SHA,
    ASY__U32S, ASY__F64S, ASY__TEXTS, /* const T * and size_t */
    ASY__SUB,      /* a struct in place */
    ASY__PART,     /* const struct *; NULL and absent are the same */
    ASY__SUBS,     /* const struct * and size_t */
    ASY__EVENT,    /* a struct asy_event in place: its body only */
};

struct asy__field {
    const char *name;                       /* as in assay.proto */
    enum asy__type type;
    size_t offset, n_offset;                /* in the plain struct */
    const struct asy__shape *sub;           /* SUB, PART, SUBS */
    const char *(*value_name)(uint32_t value); /* ENUM: NULL for a value that is not allowed */
};
struct asy__shape {
    const struct ProtobufCMessageDescriptor *desc;
    size_t size;                            /* of the plain struct; unused for bodies of a union */
    const struct asy__field *fields;
    size_t n_fields;
};

/* What a decoding or copying pass needs; code: what bytes that make no sense are called. */
struct asy__pass {
    struct asy_arena *arena;
    struct asy_error *err;
    enum asy_code code;
};

/* The error of a pass whose arena gave nothing. */
int asy__no_room(struct asy__pass *pass);
/* The protobuf-c form of a plain struct, in the pass's arena, borrowing its texts. */
int asy__to_pb(const struct asy__shape *shape, const void *plain, struct asy__pass *pass,
               struct ProtobufCMessage **ret_pb);
/* pb: NULL counts as a message without fields. */
int asy__from_pb(const struct asy__shape *shape, const struct ProtobufCMessage *pb,
                 struct asy__pass *pass, void *plain);
/* Makes the pointers of a struct that was copied by assignment its own. */
int asy__deepen(const struct asy__shape *shape, struct asy__pass *pass, void *plain);
void asy__to_json(const struct asy__shape *shape, const void *plain, struct asy_jsonw *w);
/* Unpacks at most 8 times n plus a constant into the pass's arena. */
int asy__unpack(const struct ProtobufCMessageDescriptor *desc, const void *bytes, size_t n,
                struct asy__pass *pass, struct ProtobufCMessage **ret_pb);
/* Appends the packed form; what: for the error. */
int asy__pack(const struct ProtobufCMessage *pb, const char *what, size_t max, struct asy_buf *buf,
              struct asy_error *err);

/* The body of an event within a frame (event.c). */
int asy__event_to_pb(const struct asy_event *event, struct asy__pass *pass,
                     struct ProtobufCMessage **ret_pb);
int asy__event_from_pb(const struct ProtobufCMessage *pb, struct asy__pass *pass,
                       struct asy_event *event);
int asy__event_deepen(struct asy__pass *pass, struct asy_event *event);

/* Tables (event_shapes.c). */
extern const struct asy__shape asy__placement_shape, asy__checkpoint_shape;
const struct asy__shape *asy__event_shape(uint32_t kind); /* NULL: unknown */

/* NULL for a value that is not allowed (names.c). */
const char *asy__event_kind_known(uint32_t value);
const char *asy__study_state_known(uint32_t value);
const char *asy__trial_state_known(uint32_t value);
const char *asy__end_known(uint32_t value);
const char *asy__cause_known(uint32_t value);
const char *asy__msg_type_known(uint32_t value);

/* For the test that holds tables to assay.proto: NULL, or the name of a message whose rows do not
 * fit its fields. */
const char *asy__shape_misfit(const struct asy__shape *shape);
const struct asy__shape *asy__msg_shape(uint32_t type); /* NULL: unknown (msg.c) */
extern const struct asy__shape asy__bulk_shape;         /* bulk.c */
#endif
