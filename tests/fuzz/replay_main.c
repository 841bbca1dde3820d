/* SPDX-License-Identifier: Apache-2.0
 * Replays a fuzz target's committed corpus where libFuzzer is not linked: every file of the named
 * folders once. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <asy/durable.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    struct asy_error err = ASY_ERROR_INIT;
    char *bytes = NULL;
    size_t len = 0;

    if (asy_read_file(path, 16u << 20, &bytes, &len, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, len);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    size_t n = 0;
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        struct dirent *entry;

        if (!dir) {
            fprintf(stderr, "cannot open corpus '%s'\n", argv[i]);
            return 1;
        }
        while ((entry = readdir(dir))) {
            char path[4096];

            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            failed |= replay_file(path);
            n++;
        }
        closedir(dir);
    }
    printf("%zu inputs replayed\n", n);
    return failed || n == 0;
}
