/* SPDX-License-Identifier: Apache-2.0
 * version.c - assay --version: this program, and what the others say of themselves. A library that
 * several programs run on stands once, unless they found different ones. */
#include "cli.h"
#include <string.h>
#include <asy/hash.h>
#include <asy/version.h>
#include <asy/yaml.h>

/* What `assay` itself answers, in the form of the other programs. */
static int own_about(struct asy_json **ret_about, struct asy_error *err)
{
    const struct asy_library libraries[] = {
        { "zeromq", asy_channel_version() },
        { "libsodium", asy_channel_sodium_version() },
        { "protobuf-c", asy_msg_protobuf_version() },
        { "jansson", asy_json_version() },
        { "libyaml", asy_yaml_version() },
        { "openssl", asy_hash_version() },
        { "pcre2", asy_study_pcre2_version() },
    };
    struct asy_buf text;
    int rc;

    asy_buf_init(&text, 1u << 16);
    if ((rc = asy_version_text("assay", libraries, ASY_ARRAY_LEN(libraries), 1, &text, err)) == 0)
        rc = asy_json_parse(text.data, text.len, ret_about, err);
    asy_buf_fini(&text);
    return rc;
}

static const char *member(const struct asy_json *about, const char *key)
{
    return asy_json_str(asy_json_get(about, key), "?");
}

static void put_program(const struct asy__program *program)
{
    if (program->about)
        printf("%s %s (%s)\n", program->name, member(program->about, "version"),
               member(program->about, "commit"));
    else
        printf("%s: %s\n", program->name, program->why.text);
}

/* The program before abouts[i] that named this library with this version already. */
static int named_before(const struct asy_json *const *abouts, size_t i, const char *name,
                        const char *version)
{
    for (size_t k = 0; k < i; k++) {
        const struct asy_json *libraries = asy_json_get(abouts[k], "libraries");

        if (!strcmp(asy_json_str(asy_json_get(libraries, name), ""), version))
            return 1;
    }
    return 0;
}

static void put_libraries(const struct asy_json *const *abouts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct asy_json *libraries = asy_json_get(abouts[i], "libraries"), *version;
        const char *name;

        for (size_t k = 0; (version = asy_json_member(libraries, k, &name)); k++)
            if (!named_before(abouts, i, name, asy_json_str(version, "")))
                printf("%-10s %s\n", name, asy_json_str(version, ""));
    }
}

static void put_json(const struct asy_json *own, const struct asy__program *programs,
                     struct asy_buf *out)
{
    const struct asy_json *value;
    const char *key;
    struct asy_jsonw w;

    asy_jsonw_init(&w, out, 1);
    asy_jsonw_open(&w, NULL, '{');
    for (size_t i = 0; (value = asy_json_member(own, i, &key)); i++)
        asy_jsonw_node(&w, key, value);
    asy_jsonw_open(&w, "programs", '{');
    for (size_t i = 0; i < ASY__PROGRAMS; i++) {
        asy_jsonw_open(&w, programs[i].name, '{');
        asy_jsonw_str(&w, "path", programs[i].path[0] ? programs[i].path : NULL);
        if (!programs[i].about)
            asy_jsonw_str(&w, "error", programs[i].why.text);
        for (size_t k = 0; (value = asy_json_member(programs[i].about, k, &key)); k++)
            if (strcmp(key, "program"))
                asy_jsonw_node(&w, key, value);
        asy_jsonw_close(&w, '}');
    }
    asy_jsonw_close(&w, '}');
    asy_jsonw_close(&w, '}');
    asy_buf_addc(out, '\n');
}

static void put_text(const struct asy_json *own, const struct asy__program *programs)
{
    const struct asy_json *abouts[ASY__PROGRAMS + 1] = { own };

    printf("assay %s (%s)\n", member(own, "version"), member(own, "commit"));
    for (size_t i = 0; i < ASY__PROGRAMS; i++) {
        put_program(&programs[i]);
        abouts[i + 1] = programs[i].about;
    }
    printf("%-10s %s\n", "compiler", member(own, "compiler"));
    put_libraries(abouts, ASY_ARRAY_LEN(abouts));
}

int asy__cmd_version(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__program programs[ASY__PROGRAMS];
    struct asy_json *own = NULL;
    struct asy_buf out;
    int status = EXIT_DONE;

    if (asy__options_parse(argc, argv, "j", 0, 0, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (own_about(&own, &err) < 0)
        return asy__complain(&err);
    asy__programs_ask(programs);
    asy_buf_init(&out, 1u << 20);
    if (!options.json) {
        put_text(own, programs);
    } else {
        put_json(own, programs, &out);
        if (asy_buf_check(&out, "the versions", &err) < 0)
            status = asy__complain(&err);
        else
            fputs(out.data, stdout);
    }
    asy_buf_fini(&out);
    asy__programs_fini(programs);
    asy_json_destroy(own);
    return status;
}
