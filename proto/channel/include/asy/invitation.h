/* SPDX-License-Identifier: Apache-2.0
 * asy/invitation.h - a file that lets its bearer in: where a coordinator listens, its key, and a
 * key pair that it knows. Made by `assay invite`, taken by `assay worker --join`; 0600 or refused.
 *
 * Beside it an agent keeps FILE.now: the endpoints that the coordinator told last. Whoever reads
 * them takes everything else from the invitation, so that they may be out of date but not forged.
 *
 * Threads: any; files are replaced atomically. */
#ifndef ASY_INVITATION_H
#define ASY_INVITATION_H
#include <asy/buf.h>
#include <asy/keys.h>

struct asy_invitation {
    struct asy_discovery at;  /* endpoints, server key, store, host; no pid, it never looks stale */
    struct asy_keypair pair;
    char owner[ASY_KEY_TEXT]; /* public key of the user for whom it acts; a user's own: its own */
    char name[64];            /* beside the key in keys/authorized */
    int is_worker;            /* the key may be an agent, and nothing else */
};
/* JSON; the buffer holds a secret key. */
ASY_MUST_CHECK int asy_invitation_format(const struct asy_invitation *invitation,
                                         struct asy_buf *ret_text, struct asy_error *err);
/* ASY_E_EXISTS: path is there already. */
ASY_MUST_CHECK int asy_invitation_save(const char *path, const struct asy_invitation *invitation,
                                       struct asy_error *err);
/* ASY_E_NOENT: none. ASY_E_DENIED: modes. ASY_E_CORRUPT: not an invitation. */
ASY_MUST_CHECK int asy_invitation_read(const char *path, struct asy_invitation *ret_invitation,
                                       struct asy_error *err);

/* Keeps the endpoints [n] (at most 4 count) beside path, unless they stand there. */
ASY_MUST_CHECK int asy_invitation_note(const char *path, const struct asy_invitation *invitation,
                                       const char *const *endpoints, size_t n,
                                       struct asy_error *err);
/* The invitation's discovery with the endpoints kept beside path. *ret_newer: they were written
 * after the invitation. ASY_E_NOENT: there are none, or those of another coordinator. */
ASY_MUST_CHECK int asy_invitation_noted(const char *path, const struct asy_invitation *invitation,
                                        struct asy_discovery *ret_discovery, int *ret_newer,
                                        struct asy_error *err);
#endif
