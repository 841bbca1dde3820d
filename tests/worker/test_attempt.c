/* SPDX-License-Identifier: Apache-2.0
 * The supervisor with real programs: starts them bound, ends all of their descendants, says how
 * they ended. ATTEMPT is the path of assay-attempt. */
#include "../asytest.h"
#include <asy/attempt.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "cgroup.h"
#include "marked.h"
#include "tree.h"

static char folder[] = "/tmp/assay-test-XXXXXX";
static unsigned all_cpus[4096];
static size_t n_all;

static const char *in_folder(const char *name)
{
    static char path[4][200];
    static unsigned at;

    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

/* Waits for the next event; 0 when there is one. */
static int next_event(struct asy_attempt *attempt, struct asy_attempt_event *event)
{
    struct asy_error err = ASY_ERROR_INIT;

    for (;;) {
        struct pollfd fd = { asy_attempt_fd(attempt), POLLIN, 0 };
        int rc = asy_attempt_next(attempt, event, &err);

        if (rc != ASY_E_AGAIN)
            return rc;
        if (poll(&fd, 1, GENEROUS_MS) <= 0)
            return ASY_E_TIMEOUT;
    }
}

static struct asy_attempt *start(const char *script, const char *mark,
                                 const struct asy_attempt_spec *more)
{
    struct asy_attempt_spec spec = more ? *more : (struct asy_attempt_spec){ .stdout_fd = -1 };
    const char *argv[] = { "sh", "-c", script, NULL };
    const char *env[] = { mark, "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
                          NULL };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_attempt *attempt = NULL;

    if (!spec.supervisor)
        spec.supervisor = ATTEMPT;
    if (!spec.argv)
        spec.argv = argv;
    spec.env_set = env;
    if (!spec.stderr_path)
        spec.stderr_path = in_folder("stderr");
    return T_OK(asy_attempt_start(&spec, &attempt, &err), &err) ? attempt : NULL;
}

/* Runs a script to its end; 1 if it got there. */
static int run(const char *script, const struct asy_attempt_spec *more,
               struct asy_attempt_event *end)
{
    struct asy_attempt *attempt = start(script, mark_next(), more);
    int ok = attempt && T_EQ(script, next_event(attempt, end), 0);

    if (ok && end->what == ASY_ATTEMPT_STARTED)
        ok = T_EQ(script, next_event(attempt, end), 0);
    asy_attempt_destroy(attempt);
    return ok;
}

static const char *contents(const char *name)
{
    static char text[4096];
    FILE *f = fopen(in_folder(name), "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

    text[n] = '\0';
    if (f)
        fclose(f);
    return text;
}

static void says_how_a_program_ended(void)
{
    static const struct {
        const char *name, *script;
        int exit_code, signal;
    } cases[] = {
        { "success", "exit 0", 0, 0 },
        { "exit code", "exit 7", 7, 0 },
        { "killed by a signal", "kill -TERM $$", -1, SIGTERM },
        { "SIGKILL from outside", "kill -KILL $$", -1, SIGKILL },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_attempt_event end = { 0 };

        if (!run(cases[i].script, NULL, &end))
            continue;
        T_EQ(cases[i].name, end.what, ASY_ATTEMPT_ENDED);
        T_EQ(cases[i].name, end.exit_code, cases[i].exit_code);
        T_EQ(cases[i].name, end.signal, cases[i].signal);
        T_EQ(cases[i].name, end.out_of_memory, 0);
        T_TRUE(end.max_rss > 0);
    }
}

/* mpirun, which a batch system warns as every process of its job. */
static void a_deaf_program_hears_no_warning(void)
{
    static const char script[] = "kill -TERM $$; kill -USR1 $$; kill -HUP $$; exit 3";
    struct asy_attempt_spec spec = { .stdout_fd = -1, .deaf = 1 };
    struct asy_attempt_event end = { 0 };

    if (run(script, &spec, &end))
        T_EQ("exit code", end.exit_code, 3);
    spec.deaf = 0;
    if (run(script, &spec, &end))
        T_EQ("signal", end.signal, SIGTERM);
}

static void names_what_cannot_start(void)
{
    static const char *const nothing[] = { "/nonexistent/program", NULL };
    static const char *const folder_as_program[] = { "/", NULL };
    struct asy_attempt_spec spec = { .argv = nothing, .stdout_fd = -1 };
    struct asy_attempt_event end = { 0 };

    if (!run("", &spec, &end))
        return;
    T_EQ("no such program", end.what, ASY_ATTEMPT_MISSING);
    T_STR("no such program", end.text,
          "cannot start '/nonexistent/program': no such file or directory");
    spec.argv = folder_as_program;
    if (!run("", &spec, &end))
        return;
    T_EQ("a folder", end.what, ASY_ATTEMPT_MISSING);
    T_STR("a folder", end.text, "cannot start '/': permission denied");
    spec = (struct asy_attempt_spec){ .stdout_path = "/nonexistent/log", .stdout_fd = -1 };
    if (!run("exit 0", &spec, &end))
        return;
    T_EQ("no log folder", end.what, ASY_ATTEMPT_FAILED);
    T_HAS("no log folder", end.text, "log");
}

static void keeps_stdout_and_stderr(void)
{
    struct asy_attempt_spec spec = { .stdout_path = in_folder("out"),
                                     .stderr_path = in_folder("err"), .stdout_fd = -1 };
    struct asy_attempt_event end;

    if (run("echo to-out; echo to-err >&2; cat", &spec, &end))
        T_EQ("stdin is empty", end.exit_code, 0);
    T_STR("stdout", contents("out"), "to-out\n");
    T_STR("stderr", contents("err"), "to-err\n");
}

static void hands_stdout_to_the_agent(void)
{
    struct asy_attempt_spec spec = { 0 };
    struct asy_attempt_event end;
    char text[64] = "";
    int fds[2];

    if (!T_TRUE(pipe2(fds, O_CLOEXEC) == 0))
        return;
    spec.stdout_fd = fds[1];
    if (run("echo through", &spec, &end)) {
        close(fds[1]);
        T_EQ("bytes", read(fds[0], text, sizeof text - 1), 8);
        T_STR("text", text, "through\n");
        T_EQ("then the end", read(fds[0], text, 1), 0); /* the supervisor kept no copy */
    }
    close(fds[0]);
}

static void binds_before_the_first_instruction(void)
{
    struct asy_attempt_spec spec = { .cpus = all_cpus + n_all - 1, .n_cpus = 1, .stdout_fd = -1,
                                     .stdout_path = in_folder("cpus") };
    struct asy_attempt_event event;
    struct asy_attempt *attempt;
    char want[32];

    snprintf(want, sizeof want, "%u", all_cpus[n_all - 1]);
    attempt = start("grep Cpus_allowed_list /proc/self/status", mark_next(), &spec);
    if (attempt && T_EQ("started", next_event(attempt, &event), 0)) {
        T_EQ("started", event.what, ASY_ATTEMPT_STARTED);
        T_STR("read back", event.cpus, want);
        T_TRUE(event.pid > 0);
        T_EQ("ended", next_event(attempt, &event), 0);
        T_HAS("as the program sees it", contents("cpus"), want);
    }
    asy_attempt_destroy(attempt);
}

static void refuses_a_binding_that_does_not_hold(void)
{
    unsigned missing[] = { 0, 4000 }, other[] = { 4000 };
    struct asy_attempt_spec spec = { .cpus = missing, .n_cpus = 2, .stdout_fd = -1 };
    struct asy_attempt_event end = { 0 };

    if (run("exit 0", &spec, &end)) { /* the kernel would silently grant CPU 0 alone */
        T_EQ("one of two", end.what, ASY_ATTEMPT_REFUSED);
        T_HAS("one of two", end.text, "4000");
    }
    spec.cpus = other;
    spec.n_cpus = 1;
    if (run("exit 0", &spec, &end))
        T_EQ("none", end.what, ASY_ATTEMPT_REFUSED);
}

/* What users' programs do: a daemon, a session of its own, a process group of its own. */
#define ZOO                                                                                        \
    "(setsid sleep 1000 &) ; sh -c 'sleep 1000 & sleep 1000 & exit' ; "                            \
    "( ( trap '' TERM HUP INT; sleep 1000; sleep 1000 ) & ) ; set -m; sleep 1000 & "

static void ends_all_descendants_when_the_agent_is_gone(void)
{
    static const struct {
        const char *name, *script;
        int processes; /* at least, the supervisor among them */
    } cases[] = {
        { "daemons and groups", ZOO "wait", 8 },
        { "a stopped program", "kill -STOP $$", 2 },
        { "a user's mpirun", "exec mpirun -n 2 --oversubscribe sleep 1000", 4 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const char *mark = mark_next();
        struct asy_attempt *attempt = start(cases[i].script, mark, NULL);

        if (!attempt)
            continue;
        T_TRUE(await_marked(mark, cases[i].processes, 1));
        asy_attempt_destroy(attempt); /* closes the line, as the kernel does for a dead agent */
        t__check(await_marked(mark, 0, 0), __LINE__, __FILE__, "%s: some are left", cases[i].name);
    }
}

/* Marked processes that are not the supervisor, nor what a sanitizer makes of it as it ends. */
static int count_programs(const char *mark)
{
    char path[64], name[64];
    pid_t pids[64];
    int n = count_marked(mark, pids, 64), others = 0;

    for (int i = 0; i < n && i < 64; i++) {
        FILE *f;

        snprintf(path, sizeof path, "/proc/%d/comm", (int)pids[i]);
        f = fopen(path, "re");
        if (f && fgets(name, sizeof name, f) && strcmp(name, "assay-attempt\n"))
            others++;
        if (f)
            fclose(f);
    }
    return others;
}

static void ends_what_the_program_leaves_behind(void)
{
    const char *mark = mark_next();
    struct asy_attempt *attempt = start(ZOO "sleep 0.1; exit 3", mark, NULL);
    struct asy_attempt_event event;

    if (attempt && T_EQ("started", next_event(attempt, &event), 0) &&
        T_EQ("ended", next_event(attempt, &event), 0)) {
        T_EQ("what", event.what, ASY_ATTEMPT_ENDED);
        T_EQ("its own code", event.exit_code, 3);
        T_TRUE(event.left >= 5);
        T_EQ("nothing is left when it says so", count_programs(mark), 0);
    }
    asy_attempt_destroy(attempt);
    T_EQ("left", count_marked(mark, NULL, 0), 0);
}

/* Here it would wait for an hour: a second may be over before what ends by itself has its turn. */
static void waits_for_what_ends_by_itself(void)
{
    static const char patient[] = "#!/bin/sh\nexec " ATTEMPT " --linger 3600000 \"$@\"\n";
    struct asy_attempt_spec spec = { .stdout_fd = -1, .supervisor = in_folder("patient") };
    struct asy_attempt_event end;
    FILE *f = fopen(spec.supervisor, "we");

    if (!T_TRUE(f && fputs(patient, f) >= 0 && fclose(f) == 0) ||
        !T_TRUE(chmod(spec.supervisor, 0700) == 0))
        return;
    if (run("(sleep 0.2; echo late > /dev/null) & exit 0", &spec, &end))
        T_EQ("left", end.left, 0);
}

/* A gang's: nothing of it waits, and its folder goes with it. */
static void ends_a_gang_at_once_and_clears_up(void)
{
    struct asy_attempt_spec spec = { .stdout_fd = -1, .scratch = in_folder("scratch"),
                                     .no_linger = 1 };
    struct asy_attempt_event end;
    char script[300];

    snprintf(script, sizeof script,
             "mkdir %s && : > %s/segment && mkdir %s/session; sleep 1000 & exit 3", spec.scratch,
             spec.scratch, spec.scratch);
    if (!run(script, &spec, &end))
        return;
    T_EQ("exit", end.exit_code, 3);
    T_EQ("left", end.left, 1);
    T_EQ("cleared", access(spec.scratch, F_OK), -1);
}

static void passes_on_term_and_kill(void)
{
    const char *mark = mark_next();
    int cleared = truncate(in_folder("stderr"), 0);
    struct asy_attempt *attempt =
        start("trap 'echo cleaned > /dev/stderr; exit 5' TERM; echo ready >&2; "
              "while :; do sleep 0.05; done", mark, NULL);
    struct asy_attempt_event event;

    if (attempt && T_EQ("started", next_event(attempt, &event), 0)) {
        while (!strstr(contents("stderr"), "ready"))
            poll(NULL, 0, 5);
        asy_attempt_term(attempt);
        T_EQ("ended", next_event(attempt, &event), 0);
        T_EQ("by its own handler", event.exit_code, 5);
    }
    asy_attempt_destroy(attempt);

    cleared |= truncate(in_folder("stderr"), 0);
    T_EQ("log cleared", cleared, 0);
    attempt = start("trap '' TERM; echo ready >&2; while :; do sleep 1000; done",
                    mark = mark_next(), NULL);
    if (attempt && T_EQ("started", next_event(attempt, &event), 0)) {
        while (!strstr(contents("stderr"), "ready"))
            poll(NULL, 0, 5);
        asy_attempt_term(attempt);
        asy_attempt_kill(attempt);
        T_EQ("ended", next_event(attempt, &event), 0);
        T_EQ("killed", event.signal, SIGKILL);
    }
    asy_attempt_destroy(attempt);
    T_EQ("left", count_marked(mark, NULL, 0), 0);
}

static void enforces_the_memory_limit(void)
{
    static const char *const greedy[] = { "python3", "-c",
                                          "x = bytearray(400 << 20)\nimport time\n"
                                          "time.sleep(1000)", NULL };
    static const char *const shared[] = { "python3", "-c",
                                          "import mmap, time\nx = mmap.mmap(-1, 400 << 20)\n"
                                          "for i in range(0, len(x), 4096): x[i] = 1\n"
                                          "time.sleep(1000)", NULL };
    struct asy_attempt_spec spec = { .argv = greedy, .stdout_fd = -1, .memory = 100u << 20 };
    struct asy_attempt_event end;

    if (!run("", &spec, &end))
        return;
    T_EQ("out of memory", end.out_of_memory, 1);
    T_EQ("killed", end.signal, SIGKILL);
    T_HAS("the numbers", end.text, "100 MiB");
    spec.argv = shared;
    if (run("", &spec, &end))
        T_EQ("out of memory that is shared", end.out_of_memory, 1);
    spec.memory = 2ull << 30;
    static const char *const modest[] = { "python3", "-c", "x = bytearray(50 << 20)", NULL };
    spec.argv = modest;
    if (run("", &spec, &end)) {
        T_EQ("within", end.out_of_memory, 0);
        T_EQ("within", end.exit_code, 0);
    }
}

#define SHARED ((size_t)64 << 20)
#define SHARERS 2

/* Has touched all of it, says so, and waits to be let go. */
static pid_t start_sharer(const volatile char *memory, const int ready[2], const int go[2])
{
    pid_t pid = fork();
    char byte = 0;

    if (pid != 0)
        return pid;
    close(go[1]);
    for (size_t i = 0; i < SHARED; i += 4096)
        byte |= memory[i];
    _exit(write(ready[1], &byte, 1) == 1 && read(go[0], &byte, 1) == 0 ? 0 : 1);
}

/* flags: pages that stay common, or those that fork() leaves so until somebody writes. */
static void expect_once(const char *name, int flags)
{
    pid_t pids[SHARERS];
    struct asy__tree tree = { pids, SHARERS, SHARERS };
    int ready[2], go[2], status;
    uint64_t used;
    char byte, *memory = mmap(NULL, SHARED, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    if (!T_TRUE(memory != MAP_FAILED) || !T_EQ("pipes", pipe(ready) | pipe(go), 0))
        return;
    memset(memory, 1, SHARED);
    for (int i = 0; i < SHARERS; i++)
        pids[i] = start_sharer(memory, ready, go);
    munmap(memory, SHARED);
    for (int i = 0; i < SHARERS; i++)
        T_EQ("ready", read(ready[0], &byte, 1), 1);
    used = asy__tree_memory(&tree, 0);
    T_EQ(name, used >= SHARED && used < SHARED + SHARED / 2, 1); /* they have little beside it */
    T_EQ("a quick look", asy__tree_memory(&tree, UINT64_MAX) >= SHARERS * SHARED, 1);
    close(go[1]);
    for (int i = 0; i < SHARERS; i++)
        T_EQ("end", waitpid(pids[i], &status, 0) == pids[i] && status == 0, 1);
    close(go[0]), close(ready[0]), close(ready[1]);
}

static void memory_of_several_counts_once(void)
{
    expect_once("shared", MAP_SHARED);
    expect_once("after fork()", MAP_PRIVATE);
}

static void uses_a_group_where_it_may(void)
{
    char cgroup[512];
    struct asy_attempt_spec spec = { .stdout_fd = -1, .stdout_path = in_folder("group"),
                                     .cgroup = cgroup };
    const char *mark = mark_next();
    struct asy_attempt_event event;
    struct asy_attempt *attempt;
    struct stat st;
    char own[600];

    asy_attempt_cgroup(cgroup, sizeof cgroup);
    if (!cgroup[0]) {
        puts("    no delegated cgroup here: not tested");
        return;
    }
    for (int i = 0; i < 2; i++) { /* at first one that a killed supervisor has left */
        struct asy__cgroup group;

        snprintf(own, sizeof own, "%s/assay-%d", cgroup, (int)getpid());
        T_EQ("left behind", i || mkdir(own, 0755) == 0, 1);
        asy__cgroup_create(&group, cgroup, 0);
        T_STR(i ? "made" : "made anew", group.path, own);
        asy__cgroup_remove(&group);
    }
    attempt = start("cat /proc/self/cgroup; " ZOO "exit 0", mark, &spec);
    if (attempt && T_EQ("started", next_event(attempt, &event), 0)) {
        snprintf(own, sizeof own, "%s/assay-%d", cgroup, (int)asy_attempt_pid(attempt));
        T_EQ("ended", next_event(attempt, &event), 0);
        T_HAS("inside its group", contents("group"), strrchr(own, '/'));
    }
    asy_attempt_destroy(attempt);
    T_TRUE(stat(own, &st) < 0 && errno == ENOENT); /* removed with the attempt */
    T_EQ("left", count_marked(mark, NULL, 0), 0);
}

static int make_folder(const char *parent, const char *name, long pid)
{
    char path[600];

    snprintf(path, sizeof path, "%s/%s%ld", parent, name, pid);
    return mkdir(path, 0755);
}

static int is_there(const char *parent, const char *name, long pid)
{
    char path[600];

    snprintf(path, sizeof path, "%s/%s%ld", parent, name, pid);
    return access(path, F_OK) == 0;
}

/* Folders stand for groups: none that has something in it can be removed. */
static void empty_groups_of_the_dead_are_removed(void)
{
    static const struct {
        const char *name;
        int dead, stays;
    } cases[] = { { "assay-", 0, 1 },       { "assay-", 1, 0 },  { "assay-probe-", 0, 1 },
                  { "assay-probe-", 1, 0 }, { "others-", 1, 1 }, { "assay-x", 1, 1 } };
    long pids[2] = { getpid(), fork() };
    char groups[128], within[300];

    if (pids[1] == 0)
        _exit(0);
    T_EQ("dead", waitpid((pid_t)pids[1], NULL, 0), (pid_t)pids[1]);
    snprintf(groups, sizeof groups, "%s", in_folder("groups"));
    T_EQ("groups", mkdir(groups, 0755), 0);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].name, make_folder(groups, cases[i].name, pids[cases[i].dead]), 0);
    asy_attempt_tidy(groups);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].name, is_there(groups, cases[i].name, pids[cases[i].dead]), cases[i].stays);
    T_EQ("again", make_folder(groups, "assay-", pids[1]), 0);
    snprintf(within, sizeof within, "%s/assay-%ld", groups, pids[1]);
    T_EQ("within", make_folder(within, "process-", 1), 0);
    asy_attempt_tidy(groups);
    T_EQ("used", is_there(within, "process-", 1), 1);
    asy_attempt_tidy("");
}

static void orphans_of_a_killed_supervisor_are_swept(void)
{
    char cgroup[512], own[600];
    struct asy_attempt_spec spec = { .stdout_fd = -1, .cgroup = cgroup };
    const char *mark = mark_next();
    struct asy_attempt_event event;
    struct asy_attempt *attempt;

    asy_attempt_cgroup(cgroup, sizeof cgroup);
    attempt = start(ZOO "wait", mark, &spec);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* as the agent has it */
    if (attempt && T_EQ("started", next_event(attempt, &event), 0)) {
        T_TRUE(await_marked(mark, 8, 1));
        snprintf(own, sizeof own, "%s/assay-%d", cgroup, (int)asy_attempt_pid(attempt));
        kill(asy_attempt_pid(attempt), SIGKILL);
        T_EQ("heard", next_event(attempt, &event), 0);
        T_EQ("what", event.what, ASY_ATTEMPT_ORPHANED);
        T_TRUE(!cgroup[0] || access(own, F_OK) < 0);
        for (int i = 0; i < GENEROUS_MS / 10 && count_marked(mark, NULL, 0); i++) {
            asy_attempt_sweep(NULL, 0);
            poll(NULL, 0, 10);
        }
        T_EQ("left", count_marked(mark, NULL, 0), 0);
    }
    asy_attempt_destroy(attempt);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void lists_of_cpus_read_back(void)
{
    static const struct {
        const char *name, *text;
        size_t n;
        int rc;
    } cases[] = {
        { "one", "3", 1, 0 },          { "range", "0-3", 4, 0 },
        { "mixed", "0,2-3,9", 4, 0 },  { "empty", "", 0, 0 },
        { "backwards", "3-1", 0, ASY_E_FORMAT },  { "comma at the end", "1,", 0, ASY_E_FORMAT },
        { "words", "a", 0, ASY_E_FORMAT },        { "negative", "-1", 0, ASY_E_FORMAT },
        { "far beyond", "99999", 0, ASY_E_FORMAT }, { "too many", "0-99", 0, ASY_E_FULL },
    };
    unsigned cpus[64];
    char text[64];
    size_t n;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        int rc = asy_cpus_parse(cases[i].text, cpus, ASY_ARRAY_LEN(cpus), &n, NULL);

        T_EQ(cases[i].name, rc, cases[i].rc);
        if (rc < 0)
            continue;
        T_EQ(cases[i].name, n, cases[i].n);
        T_EQ(cases[i].name, asy_cpus_format(cpus, n, text, sizeof text, NULL), 0);
        T_STR(cases[i].name, text, cases[i].text);
    }
    T_EQ("no room", asy_cpus_format(cpus, 3, text, 3, NULL), ASY_E_FULL);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(says_how_a_program_ended),
        T_TEST(a_deaf_program_hears_no_warning),
        T_TEST(names_what_cannot_start),
        T_TEST(keeps_stdout_and_stderr),
        T_TEST(hands_stdout_to_the_agent),
        T_TEST(binds_before_the_first_instruction),
        T_TEST(refuses_a_binding_that_does_not_hold),
        T_TEST(ends_all_descendants_when_the_agent_is_gone),
        T_TEST(ends_what_the_program_leaves_behind),
        T_TEST(waits_for_what_ends_by_itself),
        T_TEST(ends_a_gang_at_once_and_clears_up),
        T_TEST(passes_on_term_and_kill),
        T_TEST(enforces_the_memory_limit),
        T_TEST(memory_of_several_counts_once),
        T_TEST(uses_a_group_where_it_may), T_TEST(empty_groups_of_the_dead_are_removed),
        T_TEST(orphans_of_a_killed_supervisor_are_swept),
        T_TEST(lists_of_cpus_read_back),
    };
    char command[200];
    int code;

    if (!mkdtemp(folder) ||
        asy_cpus_read(0, all_cpus, ASY_ARRAY_LEN(all_cpus), &n_all, NULL) < 0)
        return 2;
    code = t__main("attempt", tests, ASY_ARRAY_LEN(tests));
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 ? code : 2;
}
