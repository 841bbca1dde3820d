/* SPDX-License-Identifier: Apache-2.0
 * invite.c - `assay invite` and `assay revoke`: who may connect, as the owner of a home decides.
 *
 * Both change keys/authorized, which the coordinator watches: an invitation holds as soon as it is
 * written, a revocation ends what stands. The secret half of a key is in the invitation alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/invitation.h>
#include "session_impl.h"

static int load_ring(const struct asy__options *options, struct asy_keyring **ret_ring,
                     struct asy_error *err)
{
    char path[4200];
    int rc = asy__home_file(options, "keys/authorized", path, sizeof path, err);

    return rc < 0 ? rc : asy_keyring_load(path, ret_ring, err);
}

/* ---- invite --------------------------------------------------------------------------------- */

static void free_name(struct asy_keyring *ring, char ret[64])
{
    char key[ASY_KEY_TEXT];

    for (int i = 1; i < 100000; i++) {
        snprintf(ret, 64, "worker-%d", i);
        if (!asy_keyring_key(ring, ret, key))
            return;
    }
}

/* Whom it acts for: the user who invites, or one who was invited before. */
static int take_owner(const struct asy__options *options, struct asy_keyring *ring,
                      struct asy_invitation *invitation, struct asy_error *err)
{
    struct asy_key_info info;

    if (!options->user)
        return 0;
    if (!asy_keyring_key(ring, options->user, invitation->owner) ||
        !asy_keyring_get(ring, invitation->owner, &info) || info.is_worker)
        return asy_fail(err, ASY_E_NOENT, "no user '%.60s' was invited: assay invite %.60s",
                        options->user, options->user);
    return 0;
}

static int describe(const struct asy__options *options, struct asy_keyring *ring,
                    struct asy__session *session, struct asy_invitation *ret,
                    struct asy_error *err)
{
    char key[ASY_KEY_TEXT];
    int rc = asy_keypair_make(&ret->pair, err);

    if (rc < 0)
        return rc;
    ret->is_worker = options->as_worker;
    ret->at = session->found;
    memcpy(ret->owner, options->as_worker ? session->keys.public_key : ret->pair.public_key,
           sizeof ret->owner);
    if (options->n_words)
        snprintf(ret->name, sizeof ret->name, "%s", options->words[0]);
    else
        free_name(ring, ret->name);
    if (asy_keyring_key(ring, ret->name, key))
        return asy_fail(err, ASY_E_EXISTS, "there is a key of the name '%s' already; take another "
                        "name, or first: assay revoke %s", ret->name, ret->name);
    return take_owner(options, ring, ret, err);
}

static int write_all(const char *text, size_t len, struct asy_error *err)
{
    struct stat st;

    if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) &&
        fchmod(STDOUT_FILENO, 0600) < 0)
        return asy_fail_errno(err, errno, "cannot close the file to others");
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);

        if (n < 0 && errno != EINTR)
            return asy_fail_errno(err, errno, "cannot write the invitation");
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int hand_out(const struct asy__options *options, const struct asy_invitation *invitation,
                    struct asy_error *err)
{
    struct asy_buf text;
    int rc;

    if (options->output)
        return asy_invitation_save(options->output, invitation, err);
    asy_buf_init(&text, 64u << 10);
    if ((rc = asy_invitation_format(invitation, &text, err)) == 0)
        rc = write_all(text.data, text.len, err);
    if (text.data)
        explicit_bzero(text.data, text.len);
    asy_buf_fini(&text);
    return rc;
}

static void say_what_next(const struct asy__options *options,
                          const struct asy_invitation *invitation)
{
    const char *file = options->output ? options->output : "FILE";

    fprintf(stderr, options->as_worker
                        ? "assay: worker '%s' may join: bring the file to its machine (it is a "
                          "secret, mode 0600) and start there: assay worker --join %s\n"
                        : "assay: '%s' may connect: give them the file (it is a secret, mode "
                          "0600); then: assay ls --coordinator %s\n",
            invitation->name, file);
    if (!invitation->at.endpoints[1][0])
        fprintf(stderr, "assay: warning: the coordinator listens at %s alone, which other machines "
                "cannot reach; see 'interface' in: assay config show\n",
                invitation->at.endpoints[0]);
}

static int invite(const struct asy__options *options, struct asy_error *err)
{
    struct asy_invitation invitation = { .is_worker = 0 };
    struct asy__session *session = NULL;
    struct asy_keyring *ring = NULL;
    size_t n;
    int rc;

    if ((rc = asy__session_open(options, ASY__START_COORDINATOR, &session, err)) < 0 ||
        (rc = load_ring(options, &ring, err)) < 0 ||
        (rc = describe(options, ring, session, &invitation, err)) < 0 ||
        (rc = asy_keyring_add_worker(ring, invitation.pair.public_key,
                                     options->as_worker ? invitation.owner : "", invitation.name,
                                     err)) < 0)
        goto out;
    if ((rc = hand_out(options, &invitation, err)) == 0)
        say_what_next(options, &invitation);
    else /* nobody has it */
        ASY_IGNORE(asy_keyring_remove(ring, invitation.pair.public_key, &n, NULL));
out:
    explicit_bzero(&invitation.pair, sizeof invitation.pair);
    asy_keyring_destroy(ring);
    asy__session_close(session);
    return rc;
}

/* What is wrong with the command before anything is done. */
static int check(const struct asy__options *options, struct asy_error *err)
{
    if (options->user && !options->as_worker)
        return asy_fail(err, ASY_E_INVAL, "--for belongs to --worker");
    if (!options->as_worker && !options->n_words)
        return asy_fail(err, ASY_E_INVAL, "say who: a NAME, or --worker");
    if (options->n_words && asy_key_name_check(options->words[0], err) < 0)
        return ASY_E_INVAL;
    if (!options->output && isatty(STDOUT_FILENO))
        return asy_fail(err, ASY_E_INVAL,
                        "an invitation holds a secret key: > FILE or --output FILE");
    return 0;
}

int asy__cmd_invite(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;

    if (asy__options_parse(argc, argv, "WUo", 0, 1, &options, &err) < 0 ||
        check(&options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    return invite(&options, &err) < 0 ? asy__complain(&err) : EXIT_DONE;
}

/* ---- revoke --------------------------------------------------------------------------------- */

static int take_off(const struct asy__options *options, struct asy_error *err)
{
    const char *word = options->words[0];
    struct asy_keyring *ring = NULL;
    struct asy_keypair own;
    char path[4200], key[ASY_KEY_TEXT] = "";
    size_t n = 0;
    int rc;

    if ((rc = load_ring(options, &ring, err)) < 0 ||
        (rc = asy__home_file(options, "keys/user.key", path, sizeof path, err)) < 0 ||
        (rc = asy_keypair_load(path, &own, err)) < 0)
        goto out;
    if (!asy_keyring_key(ring, word, key))
        snprintf(key, sizeof key, "%s", word);
    if (!strcmp(key, own.public_key))
        rc = asy_fail(err, ASY_E_INVAL, "'%s' is the key of this home itself", word);
    else if ((rc = asy_keyring_remove(ring, word, &n, err)) == 0)
        fprintf(stderr, n > 1 ? "assay: '%s' is let in no more, nor are the %zu workers that acted "
                                "for it\n"
                              : "assay: '%s' is let in no more\n",
                word, n - 1);
    explicit_bzero(&own, sizeof own);
out:
    asy_keyring_destroy(ring);
    return rc;
}

int asy__cmd_revoke(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;

    if (asy__options_parse(argc, argv, "", 1, 1, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    return take_off(&options, &err) < 0 ? asy__complain(&err) : EXIT_DONE;
}
