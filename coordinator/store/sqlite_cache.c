/* SPDX-License-Identifier: Apache-2.0
 * sqlite_cache.c - rows that the writer is likely to change again: studies, trials that run, and
 * the numbers of texts. A commit changes them here and writes each changed row once.
 *
 * Chained hash tables; only that of the trials grows. Whatever is not here is loaded. */
#include "sqlite_impl.h"
#include <stdlib.h>
#include <string.h>
#include "sqlite_sql.h"

#define WORDS_MAX 8192u
#define FIRST_BUCKETS 1024u

int asy__cache_init(struct asy__cache *cache, struct asy_error *err)
{
    if (!(cache->trials = calloc(FIRST_BUCKETS, sizeof(struct asy__live_trial *))))
        return asy_fail(err, ASY_E_NOMEM, "no memory to open a store");
    cache->n_buckets = FIRST_BUCKETS;
    return 0;
}

static void clear_words(struct asy__cache *cache)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(cache->words); i++) {
        for (struct asy__word *w = cache->words[i], *next; w; w = next) {
            next = w->next;
            free(w);
        }
        cache->words[i] = NULL;
    }
    cache->n_words = 0;
}

void asy__cache_clear(struct asy__cache *cache)
{
    clear_words(cache);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cache->studies); i++) {
        for (struct asy__live_study *s = cache->studies[i], *next; s; s = next) {
            next = s->next;
            free(s);
        }
        cache->studies[i] = NULL;
    }
    for (size_t i = 0; i < cache->n_buckets; i++) {
        for (struct asy__live_trial *t = cache->trials[i], *next; t; t = next) {
            next = t->next;
            free(t);
        }
        cache->trials[i] = NULL;
    }
    cache->n_trials = 0;
    cache->dirty_studies = NULL;
    cache->dirty_trials = NULL;
}

void asy__cache_fini(struct asy__cache *cache)
{
    asy__cache_clear(cache);
    for (struct asy__live_trial *t = cache->spare, *next; t; t = next) {
        next = t->next;
        free(t);
    }
    free(cache->trials);
    *cache = (struct asy__cache){ .n_buckets = 0 };
}

/* ---- trials ---------------------------------------------------------------------------------- */

static size_t bucket_of(uint64_t id, size_t n_buckets)
{
    return (size_t)((id * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (n_buckets - 1);
}

static void grow(struct asy__cache *cache)
{
    size_t n = 4 * cache->n_buckets;
    struct asy__live_trial **buckets = calloc(n, sizeof(struct asy__live_trial *));

    if (!buckets)
        return; /* longer chains, nothing worse */
    for (size_t i = 0; i < cache->n_buckets; i++) {
        for (struct asy__live_trial *t = cache->trials[i], *next; t; t = next) {
            size_t to = bucket_of(t->id, n);

            next = t->next;
            t->next = buckets[to];
            buckets[to] = t;
        }
    }
    free(cache->trials);
    cache->trials = buckets;
    cache->n_buckets = n;
}

struct asy__live_trial *asy__cache_add_trial(struct asy__cache *cache, uint64_t id)
{
    struct asy__live_trial *t = cache->spare;
    size_t i;

    if (cache->n_trials >= 2 * cache->n_buckets)
        grow(cache);
    if (t)
        cache->spare = t->next;
    else if (!(t = malloc(sizeof *t)))
        return NULL;
    i = bucket_of(id, cache->n_buckets);
    *t = (struct asy__live_trial){ .next = cache->trials[i], .id = id };
    cache->trials[i] = t;
    cache->n_trials++;
    return t;
}

void asy__cache_drop_trial(struct asy__cache *cache, struct asy__live_trial *trial)
{
    struct asy__live_trial **at = &cache->trials[bucket_of(trial->id, cache->n_buckets)];

    while (*at != trial)
        at = &(*at)->next;
    *at = trial->next;
    cache->n_trials--;
    trial->next = cache->spare;
    cache->spare = trial;
}

int asy__live_trial(struct asy__sqlite *s, struct asy__live_study *study, uint64_t number,
                    struct asy__live_trial **ret, struct asy_error *err)
{
    uint64_t id = asy__run_id(study->id, number);
    struct asy__live_trial *t = s->cache.trials[bucket_of(id, s->cache.n_buckets)];
    sqlite3_stmt *stmt;
    int rc = 0;

    while (t && t->id != id)
        t = t->next;
    if ((*ret = t))
        return 0;
    if (!(stmt = asy__db_stmt(&s->db, W_RUN_GET, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, id);
    if ((rc = asy__db_row(&s->db, stmt, err)) <= 0)
        return rc ? rc : asy_fail(err, ASY_E_CORRUPT, "trial %llu has no row",
                                  (unsigned long long)number);
    if (!(t = asy__cache_add_trial(&s->cache, id))) {
        asy__db_done(stmt);
        return asy_fail(err, ASY_E_NOMEM, "no memory for trial %llu", (unsigned long long)number);
    }
    t->study = study;
    t->row = (struct asy__trial){
        .state = (enum asy_trial_state)sqlite3_column_int(stmt, 0),
        .cause = (enum asy_cause)sqlite3_column_int(stmt, 1),
        .value = asy__col_f64(stmt, 2),
        .step = asy__col_u64(stmt, 4),
        .attempts = (uint32_t)sqlite3_column_int64(stmt, 5),
        .created_us = sqlite3_column_int64(stmt, 6),
        .started_us = sqlite3_column_int64(stmt, 7),
        .ended_us = sqlite3_column_int64(stmt, 8),
    };
    asy__db_done(stmt);
    *ret = t;
    return 0;
}

/* ---- studies --------------------------------------------------------------------------------- */

static struct asy__live_study **study_bucket(struct asy__cache *cache, struct asy_id uuid)
{
    return &cache->studies[asy_id_hash(uuid) % ASY_ARRAY_LEN(cache->studies)];
}

struct asy__live_study *asy__cache_add_study(struct asy__cache *cache, struct asy_id uuid)
{
    struct asy__live_study **bucket = study_bucket(cache, uuid);
    struct asy__live_study *study = calloc(1, sizeof *study);

    if (!study)
        return NULL;
    study->uuid = uuid;
    study->next = *bucket;
    *bucket = study;
    return study;
}

static void read_study(sqlite3_stmt *stmt, struct asy__live_study *study)
{
    int i = 0;

    study->id = asy__col_u64(stmt, i++);
    study->owner = asy__col_u64(stmt, i++);
    study->row.maximize = sqlite3_column_int(stmt, i++);
    study->row.state = (enum asy_study_state)sqlite3_column_int(stmt, i++);
    study->row.cause = (enum asy_cause)sqlite3_column_int(stmt, i++);
    study->row.created_us = sqlite3_column_int64(stmt, i++);
    study->row.ended_us = sqlite3_column_int64(stmt, i++);
    study->state_seq = asy__col_u64(stmt, i++);
    study->last_seq = asy__col_u64(stmt, i++);
    study->events = asy__col_u64(stmt, i++);
    for (int state = ASY_TRIAL_QUEUED; state <= ASY_TRIAL_CANCELLED; state++) {
        study->row.counts[state] = asy__col_u64(stmt, i++);
        study->row.trials += study->row.counts[state];
    }
    study->row.best = asy__col_f64(stmt, i);
    study->row.best_trial = sqlite3_column_int64(stmt, i + 2);
}

int asy__live_study(struct asy__sqlite *s, struct asy_id uuid, struct asy__live_study **ret,
                    struct asy_error *err)
{
    struct asy__live_study *study = *study_bucket(&s->cache, uuid);
    sqlite3_stmt *stmt;
    int rc = 0;

    while (study && asy_id_cmp(study->uuid, uuid) != 0)
        study = study->next;
    if ((*ret = study) || asy_id_is_none(uuid))
        return 0;
    if (!(stmt = asy__db_stmt(&s->db, W_STUDY_GET, &rc, err)))
        return rc;
    asy__bind_id(stmt, 1, &uuid);
    if ((rc = asy__db_row(&s->db, stmt, err)) <= 0)
        return rc;
    if ((study = asy__cache_add_study(&s->cache, uuid)))
        read_study(stmt, study);
    else
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a study");
    asy__db_done(stmt);
    *ret = study;
    return study ? 0 : rc;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static uint64_t hash_text(const char *text)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001B3);
    return h;
}

static void remember(struct asy__cache *cache, const char *text, uint64_t hash, uint64_t id)
{
    size_t n = strlen(text) + 1;
    struct asy__word **bucket = &cache->words[hash % ASY_ARRAY_LEN(cache->words)];
    struct asy__word *word;

    if (cache->n_words >= WORDS_MAX)
        clear_words(cache);
    if (!(word = malloc(sizeof *word + n)))
        return; /* looked up again next time */
    word->id = id;
    word->hash = hash;
    memcpy(word->text, text, n);
    word->next = *bucket;
    *bucket = word;
    cache->n_words++;
}

int asy__word_id(struct asy__sqlite *s, const char *text, uint64_t *ret, struct asy_error *err)
{
    uint64_t hash;
    struct asy__word *word;
    sqlite3_stmt *stmt;
    int rc = 0;

    *ret = 0;
    if (!text || !*text)
        return 0;
    hash = hash_text(text);
    for (word = s->cache.words[hash % ASY_ARRAY_LEN(s->cache.words)]; word; word = word->next) {
        if (word->hash == hash && !strcmp(word->text, text)) {
            *ret = word->id;
            return 0;
        }
    }
    if (!(stmt = asy__db_stmt(&s->db, W_WORD_GET, &rc, err)))
        return rc;
    asy__bind_text(stmt, 1, text);
    if ((rc = asy__db_row(&s->db, stmt, err)) > 0) {
        *ret = asy__col_u64(stmt, 0);
        asy__db_done(stmt);
    } else {
        if (rc < 0 || !(stmt = asy__db_stmt(&s->db, W_WORD_ADD, &rc, err)))
            return rc;
        asy__bind_text(stmt, 1, text);
        if ((rc = asy__db_run(&s->db, stmt, err)))
            return rc;
        *ret = (uint64_t)sqlite3_last_insert_rowid(s->db.db);
    }
    remember(&s->cache, text, hash, *ret);
    return 0;
}
