/* SPDX-License-Identifier: Apache-2.0
 * dealer.h - the socket of a client that is on its way to one address, and the monitor that tells
 * how far it comes.
 *
 * Threads: the client's. */
#ifndef ASY_DEALER_PRIVATE_H
#define ASY_DEALER_PRIVATE_H
#include "channel.h"

/* What all ways of a client have in common. */
struct asy__way_keys {
    struct asy_channel *channel;
    char server_key[ASY_KEY_TEXT], public_key[ASY_KEY_TEXT], secret_key[ASY_KEY_TEXT];
    int queue;
};
struct asy__dealer {
    void *socket, *monitor; /* NULL: not open, not watched */
};

/* endpoint: with an address as a number; it begins to connect. */
ASY_MUST_CHECK int asy__dealer_open(const struct asy__way_keys *keys, const char *endpoint,
                                    int ipv6, struct asy__dealer *ret_dealer,
                                    struct asy_error *err);
/* Nobody reads its monitor any more: that is closed. */
void asy__dealer_unwatch(struct asy__dealer *dealer, const struct asy__way_keys *keys);
void asy__dealer_close(struct asy__dealer *dealer, const struct asy__way_keys *keys);
#endif
