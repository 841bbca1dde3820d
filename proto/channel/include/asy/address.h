/* SPDX-License-Identifier: Apache-2.0
 * asy/address.h - the addresses of this host: those that a coordinator listens at and tells others.
 *
 * Threads: any. */
#ifndef ASY_ADDRESS_H
#define ASY_ADDRESS_H
#include <stddef.h>
#include <stdint.h>
#include <asy/error.h>

#define ASY_ADDRESSES_MAX 8
#define ASY_ADDRESS_TEXT 46 /* of an IPv6 address, with its terminator */

struct asy_addresses {
    char text[ASY_ADDRESSES_MAX][ASY_ADDRESS_TEXT]; /* [n] "127.0.0.1", "10.0.0.7", "2001:db8::7" */
    size_t n;
    size_t left_out; /* further ones that would have fitted the choice */
    int all;         /* the choice was all there are */
};
/* choice: a network interface ("eth0"), an address, a range ("10.0.0.0/8"), or "" and "*" for all
 * that are up. Loopback stands first, whatever is chosen; then IPv4 before IPv6, those of bridges
 * for containers and virtual machines last. Link-local addresses are left out: they mean nothing
 * without an interface of the reader's. ASY_E_INVAL: nothing here is of that name or in that range;
 * the text tells what there is. */
ASY_MUST_CHECK int asy_addresses_find(const char *choice, struct asy_addresses *ret_addresses,
                                      struct asy_error *err);
/* "tcp://<address>:<port>", an IPv6 address in brackets. */
void asy_address_endpoint(const char *address, int port, char *ret_endpoint, size_t size);
/* Of "tcp://HOST:PORT" the host, borrowed and with its brackets if it has any, and the port, 1 to
 * 65535. ASY_E_INVAL: it is not of that form. */
ASY_MUST_CHECK int asy_address_split(const char *endpoint, const char **ret_host, size_t *ret_len,
                                     int *ret_port, struct asy_error *err);
/* The same host at another port: that for files. ASY_E_INVAL: the endpoint is malformed, there is
 * no such port, or the buffer is too small; nothing is written then. */
ASY_MUST_CHECK int asy_address_at_port(const char *endpoint, int64_t port, char *ret_endpoint,
                                       size_t size, struct asy_error *err);
#endif
