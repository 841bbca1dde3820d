/* SPDX-License-Identifier: Apache-2.0
 * test_gain.c - what of a study's events lasts. */
#include <asytest.h>
#include "gain.h"

#define LEASED(trial, step) \
    "{\"kind\":\"leased\",\"trial\":" #trial ",\"from\":{\"attempt\":1,\"step\":" #step "}}"
#define CHECKPOINT(trial, step)                                                                    \
    "{\"kind\":\"checkpoint\",\"trial\":" #trial                                                   \
    ",\"checkpoint\":{\"attempt\":2,\"step\":" #step "}}"
#define STATE(name) "{\"kind\":\"trial-state\",\"trial\":3,\"state\":\"" name "\"}"

static const struct {
    const char *name, *events[4];
    int any;
} cases[] = {
    { "nothing", { NULL }, 0 },
    { "reports", { LEASED(3, 0), "{\"kind\":\"report\",\"trial\":3,\"step\":9}" }, 0 },
    { "a lost attempt", { LEASED(3, 0), "{\"kind\":\"ended\",\"trial\":3,\"end\":\"lost\"}",
                          STATE("queued") }, 0 },
    { "a first checkpoint", { LEASED(3, 0), CHECKPOINT(3, 1) }, 1 },
    { "a newer one", { LEASED(3, 4), CHECKPOINT(3, 5) }, 1 },
    { "the same step again", { LEASED(3, 4), CHECKPOINT(3, 4) }, 0 },
    { "an older one", { LEASED(3, 4), CHECKPOINT(3, 2) }, 0 },
    { "each trial has its own", { LEASED(3, 4), LEASED(900, 1), CHECKPOINT(900, 2) }, 1 },
    { "the newest lease counts", { LEASED(3, 1), LEASED(3, 4), CHECKPOINT(3, 3) }, 0 },
    { "the lease was not seen", { CHECKPOINT(3, 2) }, 1 },
    { "what was gained stays", { STATE("complete"), STATE("queued") }, 1 },
    { "pruned", { STATE("pruned") }, 1 },
    { "failed", { STATE("failed") }, 1 },
    { "paused", { STATE("paused") }, 0 },
    { "a new trial", { "{\"kind\":\"trial-created\",\"trial\":4}" }, 0 },
    { "the study's own", { "{\"kind\":\"study-state\",\"state\":\"failed\"}" }, 0 },
};

static int feed(struct asy__gain *gain, const char *text, struct asy_error *err)
{
    struct asy_json *event = NULL;
    int rc = asy_json_parse(text, strlen(text), &event, err);

    if (rc == 0)
        rc = asy__gain_event(gain, event, err);
    asy_json_destroy(event);
    return rc;
}

static void only_ends_and_newer_checkpoints_last(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__gain gain = { .any = 0 };

        for (size_t k = 0; k < ASY_ARRAY_LEN(cases[i].events) && cases[i].events[k]; k++)
            T_OK(feed(&gain, cases[i].events[k], &err), &err);
        T_EQ(cases[i].name, gain.any, cases[i].any);
        asy__gain_fini(&gain);
    }
}

static void an_event_about_no_trial_is_refused(void)
{
    static const char *const trials[] = { "-1", "4294967296", "\"x\"" };
    struct asy__gain gain = { .any = 0 };

    for (size_t i = 0; i < ASY_ARRAY_LEN(trials); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        char text[80];

        snprintf(text, sizeof text, "{\"kind\":\"leased\",\"trial\":%s}", trials[i]);
        T_EQ(trials[i], feed(&gain, text, &err), ASY_E_FORMAT);
    }
    asy__gain_fini(&gain);
}

T_MAIN("cli gain", T_TEST(only_ends_and_newer_checkpoints_last),
       T_TEST(an_event_about_no_trial_is_refused))
