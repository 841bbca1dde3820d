/* SPDX-License-Identifier: Apache-2.0
 * test_session.c - connections: who is let in, silence and loss, coming back, fencing, watching. */
#include "world.h"

#define STUDY STUDY_HEAD("a") RUN(9, true) "budget: {trials: 4}\n"

static bool begin(struct world *w, uint32_t cores)
{
    if (!world_open(w) || !world_start(w))
        return false;
    world_client(w, CLIENT_PEER, OWNER);
    if (cores)
        world_agent(w, &(struct agent){ .peer = 2, .cores = cores });
    return true;
}

static void who_does_not_fit_is_rejected_with_a_reason(void)
{
    static const struct { const char *name; uint32_t major, cores; int role, no_id; uint32_t group;
                          const char *want; } cases[] = {
        { "another protocol", 2, 1, ASY_ROLE_AGENT, 0, 0, "protocol 2.0 is not served: this" },
        { "no role", 1, 1, 0, 0, 0, "neither agent nor client" },
        { "no id", 1, 1, ASY_ROLE_AGENT, 1, 0, "needs an id" },
        { "no cores", 1, 0, ASY_ROLE_AGENT, 0, 0, "1 to 65536 cores" },
        { "too many cores", 1, 70000, ASY_ROLE_AGENT, 0, 0, "1 to 65536 cores" },
        { "a group beyond the cores", 1, 1, ASY_ROLE_AGENT, 0, 9, "groups" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_msg msg = { .type = ASY_MSG_HELLO };
        struct world w;

        if (begin(&w, 0)) {
            msg.hello.major = cases[i].major;
            msg.hello.role = (enum asy_role)cases[i].role;
            msg.hello.cores = cases[i].cores;
            msg.hello.agent = cases[i].no_id ? ASY_ID_NONE : asy_id_from(1, 1);
            msg.hello.core_groups = &cases[i].group;
            msg.hello.n_core_groups = cases[i].cores == 1;
            msg.hello.walltime_left_ms = -1;
            world_msg(&w, 9, OWNER, &msg);
            T_HAS(cases[i].name, w.reject, cases[i].want);
        }
        world_close(&w);
    }
}

static void answers_about_the_moment_wait_for_no_commit(void)
{
    static const struct { const char *what; int waits; } cases[] = {
        { "study", 1 }, { "trials", 1 }, { "events", 1 },
        { "workers", 0 }, { "explain", 0 }, { "live", 0 },
    };
    struct world w;

    if (begin(&w, 1)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            struct asy_msg msg = { .type = ASY_MSG_QUERY };

            w.query_commit = UINT64_MAX;
            msg.query.what = cases[i].what;
            msg.query.study = "a";
            msg.query.trial = -1;
            world_msg(&w, CLIENT_PEER, OWNER, &msg);
            T_TRUE(w.query_commit != UINT64_MAX);
            T_EQ(cases[i].what, w.query_commit > 0, cases[i].waits);
        }
    }
    world_close(&w);
}

/* ---- while the store cannot write ---------------------------------------------------------- */

static void store_says(struct world *w, int ok)
{
    struct asy_input input = { .type = ASY_IN_FAILED_COMMIT };

    input.store.ok = ok;
    input.store.text = ok ? "" : "disk full, 4 KiB free";
    world_input(w, &input);
}

static void a_full_disk_takes_no_reports_and_judges_nobody(void)
{
    struct world w;
    size_t before;

    if (begin(&w, 1)) {
        struct asy_id study = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        struct lease lease = w.leases[0];

        world_started(&w, &lease);
        store_says(&w, 0);
        before = w.n_events;
        w.mark.durable = 77;
        world_report(&w, &lease, 1, 0.5);
        T_EQ("not taken", w.n_events, before);
        T_EQ("not acknowledged", w.mark.durable, 77);
        world_pass(&w, 60000, 0, 0); /* silent for long */
        T_EQ("nobody is lost", w.n_events, before);
        T_EQ("runs", world_state(&w, study, 0), ASY_TRIAL_RUNNING);
        store_says(&w, 1);
        world_pass(&w, 1000, 0, 0);
        T_EQ("silence counts from here", world_state(&w, study, 0), ASY_TRIAL_RUNNING);
        lease.reported--; /* sent again */
        world_report(&w, &lease, 1, 0.5);
        T_EQ("taken", w.mark.durable, 2);
        world_pass(&w, 11000, 0, 0);
        T_EQ("and now it is lost", world_state(&w, study, 0), ASY_TRIAL_QUEUED);
    }
    world_close(&w);
}

static void a_full_disk_refuses_what_it_cannot_keep(void)
{
    static const struct { const char *name; enum asy_control_verb verb; } cases[] = {
        { "pause", ASY_CONTROL_PAUSE }, { "stop", ASY_CONTROL_STOP },
        { "priority", ASY_CONTROL_PRIORITY },
    };
    struct world w;

    if (begin(&w, 1)) {
        size_t before;

        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        store_says(&w, 0);
        before = w.n_events;
        world_submit(&w, CLIENT_PEER, OWNER, 2, STUDY, 0);
        T_EQ("submit", w.reply_code, ASY_E_NOSPACE);
        T_HAS("why", w.reply, "disk full, 4 KiB free");
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
            T_EQ(cases[i].name, world_control(&w, CLIENT_PEER, OWNER, cases[i].verb, "a", 1),
                 ASY_E_NOSPACE);
        T_EQ("nothing gathered", w.n_events, before);
        T_STR("explained", world_explain(&w, "a", -1), "store");
        store_says(&w, 1);
        T_EQ("later", world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0), 0);
    }
    world_close(&w);
}

/* An agent that lost its connection meanwhile keeps what it runs. */
static void an_agent_that_greets_a_full_disk_is_settled_later(void)
{
    struct world w;

    if (begin(&w, 1)) {
        struct asy_id study = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        struct lease lease = w.leases[0];
        struct asy_holding holding = { .study = study, .attempt = 1, .epoch = 1, .running = 1 };
        struct asy_input closed = { .type = ASY_IN_CLOSED, .peer = 2 };
        size_t before;

        world_started(&w, &lease);
        store_says(&w, 0);
        world_input(&w, &closed);
        before = w.n_events;
        w.welcome.n_marks = 0;
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1, .holdings = &holding,
                                         .n_holdings = 1 });
        T_EQ("no welcome", w.welcome.n_marks, 0);
        world_pass(&w, 5000, 0, 0);
        T_EQ("nothing gathered", w.n_events, before);
        store_says(&w, 1);
        world_pass(&w, 5000, 0, 0); /* longer than a closed connection has by itself */
        T_EQ("still its own", world_state(&w, study, 0), ASY_TRIAL_RUNNING);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1, .holdings = &holding,
                                         .n_holdings = 1 });
        T_EQ("kept", w.welcome.n_keep, 1);
    }
    world_close(&w);
}

static void one_wish_to_end_is_enough_on_a_full_disk(void)
{
    static const struct { const char *name; int by_signal, full_first; } cases[] = {
        { "a signal", 1, 1 }, { "a client", 0, 1 }, { "the disk fills while draining", 1, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_input drain = { .type = ASY_IN_DRAIN };
        struct world w;

        if (begin(&w, 1)) {
            world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
            world_started(&w, &w.leases[0]);
            if (cases[i].full_first)
                store_says(&w, 0);
            T_EQ("runs on", w.n_quits, 0);
            if (cases[i].by_signal)
                world_input(&w, &drain);
            else
                T_EQ("answer", world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_DRAIN, "", 0),
                     ASY_E_NOSPACE);
            if (!cases[i].full_first) {
                T_EQ("waits for its trials", w.n_quits, 0);
                store_says(&w, 0);
            }
            T_EQ(cases[i].name, w.n_quits, 1);
            T_EQ("waits for no commit", w.quit_commit, 0);
            store_says(&w, 0);
            T_EQ("once", w.n_quits, 1);
        }
        world_close(&w);
    }
}

static void limits_hold(void)
{
    struct world w;

    if (world_open(&w)) {
        w.config.max_sessions = 3;
        w.config.max_workers = 1;
        if (world_start(&w)) {
            world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
            T_STR("one worker is fine", w.reject, "");
            world_agent(&w, &(struct agent){ .peer = 3, .cores = 1 });
            T_HAS("two are not", w.reject, "no further worker");
            world_client(&w, 4, OWNER);
            world_client(&w, 5, OWNER);
            world_client(&w, 6, OWNER);
            T_HAS("nor four connections", w.reject, "no further connection");
        }
    }
    world_close(&w);
}

static void unknown_sessions_are_asked_to_greet_again(void)
{
    struct asy_msg beat = { .type = ASY_MSG_HEARTBEAT };
    struct world w;

    if (begin(&w, 1)) {
        beat.session = asy_id_from(5, 5);
        world_msg(&w, 2, OWNER, &beat);
        T_EQ("a wrong session", w.n_rehellos, 1);
        world_msg(&w, 77, OWNER, &beat);
        T_EQ("an unknown peer", w.n_rehellos, 2);
    }
    world_close(&w);
}

/* Whoever learns of it: a session is good on its own connection alone. */
static void another_user_s_session_is_refused_and_counted(void)
{
    struct asy_msg beat = { .type = ASY_MSG_HEARTBEAT }, bye = { .type = ASY_MSG_BYE };
    struct world w;

    if (begin(&w, 1)) {
        struct asy_id study = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        const char *key;

        world_client(&w, 5, "mallory");
        world_clear(&w);
        beat.session = w.sessions[2]; /* the agent's own, after its connection broke */
        world_msg(&w, 6, OWNER, &beat);
        T_EQ("asked to greet", w.n_rehellos, 1);
        T_EQ("not counted", asy_core_foreign_sessions(w.core, &key), 0);
        bye.bye.text = "gone";
        bye.session = w.sessions[2];
        for (uint64_t peer = 5; peer <= 6; peer++) { /* one that has greeted, one that has not */
            world_clear(&w);
            world_msg(&w, peer, "mallory", &bye);
            T_EQ("asked to greet", w.n_rehellos, 1);
            T_EQ("counted", asy_core_foreign_sessions(w.core, &key), peer - 4);
            T_STR("whose", key, "mallory");
        }
        bye.session = w.sessions[5]; /* of one that has left it is as any that was never there */
        world_client(&w, 5, "mallory");
        world_msg(&w, 2, OWNER, &bye);
        T_EQ("not counted", asy_core_foreign_sessions(w.core, &key), 2);
        world_pass(&w, 3000, 2, 2);
        T_EQ("nothing came of it", world_state(&w, study, 0), ASY_TRIAL_LEASED);
    }
    world_close(&w);
}

/* Often enough to be sure, seldom enough to be cheap. */
static void heartbeats_are_answered_a_few_times_within_lost_after(void)
{
    struct world w;
    size_t before;

    if (begin(&w, 1)) {
        world_pass(&w, 500, 2, 2);
        T_EQ("the first one", w.n_pongs, 1);
        for (int i = 0; i < 5; i++) {
            before = w.n_pongs;
            world_pass(&w, w.config.lost_after_ms, 2, 2);
            T_EQ("within lost_after", w.n_pongs - before, 4);
        }
    }
    world_close(&w);
}

static void another_users_worker_is_not_taken_over(void)
{
    struct world w;

    if (begin(&w, 1)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        world_agent(&w, &(struct agent){ .peer = 22, .cores = 1, .key = "thief" });
        T_HAS("while it is connected", w.reject, "another user");
        T_TRUE(world_restart(&w));
        w.reject[0] = 0;
        world_agent(&w, &(struct agent){ .peer = 22, .cores = 1, .key = "thief" });
        T_HAS("while it is away", w.reject, "another user");
    }
    world_close(&w);
}

static void a_silent_worker_is_suspect_then_lost(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        world_started(&w, &w.leases[0]);
        world_tick(&w, 2999);
        T_STR("not yet", world_explain(&w, "a", 0), "none");
        world_tick(&w, 1);
        T_STR("suspect", world_explain(&w, "a", 0), "suspect");
        world_pass(&w, 100, 2, 2);
        T_STR("heard of again", world_explain(&w, "a", 0), "none");
        world_tick(&w, 9999);
        T_EQ("still its own", world_state(&w, a, 0), ASY_TRIAL_RUNNING);
        world_tick(&w, 1);
        T_EQ("lost", world_state(&w, a, 0), ASY_TRIAL_QUEUED);
        T_EQ("gone", world_count(&w, ASY_EV_WORKER_GONE), 1);
        T_EQ("but not ended: it may come back", world_count(&w, ASY_EV_ENDED), 0);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

static void lateness_of_the_loop_moves_deadlines(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        world_started(&w, &w.leases[0]);
        asy_core_was_late(w.core, 30000);
        world_tick(&w, 30000);
        T_EQ("nobody is judged for it", world_state(&w, a, 0), ASY_TRIAL_RUNNING);
        world_tick(&w, 10000);
        T_EQ("silence still counts", world_state(&w, a, 0), ASY_TRIAL_QUEUED);
    }
    world_close(&w);
}

static void who_comes_back_in_time_goes_on_under_the_same_epoch(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        world_started(&w, &w.leases[0]);
        world_tick(&w, 10000);
        T_EQ("lost", world_state(&w, a, 0), ASY_TRIAL_QUEUED);
        T_TRUE(world_restart(&w));
        world_agent(&w, &(struct agent){
            .peer = 2, .cores = 1, .n_holdings = 1,
            .holdings = &(struct asy_holding){ a, 0, 1, 1, 1, 2 } });
        T_EQ("it is kept", w.welcome.n_keep, 1);
        T_EQ("nothing is killed", w.welcome.n_kill, 0);
        T_EQ("its watermark", w.welcome.marks[0].durable, 1);
        T_EQ("it runs", world_state(&w, a, 0), ASY_TRIAL_RUNNING);
        T_EQ("no second lease", w.n_leases, 1);
        world_report(&w, &w.leases[0], 1, 0.5);
        T_EQ("its report counts", w.mark.durable == 2 && !w.mark.closed, 1);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

static void a_new_lease_fences_the_old_one(void)
{
    struct world w;
    struct asy_id a;
    struct lease old;

    if (begin(&w, 1)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        world_started(&w, &w.leases[0]);
        old = w.leases[0];
        world_tick(&w, 10000);
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 1 });
        T_EQ("leased anew", w.n_leases == 2 && w.leases[1].attempt == 2, 1);
        T_EQ("the old attempt is lost",
             world_last(&w, a, 0, ASY_EV_ENDED)->ended.end, ASY_END_LOST);
        world_agent(&w, &(struct agent){
            .peer = 2, .cores = 1, .n_holdings = 1,
            .holdings = &(struct asy_holding){ a, 0, 1, 1, 1, 3 } });
        T_EQ("it is killed", w.welcome.n_kill, 1);
        T_EQ("and not kept", w.welcome.n_keep, 0);
        world_report(&w, &old, 1, 0.01);
        T_EQ("what it says is closed", w.mark.closed, 1);
        T_EQ("and on record", world_count(&w, ASY_EV_SUPERSEDED), 1);
        old.reported--;
        world_report(&w, &old, 1, 0.01);
        T_EQ("once", world_count(&w, ASY_EV_SUPERSEDED), 1);
        T_TRUE(world_restart(&w));
        world_agent(&w, &(struct agent){
            .peer = 3, .cores = 1, .n_holdings = 1,
            .holdings = &(struct asy_holding){ a, 0, 2, 2, 1, 0 } });
        world_complete(&w, &w.leases[1], 9, 0.75);
        T_NEAR("its value does not count",
               world_last(&w, a, 0, ASY_EV_TRIAL_STATE)->trial_state.value, 0.75, 0);
    }
    world_close(&w);
}

static void what_an_agent_does_not_list_is_lost_at_once(void)
{
    struct world w;

    if (begin(&w, 1)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        world_agent(&w, &(struct agent){ .peer = 22, .cores = 1 }); /* the same process again */
        T_EQ("the old connection is closed", w.n_closes, 1);
        T_EQ("leased anew", w.n_leases, 2);
        T_EQ("to the new connection", w.leases[1].peer, 22);
        T_EQ("the same trial", w.leases[1].trial == 0 && w.leases[1].attempt == 2, 1);
        T_TRUE(*w.leases[1].spec != 0); /* what the old session knew does not count */
    }
    world_close(&w);
}

static void a_closed_connection_frees_its_trials_after_a_second(void)
{
    struct asy_input closed = { .type = ASY_IN_CLOSED, .peer = 2 };
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        world_input(&w, &closed);
        world_tick(&w, 999);
        T_EQ("it may come back", world_state(&w, a, 0), ASY_TRIAL_LEASED);
        world_tick(&w, 1);
        T_EQ("it did not", world_state(&w, a, 0), ASY_TRIAL_QUEUED);
    }
    world_close(&w);
}

static void leaving_on_purpose_frees_at_once(void)
{
    struct asy_msg bye = { .type = ASY_MSG_BYE };
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        bye.bye.text = "walltime";
        world_msg(&w, 2, OWNER, &bye);
        T_EQ("queued", world_state(&w, a, 0), ASY_TRIAL_QUEUED);
    }
    world_close(&w);
}

static void the_reattach_window_holds_leases_back(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1,
                         STUDY_HEAD("a") RUN(9, true) "budget: {trials: 1}\n", 0);
        T_TRUE(world_restart(&w));
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 4 });
        world_pass(&w, 9999, 3, 3);
        T_EQ("kept for its worker", w.n_leases, 1);
        world_pass(&w, 1, 3, 3);
        T_EQ("leased again", w.n_leases, 2);
        T_EQ("as the next attempt", w.leases[1].attempt, 2);
        T_EQ("one trial", world_last(&w, a, 0, ASY_EV_LEASED)->attempt, 2);
    }
    world_close(&w);
}

static void reports_count_once_and_in_order(void)
{
    struct asy_event metric = { .kind = ASY_EV_REPORT };
    struct world w;

    if (begin(&w, 1)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        metric.report.metrics = &(struct asy_metric){ "loss", 1.0 };
        metric.report.n_metrics = 1;
        world_started(&w, &w.leases[0]);
        world_send(&w, &w.leases[0], 3, &metric);
        T_EQ("a gap is not jumped", w.mark.durable, 1);
        world_send(&w, &w.leases[0], 2, &metric);
        T_EQ("the next one counts", w.mark.durable, 2);
        world_send(&w, &w.leases[0], 2, &metric);
        T_EQ("again changes nothing", w.mark.durable, 2);
        T_EQ("one is on record", world_count(&w, ASY_EV_REPORT), 1);
        metric.kind = ASY_EV_STUDY_CREATED;
        world_send(&w, &w.leases[0], 3, &metric);
        T_EQ("nonsense ends the attempt", w.mark.closed, 1);
        T_EQ("which is to be killed", w.cancels[0].mode, ASY_CANCEL_KILL);
    }
    world_close(&w);
}

static void a_restored_backup_takes_nothing_over(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        w.config.store = asy_id_from(8, 8);
        T_TRUE(world_restart(&w));
        world_agent(&w, &(struct agent){
            .peer = 2, .cores = 1, .n_holdings = 1,
            .holdings = &(struct asy_holding){ a, 0, 1, 1, 1, 1 } });
        T_EQ("killed", w.welcome.n_kill, 1);
    }
    world_close(&w);
}

/* After a restart it may have greeted without hearing the answer. */
static void who_greets_and_breaks_off_has_the_rest_of_the_window(void)
{
    struct asy_input closed = { .type = ASY_IN_CLOSED, .peer = 2 };
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        world_started(&w, &w.leases[0]);
        T_TRUE(world_restart(&w));
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1, .n_holdings = 1,
                                         .holdings = &(struct asy_holding){ a, 0, 1, 1, 1, 1 } });
        world_input(&w, &closed);
        world_pass(&w, 8000, 0, 0);
        T_EQ("kept", world_state(&w, a, 0), ASY_TRIAL_RUNNING);
        world_pass(&w, 3000, 0, 0);
        T_EQ("lost", world_state(&w, a, 0), ASY_TRIAL_QUEUED);
    }
    world_close(&w);
}

static void a_new_worker_shortens_the_wait_after_refusals(void)
{
    struct world w;

    if (begin(&w, 1)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1,
                     STUDY_HEAD("a") RUN(9, true) "budget: {trials: 1}\n", 0);
        for (size_t i = 0; i < 5 && i < w.n_leases; i++) {
            world_end(&w, &w.leases[i], ASY_END_REFUSED, 0);
            if (i < 4)
                world_pass(&w, 1000 << i, 2, 2);
        }
        T_EQ("five times", w.n_leases, 5);
        world_pass(&w, 1500, 2, 2);
        T_EQ("waits long", w.n_leases, 5);
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 1 });
        world_pass(&w, 1500, 2, 3);
        T_EQ("but not now", w.n_leases, 6);
    }
    world_close(&w);
}

static void budget_time_goes_on_while_no_coordinator_runs(void)
{
    struct world w;

    if (begin(&w, 0)) {
        struct asy_id a = world_submit(&w, CLIENT_PEER, OWNER, 1,
                                       STUDY_HEAD("a") RUN(9, true) "budget: {time: 60s}\n", 0);

        w.now += 61000;
        T_TRUE(world_restart(&w));
        world_tick(&w, 500);
        T_EQ("over", world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.cause,
             ASY_CAUSE_BUDGET_TIME);
    }
    world_close(&w);
}

/* It knows neither offers nor parts. */
static void an_agent_of_version_1_0_is_served(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 0)) {
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1, .old = 1 });
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        T_EQ("leased", w.n_leases, 1);
        world_complete(&w, &w.leases[0], 9, 0.5);
        T_EQ("done", world_state(&w, a, 0), ASY_TRIAL_COMPLETE);
        T_TRUE(world_restart(&w));
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1, .old = 1 });
        world_pass(&w, 500, 2, 2);
        T_TRUE(w.n_leases > 1);
    }
    world_close(&w);
}

static void watchers_hear_each_event_once_it_is_durable(void)
{
    struct asy_msg watch = { .type = ASY_MSG_WATCH };
    struct world w;
    size_t before;

    if (begin(&w, 1)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        before = w.n_events;
        watch.watch.request = 1;
        watch.watch.study = "a";
        world_msg(&w, CLIENT_PEER, OWNER, &watch);
        world_started(&w, &w.leases[0]);
        world_report(&w, &w.leases[0], 1, 1.0);
        T_EQ("one news an event", w.n_news, w.n_events - before);
        watch.watch.stop = 1;
        watch.session = ASY_ID_NONE;
        world_msg(&w, CLIENT_PEER, OWNER, &watch);
        world_report(&w, &w.leases[0], 2, 1.0);
        T_EQ("no more", w.n_news, 2);
        watch.watch.stop = 0;
        watch.watch.study = "nothing";
        world_msg(&w, CLIENT_PEER, OWNER, &watch);
        T_EQ("no such study", w.reply_code, ASY_E_NOENT);
    }
    world_close(&w);
}

/* A watch that begins while commits are on their way: its history ends where its news begin. */
static void history_ends_where_news_begin(void)
{
    struct world w;
    uint64_t begin_a, begin_b;

    if (begin(&w, 1)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        world_client(&w, 5, OWNER);
        w.late = 1;
        world_watch(&w, CLIENT_PEER, OWNER, 1, "a", 0);
        begin_a = w.asked_upto;
        T_EQ("all that was", begin_a, w.n_events);
        world_started(&w, &w.leases[0]);
        world_report(&w, &w.leases[0], 1, 1.0);
        T_EQ("nothing is durable", w.n_news, 0);
        world_watch(&w, 5, OWNER, 9, "a", 0);
        begin_b = w.asked_upto;
        T_EQ("what is on its way is history", begin_b, w.n_events);
        world_report(&w, &w.leases[0], 2, 1.0);
        world_durable(&w);
        for (uint64_t seq = begin_a + 1, n = 0; seq <= w.n_events; seq++) {
            T_TRUE(w.news[n].peer == CLIENT_PEER && w.news[n].request == 1);
            T_EQ("to the first", w.news[n++].seq, seq);
            if (seq <= begin_b)
                continue;
            T_TRUE(w.news[n].peer == 5 && w.news[n].request == 9);
            T_EQ("to the second", w.news[n++].seq, seq);
        }
        T_EQ("each once", w.n_news, w.n_events - begin_a + w.n_events - begin_b);
    }
    world_close(&w);
}

static void a_watch_hears_what_it_asked_for(void)
{
    struct world w;

    if (begin(&w, 1)) {
        world_client(&w, 5, "stranger");
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        world_submit(&w, 5, "stranger", 2, STUDY_HEAD("b") RUN(9, true) "budget: {trials: 1}\n", 0);
        world_watch(&w, CLIENT_PEER, OWNER, 1, "a", 0);
        world_watch(&w, CLIENT_PEER, OWNER, 2, "", 0);
        T_STR("the owner of all", w.asked_key, "");
        world_watch(&w, 5, "stranger", 3, "", 0);
        T_STR("another user", w.asked_key, "stranger");
        world_clear(&w);
        world_watch(&w, 5, "stranger", 4, "a", 0);
        T_EQ("not his", w.reply_code, ASY_E_DENIED);
        world_clear(&w);
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "b", 0);
        T_EQ("of all, twice", w.n_news, 2);
        T_TRUE(w.news[0].request != 1 && w.news[1].request != 1);
        world_clear(&w);
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0);
        T_EQ("of this one and of all", w.n_news, 2);
        T_TRUE(w.news[0].peer == CLIENT_PEER && w.news[1].peer == CLIENT_PEER);
        world_clear(&w);
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 1 });
        T_EQ("workers are the owner's", w.n_news, 1);
        T_EQ("workers are the owner's", w.news[0].request, 2);
    }
    world_close(&w);
}

static void watches_are_few_and_end_with_their_session(void)
{
    struct asy_input closed = { .type = ASY_IN_CLOSED, .peer = CLIENT_PEER };
    struct world w;

    if (begin(&w, 1)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        for (uint64_t i = 1; i <= 64; i++) {
            world_clear(&w);
            world_watch(&w, CLIENT_PEER, OWNER, i, "a", 0);
            T_EQ("no answer of core's", w.reply_code, 1);
        }
        world_watch(&w, CLIENT_PEER, OWNER, 65, "a", 0);
        T_EQ("one too many", w.reply_code, ASY_E_FULL);
        world_clear(&w);
        world_watch(&w, CLIENT_PEER, OWNER, 64, "a", 0);
        T_EQ("the same again", w.reply_code, 1);
        world_watch(&w, CLIENT_PEER, OWNER, 7, "", 1);
        world_watch(&w, CLIENT_PEER, OWNER, 65, "a", 0);
        T_EQ("in its place", w.reply_code, 1);
        world_started(&w, &w.leases[0]);
        T_EQ("to each", w.n_news, 64);
        world_client(&w, 5, OWNER);
        world_clear(&w);
        world_input(&w, &closed);
        world_control(&w, 5, OWNER, ASY_CONTROL_PAUSE, "a", 0);
        world_tick(&w, 100);
        T_EQ("paused all the same", w.reply_code, 0);
        T_EQ("to nobody", w.n_news, 0);
    }
    world_close(&w);
}

static int ask(struct world *w, uint64_t request)
{
    struct asy_msg msg = { .type = ASY_MSG_QUERY };

    msg.query.request = request;
    msg.query.what = "studies";
    world_clear(w);
    world_msg(w, CLIENT_PEER, OWNER, &msg);
    return w->reply_code;
}

static void questions_are_few_at_a_time(void)
{
    struct asy_input answered = { .type = ASY_IN_ANSWERED, .peer = CLIENT_PEER };
    struct world w;

    if (begin(&w, 1)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        w.unanswered = 1;
        for (uint64_t i = 1; i <= 64; i++)
            T_EQ("no answer of core's", ask(&w, i), 1);
        T_EQ("one too many", ask(&w, 65), ASY_E_FULL);
        world_clear(&w);
        world_watch(&w, CLIENT_PEER, OWNER, 66, "a", 0);
        T_EQ("a history is a question", w.reply_code, ASY_E_FULL);
        world_started(&w, &w.leases[0]);
        T_EQ("nothing is watched", w.n_news, 0);
        answered.answered.session = asy_id_from(1, 1);
        world_input(&w, &answered);
        T_EQ("another session's answer", ask(&w, 67), ASY_E_FULL);
        answered.answered.session = w.sessions[CLIENT_PEER];
        world_input(&w, &answered);
        T_EQ("in its place", ask(&w, 68), 1);
        T_EQ("no more", ask(&w, 69), ASY_E_FULL);
        world_client(&w, CLIENT_PEER, OWNER);
        T_EQ("what was asked before is forgotten", w.n_closes, 1);
        T_EQ("who greets anew begins anew", ask(&w, 1), 1);
    }
    world_close(&w);
}

static void told_to_stay_it_does(void)
{
    struct world w;

    if (world_open(&w)) {
        w.config.idle_exit_ms = 60000;
        if (world_start(&w)) {
            world_client(&w, CLIENT_PEER, OWNER);
            world_client(&w, 3, "stranger");
            T_EQ("by others", world_control(&w, 3, "stranger", ASY_CONTROL_STAY, "", 0),
                 ASY_E_DENIED);
            T_EQ("not yet", asy_core_stays(w.core), 0);
            T_EQ("by its owner", world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STAY, "", 0), 0);
            T_EQ("it does", asy_core_stays(w.core), 1);
            world_pass(&w, 70000, 2, 2);
            T_EQ("idle", w.n_quits, 0);
            world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_DRAIN, "", 0);
            T_EQ("ending", world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STAY, "", 0),
                 ASY_E_STATE);
        }
    }
    world_close(&w);
}

static void an_idle_coordinator_quits(void)
{
    struct world w;

    if (world_open(&w)) {
        w.config.idle_exit_ms = 60000;
        if (world_start(&w)) {
            world_client(&w, CLIENT_PEER, OWNER);
            world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
            world_submit(&w, CLIENT_PEER, OWNER, 1,
                         STUDY_HEAD("a") RUN(9, true) "budget: {trials: 1}\n", 0);
            world_pass(&w, 70000, 2, 2);
            T_EQ("not while a study lives", w.n_quits, 0);
            world_complete(&w, &w.leases[0], 9, 1.0);
            world_pass(&w, 59999, 2, 2);
            T_EQ("not yet", w.n_quits, 0);
            world_pass(&w, 1, 2, 2);
            T_EQ("now", w.n_quits, 1);
        }
    }
    world_close(&w);
}

static void records_are_kept_and_answered(void)
{
    struct asy_msg msg = { .type = ASY_MSG_RECORD };
    struct world w;

    if (begin(&w, 1)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        msg.record.study = "a";
        msg.record.trial = 0;
        msg.record.event.kind = ASY_EV_TAG;
        msg.record.event.tag.key = "k";
        msg.record.event.tag.value = "v";
        world_msg(&w, CLIENT_PEER, OWNER, &msg);
        T_EQ("taken", w.reply_code, 0);
        T_EQ("kept", world_count(&w, ASY_EV_TAG), 1);
        msg.record.trial = 50;
        world_msg(&w, CLIENT_PEER, OWNER, &msg);
        T_EQ("no such trial", w.reply_code, ASY_E_NOENT);
        msg.record.trial = 0;
        msg.record.event.kind = ASY_EV_ENDED;
        world_msg(&w, CLIENT_PEER, OWNER, &msg);
        T_EQ("not by this door", w.reply_code, ASY_E_UNSUPPORTED);
    }
    world_close(&w);
}

/* A run that has a model on record is given its file, so nobody may say that it has one. */
static void what_attempts_leave_is_not_recorded_by_others(void)
{
    static const struct { const char *name; int want; } cases[] = {
        { "model", ASY_E_DENIED },    { "scores.json", ASY_E_DENIED },
        { "checkpoint", ASY_E_DENIED }, { "model.txt", 0 }, { "notes", 0 },
    };
    struct asy_msg msg = { .type = ASY_MSG_RECORD };
    struct world w;

    if (begin(&w, 1)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY, 0);
        msg.record.study = "a";
        msg.record.event.kind = ASY_EV_ARTIFACT;
        memset(&msg.record.event.artifact.sha, 7, sizeof msg.record.event.artifact.sha);
        msg.record.event.artifact.path = "/artifacts/07/07";
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
            for (msg.record.trial = -1; msg.record.trial < 1; msg.record.trial++) {
                msg.record.event.artifact.name = cases[i].name;
                world_msg(&w, CLIENT_PEER, OWNER, &msg);
                T_EQ(cases[i].name, w.reply_code, cases[i].want);
            }
        T_EQ("kept", world_count(&w, ASY_EV_ARTIFACT), 4);
    }
    world_close(&w);
}

static const char *live_of(struct world *w, const char *key, const char *what, struct asy_buf *buf)
{
    struct asy_jsonw j;
    int rc = 0;

    asy_buf_clear(buf);
    asy_jsonw_init(&j, buf, 0);
    asy_jsonw_open(&j, NULL, '{');
    if (!strcmp(what, "workers"))
        asy_core_write_workers(w->core, key, w->now, &j);
    else if (!strcmp(what, "live"))
        rc = asy_core_write_study(w->core, key, "secret", &j, NULL);
    else if (!strcmp(what, "explain"))
        rc = asy_core_explain(w->core, key, "secret", 0, &j, NULL);
    else
        rc = asy_core_explain_worker(w->core, key, "node", &j, NULL);
    asy_jsonw_close(&j, '}');
    return rc == ASY_E_NOENT ? "no such study" : rc ? "failed" : buf->data;
}

static void a_question_is_answered_as_its_asker_may_see(void)
{
    static const struct { const char *what, *owner, *stranger; } cases[] = {
        { "workers", "secret", "\"runs\":[]" },
        { "live", "secret", "no such study" },
        { "explain", "runs on worker 'node'", "no such study" },
        { "explain-worker", "secret", "no study of yours is unfinished" },
    };
    struct asy_buf buf;
    struct world w;

    asy_buf_init(&buf, 1 << 16);
    if (begin(&w, 2)) {
        world_client(&w, 5, "stranger");
        world_submit(&w, CLIENT_PEER, OWNER, 1,
                     STUDY_HEAD("secret") RUN(9, true) "budget: {trials: 1}\n", 0);
        T_EQ("it runs", w.n_leases, 1);
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            world_msg(&w, CLIENT_PEER, OWNER,
                      &(struct asy_msg){ .type = ASY_MSG_QUERY, .query.what = cases[i].what });
            T_STR(cases[i].what, w.asked_key, "");
            world_msg(&w, 5, "stranger",
                      &(struct asy_msg){ .type = ASY_MSG_QUERY, .query.what = cases[i].what });
            T_STR(cases[i].what, w.asked_key, "stranger");
            T_HAS("who sees everything", live_of(&w, NULL, cases[i].what, &buf), cases[i].owner);
            T_HAS("whose it is", live_of(&w, OWNER, cases[i].what, &buf), cases[i].owner);
            T_HAS("another", live_of(&w, "stranger", cases[i].what, &buf), cases[i].stranger);
            T_TRUE(!strstr(live_of(&w, "stranger", cases[i].what, &buf), "secret"));
        }
    }
    world_close(&w);
    asy_buf_fini(&buf);
}

static void another_users_study_that_goes_first_is_not_named(void)
{
    struct world w;

    if (begin(&w, 1)) {
        world_client(&w, 5, "stranger");
        world_agent(&w, &(struct agent){ .peer = 6, .cores = 1, .key = "stranger" });
        world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY_HEAD("secret") RUN(9, true)
                     "budget: {trials: 9}\npriority: 9\n", 0);
        world_submit(&w, 5, "stranger", 2, STUDY_HEAD("b") RUN(9, true)
                     "budget: {trials: 9}\n", 0);
        T_STR("who goes first", world_explain(&w, "b", -1), "priority");
        T_HAS("unnamed", w.reply, "another user's study goes first");
    }
    world_close(&w);
}

T_MAIN("session", T_TEST(who_does_not_fit_is_rejected_with_a_reason), T_TEST(limits_hold),
       T_TEST(answers_about_the_moment_wait_for_no_commit),
       T_TEST(a_full_disk_takes_no_reports_and_judges_nobody),
       T_TEST(a_full_disk_refuses_what_it_cannot_keep),
       T_TEST(an_agent_that_greets_a_full_disk_is_settled_later),
       T_TEST(one_wish_to_end_is_enough_on_a_full_disk),
       T_TEST(unknown_sessions_are_asked_to_greet_again),
       T_TEST(another_user_s_session_is_refused_and_counted),
       T_TEST(heartbeats_are_answered_a_few_times_within_lost_after),
       T_TEST(another_users_worker_is_not_taken_over), T_TEST(a_silent_worker_is_suspect_then_lost),
       T_TEST(lateness_of_the_loop_moves_deadlines),
       T_TEST(who_comes_back_in_time_goes_on_under_the_same_epoch),
       T_TEST(a_new_lease_fences_the_old_one), T_TEST(what_an_agent_does_not_list_is_lost_at_once),
       T_TEST(a_closed_connection_frees_its_trials_after_a_second),
       T_TEST(leaving_on_purpose_frees_at_once), T_TEST(the_reattach_window_holds_leases_back),
       T_TEST(reports_count_once_and_in_order), T_TEST(a_restored_backup_takes_nothing_over),
       T_TEST(who_greets_and_breaks_off_has_the_rest_of_the_window),
       T_TEST(a_new_worker_shortens_the_wait_after_refusals),
       T_TEST(an_agent_of_version_1_0_is_served),
       T_TEST(budget_time_goes_on_while_no_coordinator_runs),
       T_TEST(watchers_hear_each_event_once_it_is_durable), T_TEST(history_ends_where_news_begin),
       T_TEST(a_watch_hears_what_it_asked_for), T_TEST(watches_are_few_and_end_with_their_session),
       T_TEST(questions_are_few_at_a_time),
       T_TEST(an_idle_coordinator_quits), T_TEST(told_to_stay_it_does),
       T_TEST(records_are_kept_and_answered),
       T_TEST(what_attempts_leave_is_not_recorded_by_others),
       T_TEST(a_question_is_answered_as_its_asker_may_see),
       T_TEST(another_users_study_that_goes_first_is_not_named))
