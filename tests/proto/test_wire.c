/* SPDX-License-Identifier: Apache-2.0
 * Frames: every message comes back as it went, and nothing that arrives can do harm. */
#include "wire_random.h"
#include "asytest.h"

#define ARENA (32u << 20)
#define LAST ASY_MSG_PART

static struct asy_arena *arena_or_fail(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *arena = NULL;

    T_OK(asy_arena_create(ARENA, &arena, &err), &err);
    return arena;
}

/* Reports carry their own number into their event, so a random one has to agree first. */
static void settle(struct asy_msg *msg)
{
    for (size_t i = 0; msg->type == ASY_MSG_REPORTS && i < msg->reports.n_reports; i++) {
        struct asy_report *report = (struct asy_report *)(uintptr_t)&msg->reports.reports[i];

        report->event.started.report = report->number;
    }
}

static void rows_fit_the_proto_file(void)
{
    for (uint32_t i = 1; i <= LAST; i++) {
        const char *misfit = asy__msg_shape(i) ? asy__shape_misfit(asy__msg_shape(i)) : "missing";

        t__check(!misfit, __LINE__, __FILE__, "%s: %s",
                 asy_msg_type_name((enum asy_msg_type)i), misfit ? misfit : "");
    }
    T_TRUE(!asy__msg_shape(0) && !asy__msg_shape(LAST + 1));
    T_TRUE(asy__shape_misfit(&asy__bulk_shape) == NULL);
}

static void one_comes_back(struct wire_random *r, uint32_t type, struct asy_buf *buf,
                           struct asy_buf *again)
{
    const char *name = asy_msg_type_name((enum asy_msg_type)type), *bad;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_msg msg, back = { 0 }, copy = { 0 };

    wr_msg(r, type, &msg);
    settle(&msg);
    asy_buf_clear(buf);
    asy_buf_clear(again);
    if (!T_OK(asy_msg_encode(&msg, buf, &err), &err) ||
        !T_OK(asy_msg_decode(buf->data, buf->len, r->arena, &back, &err), &err) ||
        !T_OK(asy_msg_copy(&back, r->arena, &copy, &err), &err) ||
        !T_OK(asy_msg_encode(&copy, again, &err), &err))
        return;
    T_EQ(name, back.type, type);
    T_EQ(name, memcmp(&back.session, &msg.session, 16), 0);
    bad = wr_differs(asy__msg_shape(type), &msg, &back);
    t__check(!bad, __LINE__, __FILE__, "%s: '%s' differs after decoding", name, bad ? bad : "");
    bad = wr_differs(asy__msg_shape(type), &back, &copy);
    t__check(!bad, __LINE__, __FILE__, "%s: '%s' differs in the copy", name, bad ? bad : "");
    T_TRUE(again->len == buf->len && !memcmp(again->data, buf->data, buf->len));
}

static void every_message_comes_back(void)
{
    struct wire_random r = { .arena = arena_or_fail(), .list_max = 5 };
    struct asy_buf buf, again;

    asy_rng_init(&r.rng, 1, 0, ASY_RNG_SIM);
    asy_buf_init(&buf, ASY_FRAME_MAX);
    asy_buf_init(&again, ASY_FRAME_MAX);
    for (uint32_t type = 1; r.arena && type <= LAST; type++)
        for (int round = 0; round < 200; round++) {
            asy_arena_reset(r.arena);
            one_comes_back(&r, type, &buf, &again);
        }
    asy_buf_fini(&buf);
    asy_buf_fini(&again);
    asy_arena_destroy(r.arena);
}

static void long_lists_of_short_names_fit_the_ration(void)
{
    struct asy_arena *arena = arena_or_fail();
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_report report = { .number = 1 };
    struct asy_msg msg = { .type = ASY_MSG_REPORTS }, back;
    struct asy_metric *metrics = calloc(2000, sizeof *metrics);
    struct asy_buf buf;

    asy_buf_init(&buf, ASY_FRAME_MAX);
    for (size_t i = 0; metrics && i < 2000; i++)
        metrics[i] = (struct asy_metric){ "a", (double)i };
    report.event.kind = ASY_EV_REPORT;
    report.event.report.metrics = metrics;
    report.event.report.n_metrics = metrics ? 2000 : 0;
    msg.reports.reports = &report;
    msg.reports.n_reports = 1;
    if (T_OK(asy_msg_encode(&msg, &buf, &err), &err) &&
        T_OK(asy_msg_decode(buf.data, buf.len, arena, &back, &err), &err))
        T_NEAR("last", back.reports.reports[0].event.report.metrics[1999].value, 1999, 0);
    free(metrics);
    asy_buf_fini(&buf);
    asy_arena_destroy(arena);
}

/* ---- harm ----------------------------------------------------------------------------------- */

/* A frame cut anywhere is refused, or (between two fields) a smaller frame; never more. The bytes
 * stand in memory of exactly their length, so that reading on is seen by the sanitizers. */
static void cut_frames_do_no_harm(void)
{
    struct wire_random r = { .arena = arena_or_fail(), .list_max = 3 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_msg msg, back;
    struct asy_buf buf;

    asy_rng_init(&r.rng, 2, 0, ASY_RNG_SIM);
    asy_buf_init(&buf, ASY_FRAME_MAX);
    for (uint32_t type = 1; r.arena && type <= LAST; type++) {
        asy_arena_reset(r.arena);
        wr_msg(&r, type, &msg);
        asy_buf_clear(&buf);
        if (!T_OK(asy_msg_encode(&msg, &buf, &err), &err))
            break;
        for (size_t n = 0; n < buf.len; n++) {
            char *cut = malloc(n ? n : 1);
            int rc;

            asy_arena_reset(r.arena);
            memcpy(cut, buf.data, n);
            rc = asy_msg_decode(cut, n, r.arena, &back, &err);
            T_TRUE(rc == 0 || rc == ASY_E_FORMAT);
            free(cut);
        }
    }
    asy_buf_fini(&buf);
    asy_arena_destroy(r.arena);
}

static void changed_bytes_do_no_harm(void)
{
    struct wire_random r = { .arena = arena_or_fail(), .list_max = 3 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_msg msg, back;
    struct asy_buf buf, again;

    asy_rng_init(&r.rng, 3, 0, ASY_RNG_SIM);
    asy_buf_init(&buf, ASY_FRAME_MAX);
    asy_buf_init(&again, ASY_FRAME_MAX);
    for (int round = 0; r.arena && round < 4000; round++) {
        asy_arena_reset(r.arena);
        wr_msg(&r, 1 + (uint32_t)asy_rng_below(&r.rng, LAST), &msg);
        asy_buf_clear(&buf);
        asy_buf_clear(&again);
        if (!T_OK(asy_msg_encode(&msg, &buf, &err), &err))
            break;
        for (int i = 0; buf.len && i < 3; i++)
            buf.data[asy_rng_below(&r.rng, buf.len)] = (char)asy_rng_u32(&r.rng);
        /* whatever is taken can be sent on */
        if (asy_msg_decode(buf.data, buf.len, r.arena, &back, &err) == 0)
            T_OK(asy_msg_encode(&back, &again, &err), &err);
    }
    asy_buf_fini(&buf);
    asy_buf_fini(&again);
    asy_arena_destroy(r.arena);
}

static void large_frames_are_refused(void)
{
    struct asy_arena *arena = arena_or_fail();
    struct asy_error err = ASY_ERROR_INIT;
    char *text = calloc(1, ASY_FRAME_MAX + 2);
    struct asy_msg msg = { .type = ASY_MSG_BYE }, back;
    struct asy_buf buf;

    asy_buf_init(&buf, 4 * ASY_FRAME_MAX);
    memset(text, 'x', ASY_FRAME_MAX + 1);
    msg.bye.text = text;
    T_EQ("encode", asy_msg_encode(&msg, &buf, &err), ASY_E_TOOBIG);
    T_HAS("encode", err.text, "BYE");
    T_EQ("nothing appended", buf.len, 0);
    T_EQ("decode", asy_msg_decode(text, ASY_FRAME_MAX + 1, arena, &back, &err), ASY_E_TOOBIG);
    text[ASY_FRAME_MAX - 100] = 0;
    T_OK(asy_msg_encode(&msg, &buf, &err), &err);
    T_OK(asy_msg_decode(buf.data, buf.len, arena, &back, &err), &err);
    T_EQ("length", strlen(back.bye.text), ASY_FRAME_MAX - 100);
    free(text);
    asy_buf_fini(&buf);
    asy_arena_destroy(arena);
}

/* n empty elements of Reports (field 1, length 0) inside a frame: 2 bytes each on the wire. */
static void bomb(struct asy_buf *buf, size_t n)
{
    size_t len = 2 * n;

    asy_buf_addc(buf, 7 << 3 | 2);
    for (; len >= 0x80; len >>= 7)
        asy_buf_addc(buf, (char)(0x80 | (len & 0x7f)));
    asy_buf_addc(buf, (char)len);
    for (size_t i = 0; i < n; i++)
        asy_buf_add(buf, "\x0a\x00", 2);
}

static void empty_elements_cannot_fill_memory(void)
{
    static const struct { const char *name; size_t n; int want; } cases[] = {
        { "a mebibyte of them", 500000, ASY_E_TOOBIG },
        { "sixteen mebibytes of them", 8u << 20, ASY_E_TOOBIG },
        { "a few", 10, ASY_E_FORMAT }, /* a report has an event */
    };
    struct asy_arena *arena = arena_or_fail();
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_msg back;
    struct asy_buf buf;

    asy_buf_init(&buf, 32u << 20);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&buf);
        asy_arena_reset(arena);
        bomb(&buf, cases[i].n);
        T_EQ(cases[i].name, asy_msg_decode(buf.data, buf.len, arena, &back, &err), cases[i].want);
        /* less than the ration was taken from the arena */
        T_TRUE(asy_arena_alloc(arena, ARENA - (10u << 20)) != NULL);
    }
    asy_buf_fini(&buf);
    asy_arena_destroy(arena);
}

static void a_small_arena_is_an_error(void)
{
    struct wire_random r = { .arena = arena_or_fail(), .list_max = 5 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *small = NULL;
    struct asy_msg msg, back;
    struct asy_buf buf;
    int rc = ASY_E_FULL;

    asy_rng_init(&r.rng, 4, 0, ASY_RNG_SIM);
    asy_buf_init(&buf, ASY_FRAME_MAX);
    wr_msg(&r, ASY_MSG_WELCOME, &msg);
    T_OK(asy_msg_encode(&msg, &buf, &err), &err);
    for (size_t budget = 0; rc == ASY_E_FULL && budget < 100000; budget += 16) {
        if (!T_OK(asy_arena_create(budget, &small, &err), &err))
            break;
        rc = asy_msg_decode(buf.data, buf.len, small, &back, &err);
        if (rc == 0) {
            asy_arena_reset(small);
            rc = asy_msg_copy(&msg, small, &back, &err);
        }
        asy_arena_destroy(small);
    }
    T_EQ("with room", rc, 0);
    asy_buf_fini(&buf);
    asy_arena_destroy(r.arena);
}

/* ---- rules ---------------------------------------------------------------------------------- */

static void bad_frames_are_named(void)
{
    static const struct {
        const char *name, *bytes;
        size_t n;
        int rc;
        const char *text;
    } cases[] = {
        { "nothing", "", 0, ASY_E_FORMAT, "without a body" },
        { "not protobuf", "GET / HTTP/1.1\r\n\r\n", 18, ASY_E_FORMAT, "Frame" },
        { "short session", "\xc2\x3e\x01\x00\x32\x00", 6, ASY_E_FORMAT, "session id has 1" },
        { "a later body", "\xc2\x06\x00", 3, ASY_E_UNSUPPORTED, "type 104" },
        { "a field of number 0", "\x82\x00\x00", 3, ASY_E_FORMAT, "without a body" },
        { "a later header field", "\xca\x3e\x00\x32\x00", 5, 0, "" },
        { "a role that is none", "\x0a\x02\x08\x09", 4, ASY_E_FORMAT, "9 is not a 'role'" },
        { "no role at all", "\x0a\x00", 2, ASY_E_FORMAT, "0 is not a 'role'" },
        { "an id of 3 bytes", "\x52\x05\x0a\x03xyz", 7, ASY_E_FORMAT, "'study' has 3 bytes" },
        { "a record without an event", "\xa2\x01\x00", 3, ASY_E_FORMAT, "event without a body" },
        { "a record of a report", "\xa2\x01\x04\x22\x02\x42\x00", 7, ASY_E_FORMAT,
          "cannot record a 'report'" },
        { "a report of a tag", "\x3a\x06\x0a\x04\x32\x02\x7a\x00", 8, ASY_E_FORMAT,
          "cannot be a 'tag'" },
    };
    struct asy_arena *arena = arena_or_fail();

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_msg back = { 0 };

        T_EQ(cases[i].name,
             asy_msg_decode(cases[i].bytes, cases[i].n, arena, &back, &err), cases[i].rc);
        T_HAS(cases[i].name, err.text, cases[i].text);
        if (cases[i].rc == ASY_E_UNSUPPORTED)
            T_EQ(cases[i].name, back.unsupported.type, 104);
    }
    asy_arena_destroy(arena);
}

static void our_own_mistakes_are_named(void)
{
    struct asy_report report = { .event = { .kind = ASY_EV_TAG } };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_msg msg = { .type = ASY_MSG_HELLO };
    struct asy_buf buf;

    asy_buf_init(&buf, ASY_FRAME_MAX);
    T_EQ("no role", asy_msg_encode(&msg, &buf, &err), ASY_E_INVAL);
    T_HAS("no role", err.text, "'role'");
    msg = (struct asy_msg){ .type = ASY_MSG_REPORTS };
    msg.reports.reports = &report;
    msg.reports.n_reports = 1;
    T_EQ("kind", asy_msg_encode(&msg, &buf, &err), ASY_E_INVAL);
    msg = (struct asy_msg){ .type = (enum asy_msg_type)99 };
    T_EQ("type", asy_msg_encode(&msg, &buf, &err), ASY_E_INVAL);
    asy_buf_fini(&buf);
}

static void reports_give_their_events_columns(void)
{
    struct asy_report report = { .study = { { 1, 2, 3 } }, .trial = 7, .attempt = 2, .epoch = 9,
                                 .number = 11 };
    struct asy_arena *arena = arena_or_fail();
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_msg msg = { .type = ASY_MSG_REPORTS }, back;
    struct asy_buf buf;

    asy_buf_init(&buf, ASY_FRAME_MAX);
    report.event.kind = ASY_EV_ENDED;
    report.event.ended.end = ASY_END_COMPLETE;
    msg.reports.reports = &report;
    msg.reports.n_reports = 1;
    if (T_OK(asy_msg_encode(&msg, &buf, &err), &err) &&
        T_OK(asy_msg_decode(buf.data, buf.len, arena, &back, &err), &err)) {
        const struct asy_event *event = &back.reports.reports[0].event;

        T_EQ("study", asy_id_cmp(event->study, report.study), 0);
        T_EQ("trial", event->trial, 7);
        T_EQ("attempt", event->attempt, 2);
        T_EQ("report", event->ended.report, 11);
        T_STR("missing text", event->ended.text, "");
    }
    asy_buf_fini(&buf);
    asy_arena_destroy(arena);
}

T_MAIN("wire", T_TEST(rows_fit_the_proto_file), T_TEST(every_message_comes_back),
       T_TEST(long_lists_of_short_names_fit_the_ration), T_TEST(cut_frames_do_no_harm),
       T_TEST(changed_bytes_do_no_harm), T_TEST(large_frames_are_refused),
       T_TEST(empty_elements_cannot_fill_memory), T_TEST(a_small_arena_is_an_error),
       T_TEST(bad_frames_are_named), T_TEST(our_own_mistakes_are_named),
       T_TEST(reports_give_their_events_columns))
