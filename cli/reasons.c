/* SPDX-License-Identifier: Apache-2.0
 * reasons.c - see reasons.h. */
#include "reasons.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <asy/event.h>
#include "format.h"

#define GROUPS_MAX 64
#define STEPS_MAX 64  /* different lengths told apart within a group */
#define STEPS_SHOWN 6

struct group {
    const char *state, *cause;
    uint64_t n, first; /* a trial of it */
    const char *text;  /* what that trial's record says */
    struct { uint64_t step, n; } steps[STEPS_MAX];
    size_t n_steps;
};
struct groups {
    struct group *list; /* [GROUPS_MAX] */
    size_t n;
};

static struct group *group_of(struct groups *groups, const char *state, const char *cause)
{
    for (size_t i = 0; i < groups->n; i++)
        if (!strcmp(groups->list[i].state, state) && !strcmp(groups->list[i].cause, cause))
            return &groups->list[i];
    if (groups->n == GROUPS_MAX)
        return NULL;
    groups->list[groups->n] = (struct group){ .state = state, .cause = cause };
    return &groups->list[groups->n++];
}

static void count_step(struct group *group, uint64_t step)
{
    size_t i = 0;

    while (i < group->n_steps && group->steps[i].step < step)
        i++;
    if (i < group->n_steps && group->steps[i].step == step) {
        group->steps[i].n++;
        return;
    }
    if (group->n_steps == STEPS_MAX)
        return;
    memmove(&group->steps[i + 1], &group->steps[i],
            (group->n_steps - i) * sizeof group->steps[0]);
    group->steps[i].step = step;
    group->steps[i].n = 1;
    group->n_steps++;
}

static void gather(struct groups *groups, const struct asy_json *trials)
{
    static const char *const states[] = { "pruned", "failed", "cancelled" };
    const struct asy_json *list = asy_json_get(trials, "trials"), *trial;

    for (size_t i = 0; (trial = asy_json_at(list, i)); i++) {
        const char *state = asy_json_str(asy_json_get(trial, "state"), "");
        struct group *group = NULL;

        for (size_t k = 0; k < ASY_ARRAY_LEN(states); k++)
            if (!strcmp(state, states[k]))
                group = group_of(groups, state, asy_json_str(asy_json_get(trial, "cause"), "none"));
        if (!group)
            continue;
        if (!group->n++) {
            group->first = (uint64_t)asy_json_i64(asy_json_get(trial, "number"), 0);
            group->text = asy_json_str(asy_json_get(trial, "text"), "");
        }
        count_step(group, (uint64_t)asy_json_i64(asy_json_get(trial, "step"), 0));
    }
}

/* ---- words --------------------------------------------------------------------------------- */

static enum asy_cause cause_named(const char *name)
{
    for (int cause = 1; cause <= UINT8_MAX; cause++) {
        const struct asy_cause_info *info = asy_cause_info((enum asy_cause)cause);

        if (info && !strcmp(info->name, name))
            return (enum asy_cause)cause;
    }
    return ASY_CAUSE_NONE;
}

/* A study that ends does so at its rungs: what waited there was not among the best. */
static const char *rule_of(const struct group *group, const struct asy_json *study)
{
    const struct asy_json *pruner =
        asy_json_get(asy_json_get(asy_json_get(study, "spec"), "search"), "pruner");
    const struct asy_cause_info *info = asy_cause_info(cause_named(group->cause));
    const char *name = asy_json_str(asy_json_get(pruner, "name"), "");

    if (!strcmp(group->cause, "study-ended") && !strcmp(group->state, "pruned") &&
        (!strcmp(name, "asha") || !strcmp(name, "hyperband") || !strcmp(name, "moasha")))
        return "not among the best where they stood when the study ended";
    return info ? info->rule : group->cause;
}

static void put_steps(const struct group *group, const char *unit, struct asy_buf *out)
{
    for (size_t i = 0; i < group->n_steps && i < STEPS_SHOWN; i++) {
        asy_buf_adds(out, i ? ", " : "; ");
        asy_buf_addf(out, "%" PRIu64 " at ", group->steps[i].n);
        if (i)
            asy_buf_addf(out, "%" PRIu64, group->steps[i].step);
        else
            asy__fmt_step(out, unit, group->steps[i].step);
    }
    if (group->n_steps > STEPS_SHOWN)
        asy_buf_adds(out, ", ...");
}

static int put_group(const struct group *group, const struct asy_json *study, const char *indent,
                     size_t width, struct asy_buf *out, struct asy_error *err)
{
    const struct asy_json *run = asy_json_get(asy_json_get(study, "spec"), "run");
    const char *unit = asy_json_str(asy_json_get(asy_json_get(run, "length"), "unit"), "steps");
    const char *name = asy_json_str(asy_json_get(study, "name"), "STUDY");
    struct asy_buf line = { 0 };
    char remedy[240];
    int rc;

    asy_buf_init(&line, 1u << 16);
    asy_buf_addf(&line, "%" PRIu64 " %s: %s", group->n, group->state, rule_of(group, study));
    put_steps(group, unit, &line);
    asy__fmt_wrap(out, line.data, indent, "  ", width);
    if (*group->text && !strcmp(group->state, "failed")) {
        asy_buf_clear(&line);
        asy_buf_addf(&line, "%s %" PRIu64 ": ", group->n > 1 ? "such as trial" : "trial",
                     group->first);
        asy__fmt_short(&line, group->text, 200);
        asy__fmt_wrap(out, line.data, indent, "    ", width);
    }
    asy_cause_remedy(cause_named(group->cause), name, (int64_t)group->first, remedy, sizeof remedy);
    if (*remedy && strncmp(remedy, "nothing to do", 13) != 0) {
        asy_buf_clear(&line);
        asy_buf_addf(&line, "to do: %s", remedy);
        asy__fmt_wrap(out, line.data, indent, "    ", width);
    }
    rc = asy_buf_check(&line, "the reasons", err);
    asy_buf_fini(&line);
    return rc;
}

static int larger_first(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return (x->n < y->n) - (x->n > y->n);
}

int asy__reasons(const struct asy_json *study, const struct asy_json *trials, const char *indent,
                 size_t width, struct asy_buf *out, struct asy_error *err)
{
    struct groups groups = { .list = calloc(GROUPS_MAX, sizeof *groups.list) };
    int rc = 0;

    if (!groups.list)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the reasons");
    gather(&groups, trials);
    qsort(groups.list, groups.n, sizeof *groups.list, larger_first);
    for (size_t i = 0; i < groups.n && rc == 0; i++)
        rc = put_group(&groups.list[i], study, indent, width, out, err);
    free(groups.list);
    return rc < 0 ? rc : asy_buf_check(out, "the reasons", err);
}
