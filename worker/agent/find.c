/* SPDX-License-Identifier: Apache-2.0
 * find.c - where the coordinator is, and as whom the agent greets it: by the discovery file of a
 * shared home with the user's key, or by an invitation with the key in it. Both are read anew each
 * time, so that a file that was replaced is enough to lead the agent elsewhere. */
#include "impl.h"
#include <asy/clock.h>
#include <asy/invitation.h>
#include <asy/log.h>
#include <stdio.h>
#include <string.h>

#define REFUSED_MS 10000  /* a key may be refused so long: the list may be about to be mended, or a
                           * network file system may show it late to the coordinator */
#define REVOKED_MS 60000  /* one that was let in before: its trials are worth more patience */
#define RETRY_MS 2000     /* meanwhile */
#define AGAIN_MS 300000   /* until the same news is told again */

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

/* ---- no way leads there ---------------------------------------------------------------------- */

/* What is found by turns (the invitation's addresses, those told last) is told once each. */
static int is_news(const char *text, int64_t now_ms)
{
    static struct {
        char text[1024];
        int64_t at_ms;
    } said[2];
    static size_t last;

    for (size_t i = 0; i < ASY_ARRAY_LEN(said); i++)
        if (said[i].at_ms && !strncmp(said[i].text, text, sizeof said[i].text - 1)) {
            if (now_ms - said[i].at_ms < AGAIN_MS)
                return 0;
            said[i].at_ms = now_ms;
            return 1;
        }
    last = (last + 1) % ASY_ARRAY_LEN(said);
    snprintf(said[last].text, sizeof said[last].text, "%s", text);
    said[last].at_ms = now_ms;
    return 1;
}

/* By the coordinator itself, as it has proven (asy/channel.h). The key may be let in by the next
 * try; one that is not is not wanted, and what it runs has been queued elsewhere. */
static void refused(struct asy__agent *agent, const char *text, int64_t now_ms)
{
    struct asy__session *s = &agent->session;
    const char *file = agent->options.join;
    int64_t patience_ms = s->owner_epoch ? REVOKED_MS : REFUSED_MS;

    if (!s->refused_ms || strcmp(s->refused_key, agent->pair.public_key)) {
        s->refused_ms = now_ms;
        memcpy(s->refused_key, agent->pair.public_key, sizeof s->refused_key);
        asy_warn("%s; trying on for %d s, then ending", text, (int)(patience_ms / 1000));
    }
    s->tries = ASY__TRIES_REOPEN; /* a connection whose key was refused does not come back */
    s->next_ms = now_ms + RETRY_MS;
    if (now_ms - s->refused_ms < patience_ms)
        return;
    agent->rejected = 1;
    if (file)
        snprintf(agent->reject_text, sizeof agent->reject_text,
                 "its key %s; it may join with a new invitation (assay invite --worker NAME) in "
                 "place of '%.60s'",
                 s->owner_epoch ? "was revoked" : "is not on the list: revoked, or of another home",
                 file);
    else
        snprintf(agent->reject_text, sizeof agent->reject_text,
                 "its key, %.60s/keys/user.key, is not on the list in keys/authorized; ask the "
                 "coordinator's owner for an invitation (assay invite --worker NAME)", agent->home);
}

void asy__find_failed(struct asy__agent *agent, const struct asy_way *ways, size_t n)
{
    int64_t now_ms = asy_clock_ms();
    struct asy_buf text;
    int denied = 0, strange = 0;

    if (agent->session.state == ASY__SESSION_JOINED)
        return; /* it came through meanwhile */
    asy_buf_init(&text, ASY_WAYS_TEXT);
    for (size_t i = 0; i < n; i++) {
        denied |= ways[i].state == ASY_WAY_NOT_LET_IN;
        strange |= ways[i].state == ASY_WAY_STRANGER;
    }
    if (denied || strange)
        asy__transfer_away(agent);
    if (denied) {
        asy_ways_text(ways, n, &text);
        refused(agent, text.data, now_ms);
    } else {
        agent->session.refused_ms = 0;
        asy_ways_why(ways, n, &text);
        if (is_news(text.data, now_ms))
            asy_warn("cannot reach the coordinator: %s; trying on", text.data);
    }
    asy_buf_fini(&text);
}
