/* SPDX-License-Identifier: Apache-2.0
 * test_inputs.c - files that users elsewhere send before they submit what names them: kept for
 * those who sent them alone, as far as their quota goes. */
#include "bulk_kit.h"
#include <fcntl.h>

#define N 100                     /* bytes of a file */
#define WEIGHT (N + 4096)         /* that it counts for */

static char *content(char letter)
{
    static char bytes[N];

    memset(bytes, letter, sizeof bytes);
    return bytes;
}

static struct asy_bulk offer_of(const struct place *p, uint32_t transfer, char letter)
{
    struct asy_bulk put = { .kind = ASY_BULK_PUT, .what = ASY_BULK_INPUT, .transfer = transfer,
                            .store = p->store, .bytes = N };
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_sha_bytes(content(letter), N, &put.sha, &err), &err);
    return put;
}

/* 1: it was wanted, 0: it is there, < 0: it is refused, or the test has failed. */
static int offer(struct place *p, uint32_t transfer, char letter)
{
    struct asy_bulk put = offer_of(p, transfer, letter);
    struct event ev;

    if (!say(p, &put) || !next(p, &ev) || !T_TRUE(!ev.ask))
        return ASY_E_IO;
    if (ev.head.kind == ASY_BULK_CREDIT)
        return 1;
    return T_EQ("an answer", ev.head.kind, ASY_BULK_END) ? ev.head.code : ASY_E_IO;
}

static bool hand_over(struct place *p, uint32_t transfer, char letter)
{
    struct asy_bulk data = { .kind = ASY_BULK_DATA, .transfer = transfer };
    struct asy_bulk end;

    return T_EQ("it is wanted", offer(p, transfer, letter), 1) &&
           say_with(p, &data, content(letter), N) && hear(p, ASY_BULK_END, &end) &&
           T_EQ("it is kept", end.code, 0);
}

static struct asy_study_input input_of(char letter)
{
    struct asy_study_input input = { .path = "/nowhere/x", .place = "x", .bytes = N };
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_sha_bytes(content(letter), N, &input.sha, &err), &err);
    return input;
}

/* As a worker asks for it; whose: of the study that names it. */
static bool fetch(struct place *p, uint32_t transfer, char letter, const char *whose,
                  struct event *ret)
{
    struct asy_study_input input = input_of(letter);
    struct asy_bulk get = { .kind = ASY_BULK_GET, .what = ASY_BULK_INPUT, .transfer = transfer,
                            .study = asy_id_make(), .sha = input.sha, .bytes = N, .credit = 1,
                            .store = p->store };
    struct asy__bulk_ask *ask;

    if (!say(p, &get) || !(ask = hear_ask(p)))
        return false;
    ask->text = canonical(&input, 1);
    answer(p, ask, whose);
    return next(p, ret) && T_TRUE(!ret->ask);
}

/* It is handed on to who removes files. */
static bool hear_removed(struct place *p, char letter)
{
    struct asy__bulk_ask *ask = hear_ask(p);
    char body[N] = "";
    bool ok = ask && T_TRUE(ask->gone != NULL);
    int fd = ok ? open(ask->gone, O_RDONLY | O_CLOEXEC) : -1;

    ok = ok && T_TRUE(fd >= 0 && read(fd, body, sizeof body) == N) &&
         T_EQ("which", body[0], letter);
    if (fd >= 0)
        close(fd);
    asy__bulk_ask_free(ask);
    return ok;
}

static void what_was_sent_is_given_to_workers(void)
{
    struct event ev;
    struct place p;

    if (place_open(&p) && hand_over(&p, 1, 'a') && fetch(&p, 2, 'a', p.ada.public_key, &ev)) {
        T_EQ("a piece", ev.head.kind, ASY_BULK_DATA);
        T_EQ("all of it", ev.head.bytes, N);
        T_TRUE(ev.head.last && ev.body[0] == 'a');
        T_EQ("it is not sent again", offer(&p, 3, 'a'), 0);
    }
    place_close(&p);
}

static void what_broke_off_goes_on_where_it_was(void)
{
    struct asy_bulk put, end, data = { .kind = ASY_BULK_DATA, .transfer = 1 };
    struct asy_client *first = NULL;
    struct place p;

    if (!place_open(&p) || !T_EQ("wanted", offer(&p, 1, 'a'), 1) ||
        !say_with(&p, &data, content('a'), 30) || !hear(&p, ASY_BULK_CREDIT, &put))
        goto out;
    first = p.client;
    p.client = NULL;
    if (!join(&p, &p.ada, &p.client)) /* the first connection is still there: it is overtaken */
        goto out;
    put = offer_of(&p, 7, 'a');
    data = (struct asy_bulk){ .kind = ASY_BULK_DATA, .transfer = 7, .offset = 30 };
    if (say(&p, &put) && hear(&p, ASY_BULK_CREDIT, &put) && T_EQ("from where", put.offset, 30) &&
        say_with(&p, &data, content('a'), 70) && hear(&p, ASY_BULK_END, &end))
        T_EQ("it is whole", end.code, 0);
out:
    asy_client_destroy(first);
    place_close(&p);
}

static void other_content_is_refused(void)
{
    struct asy_bulk data = { .kind = ASY_BULK_DATA, .transfer = 1 };
    struct place p;

    if (place_open(&p) && T_EQ("wanted", offer(&p, 1, 'a'), 1) &&
        say_with(&p, &data, content('b'), N) && hear_removed(&p, 'b') &&
        hear_end(&p, "it came", ASY_E_CORRUPT))
        T_EQ("it is wanted still", offer(&p, 2, 'a'), 1);
    place_close(&p);
}

/* Neither by offering what another has sent, nor by a study that names it. */
static void who_knows_a_hash_gets_nothing_by_it(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_client *hers = NULL;
    struct event ev;
    struct place p;

    if (!place_open(&p) ||
        !T_OK(asy_keyring_add(p.ring, p.ben.public_key, "ben", &err), &err) ||
        !hand_over(&p, 1, 'a'))
        goto out;
    hers = p.client;
    p.client = NULL;
    if (!join(&p, &p.ben, &p.client))
        goto out;
    T_EQ("he must send it himself", offer(&p, 1, 'a'), 1);
    if (fetch(&p, 2, 'a', p.ben.public_key, &ev)) {
        T_EQ("his study", ev.head.kind, ASY_BULK_END);
        T_EQ("names nothing", ev.head.code, ASY_E_INVAL);
    }
out:
    asy_client_destroy(hers);
    place_close(&p);
}

static void workers_send_none(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_keypair worker;
    struct asy_client *hers = NULL;
    struct place p;

    if (!place_open(&p) || !T_OK(asy_keypair_make(&worker, &err), &err) ||
        !T_OK(asy_keyring_add_worker(p.ring, worker.public_key, p.ada.public_key, "w", &err),
              &err))
        goto out;
    hers = p.client;
    p.client = NULL;
    if (join(&p, &worker, &p.client))
        T_EQ("denied", offer(&p, 1, 'a'), ASY_E_DENIED);
out:
    asy_client_destroy(hers);
    place_close(&p);
}

/* ---- the quota ------------------------------------------------------------------------------- */

/* As if it had been sent, and last offered, long ago. */
static bool make_old(const struct place *p, char letter)
{
    const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_nsec = UTIME_OMIT } };
    struct asy_study_input input = input_of(letter);
    char path[PATH_MAX], user[ASY_SHA_TEXT], hex[ASY_SHA_TEXT];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sha sha;

    if (!T_OK(asy_sha_bytes(p->ada.public_key, strlen(p->ada.public_key), &sha, &err), &err))
        return false;
    snprintf(path, sizeof path, "%.3000s/inputs/%.32s/%s", p->home, asy_sha_format(sha, user),
             asy_sha_format(input.sha, hex));
    return T_EQ("made old", utimensat(AT_FDCWD, path, times, 0), 0);
}

/* The loop says what her live studies name: nothing (0), or a file. */
static bool say_named(struct place *p, char letter)
{
    struct asy_study_input input = letter ? input_of(letter) : (struct asy_study_input){ 0 };
    struct asy__bulk_ask *ask = hear_ask(p);

    if (!ask || !T_TRUE(ask->texts) || !T_STR("whose", ask->owner, p->ada.public_key))
        return false;
    ask->found = 1;
    if (letter && (ask->text = canonical(&input, 1)))
        ask->text_len = strlen(ask->text) + 1;
    asy__bulk_answer(p->bulk, ask);
    return true;
}

/* What live studies name stays, and what was sent just now, whatever else is wanted. */
static void what_nobody_names_makes_room(void)
{
    struct asy_bulk put, answer;
    struct place p;

    if (!place_open_with(&p, 3 * WEIGHT + 10) || !hand_over(&p, 1, 'a') ||
        !hand_over(&p, 2, 'b') || !hand_over(&p, 3, 'c'))
        goto out;
    put = offer_of(&p, 4, 'd');
    if (!say(&p, &put) || !say_named(&p, 0) || !hear_end(&p, "all are new", ASY_E_FULL) ||
        !make_old(&p, 'a') || !make_old(&p, 'b') || !say(&p, &put) || !say_named(&p, 'a') ||
        !hear_removed(&p, 'b') || !hear(&p, ASY_BULK_CREDIT, &answer))
        goto out;
    T_EQ("what is named stays", offer(&p, 5, 'a'), 0);
    T_EQ("what is new stays", offer(&p, 6, 'c'), 0);
    put = offer_of(&p, 7, 'b');
    if (say(&p, &put) && say_named(&p, 'a')) /* the one that is on its way counts */
        hear_end(&p, "there is no more room", ASY_E_FULL);
out:
    place_close(&p);
}

static void what_never_fits_is_refused_at_once(void)
{
    struct asy_bulk put;
    struct event ev;
    struct place p;

    if (!place_open_with(&p, 1 << 20))
        goto out;
    put = offer_of(&p, 1, 'a');
    put.bytes = UINT64_MAX;
    if (!say(&p, &put) || !next(&p, &ev) || !T_TRUE(!ev.ask))
        goto out;
    T_EQ("code", ev.head.code, ASY_E_FULL);
    T_HAS("why", ev.head.text, "keeps 1 MiB of files for each user ('input_quota' there)");
out:
    place_close(&p);
}

/* What lies there when a coordinator starts counts as well. */
static void a_new_coordinator_knows_what_there_is(void)
{
    struct asy_bulk put;
    struct place p;

    if (!place_open_with(&p, 2 * WEIGHT + 10) || !hand_over(&p, 1, 'a') ||
        !hand_over(&p, 2, 'b'))
        goto out;
    asy_client_destroy(p.client);
    p.client = NULL;
    asy__bulk_destroy(p.bulk);
    p.bulk = NULL;
    if (!start(&p) || !join(&p, &p.ada, &p.client))
        goto out;
    T_EQ("it has it", offer(&p, 1, 'a'), 0);
    put = offer_of(&p, 2, 'c');
    if (say(&p, &put) && say_named(&p, 'a'))
        hear_end(&p, "full", ASY_E_FULL);
out:
    place_close(&p);
}

T_MAIN("inputs", T_TEST(what_was_sent_is_given_to_workers),
       T_TEST(what_broke_off_goes_on_where_it_was), T_TEST(other_content_is_refused),
       T_TEST(who_knows_a_hash_gets_nothing_by_it), T_TEST(workers_send_none),
       T_TEST(what_nobody_names_makes_room), T_TEST(what_never_fits_is_refused_at_once),
       T_TEST(a_new_coordinator_knows_what_there_is))
