/* SPDX-License-Identifier: Apache-2.0
 * node.c - the machine as hwloc sees it, cut down to what this process may use.
 *
 * hwloc is asked for the machine without I/O devices, which cost a quarter of a second; with them
 * only where there are GPUs and a choice of cores for them. Binding is not done here: a supervisor
 * binds with the kernel's numbers, so that assay-attempt stays without hwloc. */
#include <asy/node.h>
#include <asy/parse.h>
#include <errno.h>
#include <hwloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CORES_MAX 8192

static void read_text(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "re");

    text[0] = '\0';
    if (!f)
        return;
    if (!fgets(text, (int)size, f))
        text[0] = '\0';
    fclose(f);
    text[strcspn(text, "\n")] = '\0';
}

const char *asy_node_hwloc_version(void)
{
    static char text[32];
    hwloc_topology_t topology;
    const char *version;

    /* The library names its release nowhere but in a topology; the smallest will do. */
    if (text[0] || hwloc_topology_init(&topology) < 0)
        return text;
    if (hwloc_topology_set_synthetic(topology, "pu:1") == 0 && hwloc_topology_load(topology) == 0 &&
        (version = hwloc_obj_get_info_by_name(hwloc_get_root_obj(topology), "hwlocVersion")))
        snprintf(text, sizeof text, "%s", version);
    hwloc_topology_destroy(topology);
    return text;
}

static int load(const struct asy_node_options *options, enum hwloc_type_filter_e devices,
                hwloc_topology_t *ret_topology, struct asy_error *err)
{
    hwloc_topology_t topology = NULL;
    int rc;

    if (hwloc_topology_init(&topology) < 0)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the topology");
    hwloc_topology_set_io_types_filter(topology, devices);
    /* What the system calls the devices would be asked of their drivers, by plugins of hwloc. */
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_OS_DEVICE, HWLOC_TYPE_FILTER_KEEP_NONE);
    if ((options->xml && hwloc_topology_set_xml(topology, options->xml) < 0) ||
        (options->synthetic && hwloc_topology_set_synthetic(topology, options->synthetic) < 0)) {
        rc = asy_fail(err, ASY_E_FORMAT, "not a topology: '%.80s'",
                      options->xml ? options->xml : options->synthetic);
        hwloc_topology_destroy(topology);
        return rc;
    }
    if (hwloc_topology_load(topology) < 0) {
        rc = asy_fail_errno(err, errno, "cannot read the machine's topology");
        hwloc_topology_destroy(topology);
        return rc;
    }
    *ret_topology = topology;
    return 0;
}

/* Which CPUs this process may run on; a machine read from a file allows all of its own. */
static int usable(hwloc_topology_t topology, hwloc_bitmap_t set, struct asy_error *err)
{
    hwloc_bitmap_copy(set, hwloc_topology_get_allowed_cpuset(topology));
    if (!hwloc_topology_is_thissystem(topology))
        return 0;
    hwloc_bitmap_t mine = hwloc_bitmap_alloc();

    if (!mine)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a set of CPUs");
    if (hwloc_get_cpubind(topology, mine, HWLOC_CPUBIND_PROCESS) == 0)
        hwloc_bitmap_and(set, set, mine);
    hwloc_bitmap_free(mine);
    return 0;
}

/* NUMA nodes counted from 0 in hwloc's order; a core near none belongs to the first. */
static uint32_t numa_of(hwloc_topology_t topology, unsigned cpu)
{
    hwloc_obj_t numa = NULL;

    while ((numa = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, numa)))
        if (hwloc_bitmap_isset(numa->cpuset, cpu))
            return numa->logical_index;
    return 0;
}

static void add_core(struct asy_node *node, hwloc_topology_t topology, unsigned cpu, uint32_t max)
{
    if (node->n_cores == max)
        return;
    node->cpu[node->n_cores] = cpu;
    node->group[node->n_cores] = numa_of(topology, cpu);
    node->n_cores++;
}

static int list_cores(struct asy_node *node, hwloc_topology_t topology, int smt, uint32_t max,
                      struct asy_error *err)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    hwloc_obj_t core = NULL;
    int rc;

    if (!set)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a set of CPUs");
    if ((rc = usable(topology, set, err)) < 0)
        goto out;
    while ((core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core))) {
        int cpu = -1;

        while ((cpu = hwloc_bitmap_next(core->cpuset, cpu)) >= 0) {
            if (!hwloc_bitmap_isset(set, (unsigned)cpu))
                continue;
            add_core(node, topology, (unsigned)cpu, max);
            if (!smt)
                break; /* a sibling shares the core's units: it is not another core */
        }
    }
    if (hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) <= 0) /* some guests show none */
        for (int cpu = -1; (cpu = hwloc_bitmap_next(set, cpu)) >= 0;)
            add_core(node, topology, (unsigned)cpu, max);
    rc = node->n_cores ? 0 : asy_fail(err, ASY_E_STATE, "this process may use no core");
out:
    hwloc_bitmap_free(set);
    return rc;
}

static uint64_t cache_size(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    hwloc_obj_t cache = hwloc_get_next_obj_by_type(topology, type, NULL);

    return cache ? cache->attr->cache.size : 0;
}

static uint32_t count(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    int n = hwloc_get_nbobjs_by_type(topology, type);

    return n > 0 ? (uint32_t)n : 0;
}

static void describe(struct asy_node *node, hwloc_topology_t topology)
{
    hwloc_obj_t root = hwloc_get_root_obj(topology);
    hwloc_obj_t package = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PACKAGE, NULL);
    const char *model = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;

    snprintf(node->model, sizeof node->model, "%s", model ? model : "unknown");
    node->n_sockets = count(topology, HWLOC_OBJ_PACKAGE);
    node->n_physical = count(topology, HWLOC_OBJ_CORE);
    node->n_threads = count(topology, HWLOC_OBJ_PU);
    node->n_numa = count(topology, HWLOC_OBJ_NUMANODE);
    node->l1 = cache_size(topology, HWLOC_OBJ_L1CACHE);
    node->l2 = cache_size(topology, HWLOC_OBJ_L2CACHE);
    node->l3 = cache_size(topology, HWLOC_OBJ_L3CACHE);
    node->memory_total = root->total_memory;
    if (gethostname(node->host, sizeof node->host) < 0)
        snprintf(node->host, sizeof node->host, "unknown");
    node->host[sizeof node->host - 1] = '\0';
    read_text("/proc/sys/kernel/random/boot_id", node->boot_id, sizeof node->boot_id);
}

/* The list of cores, `times` times over. */
static void share_cores(struct asy_node *node, uint32_t times)
{
    uint32_t n = node->n_cores;

    for (uint32_t i = n; i < n * times && i < CORES_MAX; i++) {
        node->cpu[i] = node->cpu[i - n];
        node->group[i] = node->group[i - n];
        node->n_cores++;
    }
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

int asy_node_create(const struct asy_node_options *options, struct asy_node **ret_node,
                    struct asy_error *err)
{
    uint32_t max = options->max_cores ? options->max_cores : CORES_MAX;
    hwloc_topology_t topology = NULL;
    struct asy_node *node = NULL;
    uint64_t limit = 0;
    int rc;

    if ((rc = load(options, HWLOC_TYPE_FILTER_KEEP_NONE, &topology, err)) < 0)
        return rc;
    if (!(node = calloc(1, sizeof *node)) ||
        !(node->cpu = calloc(CORES_MAX, sizeof *node->cpu)) ||
        !(node->group = calloc(CORES_MAX, sizeof *node->group))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for the topology");
        goto out;
    }
    describe(node, topology);
    if (hwloc_topology_is_thissystem(topology))
        asy_node_limits(NULL, NULL, &node->quota, &limit);
    max = least(max, CORES_MAX);
    if (node->quota > 0) /* half a CPU still runs one core's work, slowly */
        max = least(max, node->quota < 1 ? 1 : (uint32_t)floor(node->quota));
    if ((rc = list_cores(node, topology, options->smt, max, err)) < 0)
        goto out;
    share_cores(node, options->share);
    node->memory = node->memory_total;
    if (limit && limit < node->memory)
        node->memory = limit;
    node->memory -= node->memory / 10; /* the system and the agent live here too */
    if (options->max_memory)
        node->memory = options->max_memory;
    *ret_node = node;
    node = NULL;
out:
    asy_node_destroy(node);
    hwloc_topology_destroy(topology);
    return rc;
}

/* 1 + the group that all offered cores of the set belong to, or 0. */
static uint32_t group_in(const struct asy_node *node, hwloc_const_bitmap_t set)
{
    uint32_t group = 0;

    for (uint32_t c = 0; c < node->n_cores; c++) {
        if (!hwloc_bitmap_isset(set, node->cpu[c]))
            continue;
        if (group && group != 1 + node->group[c])
            return 0;
        group = 1 + node->group[c];
    }
    return group;
}

int asy_node_pci_groups(const struct asy_node_options *options, const struct asy_node *node,
                        const char *const *addresses, size_t n, uint32_t *ret_groups,
                        struct asy_error *err)
{
    hwloc_topology_t topology = NULL;
    int rc;

    memset(ret_groups, 0, n * sizeof *ret_groups);
    if (n == 0 || node->n_numa < 2)
        return 0;
    if ((rc = load(options, HWLOC_TYPE_FILTER_KEEP_IMPORTANT, &topology, err)) < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        hwloc_obj_t device = hwloc_get_pcidev_by_busidstring(topology, addresses[i]);
        hwloc_obj_t near = device ? hwloc_get_non_io_ancestor_obj(topology, device) : NULL;

        if (near && near->cpuset)
            ret_groups[i] = group_in(node, near->cpuset);
    }
    hwloc_topology_destroy(topology);
    return 0;
}

void asy_node_destroy(struct asy_node *node)
{
    if (!node)
        return;
    free(node->cpu);
    free(node->group);
    free(node);
}

void asy_node_write_caches(const struct asy_node *node, struct asy_jsonw *w)
{
    asy_jsonw_open(w, "caches", '{');
    asy_jsonw_u64(w, "l1", node->l1);
    asy_jsonw_u64(w, "l2", node->l2);
    asy_jsonw_u64(w, "l3", node->l3);
    asy_jsonw_close(w, '}');
}

void asy_node_write(const struct asy_node *node, struct asy_jsonw *w)
{
    asy_jsonw_str(w, "host", node->host);
    asy_jsonw_str(w, "model", node->model);
    asy_jsonw_u64(w, "sockets", node->n_sockets);
    asy_jsonw_u64(w, "physical_cores", node->n_physical);
    asy_jsonw_u64(w, "threads", node->n_threads);
    asy_jsonw_u64(w, "cores", node->n_cores);
    asy_jsonw_u64(w, "numa", node->n_numa);
    asy_node_write_caches(node, w);
    asy_jsonw_u64(w, "memory", node->memory);
    asy_jsonw_u64(w, "memory_total", node->memory_total);
    if (node->quota > 0)
        asy_jsonw_f64(w, "cpu_quota", node->quota);
    asy_jsonw_str(w, "boot_id", node->boot_id);
}
