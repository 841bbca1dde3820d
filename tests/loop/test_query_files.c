/* SPDX-License-Identifier: Apache-2.0
 * test_query_files.c - what the query thread does with files: who still needs one, what studies
 * have left, whose a model is. */
#include "../folder.h"
#include "querykit.h"
#include <asy/clock.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define N_FILES 5
enum { OF_A_MODEL, OF_A_CHECKPOINT, OF_BOTH, OF_NOBODY, NEVER_SEEN };

static void send_checkpoint(struct world *w, struct lease *l, uint64_t step, char *path)
{
    struct asy_event ev = { .kind = ASY_EV_CHECKPOINT };

    ev.checkpoint.checkpoint = (struct asy_checkpoint){ .step = step, .path = path };
    world_send(w, l, ++l->reported, &ev);
}

/* Study a keeps two of the checkpoints that it wrote; b is over and has left a model whose content
 * is that of one which a dropped. */
static bool two_studies(struct world *w, char paths[N_FILES][PATH_MAX])
{
    const char *yaml[] = { STUDY_HEAD("a") RUN(9, true) "budget: {trials: 1}\n",
                           STUDY_HEAD("b") RUN(9, true) "budget: {trials: 1}\n" };
    struct asy_event model = { .kind = ASY_EV_ENDED };

    if (!world_start(w))
        return false;
    world_client(w, CLIENT_PEER, OWNER);
    world_agent(w, &(struct agent){ .peer = 2, .cores = 2 });
    for (size_t i = 0; i < 2; i++)
        world_submit(w, CLIENT_PEER, OWNER, i + 1, yaml[i], 0);
    if (!T_EQ("both run", w->n_leases, 2))
        return false;
    for (size_t i = 0; i < 2; i++)
        world_started(w, &w->leases[i]);
    model.ended = (typeof(model.ended)){ .end = ASY_END_COMPLETE, .step = 9, .text = "",
                                         .objective = 0.5, .model_path = paths[OF_A_MODEL],
                                         .scores_path = "scores", .scores_sha = { { 2 } } };
    world_report(w, &w->leases[1], 9, 0.5);
    world_send(w, &w->leases[1], ++w->leases[1].reported, &model);
    send_checkpoint(w, &w->leases[0], 1, paths[OF_A_MODEL]);
    send_checkpoint(w, &w->leases[0], 2, paths[OF_NOBODY]);
    send_checkpoint(w, &w->leases[0], 3, paths[OF_BOTH]);
    send_checkpoint(w, &w->leases[0], 4, paths[OF_BOTH]);
    send_checkpoint(w, &w->leases[0], 5, paths[OF_A_CHECKPOINT]);
    return T_EQ("a keeps two", world_count(w, ASY_EV_CHECKPOINT_DROPPED), 3);
}

/* Each file by name, or those of dropped checkpoints up to an event. */
static void drop_all(struct asy_store *store, const char *thread_reads, int with_turns,
                     uint64_t sweep, char paths[N_FILES][PATH_MAX])
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__mail answers = { .fd = -1 };
    struct asy__query *query = NULL;

    if (!T_OK(asy__mail_init(&answers, &err), &err) ||
        !T_OK(asy__query_create(thread_reads, &answers, &query, &err), &err))
        goto out;
    for (size_t i = 0; !sweep && i < N_FILES; i++)
        T_OK(asy__query_drop_file(query, paths[i], &err), &err);
    if (sweep)
        T_OK(asy__query_sweep(query, sweep, &err), &err);
    while (with_turns && asy__query_turn(query, asy_store_reader(store)))
        ;
    asy__query_destroy(query, asy_store_reader(store));
out:
    asy__mail_fini(&answers);
}

static void a_file_goes_when_nobody_has_it_on_record(void)
{
    static const struct {
        const char *name;
        int thread_reads, with_turns, sweep;
    } cases[] = { { "the thread reads", 1, 0, 0 }, { "the writer reads", 0, 1, 0 },
                  { "at the end", 0, 0, 0 }, { "after a death", 0, 1, 1 } };
    static const char *const names[N_FILES] = { "a model", "a checkpoint", "both", "nobody's",
                                                "never seen" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        char paths[N_FILES][PATH_MAX], home[PATH_MAX];
        struct asy_store_spec spec = { .assume_network = !cases[i].thread_reads };
        struct asy_store *store = NULL;
        struct t_folder folder;
        struct world w;
        uint64_t seq;

        if (!t_folder_make(&folder))
            return;
        for (size_t k = 0; k < N_FILES; k++)
            T_TRUE(t_write(t_path(&folder, names[k], paths[k]), names[k]));
        spec.path = t_path(&folder, "store", home);
        if (world_open(&w) && two_studies(&w, paths) &&
            T_OK(asy_store_open(&spec, &store, NULL, &err), &err) &&
            T_OK(asy_store_commit(store, w.events, w.n_events, &seq, &err), &err)) {
            drop_all(store, cases[i].thread_reads ? home : NULL, cases[i].with_turns,
                     cases[i].sweep ? seq : 0, paths);
            for (size_t k = 0; k < N_FILES; k++)
                T_EQ(names[k], access(paths[k], F_OK) == 0,
                     k <= OF_BOTH || (cases[i].sweep && k == NEVER_SEEN));
        }
        asy_store_close(store);
        world_close(&w);
        t_folder_drop(&folder);
    }
}

/* ---- what studies have left ------------------------------------------------------------------ */

#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
enum { OF_OVER, OF_OVER_PART, OF_ALIVE, OF_ALIVE_PART, OF_UNKNOWN, A_MODEL, LIKE_ONE, N_LEFT };

static bool leave_files(const struct t_folder *folder, const struct world *w,
                        char paths[N_LEFT][PATH_MAX])
{
    enum { OVER, ALIVE, UNKNOWN, NONE };
    static const struct { const char *before; int whose; const char *after; } files[N_LEFT] = {
        [OF_OVER] = { "00/" SHA ".", OVER, "-0-1-2" },
        [OF_OVER_PART] = { ".part-" SHA ".", OVER, "-0-1-2" },
        [OF_ALIVE] = { "00/" SHA ".", ALIVE, "-0-1-2" },
        [OF_ALIVE_PART] = { ".part-" SHA ".", ALIVE, "-0-1-2" },
        [OF_UNKNOWN] = { "00/" SHA ".", UNKNOWN, "-0-1-2" },
        [A_MODEL] = { "00/" SHA, NONE, "" },
        [LIKE_ONE] = { "00/" SHA ".", OVER, "" },
    };
    char ids[4][ASY_ID_TEXT] = { "" }, path[PATH_MAX], name[200];
    bool ok = true;

    asy_id_format(w->leases[1].study, ids[OVER]);
    asy_id_format(w->leases[0].study, ids[ALIVE]);
    asy_id_format(asy_id_make(), ids[UNKNOWN]);
    ok &= mkdir(t_path(folder, "artifacts", path), 0700) == 0;
    ok &= mkdir(t_path(folder, "artifacts/00", path), 0700) == 0;
    for (size_t i = 0; i < N_LEFT; i++) {
        snprintf(name, sizeof name, "artifacts/%s%s%s", files[i].before, ids[files[i].whose],
                 files[i].after);
        ok &= t_write(t_path(folder, name, paths[i]), "x");
    }
    return T_TRUE(ok);
}

static atomic_int n_looks; /* at studies, in the store */

int __real_asy_reader_studies(struct asy_reader *reader, const char *owner,
                              const char *name_or_id, int64_t limit, asy_study_row_f each,
                              void *arg, struct asy_error *err);
int __wrap_asy_reader_studies(struct asy_reader *reader, const char *owner,
                              const char *name_or_id, int64_t limit, asy_study_row_f each,
                              void *arg, struct asy_error *err);

int __wrap_asy_reader_studies(struct asy_reader *reader, const char *owner,
                              const char *name_or_id, int64_t limit, asy_study_row_f each,
                              void *arg, struct asy_error *err)
{
    atomic_fetch_add(&n_looks, 1);
    return __real_asy_reader_studies(reader, owner, name_or_id, limit, each, arg, err);
}

#define PATIENCE_MS 300000

/* The last folder has the parts: all others have been looked at when that of b is gone, and with so
 * many looks at studies there are verdicts on all. */
static void tidy(struct asy_store *store, const char *thread_reads, const char *artifacts,
                 struct asy_id study, const char *last, int looks)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__mail answers = { .fd = -1 };
    struct asy__query *query = NULL;
    int64_t until_ms = asy_clock_ms() + PATIENCE_MS;

    atomic_store(&n_looks, 0);
    if (T_OK(asy__mail_init(&answers, &err), &err) &&
        T_OK(asy__query_create(thread_reads, &answers, &query, &err), &err) &&
        T_OK(asy__query_tidy(query, artifacts, study, &err), &err))
        while ((access(last, F_OK) == 0 || atomic_load(&n_looks) < looks) &&
               asy_clock_ms() < until_ms)
            if (thread_reads || !asy__query_turn(query, asy_store_reader(store)))
                poll(NULL, 0, 1);
    T_TRUE(asy_clock_ms() < until_ms);
    while (query && !thread_reads && asy__query_turn(query, asy_store_reader(store)))
        continue;
    asy__query_destroy(query, asy_store_reader(store));
    asy__mail_fini(&answers);
}

static void what_a_study_has_left_goes_when_it_is_over(void)
{
    static const bool stays[N_LEFT] = { [OF_ALIVE] = true, [OF_ALIVE_PART] = true,
                                        [OF_UNKNOWN] = true, [A_MODEL] = true,
                                        [LIKE_ONE] = true };
    static const struct { int thread_reads, all; } cases[] = { { 0, 0 }, { 0, 1 }, { 1, 0 },
                                                               { 1, 1 } };

    for (size_t k = 0; k < ASY_ARRAY_LEN(cases); k++) {
        int thread_reads = cases[k].thread_reads;
        char models[N_FILES][PATH_MAX] = { "a", "b", "c", "d", "e" }, paths[N_LEFT][PATH_MAX];
        struct asy_store_spec spec = { .assume_network = !thread_reads };
        struct asy_error err = ASY_ERROR_INIT;
        char home[PATH_MAX], artifacts[PATH_MAX];
        struct asy_store *store = NULL;
        struct t_folder folder;
        struct world w;
        uint64_t seq;

        if (!t_folder_make(&folder))
            return;
        spec.path = t_path(&folder, "store", home);
        if (world_open(&w) && two_studies(&w, models) && leave_files(&folder, &w, paths) &&
            T_OK(asy_store_open(&spec, &store, NULL, &err), &err) &&
            T_OK(asy_store_commit(store, w.events, w.n_events, &seq, &err), &err)) {
            tidy(store, thread_reads ? home : NULL, t_path(&folder, "artifacts", artifacts),
                 cases[k].all ? ASY_ID_NONE : w.leases[1].study, paths[OF_OVER_PART],
                 cases[k].all ? 3 : 1);
            if (!cases[k].all)
                T_EQ("nobody else's are looked at", atomic_load(&n_looks), 1);
            else
                T_EQ("each study is asked for once", atomic_load(&n_looks), 3);
            for (size_t i = 0; i < N_LEFT; i++)
                T_EQ(paths[i], access(paths[i], F_OK) == 0, stays[i]);
        }
        asy_store_close(store);
        world_close(&w);
        t_folder_drop(&folder);
    }
}

/* Two studies that are over: those of one among the files of the other, in a few folders. */
static bool leave_many(const struct t_folder *folder, const struct asy_id studies[2], size_t n)
{
    char path[PATH_MAX], name[200], id[ASY_ID_TEXT];
    bool ok = mkdir(t_path(folder, "artifacts", path), 0700) == 0;

    for (size_t i = 0; ok && i < n; i++) {
        snprintf(name, sizeof name, "artifacts/%02zx", i % 8);
        ok = mkdir(t_path(folder, name, path), 0700) == 0 || errno == EEXIST;
        snprintf(name, sizeof name, "artifacts/%02zx/" SHA ".%s-0-1-%zu", i % 8,
                 asy_id_format(studies[i % 3 == 0], id), i);
        ok = ok && t_write(t_path(folder, name, path), "x");
    }
    return T_TRUE(ok);
}

static bool store_two(const struct asy_id studies[2], struct asy_store **ret)
{
    static const struct asy_store_spec spec = { .path = NULL };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_event events[4] = { 0 };
    uint64_t seq;

    for (size_t i = 0; i < 2; i++) {
        events[2 * i] = (struct asy_event){ .kind = ASY_EV_STUDY_CREATED, .study = studies[i],
                                            .trial = UINT64_MAX };
        events[2 * i].study_created.name = i ? "b" : "a";
        events[2 * i].study_created.project = events[2 * i].study_created.owner = "o";
        events[2 * i].study_created.spec = "{}";
        events[2 * i + 1] = (struct asy_event){ .kind = ASY_EV_STUDY_STATE, .study = studies[i],
                                                .trial = UINT64_MAX };
        events[2 * i + 1].study_state.state = ASY_STUDY_FINISHED;
    }
    return T_OK(asy_store_open(&spec, ret, NULL, &err), &err) &&
           T_OK(asy_store_commit(*ret, events, ASY_ARRAY_LEN(events), &seq, &err), &err);
}

static bool are_empty(const char *artifacts)
{
    bool empty = true;
    char path[PATH_MAX];

    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "%.4000s/%02x", artifacts, i);
        empty &= rmdir(path) == 0 || errno == ENOENT;
    }
    return empty;
}

/* Not once for each file. */
static void the_store_is_asked_once_for_a_study(void)
{
    const struct asy_id studies[2] = { asy_id_from(1, 1), asy_id_from(2, 1) };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__mail answers = { .fd = -1 };
    struct asy__query *query = NULL;
    struct asy_store *store = NULL;
    struct t_folder folder;
    char path[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    atomic_store(&n_looks, 0);
    if (!leave_many(&folder, studies, 300) || !store_two(studies, &store) ||
        !T_OK(asy__mail_init(&answers, &err), &err) ||
        !T_OK(asy__query_create(NULL, &answers, &query, &err), &err) ||
        !T_OK(asy__query_tidy(query, t_path(&folder, "artifacts", path), ASY_ID_NONE, &err), &err))
        goto out;
    while (!are_empty(path)) /* the thread looks and removes, the turns are ours */
        if (!asy__query_turn(query, asy_store_reader(store)))
            poll(NULL, 0, 1);
    T_EQ("questions", atomic_load(&n_looks), 2);
out:
    asy__query_destroy(query, asy_store_reader(store));
    asy__mail_fini(&answers);
    asy_store_close(store);
    t_folder_drop(&folder);
}

/* However many there are. */
static void a_question_waits_for_one_file_alone(void)
{
    struct asy__mail answers = { .fd = -1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__query *query = NULL;
    struct asy_store *store;
    char name[32];
    size_t parts[4] = { 0 };
    uint64_t seq;
    int turns = 0;

    if (!(store = store_of(OWNER, &seq)) || !T_OK(asy__mail_init(&answers, &err), &err) ||
        !T_OK(asy__query_create(NULL, &answers, &query, &err), &err))
        goto out;
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "no-such-file-%d", i);
        T_OK(asy__query_drop_file(query, name, &err), &err);
    }
    if (!put(query, 1))
        goto out;
    for (; turns < 500 && !parts[1]; turns++) {
        ASY_IGNORE(asy__query_turn(query, asy_store_reader(store))); /* there is always more */
        count_answers(&answers, parts);
    }
    if (turns > 20) /* 700 trials are a few pieces, each with a file before it */
        T_EQ("turns until it is answered", turns, 20);
out:
    asy__query_destroy(query, asy_store_reader(store));
    asy__mail_fini(&answers);
    asy_store_close(store);
}

/* ---- whose it is ----------------------------------------------------------------------------- */

static void the_bulk_thread_hears_whose_a_model_is(void)
{
    static const struct {
        const char *name;
        int lease, what, sha;
        const char *owner;
        int found;
    } cases[] = { { "its model", 1, ASY_BULK_MODEL, 0, OWNER, 1 },
                  { "its scores", 1, ASY_BULK_MODEL, 2, OWNER, 1 },
                  { "no model of that content", 1, ASY_BULK_MODEL, 1, OWNER, 0 },
                  { "another study's model", 0, ASY_BULK_MODEL, 0, OWNER, 0 },
                  { "a log", 0, ASY_BULK_STDOUT, 1, OWNER, 0 },
                  { "no such study", -1, ASY_BULK_MODEL, 0, "", 0 } };
    char models[N_FILES][PATH_MAX] = { "a", "b", "c", "d", "e" };
    struct asy__mail answers = { .fd = -1 }, reply = { .fd = -1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__query *query = NULL;
    struct asy_store_spec spec = { 0 };
    struct asy_store *store = NULL;
    struct t_folder folder;
    char home[PATH_MAX];
    struct world w;
    uint64_t seq;

    if (!t_folder_make(&folder))
        return;
    spec.path = t_path(&folder, "store", home);
    if (!world_open(&w) || !two_studies(&w, models) ||
        !T_OK(asy_store_open(&spec, &store, NULL, &err), &err) ||
        !T_OK(asy_store_commit(store, w.events, w.n_events, &seq, &err), &err) ||
        !T_OK(asy__mail_init(&answers, &err), &err) || !T_OK(asy__mail_init(&reply, &err), &err) ||
        !T_OK(asy__query_create(home, &answers, &query, &err), &err))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__bulk_ask *ask = calloc(1, sizeof *ask);
        struct asy__letter *letter;

        ask->study = cases[i].lease < 0 ? asy_id_make() : w.leases[cases[i].lease].study;
        ask->what = (enum asy_bulk_what)cases[i].what;
        ask->sha.b[0] = (uint8_t)cases[i].sha; /* as two_studies() makes them */
        ask->reply = &reply;
        if (!T_OK(asy__query_look(query, ask, &err), &err))
            break;
        while (!(letter = asy__mail_take(&reply)))
            asy__mail_wait(&reply, -1);
        T_TRUE(letter == &ask->letter);
        T_STR(cases[i].name, ask->owner, cases[i].owner);
        T_EQ(cases[i].name, ask->found, cases[i].found);
        free(ask);
    }
out:
    asy__query_destroy(query, store ? asy_store_reader(store) : NULL);
    asy__mail_fini(&reply);
    asy__mail_fini(&answers);
    asy_store_close(store);
    world_close(&w);
    t_folder_drop(&folder);
}

T_MAIN("query files", T_TEST(the_bulk_thread_hears_whose_a_model_is),
       T_TEST(what_a_study_has_left_goes_when_it_is_over),
       T_TEST(the_store_is_asked_once_for_a_study), T_TEST(a_question_waits_for_one_file_alone),
       T_TEST(a_file_goes_when_nobody_has_it_on_record))
