/* SPDX-License-Identifier: Apache-2.0
 * crash.c - see crash.h. What a coordinator may die between: what it heard, what is on disk, what
 * it said. */
#include "crash.h"
#include <asy/crash.h>
#include <asy/service.h>

static const struct asy_crash_point points[] = {
    { "coordinator.before_replay", "the store is owned under a new epoch, nothing is read yet" },
    { "coordinator.in_replay", "an event of the store was replayed" },
    { "coordinator.after_replay", "all is replayed, what follows from it is not stored" },
    { "coordinator.before_publish", "it listens, the discovery file names another or none" },
    { "coordinator.after_publish", "it can be found, nobody was heard" },
    { "coordinator.before_reports", "reports arrived, nothing was done about them" },
    { "coordinator.before_answer", "a sampler's point arrived, there is no trial of it" },
    { "coordinator.before_commit", "events wait for their transaction" },
    { "coordinator.after_commit", "events are on disk, the loop does not know" },
    { "coordinator.before_release", "the loop knows of a commit, nothing that waits for it left" },
    { "coordinator.before_welcome", "WELCOME is not yet handed to the channel" },
    { "coordinator.after_welcome", "WELCOME was handed to the channel" },
    { "coordinator.before_lease", "LEASE is not yet handed to the channel" },
    { "coordinator.after_lease", "LEASE was handed to the channel" },
    { "coordinator.before_ack", "ACK is not yet handed to the channel" },
    { "coordinator.after_ack", "ACK was handed to the channel" },
    { "coordinator.before_cancel", "CANCEL is not yet handed to the channel" },
    { "coordinator.after_cancel", "CANCEL was handed to the channel" },
    { "coordinator.before_reply", "a REPLY is not yet handed to the channel" },
    { "coordinator.after_reply", "a REPLY was handed to the channel" },
    { "coordinator.before_drop_file", "a checkpoint is dropped, its file is still there" },
    { "coordinator.bulk_get", "a chunk of a file is not yet handed to the channel" },
    { "coordinator.bulk_put", "a chunk of a file was written, its agent does not know" },
    { "coordinator.bulk_before_rename", "a file is there whole, under the name of a part" },
    { "coordinator.bulk_after_rename", "a file has its name, its agent does not know" },
    { "coordinator.bulk_log", "a piece of a log was written, its agent does not know" },
    { "coordinator.before_control", "a client's order arrived, nothing was done about it" },
    { "coordinator.before_quit", "all is stored and paused, it is about to end" },
};

static const struct {
    enum asy_msg_type type;
    const char *before, *after;
} sends[] = {
    { ASY_MSG_WELCOME, "coordinator.before_welcome", "coordinator.after_welcome" },
    { ASY_MSG_LEASE, "coordinator.before_lease", "coordinator.after_lease" },
    { ASY_MSG_ACK, "coordinator.before_ack", "coordinator.after_ack" },
    { ASY_MSG_CANCEL, "coordinator.before_cancel", "coordinator.after_cancel" },
    { ASY_MSG_REPLY, "coordinator.before_reply", "coordinator.after_reply" },
};

const char *asy_service_crash_point(size_t i, const char **ret_help)
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

void asy__crash_before_send(enum asy_msg_type type)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(sends); i++)
        if (sends[i].type == type)
            asy__crash_point(sends[i].before);
}

void asy__crash_after_send(enum asy_msg_type type)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(sends); i++)
        if (sends[i].type == type)
            asy__crash_point(sends[i].after);
}
