/* SPDX-License-Identifier: Apache-2.0
 * The node: machines we do not have (hwloc's synthetic descriptions), limits of cgroups from
 * recorded files, and the machine at hand. */
#include "../asytest.h"
#include <asy/node.h>
#include <sys/stat.h>
#include <unistd.h>

static void counts_cores_of_other_machines(void)
{
    static const struct {
        const char *name, *machine;
        int smt;
        uint32_t max, cores, numa, last_group;
    } cases[] = {
        { "one core", "core:1 pu:1", 0, 0, 1, 1, 0 },
        { "two sockets with threads", "package:2 [numa] core:4 pu:2", 0, 0, 8, 2, 1 },
        { "threads as cores", "package:2 [numa] core:4 pu:2", 1, 0, 16, 2, 1 },
        { "fewer wanted", "package:2 [numa] core:4 pu:2", 0, 3, 3, 2, 0 },
        { "four NUMA nodes in a socket", "package:1 group:4 [numa] core:16 pu:2", 0, 0, 64, 4, 3 },
        { "no core objects", "pu:6", 0, 0, 6, 1, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_node_options options = ASY_NODE_OPTIONS_INIT;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_node *node = NULL;

        options.synthetic = cases[i].machine;
        options.smt = cases[i].smt;
        options.max_cores = cases[i].max;
        if (!T_OK(asy_node_create(&options, &node, &err), &err))
            continue;
        T_EQ(cases[i].name, node->n_cores, cases[i].cores);
        T_EQ(cases[i].name, node->n_numa, cases[i].numa);
        T_EQ(cases[i].name, node->group[node->n_cores - 1], cases[i].last_group);
        for (uint32_t c = 1; c < node->n_cores; c++)
            T_TRUE(node->cpu[c] > node->cpu[c - 1]);
        asy_node_destroy(node);
    }
}

static void shared_cores_come_round_again(void)
{
    static const unsigned want[] = { 0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6 };
    struct asy_node_options options = ASY_NODE_OPTIONS_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_node *node = NULL;

    options.synthetic = "package:2 [numa] core:2 pu:2";
    options.share = 3;
    if (!T_OK(asy_node_create(&options, &node, &err), &err))
        return;
    T_EQ("cores", node->n_cores, 12);
    for (uint32_t c = 0; c < node->n_cores && c < 12; c++) {
        T_EQ("CPU", node->cpu[c], want[c]);
        T_EQ("group", node->group[c], c % 4 / 2);
    }
    asy_node_destroy(node);
}

static void refuses_what_is_no_machine(void)
{
    struct asy_node_options options = ASY_NODE_OPTIONS_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_node *node = NULL;

    options.synthetic = "nonsense";
    T_EQ("synthetic", asy_node_create(&options, &node, &err), ASY_E_FORMAT);
    T_HAS("synthetic", err.text, "nonsense");
    options.synthetic = NULL;
    options.xml = "/nonexistent.xml";
    T_TRUE(asy_node_create(&options, &node, &err) < 0);
    T_TRUE(node == NULL);
}

static void knows_this_machine(void)
{
    struct asy_node_options options = ASY_NODE_OPTIONS_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_node *node = NULL;
    struct asy_buf json;
    struct asy_jsonw w;
    struct asy_json *root = NULL;

    if (!T_OK(asy_node_create(&options, &node, &err), &err))
        return;
    T_TRUE(node->n_cores >= 1);
    T_TRUE(node->memory > 0 && node->memory < node->memory_total);
    T_TRUE(node->host[0] && node->boot_id[0]);
    asy_buf_init(&json, 65536);
    asy_jsonw_init(&w, &json, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_node_write(node, &w);
    asy_jsonw_close(&w, '}');
    if (T_OK(asy_json_parse(json.data, json.len, &root, &err), &err)) {
        T_EQ("cores", asy_json_i64(asy_json_get(root, "cores"), -1), node->n_cores);
        T_STR("host", asy_json_str(asy_json_get(root, "host"), NULL), node->host);
        T_TRUE(asy_json_get(asy_json_get(root, "caches"), "l2") != NULL);
    }
    asy_json_destroy(root);
    asy_buf_fini(&json);
    asy_node_destroy(node);
}

static void put(const char *root, const char *path, const char *text)
{
    char full[600];
    FILE *f;

    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(full, 0700);
        *at = '/';
    }
    f = fopen(full, "we");
    if (T_TRUE(f != NULL)) {
        fputs(text, f);
        fclose(f);
    }
}

static void takes_the_least_limit_of_all_levels(void)
{
    static const struct {
        const char *name, *self;
        const char *files[6]; /* path, text, … */
        double cpus;
        uint64_t memory;
    } cases[] = {
        { "no limits", "0::/a/b\n", { "a/b/cpu.max", "max 100000\n", "a/b/memory.max", "max\n" },
          0, 0 },
        { "version 2, own group", "0::/a/b\n",
          { "a/b/cpu.max", "250000 100000\n", "a/b/memory.max", "1073741824\n" }, 2.5, 1u << 30 },
        { "version 2, a parent's", "0::/a/b\n",
          { "a/cpu.max", "150000 100000\n", "a/b/cpu.max", "400000 100000\n", "a/memory.max",
            "2097152\n" }, 1.5, 2u << 20 },
        { "version 1", "7:cpu,cpuacct:/job\n4:memory:/job\n",
          { "cpu,cpuacct/job/cpu.cfs_quota_us", "300000\n",
            "cpu,cpuacct/job/cpu.cfs_period_us", "100000\n",
            "memory/job/memory.limit_in_bytes", "4194304\n" }, 3, 4u << 20 },
        { "version 1, unlimited", "7:cpu:/job\n4:memory:/job\n",
          { "cpu/job/cpu.cfs_quota_us", "-1\n", "cpu/job/cpu.cfs_period_us", "100000\n",
            "memory/job/memory.limit_in_bytes", "9223372036854771712\n" }, 0, 0 },
        { "a path that is not there", "0::/gone\n", { "cpu.max", "200000 100000\n" }, 2, 0 },
        { "nonsense", "garbage\n0::\n:\n", { "cpu.max", "x y\n", "memory.max", "-5\n" }, 0, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char root[] = "/tmp/assay-test-XXXXXX", self[64], command[100];
        double cpus = -1;
        uint64_t memory = 1;

        if (!T_TRUE(mkdtemp(root) != NULL))
            return;
        for (size_t k = 0; k + 1 < ASY_ARRAY_LEN(cases[i].files) && cases[i].files[k]; k += 2)
            put(root, cases[i].files[k], cases[i].files[k + 1]);
        put(root, "self", cases[i].self);
        snprintf(self, sizeof self, "%s/self", root);
        asy_node_limits(root, self, &cpus, &memory);
        T_NEAR(cases[i].name, cpus, cases[i].cpus, 0);
        T_EQ(cases[i].name, memory, cases[i].memory);
        snprintf(command, sizeof command, "rm -rf %s", root);
        T_EQ(cases[i].name, system(command), 0);
    }
}

T_MAIN("node", T_TEST(counts_cores_of_other_machines),
       T_TEST(shared_cores_come_round_again), T_TEST(refuses_what_is_no_machine),
       T_TEST(knows_this_machine), T_TEST(takes_the_least_limit_of_all_levels))
