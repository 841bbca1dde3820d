/* SPDX-License-Identifier: Apache-2.0
 * advice.c - what the endpoints that a client tried mean for a person: a list of them with the
 * reason of each, and what to do about it. */
#include <inttypes.h>
#include <string.h>
#include <asy/buf.h>
#include <asy/channel.h>
#include <asy/parse.h>

#define PREFIX "tcp://"

void asy_ways_text(const struct asy_way *ways, size_t n, struct asy_buf *ret_text)
{
    for (size_t i = 0; i < n; i++) {
        const char *address = ways[i].endpoint;

        if (!strncmp(address, PREFIX, strlen(PREFIX)))
            address += strlen(PREFIX);
        asy_buf_addf(ret_text, "%s%s: %s", i ? "; " : "", address, ways[i].why);
    }
}

static const struct asy_way *first_of(const struct asy_way *ways, size_t n,
                                      enum asy_way_state state)
{
    for (size_t i = 0; i < n; i++)
        if (ways[i].state == state)
            return &ways[i];
    return NULL;
}

/* "5000 and 5001": files have the port after that of the control socket. */
static void say_unreachable(const struct asy_way *way, struct asy_buf *text)
{
    const char *colon = strrchr(way->endpoint, ':');
    int64_t port = 0;

    if (!colon || asy_parse_i64(colon + 1, strlen(colon + 1), &port, NULL) < 0)
        port = 0; /* no client takes such an endpoint */

    asy_buf_addf(text,
                 "this machine does not get through to it: let TCP ports %" PRId64 " and %" PRId64
                 " of its machine through the firewall, or have it listen in a network that both "
                 "are in (its setting 'interface', then a new invitation); where compute nodes do "
                 "not reach the login node, start it in the job (assay batch)",
                 port, port + 1);
}

/* The one that came furthest decides; nobody listening here and nothing heard there may each be the
 * cause, so both are said. */
void asy_ways_advice(const struct asy_way *ways, size_t n, struct asy_buf *ret_text)
{
    const struct asy_way *far = first_of(ways, n, ASY_WAY_SILENT);
    size_t start = ret_text->len;

    if (!far)
        far = first_of(ways, n, ASY_WAY_UNREACHABLE);
    if (first_of(ways, n, ASY_WAY_NOT_LET_IN)) {
        asy_buf_adds(ret_text, "its list of keys does not have this one: it was revoked, or never "
                               "invited; ask the coordinator's owner for a new invitation (assay "
                               "invite)");
    } else if (first_of(ways, n, ASY_WAY_STRANGER)) {
        asy_buf_adds(ret_text, "another program has its port, or it is another coordinator, or one "
                               "whose keys were made anew: see 'assay doctor' on its machine, and "
                               "ask for a new invitation (assay invite)");
    } else if (first_of(ways, n, ASY_WAY_MUTE)) {
        asy_buf_adds(ret_text, "it hangs, or its machine is overloaded: see node.log in its home; "
                               "nothing acknowledged is lost if it is ended");
    } else {
        if (first_of(ways, n, ASY_WAY_REFUSED))
            asy_buf_adds(ret_text, "no coordinator listens there: start it (assay up); if it has "
                                   "moved, ask for a new invitation (assay invite)");
        if (far && ret_text->len > start)
            asy_buf_adds(ret_text, "; or ");
        if (far)
            say_unreachable(far, ret_text);
        if (ret_text->len == start)
            asy_buf_adds(ret_text, "the name is not known on this machine: mend it where it "
                                   "stands, or put the address there as a number");
    }
}

void asy_ways_why(const struct asy_way *ways, size_t n, struct asy_buf *ret_text)
{
    asy_ways_text(ways, n, ret_text);
    asy_buf_adds(ret_text, "; ");
    asy_ways_advice(ways, n, ret_text);
}
