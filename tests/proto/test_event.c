/* SPDX-License-Identifier: Apache-2.0
 * Events: stored for ever, so every kind must come back bit for bit. */
#include "wire_random.h"
#include "asytest.h"

#define LAST ASY_EV_CHECKPOINT_DROPPED

static void rows_fit_the_proto_file(void)
{
    for (uint32_t i = 1; i <= LAST; i++) {
        const char *misfit =
            asy__event_shape(i) ? asy__shape_misfit(asy__event_shape(i)) : "missing";

        t__check(!misfit, __LINE__, __FILE__, "%s: %s",
                 asy_event_kind_name((enum asy_event_kind)i), misfit ? misfit : "");
    }
    T_TRUE(!asy__event_shape(0) && !asy__event_shape(LAST + 1));
}

static void json_is_json(const struct asy_event *event)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy_jsonw w;
    struct asy_buf buf;

    asy_buf_init(&buf, 1u << 20);
    asy_jsonw_init(&w, &buf, 0);
    asy_event_write_json(event, &w, NULL);
    if (T_OK(asy_json_parse(buf.data, buf.len, &root, &err), &err))
        T_STR("kind", asy_json_str(asy_json_get(root, "kind"), ""),
              asy_event_kind_name(event->kind));
    asy_json_destroy(root);
    asy_buf_fini(&buf);
}

static void every_event_comes_back(void)
{
    struct wire_random r = { .list_max = 6 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_event event, back, copy;
    struct asy_buf buf;
    const char *bad;

    asy_rng_init(&r.rng, 5, 0, ASY_RNG_SIM);
    asy_buf_init(&buf, 1u << 20);
    if (!T_OK(asy_arena_create(1u << 20, &r.arena, &err), &err))
        return;
    for (int round = 0; round < 200 * LAST; round++) {
        asy_arena_reset(r.arena);
        asy_buf_clear(&buf);
        event = (struct asy_event){ .seq = 3, .trial = 4, .attempt = 5, .wall_us = -6 };
        wr_event(&r, 1 + (uint32_t)round % LAST, &event);
        back = (struct asy_event){ .seq = 3, .kind = event.kind };
        if (!T_OK(asy_event_encode(&event, &buf, &err), &err) ||
            !T_OK(asy_event_decode(buf.data, buf.len, r.arena, &back, &err), &err) ||
            !T_OK(asy_event_copy(&back, r.arena, &copy, &err), &err))
            break;
        T_EQ("column", back.seq, 3);
        bad = wr_differs(asy__event_shape(event.kind), &event, &back);
        t__check(!bad, __LINE__, __FILE__, "%s: '%s' differs", asy_event_kind_name(event.kind),
                 bad ? bad : "");
        bad = wr_differs(asy__event_shape(event.kind), &back, &copy);
        t__check(!bad, __LINE__, __FILE__, "%s: '%s' differs in the copy",
                 asy_event_kind_name(event.kind), bad ? bad : "");
        json_is_json(&event);
    }
    asy_buf_fini(&buf);
    asy_arena_destroy(r.arena);
}

static void cut_events_do_no_harm(void)
{
    struct wire_random r = { .list_max = 4 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_event event = { 0 }, back;
    struct asy_buf buf;

    asy_rng_init(&r.rng, 6, 0, ASY_RNG_SIM);
    asy_buf_init(&buf, 1u << 20);
    if (!T_OK(asy_arena_create(1u << 20, &r.arena, &err), &err))
        return;
    for (uint32_t kind = 1; kind <= LAST; kind++) {
        asy_buf_clear(&buf);
        asy_arena_reset(r.arena);
        wr_event(&r, kind, &event);
        T_OK(asy_event_encode(&event, &buf, &err), &err);
        for (size_t n = 0; n < buf.len; n++) {
            char *cut = malloc(n ? n : 1);
            int rc;

            asy_arena_reset(r.arena);
            memcpy(cut, buf.data, n);
            back = (struct asy_event){ .kind = event.kind };
            rc = asy_event_decode(cut, n, r.arena, &back, &err);
            T_TRUE(rc == 0 || rc == ASY_E_CORRUPT);
            free(cut);
        }
    }
    asy_buf_fini(&buf);
    asy_arena_destroy(r.arena);
}

static void nan_keeps_its_payload(void)
{
    static const uint64_t bits[] = {
        UINT64_C(0x7ff8000000000000), UINT64_C(0xfff8000000000001), UINT64_C(0x7ff0000000000001),
        UINT64_C(0x7ff0000000000000), UINT64_C(0x8000000000000000),
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *arena = NULL;
    struct asy_buf buf;

    asy_buf_init(&buf, 1u << 16);
    if (!T_OK(asy_arena_create(1u << 16, &arena, &err), &err))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(bits); i++) {
        struct asy_event event = { .kind = ASY_EV_SCORE }, back = { .kind = ASY_EV_SCORE };
        uint64_t got = 0;

        asy_buf_clear(&buf);
        memcpy(&event.score.value, &bits[i], 8);
        T_OK(asy_event_encode(&event, &buf, &err), &err);
        T_OK(asy_event_decode(buf.data, buf.len, arena, &back, &err), &err);
        memcpy(&got, &back.score.value, 8);
        T_EQ("bits", got, bits[i]);
    }
    asy_buf_fini(&buf);
    asy_arena_destroy(arena);
}

static void bad_events_are_named(void)
{
    static const struct { const char *name; int kind; const char *bytes; size_t n; int rc;
                          const char *text; } cases[] = {
        { "unknown kind", 99, "", 0, ASY_E_UNSUPPORTED, "kind 99" },
        { "kind 0", 0, "", 0, ASY_E_UNSUPPORTED, "kind 0" },
        { "no body", ASY_EV_TAG, "", 0, ASY_E_CORRUPT, "without a body" },
        { "another body", ASY_EV_TAG, "\x42\x00", 2, ASY_E_CORRUPT, "has the body of 'report'" },
        { "a later body", ASY_EV_TAG, "\xa2\x06\x00", 3, ASY_E_CORRUPT, "kind 100" },
        { "rubbish", ASY_EV_TAG, "\xff\xff\xff", 3, ASY_E_CORRUPT, "are not a Event" },
        { "bad state", ASY_EV_STUDY_STATE, "\x12\x02\x08\x63", 4, ASY_E_CORRUPT,
          "99 is not a 'state'" },
        { "bad cause", ASY_EV_STUDY_STATE, "\x12\x04\x08\x01\x10\x3f", 6, ASY_E_CORRUPT,
          "63 is not a 'cause'" },
        { "unknown field", ASY_EV_TAG, "\x7a\x03\x98\x06\x01", 5, 0, "" },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *arena = NULL;

    if (!T_OK(asy_arena_create(1u << 16, &arena, &err), &err))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_event event = { .kind = (enum asy_event_kind)cases[i].kind };

        err = (struct asy_error)ASY_ERROR_INIT;
        T_EQ(cases[i].name,
             asy_event_decode(cases[i].bytes, cases[i].n, arena, &event, &err), cases[i].rc);
        T_HAS(cases[i].name, err.text, cases[i].text);
    }
    asy_arena_destroy(arena);
}

/* What an agent sends as JSON is shown as JSON only if it is some. */
static void json_of_others_stays_inside(void)
{
    static const struct { const char *name, *params, *want; } cases[] = {
        { "an object", "{\"lr\":0.1}", "\"params\":{\"lr\":0.1}" },
        { "broken", "{\"lr\":", "\"params\":\"{\\\"lr\\\":\"" },
        { "an escape", "{},\"kind\":1", "\"params\":\"{},\\\"kind\\\":1\"" },
        { "nothing", "", "\"params\":\"\"" },
    };
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_event event = { .kind = ASY_EV_TRIAL_CREATED };
        struct asy_jsonw w;
        struct asy_buf buf;

        asy_buf_init(&buf, 1u << 16);
        asy_jsonw_init(&w, &buf, 0);
        event.trial_created.params = cases[i].params;
        asy_event_write_json(&event, &w, NULL);
        T_HAS(cases[i].name, buf.data, cases[i].want);
        asy_buf_fini(&buf);
    }
}

static void every_cause_is_explained(void)
{
#define EACH(name, number) ASY_CAUSE_##name,
    static const enum asy_cause all[] = { ASY_CAUSES(EACH) };
#undef EACH

    for (size_t i = 0; i < ASY_ARRAY_LEN(all); i++) {
        const struct asy_cause_info *info = asy_cause_info(all[i]);

        if (!T_TRUE(info != NULL))
            continue;
        T_EQ(info->name, info->cause, all[i]);
        T_TRUE(info->name[0] && info->rule[0] && info->remedy[0]);
        for (size_t j = 0; j < i; j++)
            if (asy_cause_info(all[j]))
                T_TRUE(strcmp(info->name, asy_cause_info(all[j])->name) != 0);
    }
    T_TRUE(!asy_cause_info((enum asy_cause)31));
    T_TRUE(!asy_cause_info((enum asy_cause)(all[ASY_ARRAY_LEN(all) - 1] + 1)));
}

static void causes_are_written_with_the_names_they_are_about(void)
{
    static const struct {
        const char *name;
        enum asy_cause cause;
        const char *study;
        int64_t trial;
        const char *want;
    } cases[] = {
        { "trial", ASY_CAUSE_EXIT_CODE, "a \"b\"", 12, "'assay logs a \\\"b\\\" 12 --stderr'" },
        { "study", ASY_CAUSE_EXIT_CODE, "a", -1, "'assay logs a TRIAL --stderr'" },
        { "no name", ASY_CAUSE_STUDY_PAUSED, "", -1, "'assay resume STUDY'" },
        { "numbers", ASY_CAUSE_USER, "a", 0, "\"text\":\"of this case\"" },
        { "of a later version", (enum asy_cause)99, "a", 0, "\"cause\":\"unknown\"" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_jsonw w;
        struct asy_buf buf;

        asy_buf_init(&buf, 4096);
        asy_jsonw_init(&w, &buf, 0);
        asy_jsonw_open(&w, NULL, '{');
        asy_cause_write_json(&w, cases[i].cause, "of this case", cases[i].study, cases[i].trial);
        asy_jsonw_close(&w, '}');
        T_HAS(cases[i].name, buf.data, cases[i].want);
        asy_buf_fini(&buf);
    }
}

static void arenas_are_bounded_and_reused(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *arena = NULL;
    char *first, *text;

    if (!T_OK(asy_arena_create(3u << 20, &arena, &err), &err))
        return;
    first = asy_arena_alloc(arena, 100);
    T_TRUE(first && (uintptr_t)first % 16 == 0 && first[99] == 0);
    T_TRUE(asy_arena_alloc(arena, 2u << 20) != NULL);
    T_TRUE(asy_arena_alloc(arena, 2u << 20) == NULL);
    T_TRUE(asy_arena_alloc(arena, SIZE_MAX) == NULL);
    T_TRUE(asy_arena_alloc(arena, SIZE_MAX - 64) == NULL);
    text = asy_arena_strdup(arena, "abcd", 3);
    T_STR("strdup", text, "abc");
    memset(first, 'x', 100);
    asy_arena_reset(arena);
    T_TRUE(asy_arena_alloc(arena, 100) == first && first[0] == 0);
    for (int i = 0; i < 1000; i++)
        T_TRUE(asy_arena_alloc(arena, 2000) != NULL);
    asy_arena_destroy(arena);
    asy_arena_destroy(NULL);
}

T_MAIN("event", T_TEST(rows_fit_the_proto_file), T_TEST(every_event_comes_back),
       T_TEST(cut_events_do_no_harm), T_TEST(nan_keeps_its_payload), T_TEST(bad_events_are_named),
       T_TEST(json_of_others_stays_inside), T_TEST(every_cause_is_explained),
       T_TEST(causes_are_written_with_the_names_they_are_about),
       T_TEST(arenas_are_bounded_and_reused))
