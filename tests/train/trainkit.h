/* SPDX-License-Identifier: Apache-2.0
 * trainkit.h - folders, files and jobs for the tests of training. */
#ifndef TRAINKIT_H
#define TRAINKIT_H
#include <asytest.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/stat.h>
#include <asy/buf.h>
#include <asy/durable.h>
#include <asy/json.h>

#define KIT_DIGITS ASY_SOURCE_DIR "/examples/data/digits.csv.gz"

static inline char *kit_dir(char dir[64])
{
    snprintf(dir, 64, "/tmp/asy-train-XXXXXX");
    return mkdtemp(dir);
}

static inline void kit_rmdir(const char *dir)
{
    ASY_IGNORE(asy_durable_remove(dir, NULL)); /* what is left is in /tmp */
}

static inline bool kit_write(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(bytes, 1, n, file) == n;

    if (file)
        ok = fclose(file) == 0 && ok;
    return T_TRUE(ok);
}

/* Same bytes in both files. */
static inline bool kit_same(const char *name, const char *a, const char *b)
{
    struct asy_error err = ASY_ERROR_INIT;
    char *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    bool ok = T_OK(asy_read_file(a, 64u << 20, &x, &n, &err), &err) &&
              T_OK(asy_read_file(b, 64u << 20, &y, &m, &err), &err) && T_EQ(name, n, m) &&
              T_EQ(name, memcmp(x, y, n), 0);

    free(x);
    free(y);
    return ok;
}

/* {"study":…,"params":…,…}: family is one, or the path of a plug-in; fixed, data and params are
 * texts of JSON objects' insides, rest more members of the job. The caller destroys the result. */
static inline struct asy_json *kit_family_job(const char *family, const char *file,
                                              const char *data, const char *metric,
                                              const char *goal, int max, const char *params,
                                              const char *rest)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *job = NULL;
    struct asy_buf buf;

    asy_buf_init(&buf, 1u << 16);
    asy_buf_addf(&buf,
                 "{\"study\":{\"name\":\"test\",\"run\":{\"%s\":\"%s\",\"fixed\":{},\"length\":"
                 "{\"unit\":\"epochs\",\"max\":%d}},\"data\":{\"file\":\"%s\"%s%s},\"objective\":"
                 "[{\"metric\":\"%s\",\"goal\":\"%s\",\"take\":\"best\",\"target\":null}]},"
                 "\"params\":{%s},\"seed\":7,\"number\":3%s%s}",
                 *family == '/' ? "plugin" : "model", family, max, file, *data ? "," : "",
                 data, metric, goal, params, *rest ? "," : "", rest);
    T_OK(asy_json_parse(buf.data, buf.len, &job, &err), &err);
    asy_buf_fini(&buf);
    return job;
}

static inline struct asy_json *kit_job(const char *file, const char *data, const char *metric,
                                       const char *goal, int max, const char *params,
                                       const char *rest)
{
    return kit_family_job("mlp", file, data, metric, goal, max, params, rest);
}
#endif
