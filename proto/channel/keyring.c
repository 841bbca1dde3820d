/* SPDX-License-Identifier: Apache-2.0
 * keyring.c - who may connect: a text file of "<public key> <name>" lines that people edit too;
 * "<public key> for=<public key of a user> <name>" is a worker that acts for that user.
 *
 * Blank lines and lines that begin with "# " are skipped ('#' alone may begin a key). Adding
 * appends to the text as it then stands, so comments stay and what another process added is taken
 * in. The keys are searched one by one: a handshake costs far more than a pass over a few thousand.
 *
 * Entries are never freed or moved, only marked as gone, and the array of pointers is moved under
 * the lock: names that were handed out stay. Whoever changes the file holds a lock beside it. */
#include <asy/keys.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/buf.h>
#include "channel.h"
#include "private.h"

#define RING_BYTES (1u << 20)
#define KEY_LEN ((size_t)ASY_KEY_TEXT - 1)
#define NAME_MAX_LEN 63u
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@+"

#define ACTS_FOR "for="

struct entry {
    char key[ASY_KEY_TEXT];
    char owner[ASY_KEY_TEXT]; /* of a worker: the user it acts for; "": a user */
    char name[NAME_MAX_LEN + 1];
    int gone;
    unsigned seen; /* in which reading of the file */
};
struct asy_keyring {
    char *path;
    pthread_rwlock_t lock;  /* of all below */
    struct entry **entries; /* [n] */
    size_t n, cap;
    unsigned readings;
    struct stat as_read;    /* of the file */
    atomic_uint losses;
};
/* A line that is a key's, without its newline; name is not terminated. */
struct line {
    char key[ASY_KEY_TEXT], owner[ASY_KEY_TEXT];
    const char *name;
    size_t name_len;
};

/* Under the lock. */
static struct entry *find(const struct asy_keyring *ring, const char *key)
{
    for (size_t i = 0; i < ring->n; i++)
        if (!ring->entries[i]->gone && !strcmp(ring->entries[i]->key, key))
            return ring->entries[i];
    return NULL;
}

/* Under the lock. */
static const struct entry *find_name(const struct asy_keyring *ring, const char *name)
{
    for (size_t i = 0; i < ring->n; i++)
        if (!ring->entries[i]->gone && !strcmp(ring->entries[i]->name, name))
            return ring->entries[i];
    return NULL;
}

/* Under the lock. */
static int put(struct asy_keyring *ring, const struct line *line, struct asy_error *err)
{
    struct entry *entry;

    if (ring->n == ring->cap) {
        size_t cap = ring->cap ? ring->cap * 2 : 16;
        struct entry **grown = realloc(ring->entries, cap * sizeof(struct entry *));

        if (!grown)
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu keys", cap);
        ring->entries = grown;
        ring->cap = cap;
    }
    if (!(entry = calloc(1, sizeof *entry)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a key");
    memcpy(entry->key, line->key, sizeof entry->key);
    memcpy(entry->owner, line->owner, sizeof entry->owner);
    memcpy(entry->name, line->name, line->name_len);
    entry->seen = ring->readings;
    ring->entries[ring->n++] = entry;
    return 0;
}

/* Of a name that people wrote into the file, which is older than the rule for new ones. */
static int is_plain(const char *name, size_t len)
{
    if (len > NAME_MAX_LEN)
        return 0;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return 0;
    return 1;
}

int asy_key_name_check(const char *name, struct asy_error *err)
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_LEN)
        return asy_fail(err, ASY_E_INVAL, "a name beside a key has 1 to %u bytes, not %zu",
                        NAME_MAX_LEN, len);
    if (name[0] == '-' || strspn(name, NAME_CHARS) < len)
        return asy_fail(err, ASY_E_INVAL, "a name beside a key has letters, digits and any of "
                        "._-@+ alone, and no '-' at its beginning");
    return 0;
}

/* Takes a key from the beginning of text, which goes on with a blank or ends. */
static int take_key(const char **text, size_t *len, char ret_key[ASY_KEY_TEXT])
{
    if (*len < KEY_LEN || (*len > KEY_LEN && (*text)[KEY_LEN] != ' '))
        return 0;
    memcpy(ret_key, *text, KEY_LEN);
    ret_key[KEY_LEN] = 0;
    *text += *len > KEY_LEN ? KEY_LEN + 1 : KEY_LEN;
    *len -= *len > KEY_LEN ? KEY_LEN + 1 : KEY_LEN;
    return asy__check_key(ret_key, "word", NULL) == 0;
}

/* An empty name becomes "-". */
static int parse_line(const char *text, size_t len, struct line *ret, struct asy_error *err)
{
    size_t mark = strlen(ACTS_FOR);

    memset(ret, 0, sizeof *ret);
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\r'))
        len--;
    if (len < KEY_LEN || (len > KEY_LEN && text[KEY_LEN] != ' '))
        return asy_fail(err, ASY_E_FORMAT, "not '<public key> <name>'");
    if (!take_key(&text, &len, ret->key))
        return asy_fail(err, ASY_E_FORMAT, "not a public key of 40 Z85 characters");
    if (len >= mark && !memcmp(text, ACTS_FOR, mark)) {
        text += mark;
        len -= mark;
        if (!take_key(&text, &len, ret->owner))
            return asy_fail(err, ASY_E_FORMAT, "no public key of a user after '" ACTS_FOR "'");
    }
    ret->name = len ? text : "-";
    ret->name_len = len ? len : 1;
    return is_plain(ret->name, ret->name_len)
               ? 0 : asy_fail(err, ASY_E_FORMAT, "the name is too long or not plain text");
}

/* The next line of text from *at on that has a key. 1: it is in *ret, and *at behind it; 0: there
 * is none. */
static int next_line(const struct asy_keyring *ring, const char *text, size_t len, size_t *at,
                     unsigned *number, struct line *ret, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;

    while (*at < len) {
        const char *line = text + *at, *end = memchr(line, '\n', len - *at);
        size_t n = end ? (size_t)(end - line) : len - *at;
        int rc;

        *at += n + (end != NULL);
        ++*number;
        if (n == 0 || n == strspn(line, " \t\r") || (line[0] == '#' && (n == 1 || line[1] == ' ')))
            continue;
        if ((rc = parse_line(line, n, ret, &why)))
            return asy_fail(err, rc, "'%s' line %u: %s: mend or delete this line, then again",
                            ring->path, *number, why.text);
        return 1;
    }
    return 0;
}

/* Under the lock. Takes in the keys of text that are new; marks as seen those that it has. */
static int merge(struct asy_keyring *ring, const char *text, size_t len, struct asy_error *err)
{
    size_t at = 0;
    unsigned number = 0;
    struct line line;
    int rc;

    ring->readings++;
    while ((rc = next_line(ring, text, len, &at, &number, &line, err)) > 0) {
        struct entry *entry = find(ring, line.key);

        if (entry && strcmp(entry->owner, line.owner)) {
            entry->gone = 1; /* what it was it is no more */
            atomic_fetch_add(&ring->losses, 1);
            entry = NULL;
        }
        if (entry)
            entry->seen = ring->readings;
        else if ((rc = put(ring, &line, err)))
            return rc;
    }
    return rc;
}

/* Under the lock, after merge(): what the file does not have any more is gone. */
static void drop_unseen(struct asy_keyring *ring)
{
    for (size_t i = 0; i < ring->n; i++)
        if (!ring->entries[i]->gone && ring->entries[i]->seen != ring->readings) {
            ring->entries[i]->gone = 1;
            atomic_fetch_add(&ring->losses, 1);
        }
}

/* The file's text; empty if there is no file. */
static int read_ring(const char *path, char **ret_text, size_t *ret_len, struct asy_error *err)
{
    int rc = asy__private_read(path, ASY__OURS, RING_BYTES, ret_text, ret_len, err);

    if (rc != ASY_E_NOENT)
        return rc;
    *ret_text = NULL;
    *ret_len = 0;
    return 0;
}

int asy_keyring_load(const char *path, struct asy_keyring **ret_ring, struct asy_error *err)
{
    struct asy_keyring *ring = calloc(1, sizeof *ring);
    char *text = NULL;
    size_t len = 0;
    int rc;

    if (!ring)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a keyring");
    if (pthread_rwlock_init(&ring->lock, NULL)) {
        free(ring);
        return asy_fail(err, ASY_E_NOMEM, "cannot make a lock");
    }
    if (!(ring->path = strdup(path))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a keyring");
        goto out;
    }
    if (stat(path, &ring->as_read) < 0)
        memset(&ring->as_read, 0, sizeof ring->as_read);
    if ((rc = read_ring(path, &text, &len, err)) || (rc = merge(ring, text, len, err)))
        goto out;
    *ret_ring = ring;
    ring = NULL;
out:
    free(text);
    asy_keyring_destroy(ring);
    return rc;
}

void asy_keyring_destroy(struct asy_keyring *ring)
{
    if (!ring)
        return;
    for (size_t i = 0; i < ring->n; i++)
        free(ring->entries[i]);
    free(ring->entries);
    free(ring->path);
    pthread_rwlock_destroy(&ring->lock);
    free(ring);
}

/* ---- changing the file ----------------------------------------------------------------------- */

/* Held against other processes while the file is read and written again; -1 where the file system
 * has no locks: then the later one of two at once wins, as with an editor. */
static int lock_file(const struct asy_keyring *ring)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char path[PATH_MAX];
    int fd;

    if (snprintf(path, sizeof path, "%s.lock", ring->path) >= (int)sizeof path ||
        (fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        return -1;
    while (fcntl(fd, F_OFD_SETLKW, &lock) < 0)
        if (errno != EINTR) {
            close(fd);
            return -1;
        }
    return fd;
}

/* Under the lock. */
static int append(struct asy_keyring *ring, const char *text, size_t len, const struct line *line,
                  struct asy_error *err)
{
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, RING_BYTES);
    asy_buf_add(&buf, text, len);
    if (len > 0 && text[len - 1] != '\n')
        asy_buf_addc(&buf, '\n');
    asy_buf_addf(&buf, "%s %s%s%s%.*s\n", line->key, *line->owner ? ACTS_FOR : "", line->owner,
                 *line->owner ? " " : "", (int)line->name_len, line->name);
    if ((rc = asy_buf_check(&buf, "the list of keys", err)) == 0)
        rc = asy__private_write(ring->path, buf.data, buf.len, err);
    asy_buf_fini(&buf);
    return rc;
}

static int add(struct asy_keyring *ring, const struct line *line, struct asy_error *err)
{
    char *text = NULL;
    size_t len = 0;
    int held = lock_file(ring), rc;

    pthread_rwlock_wrlock(&ring->lock);
    if ((rc = read_ring(ring->path, &text, &len, err)) == 0 &&
        (rc = merge(ring, text, len, err)) == 0 && !find(ring, line->key) &&
        (rc = put(ring, line, err)) == 0 && (rc = append(ring, text, len, line, err)))
        free(ring->entries[--ring->n]); /* nobody has seen it: we hold the lock */
    pthread_rwlock_unlock(&ring->lock);
    free(text);
    if (held >= 0)
        close(held);
    return rc;
}

int asy_keyring_add(struct asy_keyring *ring, const char *key, const char *name,
                    struct asy_error *err)
{
    return asy_keyring_add_worker(ring, key, "", name, err);
}

int asy_keyring_add_worker(struct asy_keyring *ring, const char *key, const char *owner,
                           const char *name, struct asy_error *err)
{
    struct line line = { .name = name, .name_len = strlen(name) };
    int rc;

    if ((rc = asy__check_key(key, "key to add", err)) ||
        (*owner && (rc = asy__check_key(owner, "owner's key", err))) ||
        (rc = asy_key_name_check(name, err)))
        return rc;
    memcpy(line.key, key, ASY_KEY_TEXT);
    if (*owner)
        memcpy(line.owner, owner, ASY_KEY_TEXT);
    return add(ring, &line, err);
}

/* Whether a revocation of the entry victim takes this line along: its own, or its workers'. */
static int goes(const struct line *line, const char *victim)
{
    return !strcmp(line->key, victim) || !strcmp(line->owner, victim);
}

/* Under the lock. The text without the lines of a key and of those that act for it. */
static int cut(struct asy_keyring *ring, const char *text, size_t len, const char *victim,
               size_t *ret_n, struct asy_error *err)
{
    struct asy_buf buf;
    size_t at = 0, from = 0;
    unsigned number = 0;
    struct line line;
    int rc;

    *ret_n = 0;
    asy_buf_init(&buf, RING_BYTES);
    while ((rc = next_line(ring, text, len, &at, &number, &line, err)) > 0) {
        size_t begins = at;

        while (begins > from && (begins == at || text[begins - 1] != '\n'))
            begins--;
        if (!goes(&line, victim))
            continue;
        asy_buf_add(&buf, text + from, begins - from);
        from = at;
        ++*ret_n;
    }
    asy_buf_add(&buf, text + from, len - from);
    if (rc == 0 && (rc = asy_buf_check(&buf, "the list of keys", err)) == 0)
        rc = asy__private_write(ring->path, buf.data, buf.len, err);
    asy_buf_fini(&buf);
    return rc;
}

int asy_keyring_remove(struct asy_keyring *ring, const char *word, size_t *ret_n,
                       struct asy_error *err)
{
    const struct entry *entry;
    char *text = NULL;
    size_t len = 0;
    int held = lock_file(ring), rc;

    pthread_rwlock_wrlock(&ring->lock);
    if ((rc = read_ring(ring->path, &text, &len, err)) == 0 &&
        (rc = merge(ring, text, len, err)) == 0) {
        if (!(entry = find_name(ring, word)) && !(entry = find(ring, word)))
            rc = asy_fail(err, ASY_E_NOENT, "'%s' has no key '%.80s'", ring->path, word);
        else
            rc = cut(ring, text, len, entry->key, ret_n, err);
    }
    pthread_rwlock_unlock(&ring->lock);
    free(text);
    if (held >= 0)
        close(held);
    return rc ? rc : asy_keyring_refresh(ring, err);
}

int asy_keyring_refresh(struct asy_keyring *ring, struct asy_error *err)
{
    char *text = NULL;
    size_t len = 0;
    struct stat now;
    int rc = 0;

    if (stat(ring->path, &now) < 0)
        memset(&now, 0, sizeof now);
    pthread_rwlock_wrlock(&ring->lock);
    if (now.st_ino != ring->as_read.st_ino || now.st_size != ring->as_read.st_size ||
        now.st_mtim.tv_sec != ring->as_read.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != ring->as_read.st_mtim.tv_nsec) {
        if ((rc = read_ring(ring->path, &text, &len, err)) == 0 &&
            (rc = merge(ring, text, len, err)) == 0) {
            drop_unseen(ring);
            ring->as_read = now;
        }
    }
    pthread_rwlock_unlock(&ring->lock);
    free(text);
    return rc;
}

/* ---- asking ---------------------------------------------------------------------------------- */

int asy_keyring_get(struct asy_keyring *ring, const char *key, struct asy_key_info *ret_info)
{
    const struct entry *entry;

    pthread_rwlock_rdlock(&ring->lock);
    entry = find(ring, key);
    if (entry && *entry->owner && !find(ring, entry->owner))
        entry = NULL; /* whom it acted for is not let in any more */
    if (entry && ret_info) {
        ret_info->is_worker = *entry->owner != 0;
        memcpy(ret_info->owner, *entry->owner ? entry->owner : entry->key, ASY_KEY_TEXT);
        ret_info->name = entry->name;
    }
    pthread_rwlock_unlock(&ring->lock);
    return entry != NULL;
}

int asy_keyring_has(void *arg, const char key[ASY_KEY_TEXT])
{
    struct asy_keyring *ring = arg;

    /* It may stand in the file since a moment ago. One that makes no sense lets nobody else in. */
    return asy_keyring_get(ring, key, NULL) ||
           (asy_keyring_refresh(ring, NULL) == 0 && asy_keyring_get(ring, key, NULL));
}

unsigned asy_keyring_losses(struct asy_keyring *ring)
{
    return atomic_load(&ring->losses);
}

const char *asy_keyring_name(struct asy_keyring *ring, const char *key)
{
    const struct entry *entry;

    pthread_rwlock_rdlock(&ring->lock);
    entry = find(ring, key);
    pthread_rwlock_unlock(&ring->lock);
    return entry ? entry->name : NULL;
}

int asy_keyring_key(struct asy_keyring *ring, const char *name, char ret_key[ASY_KEY_TEXT])
{
    const struct entry *entry;

    pthread_rwlock_rdlock(&ring->lock);
    if ((entry = find_name(ring, name)))
        memcpy(ret_key, entry->key, ASY_KEY_TEXT);
    pthread_rwlock_unlock(&ring->lock);
    return entry != NULL;
}
