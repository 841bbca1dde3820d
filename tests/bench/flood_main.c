/* SPDX-License-Identifier: Apache-2.0
 * flood_main.c - bad handshakes until the end of standard input; then one line of JSON says how
 * many of each kind there were. For tests.
 *
 *   bench_flood ENDPOINT SERVER_KEY RATE */
#include "flood.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <asy/parse.h>

int main(int argc, char **argv)
{
    static const char *const names[] = { "garbage", "other_server", "replay", "half_open",
                                         "unknown_key" };
    struct asy_error err = ASY_ERROR_INIT;
    struct flood_counts counts;
    struct flood *flood = NULL;
    struct flood_spec spec;
    char ignored[256];

    if (argc != 4 || asy_parse_f64(argv[3], strlen(argv[3]), &spec.rate, &err) < 0 ||
        spec.rate <= 0) {
        fputs("usage: bench_flood ENDPOINT SERVER_KEY RATE\n", stderr);
        return 2;
    }
    spec.endpoint = argv[1];
    spec.server_key = argv[2];
    if (flood_start(&spec, &flood, &err) < 0)
        goto failed;
    puts("floods");
    fflush(stdout);
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0)
        ;
    if (flood_stop(flood, &counts, &err) < 0)
        goto failed;
    printf("{\"seconds\": %.3f", counts.seconds);
    for (size_t i = 0; i < FLOOD_KINDS; i++)
        printf(", \"%s\": %" PRIu64, names[i], counts.sent[i]);
    puts("}");
    return 0;
failed:
    fprintf(stderr, "bench_flood: %s\n", err.text);
    return 1;
}
