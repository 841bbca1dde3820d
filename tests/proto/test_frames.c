/* SPDX-License-Identifier: Apache-2.0
 * Frames and events as earlier releases wrote them: whatever they said must be understood for ever.
 *
 * A file of frames/ has one line each: "msg NAME HEX JSON" or "event NAME HEX JSON". What is
 * decoded from HEX must have every member of JSON; members may have been added since. A release
 * adds its file with `test_frames --write > frames/RELEASE.txt`. */
#include <asy/durable.h>
#include "wire_random.h"
#include "asytest.h"

#define ARENA (1u << 20)

/* ---- writing -------------------------------------------------------------------------------- */

static void put_line(const char *what, const char *name, const struct asy_buf *bytes,
                     const struct asy_buf *json)
{
    printf("%s %s ", what, name);
    for (size_t i = 0; i < bytes->len; i++)
        printf("%02x", (unsigned char)bytes->data[i]);
    printf(" %s\n", json->data);
}

static void shape_json(const struct asy__shape *shape, const void *plain, struct asy_buf *json)
{
    struct asy_jsonw w;

    asy_buf_clear(json);
    asy_jsonw_init(&w, json, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy__to_json(shape, plain, &w);
    asy_jsonw_close(&w, '}');
}

static int write_one(struct wire_random *r, int is_msg, uint32_t number, struct asy_buf *bytes,
                     struct asy_buf *json, struct asy_error *err)
{
    struct asy_event event = { 0 };
    struct asy_msg msg;
    int rc;

    asy_buf_clear(bytes);
    if (is_msg) {
        wr_msg(r, number, &msg);
        if ((rc = asy_msg_encode(&msg, bytes, err)) < 0 ||
            (rc = asy_msg_decode(bytes->data, bytes->len, r->arena, &msg, err)) < 0)
            return rc;
        shape_json(asy__msg_shape(number), &msg, json);
        put_line("msg", asy__msg_type_known(number), bytes, json);
        return 0;
    }
    wr_event(r, number, &event);
    if ((rc = asy_event_encode(&event, bytes, err)) < 0)
        return rc;
    shape_json(asy__event_shape(number), &event, json);
    put_line("event", asy__event_kind_known(number), bytes, json);
    return 0;
}

static int write_all(void)
{
    struct wire_random r = { .list_max = 2 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf bytes, json;
    int rc;

    asy_rng_init(&r.rng, 1, 1, ASY_RNG_SIM);
    asy_buf_init(&bytes, ASY_FRAME_MAX);
    asy_buf_init(&json, ASY_FRAME_MAX);
    rc = asy_arena_create(ARENA, &r.arena, &err);
    for (uint32_t i = 1; rc == 0 && asy__msg_shape(i); i++)
        rc = write_one(&r, 1, i, &bytes, &json, &err);
    for (uint32_t i = 1; rc == 0 && asy__event_shape(i); i++)
        rc = write_one(&r, 0, i, &bytes, &json, &err);
    if (rc < 0)
        fprintf(stderr, "%s\n", err.text);
    asy_buf_fini(&bytes);
    asy_buf_fini(&json);
    asy_arena_destroy(r.arena);
    return rc < 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* NULL, or the key of what the recorded object has and the decoded one has not. */
static const char *lacks(const struct asy_json *now, const struct asy_json *then)
{
    const struct asy_json *value;
    const char *key, *inner;

    if (asy_json_type(now) != asy_json_type(then))
        return "(type)";
    switch (asy_json_type(then)) {
    case ASY_JSON_OBJECT:
        for (size_t i = 0; (value = asy_json_member(then, i, &key)); i++)
            if (!asy_json_get(now, key) || lacks(asy_json_get(now, key), value))
                return key;
        return NULL;
    case ASY_JSON_ARRAY:
        if (asy_json_len(now) != asy_json_len(then))
            return "(length)";
        for (size_t i = 0; i < asy_json_len(then); i++)
            if ((inner = lacks(asy_json_at(now, i), asy_json_at(then, i))))
                return inner;
        return NULL;
    case ASY_JSON_STRING:
        return strcmp(asy_json_str(now, ""), asy_json_str(then, "")) ? "(text)" : NULL;
    case ASY_JSON_INT:
        return asy_json_i64(now, 0) != asy_json_i64(then, 0) ? "(number)" : NULL;
    case ASY_JSON_REAL:
        return asy_json_f64(now, 0) != asy_json_f64(then, 0) ? "(number)" : NULL;
    default:
        return asy_json_bool(now, 0) != asy_json_bool(then, 0) ? "(bool)" : NULL;
    }
}

static uint32_t number_of(const char *name, const char *(*known)(uint32_t))
{
    for (uint32_t i = 1; i < 1000; i++)
        if (known(i) && !strcmp(known(i), name))
            return i;
    return 0;
}

static size_t unhex(const char *hex, size_t len, char *bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i + 1 < len; i += 2)
        bytes[i / 2] = (char)((strchr(digits, hex[i]) - digits) << 4 |
                              (strchr(digits, hex[i + 1]) - digits));
    return len / 2;
}

static void check_line(const char *what, const char *name, const char *bytes, size_t n,
                       const char *json, size_t json_len, struct asy_arena *arena)
{
    struct asy_json *then = NULL, *now = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    int is_msg = !strcmp(what, "msg");
    uint32_t number = number_of(name, is_msg ? asy__msg_type_known : asy__event_kind_known);
    struct asy_event event = { .kind = (enum asy_event_kind)number };
    struct asy_msg msg = { 0 };
    const char *key;
    struct asy_buf text;

    asy_buf_init(&text, ASY_FRAME_MAX);
    asy_arena_reset(arena);
    if (!T_OK(is_msg ? asy_msg_decode(bytes, n, arena, &msg, &err)
                     : asy_event_decode(bytes, n, arena, &event, &err), &err))
        goto out;
    if (is_msg) {
        T_EQ(name, msg.type, number);
        shape_json(asy__msg_shape(number), &msg, &text);
    } else {
        shape_json(asy__event_shape(number), &event, &text);
    }
    if (T_OK(asy_json_parse(json, json_len, &then, &err), &err) &&
        T_OK(asy_json_parse(text.data, text.len, &now, &err), &err)) {
        key = lacks(now, then);
        t__check(!key, __LINE__, __FILE__, "%s %s: '%s' is not what it was", what, name,
                 key ? key : "");
    }
out:
    asy_json_destroy(then);
    asy_json_destroy(now);
    asy_buf_fini(&text);
}

static size_t check_file(const char *release, char *text, struct asy_arena *arena)
{
    char what[8], name[40], *bytes;
    size_t lines = 0, n;
    int used;

    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
        *end = 0;
        if (sscanf(line, "%7s %39s %n", what, name, &used) != 2) {
            t__check(false, __LINE__, __FILE__, "%s: line %zu is broken", release, lines + 1);
            break;
        }
        n = strcspn(line + used, " ");
        if (!(bytes = malloc(n / 2 + 1)))
            break;
        check_line(what, name, bytes, unhex(line + used, n, bytes), line + used + n + 1,
                   strlen(line + used + n + 1), arena);
        free(bytes);
    }
    return lines;
}

static void every_release_is_understood(void)
{
    static const struct { const char *release; size_t lines; } files[] = { { "0.1", 20 + 18 } };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *arena = NULL;

    if (!T_OK(asy_arena_create(ARENA, &arena, &err), &err))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(files); i++) {
        char path[1024], *text = NULL;
        size_t len;

        snprintf(path, sizeof path, "%s/%s.txt", FRAMES, files[i].release);
        if (T_OK(asy_read_file(path, 1u << 20, &text, &len, &err), &err))
            T_EQ(files[i].release, check_file(files[i].release, text, arena), files[i].lines);
        free(text);
    }
    asy_arena_destroy(arena);
}

int main(int argc, char **argv)
{
    static const struct t_test tests[] = { T_TEST(every_release_is_understood) };

    if (argc == 2 && !strcmp(argv[1], "--write"))
        return write_all();
    return t__main("frames", tests, ASY_ARRAY_LEN(tests));
}
