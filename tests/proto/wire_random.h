/* SPDX-License-Identifier: Apache-2.0
 * wire_random.h - random messages and events, and their comparison, by walking the codec's own
 * rows: a field that a row forgets is found by the row-by-row check against assay.proto. */
#ifndef WIRE_RANDOM_H
#define WIRE_RANDOM_H
#include <codec.h>
#include <string.h>
#include <asy/rng.h>

struct wire_random {
    struct asy_rng rng;
    struct asy_arena *arena;
    size_t list_max; /* items of a list */
    int records;     /* events are those of RECORD, not of REPORTS */
};

static inline void *wr__at(void *base, size_t offset)
{
    return (char *)base + offset;
}

/* Small numbers, large ones and the ends of the range. */
static inline uint64_t wr__number(struct wire_random *r)
{
    switch (asy_rng_below(&r->rng, 4)) {
    case 0:
        return 0;
    case 1:
        return asy_rng_below(&r->rng, 300);
    case 2:
        return UINT64_MAX;
    default:
        return asy_rng_u64(&r->rng);
    }
}

/* All doubles, with quiet and signalling NaNs of any payload. */
static inline double wr__double(struct wire_random *r)
{
    uint64_t bits = asy_rng_u64(&r->rng);
    double value;

    if (asy_rng_below(&r->rng, 3) == 0)
        bits |= UINT64_C(0x7ff) << 52;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline char *wr__text(struct wire_random *r, size_t max)
{
    size_t n = asy_rng_below(&r->rng, max + 1);
    char *text = asy_arena_alloc(r->arena, n + 1);

    for (size_t i = 0; i < n; i++)
        text[i] = (char)(' ' + asy_rng_below(&r->rng, 95));
    return text;
}

static inline void wr__bytes(struct wire_random *r, void *to, size_t n)
{
    int none = asy_rng_below(&r->rng, 4) == 0;

    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = none ? 0 : (uint8_t)asy_rng_u32(&r->rng);
}

static inline void wr_fill(struct wire_random *r, const struct asy__shape *shape, void *plain);

static inline void wr_event(struct wire_random *r, uint32_t kind, struct asy_event *event)
{
    event->kind = (enum asy_event_kind)kind;
    wr_fill(r, asy__event_shape(kind), event);
}

static inline void wr__list(struct wire_random *r, const struct asy__field *f, void *plain)
{
    size_t n = asy_rng_below(&r->rng, r->list_max + 1);
    size_t size = f->type == ASY__SUBS ? f->sub->size : 8;
    char *list = asy_arena_alloc(r->arena, n * size);

    for (size_t i = 0; i < n; i++) {
        if (f->type == ASY__U32S)
            ((uint32_t *)(void *)list)[i] = (uint32_t)wr__number(r);
        else if (f->type == ASY__F64S)
            ((double *)(void *)list)[i] = wr__double(r);
        else if (f->type == ASY__TEXTS)
            ((char **)(void *)list)[i] = wr__text(r, 40);
        else
            wr_fill(r, f->sub, list + i * size);
    }
    *(void **)wr__at(plain, f->offset) = n ? list : NULL;
    *(size_t *)wr__at(plain, f->n_offset) = n;
}

static inline uint32_t wr__enum(struct wire_random *r, const struct asy__field *f)
{
    uint32_t value;

    do
        value = (uint32_t)asy_rng_below(&r->rng, 80);
    while (!f->value_name(value));
    return value;
}

static inline void wr__event_in(struct wire_random *r, struct asy_event *event)
{
    static const uint32_t reports[] = { ASY_EV_STARTED, ASY_EV_REPORT, ASY_EV_CHECKPOINT,
                                        ASY_EV_ENDED };
    static const uint32_t records[] = { ASY_EV_ARTIFACT, ASY_EV_TAG, ASY_EV_SCORE, ASY_EV_DATASET };
    size_t pick = asy_rng_below(&r->rng, 4);

    wr_event(r, r->records ? records[pick] : reports[pick], event);
}

static inline void wr__field(struct wire_random *r, const struct asy__field *f, void *plain)
{
    void *to = wr__at(plain, f->offset);

    switch (f->type) {
    case ASY__U32:
    case ASY__I32:
        *(uint32_t *)to = (uint32_t)wr__number(r);
        break;
    case ASY__U64:
    case ASY__I64:
        *(uint64_t *)to = wr__number(r);
        break;
    case ASY__BOOL:
        *(int *)to = (int)asy_rng_below(&r->rng, 2);
        break;
    case ASY__ENUM:
        *(uint32_t *)to = wr__enum(r, f);
        break;
    case ASY__F64:
    case ASY__F64_NAN:
        *(double *)to = wr__double(r);
        break;
    case ASY__TEXT_OPT:
        *(char **)to = asy_rng_below(&r->rng, 3) ? wr__text(r, 60) : NULL;
        break;
    case ASY__TEXT:
    case ASY__JSON:
        *(char **)to = wr__text(r, 60);
        break;
    case ASY__BLOB:
        *(char **)to = wr__text(r, 300);
        *(size_t *)wr__at(plain, f->n_offset) = strlen(*(char **)to);
        break;
    case ASY__ID:
        wr__bytes(r, to, sizeof(struct asy_id));
        break;
    case ASY__SHA:
        wr__bytes(r, to, sizeof(struct asy_sha));
        break;
    case ASY__SUB:
        wr_fill(r, f->sub, to);
        break;
    case ASY__PART:
        *(void **)to = asy_rng_below(&r->rng, 3) ? asy_arena_alloc(r->arena, f->sub->size) : NULL;
        if (*(void **)to)
            wr_fill(r, f->sub, *(void **)to);
        break;
    case ASY__EVENT:
        wr__event_in(r, to);
        break;
    default:
        wr__list(r, f, plain);
    }
}

static inline void wr_fill(struct wire_random *r, const struct asy__shape *shape, void *plain)
{
    for (size_t i = 0; i < shape->n_fields; i++)
        wr__field(r, &shape->fields[i], plain);
}

static inline void wr_msg(struct wire_random *r, uint32_t type, struct asy_msg *msg)
{
    *msg = (struct asy_msg){ .type = (enum asy_msg_type)type };
    wr__bytes(r, &msg->session, sizeof msg->session);
    r->records = type == ASY_MSG_RECORD;
    wr_fill(r, asy__msg_shape(type), msg);
}

/* NULL, or the name of the first field that differs, bit for bit. */
static inline const char *wr_differs(const struct asy__shape *shape, const void *a, const void *b);

static inline const char *wr__items_differ(const struct asy__field *f, const void *a, const void *b,
                                           size_t n)
{
    const char *p = *(const char *const *)a, *q = *(const char *const *)b, *bad = NULL;

    if (n && p == q)
        return f->name; /* borrowed where it must not be */
    if (f->type == ASY__U32S || f->type == ASY__F64S || f->type == ASY__BLOB)
        return n && memcmp(p, q, n * (f->type == ASY__U32S ? 4 : f->type == ASY__F64S ? 8 : 1))
                   ? f->name
                   : NULL;
    for (size_t i = 0; i < n && !bad; i++)
        if (f->type == ASY__SUBS)
            bad = wr_differs(f->sub, p + i * f->sub->size, q + i * f->sub->size);
        else if (strcmp(((const char *const *)(const void *)p)[i],
                        ((const char *const *)(const void *)q)[i]) != 0)
            bad = f->name;
    return bad;
}

static inline const char *wr__field_differs(const struct asy__field *f, const void *x,
                                            const void *y)
{
    const void *a = (const char *)x + f->offset, *b = (const char *)y + f->offset;
    const char *s, *t;
    size_t n = 0, m = 0;

    switch (f->type) {
    case ASY__U32:
    case ASY__I32:
    case ASY__BOOL:
    case ASY__ENUM:
        return memcmp(a, b, 4) ? f->name : NULL;
    case ASY__U64:
    case ASY__I64:
    case ASY__F64:
    case ASY__F64_NAN:
        return memcmp(a, b, 8) ? f->name : NULL;
    case ASY__ID:
        return memcmp(a, b, 16) ? f->name : NULL;
    case ASY__SHA:
        return memcmp(a, b, 32) ? f->name : NULL;
    case ASY__TEXT:
    case ASY__JSON:
    case ASY__TEXT_OPT:
        s = *(const char *const *)a;
        t = *(const char *const *)b;
        return (s && t) ? (s == t || strcmp(s, t) != 0 ? f->name : NULL) : s == t ? NULL : f->name;
    case ASY__SUB:
        return wr_differs(f->sub, a, b);
    case ASY__PART:
        a = *(const void *const *)a;
        b = *(const void *const *)b;
        return a && b ? a == b ? f->name : wr_differs(f->sub, a, b) : a == b ? NULL : f->name;
    case ASY__EVENT:
        if (((const struct asy_event *)a)->kind != ((const struct asy_event *)b)->kind)
            return f->name;
        return wr_differs(asy__event_shape(((const struct asy_event *)a)->kind), a, b);
    default:
        memcpy(&n, (const char *)x + f->n_offset, sizeof n);
        memcpy(&m, (const char *)y + f->n_offset, sizeof m);
        return n == m ? wr__items_differ(f, a, b, n) : f->name;
    }
}

static inline const char *wr_differs(const struct asy__shape *shape, const void *a, const void *b)
{
    const char *bad = NULL;

    for (size_t i = 0; i < shape->n_fields && !bad; i++)
        bad = wr__field_differs(&shape->fields[i], a, b);
    return bad;
}
#endif
