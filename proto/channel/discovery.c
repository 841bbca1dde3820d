/* SPDX-License-Identifier: Apache-2.0
 * discovery.c - where a coordinator listens, as one JSON object in a 0600 file. Later versions may
 * add members; a reader ignores those it does not know, and refuses what it cannot use. */
#include <asy/keys.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/address.h>
#include <asy/durable.h>
#include <asy/json.h>
#include <asy/proc.h>
#include "channel.h"
#include "endpoints.h"
#include "private.h"

#define FILE_BYTES (64u << 10)
#define FORMAT 1
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

/* ---- writing ------------------------------------------------------------------------------- */

static int check(const struct asy_discovery *discovery, struct asy_error *err)
{
    const char *host;
    size_t n = 0, len;
    int port, rc;

    for (size_t i = 0; i < ASY_ENDPOINTS_MAX; i++) {
        const char *endpoint = discovery->endpoints[i];

        if (!*endpoint)
            continue;
        if ((rc = asy_address_split(endpoint, &host, &len, &port, err)))
            return rc;
        n++;
    }
    if (n == 0)
        return asy_fail(err, ASY_E_INVAL, "there is no endpoint");
    if (asy_id_is_none(discovery->store))
        return asy_fail(err, ASY_E_INVAL, "there is no store id");
    if (discovery->pid <= 0 || discovery->pid > INT32_MAX)
        return asy_fail(err, ASY_E_INVAL, "%lld is not a process id", (long long)discovery->pid);
    if (discovery->owner_epoch > INT64_MAX)
        return asy_fail(err, ASY_E_INVAL, "the owner epoch is out of range");
    if (!*discovery->host || !*discovery->boot_id)
        return asy_fail(err, ASY_E_INVAL, "host or boot id is missing");
    return asy__check_key(discovery->server_key, "server key", err);
}

static void write_json(const struct asy_discovery *discovery, struct asy_buf *buf)
{
    struct asy_jsonw w;
    char store[ASY_ID_TEXT];

    asy_jsonw_init(&w, buf, 1);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_i64(&w, "assay_discovery", FORMAT);
    asy__endpoints_write(&w, discovery);
    asy_jsonw_str(&w, "server_key", discovery->server_key);
    asy_jsonw_str(&w, "store", asy_id_format(discovery->store, store));
    asy_jsonw_u64(&w, "owner_epoch", discovery->owner_epoch);
    asy_jsonw_str(&w, "host", discovery->host);
    asy_jsonw_str(&w, "boot_id", discovery->boot_id);
    asy_jsonw_i64(&w, "pid", discovery->pid);
    asy_jsonw_str(&w, "version", discovery->version);
    asy_jsonw_bool(&w, "stays", discovery->stays);
    asy_jsonw_close(&w, '}');
    asy_buf_addc(buf, '\n');
}

static int hold(const char *path, int *ret_held, struct asy_error *err)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW), rc;

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        rc = asy_fail_errno(err, errno, "cannot lock '%s'", path);
        close(fd);
        return rc;
    }
    *ret_held = fd;
    return 0;
}

int asy_discovery_write(const char *path, const struct asy_discovery *discovery, int *ret_held,
                        struct asy_error *err)
{
    struct asy_buf buf;
    int rc;

    if ((rc = check(discovery, err))) {
        asy_error_prefix(err, "cannot write '%s'", path);
        return rc;
    }
    asy_buf_init(&buf, FILE_BYTES);
    write_json(discovery, &buf);
    if ((rc = asy_buf_check(&buf, "the discovery file", err)) == 0)
        rc = asy__private_write(path, buf.data, buf.len, err);
    asy_buf_fini(&buf);
    return rc ? rc : hold(path, ret_held, err);
}

/* ---- reading ------------------------------------------------------------------------------- */

static int bad(struct asy_error *err, const char *path, const char *why)
{
    return asy_fail(err, ASY_E_CORRUPT, "'%s' is not a discovery file: %s", path, why);
}

static int take(const char *path, const struct asy_json *root, struct asy_discovery *ret,
                struct asy_error *err)
{
    char store[ASY_ID_TEXT];
    struct asy_error why = ASY_ERROR_INIT;
    int64_t epoch = asy_json_i64(asy_json_get(root, "owner_epoch"), -1);

    if (asy_json_i64(asy_json_get(root, "assay_discovery"), 0) != FORMAT)
        return bad(err, path, "it does not say 'assay_discovery: 1'");
    if (!asy__endpoints_take(root, ret))
        return bad(err, path, "'endpoints' or 'more_endpoints' is not a list of 1 to 4 short "
                              "texts");
    if (!asy__text_take(root, "server_key", ret->server_key, sizeof ret->server_key))
        return bad(err, path, "'server_key' is not a key");
    if (!asy__text_take(root, "store", store, sizeof store) ||
        asy_id_parse(store, strlen(store), &ret->store, NULL))
        return bad(err, path, "'store' is not an id");
    if (epoch < 0)
        return bad(err, path, "'owner_epoch' is not a number from 0");
    ret->owner_epoch = (uint64_t)epoch;
    if (!asy__text_take(root, "host", ret->host, sizeof ret->host) ||
        !asy__text_take(root, "boot_id", ret->boot_id, sizeof ret->boot_id) ||
        !asy__text_take(root, "version", ret->version, sizeof ret->version))
        return bad(err, path, "'host', 'boot_id' or 'version' is not a short text");
    ret->pid = asy_json_i64(asy_json_get(root, "pid"), -1);
    ret->stays = asy_json_bool(asy_json_get(root, "stays"), 0);
    return check(ret, &why) ? bad(err, path, why.text) : 0;
}

/* A file that came here with a copy of the home is not the one that its coordinator holds. Without
 * an answer: no. */
static int is_unheld(const char *path)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), unheld;

    if (fd < 0)
        return 0;
    unheld = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
    close(fd);
    return unheld;
}

int asy_discovery_read(const char *path, struct asy_discovery *ret_discovery, struct asy_error *err)
{
    struct asy_discovery discovery = { 0 };
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    char *text = NULL;
    size_t len = 0;
    int unheld = is_unheld(path); /* first: if it is replaced meanwhile, one looks again */
    int rc = asy__private_read(path, ASY__SECRET, FILE_BYTES, &text, &len, err);

    if (rc == ASY_E_TOOBIG)
        rc = bad(err, path, "it is too long");
    if (rc)
        goto out;
    if ((rc = asy_json_parse(text, len, &root, &why))) {
        rc = rc == ASY_E_NOMEM ? asy_fail(err, rc, "%s", why.text) : bad(err, path, why.text);
        goto out;
    }
    if ((rc = take(path, root, &discovery, err)) == 0) {
        discovery.unheld = unheld;
        *ret_discovery = discovery;
    }
out:
    asy_json_destroy(root);
    asy__wipe(text, len);
    return rc;
}

/* ---- here and now -------------------------------------------------------------------------- */

int asy_discovery_here(struct asy_discovery *discovery, struct asy_error *err)
{
    char host[sizeof discovery->host] = "";
    char *boot_id = NULL;
    size_t len;
    int rc;

    if (gethostname(host, sizeof host - 1) < 0)
        return asy_fail_errno(err, errno, "cannot learn the host's name");
    if ((rc = asy_read_file(BOOT_ID_FILE, 256, &boot_id, &len, err)))
        return rc;
    boot_id[strcspn(boot_id, "\n")] = 0;
    if (strlen(boot_id) >= sizeof discovery->boot_id)
        rc = asy_fail(err, ASY_E_FORMAT, "'%s' does not hold a boot id", BOOT_ID_FILE);
    if (rc == 0) {
        memcpy(discovery->host, host, sizeof host);
        memcpy(discovery->boot_id, boot_id, strlen(boot_id) + 1);
        discovery->pid = getpid();
    }
    free(boot_id);
    return rc;
}

int asy_discovery_local(const struct asy_discovery *discovery)
{
    struct asy_discovery here = { 0 };

    return asy_discovery_here(&here, NULL) == 0 && !strcmp(here.host, discovery->host) &&
           !strcmp(here.boot_id, discovery->boot_id);
}

static int is_loopback(const char *endpoint)
{
    const char *address = endpoint + strlen("tcp://");

    return !strncmp(address, "127.", 4) || !strncmp(address, "[::1]", 5) ||
           !strncmp(address, "localhost:", 10);
}

size_t asy_discovery_routes(const struct asy_discovery *discovery,
                            const char *ret_endpoints[ASY_ENDPOINTS_MAX])
{
    int local = asy_discovery_local(discovery);
    size_t n = 0;

    for (int pass = 0; pass < 2 && n == 0; pass++)
        for (size_t i = 0; i < ASY_ENDPOINTS_MAX; i++)
            if (*discovery->endpoints[i] &&
                (local || pass == 1 || !is_loopback(discovery->endpoints[i])))
                ret_endpoints[n++] = discovery->endpoints[i];
    return n;
}

int asy_discovery_stale(const struct asy_discovery *discovery)
{
    struct asy_discovery here = { 0 };

    if (discovery->pid <= 0 || asy_discovery_here(&here, NULL))
        return 0;
    if (strcmp(here.host, discovery->host) != 0)
        return 0; /* another host's processes cannot be asked */
    if (strcmp(here.boot_id, discovery->boot_id) != 0)
        return 1;
    return discovery->unheld || !asy_proc_lives(discovery->pid);
}
