/* SPDX-License-Identifier: Apache-2.0
 * find.c - where the coordinator is, and as whom the agent greets it: by the discovery file of a
 * shared home with the user's key, or by an invitation with the key in it. Both are read anew each
 * time, so that a file that was replaced is enough to lead the agent elsewhere. */
#include "impl.h"
#include <asy/invitation.h>
#include <asy/log.h>
#include <string.h>

/* What the coordinator told last and what the invitation says, in turns, the later one first. */
static int by_invitation(struct asy__agent *agent, unsigned turn, struct asy_discovery *ret_found,
                         struct asy_error *err)
{
    struct asy_discovery noted;
    struct asy_invitation invitation;
    int newer = 0, rc = asy_invitation_read(agent->options.join, &invitation, err);

    if (rc < 0)
        return rc;
    agent->pair = invitation.pair;
    memcpy(agent->owner, invitation.owner, sizeof agent->owner);
    *ret_found = invitation.at;
    if (asy_invitation_noted(agent->options.join, &invitation, &noted, &newer, NULL) == 0 &&
        newer == (turn % 2 == 0))
        *ret_found = noted;
    explicit_bzero(&invitation.pair, sizeof invitation.pair);
    return 0;
}

int asy__find_coordinator(struct asy__agent *agent, unsigned turn, struct asy_discovery *ret_found,
                          struct asy_error *err)
{
    int rc;

    if (agent->options.join)
        return by_invitation(agent, turn, ret_found, err);
    if ((rc = asy_discovery_read(agent->discovery_path, ret_found, err)) == 0 &&
        asy_discovery_stale(ret_found))
        return asy_fail(err, ASY_E_NOENT, "no coordinator lives where '%s' says",
                        agent->discovery_path);
    return rc;
}

void asy__find_told(struct asy__agent *agent, const struct asy_msg *welcome)
{
    static int64_t warned_ms;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_invitation invitation;

    if (!agent->options.join || asy_invitation_read(agent->options.join, &invitation, NULL) < 0)
        return;
    if (asy_invitation_note(agent->options.join, &invitation, welcome->welcome.endpoints,
                            welcome->welcome.n_endpoints, &err) < 0 &&
        asy_log_due(&warned_ms, 600000))
        asy_warn("%s, going on: after a restart the invitation's own addresses are tried",
                 err.text);
    explicit_bzero(&invitation.pair, sizeof invitation.pair);
}
