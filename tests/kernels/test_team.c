/* SPDX-License-Identifier: Apache-2.0
 * Threads that compute together: each takes part in each piece of work once, wherever it was when
 * the piece came, and what they wrote is seen when it is over. */
#include <asytest.h>
#include <dirent.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/cpus.h>
#include <asy/team.h>

#define MOST 5

struct log {
    uint64_t seen[MOST][16]; /* a cache line each: pieces that the member took part in */
    size_t n;
    atomic_int wrong;
    int slow; /* the number of the member that takes long; -1: none */
};

/* Whether all other threads of this process sleep. */
static bool others_sleep(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task;
    bool all = tasks != NULL;
    char own[32];

    snprintf(own, sizeof own, "%ld", syscall(SYS_gettid));
    while (tasks && (task = readdir(tasks))) {
        char path[300], line[400];
        const char *state;
        FILE *file;

        snprintf(path, sizeof path, "/proc/self/task/%s/stat", task->d_name);
        if (task->d_name[0] == '.' || !strcmp(task->d_name, own) || !(file = fopen(path, "r")))
            continue;
        if (fgets(line, sizeof line, file) && (state = strrchr(line, ')')) && state[2] != 'S')
            all = false;
        fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return all;
}

/* Longer than anybody spins: until they have given up. */
static void take_long(void)
{
    int64_t until_ms = asy_clock_ms() + 60000;

    while (!others_sleep() && asy_clock_ms() < until_ms)
        sched_yield();
}

static void work(void *arg, size_t i, size_t n)
{
    struct log *log = arg;

    if (i >= n || n != log->n)
        atomic_store(&log->wrong, 1);
    if ((int)i == log->slow)
        take_long();
    log->seen[i][0]++;
}

static void every_member_takes_part_in_every_piece(void)
{
    for (size_t n = 1; n <= MOST; n++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct log log = { .n = n, .slow = -1 };
        struct asy_team *team = NULL;

        if (!T_OK(asy_team_create(n, NULL, &team, &err), &err))
            return;
        T_EQ("size", asy_team_size(team), n);
        for (uint64_t piece = 1; piece <= 300; piece++) {
            asy_team_run(team, work, &log);
            for (size_t i = 0; i < n; i++)
                if (log.seen[i][0] != piece)
                    T_EQ("pieces", log.seen[i][0], piece);
        }
        T_EQ("wrong", atomic_load(&log.wrong), 0);
        T_EQ("runs", asy_team_runs(team), n > 1 ? 300 : 0);
        asy_team_destroy(team);
    }
}

/* Members that fell asleep while the owner did something else, and an owner who does while one of
 * them is late. */
static void whoever_sleeps_is_woken(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_team *team = NULL;
    struct log log = { .n = 3 };

    if (!T_OK(asy_team_create(3, NULL, &team, &err), &err))
        return;
    for (uint64_t piece = 1; piece <= 24; piece++) {
        log.slow = (int)(piece % 4) - 1;
        if (piece % 2)
            take_long();
        asy_team_run(team, work, &log);
        for (size_t i = 0; i < 3; i++)
            T_EQ("pieces", log.seen[i][0], piece);
    }
    asy_team_destroy(team);
}

static void no_team_is_a_team_of_one(void)
{
    struct log log = { .n = 1, .slow = -1 };

    asy_team_run(NULL, work, &log);
    T_EQ("pieces", log.seen[0][0], 1);
    T_EQ("size", asy_team_size(NULL), 1);
    asy_team_destroy(NULL);
}

struct place {
    unsigned cpu[MOST];
    size_t n[MOST];
};

static void look_around(void *arg, size_t i, size_t n)
{
    struct place *place = arg;
    unsigned cpus[8192];

    (void)n;
    if (asy_cpus_read((pid_t)syscall(SYS_gettid), cpus, ASY_ARRAY_LEN(cpus), &place->n[i], NULL) ==
            0 && place->n[i])
        place->cpu[i] = cpus[0];
}

static void members_are_pinned_and_the_owner_until_the_end(void)
{
    static unsigned before[8192], after[8192];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_team *team = NULL;
    struct place place = { { 0 }, { 0 } };
    unsigned cpus[3];
    size_t n, m;

    T_OK(asy_cpus_read(0, before, ASY_ARRAY_LEN(before), &n, &err), &err);
    for (size_t i = 0; i < 3; i++) /* two on one where there is but one */
        cpus[i] = before[i % n];
    if (T_OK(asy_team_create(3, cpus, &team, &err), &err)) {
        asy_team_run(team, look_around, &place);
        for (size_t i = 0; i < 3; i++) {
            T_EQ("CPUs", place.n[i], 1);
            T_EQ("CPU", place.cpu[i], cpus[i]);
        }
    }
    asy_team_destroy(team);
    T_OK(asy_cpus_read(0, after, ASY_ARRAY_LEN(after), &m, &err), &err);
    T_TRUE(n == m && memcmp(before, after, n * sizeof *before) == 0);
}

static void a_cpu_that_is_not_there_is_refused(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_team *team = NULL;
    unsigned cpus[2] = { 0, 8100 }, before[8192];
    size_t n;

    T_OK(asy_cpus_read(0, before, ASY_ARRAY_LEN(before), &n, &err), &err);
    cpus[0] = before[0];
    T_EQ("refused", asy_team_create(2, cpus, &team, &err), ASY_E_DENIED);
    T_HAS("why", err.text, "a thread of 2: ");
    T_TRUE(team == NULL);
}

static void parts_are_even_and_whole(void)
{
    static const struct {
        size_t total, grain, n;
    } rows[] = { { 0, 1, 3 },    { 1, 1, 3 },   { 7, 1, 3 }, { 512, 16, 2 }, { 500, 16, 3 },
                 { 10, 16, 4 }, { 33, 4, 5 } };

    for (size_t r = 0; r < ASY_ARRAY_LEN(rows); r++) {
        size_t at = 0;

        for (size_t i = 0; i < rows[r].n; i++) {
            size_t begin, end;

            asy_team_part(rows[r].total, rows[r].grain, i, rows[r].n, &begin, &end);
            T_EQ("begin", begin, at);
            T_TRUE(end >= begin && (begin % rows[r].grain == 0 || begin == rows[r].total));
            T_TRUE(end - begin <= rows[r].total / rows[r].n + 2 * rows[r].grain);
            at = end;
        }
        T_EQ("end", at, rows[r].total);
    }
}

T_MAIN("team", T_TEST(every_member_takes_part_in_every_piece), T_TEST(whoever_sleeps_is_woken),
       T_TEST(no_team_is_a_team_of_one), T_TEST(members_are_pinned_and_the_owner_until_the_end),
       T_TEST(a_cpu_that_is_not_there_is_refused), T_TEST(parts_are_even_and_whole))
