/* SPDX-License-Identifier: Apache-2.0
 * crew.c - the lead's side of a gang on several nodes: mpirun with a launch agent of ours, and what
 * the members are asked to start or to run.
 *
 * For each other node mpirun calls `assay-attempt --launch part-K orted …`. That process says its
 * words at the gang's launch door and stays until the gang ends. The words of Open MPI's daemon are
 * taken out of what a remote shell would have been given, without one; the member's agent gets them
 * as PART and runs its own orted. Whoever has not said that it is ready is asked again: nobody
 * between here and there keeps anything. */
#include "impl.h"
#include <asy/clock.h>
#include <asy/log.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAID_MAX (256u << 10)
#define HOST "part-" /* names nothing: our launch agent alone hears it */

/* ---- making ---------------------------------------------------------------------------------- */

void asy__crew_destroy(struct asy__crew *crew)
{
    if (!crew)
        return;
    while (crew->callers.next != &crew->callers) {
        ((struct asy__caller *)crew->callers.next)->dead = 1;
        asy__crew_sweep(crew);
    }
    for (uint32_t i = 0; i < crew->n; i++) {
        asy__words_fini(&crew->members[i].words);
        free(crew->members[i].gpus);
    }
    if (crew->launch)
        unlink(crew->launch);
    free(crew->launch);
    asy__door_close(&crew->door);
    free(crew);
}

int asy__crew_open(struct asy__gang *gang, const struct asy__job *job, struct asy_error *err)
{
    const struct asy__parts *parts = job->parts;
    struct asy__agent *agent = gang->agent;
    struct asy__crew *crew = calloc(1, sizeof *crew + (parts->n - 1) * sizeof crew->members[0]);
    int rc;

    if (!crew)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a gang");
    crew->door.fd = -1;
    crew->n = parts->n - 1;
    asy__list_init(&crew->callers);
    for (uint32_t i = 0; i < crew->n; i++) {
        crew->members[i].worker = parts->places[i + 1].worker;
        crew->members[i].ranks = parts->places[i + 1].ranks;
    }
    gang->crew = crew; /* from here on destroyed with it */
    for (uint32_t i = 0; i < crew->n; i++)
        if (!(crew->members[i].gpus = strdup(parts->places[i + 1].gpus)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for a gang");
    crew->one_host = 1;
    for (uint32_t i = 1; i < parts->n; i++)
        crew->one_host &= !strcmp(parts->places[i].host, parts->places[0].host);
    gang->id = asy_id_make();
    if ((rc = asy__door_open(agent, &crew->door, err)) < 0)
        return rc;
    /* mpirun cuts its launch agent's words at spaces, and a program's path may have one */
    if (!(crew->launch = asy__textf("%s/launch-%u", agent->rundir, gang->serial)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for paths");
    if (symlink(agent->programs.attempt, crew->launch) < 0)
        return asy_fail_errno(err, errno, "cannot make '%s'", crew->launch);
    return 0;
}

int asy__crew_same(const struct asy__gang *gang, const struct asy__job *job)
{
    const struct asy__crew *crew = gang->crew;
    const struct asy__parts *parts = job->parts;

    if (!crew || !parts || parts->own != 0)
        return !crew && (!parts || parts->own != 0);
    if (crew->n != parts->n - 1)
        return 0;
    for (uint32_t i = 0; i < crew->n; i++)
        if (crew->members[i].ranks != parts->places[i + 1].ranks ||
            strcmp(crew->members[i].gpus, parts->places[i + 1].gpus) != 0 ||
            asy_id_cmp(crew->members[i].worker, parts->places[i + 1].worker))
            return 0;
    return 1;
}

static void host_list(const struct asy__gang *gang, struct asy__words *argv)
{
    const struct asy__crew *crew = gang->crew;
    struct asy_buf hosts;

    asy_buf_init(&hosts, 64u << 10);
    asy_buf_addf(&hosts, "localhost:%u", gang->ranks);
    for (uint32_t i = 0; i < crew->n; i++)
        asy_buf_addf(&hosts, "," HOST "%u:%u", i + 1, crew->members[i].ranks);
    if (hosts.rc)
        argv->rc = hosts.rc;
    else
        asy__words_add(argv, hosts.data);
    asy_buf_fini(&hosts);
}

/* --noprefix: started by its whole name it would set paths of this node on the others. */
void asy__crew_words(const struct asy__gang *gang, struct asy__words *argv)
{
    static const char *const rest[] = {
        "--bind-to", "none", "--mca", "odls_base_sigkill_timeout", "0", "--mca", "pml", "ob1",
        "--mca", "btl", "self,vader,tcp", "--mca", "plm", "rsh", "--mca", "plm_rsh_no_tree_spawn",
        "1", "--mca", "plm_rsh_agent" };
    const char *interface = gang->agent->options.mpi_interface;

    if ((!interface || !*interface) && gang->crew->one_host)
        interface = "lo";
    asy__words_add(argv, gang->agent->programs.mpirun);
    asy__words_add(argv, "--noprefix");
    asy__words_add(argv, "--host");
    host_list(gang, argv);
    asy__words_add(argv, "-np");
    asy__words_addf(argv, "%u", gang->all_ranks);
    for (size_t i = 0; i < ASY_ARRAY_LEN(rest); i++)
        asy__words_add(argv, rest[i]);
    asy__words_addf(argv, "%s --launch", gang->crew->launch);
    if (!interface || !*interface)
        return;
    for (int i = 0; i < 2; i++) {
        asy__words_add(argv, "--mca");
        asy__words_add(argv, i ? "btl_tcp_if_include" : "oob_tcp_if_include");
        asy__words_add(argv, interface);
    }
}

/* ---- what a launch agent was given ----------------------------------------------------------- */

static int is_daemon(const char *word)
{
    const char *name = strrchr(word, '/') ? strrchr(word, '/') + 1 : word;

    return !strcmp(name, "orted");
}

/* One word of a shell's language, as far as mpirun speaks it: blanks part words, double quotes keep
 * them together. *text moves behind it; 0: there is no further one. */
static int next_word(const char **text, struct asy_buf *word)
{
    int quoted = 0, any = 0;

    asy_buf_clear(word);
    *text += strspn(*text, " \t");
    for (; **text && (quoted || !strchr(" \t", **text)); ++*text) {
        any = 1;
        if (**text == '"')
            quoted = !quoted;
        else
            asy_buf_addc(word, **text);
    }
    return any;
}

int asy__crew_parse(const char *const *given, size_t n, struct asy__words *ret,
                    struct asy_error *err)
{
    struct asy_buf word;
    int found = 0;

    asy_buf_init(&word, SAID_MAX);
    for (size_t i = 0; i < n; i++)
        for (const char *at = given[i]; next_word(&at, &word);) {
            if (!found && is_daemon(word.data))
                found = 1; /* what stands before it sets paths of this node */
            else if (found && strcmp(word.data, "--daemonize") != 0)
                asy__words_add(ret, word.data);
        }
    if (word.rc)
        ret->rc = word.rc;
    asy_buf_fini(&word);
    if (!found)
        return asy_fail(err, ASY_E_INVAL, "mpirun asks for something else than orted");
    return asy__words_check(ret, err);
}

/* Its words, each ended by a zero byte: the gang's token, the host, what a shell would get. */
static size_t cut(struct asy_buf *said, const char **words, size_t max)
{
    size_t n = 0;

    for (char *at = said->data; at < said->data + said->len && n < max; at += strlen(at) + 1)
        words[n++] = at;
    return n;
}

static int take_call(struct asy__caller *caller, struct asy_error *err)
{
    struct asy__gang *gang = caller->gang;
    struct asy__crew *crew = gang->crew;
    const char *words[512];
    size_t n = cut(&caller->said, words, ASY_ARRAY_LEN(words));
    char name[32];

    if (n < 3 || n == ASY_ARRAY_LEN(words) || strcmp(words[0], gang->token) != 0)
        return asy_fail(err, ASY_E_DENIED, "a launch agent with a wrong token");
    for (uint32_t i = 0; i < crew->n; i++) {
        snprintf(name, sizeof name, HOST "%u", i + 1);
        if (strcmp(words[1], name) != 0 || crew->members[i].called)
            continue;
        crew->members[i].called = 1;
        return asy__crew_parse(words + 2, n - 2, &crew->members[i].words, err);
    }
    return asy_fail(err, ASY_E_INVAL, "mpirun asks for host '%.60s', which is none of ours",
                    words[1]);
}

/* ---- its callers ----------------------------------------------------------------------------- */

void asy__crew_accept(struct asy__gang *gang)
{
    int fd;

    while ((fd = asy__door_next(gang->agent, &gang->crew->door)) >= 0) {
        struct asy__caller *caller = calloc(1, sizeof *caller);

        if (!caller) {
            close(fd);
            return; /* mpirun sees its launch agent fail */
        }
        caller->gang = gang;
        caller->fd = fd;
        asy_buf_init(&caller->said, SAID_MAX);
        asy__list_add(&gang->crew->callers, &caller->node);
    }
}

/* All is said at the end of its file; it then waits for ours. */
static void all_said(struct asy__caller *caller)
{
    struct asy_error err = ASY_ERROR_INIT;

    caller->done = 1;
    if (take_call(caller, &err) < 0) {
        asy_warn("gang=%u: %s, ending it", caller->gang->serial, err.text);
        if (caller->gang->job)
            asy__job_doom(caller->gang->job, ASY_CAUSE_NOT_STARTED, err.text);
        caller->dead = 1;
        return;
    }
    asy__crew_call(caller->gang);
}

void asy__crew_read(struct asy__caller *caller)
{
    for (;;) {
        char *room = asy_buf_room(&caller->said, 4096);
        ssize_t n = room ? recv(caller->fd, room, 4096, MSG_DONTWAIT) : -1;

        if (n > 0) {
            asy_buf_grew(&caller->said, (size_t)n);
            continue;
        }
        if (n == 0 && !caller->done)
            all_said(caller);
        else if (n < 0 && room && (errno == EAGAIN || errno == EINTR))
            return;
        else
            caller->dead = 1;
        return;
    }
}

void asy__crew_sweep(struct asy__crew *crew)
{
    struct asy__list *at = crew->callers.next;

    while (at != &crew->callers) {
        struct asy__caller *caller = (struct asy__caller *)at;

        at = at->next;
        if (!caller->dead)
            continue;
        asy__list_del(&caller->node);
        close(caller->fd);
        asy_buf_fini(&caller->said);
        free(caller);
    }
}

/* ---- asking the members ---------------------------------------------------------------------- */

void asy__crew_run(struct asy__gang *gang)
{
    for (uint32_t i = 0; i < gang->crew->n; i++)
        gang->crew->members[i].ready = 0;
    asy__crew_call(gang);
}

void asy__crew_call(struct asy__gang *gang)
{
    int warm = gang->trials > 0;

    for (uint32_t i = 0; gang->job && i < gang->crew->n; i++) {
        const struct asy__member *m = &gang->crew->members[i];

        if (m->called && !m->ready)
            asy__part_say(gang->job, i + 1, warm ? ASY_PART_RUN : ASY_PART_START, gang,
                          warm ? NULL : &m->words);
    }
}

void asy__crew_is_ready(struct asy__gang *gang, uint32_t part)
{
    if (part == 0 || part > gang->crew->n)
        return;
    gang->crew->members[part - 1].ready = 1;
    asy__gang_go(gang);
}

int asy__crew_complete(const struct asy__gang *gang)
{
    for (uint32_t i = 0; gang->crew && i < gang->crew->n; i++)
        if (!gang->crew->members[i].ready)
            return 0;
    return 1;
}
