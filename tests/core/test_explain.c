/* SPDX-License-Identifier: Apache-2.0
 * test_explain.c - every cause comes up and says why: what waits is asked of explain, what has
 * ended carries its cause in its last state event (tests/loop asks the store for the same). */
#include "causes.h"
#include "core_impl.h"

static size_t seen[256]; /* by cause: in how many cases it came up with its rule and remedy */

static bool check_event(struct world *w, const char *name, size_t i)
{
    struct asy_id study = asy_id_from(1001, 1);
    const struct asy_event *ev =
        world_last(w, study, cause_cases[i].trial,
                   cause_cases[i].trial < 0 ? ASY_EV_STUDY_STATE : ASY_EV_TRIAL_STATE);

    if (!T_TRUE(ev != NULL))
        return false;
    if (cause_cases[i].trial < 0)
        return T_EQ(name, ev->study_state.cause, cause_cases[i].cause) &&
               T_HAS(name, ev->study_state.text, cause_cases[i].text);
    return T_EQ(name, ev->trial_state.cause, cause_cases[i].cause) &&
           T_HAS(name, ev->trial_state.text, cause_cases[i].text);
}

static bool check_answer(struct world *w, const struct asy_cause_info *info, size_t i)
{
    const char *got = cause_cases[i].where == LIVE ? world_explain(w, "a", cause_cases[i].trial)
                                             : world_explain_worker(w, "node");

    return T_STR(info->name, got, info->name) && T_HAS(info->name, w->reply, cause_cases[i].text) &&
           T_STR(info->name, w->rule, info->rule) && T_TRUE(w->remedy[0] != 0);
}

static void each_cause_comes_up_and_says_why(void)
{
    for (size_t i = 0; i < n_cause_cases; i++) {
        const struct asy_cause_info *info = asy_cause_info(cause_cases[i].cause);
        struct world w;

        if (!T_TRUE(info != NULL) || !world_open(&w))
            continue;
        if (world_start(&w)) {
            world_client(&w, CLIENT_PEER, OWNER);
            cause_cases[i].provoke(&w);
            if (cause_cases[i].where == EVENT ? check_event(&w, info->name, i)
                                        : check_answer(&w, info, i))
                seen[cause_cases[i].cause]++;
        }
        world_close(&w);
    }
}

/* Runs after the cases: walks the list that the enumeration is made of. */
static void no_cause_is_left_out(void)
{
#define EACH(name, number) { ASY_CAUSE_##name, #name },
    static const struct {
        enum asy_cause cause;
        const char *name;
    } all[] = { ASY_CAUSES(EACH) };
#undef EACH

    for (size_t i = 0; i < ASY_ARRAY_LEN(all); i++) {
        const struct asy_cause_info *info = asy_cause_info(all[i].cause);

        if (!T_EQ(all[i].name, info != NULL, 1))
            continue;
        T_EQ(all[i].name, info->rule[0] && info->remedy[0], 1);
        if (!T_TRUE((size_t)all[i].cause < ASY_ARRAY_LEN(seen)))
            continue;
        T_EQ(all[i].name, seen[all[i].cause] > 0, 1);
    }
}

static void running_trials_and_strangers(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf buf;
    struct asy_jsonw j;
    struct world w;
    char id[ASY_ID_TEXT];

    asy_buf_init(&buf, 1 << 16);
    asy_jsonw_init(&j, &buf, 0);
    if (world_open(&w) && world_start(&w)) {
        world_client(&w, CLIENT_PEER, OWNER);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
        world_submit(&w, CLIENT_PEER, OWNER, 1,
                     STUDY_HEAD("a") RUN(9, true) "budget: {trials: 3}\n", 0);
        T_STR("what runs does not wait", world_explain(&w, "a", 0), "none");
        T_HAS("and says where", w.reply, "runs on worker 'node' to step 9");
        T_EQ("no such study", asy_core_explain(w.core, NULL, "b", -1, &j, &err), ASY_E_NOENT);
        T_EQ("no such trial", asy_core_explain(w.core, NULL, "a", 99, &j, &err), ASY_E_NOENT);
        T_EQ("no such worker", asy_core_explain_worker(w.core, NULL, "b", &j, &err), ASY_E_NOENT);
        T_HAS("no such worker", err.text, "no worker 'b'");
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 1 });
        T_EQ("two of a name", asy_core_explain_worker(w.core, NULL, "node", &j, &err), ASY_E_INVAL);
        T_STR("by its id", world_explain_worker(&w, asy_id_format(asy_id_from(103, 0), id)),
              "none");
    }
    world_close(&w);
    asy_buf_fini(&buf);
}

static void of_several_workers_of_a_host_the_one_that_is_there_is_meant(void)
{
    struct world w;

    if (world_open(&w) && world_start(&w)) {
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
        T_TRUE(world_restart(&w));
        T_STR("the only one", world_explain_worker(&w, "node"), "reattach");
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 1 });
        T_STR("one is here", world_explain_worker(&w, "node"), "no-work");
    }
    world_close(&w);
}

T_MAIN("explain", T_TEST(each_cause_comes_up_and_says_why), T_TEST(no_cause_is_left_out),
       T_TEST(running_trials_and_strangers),
       T_TEST(of_several_workers_of_a_host_the_one_that_is_there_is_meant))
