/* SPDX-License-Identifier: Apache-2.0
 * test_arrivals.c - which of the connections that say nothing must go, and where they come from. */
#include <asytest.h>
#include <arpa/inet.h>
#include "arrivals.h"

static struct in6_addr at(const char *text)
{
    struct in6_addr from;

    T_EQ(text, inet_pton(AF_INET6, text, &from), 1);
    return from;
}

static void the_oldest_goes_when_there_are_too_many(void)
{
    static const struct {
        int add, take; /* a descriptor; -1: none */
        int goes;
    } steps[] = {
        { 7, -1, -1 }, { 900, -1, -1 }, { 3, -1, -1 }, { 8, -1, 7 },    { 7, -1, 900 },
        { -1, 8, -1 }, { 9, -1, -1 },   { 3, -1, -1 }, { 10, -1, 7 }, /* 3 is another one now */
        { -1, 9, -1 }, { -1, 9, -1 },   { 11, -1, -1 }, { 12, -1, 3 },  { -1, 5000, -1 },
    };
    struct asy__arrivals a;
    struct in6_addr from;

    asy__arrivals_init(&a, 3);
    for (size_t i = 0; i < ASY_ARRAY_LEN(steps); i++) {
        char name[32];

        snprintf(name, sizeof name, "step %zu", i);
        if (steps[i].add >= 0)
            T_EQ(name, asy__arrivals_add(&a, steps[i].add, at("::1"), 0), steps[i].goes);
        else
            asy__arrivals_take(&a, steps[i].take, &from);
        T_TRUE(a.n <= 3);
    }
    T_EQ("10", asy__arrivals_take(&a, 10, &from), 1);
    T_EQ("not twice", asy__arrivals_take(&a, 10, &from), 0);
    T_EQ("12", asy__arrivals_take(&a, 12, &from), 1);
    T_EQ("11", asy__arrivals_take(&a, 11, &from), 1);
    T_EQ("none is left", a.n, 0);
    T_EQ("and one more", asy__arrivals_add(&a, 0, at("::1"), 0), -1);
    asy__arrivals_fini(&a);
}

static void who_has_been_there_for_long_is_none_of_them(void)
{
    struct asy__arrivals a;
    struct in6_addr from;

    asy__arrivals_init(&a, 3);
    T_EQ("of none", asy__arrivals_expire(&a, 1000), 0);
    for (int fd = 0; fd < 3; fd++)
        T_EQ("room", asy__arrivals_add(&a, fd, at("::1"), 100 * fd), -1);
    T_EQ("the first two", asy__arrivals_expire(&a, 200), 2);
    T_EQ("the third waits", a.n, 1);
    T_EQ("they do not", asy__arrivals_take(&a, 0, &from) + asy__arrivals_take(&a, 1, &from), 0);
    for (int fd = 3; fd < 5; fd++)
        T_EQ("room again", asy__arrivals_add(&a, fd, at("::1"), 300), -1);
    T_EQ("of those that wait", asy__arrivals_add(&a, 5, at("::1"), 300), 2);
    asy__arrivals_fini(&a);
}

static void addresses_are_written_as_people_know_them(void)
{
    static const char *const cases[][2] = { { "::ffff:10.0.0.7", "10.0.0.7" },
                                            { "fe80::1", "fe80::1" }, { "::", "" } };
    struct asy__arrivals a;

    asy__arrivals_init(&a, 1);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct in6_addr from;
        char text[64];

        asy__arrivals_add(&a, 5, at(cases[i][0]), 0);
        if (!T_EQ(cases[i][0], asy__arrivals_take(&a, 5, &from), 1))
            continue;
        asy__arrivals_text(&from, text, sizeof text);
        T_STR(cases[i][0], text, cases[i][1]);
    }
    asy__arrivals_fini(&a);
}

T_MAIN("arrivals", T_TEST(the_oldest_goes_when_there_are_too_many),
       T_TEST(who_has_been_there_for_long_is_none_of_them),
       T_TEST(addresses_are_written_as_people_know_them))
