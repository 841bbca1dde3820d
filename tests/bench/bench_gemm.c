/* SPDX-License-Identifier: Apache-2.0
 * bench_gemm.c - products of matrices in the shapes of training, beside OpenBLAS and beside a loop
 * of multiply-adds that waits for nothing, all on one core.
 *
 *   bench_gemm [--quick|--tiny]
 *   bench_gemm --loop SECONDS
 *
 * The three take turns and are timed by the thread's processor time; a row has the medians of turns
 * in which the core was the thread's own. --loop prints the GFLOP/s of that loop alone and what it
 * is made of, for other programs' turns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/kernels.h>
#include "dense.h"
#include "gemm.h"
#include "own_core.h"
#include "row.h"

#define TURNS_MAX 31

struct shape {
    size_t m, n, k;
    int trans_a, trans_b;
};
/* Cubes; a dense layer's three products; narrow, convolutional, attention's; few rows. */
static const struct shape shapes[] = {
    { 16, 16, 16, 0, 0 },     { 32, 32, 32, 0, 0 },     { 64, 64, 64, 0, 0 },
    { 128, 128, 128, 0, 0 },  { 256, 256, 256, 0, 0 },  { 512, 512, 512, 0, 0 },
    { 1024, 1024, 1024, 0, 0 }, { 128, 512, 784, 0, 0 }, { 64, 512, 784, 0, 1 },
    { 512, 512, 784, 0, 1 },  { 512, 784, 64, 1, 0 },   { 64, 512, 256, 0, 0 },
    { 32, 10, 512, 0, 0 },    { 64, 10, 256, 0, 1 },    { 6, 576, 25, 0, 0 },
    { 16, 64, 150, 0, 0 },    { 16, 4096, 150, 0, 0 },  { 16, 150, 4096, 0, 1 },
    { 2048, 512, 128, 0, 1 }, { 512, 128, 2048, 1, 0 }, { 256, 256, 32, 0, 1 },
    { 256, 32, 256, 0, 0 },   { 1, 512, 784, 0, 1 },    { 8, 512, 784, 0, 1 },
};

struct operands {
    struct asy_gemm s;
    float *a, *b, *c, *room;
};

static double ours_gflops(const struct operands *o, size_t times)
{
    double from = own_core_seconds();

    for (size_t i = 0; i < times; i++)
        asy_gemm(&o->s, o->a, o->b, o->c, o->room);
    return 2e-9 * (double)(o->s.m * o->s.n * o->s.k * times) / (own_core_seconds() - from);
}

static double theirs_gflops(const struct operands *o, size_t times)
{
    const struct asy_gemm *s = &o->s;
    double from = own_core_seconds();

    for (size_t i = 0; i < times; i++)
        asy__blas_get()->sgemm(s->trans_a, s->trans_b, s->m, s->n, s->k, 1, o->a, s->lda, o->b,
                               s->ldb, 0, o->c, s->ldc);
    return 2e-9 * (double)(s->m * s->n * s->k * times) / (own_core_seconds() - from);
}

static void measure(const struct shape *shape, struct operands *o, size_t turns, int any)
{
    static double share[TURNS_MAX], ours[TURNS_MAX], theirs[TURNS_MAX], ratio[TURNS_MAX];
    double flops = 2.0 * (double)(shape->m * shape->n * shape->k);
    size_t times = (size_t)(OWN_CORE_FLOPS / flops) + 1;
    enum own_core_turn turn = OWN_CORE_COUNTS;
    struct own_core core = { .any = any };
    char key[64];

    snprintf(key, sizeof key, "%zux%zux%zu%c%c", shape->m, shape->n, shape->k,
             shape->trans_a ? 'T' : 'N', shape->trans_b ? 'T' : 'N');
    o->s = (struct asy_gemm){ .trans_a = shape->trans_a, .trans_b = shape->trans_b,
                              .m = shape->m, .n = shape->n, .k = shape->k,
                              .lda = shape->trans_a ? shape->m : shape->k,
                              .ldb = shape->trans_b ? shape->k : shape->n, .ldc = shape->n };
    for (size_t i = 0; i < turns && turn != OWN_CORE_NEVER; i += turn == OWN_CORE_COUNTS) {
        double most;

        own_core_begin(&core);
        most = own_core_loop(asy__gemm_get());
        ours[i] = ours_gflops(o, times);
        theirs[i] = theirs_gflops(o, times);
        share[i] = ours[i] / most;
        ratio[i] = ours[i] / theirs[i];
        turn = own_core_end(&core);
    }
    if (turn == OWN_CORE_NEVER) {
        row_put_missing("kernels.gemm_peak", key, "1", OWN_CORE_WHY);
        return;
    }
    printf("{\"name\":\"kernels.gemm_peak\",\"case\":\"%s\",\"value\":%.4g,"
           "\"unit\":\"1\",\"n\":%zu,\"gflops\":%.4g,\"kernel\":\"%s\","
           "\"peer\":\"OpenBLAS, 1 thread\",\"peer_value\":%.4g,\"ratio\":%.4g}\n",
           key, median(share, turns), turns, median(ours, turns), asy__gemm_get()->name,
           median(theirs, turns), median(ratio, turns));
    fflush(stdout);
}

static int loop(double seconds)
{
    double from = own_core_seconds(), per_gflop = 0;
    size_t n = 0;

    if (!(seconds > 0)) {
        fputs("bench_gemm: --loop needs seconds\n", stderr);
        return 2;
    }
    for (; n == 0 || own_core_seconds() - from < seconds; n++)
        per_gflop += 1 / own_core_loop(asy__gemm_get());
    printf("%.6g %s\n", (double)n / per_gflop, asy__gemm_get()->name);
    return 0;
}

int main(int argc, char **argv)
{
    size_t turns = TURNS_MAX, n = ASY_ARRAY_LEN(shapes), most = (size_t)1 << 20;
    struct operands o = { .a = NULL };
    int tiny = argc > 1 && !strcmp(argv[1], "--tiny");

    if (argc == 3 && !strcmp(argv[1], "--loop")) {
        asy_kernels_init();
        return loop(strtod(argv[2], NULL));
    }
    if (tiny || (argc > 1 && !strcmp(argv[1], "--quick")))
        turns = tiny ? 1 : 9;
    else if (argc > 1) {
        fprintf(stderr, "bench_gemm: what is '%s'?\n", argv[1]);
        return 2;
    }
    asy_kernels_init();
    if (posix_memalign((void **)&o.a, 64, (3 * most + ASY_GEMM_ROOM) * sizeof *o.a)) {
        fputs("bench_gemm: no memory\n", stderr);
        return 1;
    }
    o.b = o.a + most;
    o.c = o.b + most;
    o.room = o.c + most;
    for (size_t i = 0; i < 3 * most; i++)
        o.a[i] = (float)(i * 2654435761u % 1000) / 1000 - 0.5f;
    for (size_t i = 0; i < n; i++)
        measure(&shapes[i], &o, turns, tiny);
    free(o.a);
    return 0;
}
