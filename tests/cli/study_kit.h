/* SPDX-License-Identifier: Apache-2.0
 * study_kit.h - a study as the coordinator would tell of it, for the tests of what is made of
 * it. */
#ifndef STUDY_KIT_H
#define STUDY_KIT_H
#include <asytest.h>
#include "progress.h"

#define KIT_STUDY                                                                                  \
    "{\"name\":\"digits\",\"state\":\"running\",\"text\":\"\",\"created_us\":1000,\"last_seq\":1," \
    "\"spec\":{\"run\":{\"length\":{\"unit\":\"epochs\",\"max\":16}},"                             \
    "\"objective\":{\"metric\":\"val_accuracy\",\"goal\":\"maximize\",\"take\":\"best\"},"         \
    "\"search\":{\"pruner\":{\"name\":\"asha\"}},"                                                 \
    "\"budget\":{\"trials\":8,\"time\":\"10m\"}}}"

static inline struct asy_json *kit_json(const char *text)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;

    T_OK(asy_json_parse(text, strlen(text), &root, &err), &err);
    return root;
}

static inline bool kit_study(struct asy__progress *p)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = kit_json(KIT_STUDY);
    bool ok = root && T_OK(asy__progress_init(p, root, &err), &err);

    asy_json_destroy(root);
    return ok;
}

__attribute__((format(printf, 2, 3))) static inline void kit_event(struct asy__progress *p,
                                                                   const char *fmt, ...)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *event;
    char text[1000];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if ((event = kit_json(text)))
        T_OK(asy__progress_event(p, event, &err), &err);
    asy_json_destroy(event);
}

/* A trial from nothing to a state at a step, with a value of its objective. */
static inline void kit_trial(struct asy__progress *p, int number, const char *params, int until)
{
    kit_event(p, "{\"kind\":\"trial-created\",\"trial\":%d,\"params\":%s}", number, params);
    kit_event(p, "{\"kind\":\"leased\",\"trial\":%d,\"attempt\":1,\"milestone\":%d,"
              "\"from\":{\"attempt\":0,\"step\":0}}", number, until);
    kit_event(p, "{\"kind\":\"started\",\"trial\":%d,\"attempt\":1}", number);
}

static inline void kit_report(struct asy__progress *p, int number, int step, double value)
{
    kit_event(p, "{\"kind\":\"report\",\"trial\":%d,\"step\":%d,\"metrics\":["
              "{\"name\":\"samples_per_s\",\"value\":500},"
              "{\"name\":\"val_accuracy\",\"value\":%.17g}]}", number, step, value);
}

static inline void kit_state(struct asy__progress *p, int number, const char *state, int step)
{
    kit_event(p, "{\"kind\":\"trial-state\",\"trial\":%d,\"state\":\"%s\",\"value\":null,"
              "\"step\":%d}", number, state, step);
}
#endif
