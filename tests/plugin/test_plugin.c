/* SPDX-License-Identifier: Apache-2.0
 * Plug-ins: what is loaded, what is refused and why. */
#include <asy/plugin.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "asytest.h"

static void a_library_tells_its_table(void)
{
    static const char want[] =
        "{\"abi\":1,\"name\":\"wrong\",\"help\":\"for tests\",\"own_data\":false,"
        "\"hyperparameters\":["
        "{\"name\":\"real\",\"type\":\"real\",\"min\":0,\"max\":1,\"default\":0.5,\"shape\":false,"
        "\"help\":\"a number\"},"
        "{\"name\":\"count\",\"type\":\"int\",\"min\":1,\"max\":8,\"default\":4,\"shape\":true,"
        "\"help\":\"a whole number\"},"
        "{\"name\":\"flag\",\"type\":\"flag\",\"default\":true,\"shape\":false,"
        "\"help\":\"yes or no\"},"
        "{\"name\":\"word\",\"type\":\"word\",\"words\":\"a|bb|a-b\",\"default\":\"a-b\","
        "\"shape\":false,\"help\":\"one of them\"}],"
        "\"metrics\":[{\"name\":\"loss\",\"help\":\"squared error\"},"
        "{\"name\":\"rmse\",\"help\":\"root of it\"}]}";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_plugin *plugin = NULL;
    struct asy_buf json;

    asy_buf_init(&json, 1u << 16);
    if (T_OK(asy_plugin_open(PLUGIN_WRONG_SO, &plugin, &err), &err)) {
        asy_plugin_write(plugin, &json);
        T_STR("table", json.data, want);
        /* It was built with structs that are longer than ours. */
        T_EQ("size", asy_plugin_get(plugin)->size, sizeof(struct asy_trainer_plugin));
        T_STR("second", asy_plugin_get(plugin)->hypers[1].name, "count");
        T_TRUE(!asy_plugin_get(plugin)->save);
    }
    asy_plugin_close(plugin);
    asy_buf_fini(&json);
}

/* In a process of its own, which the library may end: what opening it says. */
static void open_in_child(const char *path, const char *wrong, char *ret, size_t size)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_plugin *plugin = NULL;
    int fds[2], status = 0;
    ssize_t n;
    pid_t pid;

    ret[0] = '\0';
    if (!T_EQ("pipe", pipe(fds), 0))
        return;
    fflush(NULL);
    if ((pid = fork()) == 0) {
        int rc;

        setenv("PLUGIN_WRONG", wrong, 1);
        rc = asy_plugin_open(path, &plugin, &err);
        asy_plugin_close(plugin);
        if (rc < 0)
            n = write(fds[1], err.text, strlen(err.text));
        _exit(rc == ASY_E_INVAL ? 0 : 1);
    }
    close(fds[1]);
    n = read(fds[0], ret, size - 1);
    ret[n > 0 ? n : 0] = '\0';
    close(fds[0]);
    T_EQ("waited", waitpid(pid, &status, 0), pid);
    T_EQ(wrong, status, 0);
}

static void each_mistake_is_named(void)
{
    static const struct { const char *wrong, *want; } cases[] = {
        { "refuses", "it does not work with version 1 of asy/trainer.h, which this engine has" },
        { "newer", "it was built for version 2 of asy/trainer.h, and this engine has version 1" },
        { "older", "it was built for version 0 of asy/trainer.h" },
        { "short", "its size says 16 bytes" },
        { "hyper_size", "hyper_size or metric_size is not the size of its struct" },
        { "metric_size", "hyper_size or metric_size is not the size of its struct" },
        { "many", "it has 65 hyperparameters; up to 64 are allowed" },
        { "no_table", "it has 4 hyperparameters; up to 64" },
        { "no_metrics", "it has 0 metrics; 1 to 16 are allowed" },
        { "no_step", "one of create, params, step, evaluate and destroy is missing" },
        { "save_alone", "it has only one of save and load" },
        { "flags", "it has flags that are none of this version" },
        { "no_name", "it has no usable name" },
        { "no_help", "no help of one line" },
        { "hyper_name", "hyperparameter 0 has no usable name" },
        { "hyper_null", "hyperparameter 0 has no usable name" },
        { "hyper_help", "hyperparameter 'real' has no help of one line" },
        { "hyper_flags", "hyperparameter 'real' has flags that are none of this version" },
        { "hyper_twice", "hyperparameter 'real' is there twice" },
        { "type", "hyperparameter 'real': its type is none of this version" },
        { "range", "hyperparameter 'real': min and max are no range" },
        { "nan", "hyperparameter 'real': its default lies outside" },
        { "outside", "hyperparameter 'real': its default lies outside" },
        { "half", "hyperparameter 'count': min, max and default of an int" },
        { "flag", "hyperparameter 'flag': the default of a flag is 0 or 1" },
        { "words", "hyperparameter 'word': words are" },
        { "first_bar", "hyperparameter 'word': words are" },
        { "last_bar", "hyperparameter 'word': words are" },
        { "same_words", "hyperparameter 'word': words are" },
        { "no_words", "hyperparameter 'word': words are" },
        { "word", "hyperparameter 'word': the default of a word is its index" },
        { "metric_name", "metric 1 has no usable name" },
        { "metric_help", "metric 'rmse' has no help of one line" },
        { "metric_flags", "metric 'rmse' has flags that are none of this version" },
        { "metric_twice", "metric 'loss' is there twice" },
        { "no_loss", "its first metric is 'error', not 'loss'" },
    };
    char text[400];

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        open_in_child(PLUGIN_WRONG_SO, cases[i].wrong, text, sizeof text);
        T_HAS(cases[i].wrong, text, cases[i].want);
    }
    open_in_child(PLUGIN_NOTHING_SO, "", text, sizeof text);
    T_HAS("no plug-in", text, "it has no asy_trainer_plugin(), which ASY_TRAINER_EXPORT defines");
    open_in_child("/nowhere/x.so", "", text, sizeof text);
    T_HAS("no file", text, "plug-in '/nowhere/x.so': /nowhere/x.so: cannot open");
    open_in_child("x.so", "", text, sizeof text);
    T_HAS("not from the library path", text, "plug-in 'x.so': its path has no '/'");
    open_in_child("/proc/self/exe", "", text, sizeof text);
    T_HAS("a program", text, "plug-in '/proc/self/exe': ");
}

/* Rows and numbers of a row get bits that look like chance. */
static void random_bits_are_spread(void)
{
    int n[64] = { 0 };

    for (uint64_t row = 0; row < 64; row++)
        for (uint64_t number = 0; number < 64; number++) {
            uint64_t x = asy_trainer_random(7, row, number);

            for (int bit = 0; bit < 64; bit++)
                n[bit] += (int)(x >> bit & 1);
        }
    for (int bit = 0; bit < 64; bit++) /* six standard deviations of 4096 fair coins are 192 */
        T_TRUE(n[bit] > 2048 - 192 && n[bit] < 2048 + 192);
    T_TRUE(asy_trainer_random(1, 2, 3) != asy_trainer_random(1, 3, 2));
    T_TRUE(asy_trainer_random(1, 2, 3) != asy_trainer_random(2, 1, 3));
}

T_MAIN("plug-in", T_TEST(a_library_tells_its_table), T_TEST(each_mistake_is_named),
       T_TEST(random_bits_are_spread))
