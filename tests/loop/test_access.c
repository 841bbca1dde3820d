/* SPDX-License-Identifier: Apache-2.0
 * test_access.c - a real coordinator, its owner, and a second user who tries what is not hers: a
 * session of the owner's, files of the owner's study, and to stay when her key is taken away. Each
 * is refused, counted and logged. And the owner, who hands over one model twice. */
#include <asytest.h>
#include <poll.h>
#include <unistd.h>
#include <asy/bulk.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/study.h>
#include "../bench/coordinator.h"

#define PATIENCE_MS 300000
#define SPEC "assay: 1\nname: secret\nobjective: {metric: loss, goal: minimize}\n"                \
             "parameters: {x: {min: 0.0, max: 1.0}}\nrun: {command: [run]}\nbudget: {trials: 1}\n"

struct line { /* one connection */
    struct asy_client *client;
    struct asy_id session;
    struct asy_arena *arena;
    struct asy_buf frame;
};
struct place {
    struct coordinator c;
    char home[64], authorized[128], input[128];
    struct asy_keyring *ring;
    struct asy_keypair ada;
    struct asy_id study;
    struct asy_sha sha; /* of its input */
};

/* ---- lines ----------------------------------------------------------------------------------- */

static bool line_open(struct line *l, const struct place *p, const struct asy_keypair *who,
                      uint32_t port)
{
    const char *control = p->c.found.endpoints[0], *colon = strrchr(control, ':');
    char endpoint[160];
    const char *endpoints[] = { endpoint };
    struct asy_client_spec spec = { endpoints, 1, p->c.found.server_key, who->public_key,
                                    who->secret_key };
    struct asy_error err = ASY_ERROR_INIT;

    memset(l, 0, sizeof *l);
    asy_buf_init(&l->frame, ASY_FRAME_MAX);
    snprintf(endpoint, sizeof endpoint, "%s", control);
    if (port)
        snprintf(endpoint, sizeof endpoint, "%.*s:%u", (int)(colon - control), control, port);
    return T_OK(asy_arena_create(16u << 20, &l->arena, &err), &err) &&
           T_OK(asy_client_create(p->c.channel, &spec, &l->client, &err), &err);
}

static void line_close(struct line *l)
{
    asy_client_destroy(l->client);
    asy_arena_destroy(l->arena);
    asy_buf_fini(&l->frame);
}

static bool late(int64_t start_ms, const char *what)
{
    return asy_clock_ms() - start_ms > PATIENCE_MS &&
           (t__check(false, __LINE__, __FILE__, "waited in vain for %s", what), true);
}

static bool put(struct line *l)
{
    int64_t start_ms = asy_clock_ms();
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    while ((rc = asy_client_send(l->client, l->frame.data, l->frame.len, &err)) == ASY_E_AGAIN &&
           !late(start_ms, "room")) {
        struct asy_poll_item item = { .client = l->client, .fd = -1, .events = POLLOUT };

        ASY_IGNORE(asy_poll(&item, 1, 50, NULL) < 0); /* the next try says it */
    }
    return T_OK(rc, &err);
}

/* A message, or the head of one. */
static bool get(struct line *l, const void **bytes, size_t *len)
{
    const void *body;
    size_t n;
    int64_t start_ms = asy_clock_ms();
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    while ((rc = asy_client_recv_parts(l->client, bytes, len, &body, &n, &err)) == ASY_E_AGAIN &&
           !late(start_ms, "an answer")) {
        struct asy_poll_item item = { .client = l->client, .fd = -1, .events = POLLIN };

        ASY_IGNORE(asy_poll(&item, 1, 50, NULL) < 0);
    }
    asy_arena_reset(l->arena);
    return T_OK(rc, &err);
}

static bool say(struct line *l, const struct asy_msg *msg)
{
    struct asy_error err = ASY_ERROR_INIT;

    asy_buf_clear(&l->frame);
    return T_OK(asy_msg_encode(msg, &l->frame, &err), &err) && put(l);
}

/* The next that is no probe of the connection. */
static bool hear(struct line *l, enum asy_msg_type want, struct asy_msg *ret)
{
    struct asy_error err = ASY_ERROR_INIT;
    const void *bytes;
    size_t len;

    do
        if (!get(l, &bytes, &len) || !T_OK(asy_msg_decode(bytes, len, l->arena, ret, &err), &err))
            return false;
    while (ret->type == ASY_MSG_PONG);
    return T_STR("answer", asy_msg_type_name(ret->type), asy_msg_type_name(want));
}

static bool greet(struct line *l)
{
    struct asy_msg msg = { .type = ASY_MSG_HELLO };

    msg.hello.role = ASY_ROLE_CLIENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.minor = ASY_PROTOCOL_MINOR;
    msg.hello.walltime_left_ms = -1;
    if (!say(l, &msg) || !hear(l, ASY_MSG_WELCOME, &msg))
        return false;
    l->session = msg.session;
    return true;
}

static bool ask_file(struct line *l, const struct asy_bulk *head, struct asy_bulk *ret)
{
    struct asy_error err = ASY_ERROR_INIT;
    const void *bytes;
    size_t len;

    asy_buf_clear(&l->frame);
    return T_OK(asy_bulk_encode(head, &l->frame, &err), &err) && put(l) && get(l, &bytes, &len) &&
           T_OK(asy_bulk_decode(bytes, len, l->arena, ret, &err), &err);
}

/* ---- the coordinator ------------------------------------------------------------------------- */

static bool submit(struct place *p)
{
    struct asy_study_input input = { .path = p->input, .bytes = 6 };
    struct asy_study_spec *spec = NULL, *listed = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    bool ok = T_OK(asy_durable_write(p->input, "secret", 6, 0600, &err), &err) &&
              T_OK(asy_sha_bytes("secret", 6, &input.sha, &err), &err) &&
              T_OK(asy_study_parse(SPEC, strlen(SPEC), "test", p->home, &spec, NULL, &err), &err) &&
              T_OK(asy_study_with_inputs(spec, &input, 1, &listed, &err), &err) &&
              T_OK(coordinator_submit(&p->c, listed->canonical, &p->study, &err), &err);

    p->sha = input.sha;
    asy_study_destroy(listed);
    asy_study_destroy(spec);
    return ok;
}

static bool place_open(struct place *p)
{
    struct asy_error err = ASY_ERROR_INIT;

    memset(p, 0, sizeof *p);
    snprintf(p->home, sizeof p->home, "/tmp/assay-access-XXXXXX");
    if (!T_TRUE(mkdtemp(p->home) != NULL))
        return false;
    snprintf(p->authorized, sizeof p->authorized, "%s/keys/authorized", p->home);
    snprintf(p->input, sizeof p->input, "%s/input", p->home);
    return T_OK(coordinator_init(&p->c, PROGRAMS, p->home, &err), &err) &&
           T_OK(coordinator_start(&p->c, 16, &err), &err) &&
           T_OK(asy_keypair_make(&p->ada, &err), &err) &&
           T_OK(asy_keyring_load(p->authorized, &p->ring, &err), &err) &&
           T_OK(asy_keyring_add(p->ring, p->ada.public_key, "ada", &err), &err) && submit(p);
}

static void place_close(struct place *p)
{
    coordinator_fini(&p->c);
    asy_keyring_destroy(p->ring);
    ASY_IGNORE(asy_durable_remove(p->home, NULL)); /* a folder of the system's own to clean */
}

/* A number of `connections`, or of `files` in it, as the owner is told it. */
static int64_t count(struct place *p, const char *part, const char *name, char text[64])
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    const struct asy_json *at;
    int64_t n = -1;
    size_t workers;

    if (T_OK(coordinator_workers(&p->c, &workers, &err), &err) &&
        T_OK(asy_json_parse(p->c.json.data, p->c.json.len, &root, &err), &err)) {
        at = asy_json_get(root, "connections");
        if (part)
            at = asy_json_get(at, part);
        n = asy_json_i64(asy_json_get(at, name), -1);
        if (text)
            snprintf(text, 64, "%s", asy_json_str(asy_json_get(at, name), ""));
    }
    asy_json_destroy(root);
    return n;
}

static bool await_count(struct place *p, const char *part, const char *name, int64_t least)
{
    int64_t start_ms = asy_clock_ms();

    while (count(p, part, name, NULL) < least)
        if (late(start_ms, name))
            return false;
        else
            usleep(10000);
    return true;
}

/* Lines come a while after what they tell. */
static bool await_log(const struct place *p, const char *part)
{
    int64_t start_ms = asy_clock_ms();
    struct asy_error err = ASY_ERROR_INIT;
    char path[128], *text = NULL;
    bool found = false;
    size_t len;

    snprintf(path, sizeof path, "%s/coordinator.log", p->home);
    while (!found && !late(start_ms, part)) {
        if (!T_OK(asy_read_file(path, 1u << 20, &text, &len, &err), &err))
            return false;
        found = strstr(text, part) != NULL;
        free(text);
        usleep(found ? 0 : 10000);
    }
    return found;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void another_user_s_session_is_of_no_use(void)
{
    struct place p;
    struct line line = { 0 };
    struct asy_msg msg;
    char key[64];

    if (!place_open(&p) || !line_open(&line, &p, &p.ada, 0) || !greet(&line))
        goto out;
    for (int greeted = 1; greeted >= 0; greeted--) {
        msg = (struct asy_msg){ .type = ASY_MSG_CONTROL, .session = p.c.session };
        msg.control.verb = ASY_CONTROL_STOP;
        msg.control.request = 1;
        msg.control.study = "secret";
        if (!say(&line, &msg) || !hear(&line, ASY_MSG_REHELLO, &msg))
            goto out;
        line_close(&line); /* the next one has not greeted at all */
        if (!line_open(&line, &p, &p.ada, 0))
            goto out;
    }
    T_EQ("counted", count(&p, NULL, "foreign_sessions", NULL), 2);
    count(&p, NULL, "last_foreign_key", key);
    T_STR("whose", key, p.ada.public_key);
    T_TRUE(await_log(&p, "messages that bore another connection's session"));
    T_TRUE(await_log(&p, "(ada)"));
    msg = (struct asy_msg){ .type = ASY_MSG_QUERY };
    if (greet(&line)) {
        msg.session = line.session;
        msg.query.request = 2;
        msg.query.what = "study";
        msg.query.study = "secret";
        msg.query.trial = msg.query.after = msg.query.limit = -1;
        if (say(&line, &msg) && hear(&line, ASY_MSG_REPLY, &msg))
            T_EQ("with her own she sees hers", msg.reply.code, ASY_E_NOENT);
    }
out:
    line_close(&line);
    place_close(&p);
}

static void another_user_s_files_are_not_given(void)
{
    static const struct {
        const char *name;
        enum asy_bulk_kind kind;
        enum asy_bulk_what what;
        const char *why;
    } cases[] = {
        { "an input", ASY_BULK_GET, ASY_BULK_INPUT, "the study is another user's" },
        { "a checkpoint", ASY_BULK_GET, ASY_BULK_CHECKPOINT, "the study is another user's" },
        { "a model", ASY_BULK_GET, ASY_BULK_MODEL, "the study is another user's" },
        { "a log", ASY_BULK_GET, ASY_BULK_STDERR, "the study is another user's" },
        { "a model of hers", ASY_BULK_PUT, ASY_BULK_MODEL, "the study is another user's" },
        { "a log of hers", ASY_BULK_LOG, ASY_BULK_STDOUT, "the study is another user's" },
    };
    struct place p;
    struct line ada = { 0 }, owner = { 0 };
    struct asy_bulk answer = { 0 };

    if (!place_open(&p) || !line_open(&ada, &p, &p.ada, p.c.bulk_port) ||
        !line_open(&owner, &p, &p.c.user, p.c.bulk_port))
        goto out;
    for (size_t i = 0; i <= ASY_ARRAY_LEN(cases); i++) {
        struct asy_bulk head = { .kind = ASY_BULK_GET, .what = ASY_BULK_INPUT,
                                 .transfer = (uint32_t)i + 1, .credit = 1, .bytes = 6,
                                 .sha = p.sha, .study = p.study, .store = p.c.found.store };

        if (i == ASY_ARRAY_LEN(cases)) { /* the same as the first, but it is his */
            if (ask_file(&owner, &head, &answer))
                T_EQ("his own", answer.kind == ASY_BULK_DATA || answer.kind == ASY_BULK_CREDIT, 1);
            break;
        }
        head.kind = cases[i].kind;
        head.what = cases[i].what;
        head.report = head.what == ASY_BULK_CHECKPOINT;
        if (!ask_file(&ada, &head, &answer))
            goto out;
        T_EQ(cases[i].name, answer.kind, ASY_BULK_END);
        T_EQ(cases[i].name, answer.code, ASY_E_DENIED);
        T_STR(cases[i].name, answer.text, cases[i].why);
    }
    T_EQ("counted", count(&p, "files", "denied", NULL), ASY_ARRAY_LEN(cases));
    T_TRUE(await_log(&p, "requests for what is another user's"));
out:
    line_close(&ada);
    line_close(&owner);
    place_close(&p);
}

/* The owner hands over "secret" as a model. Whether its bytes were wanted. */
static bool hand_over(struct line *l, const struct place *p, uint32_t transfer, int *ret_wanted,
                      char path[256])
{
    struct asy_bulk head = { .kind = ASY_BULK_PUT, .what = ASY_BULK_MODEL, .transfer = transfer,
                             .bytes = 6, .sha = p->sha, .study = p->study,
                             .store = p->c.found.store }, answer = { 0 };
    struct asy_bulk data = { .kind = ASY_BULK_DATA, .transfer = transfer };
    struct asy_error err = ASY_ERROR_INIT;
    const void *bytes;
    size_t len;

    *ret_wanted = 0;
    if (!ask_file(l, &head, &answer))
        return false;
    while (answer.kind != ASY_BULK_END) {
        if (answer.credit > 0 && !*ret_wanted) {
            *ret_wanted = 1;
            asy_buf_clear(&l->frame);
            if (!T_OK(asy_bulk_encode(&data, &l->frame, &err), &err) ||
                !T_OK(asy_client_send_parts(l->client, l->frame.data, l->frame.len, "secret", 6,
                                            &err), &err))
                return false;
        }
        if (!get(l, &bytes, &len) ||
            !T_OK(asy_bulk_decode(bytes, len, l->arena, &answer, &err), &err))
            return false;
    }
    snprintf(path, 256, "%.255s", answer.text);
    return T_EQ("code", answer.code, 0);
}

static void an_equal_model_need_not_come_again(void)
{
    struct place p;
    struct line owner = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    char path[256], again[256], *text = NULL;
    int wanted;
    size_t len;

    if (!place_open(&p) || !line_open(&owner, &p, &p.c.user, p.c.bulk_port) ||
        !hand_over(&owner, &p, 1, &wanted, path))
        goto out;
    T_EQ("the first is taken", wanted, 1);
    if (!hand_over(&owner, &p, 2, &wanted, again))
        goto out;
    T_EQ("it is there", wanted, 0);
    T_STR("where", again, path);
    if (!T_OK(asy_durable_write(path, "terces", 6, 0600, &err), &err) ||
        !hand_over(&owner, &p, 3, &wanted, again))
        goto out;
    T_EQ("what is damaged is replaced", wanted, 1);
    if (T_OK(asy_read_file(path, 100, &text, &len, &err), &err))
        T_STR("content", text, "secret");
    free(text);
    T_TRUE(await_log(&p, "is there, but damaged: taking it anew"));
out:
    line_close(&owner);
    place_close(&p);
}

/* Both her connections end, and none is opened again. */
static void a_revoked_key_is_out_at_both_ports(void)
{
    struct place p;
    struct line control = { 0 }, files = { 0 };
    struct asy_bulk head = { .kind = ASY_BULK_GET, .what = ASY_BULK_INPUT, .transfer = 1 }, answer;
    struct asy_error err = ASY_ERROR_INIT;
    size_t n;

    if (!place_open(&p) || !line_open(&control, &p, &p.ada, 0) || !greet(&control) ||
        !line_open(&files, &p, &p.ada, p.c.bulk_port))
        goto out;
    head.study = p.study;
    head.store = p.c.found.store;
    if (!ask_file(&files, &head, &answer)) /* she is heard */
        goto out;
    T_EQ("not refused", count(&p, NULL, "refused_keys", NULL), 0);
    if (!T_OK(asy_keyring_remove(p.ring, "ada", &n, &err), &err))
        goto out;
    /* Her clients connect anew because the connections that they had were ended. */
    T_TRUE(await_count(&p, NULL, "refused_keys", 1));
    T_TRUE(await_count(&p, "files", "refused_keys", 1));
    T_TRUE(await_log(&p, "keys were revoked, ended=1 connections"));
    T_TRUE(await_log(&p, "connections at the control port"));
    T_TRUE(await_log(&p, "connections at the file port"));
    T_TRUE(await_log(&p, p.ada.public_key));
out:
    line_close(&control);
    line_close(&files);
    place_close(&p);
}

T_MAIN("access", T_TEST(another_user_s_session_is_of_no_use),
       T_TEST(another_user_s_files_are_not_given), T_TEST(a_revoked_key_is_out_at_both_ports),
       T_TEST(an_equal_model_need_not_come_again))
