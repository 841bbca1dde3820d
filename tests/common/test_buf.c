/* SPDX-License-Identifier: Apache-2.0
 * test_buf.c - the growing buffer: growth, its maximum, and failures that stick. */
#include <asy/buf.h>
#include <asy/rng.h>
#include "asytest.h"

static void an_empty_buffer_is_terminated_text(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf buf, zeroed = { 0 };
    size_t len = 7;
    char *taken;

    asy_buf_init(&buf, 10);
    T_STR("init", buf.data, "");
    asy_buf_add(&buf, "x", 0);
    asy_buf_adds(&buf, "");
    asy_buf_grew(&buf, 0);
    asy_buf_drop(&buf, 0);
    T_EQ("nothing added", buf.cap, 0);
    T_OK(asy_buf_check(&buf, "it", &err), &err);
    taken = asy_buf_take(&buf, &len);
    T_STR("taken", taken, "");
    T_EQ("taken", len, 0);
    free(taken);
    asy_buf_clear(&zeroed);
    T_STR("zeroed", zeroed.data, "");
    asy_buf_fini(&zeroed);
    asy_buf_fini(&buf);
}

/* Random appends and drops against a plain array. */
static void it_holds_what_was_added(void)
{
    static char model[70000], more[900];
    struct asy_buf buf;
    struct asy_rng rng;
    size_t len = 0;
    char *room;

    asy_rng_init(&rng, 1, 2, ASY_RNG_SIM);
    asy_buf_init(&buf, sizeof model - 1);
    for (int i = 0; i < 3000; i++) {
        size_t n = asy_rng_below(&rng, sizeof more);

        for (size_t k = 0; k < n; k++)
            more[k] = (char)('!' + asy_rng_below(&rng, 90));
        if (len + n >= sizeof model || asy_rng_below(&rng, 4) == 0) {
            n = asy_rng_below(&rng, len + 1);
            asy_buf_drop(&buf, n);
            memmove(model, model + n, len -= n);
        } else if (i % 3 == 0) {
            asy_buf_addf(&buf, "%.*s", (int)n, more);
            memcpy(model + len, more, n);
            len += n;
        } else if (i % 3 == 1) {
            asy_buf_add(&buf, more, n);
            memcpy(model + len, more, n);
            len += n;
        } else {
            if (!T_TRUE((room = asy_buf_room(&buf, n)) != NULL))
                break;
            memcpy(room, more, n);
            asy_buf_grew(&buf, n);
            memcpy(model + len, more, n);
            len += n;
        }
        if (!T_EQ("length", buf.len, len) || !T_EQ("end", buf.data[len], 0) ||
            !T_EQ("bytes", memcmp(buf.data, model, len), 0))
            break;
    }
    asy_buf_fini(&buf);
}

static void formats_of_every_length_fit(void)
{
    static const size_t lengths[] = { 0, 1, 63, 64, 254, 255, 256, 257, 5000 };
    static char text[5001];

    for (size_t i = 0; i < ASY_ARRAY_LEN(lengths); i++) {
        struct asy_buf buf;

        memset(text, 'a', lengths[i]);
        text[lengths[i]] = 0;
        asy_buf_init(&buf, sizeof text + 2);
        asy_buf_addf(&buf, "<%s>", text);
        T_EQ("length", buf.len, lengths[i] + 2);
        T_TRUE(buf.data[0] == '<' && buf.data[buf.len - 1] == '>' && !buf.data[buf.len]);
        T_TRUE(!memcmp(buf.data + 1, text, lengths[i]));
        asy_buf_fini(&buf);
    }
}

static void the_maximum_holds_and_sticks(void)
{
    static const struct { const char *name; size_t max, n; int want; } cases[] = {
        { "none allowed", 0, 1, ASY_E_TOOBIG },
        { "none needed", 0, 0, 0 },
        { "just fits", 100, 100, 0 },
        { "one over", 100, 101, ASY_E_TOOBIG },
        { "below the first block", 5, 6, ASY_E_TOOBIG },
        { "half of memory", SIZE_MAX, SIZE_MAX / 2, ASY_E_TOOBIG },
        { "all of memory", SIZE_MAX, SIZE_MAX, ASY_E_TOOBIG },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf buf;

        asy_buf_init(&buf, cases[i].max);
        T_EQ(cases[i].name, asy_buf_room(&buf, cases[i].n) != NULL, cases[i].want == 0);
        T_EQ(cases[i].name, asy_buf_check(&buf, "a page", &err), cases[i].want);
        if (cases[i].want) {
            T_HAS(cases[i].name, err.text, "cannot build a page: more than");
            asy_buf_adds(&buf, ""); /* no word of what follows is taken */
            asy_buf_addf(&buf, "%d", 1);
            T_EQ(cases[i].name, buf.len, 0);
            T_TRUE(asy_buf_take(&buf, NULL) == NULL);
            T_EQ(cases[i].name, buf.rc, cases[i].want);
            asy_buf_clear(&buf);
            T_EQ(cases[i].name, buf.rc, 0);
        }
        asy_buf_fini(&buf);
    }
}

static void a_format_over_the_maximum_leaves_what_was_there(void)
{
    struct asy_buf buf;

    asy_buf_init(&buf, 300);
    asy_buf_adds(&buf, "kept");
    asy_buf_addf(&buf, "%0400d", 1);
    T_EQ("code", buf.rc, ASY_E_TOOBIG);
    T_STR("text", buf.data, "kept");
    T_TRUE(buf.cap <= 301);
    asy_buf_fini(&buf);
}

static void taking_empties(void)
{
    struct asy_buf buf;
    char *first;

    asy_buf_init(&buf, 100);
    asy_buf_adds(&buf, "one");
    first = asy_buf_take(&buf, NULL);
    asy_buf_addc(&buf, '2');
    T_STR("taken", first, "one");
    T_STR("afterwards", buf.data, "2");
    free(first);
    asy_buf_clear(&buf);
    T_STR("cleared", buf.data, "");
    T_TRUE(buf.cap > 0);
    asy_buf_fini(&buf);
}

T_MAIN("buf", T_TEST(an_empty_buffer_is_terminated_text), T_TEST(it_holds_what_was_added),
       T_TEST(formats_of_every_length_fit), T_TEST(the_maximum_holds_and_sticks),
       T_TEST(a_format_over_the_maximum_leaves_what_was_there), T_TEST(taking_empties))
