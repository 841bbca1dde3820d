/* SPDX-License-Identifier: Apache-2.0
 * test_ids.c - external ids and content ids. */
#include <asy/clock.h>
#include <asy/hash.h>
#include <asy/id.h>
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include "asytest.h"
#include "folder.h"

enum { PER_THREAD = 20000, THREADS = 4 };

static void *make_many(void *arg)
{
    struct asy_id *ids = arg;

    for (size_t i = 0; i < PER_THREAD; i++)
        ids[i] = asy_id_make();
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return asy_id_cmp(*(const struct asy_id *)a, *(const struct asy_id *)b);
}

static void ids_of_all_threads_rise_and_differ(void)
{
    static struct asy_id ids[THREADS * PER_THREAD];
    int64_t before = asy_clock_wall_us() / 1000;
    pthread_t threads[THREADS];

    for (size_t t = 0; t < THREADS; t++)
        if (!T_EQ("start", pthread_create(&threads[t], NULL, make_many, ids + t * PER_THREAD), 0))
            abort();
    for (size_t t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    for (size_t t = 0; t < THREADS; t++)
        for (size_t i = 1; i < PER_THREAD; i++)
            if (!T_TRUE(asy_id_cmp(ids[t * PER_THREAD + i - 1], ids[t * PER_THREAD + i]) < 0))
                return;
    qsort(ids, ASY_ARRAY_LEN(ids), sizeof *ids, by_id);
    for (size_t i = 1; i < ASY_ARRAY_LEN(ids); i++)
        if (!T_TRUE(asy_id_cmp(ids[i - 1], ids[i]) != 0))
            return;
    T_TRUE(asy_id_cmp(asy_id_from((uint64_t)before, 0), ids[0]) <= 0);
}

static void an_id_is_a_uuid_of_version_7(void)
{
    struct asy_id id = asy_id_make(), from = asy_id_from(0x0123456789ab, UINT64_MAX);
    char text[ASY_ID_TEXT];

    T_EQ("version", id.b[6] >> 4, 7);
    T_EQ("variant", id.b[8] >> 6, 2);
    T_STR("layout", asy_id_format(from, text), "0123456789ab7fff800fffffffffffff");
    T_STR("zero", asy_id_format(asy_id_from(0, 0), text), "00000000000070008000000000000000");
    T_TRUE(asy_id_cmp(asy_id_from(5, 9), asy_id_from(5, 10)) < 0);
    T_TRUE(asy_id_cmp(asy_id_from(5, UINT64_MAX), asy_id_from(6, 0)) < 0);
    T_TRUE(asy_id_is_none(ASY_ID_NONE) && !asy_id_is_none(id));
}

static void a_fork_makes_other_ids(void)
{
    struct asy_id theirs = ASY_ID_NONE, ours;
    int fds[2], status = 0;
    pid_t pid;

    if (!T_TRUE(pipe(fds) == 0))
        return;
    if ((pid = fork()) == 0) {
        theirs = asy_id_make();
        _exit(write(fds[1], &theirs, sizeof theirs) == sizeof theirs ? 0 : 1);
    }
    ours = asy_id_make();
    close(fds[1]);
    T_TRUE(read(fds[0], &theirs, sizeof theirs) == sizeof theirs);
    T_TRUE(asy_id_cmp(ours, theirs) != 0 && !asy_id_is_none(theirs));
    T_TRUE(waitpid(pid, &status, 0) == pid && status == 0);
    close(fds[0]);
}

static void hashes_of_neighbours_spread(void)
{
    size_t seen[256] = { 0 };

    for (uint64_t i = 0; i < 25600; i++)
        seen[asy_id_hash(asy_id_from(1000, i)) & 255]++;
    for (size_t i = 0; i < 256; i++)
        T_NEAR("bucket", (double)seen[i], 100, 60); /* six standard deviations */
}

static void text_of_an_id_is_exactly_its_digits(void)
{
    static const char good[] = "0123456789abcdef0123456789ABCDEF";
    static const struct { const char *name, *text; size_t len; int want; } cases[] = {
        { "both cases", good, 32, 0 },
        { "nothing", "", 0, ASY_E_FORMAT },
        { "one short", good, 31, ASY_E_FORMAT },
        { "one long", "0123456789abcdef0123456789ABCDEF0", 33, ASY_E_FORMAT },
        { "no digit", "g123456789abcdef0123456789abcdef", 32, ASY_E_FORMAT },
        { "a sign", "-123456789abcdef0123456789abcdef", 32, ASY_E_FORMAT },
        { "dashes", "01234567-89ab-cdef-0123-456789ab", 32, ASY_E_FORMAT },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_id id = ASY_ID_NONE;
        char text[ASY_ID_TEXT];

        T_EQ(cases[i].name, asy_id_parse(cases[i].text, cases[i].len, &id, &err), cases[i].want);
        if (cases[i].want)
            T_TRUE(asy_id_is_none(id) && err.text[0]);
        else
            T_STR(cases[i].name, asy_id_format(id, text), "0123456789abcdef0123456789abcdef");
    }
}

/* FIPS 180-4's examples. */
static void sha256_gives_the_known_answers(void)
{
    static const struct { const char *bytes; size_t times; const char *want; } cases[] = {
        { "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        { "aaaaaaaaaa", 100000,
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct t_folder folder;
    char path[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "file", path);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        size_t len = strlen(cases[i].bytes), n = len * cases[i].times;
        char text[ASY_SHA_TEXT], *all = malloc(n + 1);
        struct asy_sha_state *state = NULL;
        struct asy_sha sha, back;
        uint64_t size = 0;

        if (!T_TRUE(all != NULL) || !T_OK(asy_sha_create(&state, &err), &err)) {
            free(all);
            break;
        }
        for (size_t k = 0; k < cases[i].times; k++) {
            asy_sha_update(state, cases[i].bytes, len);
            memcpy(all + k * len, cases[i].bytes, len + 1);
        }
        T_STR("in pieces", asy_sha_format(asy_sha_final(state), text), cases[i].want);
        asy_sha_destroy(state);
        T_OK(asy_sha_bytes(all, n, &sha, &err), &err);
        T_STR("at once", asy_sha_format(sha, text), cases[i].want);
        all[n] = 0;
        t_write(path, all);
        T_OK(asy_sha_file(path, &sha, &size, &err), &err);
        T_STR("of a file", asy_sha_format(sha, text), cases[i].want);
        T_EQ("size", size, n);
        T_OK(asy_sha_parse(text, strlen(text), &back, &err), &err);
        T_TRUE(!memcmp(&back, &sha, sizeof sha));
        free(all);
    }
    t_folder_drop(&folder);
    asy_sha_destroy(NULL);
}

static void md5_gives_the_known_answer(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    char text[ASY_MD5_TEXT] = "", path[PATH_MAX];
    struct t_folder folder;

    if (!t_folder_make(&folder))
        return;
    t_write(t_path(&folder, "file", path), "abc");
    T_OK(asy_md5_bytes("abc", 3, text, &err), &err);
    T_STR("RFC 1321", text, "900150983cd24fb0d6963f7d28e17f72");
    text[0] = '\0';
    T_OK(asy_md5_file(path, text, &err), &err);
    T_STR("of a file", text, "900150983cd24fb0d6963f7d28e17f72");
    T_EQ("no file", asy_md5_file("/no/such", text, &err), ASY_E_NOENT);
    t_folder_drop(&folder);
}

static void a_content_id_that_is_none_is_refused(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    char text[ASY_SHA_TEXT + 1];
    struct asy_sha sha;

    memset(text, 'a', sizeof text);
    T_EQ("63 digits", asy_sha_parse(text, 63, &sha, &err), ASY_E_FORMAT);
    T_EQ("65 digits", asy_sha_parse(text, 65, &sha, &err), ASY_E_FORMAT);
    text[63] = 'x';
    T_EQ("no digit", asy_sha_parse(text, 64, &sha, &err), ASY_E_FORMAT);
    T_EQ("no file", asy_sha_file("/no/such", &sha, NULL, &err), ASY_E_NOENT);
    T_HAS("no file", err.text, "cannot open '/no/such': no such file");
    T_EQ("a folder", asy_sha_file("/tmp", &sha, NULL, &err), ASY_E_IO);
    T_HAS("a folder", err.text, "cannot read '/tmp': is a directory");
}

T_MAIN("ids", T_TEST(ids_of_all_threads_rise_and_differ), T_TEST(an_id_is_a_uuid_of_version_7),
       T_TEST(a_fork_makes_other_ids), T_TEST(hashes_of_neighbours_spread),
       T_TEST(text_of_an_id_is_exactly_its_digits), T_TEST(sha256_gives_the_known_answers),
       T_TEST(md5_gives_the_known_answer), T_TEST(a_content_id_that_is_none_is_refused))
