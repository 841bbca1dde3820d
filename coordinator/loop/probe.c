/* SPDX-License-Identifier: Apache-2.0
 * probe.c - what a coordinator would find in a home: the command line has no SQL to look itself. */
#include <asy/service.h>
#include <stdio.h>
#include <asy/json.h>
#include <asy/store.h>

static void write_holder(const struct asy_store_holder *holder, struct asy_jsonw *w)
{
    if (!holder->host[0]) {
        asy_jsonw_null(w, "holder");
        return;
    }
    asy_jsonw_open(w, "holder", '{');
    asy_jsonw_str(w, "host", holder->host);
    asy_jsonw_str(w, "boot", holder->boot);
    asy_jsonw_i64(w, "pid", holder->pid);
    asy_jsonw_i64(w, "since_us", holder->since_us);
    asy_jsonw_i64(w, "beat_us", holder->beat_us);
    asy_jsonw_bool(w, "open", holder->open);
    asy_jsonw_close(w, '}');
}

static void write_store(const char *path, const struct asy_store_look *look, const char *error,
                        struct asy_jsonw *w)
{
    char id[ASY_ID_TEXT];

    asy_jsonw_open(w, "store", '{');
    asy_jsonw_str(w, "path", path);
    asy_jsonw_str(w, "file_system", look->fs);
    asy_jsonw_bool(w, "network", look->network_fs);
    asy_jsonw_bool(w, "locked", look->locked);
    write_holder(&look->holder, w);
    asy_jsonw_bool(w, "exists", look->exists);
    asy_jsonw_str(w, "id", asy_id_is_none(look->id) ? NULL : asy_id_format(look->id, id));
    asy_jsonw_u64(w, "owner_epoch", look->owner_epoch);
    asy_jsonw_i64(w, "port", look->port);
    asy_jsonw_i64(w, "schema", look->schema);
    asy_jsonw_i64(w, "schema_known", look->schema_known);
    asy_jsonw_str(w, "error", error);
    asy_jsonw_close(w, '}');
}

int asy_service_probe(const char *home, struct asy_buf *ret_json, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_store_look look;
    struct asy_jsonw w;
    char path[4200];
    int rc;

    snprintf(path, sizeof path, "%s/store", home);
    rc = asy_store_look(path, &look, &why);
    asy_jsonw_init(&w, ret_json, 1);
    asy_jsonw_open(&w, NULL, '{');
    write_store(path, &look, rc < 0 ? why.text : NULL, &w);
    asy_jsonw_close(&w, '}');
    asy_buf_addc(ret_json, '\n');
    return asy_buf_check(ret_json, "the probe", err);
}
