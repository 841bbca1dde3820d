/* SPDX-License-Identifier: Apache-2.0
 * bench_import.c - what reading a data set costs a trainer: by itself, as the one that imports it,
 * and as one that finds it imported (docs/decisions/0035).
 *
 *   bench_import [ROWS [TURNS]]      60000 rows of 28 x 28 bytes, as MNIST has them, and 5 turns
 *
 * Each is a process of its own, in turns; it ends when all features have been looked at once. Files
 * and import are in a folder below TMPDIR, else /tmp, and stay in the system's cache. Figures are
 * medians over the turns: of processor time (cpu_ms), of what a clock says (ms), and of the memory
 * that is the process's own at its end (mb). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <asy/buf.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/parse.h>
#include <asy/rng.h>
#include "data/import.h"
#include "row.h"

#define SIDE 28
#define TURNS_MAX 101

static struct asy_error err = ASY_ERROR_INIT;
static char folder[256], images[300], labels[300], imports[300];
static struct asy_sha images_sha, labels_sha; /* which the agent knows */

static void die(const char *what)
{
    fprintf(stderr, "bench_import: %s\n", what);
    exit(1);
}

static void check(int rc)
{
    if (rc < 0)
        die(err.text);
}

/* ---- data ------------------------------------------------------------------------------------ */

static void put_number(FILE *file, size_t n)
{
    unsigned char bytes[4] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16),
                               (unsigned char)(n >> 8), (unsigned char)n };

    fwrite(bytes, 1, sizeof bytes, file);
}

static void make_file(const char *path, size_t rows, size_t side, unsigned values)
{
    FILE *file = fopen(path, "wbe");
    struct asy_rng rng;

    if (!file)
        die("cannot make a file");
    asy_rng_init(&rng, 1, rows, ASY_RNG_SIM);
    put_number(file, side > 1 ? 0x803 : 0x801);
    put_number(file, rows);
    for (int i = 0; side > 1 && i < 2; i++)
        put_number(file, side);
    for (size_t i = 0; i < rows * side * side; i++)
        putc((int)(asy_rng_u32(&rng) % values), file);
    if (fclose(file) != 0)
        die("cannot write a file");
}

/* ---- one process ----------------------------------------------------------------------------- */

enum way { READ, IMPORT, MAP, WAYS };
static const char *const ways[WAYS] = { "read", "import", "map" };
struct cost {
    double cpu_ms, ms, mb;
};

static double own_mb(void)
{
    char line[128];
    uint64_t kb = 0;
    FILE *f = fopen("/proc/self/status", "re");

    while (f && fgets(line, sizeof line, f)) {
        const char *number = line + strcspn(line, "0123456789");

        if (!strncmp(line, "RssAnon:", 8) &&
            asy_parse_u64(number, strspn(number, "0123456789"), &kb, NULL) < 0)
            kb = 0;
    }
    if (f)
        fclose(f);
    return (double)kb / 1024;
}

static void load(enum way way, struct asy__data *data)
{
    struct asy__data_spec spec = { .file = images, .labels = labels, .header = -1, .separator = ',',
                                   .validation = 0.2, .test = 0.2 };
    struct asy__import import = { .dir = imports, .limit = UINT64_MAX, .file = images_sha,
                                  .labels = labels_sha };

    check(way == READ ? asy__data_load(&spec, NULL, 1, data, &err)
                      : asy__import_load(&import, &spec, data, &err));
}

static void measure(enum way way, int to)
{
    struct asy__data data = { 0 };
    int64_t from_ns = asy_clock_ns();
    struct timespec cpu;
    struct cost cost;
    double sum = 0;

    load(way, &data);
    for (size_t i = 0; i < data.n_rows * data.schema.n_features; i++)
        sum += (double)data.x[i];
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    cost.cpu_ms = (double)cpu.tv_sec * 1e3 + (double)cpu.tv_nsec * 1e-6;
    cost.ms = (double)(asy_clock_ns() - from_ns) * 1e-6;
    cost.mb = sum < 1e300 ? own_mb() : 0;
    if (write(to, &cost, sizeof cost) != sizeof cost)
        die("a process was not heard");
    _exit(0);
}

static struct cost take(enum way way)
{
    struct cost cost;
    int fds[2], status = 0;
    pid_t pid = -1;

    if (pipe(fds) < 0 || (pid = fork()) < 0)
        die("cannot start a process");
    if (pid == 0)
        measure(way, fds[1]);
    close(fds[1]);
    if (read(fds[0], &cost, sizeof cost) != sizeof cost || waitpid(pid, &status, 0) != pid)
        die("a process failed");
    close(fds[0]);
    return cost;
}

/* ---- all ------------------------------------------------------------------------------------- */

static void put(enum way way, const char *what, const char *unit, double *values, size_t n)
{
    char name[64];
    struct row row = { .name = name, .unit = unit, .n = n };

    snprintf(name, sizeof name, "import.%s_%s", ways[way], what);
    row.value = median(values, n);
    row_put(&row);
}

static size_t count(int argc, char **argv, int i, size_t otherwise, size_t most)
{
    uint64_t n = otherwise;

    if (argc > i)
        check(asy_parse_u64(argv[i], strlen(argv[i]), &n, &err));
    if (n < 1 || n > most)
        die("a number is too large");
    return (size_t)n;
}

int main(int argc, char **argv)
{
    static double cpu[WAYS][TURNS_MAX], ms[WAYS][TURNS_MAX], mb[WAYS][TURNS_MAX];
    size_t rows = count(argc, argv, 1, 60000, 10000000);
    size_t turns = count(argc, argv, 2, 5, TURNS_MAX);
    const char *tmp = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%.200s/bench-import-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        die("cannot make a folder");
    snprintf(images, sizeof images, "%s/images", folder);
    snprintf(labels, sizeof labels, "%s/labels", folder);
    snprintf(imports, sizeof imports, "%s/imports", folder);
    make_file(images, rows, SIDE, 256);
    make_file(labels, rows, 1, 10);
    check(asy_sha_file(images, &images_sha, NULL, &err));
    check(asy_sha_file(labels, &labels_sha, NULL, &err));
    for (size_t t = 0; t < turns; t++) {
        check(asy_durable_remove(imports, &err));
        for (int way = READ; way < WAYS; way++) {
            struct cost cost = take((enum way)way);

            cpu[way][t] = cost.cpu_ms;
            ms[way][t] = cost.ms;
            mb[way][t] = cost.mb;
        }
    }
    for (int way = READ; way < WAYS; way++) {
        put((enum way)way, "cpu_ms", "ms", cpu[way], turns);
        put((enum way)way, "ms", "ms", ms[way], turns);
        put((enum way)way, "mb", "MiB", mb[way], turns);
    }
    check(asy_durable_remove(folder, &err));
    return 0;
}
