/* SPDX-License-Identifier: Apache-2.0
 * Texts and arrays as sequences of tokens: their numbers, their parts, their mistakes, and what a
 * node keeps of them. */
#include "trainkit.h"
#include "filekit.h"
#include "nomem.h"
#include <asy/training.h>
#include "data/import.h"
#include "job.h"
#include "data/tokens.h"

#define PARTS "\"split\":{\"validation\":0.25,\"test\":0.25}"

struct place {
    char dir[64], path[128];
    struct asy_json *job;
    struct asy__data_spec spec;
};

/* A file of these bytes, and the data part of a study that names it. */
static bool begin(struct place *p, const char *format, const void *bytes, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    char data[128];

    memset(p, 0, sizeof *p);
    if (!T_TRUE(kit_dir(p->dir) != NULL))
        return false;
    snprintf(p->path, sizeof p->path, "%s/t", p->dir);
    snprintf(data, sizeof data, "\"format\":\"%s\"," PARTS, format);
    p->job = kit_family_job("mlp", p->path, data, "val_loss", "minimize", 1, "", "");
    return kit_write(p->path, bytes, n) &&
           T_OK(asy__data_spec_read(asy_json_get(asy_json_get(p->job, "study"), "data"), &p->spec,
                                    &err), &err);
}

static void end(struct place *p)
{
    asy_json_destroy(p->job);
    kit_rmdir(p->dir);
}

/* Tokens as text: "1 0 2". */
static const char *listed(const struct asy__data *data, struct asy_buf *buf)
{
    asy_buf_clear(buf);
    for (size_t i = 0; i < data->n_rows; i++)
        asy_buf_addf(buf, "%s%u", i ? " " : "", data->tokens[i]);
    return buf->data;
}

static void characters_are_numbered_by_their_code_points(void)
{
    static const struct {
        const char *name, *text, *tokens, *characters;
        size_t n;
    } cases[] = {
        { "letters", "banana b", "2 1 3 1 3 1 0 2", " abn", 4 },
        { "of all lengths", "z\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z\n", "1 2 3 4 1 0",
          "\nz\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 5 },
        { "a mark is no token", "\xef\xbb\xbf" "abbaabba", "0 1 1 0 0 1 1 0", "ab", 2 },
        { "but a second one", "\xef\xbb\xbf" "aaaaaa\xef\xbb\xbf" "a", "0 0 0 0 0 0 1 0",
          "a\xef\xbb\xbf", 2 },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf list, characters;

    asy_buf_init(&list, 1u << 16);
    asy_buf_init(&characters, 1u << 16);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__data data = { 0 };
        struct place p;

        if (begin(&p, "text", cases[i].text, strlen(cases[i].text)) &&
            T_OK(asy__data_load(&p.spec, NULL, 1, &data, &err), &err)) {
            asy_buf_clear(&characters);
            for (size_t c = 0; c < data.schema.classes.n; c++)
                asy_buf_adds(&characters, data.schema.classes.texts[c]);
            T_STR(cases[i].name, listed(&data, &list), cases[i].tokens);
            T_STR(cases[i].name, characters.data, cases[i].characters);
            T_EQ(cases[i].name, data.schema.vocabulary, cases[i].n);
        }
        asy__data_fini(&data);
        end(&p);
    }
    asy_buf_fini(&list);
    asy_buf_fini(&characters);
}

/* Characters of three bytes, which pieces of the file cut in all places; packed, too. */
static void characters_across_pieces_are_whole(void)
{
    enum { N = 100000 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf text;

    asy_buf_init(&text, 1u << 22);
    for (size_t i = 0; i < N; i++)
        asy_buf_adds(&text, i % 7 ? "\xe2\x82\xac" : "$");
    for (int packed = 0; packed < 2; packed++) {
        struct asy__data data = { 0 };
        struct place p;
        gzFile gz;

        if (begin(&p, "text", text.data, text.len) && packed && (gz = gzopen(p.path, "wb"))) {
            T_EQ("packed", gzwrite(gz, text.data, (unsigned)text.len), (int)text.len);
            gzclose(gz);
        }
        if (T_OK(asy__data_load(&p.spec, NULL, 1, &data, &err), &err) &&
            T_EQ("tokens", data.n_rows, N)) {
            size_t wrong = 0;

            for (size_t i = 0; i < N; i++)
                wrong += data.tokens[i] != (i % 7 != 0);
            T_EQ("wrong", wrong, 0);
            T_EQ("validation", data.start[ASY__VALIDATION], N / 2);
            T_EQ("test", data.start[ASY__TEST], N / 4 * 3);
        }
        asy__data_fini(&data);
        end(&p);
    }
    asy_buf_fini(&text);
}

/* Which tokens a window has, with the one behind it. */
static void windows_are_cut_within_their_part(void)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"; /* 40, in two orders */
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data data = { 0 };
    float x[4];
    int32_t label[4];
    struct asy__rows rows;
    struct place p;

    if (!begin(&p, "text", text, strlen(text)) ||
        !T_OK(asy__data_load(&p.spec, NULL, 1, &data, &err), &err))
        goto out;
    if (!T_OK(asy__tokens_window(&data, 4, &err), &err))
        goto out;
    T_EQ("of training", data.start[ASY__VALIDATION], 4); /* 20 tokens, begun up to 3 later */
    T_EQ("of validation", data.start[ASY__TEST] - data.start[ASY__VALIDATION], 2);
    T_EQ("of test", data.n_rows - data.start[ASY__TEST], 2);
    for (size_t row = 0; row < data.n_rows; row++)
        for (size_t later = 0; later < (row < 4 ? 4 : 1); later++) {
            size_t first = (row < 4 ? row * 4 : row < 6 ? 20 + (row - 4) * 4 : 30 + (row - 6) * 4) +
                           later;

            asy__tokens_row(&data, row, later, x, label);
            for (size_t t = 0; t < 4; t++) {
                T_EQ("token", (unsigned)x[t], data.tokens[first + t]);
                T_EQ("label", (unsigned)label[t], data.tokens[first + t + 1]);
            }
        }
    rows = asy__data_rows(&data, 5, 3);
    for (size_t i = 0; i < 3; i++) {
        asy__tokens_row(&data, 5 + i, 0, x, label);
        T_EQ("x", memcmp(rows.x + i * 4, x, sizeof x), 0);
        T_EQ("labels", memcmp(rows.label + i * 4, label, sizeof label), 0);
    }
    T_OK(asy__tokens_window(&data, 9, &err), &err); /* others, of the same tokens */
    T_EQ("longer", data.n_rows, 3);
    T_TRUE(asy__tokens_window(&data, 10, &err) < 0);
    T_HAS("too long", err.text, "the 10 tokens of the validation part make no window of 10");
out:
    asy__data_fini(&data);
    end(&p);
}

/* Which part each token of a division is of. */
static bool divide(const struct place *p, int32_t division, char *part_of)
{
    struct asy__data_spec spec = p->spec;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data data = { 0 };
    bool ok;

    spec.division = division;
    if ((ok = T_OK(asy__data_load(&spec, NULL, 1, &data, &err), &err))) {
        const struct asy__piece pieces[] = { data.piece[0], data.behind, data.piece[1],
                                             data.piece[2] };

        memset(part_of, '?', data.n_rows);
        part_of[data.n_rows] = '\0';
        for (size_t i = 0; i < ASY_ARRAY_LEN(pieces); i++)
            memset(part_of + pieces[i].at, "ttvx"[i], pieces[i].n);
        T_EQ("trained on", data.start[1], pieces[0].n + pieces[1].n);
        T_EQ("held out", data.start[2] - data.start[1], pieces[2].n);
    }
    asy__data_fini(&data);
    return ok;
}

/* Each token before the test part is validated on in one fold. */
static void folds_are_pieces_of_the_text(void)
{
    static const char *const want[] = { "vvvvvttttttttttttxxxx", "tttttvvvvvvttttttxxxx",
                                        "tttttttttttvvvvvvxxxx", "tttttttttttttttttxxxx" };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data data = { 0 };
    struct place p;
    char got[32];

    if (begin(&p, "text", "abcdefghijklmnopqrstu", 21)) {
        p.spec.folds = 3;
        p.spec.test = 0.2;
        for (int32_t k = 0; k < 3; k++)
            if (divide(&p, k, got))
                T_STR("fold", got, want[k]);
        if (divide(&p, ASY__UNDIVIDED, got))
            T_STR("all", got, want[3]);
        p.spec.folds = 9; /* of 17 tokens: the first has one */
        p.spec.division = 0;
        T_EQ("small", asy__data_load(&p.spec, NULL, 1, &data, &err), ASY_E_INVAL);
        T_HAS("small", err.text, "21 tokens are too few to divide");
        p.spec.folds = 0;
        p.spec.repeats = 2;
        T_EQ("repeats", asy__data_load(&p.spec, NULL, 1, &data, &err), ASY_E_INVAL);
        T_HAS("repeats", err.text, "split: repeats shuffle rows, a text has one order");
    }
    end(&p);
}

/* Windows of training lie in one of its pieces, wherever they begin. */
static void no_window_lies_across_a_fold(void)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN";
    static const struct { size_t rows[3], first[9]; } want[] = { /* of 30 tokens, and 10 */
        { { 4, 2, 2 }, { 10, 14, 18, 22, 0, 4, 30, 34 } }, /* 20 behind the fold */
        { { 2, 2, 2 }, { 0, 20, 10, 14, 30, 34 } },        /* 10 on each side */
        { { 4, 2, 2 }, { 0, 4, 8, 12, 20, 24, 30, 34 } },
    };
    struct asy_error err = ASY_ERROR_INIT;
    int32_t label[4];
    struct place p;
    float x[4];

    if (!begin(&p, "text", text, strlen(text)))
        return;
    p.spec.folds = 3;
    for (int32_t k = 0; k < 3; k++) {
        struct asy__data data = { 0 };

        p.spec.division = k;
        if (T_OK(asy__data_load(&p.spec, NULL, 1, &data, &err), &err) &&
            T_OK(asy__tokens_window(&data, 4, &err), &err)) {
            for (int part = 0; part < 3; part++)
                T_EQ("rows", data.start[part + 1] - data.start[part], want[k].rows[part]);
            for (size_t row = 0; row < data.n_rows; row++) {
                size_t later = row < data.start[ASY__VALIDATION] ? 3 : 0;

                asy__tokens_row(&data, row, later, x, label);
                for (size_t t = 0; t < 4; t++) {
                    T_EQ("x", (unsigned)x[t], data.tokens[want[k].first[row] + later + t]);
                    T_EQ("y", (unsigned)label[t], data.tokens[want[k].first[row] + later + t + 1]);
                }
            }
        }
        asy__data_fini(&data);
    }
    end(&p);
}

static void numbers_of_every_whole_type_are_tokens(void)
{
    static const struct {
        const char *type;
        unsigned size;
        int big;
    } types[] = { { "|i1", 1, 0 }, { "|u1", 1, 0 }, { "<i2", 2, 0 }, { ">u2", 2, 1 },
                  { "<u4", 4, 0 }, { ">i4", 4, 1 }, { "<i8", 8, 0 }, { ">u8", 8, 1 } };
    static const unsigned tokens[] = { 5, 0, 3, 127, 3, 5, 1, 2 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf bytes, file, list;

    asy_buf_init(&bytes, 1u << 16);
    asy_buf_init(&file, 1u << 16);
    asy_buf_init(&list, 1u << 16);
    for (size_t i = 0; i < ASY_ARRAY_LEN(types); i++) {
        struct asy__data data = { 0 };
        struct place p;

        asy_buf_clear(&bytes);
        asy_buf_clear(&file);
        for (size_t t = 0; t < ASY_ARRAY_LEN(tokens); t++)
            (types[i].big ? kit_be : kit_le)(&bytes, tokens[t], types[i].size);
        kit_array(&file, types[i].type, "8,", bytes.data, bytes.len);
        if (begin(&p, "tokens", file.data, file.len) &&
            T_OK(asy__data_load(&p.spec, NULL, 1, &data, &err), &err)) {
            T_STR(types[i].type, listed(&data, &list), "5 0 3 127 3 5 1 2");
            T_EQ(types[i].type, data.schema.vocabulary, 128);
            T_EQ(types[i].type, data.schema.classes.n, 0);
        }
        asy__data_fini(&data);
        end(&p);
    }
    asy_buf_fini(&bytes);
    asy_buf_fini(&file);
    asy_buf_fini(&list);
}

static void what_makes_no_tokens_is_refused_with_its_place(void)
{
    static const int32_t negative[] = { 1, 2, -3, 4 }, large[] = { 1, 65535, 65536, 4 },
                         equal[] = { 0, 0, 0, 0 }, whole[] = { 1, 2, 3, 4 };
    static const float real[] = { 1, 2, 3, 4 };
    static const struct {
        const char *text, *type, *shape;
        const void *bytes;
        size_t n;
        const char *says;
    } cases[] = {
        { "", NULL, NULL, NULL, 0, "it is empty" },
        { "\xef\xbb\xbf", NULL, NULL, NULL, 0, "it is empty" },
        { "aaaaaaaa", NULL, NULL, NULL, 0, "all of its tokens are the same" },
        { "abc", NULL, NULL, NULL, 0, "split: 3 tokens are too few" },
        { "abcd\xff" "efg", NULL, NULL, NULL, 0, "byte 5 (0xff) is not UTF-8" },
        { "abcd\xc0\x80" "efg", NULL, NULL, NULL, 0, "byte 5 (0xc0) is not UTF-8" },
        { "abcd\xed\xa0\x80", NULL, NULL, NULL, 0, "byte 5 (0xed) is not UTF-8" },
        { "abcd\xf4\x90\x80\x80", NULL, NULL, NULL, 0, "byte 5 (0xf4) is not UTF-8" },
        { "abcd\xf8\x88\x80\x80\x80", NULL, NULL, NULL, 0, "byte 5 (0xf8) is not UTF-8" },
        { "abcd\xe2\x82", NULL, NULL, NULL, 0, "byte 5 (0xe2) is not UTF-8" },
        { "abcd\x80", NULL, NULL, NULL, 0, "byte 5 (0x80) is not UTF-8" },
        { NULL, "<f4", "4,", real, 16, "tokens are whole numbers" },
        { NULL, "<i4", "2, 2", whole, 16, "an array of one dimension, not of 2" },
        { NULL, "<i4", "4,", negative, 16, "token 3 is -3; tokens are numbered from 0" },
        { NULL, "<i4", "4,", large, 16, "token 3 is 65536; numbers up to 65535 are read" },
        { NULL, "<i4", "4,", equal, 16, "all of its tokens are the same" },
        { NULL, "<i4", "4,", whole, 15, "it ends after 3 of 4 numbers" },
        { NULL, "<i4", "3,", whole, 16, "something follows its numbers" },
        { NULL, NULL, NULL, "no array", 8, "within its header" },
    };
    struct asy_buf file;

    asy_buf_init(&file, 1u << 16);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__data data = { 0 };
        struct place p;

        asy_buf_clear(&file);
        if (cases[i].text)
            asy_buf_adds(&file, cases[i].text);
        else if (cases[i].type)
            kit_array(&file, cases[i].type, cases[i].shape, cases[i].bytes, cases[i].n);
        else
            asy_buf_add(&file, cases[i].bytes, cases[i].n);
        if (begin(&p, cases[i].text ? "text" : "tokens", file.data, file.len)) {
            T_TRUE(asy__data_load(&p.spec, NULL, 1, &data, &err) < 0);
            T_HAS(cases[i].says, err.text, cases[i].says);
            T_HAS(cases[i].says, err.text, p.path);
        }
        end(&p);
    }
    asy_buf_fini(&file);
}

static void a_zero_byte_is_refused(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data data = { 0 };
    struct place p;

    if (begin(&p, "text", "abc\0abc", 7)) {
        T_TRUE(asy__data_load(&p.spec, NULL, 1, &data, &err) < 0);
        T_HAS("zero", err.text, "byte 4 is zero");
    }
    end(&p);
}

static void a_models_numbers_hold_for_other_files(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data first = { 0 }, second = { 0 };
    struct asy_buf list;
    struct place p;

    asy_buf_init(&list, 1u << 16);
    if (!begin(&p, "text", "abcdefgh", 8) ||
        !T_OK(asy__data_load(&p.spec, NULL, 1, &first, &err), &err))
        goto out;
    kit_write(p.path, "hhhhggda", 8);
    if (T_OK(asy__data_load(&p.spec, &first.schema, 1, &second, &err), &err))
        T_STR("tokens", listed(&second, &list), "7 7 7 7 6 6 3 0");
    T_EQ("vocabulary", second.schema.vocabulary, 8);
    asy__data_fini(&second);
    kit_write(p.path, "hhhhzgda", 8);
    T_TRUE(asy__data_load(&p.spec, &first.schema, 1, &second, &err) < 0);
    T_HAS("unknown", err.text, "the model does not know 'z' (U+007A)");
    p.spec.format = ASY__FORMAT_CSV;
    T_TRUE(asy__data_load(&p.spec, &first.schema, 1, &second, &err) < 0);
    T_HAS("a table", err.text, "the model was trained on tokens");
out:
    asy__data_fini(&first);
    asy_buf_fini(&list);
    end(&p);
}

static struct asy__import import_of(const struct place *p, char dir[128])
{
    struct asy__import import = { .dir = dir, .limit = UINT64_MAX };
    struct asy_error err = ASY_ERROR_INIT;

    snprintf(dir, 128, "%s/imports", p->dir);
    T_OK(asy_sha_file(p->path, &import.file, NULL, &err), &err);
    return import;
}

static bool only_import(const char *imports, char ret[400])
{
    DIR *dir = opendir(imports);
    struct dirent *entry;
    int n = 0;

    while (dir && (entry = readdir(dir)))
        if (strlen(entry->d_name) == 64) {
            snprintf(ret, 400, "%s/%s/tokens.npy", imports, entry->d_name);
            n++;
        }
    if (dir)
        closedir(dir);
    return T_EQ("imports", n, 1);
}

static void tokens_are_imported_once(void)
{
    static const char text[] = "a text that is read once, and then mapped";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data want = { 0 }, got = { 0 };
    struct asy__import import;
    char dir[128], path[400];
    struct place p;

    if (!begin(&p, "text", text, strlen(text)))
        goto out;
    import = import_of(&p, dir);
    if (!T_OK(asy__data_load(&p.spec, NULL, 1, &want, &err), &err))
        goto out;
    for (int again = 0; again < 3; again++) {
        if (!T_OK(asy__import_load(&import, &p.spec, &got, &err), &err))
            goto out;
        T_TRUE(got.x_pages.at != NULL && !got.x && !got.label && !got.target);
        T_EQ("rows", got.n_rows, want.n_rows);
        T_EQ("crc", got.crc, want.crc);
        T_EQ("tokens", memcmp(got.tokens, want.tokens, want.n_rows * sizeof *got.tokens), 0);
        T_EQ("parts", memcmp(got.start, want.start, sizeof got.start), 0);
        T_EQ("vocabulary", got.schema.vocabulary, want.schema.vocabulary);
        asy__data_fini(&got);
        if (again == 0)
            kit_write(p.path, text, strlen(text)); /* the source must be there, and is not read */
        if (again == 1 && only_import(dir, path)) { /* damaged: it is made anew */
            FILE *file = fopen(path, "r+b");

            T_TRUE(file && fseek(file, 130, SEEK_SET) == 0 && fputc(0xff, file) >= 0);
            if (file)
                fclose(file);
        }
    }
out:
    asy__data_fini(&want);
    end(&p);
}

/* Folds of a text are numbers beside the same tokens. */
static void folds_share_an_import(void)
{
    static const char text[] = "a text of which each fold sees another piece";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__import import;
    char dir[128], path[400];
    struct place p;

    if (begin(&p, "text", text, strlen(text))) {
        import = import_of(&p, dir);
        p.spec.folds = 2;
        for (p.spec.division = ASY__UNDIVIDED; p.spec.division < 2; p.spec.division++) {
            struct asy__data want = { 0 }, got = { 0 };

            if (T_OK(asy__data_load(&p.spec, NULL, 1, &want, &err), &err) &&
                T_OK(asy__import_load(&import, &p.spec, &got, &err), &err)) {
                T_EQ("parts", memcmp(got.start, want.start, sizeof got.start), 0);
                T_EQ("pieces", memcmp(got.piece, want.piece, sizeof got.piece), 0);
                T_EQ("behind", memcmp(&got.behind, &want.behind, sizeof got.behind), 0);
            }
            asy__data_fini(&want);
            asy__data_fini(&got);
        }
        only_import(dir, path);
    }
    end(&p);
}

static struct place nomem_place;

static int load_once(struct asy_error *err)
{
    struct asy__data data = { 0 };
    int rc = asy__data_load(&nomem_place.spec, NULL, 1, &data, err);

    asy__data_fini(&data);
    return rc;
}

static void want_of_memory_is_an_error(void)
{
    if (begin(&nomem_place, "text", "some text to run out of memory on", 33))
        T_TRUE(t_nomem_each("text", load_once) > 3);
    end(&nomem_place);
}

static void tokens_are_described_as_such(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf json;
    struct place p;

    asy_buf_init(&json, 1u << 16);
    if (begin(&p, "text", "abcabcabcabcabcabcab", 20)) {
        asy_json_destroy(p.job);
        p.job = kit_family_job("mlp", p.path, "\"format\":\"text\"," PARTS, "val_loss", "minimize",
                               1, "", "");
        if (T_OK(asy_trainer_describe(p.job, &json, &err), &err))
            T_STR("description", json.data,
                  "{\"tokens\":20,\"vocabulary\":3,\"task\":\"tokens\",\"split\":{\"train\":10,"
                  "\"validation\":5,\"test\":5}}");
    }
    asy_buf_fini(&json);
    end(&p);
}

#define FOLDS "\"split\":{\"folds\":3,\"test\":0.25}"
static void a_context_beyond_a_part_is_refused_at_once(void)
{
    static const struct { const char *split, *fixed, *sample, *says; } cases[] = {
        { PARTS, "\"context\":4", "", NULL },
        { PARTS, "\"context\":5", "",
          "split: the 5 tokens of the validation part make no window of 5" },
        { PARTS, "", "\"context\":4", NULL },
        { PARTS, "", "\"context\":11",
          "split: the 10 tokens of the training part make no window of 11" },
        { FOLDS, "\"context\":2", "", NULL },
        { FOLDS, "\"context\":3", "", /* for which the first fold leaves 10 in one piece */
          "split: the 5 tokens before a fold and the 5 behind it make no window of 3 to train on" },
    };
    struct place p;

    if (!begin(&p, "text", "abcabcabcabcabcabcab", 20))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *job = NULL;
        struct asy_buf text, json;

        asy_buf_init(&text, 1u << 16);
        asy_buf_init(&json, 1u << 16);
        asy_buf_addf(&text, "{\"study\":{\"data\":{\"file\":\"%s\",\"format\":\"text\",%s},"
                     "\"run\":{\"model\":\"gpt\",\"fixed\":{%s}},\"sample\":{%s}}}", p.path,
                     cases[i].split, cases[i].fixed, cases[i].sample);
        if (T_OK(asy_json_parse(text.data, text.len, &job, &err), &err)) {
            T_EQ(cases[i].fixed, asy_trainer_describe(job, &json, &err),
                 cases[i].says ? ASY_E_INVAL : 0);
            T_HAS(cases[i].fixed, err.text, cases[i].says ? cases[i].says : "");
        }
        asy_json_destroy(job);
        asy_buf_fini(&text);
        asy_buf_fini(&json);
    }
out:
    end(&p);
}

T_MAIN("tokens", T_TEST(characters_are_numbered_by_their_code_points),
       T_TEST(characters_across_pieces_are_whole),
       T_TEST(windows_are_cut_within_their_part),
       T_TEST(folds_are_pieces_of_the_text), T_TEST(no_window_lies_across_a_fold),
       T_TEST(numbers_of_every_whole_type_are_tokens),
       T_TEST(what_makes_no_tokens_is_refused_with_its_place), T_TEST(a_zero_byte_is_refused),
       T_TEST(a_models_numbers_hold_for_other_files), T_TEST(tokens_are_imported_once),
       T_TEST(folds_share_an_import),
       T_TEST(want_of_memory_is_an_error), T_TEST(tokens_are_described_as_such),
       T_TEST(a_context_beyond_a_part_is_refused_at_once))
