/* SPDX-License-Identifier: Apache-2.0
 * asy/keys.h - who someone is, and where the coordinator listens: CURVE keys, the list of those who
 * may connect, the discovery file. All under $ASSAY_HOME, every secret 0600 or refused.
 *
 *   keys/user.key       this user's key pair (made at first use)
 *   keys/server.key     the coordinator's key pair
 *   keys/authorized     "<public key> <name>" a line: a user; who starts a coordinator is on it.
 *                       "<public key> for=<user's public key> <name>": a worker of that user
 *   coordinator.json    the discovery file, while a coordinator lives (and after: it may be stale)
 *
 * Threads: any; files are replaced atomically. */
#ifndef ASY_KEYS_H
#define ASY_KEYS_H
#include <asy/channel.h>
#include <asy/id.h>

struct asy_keypair {
    char public_key[ASY_KEY_TEXT];
    char secret_key[ASY_KEY_TEXT];
};
ASY_MUST_CHECK int asy_keypair_make(struct asy_keypair *ret_pair, struct asy_error *err);
/* Loads path, or makes and stores a new pair if there is none (of two processes at once both get
 * the same). ASY_E_DENIED: another user's file, or readable by others (the text says which chmod
 * mends it). ASY_E_CORRUPT: not a key file, or the two keys are not a pair. */
ASY_MUST_CHECK int asy_keypair_load(const char *path, struct asy_keypair *ret_pair,
                                    struct asy_error *err);

/* A set of public keys, read from a file of ours that others cannot change. Blank lines and lines
 * that begin with "# " are skipped. ASY_E_FORMAT: another line is no key; the text has its number.
 * A missing file is an empty set; the first add makes it. */
struct asy_keyring;
ASY_MUST_CHECK int asy_keyring_load(const char *path, struct asy_keyring **ret_ring,
                                    struct asy_error *err);
void asy_keyring_destroy(struct asy_keyring *ring);
/* The rule for the names of keys: 1 to 63 letters, digits and any of ._-@+, not '-' first.
 * ASY_E_INVAL: it is broken. Lines that people wrote may have other names. */
ASY_MUST_CHECK int asy_key_name_check(const char *name, struct asy_error *err);
/* Adds and stores durably, unless it is there. ASY_E_INVAL: a malformed key or name. Comments in
 * the file stay, and keys that another process has added meanwhile are taken in. */
ASY_MUST_CHECK int asy_keyring_add(struct asy_keyring *ring, const char *key, const char *name,
                                   struct asy_error *err);
/* The same of a worker that acts for the user whose key is owner ("": a user). */
ASY_MUST_CHECK int asy_keyring_add_worker(struct asy_keyring *ring, const char *key,
                                          const char *owner, const char *name,
                                          struct asy_error *err);
/* Takes out, durably, the key that has this name or text, and those that act for it; *ret_n: how
 * many. ASY_E_NOENT: there is none. */
ASY_MUST_CHECK int asy_keyring_remove(struct asy_keyring *ring, const char *name_or_key,
                                      size_t *ret_n, struct asy_error *err);
/* Reads the file again if it has changed: what is new in it is let in, what is missing is not any
 * more. On an error all stays as it was. */
ASY_MUST_CHECK int asy_keyring_refresh(struct asy_keyring *ring, struct asy_error *err);
/* Grows whenever keys were lost to a refresh. */
unsigned asy_keyring_losses(struct asy_keyring *ring);
/* 1 or 0; any thread, also while another adds; looks at the file for a key that it does not know.
 * Fits asy_authorise_f with arg = ring. */
int asy_keyring_has(void *ring, const char key[ASY_KEY_TEXT]);
struct asy_key_info {
    int is_worker;            /* it may be an agent, and nothing else */
    char owner[ASY_KEY_TEXT]; /* the user: itself, or whom it acts for */
    const char *name;         /* "-" if there is none; as long as the ring */
};
/* 1 and what it is, or 0: it may not connect (of a worker also if its owner may not). ret_info may
 * be NULL. */
int asy_keyring_get(struct asy_keyring *ring, const char *key, struct asy_key_info *ret_info);
/* The name that stands beside a key ("-" if none does), NULL for an unknown key; as long as the
 * ring. */
const char *asy_keyring_name(struct asy_keyring *ring, const char *key);
/* The key that has a name. 1 or 0. */
int asy_keyring_key(struct asy_keyring *ring, const char *name, char ret_key[ASY_KEY_TEXT]);

#define ASY_ENDPOINTS_MAX 8

/* What a command must know to reach a coordinator. */
struct asy_discovery {
    char endpoints[ASY_ENDPOINTS_MAX][128]; /* "tcp://…", "" where unused */
    char server_key[ASY_KEY_TEXT];
    struct asy_id store;
    uint64_t owner_epoch;
    char host[256];
    char boot_id[64];
    int64_t pid;
    char version[64];
    int unheld; /* read from a file that nobody holds */
    int stays;  /* it does not end when idle */
};
/* Fills host, boot_id and pid with those of this process. */
ASY_MUST_CHECK int asy_discovery_here(struct asy_discovery *discovery, struct asy_error *err);
/* The file counts as that of a living coordinator while *ret_held, which the caller closes, is
 * open. */
ASY_MUST_CHECK int asy_discovery_write(const char *path, const struct asy_discovery *discovery,
                                       int *ret_held, struct asy_error *err);
/* ASY_E_NOENT: none. ASY_E_DENIED: modes. ASY_E_CORRUPT: not a discovery file. */
ASY_MUST_CHECK int asy_discovery_read(const char *path, struct asy_discovery *ret_discovery,
                                      struct asy_error *err);
/* Whether it is a coordinator of this host, as it was booted last. */
int asy_discovery_local(const struct asy_discovery *discovery);
/* The endpoints worth trying from here, borrowed, in order: a coordinator's own loopback address
 * means another host elsewhere, and is left out unless there is nothing else. Returns how many. */
size_t asy_discovery_routes(const struct asy_discovery *discovery,
                            const char *ret_endpoints[ASY_ENDPOINTS_MAX]);
/* Whether no process certainly serves the home that it was read from (same host; other boot, no
 * such pid, or copied from where its process serves). */
int asy_discovery_stale(const struct asy_discovery *discovery);
#endif
