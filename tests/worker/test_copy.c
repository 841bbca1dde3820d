/* SPDX-License-Identifier: Apache-2.0
 * The study's files on their way into a trial's folder: all of them, or a text that names one. */
#include "../asytest.h"
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/durable.h>
#include "copy.h"

static char root[64];
static int reads_left = -1; /* entries that folders give before they fail; below 0: all */

struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);

struct dirent *__wrap_readdir(DIR *dir)
{
    if (reads_left == 0) {
        errno = EIO;
        return NULL;
    }
    reads_left -= reads_left > 0;
    return __real_readdir(dir);
}

static const char *at(const char *name)
{
    static char text[8][128];
    static unsigned next;
    char *path = text[next++ % 8];

    snprintf(path, sizeof text[0], "%s/%s", root, name);
    return path;
}

static bool begin(void)
{
    snprintf(root, sizeof root, "/tmp/assay-test-XXXXXX");
    return T_TRUE(mkdtemp(root) != NULL);
}

static void end(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_durable_remove(root, &err), &err);
}

static void put(const char *name)
{
    FILE *file = fopen(at(name), "we");

    if (!T_TRUE(file != NULL))
        return;
    fputs("data", file);
    fclose(file);
}

static void folders_are_copied_whole_or_not_at_all(void)
{
    uint64_t budget = 1u << 20;
    struct asy_error err = ASY_ERROR_INIT;

    if (!begin())
        return;
    mkdir(at("src"), 0700);
    put("src/a");
    put("src/b");
    if (T_OK(asy__copy(at("src"), at("to/src"), &budget, &err), &err)) {
        T_EQ("a", access(at("to/src/a"), R_OK), 0);
        T_EQ("b", access(at("to/src/b"), R_OK), 0);
        T_EQ("budget", budget, (1u << 20) - 8);
    }
    for (int n = 0; n <= 4; n++) { /* ".", "..", "a", "b", and the end */
        reads_left = n;
        T_EQ("cannot be listed", asy__copy(at("src"), at("cut"), &budget, &err), ASY_E_IO);
        T_HAS("cannot be listed", err.text, "cannot list '");
        T_HAS("cannot be listed", err.text, "input/output error");
    }
    reads_left = -1;
    end();
}

static void a_file_is_no_folder(void)
{
    static const struct {
        const char *name, *path;
        int want;
    } cases[] = {
        { "new", "p/q/r", 0 },
        { "there already", "p/q/r", 0 },
        { "a file", "file", ASY_E_EXISTS },
        { "below a file", "file/x", ASY_E_EXISTS },
    };

    if (!begin())
        return;
    put("file");
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;

        T_EQ(cases[i].name, asy__mkdirs(at(cases[i].path), &err), cases[i].want);
        if (cases[i].want)
            T_HAS(cases[i].name, err.text, "/file': a file has this name");
    }
    end();
}

T_MAIN("copy", T_TEST(folders_are_copied_whole_or_not_at_all), T_TEST(a_file_is_no_folder))
