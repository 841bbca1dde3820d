/* SPDX-License-Identifier: Apache-2.0
 * What the ranks of a node do in the memory that they share, with threads and processes for
 * ranks. */
#include <asytest.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asy/comm.h>
#include <asy/kernels.h>
#include "comm/node.h"

#define PARTIES_MAX 8

/* ---- the barrier ----------------------------------------------------------------------------- */

struct round {
    struct asy__barrier barrier;
    uint64_t turns;
    uint64_t at[PARTIES_MAX]; /* plain: only the barrier orders these */
    _Atomic uint64_t wrong;
};
struct party {
    struct round *round;
    uint32_t number, parties;
};

/* Each says which turn it is in, and sees that of all others between two waits. */
static void *go_round(void *arg)
{
    struct party *party = arg;
    struct round *round = party->round;

    for (uint64_t t = 1; t <= round->turns; t++) {
        round->at[party->number] = t;
        round->wrong += asy__barrier_wait(&round->barrier) != 0;
        for (uint32_t p = 0; p < party->parties; p++)
            round->wrong += round->at[p] != t;
        round->wrong += asy__barrier_wait(&round->barrier) != 0;
    }
    return NULL;
}

static void nobody_leaves_before_all_have_come(void)
{
    static const struct {
        const char *name;
        uint32_t parties;
        uint64_t turns;
    } cases[] = { { "one", 1, 100 }, { "two", 2, 20000 }, { "three", 3, 2000 },
                  { "more than cores", PARTIES_MAX, 500 } };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        struct round round = { .turns = cases[c].turns };
        struct party party[PARTIES_MAX];
        pthread_t threads[PARTIES_MAX];

        asy__barrier_init(&round.barrier, cases[c].parties);
        for (uint32_t p = 0; p < cases[c].parties; p++) {
            party[p] = (struct party){ &round, p, cases[c].parties };
            T_EQ("thread", pthread_create(&threads[p], NULL, go_round, &party[p]), 0);
        }
        for (uint32_t p = 0; p < cases[c].parties; p++)
            pthread_join(threads[p], NULL);
        T_EQ(cases[c].name, round.wrong, 0);
    }
}

/* The first gives up in place of coming to a turn, others may be under way to it or asleep: for all
 * of them it is that turn which is none. */
static void *go_until_one_gives_up(void *arg)
{
    struct party *party = arg;
    struct round *round = party->round;
    uint64_t t = 0;

    while ((party->number > 0 || t < round->turns) && asy__barrier_wait(&round->barrier) == 0)
        t++;
    if (party->number == 0) {
        round->at[0] = t;
        asy__barrier_give_up(&round->barrier);
    }
    round->wrong += t != round->turns || round->at[0] != t;
    round->wrong += asy__barrier_wait(&round->barrier) == 0;
    return NULL;
}

static void all_leave_in_vain_when_one_gives_up(void)
{
    for (uint32_t turn = 0; turn < 200; turn++) {
        uint32_t parties = 2 + turn % (PARTIES_MAX - 1);
        struct round round = { .turns = turn % 5 };
        struct party party[PARTIES_MAX];
        pthread_t threads[PARTIES_MAX];

        asy__barrier_init(&round.barrier, parties);
        for (uint32_t p = 0; p < parties; p++) {
            party[p] = (struct party){ &round, p, parties };
            T_EQ("thread", pthread_create(&threads[p], NULL, go_until_one_gives_up, &party[p]), 0);
        }
        for (uint32_t p = 0; p < parties; p++)
            pthread_join(threads[p], NULL);
        T_EQ("wrong", round.wrong, 0);
        T_TRUE(asy__barrier_is_given_up(&round.barrier));
    }
}

/* ---- processes ------------------------------------------------------------------------------- */

static struct round *shared_round(uint32_t parties, uint64_t turns)
{
    struct round *round = mmap(NULL, sizeof *round, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (round == MAP_FAILED)
        return NULL;
    asy__barrier_init(&round->barrier, parties);
    round->turns = turns;
    return round;
}

/* One CPU, so that neither can go on while the other spins. */
static void processes_on_one_core_do_not_hold_each_other(void)
{
    struct round *round = shared_round(2, 2000);
    struct party party = { round, 0, 2 };
    cpu_set_t before, one;
    int status = 0;
    pid_t pid;

    if (!T_TRUE(round != NULL) ||
        !T_EQ("affinity", sched_getaffinity(0, sizeof before, &before), 0))
        return;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    T_EQ("bind", sched_setaffinity(0, sizeof one, &one), 0);
    if ((pid = fork()) == 0) {
        party.number = 1;
        go_round(&party);
        _exit(0);
    }
    go_round(&party);
    T_EQ("wait", waitpid(pid, &status, 0), pid);
    T_EQ("status", status, 0);
    T_EQ("wrong", round->wrong, 0);
    T_EQ("unbind", sched_setaffinity(0, sizeof before, &before), 0);
    munmap(round, sizeof *round);
}

static char state_of(pid_t pid)
{
    char path[64], text[256];
    const char *at;
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!(f = fopen(path, "re")))
        return '?';
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    at = strrchr(text, ')');
    return at ? at[2] : '?';
}

static pid_t start_waiting(struct round *round)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(asy__barrier_wait(&round->barrier) < 0 ? 3 : 0);
    return pid;
}

static void wait_until_asleep(pid_t pid)
{
    while (state_of(pid) != 'S')
        sched_yield();
}

static int come(struct asy__barrier *barrier)
{
    return asy__barrier_wait(barrier);
}

static int give_up(struct asy__barrier *barrier)
{
    asy__barrier_give_up(barrier);
    return 0;
}

static void who_waits_long_sleeps_and_is_woken(void)
{
    static const struct {
        const char *name;
        int (*wake)(struct asy__barrier *barrier);
        int want;
    } cases[] = { { "the last one comes", come, 0 }, { "the last one gives up", give_up, 3 } };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        struct round *round = shared_round(2, 1);
        int status = 0;
        pid_t pid;

        if (!T_TRUE(round != NULL))
            return;
        pid = start_waiting(round);
        wait_until_asleep(pid);
        T_EQ(cases[c].name, round->barrier.sleepers, 1);
        T_EQ(cases[c].name, cases[c].wake(&round->barrier), 0);
        T_EQ(cases[c].name, waitpid(pid, &status, 0), pid);
        T_EQ(cases[c].name, WIFEXITED(status) ? WEXITSTATUS(status) : -1, cases[c].want);
        T_EQ(cases[c].name, round->barrier.sleepers, 0);
        munmap(round, sizeof *round);
    }
}

/* The linker sends the module's calls here (--wrap). */
int __real_posix_fallocate(int fd, off_t from, off_t n);
int __wrap_posix_fallocate(int fd, off_t from, off_t n);
static int fallocate_says[2]; /* 0: what the kernel says */
static size_t n_fallocates;
int __wrap_posix_fallocate(int fd, off_t from, off_t n)
{
    int said = n_fallocates < 2 ? fallocate_says[n_fallocates] : 0;

    n_fallocates++;
    return said ? said : __real_posix_fallocate(fd, from, n);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static size_t names_in_shm(void)
{
    DIR *dir = opendir("/dev/shm");
    size_t n = 0;

    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += !!strstr(entry->d_name, "assay-ranks");
    if (dir)
        closedir(dir);
    return n;
}

static void another_process_maps_the_memory(void)
{
    struct asy__memory memory = ASY__MEMORY_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__memory_key key;
    uint32_t *words;
    int status = 0;
    pid_t pid;

    if (!T_OK(asy__memory_make(1u << 20, &memory, &err), &err))
        return;
    key = asy__memory_key(&memory);
    T_OK(asy__memory_reserve(&memory, 4096, (1u << 20) - 4096, &err), &err);
    n_fallocates = 0;
    words = memory.at;
    words[5000] = 7;
    if ((pid = fork()) == 0) {
        struct asy__memory there = ASY__MEMORY_INIT;
        uint32_t *same;

        munmap(memory.at, memory.bytes);
        close(memory.fd);
        if (asy__memory_map(&key, &there, NULL) < 0)
            _exit(1);
        same = there.at;
        same[6000] = same[5000] + 1;
        asy__memory_fini(&there);
        _exit(0);
    }
    T_EQ("wait", waitpid(pid, &status, 0), pid);
    T_EQ("status", status, 0);
    T_EQ("what it wrote", words[6000], 8);
    T_EQ("names", names_in_shm(), 0);
    asy__memory_close_fd(&memory);
    T_TRUE(asy__memory_map(&key, &(struct asy__memory)ASY__MEMORY_INIT, &err) < 0);
    T_HAS("why", err.text, "cannot open the memory of another rank");
    asy__memory_fini(&memory);
}

static void memory_that_is_not_there_is_an_error(void)
{
    struct asy__memory memory = ASY__MEMORY_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    struct rlimit before, small;

    if (!T_OK(asy__memory_make(1u << 20, &memory, &err), &err) ||
        !T_EQ("limit", getrlimit(RLIMIT_FSIZE, &before), 0))
        return;
    small = before;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    T_EQ("limit", setrlimit(RLIMIT_FSIZE, &small), 0);
    T_EQ("too large", asy__memory_make(1u << 20, &(struct asy__memory)ASY__MEMORY_INIT, &err),
         ASY_E_NOMEM);
    T_EQ("limit", setrlimit(RLIMIT_FSIZE, &before), 0);
    fallocate_says[0] = EINTR; /* a signal, then no more room */
    fallocate_says[1] = ENOSPC;
    T_EQ("reserve", asy__memory_reserve(&memory, 0, 1u << 20, &err), ASY_E_NOMEM);
    T_HAS("how much", err.text, "1 MiB that ranks share");
    T_EQ("asked twice", n_fallocates, 2);
    T_OK(asy__memory_reserve(&memory, 0, 1u << 20, &err), &err);
    asy__memory_fini(&memory);
}

/* ---- sums ------------------------------------------------------------------------------------ */

static void parts_make_up_the_whole(void)
{
    static const size_t sizes[] = { 0, 1, 255, 256, 257, 2000, 535818 };

    for (int size = 1; size <= 7; size++)
        for (size_t s = 0; s < ASY_ARRAY_LEN(sizes); s++) {
            size_t end = 0;

            for (int i = 0; i < size; i++) {
                struct asy__node node = { .index = i, .size = size };
                size_t from, to;

                asy__node_slice(&node, sizes[s], &from, &to);
                T_EQ("begins where the last one ended", from, end);
                T_TRUE(to >= from && (to % ASY_COMM_BLOCK == 0 || to == sizes[s]));
                end = to;
            }
            T_EQ("end", end, sizes[s]);
        }
}

static void too_much_is_no_room(void)
{
    struct asy__node node = { .size = 2, .arrays = 2 };

    T_EQ("own", asy__node_room(&node, SIZE_MAX / 4, 1, 0), 0);
    T_EQ("common", asy__node_room(&node, 1, SIZE_MAX - 10, 0), 0);
    T_EQ("bytes", asy__node_room(&node, 1, SIZE_MAX / 4, 0), 0);
    T_EQ("whole pages", asy__node_room(&node, 1025, 1, 1), 1024 + 3 * 2048);
}

#define RANKS 3
#define N 5000

struct rank {
    struct asy__node node;
    const float *rows[RANKS + 1];
    size_t wrong;
};

static float entry(int rank, size_t i)
{
    return (rank == 0 ? 1.0f : 0x1p-24f) * (float)(1 + i % 3);
}

/* One rank's steps: fill, sum of its part in place, then a look at all parts. */
static void *add_up(void *arg)
{
    struct rank *rank = arg;
    const struct asy__node *node = &rank->node;
    float *own = asy__node_own(node);
    size_t from, to;

    for (int step = 0; step < 50; step++) {
        for (size_t i = 0; i < N; i++)
            own[i] = entry(node->index, i);
        rank->wrong += asy__node_wait(node, NULL) < 0;
        asy__node_slice(node, N, &from, &to);
        asy__node_sum(node, NULL, from, to - from, own + from);
        memcpy(node->common + from, own + from, (to - from) * sizeof *own);
        rank->wrong += asy__node_wait(node, NULL) < 0;
        for (size_t i = 0; i < N; i++) {
            float want = entry(0, i);

            for (int r = 1; r < RANKS; r++)
                want += entry(r, i);
            rank->wrong += node->common[i] != want;
        }
    }
    return NULL;
}

static void ranks_add_up_in_their_order(void)
{
    struct asy__node all = { .size = RANKS, .arrays = RANKS };
    size_t room = asy__node_room(&all, N, N, 0);
    float *memory = calloc(room, sizeof *memory);
    struct asy__barrier barrier;
    static struct rank ranks[RANKS];
    pthread_t threads[RANKS];

    if (!T_TRUE(memory != NULL))
        return;
    asy__barrier_init(&barrier, RANKS);
    for (int r = 0; r < RANKS; r++) {
        ranks[r].node = (struct asy__node){ .index = r, .size = RANKS, .barrier = &barrier,
                                            .arrays = RANKS, .first = (size_t)r, .count = 1,
                                            .rows = ranks[r].rows };
        asy__node_lay_out(&ranks[r].node, N, N, 0, memory);
        T_EQ("thread", pthread_create(&threads[r], NULL, add_up, &ranks[r]), 0);
    }
    for (int r = 0; r < RANKS; r++) {
        pthread_join(threads[r], NULL);
        T_EQ("wrong", ranks[r].wrong, 0);
    }
    free(memory);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(nobody_leaves_before_all_have_come),
        T_TEST(all_leave_in_vain_when_one_gives_up),
        T_TEST(processes_on_one_core_do_not_hold_each_other),
        T_TEST(who_waits_long_sleeps_and_is_woken),
        T_TEST(another_process_maps_the_memory),
        T_TEST(memory_that_is_not_there_is_an_error),
        T_TEST(parts_make_up_the_whole),
        T_TEST(too_much_is_no_room),
        T_TEST(ranks_add_up_in_their_order),
    };

    asy_kernels_init();
    return t__main("node_sum", tests, ASY_ARRAY_LEN(tests));
}
