/* SPDX-License-Identifier: Apache-2.0
 * test_gate.c - what may leave when, and in which order. */
#include <asytest.h>
#include <asy/gate.h>

static struct asy_effect send(uint64_t peer, uint64_t commit, int64_t mark)
{
    struct asy_effect fx = { .type = ASY_FX_SEND, .peer = peer, .commit = commit };

    fx.msg.type = ASY_MSG_PONG;
    fx.msg.pong.sent_ms = mark;
    return fx;
}

static struct asy_effect ask(uint64_t study, uint64_t commit, uint64_t number)
{
    struct asy_effect fx = { .type = ASY_FX_ASK, .study = asy_id_from(study, study),
                             .commit = commit };

    fx.ask.number = number;
    return fx;
}

/* "p1:5@3" peer 1, mark 5, commit 3; "s..." for asks of a study. Returns the marks that leave. */
static void play(const char *name, const struct asy_effect *fx, size_t n, uint64_t durable,
                 const char *want)
{
    struct asy_gate *gate = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    const struct asy_effect *out;
    char got[200] = "";

    if (!T_OK(asy_gate_create(&gate, &err), &err))
        return;
    for (size_t i = 0; i < n; i++)
        T_OK(asy_gate_put(gate, &fx[i], &err), &err);
    asy_gate_durable(gate, durable);
    while ((out = asy_gate_next(gate)))
        snprintf(got + strlen(got), sizeof got - strlen(got), "%d ",
                 (int)(out->type == ASY_FX_SEND ? out->msg.pong.sent_ms
                                                : (int64_t)out->ask.number));
    T_STR(name, got, want);
    asy_gate_destroy(gate);
}

static void effects_wait_for_their_commit(void)
{
    const struct asy_effect fx[] = { send(1, 1, 10), send(2, 2, 20), send(1, 2, 30),
                                     send(2, 3, 40) };

    play("nothing is durable", fx, 4, 0, "");
    play("the first commit", fx, 4, 1, "10 ");
    play("the second too", fx, 4, 2, "10 20 30 ");
    play("all", fx, 4, 9, "10 20 30 40 ");
}

static void what_has_no_cause_passes_others_but_not_its_own(void)
{
    const struct asy_effect peers[] = { send(1, 1, 10), send(2, 0, 20), send(1, 0, 30) };
    const struct asy_effect studies[] = { ask(1, 1, 1), ask(2, 0, 2), ask(1, 0, 3), send(3, 0, 4) };

    play("another peer passes", peers, 3, 0, "20 ");
    play("then all of the first, in order", peers, 3, 1, "20 10 30 ");
    play("another study passes", studies, 4, 0, "2 4 ");
    play("then all of the first study", studies, 4, 1, "2 4 1 3 ");
}

static void a_commit_known_as_durable_holds_nothing(void)
{
    struct asy_gate *gate = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_effect early = send(1, 3, 1), late = send(1, 4, 2);

    if (!T_OK(asy_gate_create(&gate, &err), &err))
        return;
    asy_gate_durable(gate, 3);
    T_OK(asy_gate_put(gate, &early, &err), &err);
    T_OK(asy_gate_put(gate, &late, &err), &err);
    T_EQ("both are inside", asy_gate_waiting(gate), 2);
    T_TRUE(asy_gate_next(gate) != NULL);
    T_TRUE(asy_gate_next(gate) == NULL);
    asy_gate_durable(gate, 2); /* an older report changes nothing */
    T_TRUE(asy_gate_next(gate) == NULL);
    asy_gate_durable(gate, 4);
    T_TRUE(asy_gate_next(gate) != NULL);
    T_EQ("empty", asy_gate_waiting(gate), 0);
    asy_gate_destroy(gate);
}

static void copies_are_deep_and_room_is_used_again(void)
{
    struct asy_gate *gate = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    double x[2] = { 1, 2 }, value = 3;
    char text[16];

    if (!T_OK(asy_gate_create(&gate, &err), &err))
        return;
    for (int i = 0; i < 5000; i++) {
        struct asy_effect fx = { .type = ASY_FX_SEND, .peer = 1, .commit = (uint64_t)i + 1 };
        struct asy_effect tell = { .type = ASY_FX_TELL, .n_x = 2, .n_values = 1 };
        const struct asy_effect *out;

        snprintf(text, sizeof text, "%d", i);
        fx.msg.type = ASY_MSG_REJECT;
        fx.msg.reject.text = text;
        tell.tell.x = x;
        tell.tell.values = &value;
        T_OK(asy_gate_put(gate, &fx, &err), &err);
        T_OK(asy_gate_put(gate, &tell, &err), &err);
        x[0] = -1;
        memset(text, 'x', sizeof text - 1);
        out = asy_gate_next(gate);
        if (!T_TRUE(out && out->type == ASY_FX_TELL) || !T_TRUE(out->tell.x[0] == 1) ||
            !T_TRUE(out->tell.values[0] == 3))
            break;
        asy_gate_durable(gate, (uint64_t)i + 1);
        out = asy_gate_next(gate);
        snprintf(text, sizeof text, "%d", i);
        if (!T_TRUE(out != NULL) || !T_STR("text", out->msg.reject.text, text))
            break;
        x[0] = 1;
    }
    asy_gate_destroy(gate);
}

static void questions_do_not_wait_for_a_store_that_cannot_write(void)
{
    struct asy_effect question = { .type = ASY_FX_QUERY, .peer = 1, .commit = 2 }, watch = question;
    struct asy_effect before = send(1, 1, 10), other = send(2, 2, 20);
    struct asy_gate *gate = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    const struct asy_effect *out;

    question.msg.type = ASY_MSG_QUERY;
    watch.msg.type = ASY_MSG_WATCH;
    if (!T_OK(asy_gate_create(&gate, &err), &err))
        return;
    T_OK(asy_gate_put(gate, &before, &err), &err);
    T_OK(asy_gate_put(gate, &question, &err), &err);
    T_OK(asy_gate_put(gate, &watch, &err), &err);
    T_OK(asy_gate_put(gate, &other, &err), &err);
    T_TRUE(asy_gate_next(gate) == NULL);
    asy_gate_let_ask(gate);
    out = asy_gate_next(gate);
    T_TRUE(out && out->type == ASY_FX_QUERY && out->msg.type == ASY_MSG_QUERY);
    T_TRUE(asy_gate_next(gate) == NULL);
    asy_gate_durable(gate, 2); /* what stayed leaves in its order */
    out = asy_gate_next(gate);
    T_TRUE(out && out->type == ASY_FX_SEND && out->msg.pong.sent_ms == 10);
    out = asy_gate_next(gate);
    T_TRUE(out && out->type == ASY_FX_QUERY && out->msg.type == ASY_MSG_WATCH);
    out = asy_gate_next(gate);
    T_TRUE(out && out->type == ASY_FX_SEND && out->msg.pong.sent_ms == 20);
    T_EQ("empty", asy_gate_waiting(gate), 0);
    asy_gate_destroy(gate);
}

T_MAIN("gate", T_TEST(questions_do_not_wait_for_a_store_that_cannot_write),
       T_TEST(effects_wait_for_their_commit),
       T_TEST(what_has_no_cause_passes_others_but_not_its_own),
       T_TEST(a_commit_known_as_durable_holds_nothing),
       T_TEST(copies_are_deep_and_room_is_used_again))
