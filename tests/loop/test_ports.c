/* SPDX-License-Identifier: Apache-2.0
 * test_ports.c - a real coordinator that comes back and finds a port of its own taken: it takes
 * another one, and says which. */
#include <asytest.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <asy/durable.h>
#include "../bench/coordinator.h"

/* A socket that listens there; -1: none. */
static int occupy(uint32_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    at.sin_addr.s_addr = htonl(INADDR_ANY);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
                    bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 1) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static uint32_t control_port(const struct coordinator *c)
{
    const char *colon = strrchr(c->found.endpoints[0], ':');

    return colon ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
}

static void taken_ports_are_passed_over(void)
{
    char home[] = "/tmp/assay-test-XXXXXX";
    struct asy_error err = ASY_ERROR_INIT;
    struct coordinator c;
    uint32_t control, files;
    int fds[2] = { -1, -1 };

    if (!T_TRUE(mkdtemp(home)) ||
        !T_OK(coordinator_init(&c, PROGRAMS, home, &err), &err))
        return;
    if (!T_OK(coordinator_start(&c, 0, &err), &err))
        goto out;
    control = control_port(&c);
    files = c.bulk_port;
    coordinator_kill(&c);
    if (!T_TRUE((fds[0] = occupy(files)) >= 0) || !T_OK(coordinator_start(&c, 0, &err), &err))
        goto out;
    T_EQ("the other port stays", control_port(&c), control);
    T_TRUE(c.bulk_port != files && c.bulk_port != 0);
    coordinator_kill(&c);
    if (!T_TRUE((fds[1] = occupy(control)) >= 0) || !T_OK(coordinator_start(&c, 0, &err), &err))
        goto out;
    T_TRUE(control_port(&c) != control);
out:
    coordinator_fini(&c);
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    ASY_IGNORE(asy_durable_remove(home, NULL)); /* it is a temporary one */
}

T_MAIN("ports", T_TEST(taken_ports_are_passed_over))
