/* SPDX-License-Identifier: Apache-2.0
 * asy/bulk.h - the messages of the bulk socket: files on their way between an agent or a client and
 * the coordinator. docs/protocol.md, section 11, says who sends what when.
 *
 * A message is two parts: this header, and at most ASY_BULK_CHUNK bytes of a file (none in most).
 * A folder tree travels as one stream (asy/pack.h).
 *
 * Ownership: a decoded header borrows from its arena. Threads: any. */
#ifndef ASY_BULK_H
#define ASY_BULK_H
#include <asy/event.h>

#define ASY_BULK_CHUNK (1u << 20)
#define ASY_BULK_CREDITS 4u        /* chunks that may be on their way */
/* In the folder of the coordinator's artifacts: holds the nonce of WELCOME. */
#define ASY_BULK_NONCE_FILE ".nonce"

enum asy_bulk_kind {
    ASY_BULK_GET = 1,    /* agent, client: send me this, from offset on; credit chunks may leave */
    ASY_BULK_PUT = 2,    /* agent, client: I have this for you; answered by CREDIT or END */
    ASY_BULK_LOG = 3,    /* agent: this piece of a log belongs at offset; answered by END */
    ASY_BULK_DATA = 4,   /* a chunk of a transfer, at offset; last: the end of it */
    ASY_BULK_CREDIT = 5, /* so many more chunks may leave; the first of a PUT says from where */
    ASY_BULK_END = 6,    /* coordinator: it is over, with code and text */
    ASY_BULK_CANCEL = 7, /* agent: not wanted any more; no answer */
};
enum asy_bulk_what {
    ASY_BULK_INPUT = 1,      /* a file that the study names, by its hash; a client's PUT: that a
                              * study to come will name */
    ASY_BULK_CHECKPOINT = 2, /* of this trial, attempt and report */
    ASY_BULK_MODEL = 3,
    ASY_BULK_STDOUT = 4, ASY_BULK_STDERR = 5, /* LOG, a client's GET: of this trial and attempt */
};
struct asy_bulk {
    enum asy_bulk_kind kind;
    uint32_t transfer;       /* chosen by who asks, unlike its others that are open */
    enum asy_bulk_what what;
    struct asy_id study;
    uint64_t trial;
    uint32_t attempt;
    uint64_t report;         /* CHECKPOINT: the number that its name ends with */
    struct asy_sha sha;      /* content id: of a file's bytes, or of a tree */
    int tree;
    uint64_t bytes;          /* of the whole stream; GET of a tree: 0, told by the first DATA */
    uint64_t offset;         /* END of a LOG: how long it is now */
    uint32_t credit;
    int last;                /* DATA: the last chunk; LOG: the log is sealed */
    int code;                /* END: 0 or enum asy_code */
    const char *text;
    struct asy_id store;     /* GET, PUT, LOG: whose the study is */
};

ASY_MUST_CHECK int asy_bulk_encode(const struct asy_bulk *bulk, struct asy_buf *buf,
                                   struct asy_error *err);
/* ASY_E_FORMAT: not a header of ours. */
ASY_MUST_CHECK int asy_bulk_decode(const void *bytes, size_t n, struct asy_arena *arena,
                                   struct asy_bulk *ret_bulk, struct asy_error *err);
#endif
