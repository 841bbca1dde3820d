/* SPDX-License-Identifier: Apache-2.0
 * codec.c - walking the shapes: plain structs to protobuf-c and back, deep copies, JSON.
 *
 * protobuf-c unpacks into the caller's arena through a bump allocator whose free does nothing, and
 * decoded structs borrow texts and packed arrays from there: one pass over the bytes, no malloc. */
#include "codec.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <protobuf-c/protobuf-c.h>

#define BUDGET_FACTOR 8u
#define BUDGET_BASE 65536u /* small frames; slabs of protobuf-c for runs of tiny elements */

static void *at(void *base, size_t offset)
{
    return (char *)base + offset;
}

static const void *cat(const void *base, size_t offset)
{
    return (const char *)base + offset;
}

int asy__no_room(struct asy__pass *pass)
{
    if (pass->arena->starved)
        return asy_fail(pass->err, ASY_E_NOMEM, "no memory for a message");
    return asy_fail(pass->err, ASY_E_FULL, "message does not fit its arena");
}

/* ---- unpack, pack --------------------------------------------------------------------------- */

struct ration {
    struct asy_arena *arena;
    size_t left;
    int over; /* the ration was not enough */
    int full; /* the arena was not */
};

static void *ration_alloc(void *arg, size_t n)
{
    struct ration *ration = arg;
    void *piece = NULL;

    n = (n + 7) & ~(size_t)7;
    if (n > ration->left)
        ration->over = 1;
    else if (!(piece = asy__arena_raw(ration->arena, n, 8)))
        ration->full = 1;
    else
        ration->left -= n;
    return piece;
}

static void ration_free(void *arg, void *piece)
{
    (void)arg;
    (void)piece; /* the arena is taken back as a whole */
}

int asy__unpack(const ProtobufCMessageDescriptor *desc, const void *bytes, size_t n,
                struct asy__pass *pass, ProtobufCMessage **ret_pb)
{
    struct ration ration = { .arena = pass->arena };
    ProtobufCAllocator allocator = { ration_alloc, ration_free, &ration };
    ProtobufCMessage *pb;

    if (__builtin_mul_overflow(n, (size_t)BUDGET_FACTOR, &ration.left) ||
        __builtin_add_overflow(ration.left, (size_t)BUDGET_BASE, &ration.left))
        return asy_fail(pass->err, ASY_E_TOOBIG, "message of %zu bytes is too large", n);
    if (!(pb = protobuf_c_message_unpack(desc, &allocator, n, bytes))) {
        if (ration.over)
            return asy_fail(pass->err, ASY_E_TOOBIG,
                            "message of %zu bytes unpacks to more than %u times that", n,
                            BUDGET_FACTOR);
        if (ration.full)
            return asy__no_room(pass);
        return asy_fail(pass->err, pass->code, "%zu bytes are not a %s", n, desc->short_name);
    }
    *ret_pb = pb;
    return 0;
}

int asy__pack(const ProtobufCMessage *pb, const char *what, size_t max, struct asy_buf *buf,
              struct asy_error *err)
{
    size_t n = protobuf_c_message_get_packed_size(pb);
    void *room;

    if (n > max)
        return asy_fail(err, ASY_E_TOOBIG, "%s has %zu bytes, more than %zu", what, n, max);
    if (!(room = asy_buf_room(buf, n)))
        return asy_buf_check(buf, what, err);
    protobuf_c_message_pack(pb, room);
    asy_buf_grew(buf, n);
    return 0;
}

/* ---- plain to protobuf-c -------------------------------------------------------------------- */

static void set_bytes(void *pb, const ProtobufCFieldDescriptor *pf, const void *data, size_t n)
{
    /* protobuf-c's structs are not const, but packing only reads them */
    *(ProtobufCBinaryData *)at(pb, pf->offset) =
        (ProtobufCBinaryData){ n, (uint8_t *)(uintptr_t)data };
    *(protobuf_c_boolean *)at(pb, pf->quantifier_offset) = 1;
}

static int put_subs(const struct asy__field *f, const ProtobufCFieldDescriptor *pf,
                    const void *plain, struct asy__pass *pass, void *pb)
{
    const char *item = *(const char *const *)cat(plain, f->offset);
    size_t n = *(const size_t *)cat(plain, f->n_offset);
    ProtobufCMessage **list;
    int rc;

    if (n == 0)
        return 0;
    if (!(list = asy__arena_raw(pass->arena, n * sizeof *list, 8)))
        return asy__no_room(pass);
    for (size_t i = 0; i < n; i++)
        if ((rc = asy__to_pb(f->sub, item + i * f->sub->size, pass, &list[i])) < 0)
            return rc;
    *(ProtobufCMessage ***)at(pb, pf->offset) = list;
    *(size_t *)at(pb, pf->quantifier_offset) = n;
    return 0;
}

static int all_zero(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return 0;
    return 1;
}

static int put_enum(const struct asy__field *f, const ProtobufCFieldDescriptor *pf, uint32_t value,
                    struct asy__pass *pass, void *pb)
{
    if (!f->value_name(value))
        return asy_fail(pass->err, ASY_E_INVAL, "%" PRIu32 " is not a '%s'", value, f->name);
    *(uint32_t *)at(pb, pf->offset) = value;
    *(protobuf_c_boolean *)at(pb, pf->quantifier_offset) = value != 0;
    return 0;
}

/* Zero numbers and missing texts stay away, as absent means the same. */
static int put(const struct asy__field *f, const ProtobufCFieldDescriptor *pf, const void *plain,
               struct asy__pass *pass, void *pb)
{
    const void *from = cat(plain, f->offset);
    void *to = at(pb, pf->offset);

    switch (f->type) {
    case ASY__U32:
    case ASY__I32:
        *(uint32_t *)to = *(const uint32_t *)from;
        *(protobuf_c_boolean *)at(pb, pf->quantifier_offset) = *(const uint32_t *)from != 0;
        return 0;
    case ASY__BOOL:
        *(protobuf_c_boolean *)to = *(const int *)from != 0;
        *(protobuf_c_boolean *)at(pb, pf->quantifier_offset) = *(const int *)from != 0;
        return 0;
    case ASY__ENUM:
        return put_enum(f, pf, *(const uint32_t *)from, pass, pb);
    case ASY__U64:
    case ASY__I64:
        *(uint64_t *)to = *(const uint64_t *)from;
        *(protobuf_c_boolean *)at(pb, pf->quantifier_offset) = *(const uint64_t *)from != 0;
        return 0;
    case ASY__F64:
    case ASY__F64_NAN:
        memcpy(to, from, sizeof(double));
        *(protobuf_c_boolean *)at(pb, pf->quantifier_offset) = 1;
        return 0;
    case ASY__TEXT:
    case ASY__TEXT_OPT:
    case ASY__JSON:
        *(const char **)to = *(const char *const *)from;
        return 0;
    case ASY__BLOB:
        if (*(const size_t *)cat(plain, f->n_offset))
            set_bytes(pb, pf, *(const char *const *)from, *(const size_t *)cat(plain, f->n_offset));
        return 0;
    case ASY__ID:
        if (!all_zero(from, sizeof(struct asy_id)))
            set_bytes(pb, pf, from, sizeof(struct asy_id));
        return 0;
    case ASY__SHA:
        if (!all_zero(from, sizeof(struct asy_sha)))
            set_bytes(pb, pf, from, sizeof(struct asy_sha));
        return 0;
    case ASY__U32S:
    case ASY__F64S:
    case ASY__TEXTS:
        *(const void **)to = *(const void *const *)from;
        *(size_t *)at(pb, pf->quantifier_offset) = *(const size_t *)cat(plain, f->n_offset);
        return 0;
    case ASY__SUB:
        return asy__to_pb(f->sub, from, pass, to);
    case ASY__PART:
        return *(const void *const *)from ? asy__to_pb(f->sub, *(const void *const *)from, pass, to)
                                          : 0;
    case ASY__SUBS:
        return put_subs(f, pf, plain, pass, pb);
    case ASY__EVENT:
        return asy__event_to_pb(from, pass, to);
    }
    ASY_ASSERT(0, "field '%s'", f->name);
    return ASY_E_INVAL;
}

int asy__to_pb(const struct asy__shape *shape, const void *plain, struct asy__pass *pass,
               ProtobufCMessage **ret_pb)
{
    ProtobufCMessage *pb = asy__arena_raw(pass->arena, shape->desc->sizeof_message, 8);
    int rc;

    if (!pb)
        return asy__no_room(pass);
    shape->desc->message_init(pb);
    for (size_t i = 0; i < shape->n_fields; i++)
        if ((rc = put(&shape->fields[i], &shape->desc->fields[i], plain, pass, pb)) < 0)
            return rc;
    *ret_pb = pb;
    return 0;
}

/* ---- protobuf-c to plain -------------------------------------------------------------------- */

static int get_bytes(const struct asy__field *f, const void *pb,
                     const ProtobufCFieldDescriptor *pf, size_t n, struct asy__pass *pass, void *to)
{
    const ProtobufCBinaryData *data = cat(pb, pf->offset);
    int has = *(const protobuf_c_boolean *)cat(pb, pf->quantifier_offset);

    if (!has)
        memset(to, 0, n);
    else if (data->len != n)
        return asy_fail(pass->err, pass->code, "'%s' has %zu bytes, not %zu", f->name, data->len,
                        n);
    else
        memcpy(to, data->data, n);
    return 0;
}

static int get_blob(const struct asy__field *f, const void *pb, const ProtobufCFieldDescriptor *pf,
                    struct asy__pass *pass, void *plain)
{
    const ProtobufCBinaryData *data = cat(pb, pf->offset);
    size_t n = *(const protobuf_c_boolean *)cat(pb, pf->quantifier_offset) ? data->len : 0;
    const char *text = n ? asy_arena_strdup(pass->arena, (const char *)data->data, n) : "";

    if (!text)
        return asy__no_room(pass);
    *(const char **)at(plain, f->offset) = text;
    *(size_t *)at(plain, f->n_offset) = n;
    return 0;
}

static int get_subs(const struct asy__field *f, const void *pb, const ProtobufCFieldDescriptor *pf,
                    struct asy__pass *pass, void *plain)
{
    size_t n = *(const size_t *)cat(pb, pf->quantifier_offset);
    ProtobufCMessage *const *list = *(ProtobufCMessage *const *const *)cat(pb, pf->offset);
    char *items = NULL;
    int rc;

    if (n && !(items = asy_arena_alloc(pass->arena, n * f->sub->size)))
        return asy__no_room(pass);
    for (size_t i = 0; i < n; i++)
        if ((rc = asy__from_pb(f->sub, list[i], pass, items + i * f->sub->size)) < 0)
            return rc;
    *(char **)at(plain, f->offset) = items;
    *(size_t *)at(plain, f->n_offset) = n;
    return 0;
}

static int get_part(const struct asy__field *f, const ProtobufCMessage *pb, struct asy__pass *pass,
                    void *to)
{
    void *part = NULL;
    int rc;

    if (pb && !(part = asy_arena_alloc(pass->arena, f->sub->size)))
        return asy__no_room(pass);
    if (pb && (rc = asy__from_pb(f->sub, pb, pass, part)) < 0)
        return rc;
    *(void **)to = part;
    return 0;
}

static int get_enum(const struct asy__field *f, uint32_t value, struct asy__pass *pass, void *to)
{
    if (!f->value_name(value))
        return asy_fail(pass->err, pass->code, "%" PRIu32 " is not a '%s'", value, f->name);
    memcpy(to, &value, sizeof value);
    return 0;
}

static int get(const struct asy__field *f, const ProtobufCFieldDescriptor *pf, const void *pb,
               struct asy__pass *pass, void *plain)
{
    static const double zero = 0, none = NAN;
    const void *from = cat(pb, pf->offset), *has = cat(pb, pf->quantifier_offset);
    void *to = at(plain, f->offset);

    switch (f->type) {
    case ASY__U32:
    case ASY__I32:
        *(uint32_t *)to = *(const protobuf_c_boolean *)has ? *(const uint32_t *)from : 0;
        return 0;
    case ASY__BOOL:
        *(int *)to = *(const protobuf_c_boolean *)has && *(const protobuf_c_boolean *)from;
        return 0;
    case ASY__ENUM:
        return get_enum(f, *(const protobuf_c_boolean *)has ? *(const uint32_t *)from : 0, pass,
                        to);
    case ASY__U64:
    case ASY__I64:
        *(uint64_t *)to = *(const protobuf_c_boolean *)has ? *(const uint64_t *)from : 0;
        return 0;
    case ASY__F64:
        memcpy(to, *(const protobuf_c_boolean *)has ? from : &zero, sizeof(double));
        return 0;
    case ASY__F64_NAN:
        memcpy(to, *(const protobuf_c_boolean *)has ? from : &none, sizeof(double));
        return 0;
    case ASY__TEXT:
    case ASY__JSON:
        *(const char **)to = *(const char *const *)from ? *(const char *const *)from : "";
        return 0;
    case ASY__TEXT_OPT:
        *(const char **)to = *(const char *const *)from;
        return 0;
    case ASY__BLOB:
        return get_blob(f, pb, pf, pass, plain);
    case ASY__ID:
        return get_bytes(f, pb, pf, sizeof(struct asy_id), pass, to);
    case ASY__SHA:
        return get_bytes(f, pb, pf, sizeof(struct asy_sha), pass, to);
    case ASY__U32S:
    case ASY__F64S:
    case ASY__TEXTS:
        *(const void **)to = *(const void *const *)from;
        *(size_t *)at(plain, f->n_offset) = *(const size_t *)has;
        return 0;
    case ASY__SUB:
        return asy__from_pb(f->sub, *(ProtobufCMessage *const *)from, pass, to);
    case ASY__PART:
        return get_part(f, *(ProtobufCMessage *const *)from, pass, to);
    case ASY__SUBS:
        return get_subs(f, pb, pf, pass, plain);
    case ASY__EVENT:
        return asy__event_from_pb(*(ProtobufCMessage *const *)from, pass, to);
    }
    ASY_ASSERT(0, "field '%s'", f->name);
    return ASY_E_INVAL;
}

int asy__from_pb(const struct asy__shape *shape, const ProtobufCMessage *pb,
                 struct asy__pass *pass, void *plain)
{
    int rc;

    if (!pb) { /* absent: as if it were empty */
        ProtobufCMessage *empty = asy__arena_raw(pass->arena, shape->desc->sizeof_message, 8);

        if (!empty)
            return asy__no_room(pass);
        shape->desc->message_init(empty);
        pb = empty;
    }
    for (size_t i = 0; i < shape->n_fields; i++)
        if ((rc = get(&shape->fields[i], &shape->desc->fields[i], pb, pass, plain)) < 0)
            return rc;
    return 0;
}

/* ---- deep copy ------------------------------------------------------------------------------ */

static int own(struct asy__pass *pass, void *pointer_to, size_t n)
{
    const void **p = pointer_to;
    void *copy;

    if (n == 0 || !*p)
        return 0;
    if (!(copy = asy__arena_raw(pass->arena, n, 16)))
        return asy__no_room(pass);
    *p = memcpy(copy, *p, n);
    return 0;
}

static int own_text(struct asy__pass *pass, const char **text, size_t len)
{
    char *copy;

    if (!*text)
        return 0;
    if (!(copy = asy_arena_strdup(pass->arena, *text, len)))
        return asy__no_room(pass);
    *text = copy;
    return 0;
}

static int own_texts(struct asy__pass *pass, const char ***list, size_t n)
{
    int rc = own(pass, list, n * sizeof **list);

    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = own_text(pass, &(*list)[i], strlen((*list)[i]));
    return rc;
}

static int own_subs(const struct asy__shape *sub, struct asy__pass *pass, char **items, size_t n)
{
    int rc = own(pass, items, n * sub->size);

    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = asy__deepen(sub, pass, *items + i * sub->size);
    return rc;
}

static int deepen(const struct asy__field *f, struct asy__pass *pass, void *plain)
{
    void *to = at(plain, f->offset);
    size_t n = f->n_offset ? *(size_t *)at(plain, f->n_offset) : 0;

    switch (f->type) {
    case ASY__TEXT:
    case ASY__TEXT_OPT:
    case ASY__JSON:
        return own_text(pass, to, *(const char **)to ? strlen(*(const char **)to) : 0);
    case ASY__BLOB:
        return own_text(pass, to, n);
    case ASY__U32S:
        return own(pass, to, n * sizeof(uint32_t));
    case ASY__F64S:
        return own(pass, to, n * sizeof(double));
    case ASY__TEXTS:
        return own_texts(pass, to, n);
    case ASY__SUB:
        return asy__deepen(f->sub, pass, to);
    case ASY__PART:
        return own_subs(f->sub, pass, to, *(char **)to ? 1 : 0);
    case ASY__SUBS:
        return own_subs(f->sub, pass, to, n);
    case ASY__EVENT:
        return asy__event_deepen(pass, to);
    default:
        return 0;
    }
}

int asy__deepen(const struct asy__shape *shape, struct asy__pass *pass, void *plain)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < shape->n_fields; i++)
        rc = deepen(&shape->fields[i], pass, plain);
    return rc;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* JSON from outside goes in as it is only if it stays readable inside another object. */
static void json_text(struct asy_jsonw *w, const char *key, const char *text)
{
    struct asy_json *root = NULL;
    size_t len = text ? strlen(text) : 0, depth = 0, deepest = 0;

    for (size_t i = 0; i < len; i++) {
        depth += text[i] == '{' || text[i] == '[';
        deepest = depth > deepest ? depth : deepest;
        depth -= depth && (text[i] == '}' || text[i] == ']');
    }
    if (len && deepest <= 32 && asy_json_parse(text, len, &root, NULL) == 0)
        asy_jsonw_raw(w, key, text, len);
    else
        asy_jsonw_str(w, key, text);
    asy_json_destroy(root);
}

/* JSON readers (ours too) take no integer beyond 63 bits: a seed or an open milestone is text. */
static void json_u64(struct asy_jsonw *w, const char *key, uint64_t value)
{
    char text[24];

    if (value <= INT64_MAX) {
        asy_jsonw_u64(w, key, value);
        return;
    }
    snprintf(text, sizeof text, "%" PRIu64, value);
    asy_jsonw_str(w, key, text);
}

static void json_list(const struct asy__field *f, const void *plain, struct asy_jsonw *w)
{
    const void *list = *(const void *const *)cat(plain, f->offset);
    size_t n = *(const size_t *)cat(plain, f->n_offset);

    asy_jsonw_open(w, f->name, '[');
    for (size_t i = 0; i < n; i++) {
        if (f->type == ASY__U32S) {
            asy_jsonw_u64(w, NULL, ((const uint32_t *)list)[i]);
        } else if (f->type == ASY__F64S) {
            asy_jsonw_f64(w, NULL, ((const double *)list)[i]);
        } else if (f->type == ASY__TEXTS) {
            asy_jsonw_str(w, NULL, ((const char *const *)list)[i]);
        } else {
            asy_jsonw_open(w, NULL, '{');
            asy__to_json(f->sub, (const char *)list + i * f->sub->size, w);
            asy_jsonw_close(w, '}');
        }
    }
    asy_jsonw_close(w, ']');
}

static void json_field(const struct asy__field *f, const void *plain, struct asy_jsonw *w)
{
    const void *from = cat(plain, f->offset);
    char id[ASY_ID_TEXT], sha[ASY_SHA_TEXT];

    switch (f->type) {
    case ASY__U32:
        asy_jsonw_u64(w, f->name, *(const uint32_t *)from);
        break;
    case ASY__I32:
        asy_jsonw_i64(w, f->name, *(const int32_t *)from);
        break;
    case ASY__U64:
        json_u64(w, f->name, *(const uint64_t *)from);
        break;
    case ASY__I64:
        asy_jsonw_i64(w, f->name, *(const int64_t *)from);
        break;
    case ASY__BOOL:
        asy_jsonw_bool(w, f->name, *(const int *)from);
        break;
    case ASY__ENUM:
        asy_jsonw_str(w, f->name, f->value_name(*(const uint32_t *)from));
        break;
    case ASY__F64:
    case ASY__F64_NAN:
        asy_jsonw_f64(w, f->name, *(const double *)from);
        break;
    case ASY__TEXT:
    case ASY__TEXT_OPT:
        asy_jsonw_str(w, f->name, *(const char *const *)from);
        break;
    case ASY__JSON:
        json_text(w, f->name, *(const char *const *)from);
        break;
    case ASY__BLOB:
        asy_jsonw_strn(w, f->name, *(const char *const *)from,
                       *(const size_t *)cat(plain, f->n_offset));
        break;
    case ASY__ID:
        asy_jsonw_str(w, f->name, asy_id_format(*(const struct asy_id *)from, id));
        break;
    case ASY__SHA:
        asy_jsonw_str(w, f->name, asy_sha_format(*(const struct asy_sha *)from, sha));
        break;
    case ASY__U32S:
    case ASY__F64S:
    case ASY__TEXTS:
    case ASY__SUBS:
        json_list(f, plain, w);
        break;
    case ASY__SUB:
        asy_jsonw_open(w, f->name, '{');
        asy__to_json(f->sub, from, w);
        asy_jsonw_close(w, '}');
        break;
    case ASY__PART:
        if (*(const void *const *)from) {
            asy_jsonw_open(w, f->name, '{');
            asy__to_json(f->sub, *(const void *const *)from, w);
            asy_jsonw_close(w, '}');
        }
        break;
    case ASY__EVENT:
        asy_event_write_json(from, w, f->name);
        break;
    }
}

void asy__to_json(const struct asy__shape *shape, const void *plain, struct asy_jsonw *w)
{
    for (size_t i = 0; i < shape->n_fields; i++)
        json_field(&shape->fields[i], plain, w);
}

/* ---- the tables themselves ------------------------------------------------------------------ */

static int row_fits(const struct asy__field *f, const ProtobufCFieldDescriptor *pf)
{
    static const int types[] = {
        [ASY__U32] = PROTOBUF_C_TYPE_UINT32, [ASY__I32] = PROTOBUF_C_TYPE_SINT32,
        [ASY__U64] = PROTOBUF_C_TYPE_UINT64, [ASY__I64] = PROTOBUF_C_TYPE_SINT64,
        [ASY__BOOL] = PROTOBUF_C_TYPE_BOOL, [ASY__ENUM] = PROTOBUF_C_TYPE_UINT32,
        [ASY__F64] = PROTOBUF_C_TYPE_DOUBLE, [ASY__F64_NAN] = PROTOBUF_C_TYPE_DOUBLE,
        [ASY__TEXT] = PROTOBUF_C_TYPE_STRING, [ASY__TEXT_OPT] = PROTOBUF_C_TYPE_STRING,
        [ASY__JSON] = PROTOBUF_C_TYPE_STRING, [ASY__BLOB] = PROTOBUF_C_TYPE_BYTES,
        [ASY__ID] = PROTOBUF_C_TYPE_BYTES, [ASY__SHA] = PROTOBUF_C_TYPE_BYTES,
        [ASY__U32S] = PROTOBUF_C_TYPE_UINT32, [ASY__F64S] = PROTOBUF_C_TYPE_DOUBLE,
        [ASY__TEXTS] = PROTOBUF_C_TYPE_STRING, [ASY__SUB] = PROTOBUF_C_TYPE_MESSAGE,
        [ASY__PART] = PROTOBUF_C_TYPE_MESSAGE,
        [ASY__SUBS] = PROTOBUF_C_TYPE_MESSAGE, [ASY__EVENT] = PROTOBUF_C_TYPE_MESSAGE,
    };
    int repeated = f->type == ASY__U32S || f->type == ASY__F64S || f->type == ASY__TEXTS ||
                   f->type == ASY__SUBS;

    return !strcmp(f->name, pf->name) && (int)pf->type == types[f->type] &&
           pf->label == (repeated ? PROTOBUF_C_LABEL_REPEATED : PROTOBUF_C_LABEL_OPTIONAL) &&
           (f->type != ASY__ENUM || f->value_name) && (!f->sub || pf->descriptor == f->sub->desc);
}

const char *asy__shape_misfit(const struct asy__shape *shape)
{
    const char *inner;

    if (shape->n_fields != shape->desc->n_fields)
        return shape->desc->short_name;
    for (size_t i = 0; i < shape->n_fields; i++) {
        if (!row_fits(&shape->fields[i], &shape->desc->fields[i]))
            return shape->fields[i].name;
        if (shape->fields[i].sub && (inner = asy__shape_misfit(shape->fields[i].sub)))
            return inner;
    }
    return NULL;
}

const char *asy_msg_protobuf_version(void)
{
    return protobuf_c_version();
}
