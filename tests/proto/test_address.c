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

T_MAIN("address", T_TEST(loopback_stands_first_whatever_is_chosen),
       T_TEST(what_is_not_here_is_refused_with_what_is),
       T_TEST(an_endpoint_has_its_ipv6_address_in_brackets))
