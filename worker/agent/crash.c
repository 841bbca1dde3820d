/* SPDX-License-Identifier: Apache-2.0
 * crash.c - the agent's crash points. */
#include "impl.h"
#include <asy/crash.h>

static const struct asy_crash_point points[] = {
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
    { "agent.bulk_get", "a chunk of a file was written, it is not whole yet" },
    { "agent.bulk_before_rename", "a file is whole, it is not yet in the cache" },
    { "agent.bulk_put", "a chunk of a file is not yet handed to the channel" },
    { "agent.bulk_after_put", "a file is durable at the coordinator, no report tells of it" },
    { "agent.bulk_log", "a piece of a log is not yet handed to the channel" },
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

void asy__crash_point(const char *name)
{
    asy_crash_at(points, ASY_ARRAY_LEN(points), name);
}
