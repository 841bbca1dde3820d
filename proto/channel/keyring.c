/* SPDX-License-Identifier: Apache-2.0
 * keyring.c - who may connect: a text file of "<public key> <name>" lines that people edit too.
 *
 * Blank lines and lines that begin with "# " are skipped ('#' alone may begin a key). Adding
 * appends to the text as it then stands, so comments stay and what another process added is taken
 * in. The keys are searched one by one: a handshake costs far more than a pass over a few thousand.
 *
 * Entries are never removed or moved, only the array of pointers is, under the lock: names that
 * were handed out stay. */
#include <asy/keys.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <asy/buf.h>
#include "channel.h"
#include "private.h"

#define RING_BYTES (1u << 20)
#define KEY_LEN ((size_t)ASY_KEY_TEXT - 1)
#define NAME_MAX_LEN 63u

struct entry {
    char key[ASY_KEY_TEXT];
    char name[NAME_MAX_LEN + 1];
};
struct asy_keyring {
    char *path;
    pthread_rwlock_t lock;  /* of the array */
    struct entry **entries; /* [n] */
    size_t n, cap;
};

/* Under the lock. */
static const struct entry *find(const struct asy_keyring *ring, const char *key)
{
    for (size_t i = 0; i < ring->n; i++)
        if (!strcmp(ring->entries[i]->key, key))
            return ring->entries[i];
    return NULL;
}

/* Under the lock. */
static int put(struct asy_keyring *ring, const char *key, const char *name, size_t name_len,
               struct asy_error *err)
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
    memcpy(entry->key, key, KEY_LEN);
    memcpy(entry->name, name, name_len);
    ring->entries[ring->n++] = entry;
    return 0;
}

static int check_name(const char *name, size_t len, struct asy_error *err)
{
    if (len == 0 || len > NAME_MAX_LEN)
        return asy_fail(err, ASY_E_INVAL, "a name beside a key has 1 to %u bytes, not %zu",
                        NAME_MAX_LEN, len);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return asy_fail(err, ASY_E_INVAL, "a name beside a key has no control characters");
    return 0;
}

/* "<key> <name>" without its newline; an empty name becomes "-". */
static int parse_line(const char *line, size_t len, char ret_key[ASY_KEY_TEXT],
                      const char **ret_name, size_t *ret_name_len, struct asy_error *err)
{
    int rc;

    while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
        len--;
    if (len < KEY_LEN || (len > KEY_LEN && line[KEY_LEN] != ' '))
        return asy_fail(err, ASY_E_FORMAT, "not '<public key> <name>'");
    memcpy(ret_key, line, KEY_LEN);
    ret_key[KEY_LEN] = 0;
    if (asy__check_key(ret_key, "first word", err))
        return asy_fail(err, ASY_E_FORMAT, "not a public key of 40 Z85 characters");
    *ret_name = len > KEY_LEN ? line + KEY_LEN + 1 : "-";
    *ret_name_len = len > KEY_LEN ? len - KEY_LEN - 1 : 1;
    rc = check_name(*ret_name, *ret_name_len, err);
    return rc ? asy_fail(err, ASY_E_FORMAT, "the name is too long or not plain text") : 0;
}

/* Under the lock. Takes in the keys of text that are new. */
static int merge(struct asy_keyring *ring, const char *text, size_t len, struct asy_error *err)
{
    size_t at = 0;
    unsigned number = 0;

    while (at < len) {
        const char *line = text + at, *end = memchr(line, '\n', len - at);
        size_t n = end ? (size_t)(end - line) : len - at, name_len = 0;
        char key[ASY_KEY_TEXT];
        const char *name = NULL;
        int rc;

        at += n + 1;
        number++;
        if (n == strspn(line, " \t\r") || n == 0 || (line[0] == '#' && (n == 1 || line[1] == ' ')))
            continue;
        if ((rc = parse_line(line, n, key, &name, &name_len, err)) ||
            (!find(ring, key) && (rc = put(ring, key, name, name_len, err)))) {
            asy_error_prefix(err, "'%s' line %u", ring->path, number);
            return rc;
        }
    }
    return 0;
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

/* Under the lock. */
static int store(struct asy_keyring *ring, const char *text, size_t len, const char *key,
                 const char *name, struct asy_error *err)
{
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, RING_BYTES);
    asy_buf_add(&buf, text, len);
    if (len > 0 && text[len - 1] != '\n')
        asy_buf_addc(&buf, '\n');
    asy_buf_addf(&buf, "%s %s\n", key, name);
    if ((rc = asy_buf_check(&buf, "the list of keys", err)) == 0)
        rc = asy__private_write(ring->path, buf.data, buf.len, err);
    asy_buf_fini(&buf);
    return rc;
}

int asy_keyring_add(struct asy_keyring *ring, const char *key, const char *name,
                    struct asy_error *err)
{
    size_t name_len = strlen(name), len = 0;
    char *text = NULL;
    int rc;

    if ((rc = asy__check_key(key, "key to add", err)) || (rc = check_name(name, name_len, err)))
        return rc;
    pthread_rwlock_wrlock(&ring->lock);
    if ((rc = read_ring(ring->path, &text, &len, err)) == 0 &&
        (rc = merge(ring, text, len, err)) == 0 && !find(ring, key) &&
        (rc = put(ring, key, name, name_len, err)) == 0 &&
        (rc = store(ring, text, len, key, name, err)))
        free(ring->entries[--ring->n]); /* nobody has seen it: we hold the lock */
    pthread_rwlock_unlock(&ring->lock);
    free(text);
    return rc;
}

int asy_keyring_has(void *arg, const char key[ASY_KEY_TEXT])
{
    struct asy_keyring *ring = arg;
    int found;

    pthread_rwlock_rdlock(&ring->lock);
    found = find(ring, key) != NULL;
    pthread_rwlock_unlock(&ring->lock);
    return found;
}

const char *asy_keyring_name(struct asy_keyring *ring, const char *key)
{
    const struct entry *entry;

    pthread_rwlock_rdlock(&ring->lock);
    entry = find(ring, key);
    pthread_rwlock_unlock(&ring->lock);
    return entry ? entry->name : NULL;
}
