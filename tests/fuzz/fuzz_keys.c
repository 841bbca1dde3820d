/* SPDX-License-Identifier: Apache-2.0
 * The small files of a home: discovery file, key pair, list of those who may connect. */
#include <asy/keys.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "fuzz.h"

static void read_discovery(const char *path)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_discovery found;

    if (asy_discovery_read(path, &found, &err) < 0) {
        FUZZ_CHECK(err.text[0]);
        return;
    }
    FUZZ_CHECK(strlen(found.server_key) + 1 == ASY_KEY_TEXT && found.pid > 0 && found.host[0]);
    ASY_IGNORE(asy_discovery_stale(&found)); /* either answer will do */
}

static void read_keys(const char *path)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_keyring *ring = NULL;
    struct asy_keypair pair;

    if (asy_keypair_load(path, &pair, &err) < 0)
        FUZZ_CHECK(err.text[0]);
    err = (struct asy_error)ASY_ERROR_INIT;
    if (asy_keyring_load(path, &ring, &err) < 0)
        FUZZ_CHECK(err.text[0]);
    asy_keyring_destroy(ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/asy-fuzz-XXXXXX";
    int fd;

    if (size > 1u << 16)
        return 0;
    fd = mkostemp(path, O_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size && close(fd) == 0);
    read_discovery(path);
    read_keys(path);
    unlink(path);
    return 0;
}
