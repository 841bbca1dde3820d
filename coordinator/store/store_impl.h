/* SPDX-License-Identifier: Apache-2.0
 * store_impl.h - what the engines share: the tables of functions that store.c and read.c call, the
 * lock file, what is known of the disk. */
#ifndef ASY__STORE_IMPL_H
#define ASY__STORE_IMPL_H
#include <asy/store.h>

#define ASY__NO_TRIAL UINT64_MAX
#define ASY__MAX_TRIALS UINT32_MAX      /* of one study; numbers are below */
#define ASY__PREFIX_MIN 6u              /* hex digits of an id that name a study */
#define ASY__BODY_BUDGET (64u << 20)    /* memory that one decoded event may take */

/* ---- readers --------------------------------------------------------------------------------- */

/* Which studies: of a name, or with an id in [lo, hi], or (neither) all. */
struct asy__pick {
    const char *name;
    int by_id;
    struct asy_id lo, hi;
};
struct asy__reader_ops {
    void (*close)(struct asy_reader *reader);
    /* Newest first. */
    int (*studies)(struct asy_reader *reader, const struct asy__pick *pick, int64_t limit,
                   asy_study_row_f each, void *arg, struct asy_error *err);
    /* number: that trial alone; ASY__NO_TRIAL: all. */
    int (*trials)(struct asy_reader *reader, struct asy_id study, uint64_t number, int64_t after,
                  int64_t limit, int order_by_value, asy_trial_row_f each, void *arg,
                  struct asy_error *err);
    int (*attempts)(struct asy_reader *reader, struct asy_id study, uint64_t number,
                    asy_attempt_row_f each, void *arg, struct asy_error *err);
    int (*metrics)(struct asy_reader *reader, struct asy_id study, uint64_t number,
                   int with_superseded, asy_metric_row_f each, void *arg, struct asy_error *err);
    int (*metric_names)(struct asy_reader *reader, struct asy_id study, uint64_t number,
                        const char *after, int64_t limit, asy_metric_name_f each, void *arg,
                        struct asy_error *err);
    int (*series)(struct asy_reader *reader, struct asy_id study, uint64_t number,
                  const char *name, uint64_t step, uint64_t seq, int64_t limit,
                  asy_metric_row_f each, void *arg, struct asy_error *err);
    int (*artifacts)(struct asy_reader *reader, struct asy_id study, uint64_t number,
                     asy_artifact_row_f each, void *arg, struct asy_error *err);
    int (*has_file)(struct asy_reader *reader, const char *path, struct asy_error *err);
    int (*tags)(struct asy_reader *reader, struct asy_id study, uint64_t number,
                asy_tag_row_f each, void *arg, struct asy_error *err);
    int (*datasets)(struct asy_reader *reader, struct asy_id study, uint64_t number,
                    asy_dataset_row_f each, void *arg, struct asy_error *err);
    int (*workers)(struct asy_reader *reader, int64_t limit, asy_worker_row_f each, void *arg,
                   struct asy_error *err);
    int (*events)(struct asy_reader *reader, struct asy_id study, uint64_t trial,
                  uint64_t after_seq, uint64_t upto_seq, int64_t limit, asy_event_f each,
                  void *arg, struct asy_error *err);
};
/* The first member of every engine's reader. */
struct asy_reader {
    const struct asy__reader_ops *ops;
};

/* ---- stores ---------------------------------------------------------------------------------- */

struct asy__store_ops {
    void (*close)(struct asy_store *store);
    int (*commit)(struct asy_store *store, const struct asy_event *events, size_t n,
                  struct asy_error *err);
    int (*set_port)(struct asy_store *store, int port, struct asy_error *err);
    int (*replay)(struct asy_store *store, asy_event_f each, void *arg, struct asy_error *err);
    void (*copy_back)(struct asy_store *store); /* NULL: no log */
};
struct asy__lock;
/* The first member of every engine's store. */
struct asy_store {
    const struct asy__store_ops *ops;
    struct asy_store_info info;
    struct asy__lock *lock;     /* NULL: in memory */
    struct asy_reader *reader;
};

ASY_MUST_CHECK int asy__memory_open(struct asy_store **ret_store, struct asy_error *err);
ASY_MUST_CHECK int asy__sqlite_open(const struct asy_store_spec *spec,
                                    struct asy_store **ret_store, struct asy_error *err);
/* Fills what stands in the database, of which exists is 0 if there is none. */
ASY_MUST_CHECK int asy__sqlite_look(const char *folder, struct asy_store_look *ret,
                                    struct asy_error *err);
ASY_MUST_CHECK int asy__sqlite_reader_open(const struct asy_store_spec *spec,
                                           struct asy_reader **ret_reader, struct asy_error *err);

/* ---- place.c --------------------------------------------------------------------------------- */

/* Fails as ASY_E_NOSPACE and says how much is free there: with a quota that may be plenty. */
int asy__no_space(const char *folder, struct asy_error *err);
/* What tells this file from its copies: "" if it is not a file of this system (a test's VFS). */
void asy__place_of(const char *path, char text[64]);

/* ---- lock.c ---------------------------------------------------------------------------------- */

/* What the lock file says of the folder's last owner. */
struct asy__seen {
    struct asy_id store;
    uint64_t owner_epoch, seq;
};
/* Takes <folder>/assay.lock. network: a lock that was got proves nothing about other hosts. */
ASY_MUST_CHECK int asy__lock_take(const char *folder, int network, struct asy__lock **ret_lock,
                                  struct asy__seen *ret_seen, struct asy_error *err);
/* Who holds the lock, or held it last; takes nothing. A missing file says nothing. */
ASY_MUST_CHECK int asy__lock_look(const char *folder, int *ret_locked,
                                  struct asy_store_holder *ret_holder, struct asy_error *err);
/* Writes who we are and what the store holds now. */
void asy__lock_beat(struct asy__lock *lock, const struct asy_store_info *info);
/* Lets go. info: also says that the store was closed in order; NULL: it never was ours. */
void asy__lock_drop(struct asy__lock *lock, const struct asy_store_info *info);

extern const char asy__schema_sql[];

static inline const char *asy__text(const char *text)
{
    return text ? text : "";
}
#endif
