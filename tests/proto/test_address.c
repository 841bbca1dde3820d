/* SPDX-License-Identifier: Apache-2.0
 * The addresses of this host: what loopback has everywhere; other interfaces are for
 * tests/system/test_hosts.py. */
#include "asytest.h"
#include <string.h>
#include <asy/address.h>

static void loopback_stands_first_whatever_is_chosen(void)
{
    static const struct {
        const char *choice;
        size_t most;
    } cases[] = {
        { "", 4 },          { "*", 4 },           { "lo", 1 },          { "127.0.0.1", 1 },
        { "127.0.0.1/8", 1 }, { "127.0.0.0/9", 1 }, { "127.0.0.1/32", 1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_addresses found;

        if (!T_OK(asy_addresses_find(cases[i].choice, &found, &err), &err))
            continue;
        T_STR(cases[i].choice, found.text[0], "127.0.0.1");
        T_TRUE(found.n >= 1 && found.n <= cases[i].most);
        T_EQ(cases[i].choice, found.all, cases[i].most > 1);
        for (size_t k = 1; k < found.n; k++)
            T_TRUE(strncmp(found.text[k], "127.", 4) && strncmp(found.text[k], "fe80", 4));
    }
}

static void what_is_not_here_is_refused_with_what_is(void)
{
    static const char *const cases[] = { "eth99",         "198.51.100.1",    "198.51.100.0/24",
                                         "127.0.0.1/33",  "127.0.0.1/-1", "127.0.0.1/x",
                                         "2001:db8::/32", "127.128.0.0/9" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_addresses found = { .n = 77 };

        T_EQ(cases[i], asy_addresses_find(cases[i], &found, &err), ASY_E_INVAL);
        T_EQ("untouched", found.n, 77);
        T_HAS("names it", err.text, cases[i]);
        T_HAS("what there is", err.text, "lo 127.0.0.1");
    }
}

static void an_endpoint_has_its_ipv6_address_in_brackets(void)
{
    char text[64];

    asy_address_endpoint("10.0.0.7", 12345, text, sizeof text);
    T_STR("IPv4", text, "tcp://10.0.0.7:12345");
    asy_address_endpoint("fd77::1", 1, text, sizeof text);
    T_STR("IPv6", text, "tcp://[fd77::1]:1");
}

static void endpoints_are_host_and_port(void)
{
    static const struct {
        const char *endpoint, *host; /* host NULL: malformed */
        int64_t port, at;            /* at: another port */
        const char *there;           /* NULL: no such port */
    } cases[] = {
        { "tcp://10.0.0.7:5000", "10.0.0.7", 5000, 5001, "tcp://10.0.0.7:5001" },
        { "tcp://[fd77::1]:65535", "[fd77::1]", 65535, 1, "tcp://[fd77::1]:1" },
        { "tcp://login1:1", "login1", 1, 65535, "tcp://login1:65535" },
        { "tcp://login1:1", "login1", 1, 0, NULL },
        { "tcp://login1:1", "login1", 1, 65536, NULL },
        { "tcp://login1:1", "login1", 1, UINT32_MAX, NULL },
        { "tcp://login1:1", "login1", 1, -1, NULL },
        { "tcp://login1", NULL, 0, 1, NULL },
        { "tcp://login1:", NULL, 0, 1, NULL },
        { "tcp://login1:0", NULL, 0, 1, NULL },
        { "tcp://login1:65536", NULL, 0, 1, NULL },
        { "tcp://login1:80x", NULL, 0, 1, NULL },
        { "tcp://:80", NULL, 0, 1, NULL },
        { "tcp:", NULL, 0, 1, NULL },
        { "", NULL, 0, 1, NULL },
        { "udp://login1:80", NULL, 0, 1, NULL },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const char *host = "untouched", *name = cases[i].endpoint;
        struct asy_error err = ASY_ERROR_INIT;
        char there[32] = "untouched";
        size_t len = 0;
        int port = 77, sound = cases[i].host != NULL;

        T_EQ(name, asy_address_split(name, &host, &len, &port, &err), sound ? 0 : ASY_E_INVAL);
        T_EQ(name, port, sound ? cases[i].port : 77);
        T_EQ(name, len, sound ? strlen(cases[i].host) : 0);
        T_TRUE(!strncmp(host, sound ? cases[i].host : "untouched", len));
        T_EQ(name, asy_address_at_port(name, cases[i].at, there, sizeof there, &err),
             cases[i].there ? 0 : ASY_E_INVAL);
        T_STR(name, there, cases[i].there ? cases[i].there : "untouched");
        if (!cases[i].there)
            T_HAS(name, err.text, sound ? "is not in 1 to 65535" : "is not tcp://HOST:PORT");
    }
}

static void an_endpoint_that_does_not_fit_is_refused(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    char there[sizeof "tcp://login1:65535"];

    T_OK(asy_address_at_port("tcp://login1:1", 65535, there, sizeof there, &err), &err);
    T_EQ("a byte too few", asy_address_at_port("tcp://login1:1", 1, there, sizeof there - 1, &err),
         ASY_E_INVAL);
    T_HAS("a byte too few", err.text, "too long");
}

T_MAIN("address", T_TEST(endpoints_are_host_and_port),
       T_TEST(an_endpoint_that_does_not_fit_is_refused),
       T_TEST(loopback_stands_first_whatever_is_chosen),
       T_TEST(what_is_not_here_is_refused_with_what_is),
       T_TEST(an_endpoint_has_its_ipv6_address_in_brackets))
