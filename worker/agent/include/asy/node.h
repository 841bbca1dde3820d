/* SPDX-License-Identifier: Apache-2.0
 * asy/node.h - what this machine has to offer: cores, NUMA groups, caches, memory (hwloc), cut down
 * to what this process may use.
 *
 * A core here is one logical CPU per physical core, unless `smt` makes each hardware thread one.
 * The process's own cpuset, its affinity mask, the CPU quota and the memory limit of its cgroups
 * count. Core numbers are 0 … n_cores - 1 in hwloc's order, so that neighbours share caches;
 * leases speak of these, only cpu[] knows the kernel's numbers. With `share` the whole list
 * is there several times, so that a gang gets cores of its own as long as there are any.
 *
 * Ownership: create/destroy. Threads: read-only after creation. */
#ifndef ASY_NODE_H
#define ASY_NODE_H
#include <asy/buf.h>
#include <asy/json.h>

struct asy_node_options {
    uint32_t max_cores;     /* 0: all there are */
    uint64_t max_memory;    /* 0: nine tenths of what there is */
    int smt;                /* 1: each hardware thread counts as a core */
    uint32_t share;         /* each core counts as so many, which then share it; 0: one */
    const char *xml;        /* hwloc XML of another machine, for tests; NULL: this one */
    const char *synthetic;  /* hwloc synthetic description, for tests; NULL: this one */
};
#define ASY_NODE_OPTIONS_INIT { 0, 0, 0, 0, NULL, NULL }

struct asy_node {
    uint32_t n_cores;
    uint32_t *group;        /* [n_cores] NUMA node of each core, counted from 0 */
    unsigned *cpu;          /* [n_cores] the kernel's number of each core's CPU */
    uint64_t memory;        /* bytes that leases may add up to */
    uint64_t memory_total;  /* bytes of the machine */
    uint32_t n_sockets, n_physical, n_threads, n_numa; /* of the whole machine */
    uint64_t l1, l2, l3;    /* bytes of one cache of each level; 0: none or unknown */
    double quota;           /* CPUs that the cgroup grants; 0: unlimited */
    char host[256];
    char model[128];
    char boot_id[64];
};
/* ASY_E_STATE: not one usable core. */
ASY_MUST_CHECK int asy_node_create(const struct asy_node_options *options,
                                   struct asy_node **ret_node, struct asy_error *err);
void asy_node_destroy(struct asy_node *node);
/* Members host, model, sockets, cores, … of an open object. */
void asy_node_write(const struct asy_node *node, struct asy_jsonw *w);
/* Of these, "caches" alone: bytes of l1, l2, l3 (0: none). */
void asy_node_write_caches(const struct asy_node *node, struct asy_jsonw *w);
/* The NUMA groups of the cores near PCI devices ("0000:65:00.0"): ret_groups[n], 1 + the group; 0:
 * near none, or near cores of several groups, or of none that is offered. Reads the topology again,
 * this time with its devices, if there is more than one group. */
ASY_MUST_CHECK int asy_node_pci_groups(const struct asy_node_options *options,
                                       const struct asy_node *node, const char *const *addresses,
                                       size_t n, uint32_t *ret_groups, struct asy_error *err);
/* As loaded: "2.9.0". Main thread only. */
const char *asy_node_hwloc_version(void);
/* The least CPU quota (CPUs; 0: none) and memory limit (bytes; 0: none) on the way from the cgroup
 * of this process to the root. root and self replace /sys/fs/cgroup and /proc/self/cgroup in
 * tests; NULL: the real ones. */
void asy_node_limits(const char *root, const char *self, double *ret_cpus, uint64_t *ret_memory);
#endif
