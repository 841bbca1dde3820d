/* SPDX-License-Identifier: Apache-2.0
 * fetch.c - models and logs of a coordinator whose folders are not seen from here: over its bulk
 * socket, as docs/protocol.md says in section 11. What broke off goes on where it was. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/address.h>
#include <asy/clock.h>
#include <asy/hash.h>
#include "session_impl.h"

#define SILENCE_MS 10000 /* then another address is tried */
#define AGAIN_MS 1000    /* after a refusal that passes */
#define QUEUE 16

int asy__session_remote(const struct asy__session *session)
{
    return session->options->coordinator != NULL;
}

const char *asy__session_host(const struct asy__session *session)
{
    return session->found.host;
}

int asy__bulk_connect(struct asy__session *session, struct asy_error *err)
{
    const char *routes[ASY_ENDPOINTS_MAX], *endpoints[ASY_ENDPOINTS_MAX];
    size_t n = asy_discovery_routes(&session->found, routes);
    char texts[ASY_ENDPOINTS_MAX][ASY_ENDPOINT_TEXT];
    struct asy_client_spec spec = { .endpoints = endpoints, .queue = QUEUE,
                                    .server_key = session->found.server_key,
                                    .public_key = session->keys.public_key,
                                    .secret_key = session->keys.secret_key };
    int rc;

    if (session->bulk)
        return 0;
    if (!session->welcome.bulk_port)
        return asy_fail(err, ASY_E_UNSUPPORTED, "the coordinator gives out no files: run this on "
                        "its host '%.64s'", session->found.host);
    for (; spec.n_endpoints < n; spec.n_endpoints++) {
        char *text = texts[spec.n_endpoints];

        if ((rc = asy_address_at_port(routes[spec.n_endpoints], session->welcome.bulk_port, text,
                                      sizeof texts[0], err)) < 0)
            return rc;
        endpoints[spec.n_endpoints] = text;
    }
    return asy_client_create(session->channel, &spec, &session->bulk, err);
}

int asy__bulk_say(struct asy__session *session, struct asy_bulk *head, const void *body, size_t n,
                  struct asy_error *err)
{
    int rc;

    head->store = session->welcome.store;
    asy_buf_clear(&session->frame);
    if ((rc = asy_bulk_encode(head, &session->frame, err)) < 0)
        return rc;
    return asy_client_send_parts(session->bulk, session->frame.data, session->frame.len, body, n,
                                 err);
}

static int send_head(struct asy__session *session, struct asy_bulk *head, struct asy_error *err)
{
    return asy__bulk_say(session, head, NULL, 0, err);
}

int asy__bulk_hear(struct asy__session *session, struct asy_bulk *ret_head, const void **ret_body,
                   size_t *ret_n, struct asy_error *err)
{
    const void *bytes;
    size_t len;
    int rc;

    for (;;) {
        rc = asy_client_recv_parts(session->bulk, &bytes, &len, ret_body, ret_n, err);
        if (rc < 0)
            return rc;
        asy_arena_reset(session->arena);
        if (asy_bulk_decode(bytes, len, session->arena, ret_head, NULL) == 0)
            return 0;
    }
}

struct fetch {
    const struct asy_bulk *want;
    asy__fetched_f each;
    void *arg;
    uint64_t at;                 /* up to where it has come */
    uint32_t transfer;           /* that is open; 0: none */
    int64_t ask_ms;              /* when it may be asked for */
    int64_t heard_ms, moved_ms;  /* when anything came; when some of it came */
    struct asy_error busy;       /* the coordinator's last word; code 0: it is silent */
};

/* Asks for what is still missing. ASY_E_AGAIN: not connected yet. */
static int ask_on(struct asy__session *session, struct fetch *fetch, struct asy_error *err)
{
    struct asy_bulk head = *fetch->want;
    int rc;

    head.kind = ASY_BULK_GET;
    head.transfer = ++session->transfer;
    head.offset = fetch->at;
    head.credit = ASY_BULK_CREDITS;
    if ((rc = send_head(session, &head, err)) == 0)
        fetch->transfer = head.transfer;
    return rc;
}

/* The next message of the transfer. ASY_E_AGAIN: none has come yet. */
static int next_message(struct asy__session *session, uint32_t transfer, struct asy_bulk *ret_head,
                        const void **ret_body, size_t *ret_n, struct asy_error *err)
{
    int rc;

    do
        rc = asy__bulk_hear(session, ret_head, ret_body, ret_n, err);
    while (rc == 0 && (ret_head->transfer != transfer || !transfer));
    return rc;
}

int asy__bulk_unreachable(const struct asy__session *session, struct asy_error *err)
{
    if (asy_client_state(session->bulk) > ASY_WAY_OPEN)
        asy__advise_ways(session->bulk);
    return asy_fail(err, ASY_E_GONE, "port %u of '%.64s', over which files travel, does not "
                    "answer: it must be reachable from here like the coordinator's own; or run "
                    "this there", session->welcome.bulk_port, session->found.host);
}

/* 1: it is asked for again. */
static int take_end(struct fetch *fetch, const struct asy_bulk *head, struct asy_error *err)
{
    fetch->transfer = 0;
    if (head->code != ASY_E_AGAIN)
        return head->code ? asy_fail(err, (enum asy_code)head->code, "%s", head->text) : 0;
    ASY_IGNORE(asy_fail(&fetch->busy, ASY_E_AGAIN, "%s", head->text)); /* it passes */
    fetch->ask_ms = fetch->heard_ms + AGAIN_MS;
    return 1;
}

/* What came in one message. 1: there is more. */
static int take(struct asy__session *session, struct fetch *fetch, const struct asy_bulk *head,
                const void *body, size_t n, struct asy_error *err)
{
    struct asy_bulk credit = { .kind = ASY_BULK_CREDIT, .transfer = head->transfer, .credit = 1 };
    int rc;

    fetch->heard_ms = asy_clock_ms();
    if (head->kind == ASY_BULK_END)
        return take_end(fetch, head, err);
    fetch->moved_ms = fetch->heard_ms;
    if (head->kind != ASY_BULK_DATA)
        return 1;
    if (head->tree)
        return asy_fail(err, ASY_E_UNSUPPORTED, "it is a folder, and only files are fetched: run "
                        "this on the coordinator's host '%.64s'", session->found.host);
    if (head->offset != fetch->at)
        return asy_fail(err, ASY_E_CORRUPT, "a piece came that does not follow the last one");
    if (head->last)
        fetch->transfer = 0;
    if ((rc = fetch->each(fetch->arg, body, n, err)) < 0)
        return rc;
    fetch->at += n;
    if (head->last)
        return 0;
    ASY_IGNORE(send_head(session, &credit, NULL)); /* else the silence asks anew */
    return 1;
}

/* 1: there is more to come. */
static int step(struct asy__session *session, struct fetch *fetch, struct asy_error *err)
{
    struct asy_poll_item item = { .client = session->bulk, .fd = -1, .events = POLLIN };
    int64_t now_ms = asy_clock_ms();
    struct asy_bulk head;
    const void *body;
    size_t n;
    int rc;

    if (!fetch->transfer && now_ms >= fetch->ask_ms && (rc = ask_on(session, fetch, err)) < 0 &&
        rc != ASY_E_AGAIN)
        return rc;
    if ((rc = next_message(session, fetch->transfer, &head, &body, &n, err)) == 0)
        return take(session, fetch, &head, body, n, err);
    if (rc != ASY_E_AGAIN)
        return rc;
    if (now_ms - fetch->moved_ms > ASY__PATIENCE_MS)
        return fetch->busy.code ? asy_fail(err, fetch->busy.code, "%s", fetch->busy.text)
                                : asy__bulk_unreachable(session, err);
    if (now_ms - fetch->heard_ms > SILENCE_MS) {
        fetch->heard_ms = now_ms;
        fetch->busy.code = 0;
        fetch->transfer = 0;
        if ((rc = asy_client_next(session->bulk, err)) < 0)
            return rc;
    }
    return asy_poll(&item, 1, ASY__STEP_MS, err) < 0 ? ASY_E_IO : 1;
}

int asy__fetch(struct asy__session *session, const struct asy_bulk *want, asy__fetched_f each,
               void *arg, struct asy_error *err)
{
    int64_t now_ms = asy_clock_ms();
    struct fetch fetch = { .want = want, .each = each, .arg = arg, .at = want->offset,
                           .heard_ms = now_ms, .moved_ms = now_ms, .busy = ASY_ERROR_INIT };
    struct asy_bulk cancel = { .kind = ASY_BULK_CANCEL };
    int rc = asy__bulk_connect(session, err), interrupts = asy__interrupts();

    if (rc < 0)
        return rc;
    while ((rc = step(session, &fetch, err)) == 1)
        if (asy__interrupts() != interrupts) {
            rc = asy_fail(err, ASY_E_CANCELLED, "interrupted");
            break;
        }
    cancel.transfer = fetch.transfer;
    if (fetch.transfer)
        ASY_IGNORE(send_head(session, &cancel, NULL)); /* else it finds out by our silence */
    return rc;
}

/* ---- models ---------------------------------------------------------------------------------- */

struct copy {
    int fd;
    struct asy_sha_state *sha;
};

static int write_all(void *arg, const void *bytes, size_t n, struct asy_error *err)
{
    struct copy *copy = arg;
    const char *at = bytes;

    asy_sha_update(copy->sha, bytes, n);
    while (n > 0) {
        ssize_t wrote = write(copy->fd, at, n);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return asy_fail_errno(err, errno, "cannot write a copy of the model");
        at += wrote;
        n -= (size_t)wrote;
    }
    return 0;
}

static int fetch_model(struct asy__session *session, const struct asy_bulk *want, int fd,
                       struct asy_error *err)
{
    struct copy copy = { .fd = fd };
    struct asy_sha sha;
    int rc = asy_sha_create(&copy.sha, err);

    if (rc == 0 && (rc = asy__fetch(session, want, write_all, &copy, err)) == 0) {
        sha = asy_sha_final(copy.sha);
        if (memcmp(&sha, &want->sha, sizeof sha))
            rc = asy_fail(err, ASY_E_CORRUPT, "the model is damaged: its hash differs");
    }
    asy_sha_destroy(copy.sha);
    return rc;
}

int asy__model_get(struct asy__session *session, const char *study_id, int64_t trial,
                   const struct asy_json *model, struct asy__model *ret_model,
                   struct asy_error *err)
{
    const char *sha = asy_json_str(asy_json_get(model, "sha256"), "");
    struct asy_bulk want = { .what = ASY_BULK_MODEL, .trial = (uint64_t)trial };
    int fd, rc;

    *ret_model = (struct asy__model){ .copied = asy__session_remote(session) };
    if (!ret_model->copied) {
        snprintf(ret_model->path, sizeof ret_model->path, "%s",
                 asy_json_str(asy_json_get(model, "path"), ""));
        return 0;
    }
    if ((rc = asy_id_parse(study_id, strlen(study_id), &want.study, err)) < 0 ||
        (rc = asy_sha_parse(sha, strlen(sha), &want.sha, err)) < 0)
        return rc;
    snprintf(ret_model->path, sizeof ret_model->path, "/tmp/assay-model-XXXXXX");
    if ((fd = mkostemp(ret_model->path, O_CLOEXEC)) < 0)
        return asy_fail_errno(err, errno, "cannot make a file in /tmp");
    rc = fetch_model(session, &want, fd, err);
    close(fd);
    if (rc < 0) {
        asy_error_prefix(err, "the model of trial %lld", (long long)trial);
        asy__model_drop(ret_model);
    }
    return rc;
}

const struct asy__model *asy__model_file(const char *path, struct asy__model *ret_model)
{
    *ret_model = (struct asy__model){ .copied = 0 };
    snprintf(ret_model->path, sizeof ret_model->path, "%s", path);
    return ret_model;
}

void asy__model_drop(struct asy__model *model)
{
    if (model->copied && model->path[0])
        unlink(model->path);
    model->path[0] = '\0';
}
