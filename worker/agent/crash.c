/* SPDX-License-Identifier: Apache-2.0
 * crash.c - named points at which a test may have the agent die, as by power loss. */
#include "impl.h"
#include <asy/parse.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *help;
} points[] = {
    { "agent.before_hello", "HELLO is built, not yet handed to the channel" },
    { "agent.after_welcome", "WELCOME was taken in" },
    { "agent.after_lease", "a lease was accepted, nothing of it has started" },
    { "agent.before_started", "the program runs, STARTED is not yet numbered" },
    { "agent.before_report", "reports are numbered, their frame is not yet on its way" },
    { "agent.after_report", "a frame of reports was handed to the channel" },
    { "agent.before_ack", "an acknowledgement arrived, nothing is forgotten yet" },
    { "agent.before_checkpoint_rename", "a checkpoint is hashed, it still lies in its folder" },
    { "agent.after_checkpoint_rename", "a checkpoint is an artifact, nobody was told" },
    { "agent.before_ended", "nothing of the attempt runs, ENDED is not yet numbered" },
    { "agent.before_cancel", "a cancel arrived, nothing was done about it" },
};

const char *asy_agent_crash_point(size_t i, const char **ret_help)
{
    if (i >= ASY_ARRAY_LEN(points))
        return NULL;
    if (ret_help)
        *ret_help = points[i].help;
    return points[i].name;
}

static int known(const char *name)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(points); i++)
        if (!strcmp(points[i].name, name))
            return 1;
    return 0;
}

void asy__crash_point(const char *name)
{
    static uint64_t passed;
    const char *wanted = getenv("ASSAY_FAIL_AT"), *colon;
    uint64_t nth = 1;
    size_t len;

    ASY_ASSERT(known(name), "crash point '%s' is not in the table", name);
    if (!wanted)
        return;
    colon = strchr(wanted, ':');
    len = colon ? (size_t)(colon - wanted) : strlen(wanted);
    if (strlen(name) != len || strncmp(wanted, name, len))
        return;
    if (colon && asy_parse_u64(colon + 1, strlen(colon + 1), &nth, NULL) < 0)
        return;
    if (++passed == nth)
        kill(getpid(), SIGKILL);
}
