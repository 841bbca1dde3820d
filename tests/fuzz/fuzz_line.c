/* SPDX-License-Identifier: Apache-2.0
 * Lines of a gang: what comes out is what went in, line by line, however it arrives. */
#include <asy/gang.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "fuzz.h"

/* Takes the whole lines that are there; returns how many bytes of data they were. */
static size_t take(struct asy_line *line, const uint8_t *data, size_t size)
{
    const char *text;
    size_t len, at = 0;

    while ((text = asy_line_next(line, &len))) {
        FUZZ_CHECK(len <= ASY_GANG_LINE && at + len < size && data[at + len] == '\n');
        FUZZ_CHECK(!memcmp(text, data + at, len) && !memchr(text, '\n', len) && !text[len]);
        at += len + 1;
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_line *line = NULL;
    size_t sent = 0, taken = 0;
    int ends[2], rc = 0;

    if (size == 0 || size > 1u << 16)
        return 0;
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    FUZZ_CHECK(asy_line_create(ends[0], &line, &err) == 0);
    while (sent < size && rc == 0) {
        size_t piece = 1 + data[sent] * 7u;

        piece = size - sent < piece ? size - sent : piece;
        FUZZ_CHECK(write(ends[1], data + sent, piece) == (ssize_t)piece);
        sent += piece;
        rc = asy_line_fill(line, &err);
        FUZZ_CHECK(rc == 0 || err.text[0]);
        if (rc == 0)
            taken += take(line, data + taken, sent - taken);
    }
    if (rc == 0) { /* all lines came, the unfinished one did not */
        const uint8_t *last = memrchr(data, '\n', size);

        FUZZ_CHECK(taken == (last ? (size_t)(last - data) + 1 : 0));
    }
    asy_line_destroy(line);
    close(ends[1]);
    return 0;
}
