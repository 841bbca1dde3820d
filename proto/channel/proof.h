/* SPDX-License-Identifier: Apache-2.0
 * proof.h - has whoever listens at an address prove that it has a server's secret key.
 *
 * A refusal does not: in ZMTP's CURVE handshake ERROR is sent in the clear, and libzmq takes it at
 * any stage of the handshake. WELCOME does: its box can be made by nobody but the owner of the
 * server's secret key, for nobody but the short-term key of this one connection
 * (rfc.zeromq.org/spec/26, "The WELCOME Command"). libzmq does not tell whether one came, so this
 * goes as far as the WELCOME on a connection of its own, and breaks off.
 *
 * What it proves: that this address leads to the server, now. Who can change packets on the way, or
 * passes them on to a server that lives, can still have forged the refusal.
 *
 * Threads: the owner's; nothing blocks. */
#ifndef ASY_PROOF_PRIVATE_H
#define ASY_PROOF_PRIVATE_H
#include <asy/error.h>

struct asy__proof;
/* number: an address; server_key: Z85, sound. */
ASY_MUST_CHECK int asy__proof_start(const char *number, int port, const char *server_key,
                                    struct asy__proof **ret_proof, struct asy_error *err);
void asy__proof_drop(struct asy__proof *proof); /* NULL is fine; it may be half done */
/* To wait for: the descriptor, and POLLIN or POLLOUT of poll.h. */
int asy__proof_fd(const struct asy__proof *proof);
short asy__proof_events(const struct asy__proof *proof);
/* Goes on. 1: it is proven; 0: not yet; ASY_E_DENIED: it is not, or the connection broke. */
int asy__proof_turn(struct asy__proof *proof);
#endif
