/* SPDX-License-Identifier: Apache-2.0
 * bulk.h - the bulk socket: files from and to agents that do not see the coordinator's folders.
 *
 * A thread of its own owns the socket and every file that is open for it. It has a ZeroMQ context
 * of its own, so that encrypting files holds up no control frame. What it must know of a study
 * (whose it is, which files it names) it asks of the loop, once each.
 *
 * Threads: the loop's. */
#ifndef ASY__BULK_H
#define ASY__BULK_H
#include <asy/address.h>
#include <asy/bulk.h>
#include <asy/keys.h>
#include <asy/hash.h>
#include "mail.h"
#include "yield.h"

struct asy__bulk;
struct asy__bulk_spec {
    const char *home;              /* with artifacts/ and logs/ */
    const struct asy_addresses *addresses; /* to listen at; borrowed while it is created */
    int port;                      /* wished for; another is taken if it is not free */
    const char *secret_key;        /* of the coordinator, Z85 */
    const char *owner;             /* public key of the user who started it */
    struct asy_keyring *ring;      /* who may connect; outlives the thread */
    struct asy_id store;
    struct asy__mail *asks;        /* where it asks the loop: letters are struct asy__bulk_ask */
    const struct asy__traffic *traffic; /* the loop's; outlives the thread */
    uint64_t input_quota;          /* bytes of files from elsewhere that a user may have here; 0: a
                                    * tenth of the disk */
};
ASY_MUST_CHECK int asy__bulk_create(const struct asy__bulk_spec *spec, struct asy__bulk **ret_bulk,
                                    struct asy_error *err);
void asy__bulk_destroy(struct asy__bulk *bulk);
int asy__bulk_port(const struct asy__bulk *bulk);
/* Of its socket; *ret_denied: requests that were not for their asker. */
void asy__bulk_counts(const struct asy__bulk *bulk, struct asy_server_counts *ret_counts,
                      uint64_t *ret_denied);
const char *asy__bulk_nonce(const struct asy__bulk *bulk); /* as WELCOME tells it */

/* The study is over: no file of it is taken or given any more. Logs are, as far as it is still
 * remembered whose it was: agents that were cut off have some. */
void asy__bulk_over(struct asy__bulk *bulk, struct asy_id study);

/* What of this study? The loop fills in copies and gives it back; text NULL: it is not live. */
struct asy__bulk_ask {
    struct asy__letter letter;
    struct asy_id study;
    uint32_t serial;               /* of an agent's, or of the thread's own: it waits for it */
    int texts;                     /* those of all live studies of `owner` are asked for, each ended
                                    * by a zero, in text[text_len]; found: they are all there */
    size_t text_len;
    int over;                      /* no answer, but the news that it is over */
    /* A client's: it wants this of a study, live or not. Answered by who reads the store, at
     * `reply`: the owner ("": there is no such study), and whether the trial has that model. */
    enum asy_bulk_what what;       /* 0: an agent's */
    uint64_t trial;
    uint32_t attempt;
    struct asy_sha sha;
    int found;
    uint64_t peer;
    uint32_t transfer;
    struct asy__mail *reply;
    char owner[ASY_KEY_TEXT];
    char *text;
    char *gone;                    /* no question: what lies there is to be removed, in turns */
};
void asy__bulk_ask_free(struct asy__bulk_ask *ask); /* NULL is fine */
void asy__bulk_answer(struct asy__bulk *bulk, struct asy__bulk_ask *ask);
#endif
