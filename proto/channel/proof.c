/* SPDX-License-Identifier: Apache-2.0
 * proof.c - see proof.h. Both sides' words have a fixed length until the WELCOME (ZMTP 3.1,
 * rfc.zeromq.org/spec/23 and 26), so there is nothing to parse: what differs is no proof. */
#include "proof.h"
#include "dial.h"
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <sodium.h>
#include <zmq.h>

#define GREETING 64  /* bytes */
#define COMMAND 2    /* flags and length before the body of a short command */
#define HELLO 200    /* bytes of its body: 6 name, 2 version, 72 zero, 32 key, 8 nonce, 80 box */
#define SIGNATURE 64 /* zero bytes, sealed in HELLO */
#define WELCOME 168  /* bytes of its body: 8 name, 16 nonce, 144 box */
#define WELCOME_BOX (32 + 96 + crypto_box_MACBYTES) /* the short-term key and the cookie */
#define COMMAND_FLAG 0x04

struct asy__proof {
    int fd;
    int connected;
    uint8_t server[crypto_box_PUBLICKEYBYTES];
    uint8_t key[crypto_box_PUBLICKEYBYTES], secret[crypto_box_SECRETKEYBYTES]; /* short-term */
    uint8_t said[GREETING + COMMAND + HELLO];    /* of which n_said bytes are sent */
    uint8_t heard[GREETING + COMMAND + WELCOME]; /* of which n_heard bytes have come */
    size_t n_said, n_heard;
};

/* ---- the two words --------------------------------------------------------------------------- */

/* The greeting of a client that will use CURVE, and its HELLO. */
static int write_words(struct asy__proof *proof)
{
    static const uint8_t signed_zeros[SIGNATURE];
    uint8_t nonce[crypto_box_NONCEBYTES] = "CurveZMQHELLO---"; /* and a counter, which is 1 */
    uint8_t *at = proof->said;

    at[0] = 0xff;
    at[9] = 0x7f;
    at[10] = 3;
    memcpy(at + 12, "CURVE", 5);
    at += GREETING;
    *at++ = COMMAND_FLAG;
    *at++ = HELLO;
    memcpy(at, "\x05HELLO\x01", 7);
    at += 8 + 72;
    memcpy(at, proof->key, sizeof proof->key);
    at += sizeof proof->key;
    nonce[sizeof nonce - 1] = 1;
    memcpy(at, nonce + 16, 8);
    return crypto_box_easy(at + 8, signed_zeros, sizeof signed_zeros, nonce, proof->server,
                           proof->secret);
}

static int opens(const struct asy__proof *proof)
{
    const uint8_t *at = proof->heard + GREETING;
    uint8_t nonce[crypto_box_NONCEBYTES] = "WELCOME-", sealed[WELCOME_BOX - crypto_box_MACBYTES];

    if (at[0] != COMMAND_FLAG || at[1] != WELCOME || memcmp(at + COMMAND, "\x07WELCOME", 8) != 0)
        return 0;
    at += COMMAND + 8;
    memcpy(nonce + 8, at, 16);
    return crypto_box_open_easy(sealed, at + 16, WELCOME_BOX, nonce, proof->server,
                                proof->secret) == 0;
}

/* ---- the connection -------------------------------------------------------------------------- */

int asy__proof_start(const char *number, int port, const char *server_key,
                     struct asy__proof **ret_proof, struct asy_error *err)
{
    struct asy__proof *proof = calloc(1, sizeof *proof);
    int rc = 0;

    if (!proof)
        return asy_fail(err, ASY_E_NOMEM, "no memory to ask for a proof");
    proof->fd = -1;
    if (sodium_init() < 0 || !zmq_z85_decode(proof->server, server_key) ||
        crypto_box_keypair(proof->key, proof->secret) < 0 || write_words(proof) < 0)
        rc = asy_fail(err, ASY_E_INVAL, "cannot seal a greeting");
    else if ((proof->fd = asy__dial(number, port)) < 0)
        rc = asy_fail_errno(err, errno, "cannot connect to '%s'", number);
    if (rc == 0)
        *ret_proof = proof;
    else
        asy__proof_drop(proof);
    return rc;
}

void asy__proof_drop(struct asy__proof *proof)
{
    if (!proof)
        return;
    if (proof->fd >= 0)
        close(proof->fd);
    explicit_bzero(proof, sizeof *proof);
    free(proof);
}

int asy__proof_fd(const struct asy__proof *proof)
{
    return proof->fd;
}

short asy__proof_events(const struct asy__proof *proof)
{
    return proof->n_said < sizeof proof->said ? POLLOUT : POLLIN;
}

/* n bytes moved, or what to make of errno. */
static int moved(ssize_t n, size_t *count)
{
    if (n > 0)
        *count += (size_t)n;
    return n > 0 ? 1 : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : ASY_E_DENIED;
}

int asy__proof_turn(struct asy__proof *proof)
{
    int rc = 1;

    if (!proof->connected) {
        if ((rc = asy__dialled(proof->fd)) <= 0)
            return rc == 0 ? 0 : ASY_E_DENIED;
        proof->connected = 1;
    }
    while (rc > 0 && proof->n_said < sizeof proof->said)
        rc = moved(send(proof->fd, proof->said + proof->n_said, sizeof proof->said - proof->n_said,
                        MSG_NOSIGNAL), &proof->n_said);
    while (rc > 0 && proof->n_heard < sizeof proof->heard)
        rc = moved(recv(proof->fd, proof->heard + proof->n_heard,
                        sizeof proof->heard - proof->n_heard, 0), &proof->n_heard);
    if (rc <= 0)
        return rc;
    return opens(proof) ? 1 : ASY_E_DENIED;
}
