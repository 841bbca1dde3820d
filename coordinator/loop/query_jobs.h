/* SPDX-License-Identifier: Apache-2.0
 * query_jobs.h - what waits for the store's reader, for query.c (questions, turns, the
 * thread) and query_files.c. */
#ifndef ASY__QUERY_JOBS_H
#define ASY__QUERY_JOBS_H
#include "query_impl.h"

/* Files are removed by the thread, whoever has the reader. */
enum asy__query_kind {
    ASY__Q_ANSWER = 0, /* a question */
    ASY__Q_FORGET = 1, /* what a peer has asked */
    ASY__Q_DROP = 2,   /* a file goes if nobody has it on record */
    ASY__Q_REMOVE = 3, /* nobody has: the store was asked */
    ASY__Q_SWEEP = 4,  /* the files of checkpoints that were dropped before the start */
    ASY__Q_LOOK = 5,   /* for files that studies have left, one folder at a time: the thread's */
    ASY__Q_STALE = 6,  /* those of one folder: each goes if its study is over */
    ASY__Q_WHOSE = 7,  /* the bulk thread asks for it */
};
struct asy__query_job {
    struct asy__letter letter;
    enum asy__query_kind kind;
    uint64_t peer, request;
    struct asy_id session;
    struct asy__question question;
    struct asy__asked asked;
    struct asy_buf json;
    char *path;            /* DROP, REMOVE; LOOK: the artifacts */
    struct asy_id study;   /* LOOK: ASY_ID_NONE: of all studies */
    struct asy__left *left; /* STALE: [n_left] by study; done: so many have been judged */
    size_t n_left, done;
    uint64_t pass;         /* LOOK, STALE: which look at all folders this is */
    struct asy__bulk_ask *ask; /* WHOSE */
    uint64_t after, upto;  /* SWEEP: the events that are still to be looked at; LOOK: folders */
    char text[];           /* ASY__Q_ANSWER: what, study, arg, key, live */
};
/* A file that a study has left. */
struct asy__left {
    struct asy_id study;
    char *path;
};
/* What the store has said of a study in one pass over the folders. */
struct asy__verdict {
    struct asy_id study;
    uint64_t pass;
    int over;
};
#define ASY__VERDICTS 64u
struct asy__query {
    pthread_t thread;
    struct asy__mail mail, *answers;
    struct asy__mail asked;           /* questions that wait for whoever gives the turns */
    struct asy__letter stop;
    char *store_path;                 /* NULL: no reader of its own */
    struct asy_reader *reader;        /* opened by the thread at its first question */
    struct asy__bundle open, files;   /* questions, and files that the store is asked for, in the
                                       * order of their turns; of whoever gives these */
    int file_next;                    /* the next turn is a file's */
    struct asy__verdict verdicts[ASY__VERDICTS]; /* likewise */
    size_t n_verdicts;                /* that were ever made: the newest replaces the oldest */
    struct asy__bundle chores;        /* the thread's: files to remove, folders to look at */
    uint64_t passes;                  /* the loop's */
};

/* ---- query.c --------------------------------------------------------------------------------- */

void asy__query_job_destroy(struct asy__query_job *job);
void asy__query_queue(struct asy__query *query, struct asy__query_job *job); /* a turn, later:
                                                                  * of questions, or of files */
void asy__query_give(struct asy__query *query, struct asy__query_job *job);  /* from any thread */
/* A job like this one, which has neither text nor path. */
ASY_MUST_CHECK int asy__query_order(struct asy__query *query, const struct asy__query_job *order,
                                    struct asy_error *err);

/* ---- query_files.c --------------------------------------------------------------------------- */

void asy__query_file_turn(struct asy__query *query, struct asy__query_job *job,
                          struct asy_reader *reader);
/* The store cannot be read. */
void asy__query_file_unread(struct asy__query_job *job, const struct asy_error *err);
/* One folder is looked at; the thread's own. */
void asy__query_file_look(struct asy__query *query, struct asy__query_job *job);
/* A piece of what nobody needs; the thread's own. */
void asy__query_file_remove(struct asy__query *query, struct asy__query_job *job);
void asy__query_left_fini(struct asy__query_job *job); /* what a STALE holds */
/* The last that is done with it: no more turns come. */
void asy__query_file_end(struct asy__query_job *job, struct asy_reader *reader);
#endif
