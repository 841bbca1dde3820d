/* SPDX-License-Identifier: Apache-2.0
 * test_bulk.c - the bulk thread with a client on its socket; the test itself answers what the
 * thread asks of the store, in whatever order and as often as it likes. */
#include "bulk_kit.h"
#include <dirent.h>
#include <stdatomic.h>
#include <asy/clock.h>
#include <asy/durable.h>

/* ---- waits that fail ------------------------------------------------------------------------- */

static atomic_int fails, n_failed; /* of the thread's waits */

int __real_asy_poll(struct asy_poll_item *items, size_t n, int timeout_ms, struct asy_error *err);
int __wrap_asy_poll(struct asy_poll_item *items, size_t n, int timeout_ms, struct asy_error *err);

int __wrap_asy_poll(struct asy_poll_item *items, size_t n, int timeout_ms, struct asy_error *err)
{
    if (!items[0].server || !atomic_load(&fails))
        return __real_asy_poll(items, n, timeout_ms, err);
    atomic_fetch_add(&n_failed, 1);
    return asy_fail(err, ASY_E_IO, "the test wants no wait");
}

/* ---- cases ----------------------------------------------------------------------------------- */

static struct asy_bulk get_log(const struct place *p, uint32_t transfer, struct asy_id study)
{
    return (struct asy_bulk){ .kind = ASY_BULK_GET, .transfer = transfer,
                              .what = ASY_BULK_STDOUT, .study = study, .attempt = 1, .credit = 1,
                              .store = p->store };
}

static bool hear_log(struct place *p, uint32_t transfer, const char *text)
{
    struct event ev;

    return next(p, &ev) && T_TRUE(!ev.ask) && T_EQ("a piece", ev.head.kind, ASY_BULK_DATA) &&
           T_EQ("of it", ev.head.transfer, transfer) && T_STR("the log", ev.body, text);
}

static void an_answer_is_for_its_question_alone(void)
{
    enum { STUDY, TRIAL, ATTEMPT, SHA };
    static const char *const names[] = { [STUDY] = "of another study", [TRIAL] = "another trial",
                                         [ATTEMPT] = "another attempt", [SHA] = "other content" };
    struct asy__bulk_ask *ask, *other;
    struct asy_bulk head;
    struct place p;

    if (!place_open(&p))
        goto out;
    for (int i = 0; i < (int)ASY_ARRAY_LEN(names); i++) {
        head = get_log(&p, (uint32_t)i + 1, p.his);
        if (!say(&p, &head) || !(ask = hear_ask(&p)))
            goto out;
        other = calloc(1, sizeof *other);
        *other = *ask;
        if (i == STUDY)
            other->study = p.hers;
        other->trial += i == TRIAL;
        other->attempt += i == ATTEMPT;
        other->sha.b[0] ^= i == SHA;
        answer(&p, other, p.ada.public_key);
        answer(&p, ask, p.ben.public_key);
        if (!hear_end(&p, names[i], ASY_E_DENIED))
            goto out;
    }
    head = get_log(&p, 1, p.hers);
    if (say(&p, &head) && (ask = hear_ask(&p))) {
        answer(&p, ask, p.ada.public_key);
        hear_log(&p, 1, "hers");
    }
out:
    place_close(&p);
}

/* Until the thread has taken the answer before. */
static struct asy__bulk_ask *ask_anew(struct place *p, const struct asy_bulk *head)
{
    struct event ev;

    do
        if (!say(p, head) || !next(p, &ev))
            return NULL;
    while (!ev.ask && T_EQ("not yet", ev.head.code, ASY_E_AGAIN));
    return ev.ask;
}

/* As often as it is asked for under one number, for another's study, or given up in between. */
static void a_transfer_has_one_question_to_the_store(void)
{
    struct asy__bulk_ask *ask;
    struct asy_bulk head;
    struct place p;

    if (!place_open(&p))
        goto out;
    head = get_log(&p, 1, p.hers);
    if (!say(&p, &head) || !(ask = hear_ask(&p)))
        goto out;
    for (int i = 0; i < 100; i++) {
        struct asy_bulk cancel = { .kind = ASY_BULK_CANCEL, .transfer = 1 };

        head.study = i % 2 ? p.hers : p.his;
        if ((i == 50 && !say(&p, &cancel)) || !say(&p, &head) ||
            !hear_end(&p, "while it is asked", ASY_E_AGAIN)) {
            answer(&p, ask, p.ada.public_key);
            goto out;
        }
    }
    answer(&p, ask, p.ada.public_key); /* nobody wants it now */
    for (int i = 0; i < 2; i++) {
        head = get_log(&p, (uint32_t)i + 1, p.hers);
        if (!(ask = ask_anew(&p, &head)))
            goto out;
        answer(&p, ask, p.ada.public_key);
        if (!hear_log(&p, (uint32_t)i + 1, "hers"))
            goto out;
    }
out:
    place_close(&p);
}

/* Those that were given up count. */
static void a_peer_has_as_many_questions_as_transfers(void)
{
    enum { MOST = 64 };
    struct asy__bulk_ask *asks[MOST] = { NULL };
    struct asy_bulk head, cancel = { .kind = ASY_BULK_CANCEL };
    struct place p;
    int n = 0;

    if (!place_open(&p))
        goto out;
    for (; n < MOST; n++) {
        head = get_log(&p, (uint32_t)n + 1, p.hers);
        cancel.transfer = head.transfer;
        if (!say(&p, &head) || !(asks[n] = hear_ask(&p)) || !say(&p, &cancel))
            goto out;
    }
    head = get_log(&p, MOST + 1, p.hers);
    if (say(&p, &head))
        hear_end(&p, "one more", ASY_E_AGAIN);
out:
    while (n > 0)
        answer(&p, asks[--n], p.ada.public_key);
    place_close(&p);
}

/* They are the loop's to read as long as the bulk thread is not destroyed, which works then too. */
static void counts_outlive_a_wait_that_fails(void)
{
    struct asy_server_counts counts;
    struct asy__bulk_ask *ask;
    struct asy_bulk head;
    struct place p;
    uint64_t denied;

    if (!place_open(&p))
        goto out;
    for (int i = 0; i < 2; i++) {
        head = get_log(&p, 1, p.hers);
        if (!(ask = ask_anew(&p, &head)))
            goto out;
        answer(&p, ask, p.ada.public_key);
        if (!hear_log(&p, 1, "hers"))
            goto out;
        atomic_store(&n_failed, 0);
        atomic_store(&fails, 1);
        asy__bulk_over(p.bulk, p.his); /* wakes it */
        do { /* a further thread counts who was let in */
            poll(NULL, 0, 1);
            asy__bulk_counts(p.bulk, &counts, &denied);
        } while (atomic_load(&n_failed) < 2 || counts.accepted < 1);
        T_EQ("connections", counts.accepted, 1);
        atomic_store(&fails, i);
    }
out:
    place_close(&p);
    atomic_store(&fails, 0);
}

/* ---- what is not wanted any more ------------------------------------------------------------- */

/* A file is handed on for its removal: still there, under a name that nobody else asks for. */
static bool hear_gone(struct place *p, const char *what, off_t size)
{
    struct asy__bulk_ask *ask = hear_ask(p);
    struct stat st;
    bool ok = ask && T_TRUE(ask->gone) && T_HAS(what, ask->gone, "/artifacts/.part-gone-") &&
              T_EQ(what, stat(ask->gone, &st), 0) && T_EQ(what, st.st_size, size);

    asy__bulk_ask_free(ask);
    return ok;
}

static struct asy_bulk put_checkpoint(const struct place *p, uint32_t transfer)
{
    return (struct asy_bulk){ .kind = ASY_BULK_PUT, .transfer = transfer, .store = p->store,
                              .what = ASY_BULK_CHECKPOINT, .study = p->hers, .attempt = 1,
                              .report = transfer, .bytes = 9 };
}

/* What bears this name's beginning, and not that one's (NULL: whichever). */
static int n_named(const struct place *p, const char *name, const char *but)
{
    char folder[PATH_MAX];
    struct dirent *entry;
    DIR *dir;
    int n = 0;

    if (!T_TRUE((dir = opendir(t_path(&p->folder, "artifacts", folder))) != NULL))
        return -1;
    while ((entry = readdir(dir)))
        n += !strncmp(entry->d_name, name, strlen(name)) &&
             (!but || strncmp(entry->d_name, but, strlen(but)) != 0);
    closedir(dir);
    return n;
}

static int n_parts(const struct place *p)
{
    return n_named(p, ".part-", ".part-gone-");
}

/* A first transfer whose beginning comes, and that is cancelled. */
static bool say_whose_part(struct place *p, const struct asy_bulk *put, const char *bytes, size_t n)
{
    struct asy_bulk data = { .kind = ASY_BULK_DATA, .transfer = put->transfer }, heard;
    struct asy_bulk cancel = { .kind = ASY_BULK_CANCEL, .transfer = put->transfer };

    return say(p, put) && say_whose(p, NULL, 0) && hear(p, ASY_BULK_CREDIT, &heard) &&
           say_with(p, &data, bytes, n) && hear(p, ASY_BULK_CREDIT, &heard) && say(p, &cancel);
}

/* Large ones take their time, and the thread has none: it hands them on. */
static void what_is_cancelled_is_removed_by_others(void)
{
    static const char bytes[(64 << 10) + 1] = "some";
    struct asy_bulk put, heard;
    struct place p;

    if (!place_open(&p))
        goto out;
    put = put_checkpoint(&p, 1);
    put.bytes = sizeof bytes + 1;
    if (!say_whose_part(&p, &put, bytes, sizeof bytes))
        goto out;
    hear_gone(&p, "the part", sizeof bytes);
    T_EQ("parts", n_parts(&p), 0);
    if (say(&p, &put) && hear(&p, ASY_BULK_CREDIT, &heard))
        T_EQ("it begins anew", heard.offset, 0);
out:
    place_close(&p);
}

/* Whoever cancels again and again must not make files faster than they are removed. */
static void a_small_part_is_gone_at_once(void)
{
    struct asy_bulk put;
    struct event ev;
    struct place p;

    if (!place_open(&p))
        goto out;
    put = put_checkpoint(&p, 1);
    if (!say_whose_part(&p, &put, "some", 4) || !say(&p, &put) || !next(&p, &ev))
        goto out;
    T_TRUE(!ev.ask); /* no letter */
    asy__bulk_ask_free(ev.ask);
    T_EQ("it begins anew", ev.head.kind, ASY_BULK_CREDIT);
    T_EQ("from its start", ev.head.offset, 0);
    T_EQ("parts, with those to be removed", n_named(&p, ".part-", NULL), 1);
out:
    place_close(&p);
}

/* The loop is at work, and no commit ends: a piece waits, but not for ever. */
static void files_come_through_though_no_commit_does(void)
{
    static char bytes[1 << 20];
    struct asy_bulk put, data = { .kind = ASY_BULK_DATA, .transfer = 1 }, heard;
    struct asy_error err = ASY_ERROR_INIT;
    struct place p;

    if (!place_open(&p))
        goto out;
    asy__traffic_sealed(&p.traffic, 1, INT64_MAX / 2); /* however long the test takes */
    put = put_checkpoint(&p, 1);
    put.bytes = sizeof bytes;
    if (T_OK(asy_sha_bytes(bytes, sizeof bytes, &put.sha, &err), &err) && say(&p, &put) &&
        say_whose(&p, NULL, 0) && hear(&p, ASY_BULK_CREDIT, &heard) &&
        say_with(&p, &data, bytes, sizeof bytes) && hear(&p, ASY_BULK_END, &heard))
        T_EQ("it is there", heard.code, 0);
out:
    place_close(&p);
}

static bool tree_sha(const struct place *p, struct asy_sha *ret)
{
    struct asy_error err = ASY_ERROR_INIT;
    char path[PATH_MAX];

    return T_EQ("folder", mkdir(t_path(&p->folder, "tree", path), 0700), 0) &&
           T_TRUE(t_write(t_path(&p->folder, "tree/a", path), "hello")) &&
           T_OK(asy_durable_tree_sha(t_path(&p->folder, "tree", path), ret, NULL, &err), &err);
}

static void the_stream_of_a_folder_is_removed_by_others(void)
{
    struct asy_bulk put, data = { .kind = ASY_BULK_DATA, .transfer = 1 }, heard;
    struct place p;

    if (!place_open(&p))
        goto out;
    put = put_checkpoint(&p, 1);
    put.tree = 1;
    if (!tree_sha(&p, &put.sha) || !say(&p, &put) || !say_whose(&p, NULL, 0) ||
        !hear(&p, ASY_BULK_CREDIT, &heard) || !say_with(&p, &data, "5 a\nhello", 9) ||
        !hear_gone(&p, "the stream", 9) || !hear(&p, ASY_BULK_END, &heard))
        goto out;
    T_EQ("it is there", heard.code, 0);
    T_EQ("parts", n_parts(&p), 0);
out:
    place_close(&p);
}

/* Two files are handed on; then it begins anew, and either that is answered (1) or the end of the
 * first one is (0). */
static int begin_anew(struct place *p, struct asy_bulk *put)
{
    struct event ev;
    int gone = 0, ended = 0;

    while (gone < 2) {
        if (!next(p, &ev))
            return -1;
        gone += ev.ask != NULL;
        ended |= !ev.ask && ev.head.kind == ASY_BULK_END;
        asy__bulk_ask_free(ev.ask);
    }
    if (ended)
        return 0;
    put->transfer += 1000;
    if (!say(p, put))
        return -1;
    do
        if (!next(p, &ev) || !T_TRUE(!ev.ask))
            return -1;
    while (ev.head.kind != ASY_BULK_END && ev.head.transfer != put->transfer);
    return ev.head.kind == ASY_BULK_CREDIT;
}

/* A stream of three chunks, of another content than its hash says, and at once that it is not
 * wanted. 1: it was given up; 0: it was a folder, and found wrong, before that was heard; < 0: the
 * test has failed. */
static int give_up_a_folder(struct place *p, uint32_t transfer, const char *stream, size_t size)
{
    struct asy_bulk put = put_checkpoint(p, transfer), heard;
    struct asy_bulk cancel = { .kind = ASY_BULK_CANCEL, .transfer = transfer };
    size_t n;

    put.tree = 1;
    put.bytes = size;
    if (!say(p, &put) || (transfer == 1 && !say_whose(p, NULL, 0)) ||
        !hear(p, ASY_BULK_CREDIT, &heard))
        return -1;
    for (size_t at = 0; at < size; at += n) {
        struct asy_bulk data = { .kind = ASY_BULK_DATA, .transfer = transfer, .offset = at };

        n = size - at < ASY_BULK_CHUNK ? size - at : ASY_BULK_CHUNK;
        if (!say_with(p, &data, stream + at, n))
            return -1;
    }
    return say(p, &cancel) ? begin_anew(p, &put) : -1;
}

/* While it is made others are heard: whoever gives it up, at once. */
static void a_folder_in_the_making_holds_up_nobody(void)
{
    enum { SIZE = 3 << 20, TRIES = 50 };
    char *stream = malloc(SIZE + 64);
    struct place p;
    int head, rc = 0;

    if (!place_open(&p) || !T_TRUE(stream != NULL))
        goto out;
    head = snprintf(stream, 64, "%d a\n", SIZE - 64);
    memset(stream + head, 'x', SIZE - 64);
    for (uint32_t i = 1; rc == 0 && i <= TRIES; i++)
        rc = give_up_a_folder(&p, i, stream, (size_t)head + SIZE - 64);
    T_EQ("it was given up in the making", rc, 1);
out:
    place_close(&p);
    free(stream);
}

/* Of a coordinator that died while they were removed. */
static void what_was_handed_on_before_a_death_is_handed_on_again(void)
{
    char path[PATH_MAX];
    struct place p;

    if (!place_open(&p))
        goto out;
    asy__bulk_destroy(p.bulk);
    p.bulk = NULL;
    T_TRUE(t_write(t_path(&p.folder, "artifacts/.part-gone-1", path), "left"));
    T_TRUE(t_write(t_path(&p.folder, "artifacts/.part-x.tree", path), "of a tree"));
    if (start(&p)) {
        struct asy__bulk_ask *first = hear_ask(&p), *second = hear_ask(&p);

        T_TRUE(first && first->gone && second && second->gone);
        T_EQ("parts", n_parts(&p), 0);
        asy__bulk_ask_free(first);
        asy__bulk_ask_free(second);
    }
out:
    place_close(&p);
}

T_MAIN("bulk", T_TEST(an_answer_is_for_its_question_alone),
       T_TEST(a_transfer_has_one_question_to_the_store),
       T_TEST(a_peer_has_as_many_questions_as_transfers),
       T_TEST(counts_outlive_a_wait_that_fails),
       T_TEST(what_is_cancelled_is_removed_by_others),
       T_TEST(a_small_part_is_gone_at_once), T_TEST(files_come_through_though_no_commit_does),
       T_TEST(the_stream_of_a_folder_is_removed_by_others),
       T_TEST(a_folder_in_the_making_holds_up_nobody),
       T_TEST(what_was_handed_on_before_a_death_is_handed_on_again))
