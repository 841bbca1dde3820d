/* SPDX-License-Identifier: Apache-2.0
 * test_fetch.c - files from and to a coordinator elsewhere, over a bulk socket whose every move the
 * test decides: the command fetches, or sends, on a thread of its own. */
#include "../asytest.h"
#include "../folder.h"
#include "session_impl.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define TEXT "accuracy 0.5, then 0.75\n"
#define SIZE (sizeof TEXT - 1)

struct stage {
    struct asy_channel *channel;
    struct asy_server *server;
    struct asy_keypair keys;
    struct asy_arena *arena;
    struct asy_buf frame;
    uint64_t peer;                 /* whom the last message came from */
    /* the command's */
    struct asy__options options;
    struct asy__session session;
    struct asy_bulk want;
    const struct asy_study_spec *spec; /* whose files it sends; NULL: it fetches */
    pthread_t thread;
    int running, refuse;           /* refuse: it can do nothing with what comes */
    char got[100];
    int rc;
    struct asy_error err;
};

static int let_in(void *arg, const char key[ASY_KEY_TEXT])
{
    return !strcmp(arg, key);
}

static int keep(void *arg, const void *bytes, size_t n, struct asy_error *err)
{
    struct stage *s = arg;
    size_t len = strlen(s->got);

    if (s->refuse || n >= sizeof s->got - len)
        return asy_fail(err, ASY_E_NOSPACE, "the disk is full");
    memcpy(s->got + len, bytes, n);
    return 0;
}

static void *command(void *arg)
{
    struct stage *s = arg;

    s->rc = s->spec ? asy__inputs_send(&s->session, s->spec, &s->err)
                    : asy__fetch(&s->session, &s->want, keep, s, &s->err);
    asy_client_destroy(s->session.bulk);
    return NULL;
}

static int open_session(struct stage *s)
{
    struct asy_discovery *found = &s->session.found;

    s->session.options = &s->options;
    s->options.coordinator = "an invitation";
    s->session.channel = s->channel;
    s->session.welcome.bulk_port = (uint32_t)asy_server_port(s->server);
    snprintf(found->endpoints[0], sizeof found->endpoints[0], "tcp://127.0.0.1:%d",
             asy_server_port(s->server));
    snprintf(found->host, sizeof found->host, "far");
    memcpy(found->server_key, s->keys.public_key, ASY_KEY_TEXT);
    asy_buf_init(&s->session.frame, 1u << 16);
    s->want = (struct asy_bulk){ .what = ASY_BULK_STDOUT, .study = asy_id_make(), .attempt = 1 };
    return T_OK(asy_arena_create(1u << 20, &s->session.arena, &s->err), &s->err);
}

static int begin(struct stage *s)
{
    struct asy_server_spec spec = { .interface = "127.0.0.1", .secret_key = s->keys.secret_key,
                                    .authorise = let_in,
                                    .authorise_arg = s->session.keys.public_key };

    asy_buf_init(&s->frame, 1u << 16);
    if (!T_OK(asy_arena_create(1u << 20, &s->arena, &s->err), &s->err) ||
        !T_OK(asy_keypair_make(&s->keys, &s->err), &s->err) ||
        !T_OK(asy_keypair_make(&s->session.keys, &s->err), &s->err) ||
        !T_OK(asy_channel_create(16, &s->channel, &s->err), &s->err) ||
        !T_OK(asy_server_create(s->channel, &spec, &s->server, &s->err), &s->err) ||
        !open_session(s))
        return 0;
    return s->running = T_EQ("thread", pthread_create(&s->thread, NULL, command, s), 0);
}

/* The command has ended. */
static void join(struct stage *s)
{
    if (s->running)
        pthread_join(s->thread, NULL);
    s->running = 0;
}

static void end(struct stage *s)
{
    join(s);
    asy_server_destroy(s->server);
    asy_channel_destroy(s->channel);
    asy_arena_destroy(s->session.arena);
    asy_buf_fini(&s->session.frame);
    asy_arena_destroy(s->arena);
    asy_buf_fini(&s->frame);
}

/* The next message of this kind. */
static int await(struct stage *s, enum asy_bulk_kind kind, struct asy_bulk *ret)
{
    struct asy_error err = ASY_ERROR_INIT;

    for (;;) {
        struct asy_poll_item item = { .server = s->server, .events = POLLIN };
        char key[ASY_KEY_TEXT];
        const void *head, *body;
        size_t n_head, n_body;
        int rc = asy_server_recv_parts(s->server, &s->peer, key, &head, &n_head, &body, &n_body,
                                       &err);

        if (rc == ASY_E_AGAIN && asy_poll(&item, 1, -1, &err) >= 0)
            continue;
        asy_arena_reset(s->arena);
        if (!T_OK(rc, &err) || !T_OK(asy_bulk_decode(head, n_head, s->arena, ret, &err), &err))
            return 0;
        if (ret->kind == kind)
            return 1;
    }
}

static int answer(struct stage *s, const struct asy_bulk *head, const void *body, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;

    asy_buf_clear(&s->frame);
    return T_OK(asy_bulk_encode(head, &s->frame, &err), &err) &&
           T_OK(asy_server_send_parts(s->server, s->peer, s->frame.data, s->frame.len, body, n,
                                      &err), &err);
}

static int answer_data(struct stage *s, uint32_t transfer, size_t from, size_t to, int tree)
{
    struct asy_bulk data = { .kind = ASY_BULK_DATA, .transfer = transfer, .bytes = SIZE,
                             .offset = from, .last = to == SIZE, .tree = tree };

    return answer(s, &data, &TEXT[from], to - from);
}

static int answer_end(struct stage *s, uint32_t transfer, enum asy_code code, const char *text)
{
    struct asy_bulk over = { .kind = ASY_BULK_END, .transfer = transfer, .code = code,
                             .text = text };

    return answer(s, &over, NULL, 0);
}

static void a_refusal_that_passes_is_waited_out(void)
{
    struct stage s = { 0 };
    struct asy_bulk get, next;

    if (!begin(&s) || !await(&s, ASY_BULK_GET, &get) ||
        !answer_data(&s, get.transfer, 0, 10, 0) ||
        !answer_end(&s, get.transfer, ASY_E_AGAIN, "too many transfers are open") ||
        !await(&s, ASY_BULK_GET, &next))
        goto out;
    T_TRUE(next.transfer != get.transfer);
    T_EQ("it goes on", next.offset, 10);
    if (answer_data(&s, next.transfer, 10, SIZE, 0)) {
        join(&s);
        T_OK(s.rc, &s.err);
        T_STR("all of it", s.got, TEXT);
    }
out:
    end(&s);
}

static void a_refusal_that_stays_ends_it(void)
{
    struct stage s = { 0 };
    struct asy_bulk get;

    if (begin(&s) && await(&s, ASY_BULK_GET, &get) &&
        answer_end(&s, get.transfer, ASY_E_NOENT, "no such log")) {
        join(&s);
        T_EQ("code", s.rc, ASY_E_NOENT);
        T_STR("text", s.err.text, "no such log");
    }
    end(&s);
}

/* The coordinator is told at once, and closes the transfer. */
static void what_ends_early_is_cancelled(void)
{
    static const struct {
        const char *name;
        int tree, refuse, interrupt, code;
        const char *text;
    } cases[] = {
        { "a folder", 1, 0, 0, ASY_E_UNSUPPORTED, "run this on the coordinator's host 'far'" },
        { "a full disk", 0, 1, 0, ASY_E_NOSPACE, "the disk is full" },
        { "an interrupt", 0, 0, 1, ASY_E_CANCELLED, "interrupted" },
    };

    asy__interrupts_take();
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct stage s = { .refuse = cases[i].refuse };
        struct asy_bulk get, cancel;

        if (begin(&s) && await(&s, ASY_BULK_GET, &get) &&
            answer_data(&s, get.transfer, 0, 10, cases[i].tree) &&
            (!cases[i].interrupt || T_EQ("sent", pthread_kill(s.thread, SIGINT), 0)) &&
            await(&s, ASY_BULK_CANCEL, &cancel)) {
            join(&s);
            T_EQ(cases[i].name, cancel.transfer, get.transfer);
            T_EQ(cases[i].name, s.rc, cases[i].code);
            T_HAS(cases[i].name, s.err.text, cases[i].text);
        }
        end(&s);
    }
}

/* ---- the other way --------------------------------------------------------------------------- */

/* A study with the same content under two names. */
struct files {
    struct t_folder folder;
    char paths[2][PATH_MAX];
    struct asy_study_input inputs[2];
    struct asy_study_spec spec;
};

static int make_files(struct files *f)
{
    static const char *const names[] = { "one", "two" };
    struct asy_error err = ASY_ERROR_INIT;

    *f = (struct files){ .spec = { .inputs = f->inputs, .n_inputs = 2, .has_inputs = 1 } };
    if (!t_folder_make(&f->folder))
        return 0;
    for (size_t i = 0; i < 2; i++) {
        f->inputs[i].path = t_path(&f->folder, names[i], f->paths[i]);
        f->inputs[i].bytes = SIZE;
        if (!T_TRUE(t_write(f->paths[i], TEXT)) ||
            !T_OK(asy_sha_bytes(TEXT, SIZE, &f->inputs[i].sha, &err), &err))
            return 0;
    }
    return 1;
}

static int let_come(struct stage *s, const struct asy_bulk *put, uint64_t from)
{
    struct asy_bulk credit = { .kind = ASY_BULK_CREDIT, .transfer = put->transfer,
                               .offset = from, .credit = ASY_BULK_CREDITS };

    return answer(s, &credit, NULL, 0);
}

static void equal_content_is_sent_once_from_where_it_ended(void)
{
    struct stage s = { 0 };
    struct asy_bulk put, data;
    struct files f;

    if (!make_files(&f))
        goto out;
    s.spec = &f.spec;
    if (!begin(&s) || !await(&s, ASY_BULK_PUT, &put))
        goto out;
    T_EQ("what", put.what, ASY_BULK_INPUT);
    T_EQ("size", put.bytes, SIZE);
    T_EQ("content", memcmp(&put.sha, &f.inputs[0].sha, sizeof put.sha), 0);
    if (!let_come(&s, &put, 10) || !await(&s, ASY_BULK_DATA, &data))
        goto out;
    T_EQ("it goes on", data.offset, 10);
    if (answer_end(&s, put.transfer, ASY_OK, "")) {
        join(&s);
        T_OK(s.rc, &s.err);
    }
out:
    end(&s);
    t_folder_drop(&f.folder);
}

static void what_the_coordinator_says_of_a_file_is_told(void)
{
    static const struct {
        const char *name;
        enum asy_code code;
        const char *text, *told; /* told NULL: it is offered again */
    } cases[] = {
        { "busy", ASY_E_AGAIN, "too many transfers are open", NULL },
        { "restarted", ASY_E_STATE, "no such transfer is open", NULL },
        { "too much", ASY_E_FULL, "the coordinator keeps 1 MiB", "keeps 1 MiB" },
        { "changed", ASY_E_CORRUPT, "it came with another content", "was changed while it was" },
        { "an older one", ASY_E_UNSUPPORTED, "this is not taken in", "takes no files of studies" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct stage s = { 0 };
        struct asy_bulk put;
        struct files f;
        int ok = make_files(&f);

        s.spec = &f.spec;
        ok = ok && begin(&s) && await(&s, ASY_BULK_PUT, &put) &&
             answer_end(&s, put.transfer, cases[i].code, cases[i].text);
        if (ok && !cases[i].told)
            ok = await(&s, ASY_BULK_PUT, &put) && answer_end(&s, put.transfer, ASY_OK, "");
        if (ok) {
            join(&s);
            T_EQ(cases[i].name, s.rc == 0, cases[i].told == NULL);
            if (cases[i].told)
                T_HAS(cases[i].name, s.err.text, cases[i].told);
        }
        end(&s);
        t_folder_drop(&f.folder);
    }
}

static void a_file_that_was_cut_is_named(void)
{
    struct stage s = { 0 };
    struct asy_bulk put;
    struct files f;

    if (!make_files(&f))
        goto out;
    f.inputs[0].bytes = f.inputs[1].bytes = SIZE + 1; /* as it was read for the study */
    s.spec = &f.spec;
    if (begin(&s) && await(&s, ASY_BULK_PUT, &put) && let_come(&s, &put, 0)) {
        join(&s);
        T_EQ("code", s.rc, ASY_E_INVAL);
        T_HAS("which", s.err.text, "has become shorter");
    }
out:
    end(&s);
    t_folder_drop(&f.folder);
}

T_MAIN("fetch", T_TEST(a_refusal_that_passes_is_waited_out), T_TEST(a_refusal_that_stays_ends_it),
       T_TEST(what_ends_early_is_cancelled),
       T_TEST(equal_content_is_sent_once_from_where_it_ended),
       T_TEST(what_the_coordinator_says_of_a_file_is_told), T_TEST(a_file_that_was_cut_is_named))
