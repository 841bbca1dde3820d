/* SPDX-License-Identifier: Apache-2.0
 * test_tables.c - lists and pages out of the coordinator's answers. */
#include <asytest.h>
#include <asy/json.h>
#include <asy/study.h>
#include "tables.h"

static const char trials[] =
    "{\"trials\":["
    "{\"number\":0,\"state\":\"complete\",\"cause\":null,\"value\":0.98328690807799445,\"step\":40,"
    "\"attempts\":4,\"started_us\":1000000,\"ended_us\":1250000,"
    "\"params\":{\"lr\":0.0065523456,\"optimizer\":\"adam\"}},"
    "{\"number\":1,\"state\":\"failed\",\"cause\":\"diverged\",\"value\":null,\"step\":2,"
    "\"attempts\":1,\"started_us\":1000000,\"ended_us\":63000000,"
    "\"params\":{\"lr\":0.5,\"optimizer\":\"sgd\",\"momentum\":0.9}}]}";

static void table(int (*make)(const struct asy_json *, size_t, struct asy_buf *,
                              struct asy_error *),
                  const char *name, const char *answer, size_t width, const char *want)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy_buf out = { 0 };

    asy_buf_init(&out, 1u << 20);
    if (T_OK(asy_json_parse(answer, strlen(answer), &root, &err), &err) &&
        T_OK(make(root, width, &out, &err), &err))
        T_STR(name, out.data, want);
    asy_json_destroy(root);
    asy_buf_fini(&out);
}

static void parameters_have_columns_where_there_is_room(void)
{
    table(asy__table_of_trials, "room", trials, 0,
          "TRIAL  STATE       VALUE  STEP  ATTEMPTS  TOOK        WHY       lr         optimizer"
          "  momentum\n"
          "    0  complete  0.98329    40         4  0.25 s                0.0065523  adam\n"
          "    1  failed          -     2         1  1 min 02 s  diverged  0.5        sgd"
          "        0.9\n");
    table(asy__table_of_trials, "no room", trials, 60,
          "TRIAL  STATE       VALUE  STEP  WHY       PARAMETERS\n"
          "    0  complete  0.98329    40            lr=0.0065523 op...\n"
          "    1  failed          -     2  diverged  lr=0.5 optimize...\n");
}

/* It may have queued for an hour: that it took less would say nothing. */
static void how_long_a_trial_took_is_left_open_where_its_start_is_not_known(void)
{
    table(asy__table_of_trials, "over at once",
          "{\"trials\":[{\"number\":0,\"state\":\"complete\",\"value\":1,\"step\":1,"
          "\"attempts\":1,\"created_us\":1000000,\"started_us\":3601000000,"
          "\"ended_us\":3601000000,\"params\":{\"x\":2}},"
          "{\"number\":1,\"state\":\"complete\",\"value\":3,\"step\":1,"
          "\"attempts\":1,\"created_us\":1000000,\"started_us\":3601000000,"
          "\"ended_us\":3601003200,\"params\":{\"x\":4}}]}", 0,
          "TRIAL  STATE     VALUE  STEP  ATTEMPTS  TOOK    x\n"
          "    0  complete      1     1         1          2\n"
          "    1  complete      3     1         1  3.2 ms  4\n");
}

static void empty_lists_say_what_to_do(void)
{
    table(asy__table_of_studies, "studies", "{\"studies\":[]}", 80,
          "no studies yet; 'assay run FILE' makes one\n");
    table(asy__table_of_trials, "trials", "{\"trials\":[]}", 80, "no trials yet\n");
    table(asy__table_of_workers, "workers", "{\"workers\":[]}", 80,
          "no workers; 'assay up' starts one here, 'assay run' too\n");
}

static void workers_show_what_they_run(void)
{
    table(asy__table_of_workers, "workers",
          "{\"workers\":[{\"id\":\"06a1f00300000000\",\"host\":\"node-1\",\"state\":\"ready\","
          "\"cores\":8,\"free_cores\":6,"
          "\"memory\":8589934592,\"memory_used\":536870912,\"gpus\":0,\"fit\":\"\",\"runs\":["
          "{\"study\":\"a\",\"trial\":3},{\"study\":\"b\",\"trial\":0}]}]}",
          0,
          "WORKER  ID        STATE  CORES  FREE   MEMORY     USED  GPUS  RUNS\n"
          "node-1  06a1f003  ready      8     6  8.0 GiB  512 MiB     0  a 3, b 0\n");
}

static void whoever_was_not_let_in_stands_below_the_workers(void)
{
    table(asy__table_of_workers, "refused",
          "{\"workers\":[],\"connections\":{\"accepted\":9,\"refused_keys\":3,"
          "\"failed_handshakes\":2,\"last_refused_key\":\"abc\",\"last_refused_from\":"
          "\"10.0.0.7\"}}", 0,
          "no workers; 'assay up' starts one here, 'assay run' too\n"
          "\nnot let in: 3 connections, the last from 10.0.0.7 with key 'abc', which is not on the "
          "list: revoked, or never invited\n"
          "broken off: 2 connections before the keys were proven (another program, or an "
          "invitation of another coordinator)\n");
    table(asy__table_of_workers, "nobody",
          "{\"workers\":[],\"connections\":{\"accepted\":9,\"refused_keys\":0,"
          "\"failed_handshakes\":0}}", 0,
          "no workers; 'assay up' starts one here, 'assay run' too\n");
}

static void workers_show_how_much_of_their_gpus_is_given_out(void)
{
    table(asy__table_of_workers, "gpus",
          "{\"workers\":[{\"id\":\"06a1f00300000000\",\"host\":\"a\",\"state\":\"ready\","
          "\"gpus\":2,\"gpu_list\":[{\"used\":1.0},{\"used\":0.25}]},"
          "{\"id\":\"07a1f00300000000\",\"host\":\"b\",\"state\":\"ready\",\"gpus\":2,"
          "\"gpu_list\":[{\"used\":0.0},{\"used\":0.0}]}]}", 0,
          "WORKER  ID        STATE  CORES  FREE   MEMORY     USED       GPUS\n"
          "a       06a1f003  ready      0     0  0 bytes  0 bytes  1.25 of 2\n"
          "b       07a1f003  ready      0     0  0 bytes  0 bytes          2\n");
}

static void ids_of_workers_tell_them_apart(void)
{
    table(asy__table_of_workers, "two of a host",
          "{\"workers\":[{\"id\":\"06a1f00312340000\",\"host\":\"vm\",\"state\":\"away\"},"
          "{\"id\":\"06a1f00312990000\",\"host\":\"vm\",\"state\":\"ready\"}]}", 0,
          "WORKER  ID           STATE  CORES  FREE   MEMORY     USED  GPUS\n"
          "vm      06a1f003123  away       0     0  0 bytes  0 bytes     0\n"
          "vm      06a1f003129  ready      0     0  0 bytes  0 bytes     0\n");
    table(asy__table_of_workers, "the same one twice",
          "{\"workers\":[{\"id\":\"06a1f00312\",\"host\":\"vm\",\"state\":\"gone\"},"
          "{\"id\":\"06a1f00312\",\"host\":\"vm\",\"state\":\"ready\"}]}", 0,
          "WORKER  ID          STATE  CORES  FREE   MEMORY     USED  GPUS\n"
          "vm      06a1f00312  gone       0     0  0 bytes  0 bytes     0\n"
          "vm      06a1f00312  ready      0     0  0 bytes  0 bytes     0\n");
}

static void a_trial_has_all_of_its_record(void)
{
    static const char answer[] =
        "{\"id\":\"0af1\",\"number\":7,\"study\":\"digits\",\"state\":\"failed\",\"cause\":\"exit-"
        "code\","
        "\"text\":\"crashed: exit code 3\",\"value\":0.5,\"step\":4,\"metric\":\"val_accuracy\","
        "\"unit\":\"epochs\",\"seed\":42,\"source\":\"tpe\",\"params\":{\"lr\":0.1},"
        "\"command\":[\"train\",\"--lr\",\"0.1\"],"
        "\"datasets\":[{\"name\":\"d.csv\",\"digest\":\"ab12\",\"profile\":{\"rows\":9,\"columns\":"
        "3}}],\"attempt_list\":[{\"attempt\":1,\"host\":\"node-1\",\"cores\":\"0-1\",\"step\":4,"
        "\"started_us\":1000000,\"ended_us\":3500000,\"cpu_s\":2.5,\"max_rss\":1048576,"
        "\"end\":\"crashed\",\"exit_code\":3,\"signal\":0,\"cause\":\"exit-code\",\"text\":\"no "
        "coffee\","
        "\"hardware\":{\"host\":\"node-1\",\"model\":\"some processor\",\"ranks\":1,"
        "\"caches\":{\"l1\":32768,\"l2\":1048576},\"gflops\":76.33},"
        "\"versions\":{\"zeromq\":\"4.3.4\"}}],"
        "\"metrics\":[{\"name\":\"loss\",\"step\":1,\"value\":0.5,\"attempt\":1},"
        "{\"name\":\"loss\",\"step\":2,\"value\":0.25,\"attempt\":1}],"
        "\"artifacts\":[{\"name\":\"model\",\"step\":4,\"bytes\":2048,\"path\":\"/a/"
        "b\"}],\"tags\":{}}";
    static const char *const parts[] = {
        "trial     7 of digits failed (exit-code): crashed: exit code 3\n", "run       0af1\n",
        "params    lr=0.1\n", "value     val_accuracy 0.5, now at epoch 4\n",
        "seed      42, point by tpe\n", "command   train --lr 0.1\n",
        "data      d.csv: 9 rows, 3 columns, sha256 ab12\n",
        "hardware  some processor on node-1, caches 32 KiB, 1.0 MiB, 76 GFLOP/s\n",
        "versions  zeromq 4.3.4\n",
        "      1  node-1  0-1     4  2.5 s  2.5 s  1.0 MiB  crashed  exit code 3: no coffee\n",
        "loss         2    0.5  0.25  0.25 at 2  0.5 at 1\n",
        "model        4  2.0 KiB  /a/b\n",
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy_buf out = { 0 };

    asy_buf_init(&out, 1u << 20);
    if (T_OK(asy_json_parse(answer, strlen(answer), &root, &err), &err) &&
        T_OK(asy__page_of_trial(root, 0, 0, &out, &err), &err))
        for (size_t i = 0; i < ASY_ARRAY_LEN(parts); i++)
            T_HAS("the page", out.data, parts[i]);
    asy_buf_clear(&out);
    if (root && T_OK(asy__page_of_trial(root, 1, 0, &out, &err), &err))
        T_HAS("every value", out.data, "loss       2   0.25        1\n");
    asy_json_destroy(root);
    asy_buf_fini(&out);
}

/* What was understood when it was run; of a study that this version cannot read, the bare words. */
static void a_study_says_what_was_understood(void)
{
    static const char yaml[] =
        "assay: 1\nname: digits\ndescription: a try\n"
        "run: {model: mlp, length: {max: 8}}\ndata: d.csv\n"
        "objective: {metric: val_loss, goal: minimize}\n"
        "parameters: {lr: {min: 1e-3, max: 1.0, scale: log}, layers: {min: 1, max: 3}}\n"
        "search: {sampler: random, seed: 7}\nbudget: {trials: 2, parallel: 1}\n";
    static const char rest[] = "\"name\":\"digits\",\"state\":\"finished\",\"trials\":2,"
                               "\"cause\":\"budget-trials\",\"text\":\"2 trials: 2 complete\","
                               "\"complete\":2,\"best\":0.25,\"best_trial\":1}";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_study_spec *spec = NULL;
    struct asy_buf answer = { 0 };

    asy_buf_init(&answer, 1u << 20);
    if (T_OK(asy_study_parse(yaml, strlen(yaml), "s", "/b", &spec, NULL, &err), &err)) {
        asy_buf_addf(&answer, "{\"spec\":%s,%s", spec->canonical, rest);
        table(asy__page_of_study, "the plan", answer.data, 0,
              "study     digits finished (budget-trials)\n"
              "about     a try\n"
              "objective minimize val_loss (the best of a trial)\n"
              "run       mlp, at most 8 epochs a trial\n"
              "space     lr      0.001 to 1, log\n"
              "          layers  1 to 3, whole\n"
              "search    random, pruner none, seed 7\n"
              "budget    2 trials\n"
              "needs     1 core and 1.0 GiB a trial, at most 1 trial at a time\n"
              "trials    2: 2 complete\n"
              "best      0.25 (trial 1)\n");
    }
    asy_buf_clear(&answer);
    asy_buf_addf(&answer, "{\"spec\":{\"assay\":2,\"run\":{\"model\":\"cnn\"},\"objective\":"
                 "{\"metric\":\"m\",\"goal\":\"minimize\"}},%s", rest);
    table(asy__page_of_study, "of a later version", answer.data, 0,
          "study     digits finished (budget-trials)\n"
          "model     cnn\n"
          "objective minimize m\n"
          "trials    2: 2 complete\n"
          "best      0.25 (trial 1)\n");
    asy_study_destroy(spec);
    asy_buf_fini(&answer);
}

T_MAIN("cli tables", T_TEST(parameters_have_columns_where_there_is_room),
       T_TEST(how_long_a_trial_took_is_left_open_where_its_start_is_not_known),
       T_TEST(empty_lists_say_what_to_do), T_TEST(workers_show_what_they_run),
       T_TEST(whoever_was_not_let_in_stands_below_the_workers),
       T_TEST(workers_show_how_much_of_their_gpus_is_given_out),
       T_TEST(ids_of_workers_tell_them_apart),
       T_TEST(a_trial_has_all_of_its_record), T_TEST(a_study_says_what_was_understood))
