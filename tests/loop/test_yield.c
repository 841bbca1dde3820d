/* SPDX-License-Identifier: Apache-2.0
 * test_yield.c - when a piece of a file may begin, and what rate that leaves. */
#include <asytest.h>
#include "yield.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define NOW (50 * S)

static void a_piece_waits_for_decisions_only(void)
{
    static const struct {
        const char *name;
        int64_t free_ns;
        struct asy__work work;
        int64_t asked_ns, now_ns, want;
    } cases[] = {
        { "no commit ever", NOW + MS, { 0, 0 }, NOW, NOW, 0 },
        { "at work, nothing to rest from", 0, { 0, NOW - MS }, NOW, NOW, 0 },
        { "resting", NOW + 3 * MS, { 0, NOW - MS }, NOW, NOW, 3 * MS },
        { "resting, a commit as well", NOW + 3 * MS, { 1, NOW }, NOW, NOW, 3 * MS },
        { "rested", NOW, { 0, NOW - MS }, NOW - MS, NOW, 0 },
        { "a commit on its way", 0, { 1, NOW - MS }, NOW, NOW, ASY__YIELD_LOOK_NS },
        { "one that takes long", 0, { 1, NOW - 20 * MS }, NOW - ASY__YIELD_WAIT_NS, NOW, 0 },
        { "waited for since the rest only", NOW - MS, { 1, NOW }, NOW - S, NOW,
          ASY__YIELD_LOOK_NS },
        { "the last commit long ago", NOW + MS, { 0, NOW - ASY__YIELD_CALM_NS }, NOW, NOW, 0 },
        { "stuck since long ago", 0, { 1, NOW - ASY__YIELD_CALM_NS }, NOW, NOW,
          ASY__YIELD_LOOK_NS },
        { "and waited for", 0, { 1, NOW - S }, NOW - ASY__YIELD_WAIT_NS, NOW, 0 },
        { "a commit begun after the look at the clock", 0, { 1, NOW + 1 }, NOW, NOW,
          ASY__YIELD_LOOK_NS },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__pace pace = { .processors = 1, .free_ns = cases[i].free_ns };

        T_EQ(cases[i].name, asy__pace_wait(&pace, &cases[i].work, cases[i].asked_ns,
                                           cases[i].now_ns), cases[i].want);
    }
}

static void pieces_are_large_while_nothing_is_decided(void)
{
    static const struct {
        const char *name;
        struct asy__work work;
        size_t want;
    } cases[] = {
        { "no commit ever", { 0, 0 }, ASY__YIELD_CALM_PIECE },
        { "at work", { 0, NOW - MS }, ASY__YIELD_PIECE },
        { "a commit on its way", { 1, NOW - S }, ASY__YIELD_PIECE },
        { "the last commit long ago", { 0, NOW - ASY__YIELD_CALM_NS }, ASY__YIELD_CALM_PIECE },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].name, asy__pace_piece(&cases[i].work, NOW), cases[i].want);
}

static void a_rest_is_as_long_as_the_piece_was_dear(void)
{
    static const struct {
        const char *name;
        size_t processors;
        int64_t disk_ns;
        size_t n;
        double rate;
        int64_t want;
    } cases[] = {
        { "a quick disk, the bytes count", 1, MS, 640000, ASY__YIELD_RATE, 10 * MS },
        { "two processors", 2, MS, 640000, ASY__YIELD_RATE, 5 * MS },
        { "none known", 0, MS, 640000, ASY__YIELD_RATE, 10 * MS },
        { "a slow disk", 2, 20 * MS, 640000, ASY__YIELD_RATE, 40 * MS },
        { "a disk that hung", 2, 30 * S, 640000, ASY__YIELD_RATE, 30 * S + ASY__YIELD_REST_NS },
        { "no disk", 2, 0, 64000, ASY__YIELD_RATE, MS / 2 },
        { "what comes is dearer", 2, MS, 560000, ASY__YIELD_TAKE_RATE, 10 * MS },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__pace pace;

        asy__pace_init(&pace, cases[i].processors);
        asy__pace_spent(&pace, NOW, cases[i].disk_ns, cases[i].n,
                        cases[i].rate);
        T_EQ(cases[i].name, pace.free_ns - NOW, cases[i].want);
    }
}

/* Pieces one after another for ten seconds beside a loop that begins a commit every period_ns and
 * needs commit_ns for it; each holds the disk for disk_ns. Returns how many were done; *ret_met:
 * how many began while a commit was on its way. */
static size_t pieces_in_ten_seconds(int64_t disk_ns, int64_t commit_ns, int64_t period_ns,
                                    size_t *ret_met)
{
    struct asy__pace pace;
    int64_t now_ns = NOW;
    size_t n = 0;

    asy__pace_init(&pace, 16);
    for (*ret_met = 0; now_ns < NOW + 10 * S; n++) {
        int64_t asked_ns = now_ns, wait_ns;
        struct asy__work work;

        do {
            work.sealed_ns = now_ns - now_ns % period_ns;
            work.on_its_way = now_ns % period_ns < commit_ns;
            wait_ns = asy__pace_wait(&pace, &work, asked_ns, now_ns);
            now_ns += wait_ns;
        } while (wait_ns);
        *ret_met += work.on_its_way != 0;
        asy__pace_spent(&pace, now_ns, disk_ns, ASY__YIELD_PIECE, ASY__YIELD_TAKE_RATE);
        now_ns += disk_ns;
    }
    return n;
}

static void files_get_their_share_and_no_more(void)
{
    static const struct {
        const char *name;
        int64_t disk_ns, commit_ns, period_ns;
        size_t least, most; /* pieces */
        int meets;          /* pieces do begin during commits: those end never, or too late */
    } cases[] = {
        { "a quick disk", MS / 2, MS / 2, 3 * MS, 5000, 10000, 0 },
        { "a slow disk", 20 * MS, 8 * MS, 50 * MS, 150, 251, 0 },
        { "commits without a gap", MS / 2, 3 * MS, 3 * MS, 900, 1100, 1 },
        { "no commit ends", MS / 2, 2 * S, S, 900, 1100, 1 },
        { "one commit in a second", MS / 2, MS, S, 17900, 18200, 0 },
        { "few commits", MS / 2, MS, 20 * S, 18000, 20001, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        size_t met, n = pieces_in_ten_seconds(cases[i].disk_ns, cases[i].commit_ns,
                                              cases[i].period_ns, &met);

        T_EQ(cases[i].name, n < cases[i].least ? n : cases[i].least, cases[i].least);
        T_EQ(cases[i].name, n > cases[i].most ? n : cases[i].most, cases[i].most);
        T_EQ(cases[i].name, met > 0, cases[i].meets);
    }
}

static void a_commit_is_on_its_way_until_its_effects_left(void)
{
    struct asy__traffic traffic = { 0 };

    T_EQ("before the first", asy__traffic_look(&traffic).on_its_way, 0);
    T_EQ("nor was there any", asy__traffic_look(&traffic).sealed_ns, 0);
    asy__traffic_sealed(&traffic, 7, NOW);
    T_EQ("begun", asy__traffic_look(&traffic).on_its_way, 1);
    T_EQ("when", asy__traffic_look(&traffic).sealed_ns, NOW);
    asy__traffic_sealed(&traffic, 8, NOW + 1);
    asy__traffic_released(&traffic, 7);
    T_EQ("there is another one", asy__traffic_look(&traffic).on_its_way, 1);
    asy__traffic_released(&traffic, 8);
    T_EQ("both are done", asy__traffic_look(&traffic).on_its_way, 0);
}

T_MAIN("yield", T_TEST(a_piece_waits_for_decisions_only),
       T_TEST(pieces_are_large_while_nothing_is_decided),
       T_TEST(a_rest_is_as_long_as_the_piece_was_dear), T_TEST(files_get_their_share_and_no_more),
       T_TEST(a_commit_is_on_its_way_until_its_effects_left))
