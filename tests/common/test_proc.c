/* SPDX-License-Identifier: Apache-2.0
 * test_proc.c - child processes: what they get, how they end, why they did not start. */
#include <asy/buf.h>
#include <asy/proc.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "asytest.h"
#include "folder.h"

/* Reads until the other end is closed. */
static void read_all(int fd, struct asy_buf *buf)
{
    char chunk[512];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        asy_buf_add(buf, chunk, (size_t)n);
}

/* Runs sh -c script as spec says and returns its standard output, the caller's to free(). */
static char *output_of(const char *script, struct asy_proc_spec spec, int *ret_status)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_proc proc = ASY_PROC_INIT;
    struct asy_buf buf;
    int fds[2];

    *ret_status = -1;
    asy_buf_init(&buf, 1u << 16);
    if (!T_TRUE(pipe2(fds, O_CLOEXEC) == 0))
        return NULL;
    spec.argv = argv;
    spec.stdout_fd = fds[1];
    T_OK(asy_proc_start(&spec, &proc, &err), &err);
    close(fds[1]);
    read_all(fds[0], &buf);
    close(fds[0]);
    T_OK(asy_proc_wait(&proc, -1, ret_status, &err), &err);
    asy_proc_close(&proc);
    return asy_buf_take(&buf, NULL);
}

static void a_child_gets_what_the_spec_says_and_no_more(void)
{
    static const char *const set[] = { "SET=a b", "OLD=new", NULL };
    static const char *const twice[] = { "SET=first", "OLD=new", "SET=last", NULL };
    static const char *const drop[] = { "GONE", "GONE_*", NULL };
    static const char *const path[] = { "PATH=/nowhere:/bin:/usr/bin", NULL };
    static const struct {
        const char *name, *script;
        struct asy_proc_spec spec;
        const char *want;
    } cases[] = {
        { "words", "printf %s-%s \"$0\" $#", ASY_PROC_SPEC_INIT, "sh-0" },
        { "no input", "cat", ASY_PROC_SPEC_INIT, "" },
        { "inherited", "printf %s $OLD", ASY_PROC_SPEC_INIT, "old" },
        { "set", "printf %s \"$SET,$OLD\"", { .stdin_fd = -1, .stderr_fd = -1, .env_set = set },
          "a b,new" },
        { "set twice", "env | grep ^SET=",
          { .stdin_fd = -1, .stderr_fd = -1, .env_set = twice }, "SET=last\n" },
        { "dropped", "printf %s \"$GONE,$GONE_TOO,$GONER\"",
          { .stdin_fd = -1, .stderr_fd = -1, .env_drop = drop }, ",,stays" },
        { "its own PATH", "printf %s $PATH", { .stdin_fd = -1, .stderr_fd = -1, .env_set = path },
          "/nowhere:/bin:/usr/bin" },
        { "folder", "pwd", { .stdin_fd = -1, .stderr_fd = -1, .cwd = "/" }, "/\n" },
        { "session", "set -- $(cat /proc/self/stat); [ $6 = $$ ] && printf own",
          { .stdin_fd = -1, .stderr_fd = -1, .new_session = 1 }, "own" },
    };

    setenv("OLD", "old", 1);
    setenv("GONE", "x", 1);
    setenv("GONE_TOO", "x", 1);
    setenv("GONER", "stays", 1);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        int status;
        char *got = output_of(cases[i].script, cases[i].spec, &status);

        T_STR(cases[i].name, got, cases[i].want);
        T_EQ(cases[i].name, status, 0);
        free(got);
    }
}

static void what_a_child_will_find_is_told_before(void)
{
    static const char *const set[] = { "SET=first", "OLD=new", "SET=last", "GONER=kept", NULL };
    static const char *const drop[] = { "GONE*", NULL };
    const struct asy_proc_spec spec = { .env_set = set, .env_drop = drop };
    static const struct { const char *name, *want; } cases[] = {
        { "SET", "last" }, { "OLD", "new" }, { "GONE", NULL }, { "GONER", "kept" },
        { "INHERITED", "a=b" }, { "INHERIT", NULL }, { "INHERITED=a", NULL }, { "", NULL },
    };

    setenv("OLD", "old", 1);
    setenv("GONE", "x", 1);
    setenv("GONER", "x", 1);
    setenv("INHERITED", "a=b", 1);
    unsetenv("INHERIT");
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const char *got = asy_proc_env(&spec, cases[i].name);

        T_STR(cases[i].name, got ? got : "(none)", cases[i].want ? cases[i].want : "(none)");
    }
}

static void only_passed_descriptors_are_open(void)
{
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    int leaky[2], passed, status;
    char script[200], *got;

    /* neither is close-on-exec: the child is cut off from the first all the same */
    if (!T_TRUE(pipe(leaky) == 0) || !T_TRUE((passed = dup(leaky[0])) >= 0))
        return;
    spec.pass_fds = &passed;
    spec.n_pass_fds = 1;
    snprintf(script, sizeof script, "for fd in %d %d %d; do [ -e /proc/self/fd/$fd ] && "
             "printf 'open ' || printf 'closed '; done", leaky[0], leaky[1], passed);
    got = output_of(script, spec, &status);
    T_STR("descriptors", got, "closed closed open ");
    free(got);
    close(leaky[0]);
    close(leaky[1]);
    close(passed);
}

static void signals_are_as_at_a_login(void)
{
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    sigset_t all, before;
    char *got;
    int status;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    got = output_of("grep -E '^Sig(Blk|Ign):' /proc/self/status | tr -d '\\t\\n'", spec, &status);
    T_STR("masks", got, "SigBlk:0000000000000000SigIgn:0000000000000000");
    free(got);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void the_reason_of_a_failed_start_is_told(void)
{
    static const char *const no_equals[] = { "NOVALUE", NULL };
    static const int low[] = { 2 }, closed[] = { 900 };
    struct t_folder folder;
    char plain[PATH_MAX], script[PATH_MAX];
    struct {
        const char *name, *program;
        struct asy_proc_spec spec;
        int want;
        const char *has;
    } cases[] = {
        { "no name", "", ASY_PROC_SPEC_INIT, ASY_E_INVAL, "without a name" },
        { "not in PATH", "no-such-program", ASY_PROC_SPEC_INIT, ASY_E_NOENT,
          "cannot start 'no-such-program': no such file or directory" },
        { "no such path", "/no/such", ASY_PROC_SPEC_INIT, ASY_E_NOENT, "'/no/such': no such file" },
        { "a folder", "/tmp", ASY_PROC_SPEC_INIT, ASY_E_DENIED, "permission denied" },
        { "not executable", plain, ASY_PROC_SPEC_INIT, ASY_E_DENIED, "permission denied" },
        { "no such interpreter", script, ASY_PROC_SPEC_INIT, ASY_E_NOENT, "no such file" },
        { "no such folder", "sh", { .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1,
          .cwd = "/no" }, ASY_E_NOENT, "cannot enter '/no': no such file" },
        { "no value", "sh", { .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1,
          .env_set = no_equals }, ASY_E_INVAL, "'NOVALUE' is not KEY=VALUE" },
        { "a standard stream", "sh", { .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1,
          .pass_fds = low, .n_pass_fds = 1 }, ASY_E_INVAL, "descriptor 2 cannot be passed" },
        { "a closed one", "sh", { .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1,
          .pass_fds = closed, .n_pass_fds = 1 }, ASY_E_IO, "cannot pass its files: bad file" },
    };

    if (!t_folder_make(&folder))
        return;
    t_write(t_path(&folder, "plain", plain), "echo\n");
    t_write(t_path(&folder, "script", script), "#!/no/such/interpreter\n");
    T_TRUE(chmod(script, 0700) == 0);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const char *const argv[] = { cases[i].program, NULL };
        struct asy_proc proc = ASY_PROC_INIT;
        struct asy_error err = ASY_ERROR_INIT;

        cases[i].spec.argv = argv;
        T_EQ(cases[i].name, asy_proc_start(&cases[i].spec, &proc, &err), cases[i].want);
        T_HAS(cases[i].name, err.text, cases[i].has);
        T_EQ(cases[i].name, proc.pid, -1);
        T_TRUE(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); /* nobody left to reap */
    }
    t_folder_drop(&folder);
}

static void waiting_and_signals_are_of_one_process(void)
{
    static const char *const argv[] = { "sleep", "1000", NULL };
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_proc proc = ASY_PROC_INIT;
    int status = 0;

    spec.argv = argv;
    T_EQ("nobody", asy_proc_wait(&proc, 0, &status, &err), ASY_E_GONE);
    T_EQ("nobody", asy_proc_signal(&proc, SIGTERM), ASY_E_GONE);
    if (!T_OK(asy_proc_start(&spec, &proc, &err), &err))
        return;
    T_EQ("running", asy_proc_wait(&proc, 0, &status, &err), ASY_E_TIMEOUT);
    T_EQ("running", asy_proc_wait(&proc, 1, &status, &err), ASY_E_TIMEOUT);
    T_EQ("there", asy_proc_signal(&proc, 0), 0);
    T_EQ("bad signal", asy_proc_signal(&proc, 4000), ASY_E_IO);
    T_EQ("ended", asy_proc_signal(&proc, SIGTERM), 0);
    T_OK(asy_proc_wait(&proc, -1, &status, &err), &err);
    T_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    T_EQ("reaped", asy_proc_wait(&proc, -1, &status, &err), ASY_E_GONE);
    T_EQ("reaped", asy_proc_signal(&proc, SIGTERM), ASY_E_GONE);
    asy_proc_close(&proc);
    asy_proc_close(&proc);
}

/* A process between us and the sleeper is killed; the sleeper held a pipe open and goes too. */
static void a_child_can_be_tied_to_its_parent(void)
{
    static const char *const argv[] = { "sleep", "1000", NULL };
    struct pollfd end = { .events = POLLIN };
    int fds[2], ready[2], status = 0;
    char byte;
    pid_t middle;

    if (!T_TRUE(pipe2(fds, O_CLOEXEC) == 0) || !T_TRUE(pipe2(ready, O_CLOEXEC) == 0))
        return;
    if ((middle = fork()) == 0) {
        struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
        struct asy_proc proc = ASY_PROC_INIT;

        spec.argv = argv;
        spec.stdout_fd = fds[1];
        spec.death_signal = SIGKILL;
        if (asy_proc_start(&spec, &proc, NULL) == 0 && write(ready[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    close(fds[1]);
    close(ready[1]);
    T_TRUE(read(ready[0], &byte, 1) == 1);
    end.fd = fds[0];
    T_EQ("the sleeper holds on", poll(&end, 1, 0), 0);
    kill(middle, SIGKILL);
    T_TRUE(waitpid(middle, &status, 0) == middle);
    T_EQ("and is gone", read(fds[0], &byte, 1), 0);
    close(fds[0]);
    close(ready[0]);
}

static void an_end_is_told_in_words(void)
{
    static const struct { const char *script, *want; } cases[] = {
        { "exit 0", "exit code 0" }, { "exit 3", "exit code 3" },
        { "kill -9 $$", "signal 9 (SIGKILL)" }, { "kill -15 $$", "signal 15 (SIGTERM)" },
    };
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    char text[64];

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        int status;

        free(output_of(cases[i].script, spec, &status));
        T_STR(cases[i].script, asy_proc_status_text(status, text), cases[i].want);
    }
    T_STR("stopped", asy_proc_status_text(0x137f, text), "status 0x137f");
}

static void programs_are_found_beside_us_then_in_path(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    char self[PATH_MAX], path[PATH_MAX], want[PATH_MAX + 16], small[4];
    struct t_folder folder;

    if (!t_folder_make(&folder) || !T_OK(asy_proc_self_dir(self, sizeof self, &err), &err))
        return;
    snprintf(want, sizeof want, "%s/test_proc", self);
    T_OK(asy_proc_find_program("test_proc", path, sizeof path, &err), &err);
    T_STR("beside us", path, want);
    t_write(t_path(&folder, "assay-mine", want), "");
    setenv("PATH", folder.path, 1);
    T_EQ("not executable", asy_proc_find_program("assay-mine", path, sizeof path, &err),
         ASY_E_NOENT);
    T_HAS("not executable", err.text, "cannot find program 'assay-mine' in '");
    T_TRUE(chmod(want, 0700) == 0);
    T_OK(asy_proc_find_program("assay-mine", path, sizeof path, &err), &err);
    T_STR("in PATH", path, want);
    T_EQ("no room", asy_proc_find_program("assay-mine", small, sizeof small, &err), ASY_E_NOENT);
    T_EQ("no room", asy_proc_self_dir(small, sizeof small, &err), ASY_E_TOOBIG);
    T_TRUE(chdir(folder.path) == 0);
    setenv("PATH", ":.", 1); /* would mean another file in another folder */
    T_EQ("relative", asy_proc_find_program("assay-mine", path, sizeof path, &err), ASY_E_NOENT);
    T_EQ("a path", asy_proc_find_program("../x", path, sizeof path, &err), ASY_E_INVAL);
    T_EQ("nothing", asy_proc_find_program("", path, sizeof path, &err), ASY_E_INVAL);
    T_TRUE(chdir("/") == 0);
    t_folder_drop(&folder);
}

T_MAIN("proc", T_TEST(a_child_gets_what_the_spec_says_and_no_more),
       T_TEST(what_a_child_will_find_is_told_before),
       T_TEST(only_passed_descriptors_are_open), T_TEST(signals_are_as_at_a_login),
       T_TEST(the_reason_of_a_failed_start_is_told), T_TEST(waiting_and_signals_are_of_one_process),
       T_TEST(a_child_can_be_tied_to_its_parent), T_TEST(an_end_is_told_in_words),
       T_TEST(programs_are_found_beside_us_then_in_path))
