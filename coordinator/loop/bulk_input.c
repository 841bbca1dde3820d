/* SPDX-License-Identifier: Apache-2.0
 * bulk_input.c - inputs of users whose machines do not share this one's folders: they come before
 * the study that names them, and stay for those that come later.
 *
 *   home/inputs/<user>/<sha256>          user: half the sha256 of the key
 *                     /.part-<sha256>    growing
 *
 * Each user has a folder, and gets only what they have sent themselves: else who knows the hash of
 * another's file could have it by offering that. The sum is bounded; what no live study of the user
 * names and was not sent just now goes first, the oldest before others. That is asked of the loop
 * when room is needed, not written down: nothing can be left behind or be out of date. Links for
 * each study were the other way, which not all file systems have. */
#include "bulk_impl.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/log.h>

#define USERS 64u              /* remembered */
#define ENTRY_BYTES 4096u      /* what any file counts for at least */
#define SHARE 10u              /* of the disk, unless there is a setting */
#define NEW_S 600              /* sent so lately it stays, for its study is yet to come */
#define LONG_S 86400           /* who submits all the time may not keep all for ever by that */
#define MIB ((uint64_t)1 << 20)

struct asy__bulk_user {
    struct asy__bulk_user *next;
    char owner[ASY_KEY_TEXT], folder[ASY__BULK_PATH];
    uint64_t bytes;            /* that lie there; counted: that is known */
    int counted;
    int64_t since_s, heard_s;  /* what is sent without a long pause belongs together: its beginning
                                * and its last word, wall time as files have it */
};
struct entry {
    struct asy_sha sha;
    uint64_t bytes;
    int64_t used_s;
};
struct listing {
    struct entry *list;
    size_t n, cap;
};
struct named {                 /* what live studies name, in order */
    struct asy_sha *list;
    size_t n, cap;
};

int asy__bulk_is_offer(const struct asy_bulk *head)
{
    return head->kind == ASY_BULK_PUT && head->what == ASY_BULK_INPUT;
}

/* ---- users ----------------------------------------------------------------------------------- */

static int name_folder(const struct asy__bulk *bulk, struct asy__bulk_user *user,
                       struct asy_error *err)
{
    char hex[ASY_SHA_TEXT];
    struct asy_sha sha;
    int rc = asy_sha_bytes(user->owner, strlen(user->owner), &sha, err);

    if (rc == 0)
        snprintf(user->folder, sizeof user->folder, "%s/inputs/%.32s", bulk->home,
                 asy_sha_format(sha, hex));
    return rc;
}

/* NULL: no memory. */
static struct asy__bulk_user *user_of(struct asy__bulk *bulk, const char *owner)
{
    struct asy__bulk_user **at = &bulk->users, *user;
    size_t n = 0;

    while ((user = *at) && strcmp(user->owner, owner)) {
        if (++n == USERS) { /* the last one makes room */
            *at = user->next;
            free(user);
            user = NULL;
            break;
        }
        at = &user->next;
    }
    if (user) {
        *at = user->next;
    } else {
        if (!(user = calloc(1, sizeof *user)))
            return NULL;
        snprintf(user->owner, sizeof user->owner, "%s", owner);
        if (name_folder(bulk, user, NULL) < 0) {
            free(user);
            return NULL;
        }
    }
    user->next = bulk->users;
    return bulk->users = user;
}

void asy__bulk_forget_users(struct asy__bulk *bulk)
{
    while (bulk->users) {
        struct asy__bulk_user *user = bulk->users;

        bulk->users = user->next;
        free(user);
    }
}

static int64_t now_s(void)
{
    return asy_clock_wall_us() / 1000000;
}

static void hear(struct asy__bulk_user *user)
{
    if (now_s() - user->heard_s > NEW_S)
        user->since_s = now_s();
    user->heard_s = now_s();
}

/* ---- what lies there ------------------------------------------------------------------------- */

static uint64_t weight(uint64_t bytes)
{
    return bytes < UINT64_MAX - ENTRY_BYTES ? bytes + ENTRY_BYTES : bytes;
}

static int is_of(const struct asy__transfer *t, const struct asy__bulk_user *user)
{
    size_t n = strlen(user->folder);

    return !t->over && asy__bulk_is_offer(&t->head) && !strncmp(t->part, user->folder, n) &&
           t->part[n] == '/';
}

/* Of what is on its way, as a whole. */
static uint64_t coming(const struct asy__bulk *bulk, const struct asy__bulk_user *user,
                       const struct asy__transfer *but)
{
    uint64_t sum = 0;

    for (const struct asy__transfer *t = bulk->transfers; t; t = t->next)
        if (t != but && is_of(t, user) && !t->there)
            sum += weight(t->head.bytes);
    return sum;
}

static int comes(const struct asy__bulk *bulk, const struct asy__bulk_user *user,
                 const char *name)
{
    for (const struct asy__transfer *t = bulk->transfers; t; t = t->next)
        if (is_of(t, user) && !strcmp(strrchr(t->part, '/') + 1, name))
            return 1;
    return 0;
}

static int add_entry(struct listing *list, const struct entry *entry)
{
    size_t cap = list->cap ? 2 * list->cap : 64;
    struct entry *more = list->list;

    if (list->n == list->cap) {
        if (!(more = reallocarray(list->list, cap, sizeof *more)))
            return ASY_E_NOMEM;
        list->list = more;
        list->cap = cap;
    }
    list->list[list->n++] = *entry;
    return 0;
}

/* Weighs all that lies there; list (NULL: none is wanted) gets what is whole. */
static void look(struct asy__bulk *bulk, struct asy__bulk_user *user, struct listing *list)
{
    DIR *dir = opendir(user->folder);
    struct dirent *at;

    user->bytes = 0;
    while (dir && (at = readdir(dir))) {
        struct entry entry = { .bytes = 0 };
        struct stat st;

        if (at->d_name[0] == '.' ? strncmp(at->d_name, ASY__BULK_PART, strlen(ASY__BULK_PART)) ||
                                       comes(bulk, user, at->d_name)
                                 : asy_sha_parse(at->d_name, strlen(at->d_name), &entry.sha, NULL))
            continue;
        if (fstatat(dirfd(dir), at->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        entry.bytes = weight((uint64_t)st.st_size);
        entry.used_s = st.st_atim.tv_sec;
        user->bytes += entry.bytes;
        if (list && at->d_name[0] != '.')
            ASY_IGNORE(add_entry(list, &entry)); /* then it stays */
    }
    if (dir)
        closedir(dir);
    user->counted = 1;
}

/* ---- what is needed -------------------------------------------------------------------------- */

static int by_sha(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct asy_sha));
}

static int by_use(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

static int add_named(struct named *named, const char *text)
{
    struct asy_study_spec *spec = NULL;
    int rc = asy_study_parse(text, strlen(text), "a study", NULL, &spec, NULL, NULL);

    if (rc == 0 && spec->n_inputs > named->cap - named->n) {
        size_t cap = 2 * named->cap + spec->n_inputs;
        struct asy_sha *more = reallocarray(named->list, cap, sizeof *more);

        rc = more ? 0 : ASY_E_NOMEM;
        named->list = more ? more : named->list;
        named->cap = more ? cap : named->cap;
    }
    for (size_t i = 0; rc == 0 && i < spec->n_inputs; i++)
        if (!spec->inputs[i].folder)
            named->list[named->n++] = spec->inputs[i].sha;
    asy_study_destroy(spec);
    return rc;
}

/* By the live studies of the user. Fails if they cannot all be looked at. */
static int list_named(struct asy__bulk *bulk, const struct asy__bulk_user *user,
                      struct named *named)
{
    struct asy__bulk_ask *ask = calloc(1, sizeof *ask);
    int rc = ASY_E_AGAIN;

    if (!ask)
        return rc;
    ask->texts = 1;
    snprintf(ask->owner, sizeof ask->owner, "%s", user->owner);
    if ((ask = asy__bulk_ask_loop(bulk, ask)) && ask->found)
        rc = 0;
    for (size_t at = 0; rc == 0 && at < ask->text_len; at += strlen(ask->text + at) + 1)
        rc = add_named(named, ask->text + at);
    asy__bulk_ask_free(ask);
    if (named->n)
        qsort(named->list, named->n, sizeof *named->list, by_sha);
    return rc;
}

/* ---- room ------------------------------------------------------------------------------------ */

static uint64_t quota_of(const struct asy__bulk *bulk)
{
    struct statvfs fs;

    if (bulk->input_quota)
        return bulk->input_quota;
    return statvfs(bulk->home, &fs) < 0 ? UINT64_MAX
                                        : (uint64_t)fs.f_blocks * fs.f_frsize / SHARE;
}

/* Down to `most`, as far as nobody needs it. */
static void remove_unneeded(struct asy__bulk *bulk, struct asy__bulk_user *user,
                            const struct listing *list, const struct named *named, uint64_t most)
{
    int64_t since_s = now_s() - LONG_S < user->since_s ? user->since_s : now_s() - LONG_S;
    int64_t before_s = now_s() - NEW_S < since_s ? now_s() - NEW_S : since_s;
    char hex[ASY_SHA_TEXT], path[ASY__BULK_PATH + 80];

    for (size_t i = 0; i < list->n && user->bytes > most; i++) {
        const struct entry *entry = &list->list[i];

        if (entry->used_s >= before_s ||
            (named->n && bsearch(&entry->sha, named->list, named->n, sizeof entry->sha, by_sha)))
            continue;
        snprintf(path, sizeof path, "%s/%s", user->folder, asy_sha_format(entry->sha, hex));
        asy_info("bulk: input '%s' is named by no unfinished study, removing it", hex);
        asy__bulk_discard(bulk, path);
        user->bytes -= entry->bytes;
    }
}

static int make_room(struct asy__bulk *bulk, struct asy__bulk_user *user,
                     const struct asy__transfer *t, struct asy_error *err)
{
    uint64_t quota = quota_of(bulk), need = coming(bulk, user, t) + weight(t->head.bytes);
    struct listing list = { 0 };
    struct named named = { 0 };
    int rc = 0;

    if (!user->counted)
        look(bulk, user, NULL);
    if (need <= quota && user->bytes <= quota - need)
        return 0;
    look(bulk, user, &list);
    if (list.n)
        qsort(list.list, list.n, sizeof *list.list, by_use);
    if (need <= quota && (rc = list_named(bulk, user, &named)) == 0)
        remove_unneeded(bulk, user, &list, &named, quota - need);
    if (rc < 0)
        rc = asy_fail(err, ASY_E_AGAIN, "the coordinator cannot look at your studies now");
    else if (need > quota || user->bytes > quota - need)
        rc = asy_fail(err, ASY_E_FULL, "the coordinator keeps %llu MiB of files for each user "
                      "('input_quota' there), which yours would exceed by %llu MiB",
                      (unsigned long long)(quota / MIB),
                      (unsigned long long)((user->bytes + need - quota + MIB - 1) / MIB));
    free(list.list);
    free(named.list);
    return rc;
}

/* ---- transfers ------------------------------------------------------------------------------- */

static void touch(const char *path)
{
    const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };

    ASY_IGNORE(utimensat(AT_FDCWD, path, times, 0) < 0); /* then it goes a little earlier */
}

static int name_paths(const struct asy__bulk_user *user, struct asy__transfer *t,
                      struct asy_error *err)
{
    char hex[ASY_SHA_TEXT];

    asy_sha_format(t->head.sha, hex);
    snprintf(t->what, sizeof t->what, "input '%s'", hex);
    if (snprintf(t->path, sizeof t->path, "%s/%s", user->folder, hex) >= (int)sizeof t->path ||
        snprintf(t->part, sizeof t->part, "%s/" ASY__BULK_PART "%s", user->folder, hex) >=
            (int)sizeof t->part)
        return asy_fail(err, ASY_E_TOOBIG, "path '%.120s' is too long", user->folder);
    return asy_durable_mkdirs(user->folder, err);
}

/* It was sent before: what it is now is hashed, unless that is known. 1: so it was. */
static int is_sent(struct asy__bulk *bulk, struct asy__transfer *t)
{
    struct asy_sha sha;

    if (lstat(t->path, &t->st) < 0 || !S_ISREG(t->st.st_mode) ||
        (uint64_t)t->st.st_size != t->head.bytes)
        return 0;
    touch(t->path);
    if (!asy_sha_memo_get(bulk->memo, &t->st, &sha))
        return asy__bulk_hash_there(t, NULL) == 0;
    if (memcmp(&sha, &t->head.sha, sizeof sha))
        return 0;
    t->kept = 1;
    asy__bulk_end(bulk, t, 0, "");
    return 1;
}

void asy__bulk_put_input(struct asy__bulk *bulk, uint64_t peer, const char *key,
                         const struct asy_bulk *head)
{
    struct asy__bulk_user *user = user_of(bulk, key);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__transfer *t;
    int rc;

    if (head->tree) {
        asy__bulk_refuse(bulk, peer, head, ASY_E_UNSUPPORTED, "an input is a file");
        return;
    }
    if (!user) {
        asy__bulk_refuse(bulk, peer, head, ASY_E_AGAIN, "no memory for a user");
        return;
    }
    if (!(t = asy__bulk_open(bulk, peer, head)))
        return;
    hear(user);
    if ((rc = name_paths(user, t, &err)) < 0) {
        asy__bulk_end(bulk, t, rc, err.text);
        return;
    }
    asy__bulk_close_twin(bulk, t);
    if (is_sent(bulk, t))
        return;
    if ((rc = make_room(bulk, user, t, &err)) < 0) { /* the user's affair, no warning's */
        asy__bulk_refuse(bulk, peer, &t->head, rc, err.text);
        t->over = 1;
    } else if ((rc = asy__bulk_open_part(bulk, t, &err)) < 0) {
        asy__bulk_end(bulk, t, rc, err.text);
    }
}

static struct asy__bulk_user *sender_of(const struct asy__bulk *bulk,
                                        const struct asy__transfer *t)
{
    struct asy__bulk_user *user = bulk->users;

    while (user && (strncmp(t->part, user->folder, strlen(user->folder)) ||
                    t->part[strlen(user->folder)] != '/'))
        user = user->next;
    return user;
}

void asy__bulk_input_kept(struct asy__bulk *bulk, struct asy__transfer *t)
{
    struct asy__bulk_user *user = sender_of(bulk, t);

    t->kept = 1;
    if (!user)
        return;
    user->heard_s = now_s(); /* it was busy all the while */
    user->bytes += weight(t->head.bytes);
}

/* What has come of it may lie there still: all is weighed anew. */
void asy__bulk_input_over(struct asy__bulk *bulk, const struct asy__transfer *t)
{
    struct asy__bulk_user *user;

    if (asy__bulk_is_offer(&t->head) && !t->kept && t->part[0] && (user = sender_of(bulk, t)))
        user->counted = 0;
}

int asy__bulk_open_sent(struct asy__bulk *bulk, struct asy__transfer *t, const char *owner,
                        const struct asy_study_input *input)
{
    struct asy__bulk_user user = { .counted = 0 };
    char hex[ASY_SHA_TEXT];
    struct stat st;

    snprintf(user.owner, sizeof user.owner, "%s", owner);
    if (name_folder(bulk, &user, NULL) < 0)
        return 0;
    snprintf(t->what, sizeof t->what, "input '%.180s'", input->path);
    snprintf(t->path, sizeof t->path, "%.4300s/%s", user.folder, asy_sha_format(input->sha, hex));
    return lstat(t->path, &st) == 0 && S_ISREG(st.st_mode) &&
           (uint64_t)st.st_size == input->bytes && asy_pack_open(t->path, &t->pack, NULL) == 0;
}

void asy__bulk_sweep_inputs(struct asy__bulk *bulk)
{
    char folder[ASY__BULK_PATH], path[ASY__BULK_PATH + 300];
    struct dirent *entry;
    DIR *dir;

    snprintf(folder, sizeof folder, "%s/inputs", bulk->home);
    if (!(dir = opendir(folder)))
        return;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        asy__bulk_sweep_folder(bulk, path);
    }
    closedir(dir);
    for (struct asy__bulk_user *user = bulk->users; user; user = user->next)
        user->counted = 0;
}
