/* SPDX-License-Identifier: Apache-2.0
 * test_view.c - the picture of a study, at any size. */
#include "study_kit.h"
#include "format.h"
#include "view.h"

static bool busy_study(struct asy__progress *p)
{
    if (!kit_study(p))
        return false;
    kit_trial(p, 0, "{\"lr\":0.5,\"hidden\":64,\"activation\":\"leaky_relu\"}", 4);
    kit_report(p, 0, 4, 0.91234567);
    kit_state(p, 0, "paused", 4);
    kit_trial(p, 1, "{\"lr\":0.25,\"hidden\":32,\"activation\":\"relu\"}", 4);
    kit_report(p, 1, 2, 0.5);
    kit_trial(p, 2, "{\"lr\":0.125,\"hidden\":16,\"activation\":\"relu\"}", 16);
    kit_trial(p, 3, "{\"lr\":1}", 4);
    kit_state(p, 3, "failed", 1);
    return true;
}

static void layout(const struct asy__progress *p, struct asy__style style, const char *note,
                   struct asy_buf *out)
{
    struct asy__view view = { .progress = p, .elapsed_ms = 42000, .left_ms = 125000, .note = note,
                              .hint = "Ctrl-C: stop" };

    asy_buf_clear(out);
    asy__view_layout(&view, &style, out);
}

static void everything_stands_on_a_usual_terminal(void)
{
    struct asy_buf out = { 0 };
    struct asy__progress p;

    asy_buf_init(&out, 1u << 20);
    if (busy_study(&p)) {
        layout(&p, (struct asy__style){ 79, 23, 0, 0 }, "", &out);
        T_STR("the picture", out.data,
              "digits  running                                          0:42, about 2 min left\n"
              "#######.......................  2 of 8 trials\n"
              "2 running  1 paused  0 pruned  1 failed  0 done                  1.0k samples/s\n"
              "best    val_accuracy 0.91235  trial 0 at epoch 4, paused\n"
              "        lr=0.5 hidden=64 activation=leaky_relu\n"
              "running                     val_accuracy\n"
              "     1  epoch 2 of 4        0.5           lr=0.25 hidden=32 activation=relu\n"
              "     2  epoch 0 of 16       -             lr=0.125 hidden=16 activation=relu\n"
              "Ctrl-C: stop\n");
    }
    asy__progress_fini(&p);
    asy_buf_fini(&out);
}

/* Between two jobs of a worker its next trial is leased and not started yet: rows do not come and
 * go. The value stands below its name, whatever that is called. */
static void what_is_leased_is_listed_below_a_long_name(void)
{
    struct asy_buf out = { 0 };
    struct asy__progress p;

    asy_buf_init(&out, 1u << 20);
    if (kit_study(&p)) {
        snprintf(p.metric, sizeof p.metric, "%s", "a_metric_whose_name_is_long");
        kit_trial(&p, 0, "{\"lr\":0.5}", 4);
        kit_state(&p, 0, "paused", 4);
        kit_event(&p, "{\"kind\":\"leased\",\"trial\":0,\"attempt\":2,\"milestone\":16,"
                  "\"from\":{\"attempt\":1,\"step\":4}}");
        layout(&p, (struct asy__style){ 79, 23, 0, 0 }, "", &out);
        T_HAS("its row", out.data,
              "running                     a_metric_whose_name_i...\n"
              "     0  epoch 4 of 16       -                         lr=0.5\n");
    }
    asy__progress_fini(&p);
    asy_buf_fini(&out);
}

static void nothing_is_known_at_the_beginning(void)
{
    struct asy_buf out = { 0 };
    struct asy__progress p;
    struct asy__view view = { .progress = &p, .elapsed_ms = 0, .left_ms = -1, .note = "",
                              .hint = "" };

    asy_buf_init(&out, 1u << 20);
    if (kit_study(&p)) {
        asy__view_layout(&view, &(struct asy__style){ 60, 20, 0, 0 }, &out);
        T_STR("the picture", out.data,
              "digits  running                                         0:00\n"
              "..............................  0 of 8 trials\n"
              "0 running  0 paused  0 pruned  0 done\n"
              "best    no val_accuracy yet\n");
    }
    asy__progress_fini(&p);
    asy_buf_fini(&out);
}

static size_t widest(const char *lines, size_t *ret_n)
{
    size_t most = 0;

    for (*ret_n = 0; *lines; ++*ret_n) {
        size_t len = strcspn(lines, "\n"), w = asy__text_width(lines, len);

        most = w > most ? w : most;
        lines += len + 1;
    }
    return most;
}

static void it_fits_every_size(void)
{
    struct asy_buf out = { 0 };
    struct asy__progress p;
    size_t n;

    asy_buf_init(&out, 1u << 20);
    if (busy_study(&p))
        for (size_t width = 1; width <= 130; width += width < 40 ? 1 : 9)
            for (size_t height = 1; height <= 30; height++)
                for (int utf8 = 0; utf8 < 2; utf8++) {
                    char name[40];

                    layout(&p, (struct asy__style){ width, height, 0, utf8 },
                           "the coordinator does not answer; trials go on", &out);
                    snprintf(name, sizeof name, "%zux%zu", width, height);
                    if (widest(out.data, &n) > width || n > height || n == 0)
                        T_STR(name, out.data, "lines that fit");
                }
    asy__progress_fini(&p);
    asy_buf_fini(&out);
}

static void what_is_wrong_stays_when_lines_are_few(void)
{
    struct asy_buf out = { 0 };
    struct asy__progress p;

    asy_buf_init(&out, 1u << 20);
    if (busy_study(&p)) {
        layout(&p, (struct asy__style){ 60, 4, 0, 0 }, "waiting: the disk is full", &out);
        T_HAS("the note", out.data, "waiting: the disk is full\n");
        T_HAS("the counts", out.data, "2 running");
    }
    asy__progress_fini(&p);
    asy_buf_fini(&out);
}

static void colours_take_no_columns(void)
{
    struct asy_buf plain = { 0 }, painted = { 0 };
    struct asy__progress p;

    asy_buf_init(&plain, 1u << 20);
    asy_buf_init(&painted, 1u << 20);
    if (busy_study(&p)) {
        layout(&p, (struct asy__style){ 60, 20, 0, 0 }, "a note", &plain);
        T_TRUE(strchr(plain.data, '\033') == NULL);
        layout(&p, (struct asy__style){ 60, 20, 1, 0 }, "a note", &painted);
        T_TRUE(strchr(painted.data, '\033') != NULL);
        for (char *code; (code = strchr(painted.data, '\033'));) {
            char *end = strchr(code, 'm');

            memmove(code, end + 1, strlen(end + 1) + 1);
        }
        T_STR("the same without its colours", painted.data, plain.data);
    }
    asy__progress_fini(&p);
    asy_buf_fini(&plain);
    asy_buf_fini(&painted);
}

static void names_from_outside_are_harmless(void)
{
    struct asy_buf out = { 0 };
    struct asy__progress p;

    asy_buf_init(&out, 1u << 20);
    if (kit_study(&p)) {
        kit_trial(&p, 0, "{\"x\":\"\\u001b[2J\"}", 4);
        kit_report(&p, 0, 1, 0.5);
        layout(&p, (struct asy__style){ 79, 20, 0, 0 }, "", &out);
        T_TRUE(strchr(out.data, '\033') == NULL);
        T_HAS("as text", out.data, "x= [2J");
    }
    asy__progress_fini(&p);
    asy_buf_fini(&out);
}

T_MAIN("cli view", T_TEST(everything_stands_on_a_usual_terminal),
       T_TEST(what_is_leased_is_listed_below_a_long_name),
       T_TEST(nothing_is_known_at_the_beginning), T_TEST(it_fits_every_size),
       T_TEST(what_is_wrong_stays_when_lines_are_few), T_TEST(colours_take_no_columns),
       T_TEST(names_from_outside_are_harmless))
