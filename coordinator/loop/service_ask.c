/* SPDX-License-Identifier: Apache-2.0
 * service_ask.c - questions: what tells of the moment core answers here and now, all else goes to
 * whoever reads the store, along with what core says of it. */
#include "service_impl.h"
#include <string.h>
#include <asy/clock.h>

static void write_counts(const struct asy_server_counts *counts, uint64_t also_bad,
                         struct asy_jsonw *w)
{
    asy_jsonw_u64(w, "accepted", counts->accepted);
    asy_jsonw_u64(w, "refused_keys", counts->refused_keys);
    asy_jsonw_u64(w, "failed_handshakes", counts->failed_handshakes);
    asy_jsonw_u64(w, "bad_frames", counts->bad_frames + also_bad);
    asy_jsonw_str(w, "last_refused_key", counts->refused_key);
    asy_jsonw_str(w, "last_refused_from", counts->refused_from);
    asy_jsonw_str(w, "last_failed_from", counts->failed_from);
    asy_jsonw_str(w, "last_failed_why", counts->failed_why);
}

static void write_connections(const struct asy_service *service, struct asy_jsonw *w)
{
    struct asy_server_counts counts;
    const char *key;
    uint64_t n;

    asy_server_counts(service->server, &counts);
    asy_jsonw_open(w, "connections", '{');
    write_counts(&counts, service->no_frames, w);
    asy_jsonw_u64(w, "foreign_sessions", asy_core_foreign_sessions(service->core, &key));
    asy_jsonw_str(w, "last_foreign_key", key);
    asy__bulk_counts(service->bulk, &counts, &n);
    asy_jsonw_open(w, "files", '{');
    write_counts(&counts, 0, w);
    asy_jsonw_u64(w, "denied", n);
    asy_jsonw_close(w, '}');
    asy_jsonw_close(w, '}');
}

/* What core says of the moment, as the members of an object. */
static int write_live(struct asy_service *service, const struct asy_effect *fx, const char *what,
                      struct asy_buf *json, struct asy_error *err)
{
    const struct asy_msg *msg = &fx->msg;
    struct asy_jsonw w;
    int rc = 0;

    asy_buf_init(json, 64u << 20);
    asy_jsonw_init(&w, json, 0);
    asy_jsonw_open(&w, NULL, '{');
    if (!strcmp(what, "workers")) {
        asy_core_write_workers(service->core, fx->key, asy_clock_ms(), &w);
        write_connections(service, &w);
    } else if (!strcmp(what, "explain-worker"))
        rc = asy_core_explain_worker(service->core, fx->key, msg->query.arg, &w, err);
    else if (!strcmp(what, "explain"))
        rc = asy_core_explain(service->core, fx->key, msg->query.study, msg->query.trial, &w, err);
    else
        rc = asy_core_write_study(service->core, fx->key, msg->query.study, &w, err);
    asy_jsonw_close(&w, '}');
    return rc < 0 ? rc : asy_buf_check(json, "the answer", err);
}

static int answer_live(struct asy_service *service, const struct asy_effect *fx, const char *what,
                       struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_buf json = { 0 };
    int code = write_live(service, fx, what, &json, &why), rc;

    if (code == ASY_E_NOENT && !strcmp(what, "explain-worker")) { /* one that is gone, maybe */
        asy_buf_fini(&json);
        return asy__query_put(service->query, fx, NULL, err);
    }
    rc = asy__service_reply(service, fx->peer, fx->msg.session, fx->msg.query.request, code,
                            why.text, code ? NULL : json.data, code ? 0 : json.len, 0, err);
    asy_buf_fini(&json);
    return rc;
}

/* What core says goes along with the question; what has ended the store knows alone. */
static int ask_why(struct asy_service *service, const struct asy_effect *fx, struct asy_error *err)
{
    struct asy_buf json = { 0 };
    int live = write_live(service, fx, "explain", &json, NULL) == 0;
    int rc = asy__query_put(service->query, fx, live ? json.data : NULL, err);

    asy_buf_fini(&json);
    return rc;
}

int asy__service_ask(struct asy_service *service, const struct asy_effect *fx,
                     struct asy_error *err)
{
    const char *what = fx->msg.type == ASY_MSG_QUERY ? fx->msg.query.what : NULL;

    what = what ? what : "";
    if (!strcmp(what, "workers") || !strcmp(what, "explain-worker") || !strcmp(what, "live"))
        return answer_live(service, fx, what, err);
    return !strcmp(what, "explain") ? ask_why(service, fx, err)
                                    : asy__query_put(service->query, fx, NULL, err);
}
