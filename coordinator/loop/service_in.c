/* SPDX-License-Identifier: Apache-2.0
 * service_in.c - what comes in: frames of peers, letters of the threads, signals. Each becomes an
 * input of core; a frame that is none, or an answer from the store,
 * does not come so far. */
#include "service_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/log.h>
#include <asy/told.h>
#include "crash.h"

#define ROUND_FRAMES 512
#define WARN_MS 10000
#define TEXTS_MAX ((size_t)256 << 20) /* of the live studies of one owner */
#define BATCH_EVENTS 256 /* then a commit is handed over in the middle of a round */

static int take_frame(struct asy_service *service, uint64_t peer, const char *key,
                      const void *bytes, size_t len, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_msg msg = { 0 };
    struct asy_input input = { .type = ASY_IN_MSG, .peer = peer };
    struct asy_key_info info;
    int rc;

    asy_arena_reset(service->arena);
    rc = asy_msg_decode(bytes, len, service->arena, &msg, &why);
    if (rc < 0 && rc != ASY_E_UNSUPPORTED) {
        service->no_frames++;
        if (asy_log_due(&service->warned_ms, WARN_MS))
            asy_warn("peer=%llx with key '%s' sent a frame that is none of ours, ignoring it: %s",
                     (unsigned long long)peer, key, why.text);
        return 0;
    }
    if ((rc = asy__peers_heard(&service->peers, peer, service->now_ms, err)) < 0)
        return rc;
    if (msg.type == ASY_MSG_REPORTS)
        asy__crash_point("coordinator.before_reports");
    else if (msg.type == ASY_MSG_CONTROL)
        asy__crash_point("coordinator.before_control");
    input.msg.msg = &msg;
    input.msg.key = input.msg.proved = key;
    if (msg.type == ASY_MSG_HELLO && !asy__service_known(service, &input, key, &info))
        return 0;
    return asy__service_feed(service, &input, err);
}

int asy__service_take_frames(struct asy_service *service, int *ret_empty, struct asy_error *err)
{
    *ret_empty = 0;
    for (int i = 0; i < ROUND_FRAMES; i++) {
        struct asy_error why = ASY_ERROR_INIT;
        char key[ASY_KEY_TEXT];
        const void *bytes;
        uint64_t peer;
        size_t len;
        int rc = asy_server_recv(service->server, &peer, key, &bytes, &len, &why);

        if (rc == ASY_E_AGAIN) {
            *ret_empty = 1;
            return 0;
        }
        if (rc < 0)
            return asy_fail(err, (enum asy_code)rc, "%s", why.text);
        if ((rc = take_frame(service, peer, key, bytes, len, err)) < 0)
            return rc;
        if (service->open && service->open->n >= BATCH_EVENTS)
            asy__service_seal(service);
    }
    return 0;
}

static int take_written(struct asy_service *service, const struct asy__written *written,
                        struct asy_error *err)
{
    struct asy_input input = { .type = ASY_IN_DURABLE };
    int rc;

    if (written->rc == ASY_E_NOSPACE) {
        if (!service->full.code)
            asy_logerr("store: %s; nothing new is leased or taken, trying again every second",
                       written->text);
        asy_fail(&service->full, ASY_E_NOSPACE, "%s", written->text);
        asy_gate_let_ask(service->gate);
        input.type = ASY_IN_FAILED_COMMIT;
        input.store.text = written->text;
        input.store.ok = 0;
        return asy__service_feed(service, &input, err);
    }
    if (written->rc < 0)
        return asy_fail(err, (enum asy_code)written->rc, "%s", written->text);
    if (service->full.code)
        asy_info("store: there is space again, going on");
    service->full.code = ASY_OK;
    asy__crash_point("coordinator.before_release");
    asy_gate_durable(service->gate, written->commit);
    service->durable = written->commit;
    input.durable.commit = written->commit;
    if ((rc = asy__service_feed(service, &input, err)) < 0)
        return rc;
    input.type = ASY_IN_FAILED_COMMIT;
    input.store.text = "";
    input.store.ok = 1;
    return asy__service_feed(service, &input, err);
}

int asy__service_take_written(struct asy_service *service, struct asy_error *err)
{
    struct asy__letter *letter, *next;
    int rc = 0;

    for (letter = asy__mail_take(&service->mail); letter; letter = next) {
        next = letter->next;
        if (rc == 0)
            rc = take_written(service, (const struct asy__written *)letter, err);
        free(letter);
    }
    return rc;
}

int asy__service_take_answers(struct asy_service *service, struct asy_error *err)
{
    struct asy__letter *letter, *next;
    int rc = 0;

    for (letter = asy__mail_take(&service->answers); letter; letter = next) {
        asy__crash_point("coordinator.before_answer");
        next = letter->next;
        if (rc == 0)
            rc = asy__service_feed(service, &((const struct asy__answer *)letter)->input, err);
        free(letter);
    }
    return rc;
}

int asy__service_take_results(struct asy_service *service, struct asy_error *err)
{
    struct asy__letter *letter, *next;
    int rc = 0;

    for (letter = asy__mail_take(&service->results); letter; letter = next) {
        struct asy__query_answer *answer = (struct asy__query_answer *)letter;

        next = letter->next;
        if (rc == 0)
            rc = asy__service_reply(service, answer->peer, answer->session, answer->request,
                                    answer->rc, answer->err.text,
                                    answer->rc ? NULL : answer->json.data,
                                    answer->rc ? 0 : answer->json.len, answer->more, err);
        asy_buf_fini(&answer->json);
        free(letter);
    }
    return rc;
}

static void add_text(void *arg, const char *text)
{
    asy_buf_add(arg, text, strlen(text) + 1);
}

/* Those of all live studies of its owner. Too many of them are no answer. */
static void fill_texts(const struct asy_service *service, struct asy__bulk_ask *ask)
{
    struct asy_buf buf;

    asy_buf_init(&buf, TEXTS_MAX);
    asy_core_study_texts(service->core, ask->owner, add_text, &buf);
    ask->found = buf.rc == 0;
    ask->text = ask->found ? asy_buf_take(&buf, &ask->text_len) : NULL;
    asy_buf_fini(&buf);
}

static int fill_text(const struct asy_service *service, struct asy__bulk_ask *ask,
                     struct asy_error *err)
{
    const char *owner = NULL, *text = asy_core_study_text(service->core, ask->study, &owner);

    if (text && !(ask->text = strdup(text)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a study");
    if (text)
        snprintf(ask->owner, sizeof ask->owner, "%s", owner);
    return 0;
}

/* The ask is handed over, and may be gone at once. */
static int take_ask(struct asy_service *service, struct asy__bulk_ask *ask, struct asy_error *err)
{
    int rc = 0;

    if (ask->gone) {
        rc = asy__query_remove(service->query, ask->gone, err);
        asy__bulk_ask_free(ask);
        return rc;
    }
    if (ask->what)
        return asy__service_look(service, ask, err);
    if (ask->texts)
        fill_texts(service, ask);
    else
        rc = fill_text(service, ask, err);
    asy__bulk_answer(service->bulk, ask);
    return rc;
}

int asy__service_take_asks(struct asy_service *service, struct asy_error *err)
{
    struct asy__letter *letter, *next;
    int rc = 0;

    for (letter = asy__mail_take(&service->asks); letter; letter = next) {
        next = letter->next;
        if ((rc = take_ask(service, (struct asy__bulk_ask *)letter, err)) < 0)
            return rc;
    }
    return 0;
}

int asy__service_take_signals(struct asy_service *service, struct asy_error *err)
{
    struct signalfd_siginfo info;
    int rc = 0;

    while (rc == 0 && read(service->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        struct asy_input input = { .type = ASY_IN_DRAIN };

        if (asy_told(&service->told, (int)info.ssi_signo)) {
            asy_info("second signal, ending at once");
            service->quit = 1;
            return 0;
        }
        if (service->drains++)
            continue;
        asy_info("signal=%u draining: trials checkpoint and pause", info.ssi_signo);
        rc = asy__service_feed(service, &input, err);
    }
    return rc;
}
