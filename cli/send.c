/* SPDX-License-Identifier: Apache-2.0
 * send.c - the files of a study to a coordinator that does not see them: each content once, before
 * the study is submitted, over the bulk socket (docs/protocol.md, section 11).
 *
 * Several go at once, so that many small ones do not wait for one answer each. What broke off goes
 * on where it was, in the next run of the command too: an interrupt leaves what has come. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include "format.h"
#include "plan.h"
#include "session_impl.h"

#define SLOTS 8             /* files under way at once */
#define SILENCE_MS 10000    /* then another address is tried */
#define AGAIN_MS 1000       /* after a refusal that passes */
#define AGAIN_MAX 60        /* such refusals of one file */
#define SHOW_MS 200         /* between two pictures of progress */
#define STALE_MS 300000     /* what was sent longer ago may have had to make room: see again() */
#define PASSES 3
#define NAME_WIDTH 40

/* A file under way. */
struct slot {
    const struct asy_study_input *input; /* NULL: free */
    int fd;
    uint32_t transfer;       /* that is open; 0: it is to be offered */
    uint32_t credit;
    int known;               /* the coordinator has said from where */
    uint64_t at;
    int64_t ask_ms;
    unsigned refused;
};
struct sending {
    struct asy__session *session;
    const struct asy_study_input **inputs; /* [n], each content once */
    size_t n, next, over;
    struct slot slots[SLOTS];
    char *chunk;
    uint64_t bytes, done;    /* of all; of those that are there */
    uint64_t sent;
    size_t n_sent;
    int64_t heard_ms, moved_ms, show_ms, begun_ms;
    struct asy_error busy;   /* the coordinator's last word; code 0: it is silent */
    int shows, shown;
};

/* ---- which ----------------------------------------------------------------------------------- */

static int by_content(const void *a, const void *b)
{
    const struct asy_study_input *x = *(const struct asy_study_input *const *)a;
    const struct asy_study_input *y = *(const struct asy_study_input *const *)b;

    return memcmp(&x->sha, &y->sha, sizeof x->sha);
}

/* On the file system of the coordinator's home, which we see: then it sees the file as well. */
static int is_shared(const struct asy_study_input *input, const struct stat *home)
{
    struct stat st;

    return stat(input->path, &st) == 0 && st.st_dev == home->st_dev;
}

/* 1: this is the coordinator's home. */
static int see_home(const struct asy__session *session, struct stat *ret_home)
{
    const char *home = session->welcome.files, *nonce = session->welcome.nonce;
    char path[sizeof session->welcome.files + 64], *text = NULL;
    size_t len;
    int sees;

    snprintf(path, sizeof path, "%s/artifacts/" ASY_BULK_NONCE_FILE, home);
    sees = *home && *nonce && asy_read_file(path, 256, &text, &len, NULL) == 0 &&
           !strcmp(text, nonce) && stat(home, ret_home) == 0;
    free(text);
    return sees;
}

static int choose(struct sending *s, const struct asy_study_spec *spec, struct asy_error *err)
{
    struct stat home;
    int sees = see_home(s->session, &home);
    size_t n = 0;

    if (!(s->inputs = calloc(spec->n_inputs + 1, sizeof(void *))) ||
        !(s->chunk = malloc(ASY_BULK_CHUNK)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to send the study's files");
    for (size_t i = 0; i < spec->n_inputs; i++)
        if (!spec->inputs[i].folder && !(sees && is_shared(&spec->inputs[i], &home)))
            s->inputs[s->n++] = &spec->inputs[i];
    if (s->n)
        qsort(s->inputs, s->n, sizeof(void *), by_content);
    for (size_t i = 0; i < s->n; i++)
        if (n == 0 || by_content(&s->inputs[i], &s->inputs[n - 1]))
            s->inputs[n++] = s->inputs[i];
    s->n = n;
    for (size_t i = 0; i < s->n; i++)
        s->bytes += s->inputs[i]->bytes;
    return 0;
}

/* ---- what is seen of it ---------------------------------------------------------------------- */

static const char *name_of(const struct asy_study_input *input)
{
    const char *slash = strrchr(input->path, '/');

    return slash ? slash + 1 : input->path;
}

static void show(struct sending *s)
{
    int64_t now_ms = asy_clock_ms();
    const char *name = "";
    uint64_t at = s->done;
    struct asy_buf line;

    if (!s->shows || now_ms < s->show_ms || s->bytes == 0)
        return;
    s->show_ms = now_ms + SHOW_MS;
    for (size_t i = 0; i < SLOTS; i++)
        if (s->slots[i].input && s->slots[i].known) {
            at += s->slots[i].at;
            name = name_of(s->slots[i].input);
        }
    asy_buf_init(&line, 1u << 12);
    asy__fmt_bytes(&line, at);
    asy_buf_adds(&line, " of ");
    asy__fmt_bytes(&line, s->bytes);
    asy_buf_addf(&line, ", %d %%  ", (int)(100 * (at / 1024) / (s->bytes / 1024 + 1)));
    asy__fmt_short(&line, name, NAME_WIDTH);
    fprintf(stderr, "\r\033[Ksending  %s", line.rc ? "" : line.data);
    asy_buf_fini(&line);
    s->shown = 1;
}

static void show_end(struct sending *s, int rc)
{
    struct asy_buf line;

    if (s->shown)
        fputs("\r\033[K", stderr);
    if (rc < 0)
        return;
    asy_buf_init(&line, 1u << 12);
    if (s->n_sent == 0 && s->n == 1) {
        asy_buf_adds(&line, "files    the only one is there already");
    } else if (s->n_sent == 0) {
        asy_buf_addf(&line, "files    all %zu are there already", s->n);
    } else {
        asy_buf_addf(&line, "files    %zu of %zu sent to '%.64s': ", s->n_sent, s->n,
                     asy__session_host(s->session));
        asy__fmt_bytes(&line, s->sent);
        asy_buf_adds(&line, s->n_sent < s->n ? "; the others are there already" : "");
    }
    if (line.rc == 0)
        asy__print_lines(stderr, line.data, ASY__PLAN_LABEL);
    asy_buf_fini(&line);
}

/* ---- one file -------------------------------------------------------------------------------- */

static void close_slot(struct slot *slot)
{
    if (slot->input && slot->fd >= 0)
        close(slot->fd);
    *slot = (struct slot){ .fd = -1 };
}

static int open_slot(struct sending *s, struct slot *slot, struct asy_error *err)
{
    const struct asy_study_input *input = s->inputs[s->next++];

    *slot = (struct slot){ .input = input };
    if ((slot->fd = open(input->path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0)
        return asy_fail_errno(err, errno, "cannot open '%.160s'", input->path);
    return 0;
}

static void offer_anew(struct slot *slot, int64_t at_ms)
{
    slot->transfer = slot->credit = 0;
    slot->known = 0;
    slot->ask_ms = at_ms;
}

static int offer(struct sending *s, struct slot *slot, struct asy_error *err)
{
    struct asy_bulk put = { .kind = ASY_BULK_PUT, .what = ASY_BULK_INPUT,
                            .transfer = ++s->session->transfer, .sha = slot->input->sha,
                            .bytes = slot->input->bytes };
    int rc = asy__bulk_say(s->session, &put, NULL, 0, err);

    if (rc == 0)
        slot->transfer = put.transfer;
    return rc;
}

/* What is left of it, up to a chunk. */
static int read_chunk(struct sending *s, const struct slot *slot, size_t *ret_n,
                      struct asy_error *err)
{
    uint64_t left = slot->input->bytes - slot->at;
    size_t n = left < ASY_BULK_CHUNK ? (size_t)left : ASY_BULK_CHUNK;

    for (size_t at = 0; at < n;) {
        ssize_t got = pread(slot->fd, s->chunk + at, n - at, (off_t)(slot->at + at));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return asy_fail_errno(err, errno, "cannot read '%.160s'", slot->input->path);
        if (got == 0)
            return asy_fail(err, ASY_E_INVAL, "'%.160s' has become shorter: submit it anew",
                            slot->input->path);
        at += (size_t)got;
    }
    *ret_n = n;
    return 0;
}

static int send_chunk(struct sending *s, struct slot *slot, struct asy_error *err)
{
    struct asy_bulk data = { .kind = ASY_BULK_DATA, .transfer = slot->transfer,
                             .offset = slot->at };
    size_t n = 0;
    int rc = read_chunk(s, slot, &n, err);

    if (rc < 0 || (rc = asy__bulk_say(s->session, &data, s->chunk, n, err)) < 0)
        return rc;
    slot->at += n;
    slot->credit--;
    s->sent += n;
    return 0;
}

/* Whatever may be said now. ASY_E_AGAIN: nothing can be. */
static int push(struct sending *s, struct slot *slot, struct asy_error *err)
{
    int rc = 0;

    if (!slot->input && s->next < s->n && (rc = open_slot(s, slot, err)) < 0)
        return rc;
    if (!slot->input)
        return 0;
    if (!slot->transfer)
        return asy_clock_ms() < slot->ask_ms ? 0 : offer(s, slot, err);
    while (rc == 0 && slot->known && slot->credit && slot->at < slot->input->bytes)
        rc = send_chunk(s, slot, err);
    return rc;
}

/* ---- what the coordinator says --------------------------------------------------------------- */

static int take_end(struct sending *s, struct slot *slot, const struct asy_bulk *head,
                    struct asy_error *err)
{
    const struct asy_study_input *input = slot->input;

    if (head->code == 0) {
        s->n_sent += slot->known;
        s->done += input->bytes;
        s->over++;
        close_slot(slot);
        return 0;
    }
    if ((head->code == ASY_E_AGAIN || head->code == ASY_E_STATE) && slot->refused++ < AGAIN_MAX) {
        ASY_IGNORE(asy_fail(&s->busy, (enum asy_code)head->code, "%s", head->text)); /* it passes */
        offer_anew(slot, s->heard_ms + AGAIN_MS);
        return 0;
    }
    if (head->code == ASY_E_CORRUPT)
        return asy_fail(err, ASY_E_INVAL, "'%.160s' was changed while it was sent: submit it anew",
                        input->path);
    if (head->code == ASY_E_UNSUPPORTED)
        return asy_fail(err, ASY_E_UNSUPPORTED, "the coordinator on '%.64s' (version %.32s) takes "
                        "no files of studies: put '%.80s' where it sees it, under the same path",
                        s->session->found.host, s->session->welcome.version, input->path);
    return asy_fail(err, (enum asy_code)head->code, "cannot send '%.100s': %s", input->path,
                    head->text);
}

static void take_credit(struct sending *s, struct slot *slot, const struct asy_bulk *head)
{
    if (head->credit && !slot->known) {
        slot->known = 1;
        slot->at = head->offset < slot->input->bytes ? head->offset : slot->input->bytes;
    }
    slot->credit += head->credit <= ASY_BULK_CREDITS ? head->credit : ASY_BULK_CREDITS;
    s->busy.code = 0;
}

/* All that has come. */
static int take_all(struct sending *s, struct asy_error *err)
{
    struct asy_bulk head;
    const void *body;
    size_t n;
    int rc;

    while ((rc = asy__bulk_hear(s->session, &head, &body, &n, err)) == 0) {
        struct slot *slot = NULL;

        for (size_t i = 0; i < SLOTS; i++)
            if (s->slots[i].input && s->slots[i].transfer == head.transfer && head.transfer)
                slot = &s->slots[i];
        s->heard_ms = asy_clock_ms();
        if (!slot)
            continue;
        if (head.kind != ASY_BULK_END || head.code == 0)
            s->moved_ms = s->heard_ms;
        if (head.kind == ASY_BULK_CREDIT)
            take_credit(s, slot, &head);
        else if (head.kind == ASY_BULK_END && (rc = take_end(s, slot, &head, err)) < 0)
            return rc;
    }
    return rc == ASY_E_AGAIN ? 0 : rc;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int judge_silence(struct sending *s, struct asy_error *err)
{
    int64_t now_ms = asy_clock_ms();

    if (now_ms - s->moved_ms > ASY__PATIENCE_MS)
        return s->busy.code ? asy_fail(err, s->busy.code, "cannot send the study's files: %s",
                                       s->busy.text)
                            : asy__bulk_unreachable(s->session, err);
    if (now_ms - s->heard_ms <= SILENCE_MS)
        return 0;
    fprintf(stderr, "%sassay: no answer from the coordinator's port for files, trying anew\n",
            s->shown ? "\r\033[K" : "");
    s->heard_ms = now_ms;
    s->busy.code = 0;
    for (size_t i = 0; i < SLOTS; i++)
        offer_anew(&s->slots[i], now_ms);
    return asy_client_next(s->session->bulk, err);
}

static int step(struct sending *s, struct asy_error *err)
{
    struct asy_poll_item item = { .client = s->session->bulk, .fd = -1, .events = POLLIN };
    int rc = take_all(s, err);

    for (size_t i = 0; rc == 0 && i < SLOTS; i++)
        rc = push(s, &s->slots[i], err);
    if (rc < 0 && rc != ASY_E_AGAIN)
        return rc;
    if ((rc = judge_silence(s, err)) < 0)
        return rc;
    show(s);
    return s->over == s->n ? 0 : asy_poll(&item, 1, ASY__STEP_MS, err) < 0 ? ASY_E_IO : 0;
}

static int pass(struct sending *s, struct asy_error *err)
{
    int rc = 0, interrupts = asy__interrupts();

    s->next = s->over = 0;
    s->done = 0;
    s->begun_ms = s->heard_ms = s->moved_ms = asy_clock_ms();
    for (size_t i = 0; i < SLOTS; i++)
        s->slots[i].fd = -1;
    while (rc == 0 && s->over < s->n) {
        rc = step(s, err);
        if (rc == 0 && asy__interrupts() != interrupts)
            rc = asy_fail(err, ASY_E_CANCELLED, "interrupted; what has been sent is kept for an "
                          "hour");
    }
    for (size_t i = 0; i < SLOTS; i++)
        close_slot(&s->slots[i]);
    return rc;
}

/* 1: the first of them were sent so long ago that others may have taken their room. */
static int again(const struct sending *s, size_t n_sent)
{
    return s->n_sent > n_sent && asy_clock_ms() - s->begun_ms > STALE_MS;
}

static int send_all(struct sending *s, struct asy_error *err)
{
    int rc = 0, more = 1;

    for (int i = 0; rc == 0 && more && i < PASSES; i++) {
        size_t n_sent = s->n_sent;

        rc = pass(s, err);
        more = rc == 0 && again(s, n_sent);
    }
    return rc;
}

int asy__inputs_send(struct asy__session *session, const struct asy_study_spec *spec,
                     struct asy_error *err)
{
    struct sending s = { .session = session, .busy = ASY_ERROR_INIT,
                         .shows = isatty(STDERR_FILENO) };
    int rc;

    if (!asy__session_remote(session))
        return 0;
    if ((rc = choose(&s, spec, err)) == 0 && s.n > 0 &&
        (rc = asy__bulk_connect(session, err)) == 0) {
        rc = send_all(&s, err);
        show_end(&s, rc);
    }
    free(s.inputs);
    free(s.chunk);
    return rc;
}
