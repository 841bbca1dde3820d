/* SPDX-License-Identifier: Apache-2.0
 * Augmented images: pixel for pixel, and what is drawn for each. */
#include "trainkit.h"
#include "data/augment.h"

#define HIGH 3
#define WIDE 4
#define DEEP 2
#define SIZE (HIGH * WIDE * DEEP)

static float shift[SIZE], factor[SIZE], raw[SIZE], row[SIZE], got[SIZE];
static struct asy__schema schema = { .n_features = SIZE, .shift = shift, .factor = factor };

/* even: one scale for all features. Powers of two, so that nothing is rounded. */
static void set_up(bool even)
{
    for (size_t i = 0; i < SIZE; i++) {
        raw[i] = (float)(i + 1);
        shift[i] = even ? 2 : (float)(i % 5);
        factor[i] = even || i % 3 ? 0.5f : 4;
        row[i] = (raw[i] - shift[i]) * factor[i];
    }
}

static ptrdiff_t clamp(ptrdiff_t i, ptrdiff_t n)
{
    return i < 0 ? 0 : i < n ? i : n - 1;
}

/* The definition: what number c of pixel (y, x) is, in the file's numbers. */
static float want(const struct asy__augment_draw *d, ptrdiff_t y, ptrdiff_t x, ptrdiff_t c)
{
    if (d->flip)
        x = WIDE - 1 - x;
    y += d->crop_y;
    x += d->crop_x;
    if (y < 0 || y >= HIGH || x < 0 || x >= WIDE)
        return 0;
    y = clamp(y + d->shift_y, HIGH);
    x = clamp(x + d->shift_x, WIDE);
    return raw[(y * WIDE + x) * DEEP + c];
}

static void check(const char *name, const struct asy__augment *a, uint64_t step, uint64_t place)
{
    struct asy__augment_draw draw = asy__augment_draw(a, step, place);

    asy__augment_row(a, step, place, row, got);
    for (size_t i = 0; i < SIZE; i++) {
        size_t pixel = i / DEEP;
        float w = want(&draw, (ptrdiff_t)(pixel / WIDE), (ptrdiff_t)(pixel % WIDE),
                       (ptrdiff_t)(i % DEEP));

        T_NEAR(name, (double)got[i], (double)((w - shift[i]) * factor[i]), 0);
    }
}

static void each_pixel_comes_from_where_it_is_drawn(void)
{
    static const struct {
        const char *name;
        bool even;
        size_t shift, crop;
        int flip;
    } cases[] = {
        { "nothing", true, 0, 0, 0 }, { "flip", true, 0, 0, 1 },  { "crop", true, 0, 2, 0 },
        { "shift", true, 2, 0, 0 },   { "all", true, 1, 2, 1 },   { "all, scaled", false, 2, 1, 1 },
        { "flip, scaled", false, 0, 0, 1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__augment a = { .schema = &schema, .height = HIGH, .width = WIDE,
                                  .channels = DEEP, .shift = cases[i].shift,
                                  .crop = cases[i].crop, .flip = cases[i].flip, .seed = 5 };
        struct asy_error err = ASY_ERROR_INIT;

        set_up(cases[i].even);
        if (T_OK(asy__augment_init(&a, &err), &err)) {
            T_EQ(cases[i].name, a.is_even, cases[i].even);
            for (uint64_t place = 0; place < 40; place++)
                check(cases[i].name, &a, 7, place);
        }
        asy__augment_fini(&a);
    }
}

/* To one side and the other as often, over the whole range; the same for ever. */
static void draws_depend_on_seed_step_and_place(void)
{
    static const struct {
        uint64_t seed, step, place;
        struct asy__augment_draw want;
    } cases[] = {
        { 5, 7, 0, { 1, 2, 1, 1, 1 } },
        { 5, 7, 1, { 0, -3, -1, -1, 0 } },
        { 5, 8, 0, { 2, -3, -1, -1, 0 } },
        { 6, 7, 0, { 1, -1, -1, 0, 1 } },
        { 5, 7, 1000000, { 1, -2, 0, -1, 0 } },
    };
    const struct asy__augment all = { .shift = 3, .crop = 1, .flip = 1, .seed = 5 };
    size_t shifts[7] = { 0 }, flips = 0, crops[3] = { 0 };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__augment a = all;
        struct asy__augment_draw d;

        a.seed = cases[i].seed;
        d = asy__augment_draw(&a, cases[i].step, cases[i].place);
        T_EQ("shift_y", d.shift_y, cases[i].want.shift_y);
        T_EQ("shift_x", d.shift_x, cases[i].want.shift_x);
        T_EQ("crop_y", d.crop_y, cases[i].want.crop_y);
        T_EQ("crop_x", d.crop_x, cases[i].want.crop_x);
        T_EQ("flip", d.flip, cases[i].want.flip);
    }
    for (uint64_t place = 0; place < 7000; place++) {
        struct asy__augment_draw d = asy__augment_draw(&all, 3, place);

        shifts[d.shift_x + 3]++;
        crops[d.crop_y + 1]++;
        flips += d.flip != 0;
    }
    for (size_t i = 0; i < 7; i++) /* seven standard deviations of 7000 draws */
        T_TRUE(shifts[i] > 795 && shifts[i] < 1205);
    for (size_t i = 0; i < 3; i++)
        T_TRUE(crops[i] > 2057 && crops[i] < 2610);
    T_TRUE(flips > 3207 && flips < 3793);
}

T_MAIN("augment", T_TEST(each_pixel_comes_from_where_it_is_drawn),
       T_TEST(draws_depend_on_seed_step_and_place))
