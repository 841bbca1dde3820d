/* SPDX-License-Identifier: Apache-2.0
 * address.c - the addresses of this host, from getifaddrs().
 *
 * They are told to others as numbers: a name would have to mean the same on every host. */
#include <asy/address.h>
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <asy/parse.h>

#define PREFIX "tcp://"
#define PORT_MAX 65535

struct range {
    int family;
    uint8_t bytes[16];
    unsigned bits;
};
struct choice {
    const char *text;
    int all, is_range;
    struct range range; /* also for one address */
};

static const uint8_t *bytes_of(const struct sockaddr *addr)
{
    return addr->sa_family == AF_INET
               ? (const uint8_t *)&((const struct sockaddr_in *)(const void *)addr)->sin_addr
               : (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
}

/* "10.0.0.0/8", "fd00::/8", or an address alone. */
static int parse_range(const char *text, struct range *ret)
{
    const char *slash = strchr(text, '/');
    char address[ASY_ADDRESS_TEXT];
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    unsigned most;
    int64_t bits;

    if (n >= sizeof address)
        return 0;
    memcpy(address, text, n);
    address[n] = 0;
    ret->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    most = ret->family == AF_INET ? 32 : 128;
    if (inet_pton(ret->family, address, ret->bytes) != 1)
        return 0;
    ret->bits = most;
    if (!slash)
        return 1;
    if (asy_parse_i64(slash + 1, strlen(slash + 1), &bits, NULL) || bits < 0 ||
        bits > (int64_t)most)
        return 0;
    ret->bits = (unsigned)bits;
    return 1;
}

static int in_range(const struct range *range, const struct sockaddr *addr)
{
    const uint8_t *bytes = bytes_of(addr);
    unsigned whole = range->bits / 8, rest = range->bits % 8;

    if (addr->sa_family != range->family || memcmp(bytes, range->bytes, whole))
        return 0;
    return rest == 0 || (bytes[whole] ^ range->bytes[whole]) >> (8 - rest) == 0;
}

static int usable(const struct ifaddrs *at)
{
    int family = at->ifa_addr ? at->ifa_addr->sa_family : AF_UNSPEC;
    const uint8_t *bytes;

    if ((family != AF_INET && family != AF_INET6) || !(at->ifa_flags & IFF_UP) ||
        !(at->ifa_flags & IFF_RUNNING))
        return 0;
    bytes = bytes_of(at->ifa_addr);
    if (family == AF_INET)
        return !(bytes[0] == 169 && bytes[1] == 254);
    return !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

static int chosen(const struct choice *choice, const struct ifaddrs *at)
{
    if (choice->all)
        return 1;
    return choice->is_range ? in_range(&choice->range, at->ifa_addr)
                            : !strcmp(at->ifa_name, choice->text);
}

/* Of containers and virtual machines: seldom seen from elsewhere. */
static int is_virtual(const char *name)
{
    static const char *const begins[] = { "docker", "br-", "virbr", "veth", "lxc", "lxd", "cni",
                                          "podman" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(begins); i++)
        if (!strncmp(name, begins[i], strlen(begins[i])))
            return 1;
    return 0;
}

static void take(struct asy_addresses *ret, const struct sockaddr *addr)
{
    char text[ASY_ADDRESS_TEXT];

    if (!inet_ntop(addr->sa_family, bytes_of(addr), text, sizeof text))
        return;
    for (size_t i = 0; i < ret->n; i++)
        if (!strcmp(ret->text[i], text))
            return;
    if (ret->n == ASY_ADDRESSES_MAX)
        ret->left_out++;
    else
        memcpy(ret->text[ret->n++], text, sizeof text);
}

/* Loopback, then by rank: 0 and 1 IPv4, IPv6 of real interfaces, 2 and 3 those of virtual ones. */
static void collect(const struct ifaddrs *list, const struct choice *choice,
                    struct asy_addresses *ret)
{
    for (int family = AF_INET; ret->n == 0; family = AF_INET6) {
        for (const struct ifaddrs *at = list; at && ret->n == 0; at = at->ifa_next)
            if (at->ifa_flags & IFF_LOOPBACK && usable(at) && at->ifa_addr->sa_family == family)
                take(ret, at->ifa_addr);
        if (family == AF_INET6)
            break;
    }
    for (int rank = 0; rank < 4; rank++)
        for (const struct ifaddrs *at = list; at; at = at->ifa_next)
            if (!(at->ifa_flags & IFF_LOOPBACK) && usable(at) && chosen(choice, at) &&
                rank == 2 * is_virtual(at->ifa_name) + (at->ifa_addr->sa_family == AF_INET6))
                take(ret, at->ifa_addr);
}

static int any_chosen(const struct ifaddrs *list, const struct choice *choice)
{
    for (const struct ifaddrs *at = list; at; at = at->ifa_next)
        if (usable(at) && chosen(choice, at))
            return 1;
    return 0;
}

static int none(const struct ifaddrs *list, const char *text, struct asy_error *err)
{
    char there[160] = "";
    size_t n = 0;

    for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
        char address[ASY_ADDRESS_TEXT];

        if (!usable(at) || n + IF_NAMESIZE + sizeof address + 4 > sizeof there ||
            !inet_ntop(at->ifa_addr->sa_family, bytes_of(at->ifa_addr), address, sizeof address))
            continue;
        n += (size_t)snprintf(there + n, sizeof there - n, "%s%s %s", n ? ", " : "", at->ifa_name,
                              address);
    }
    return asy_fail(err, ASY_E_INVAL,
                    "no interface, address or range of this host is '%.60s'; it has %s", text,
                    there[0] ? there : "none that is up");
}

int asy_addresses_find(const char *text, struct asy_addresses *ret_addresses,
                       struct asy_error *err)
{
    struct choice choice = { .text = text, .all = !*text || !strcmp(text, "*") };
    struct asy_addresses found = { .all = choice.all };
    struct ifaddrs *list = NULL;
    int rc = 0;

    if (getifaddrs(&list) < 0)
        return asy_fail_errno(err, errno, "cannot list this host's addresses");
    choice.is_range = parse_range(text, &choice.range);
    if (!choice.all && !any_chosen(list, &choice))
        rc = none(list, text, err);
    else
        collect(list, &choice, &found);
    if (rc == 0 && found.n == 0)
        rc = asy_fail(err, ASY_E_IO, "no network interface of this host is up; "
                      "at least loopback must be: ip link set lo up");
    freeifaddrs(list);
    if (rc == 0)
        *ret_addresses = found;
    return rc;
}

void asy_address_endpoint(const char *address, int port, char *ret_endpoint, size_t size)
{
    int v6 = strchr(address, ':') != NULL;

    snprintf(ret_endpoint, size, PREFIX "%s%s%s:%d", v6 ? "[" : "", address, v6 ? "]" : "", port);
}

int asy_address_split(const char *endpoint, const char **ret_host, size_t *ret_len, int *ret_port,
                      struct asy_error *err)
{
    const char *colon = strrchr(endpoint, ':');
    size_t n = strlen(PREFIX), at = colon ? (size_t)(colon - endpoint) : 0;
    int64_t port;

    if (strncmp(endpoint, PREFIX, n) || at <= n ||
        asy_parse_i64(colon + 1, strlen(colon + 1), &port, NULL) || port < 1 || port > PORT_MAX)
        return asy_fail(err, ASY_E_INVAL, "endpoint '%.100s' is not " PREFIX "HOST:PORT", endpoint);
    *ret_host = endpoint + n;
    *ret_len = at - n;
    *ret_port = (int)port;
    return 0;
}

int asy_address_at_port(const char *endpoint, int64_t port, char *ret_endpoint, size_t size,
                        struct asy_error *err)
{
    const char *host;
    size_t len;
    int unused, rc;

    if ((rc = asy_address_split(endpoint, &host, &len, &unused, err)))
        return rc;
    if (port < 1 || port > PORT_MAX)
        return asy_fail(err, ASY_E_INVAL, "port %" PRId64 " is not in 1 to %d", port, PORT_MAX);
    if (len + sizeof PREFIX ":65535" > size)
        return asy_fail(err, ASY_E_INVAL, "endpoint '%.100s...' is too long", endpoint);
    snprintf(ret_endpoint, size, PREFIX "%.*s:%d", (int)len, host, (int)port);
    return 0;
}
