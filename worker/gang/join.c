/* SPDX-License-Identifier: Apache-2.0
 * join.c - a rank's way to its node's agent. */
#include <asy/gang.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_unix(const char *path, int *ret_fd, struct asy_error *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    size_t len = strlen(path);
    int fd;

    if (len == 0 || len >= sizeof addr.sun_path)
        return asy_fail(err, ASY_E_INVAL, "socket path of %zu bytes: 1 to %zu are allowed", len,
                        sizeof addr.sun_path - 1);
    memcpy(addr.sun_path, path, len);
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
        return asy_fail_errno(err, errno, "cannot make a socket");
    while (connect(fd, (const struct sockaddr *)&addr, sizeof addr) < 0) {
        int saved = errno;

        if (saved == EINTR)
            continue;
        close(fd);
        return asy_fail_errno(err, saved, "cannot connect to the agent at '%s'", path);
    }
    *ret_fd = fd;
    return 0;
}

static int greet(struct asy_line *line, const char *token, int rank, struct asy_error *err)
{
    struct asy_jsonw w;
    struct asy_buf text;
    int rc;

    asy_buf_init(&text, ASY_GANG_LINE);
    asy_jsonw_init(&w, &text, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_open(&w, "hello", '{');
    asy_jsonw_str(&w, "token", token);
    asy_jsonw_i64(&w, "pid", getpid());
    asy_jsonw_i64(&w, "rank", rank);
    asy_jsonw_close(&w, '}');
    asy_jsonw_close(&w, '}');
    rc = asy_buf_check(&text, "the greeting", err);
    if (!rc)
        rc = asy_line_send(line, text.data, text.len, err);
    asy_buf_fini(&text);
    return rc;
}

int asy_gang_join(const char *socket_path, const char *token, int rank,
                  struct asy_line **ret_line, struct asy_error *err)
{
    struct asy_line *line = NULL;
    int fd = -1, rc;

    if ((rc = connect_unix(socket_path, &fd, err)) < 0)
        return rc;
    if ((rc = asy_line_create(fd, &line, err)) < 0) {
        close(fd);
        return rc;
    }
    if ((rc = greet(line, token, rank, err)) < 0) {
        asy_line_destroy(line);
        return rc;
    }
    *ret_line = line;
    return 0;
}
