/* SPDX-License-Identifier: Apache-2.0
 * test_lines.c - a study in lines. */
#include "study_kit.h"
#include "view.h"

struct case_of {
    const char *name, *event, *want;
};

static void run(struct asy__progress *p, struct asy__lines *lines, const struct case_of *cases,
                size_t n)
{
    struct asy_buf out = { 0 };

    asy_buf_init(&out, 1u << 20);
    for (size_t i = 0; i < n; i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *event = kit_json(cases[i].event);

        asy_buf_clear(&out);
        if (event && T_OK(asy__progress_event(p, event, &err), &err)) {
            asy__event_line(lines, p, event, &out);
            T_STR(cases[i].name, out.data, cases[i].want);
        }
        asy_json_destroy(event);
    }
    asy_buf_fini(&out);
}

static void a_trial_says_what_happens_to_it(void)
{
    static const struct case_of cases[] = {
        { "made", "{\"kind\":\"trial-created\",\"trial\":0,\"params\":{\"lr\":0.001234567}}", "" },
        { "leased", "{\"kind\":\"leased\",\"trial\":0,\"attempt\":1,\"milestone\":1}", "" },
        { "starts", "{\"kind\":\"started\",\"trial\":0,\"attempt\":1}",
          "trial 0 starts: lr=0.0012346" },
        { "reports", "{\"kind\":\"report\",\"trial\":0,\"step\":1,\"metrics\":[{\"name\":"
          "\"val_accuracy\",\"value\":0.10027855153203342}]}", "" },
        { "waits", "{\"kind\":\"trial-state\",\"trial\":0,\"state\":\"paused\",\"cause\":\"rung\","
          "\"text\":\"asha: its value\",\"value\":0.10027855153203342,\"step\":1}",
          "trial 0 paused at epoch 1: val_accuracy 0.10028 (best so far)" },
        { "leased again", "{\"kind\":\"leased\",\"trial\":0,\"attempt\":2,\"milestone\":4,"
          "\"from\":{\"attempt\":1,\"step\":1}}", "" },
        { "goes on", "{\"kind\":\"started\",\"trial\":0,\"attempt\":2}",
          "trial 0 goes on from epoch 1 to 4 (attempt 2)" },
        { "is lost", "{\"kind\":\"trial-state\",\"trial\":0,\"state\":\"queued\",\"cause\":"
          "\"lost\",\"text\":\"its worker is silent\"}",
          "trial 0 is queued again; its worker is silent" },
        { "to the end", "{\"kind\":\"leased\",\"trial\":0,\"attempt\":3,\"milestone\":\"max\","
          "\"from\":{\"attempt\":1,\"step\":1}}", "" },
        { "goes on to the end", "{\"kind\":\"started\",\"trial\":0,\"attempt\":3}",
          "trial 0 goes on from epoch 1 (attempt 3)" },
        { "done", "{\"kind\":\"trial-state\",\"trial\":0,\"state\":\"complete\",\"cause\":null,"
          "\"text\":\"\",\"value\":0.25,\"step\":16}",
          "trial 0 complete at epoch 16: val_accuracy 0.25 (best so far)" },
    };
    struct asy__lines lines = { 0 };
    struct asy__progress p;

    if (kit_study(&p))
        run(&p, &lines, cases, ASY_ARRAY_LEN(cases));
    asy__progress_fini(&p);
}

/* Who looks after the lease knows what the trials are, not where this attempt of one began. */
static void nothing_is_said_of_a_lease_not_seen(void)
{
    static const struct case_of cases[] = {
        { "its second", "{\"kind\":\"started\",\"trial\":0,\"attempt\":2}",
          "trial 0 runs again (attempt 2)" },
        { "its first", "{\"kind\":\"started\",\"trial\":1,\"attempt\":1}",
          "trial 1 starts: lr=0.25" },
        { "leased again", "{\"kind\":\"leased\",\"trial\":0,\"attempt\":3,\"milestone\":16,"
          "\"from\":{\"attempt\":0,\"step\":0}}", "" },
        { "its third", "{\"kind\":\"started\",\"trial\":0,\"attempt\":3}",
          "trial 0 starts anew (attempt 3)" },
    };
    struct asy_json *rows = kit_json(
        "{\"trials\":[{\"number\":0,\"state\":\"leased\",\"value\":0.5,\"step\":13,"
        "\"attempts\":2,\"params\":{\"lr\":0.5}},{\"number\":1,\"state\":\"leased\","
        "\"value\":null,\"step\":0,\"attempts\":1,\"params\":{\"lr\":0.25}}]}");
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__lines lines = { 0 };
    struct asy__progress p;

    if (kit_study(&p) && T_OK(asy__progress_trials(&p, rows, &err), &err))
        run(&p, &lines, cases, ASY_ARRAY_LEN(cases));
    asy__progress_fini(&p);
    asy_json_destroy(rows);
}

static void failures_say_why(void)
{
    static const struct case_of cases[] = {
        { "failed", "{\"kind\":\"trial-state\",\"trial\":0,\"state\":\"failed\",\"cause\":"
          "\"diverged\",\"text\":\"train_loss is not finite\",\"value\":null,\"step\":2}",
          "trial 0 failed at epoch 2; train_loss is not finite" },
        { "without a text", "{\"kind\":\"trial-state\",\"trial\":1,\"state\":\"failed\",\"cause\":"
          "\"no-value\",\"text\":\"\",\"value\":null,\"step\":2}",
          "trial 1 failed at epoch 2; no-value" },
        { "pruned", "{\"kind\":\"trial-state\",\"trial\":2,\"state\":\"pruned\",\"cause\":"
          "\"pruned\",\"text\":\"median: worse\",\"value\":0.5,\"step\":2}",
          "trial 2 pruned at epoch 2: val_accuracy 0.5 (best so far); median: worse" },
    };
    struct asy__lines lines = { 0 };
    struct asy__progress p;

    if (kit_study(&p)) {
        for (int i = 0; i < 3; i++) {
            kit_trial(&p, i, "{}", 16);
            kit_event(&p, "{\"kind\":\"report\",\"trial\":%d,\"step\":2,\"metrics\":[]}", i);
        }
        run(&p, &lines, cases, ASY_ARRAY_LEN(cases));
    }
    asy__progress_fini(&p);
}

static void the_end_of_the_study_is_one_line(void)
{
    static const struct case_of cases[] = {
        { "begins", "{\"kind\":\"study-state\",\"state\":\"running\",\"text\":\"\"}", "" },
        { "ends", "{\"kind\":\"study-state\",\"state\":\"stopping\",\"cause\":\"budget-trials\","
          "\"text\":\"2 trials\"}", "" },
        { "first", "{\"kind\":\"trial-state\",\"trial\":0,\"state\":\"pruned\",\"cause\":"
          "\"study-ended\",\"text\":\"x\",\"value\":0.5,\"step\":2}", "" },
        { "second", "{\"kind\":\"trial-state\",\"trial\":1,\"state\":\"pruned\",\"cause\":"
          "\"study-ended\",\"text\":\"x\",\"value\":0.5,\"step\":2}", "" },
        { "over", "{\"kind\":\"study-state\",\"state\":\"finished\",\"text\":\"2 trials\"}",
          "2 trials were not promoted or still under way when the study ended" },
    };
    struct asy__lines lines = { 0 };
    struct asy__progress p;

    if (kit_study(&p)) {
        kit_trial(&p, 0, "{}", 16);
        kit_trial(&p, 1, "{}", 16);
        run(&p, &lines, cases, ASY_ARRAY_LEN(cases));
    }
    asy__progress_fini(&p);
}

static void what_people_do_to_a_study_is_said(void)
{
    static const struct case_of cases[] = {
        { "paused", "{\"kind\":\"study-state\",\"state\":\"paused\",\"cause\":\"user\","
          "\"text\":\"paused by the user\"}", "study digits is paused; paused by the user" },
        { "resumed", "{\"kind\":\"study-state\",\"state\":\"running\",\"text\":\"resumed\"}",
          "study digits is running; resumed" },
        { "stopped", "{\"kind\":\"study-state\",\"state\":\"stopping\",\"cause\":\"user\","
          "\"text\":\"stopped by the user\"}", "study digits is stopping; stopped by the user" },
    };
    struct asy__lines lines = { 0 };
    struct asy__progress p;

    if (kit_study(&p))
        run(&p, &lines, cases, ASY_ARRAY_LEN(cases));
    asy__progress_fini(&p);
}

static void a_sign_of_life_is_one_line(void)
{
    struct asy_buf out = { 0 };
    struct asy__progress p;
    struct asy__view view = { .progress = &p, .left_ms = 125000, .note = "", .hint = "" };

    asy_buf_init(&out, 1u << 16);
    if (kit_study(&p)) {
        kit_trial(&p, 0, "{}", 16);
        kit_report(&p, 0, 1, 0.98765432);
        asy__status_line(&view, &out);
        T_STR("status", out.data, "0 of 8 trials; 1 running, 0 paused, 0 pruned, 0 failed, 0 done; "
              "best val_accuracy 0.98765 (trial 0); about 2 min left");
    }
    asy__progress_fini(&p);
    asy_buf_fini(&out);
}

T_MAIN("cli lines", T_TEST(a_trial_says_what_happens_to_it),
       T_TEST(nothing_is_said_of_a_lease_not_seen), T_TEST(failures_say_why),
       T_TEST(the_end_of_the_study_is_one_line), T_TEST(what_people_do_to_a_study_is_said),
       T_TEST(a_sign_of_life_is_one_line))
