/* SPDX-License-Identifier: Apache-2.0
 * refusals.c - see refusals.h. */
#include "refusals.h"
#include <inttypes.h>
#include <asy/log.h>

#define TELL_MS 10000 /* between two lines of a kind */

int asy__refusals_due(uint64_t n, uint64_t told, int64_t *last_ms)
{
    return n > told && asy_log_due(last_ms, TELL_MS);
}

static const char *from(const char *address)
{
    return *address ? address : "somewhere";
}

void asy__refusals_tell(struct asy__refusals *told, struct asy_server *server, const char *port)
{
    struct asy_server_counts n;

    asy_server_counts(server, &n);
    if (asy__refusals_due(n.refused_keys, told->keys, &told->keys_ms)) {
        asy_warn("refused=%" PRIu64 " connections at the %s port, the last from %s with key '%s', "
                 "which is not in keys/authorized; 'assay invite' lets somebody in",
                 n.refused_keys - told->keys, port, from(n.refused_from), n.refused_key);
        told->keys = n.refused_keys;
    }
    if (asy__refusals_due(n.failed_handshakes, told->handshakes, &told->handshakes_ms)) {
        asy_warn("failed=%" PRIu64 " handshakes at the %s port, the last from %s: %s",
                 n.failed_handshakes - told->handshakes, port, from(n.failed_from), n.failed_why);
        told->handshakes = n.failed_handshakes;
    }
    if (asy__refusals_due(n.bad_frames, told->frames, &told->frames_ms)) {
        asy_warn("ignored=%" PRIu64 " messages at the %s port, which have too many parts or come "
                 "from a peer that chose its own id", n.bad_frames - told->frames, port);
        told->frames = n.bad_frames;
    }
}
