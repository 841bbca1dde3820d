/* SPDX-License-Identifier: Apache-2.0
 * Products on a device by our own kernels and by CLBlast: all transposes, added or not, operands
 * that begin anywhere, rows with more room than they need; what lies between is left alone.
 *
 * Tolerance: entries are below 1, so a sum of k products has terms below 1 and, in floats, an error
 * of about sqrt(k) 6e-8 times its usual size sqrt(k) / 3; 2e-5 is ten times that for k = 2500. */
#include "asytest.h"
#include "device_leaks.h"
#include "frame.h"
#include "opencl/impl.h"
#include <stdlib.h>
#include <asy/rng.h>

static struct asy_device *device;

/* m, n, k: one tile, parts of tiles, k cut into pieces, large tiles (whole and in parts). */
static const size_t shapes[][3] = {
    { 1, 1, 1 },    { 64, 64, 16 },  { 65, 63, 17 },      { 5, 300, 33 },
    { 10, 70, 2500 }, { 130, 20, 600 }, { 1024, 1024, 8 }, { 1000, 1030, 19 },
};

struct operand {
    float *x;
    size_t at, ld, n; /* n: of all floats */
    struct asy__mem *mem;
};

static bool operand_init(struct operand *o, size_t lines, size_t length, size_t at, size_t more,
                         struct asy_rng *rng)
{
    struct asy_error err = ASY_ERROR_INIT;

    *o = (struct operand){ .at = at, .ld = length + more, .n = at + lines * (length + more) + 5 };
    o->x = calloc(o->n, sizeof *o->x);
    if (!T_TRUE(o->x != NULL))
        return false;
    for (size_t i = 0; i < o->n; i++)
        o->x[i] = (float)(2 * asy_rng_double(rng) - 1);
    return T_OK(asy__device_alloc(device, o->n, &o->mem, &err), &err) &&
           T_OK(asy__device_write(device, o->mem, 0, o->x, o->n, &err), &err);
}

static void operand_fini(struct operand *o)
{
    asy__device_free(device, o->mem);
    free(o->x);
}

static void multiply(const struct asy__product *p, const float *a, const float *b, float *c)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            float *to = &c[p->c_at + i * p->ldc + j];
            double sum = p->adds ? (double)*to : 0;

            for (size_t l = 0; l < p->k; l++)
                sum += (double)a[p->a_at + (p->t_a ? l * p->lda + i : i * p->lda + l)] *
                       (double)b[p->b_at + (p->t_b ? j * p->ldb + l : l * p->ldb + j)];
            *to = (float)sum;
        }
}

static void compare(const struct asy__product *p, const struct operand *c)
{
    struct asy_error err = ASY_ERROR_INIT;
    float *got = calloc(c->n, sizeof *got);

    if (T_TRUE(got != NULL) && T_OK(asy__device_read(device, c->mem, 0, got, c->n, &err), &err))
        for (size_t i = 0; i < c->n; i++)
            if (fabs((double)got[i] - (double)c->x[i]) > 2e-5 * (1 + fabs((double)c->x[i]))) {
                char what[96];

                snprintf(what, sizeof what, "%zu x %zu x %zu, %d %d %d: [%zu]", p->m, p->n, p->k,
                         p->t_a, p->t_b, p->adds, i);
                T_NEAR(what, (double)got[i], (double)c->x[i], 2e-5);
                break;
            }
    free(got);
}

static void run(const size_t shape[3], int t_a, int t_b, int adds)
{
    size_t m = shape[0], n = shape[1], k = shape[2], room = asy__product_room(m, n, k);
    struct operand a = { 0 }, b = { 0 }, c = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__mem *parts = NULL;
    struct asy_rng rng;

    asy_rng_init(&rng, m * n + k, 0, ASY_RNG_SIM);
    if (operand_init(&a, t_a ? k : m, t_a ? m : k, 3, 1, &rng) &&
        operand_init(&b, t_b ? n : k, t_b ? k : n, 0, 2, &rng) &&
        operand_init(&c, m, n, 7, 3, &rng) &&
        T_OK(asy__device_alloc(device, room, &parts, &err), &err)) {
        struct asy__product p = { m, n, k, t_a, t_b, adds, a.mem, b.mem, c.mem,
                                  a.at, b.at, c.at, a.ld, b.ld, c.ld };

        T_OK(asy__device_product(device, &p, parts, room, &err), &err);
        multiply(&p, a.x, b.x, c.x);
        compare(&p, &c);
    }
    operand_fini(&a);
    operand_fini(&b);
    operand_fini(&c);
    asy__device_free(device, parts);
}

static bool open_device(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    return device || T_OK(asy_device_open(ASY_DEVICE_OPENCL, 0, &device, &err), &err);
}

static void own_products_are_those_of_the_cpu(void)
{
    if (!open_device())
        return;
    T_TRUE(!device->info.is_cpu || !device->dev->clblast); /* of a processor: our own */
    device->dev->clblast = NULL;
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++)
        for (int how = 0; how < 8; how++)
            run(shapes[i], how & 1, how >> 1 & 1, how >> 2);
}

/* Every smaller number of rows, as m and as k. */
static void room_of_the_most_rows_holds_fewer(void)
{
    static const size_t widths[] = { 1, 10, 64, 65, 520, 1100, 2112, 8192, 8193 };
    size_t cut = 0, grown = 0; /* those that are cut, and into more parts than the most rows */

    for (size_t i = 0; i < ASY_ARRAY_LEN(widths) * ASY_ARRAY_LEN(widths); i++) {
        size_t n = widths[i % ASY_ARRAY_LEN(widths)], other = widths[i / ASY_ARRAY_LEN(widths)];

        for (size_t most = 1; most <= 70000; most = most * 5 / 4 + 1) {
            size_t as_m = asy__product_room(most, n, other);
            size_t as_k = asy__product_room(n, other, most);

            for (size_t rows = 0; rows <= most; rows += rows < 2000 ? 1 : 97) {
                size_t m_parts = asy__product_parts(rows, n, other);
                size_t k_parts = asy__product_parts(n, other, rows);

                cut += (m_parts > 0) + (k_parts > 0);
                grown += (m_parts > asy__product_parts(most, n, other)) +
                         (k_parts > asy__product_parts(n, other, most));
                if (m_parts > as_m || k_parts > as_k) {
                    T_EQ("parts of m", m_parts <= as_m, 1);
                    T_EQ("parts of k", k_parts <= as_k, 1);
                    return;
                }
            }
        }
    }
    T_TRUE(cut > 10000 && grown > 1000);
}

static void products_without_terms_are_zero(void)
{
    static const size_t none[3] = { 3, 70, 0 };

    if (open_device()) {
        run(none, 0, 0, 0);
        run(none, 1, 1, 1);
    }
}

/* On a processor its first call compiles for seconds, so it is taken on demand here. */
static void products_of_clblast_are_those_of_the_cpu(void)
{
    uint64_t before;

    if (!open_device() || !T_TRUE(asy__clblast_open(device->dev)))
        return;
    before = device->dev->clblast_products;
    for (int how = 0; how < 8; how++) {
        run(shapes[2], how & 1, how >> 1 & 1, how >> 2); /* too small: still our own */
        run((const size_t[3]){ 96, 100, 70 }, how & 1, how >> 1 & 1, how >> 2);
    }
    run((const size_t[3]){ 600, 520, 513 }, 0, 1, 1);
    T_EQ("taken", device->dev->clblast_products - before, 9);
}

static void close_device(void)
{
    asy_device_close(device);
}

T_MAIN("device-product", T_TEST(own_products_are_those_of_the_cpu),
       T_TEST(room_of_the_most_rows_holds_fewer),
       T_TEST(products_without_terms_are_zero), T_TEST(products_of_clblast_are_those_of_the_cpu),
       T_TEST(close_device))
