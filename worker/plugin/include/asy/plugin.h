/* SPDX-License-Identifier: Apache-2.0
 * asy/plugin.h - a user's shared library with a learner (asy/trainer.h), loaded and checked.
 *
 * Code of a user's runs from the first call on. So assay and the coordinator never come here: they
 * ask assay-trainer for the table, in a process of its own that has a time limit.
 *
 * Ownership: create/close; the library itself stays in the process, as threads that it may have
 * left need its code. Threads: one. */
#ifndef ASY_PLUGIN_H
#define ASY_PLUGIN_H
#include <asy/buf.h>
#include <asy/trainer.h>

#define ASY_PLUGIN_HYPERS_MAX 64
#define ASY_PLUGIN_METRICS_MAX 16
#define ASY_PLUGIN_NAME_MAX 40
#define ASY_PLUGIN_STATE_MAX ((size_t)1 << 30) /* bytes */

struct asy_plugin;

/* ASY_E_INVAL: it is no such library, of another version, or its tables have a mistake, which is
 * named. path: with a slash in it. */
ASY_MUST_CHECK int asy_plugin_open(const char *path, struct asy_plugin **ret_plugin,
                                   struct asy_error *err);
void asy_plugin_close(struct asy_plugin *plugin);
/* Borrowed: the structs and tables as this engine knows them, whatever sizes the library was built
 * with; what it lacks is zero. */
const struct asy_trainer_plugin *asy_plugin_get(const struct asy_plugin *plugin);
/* {"abi","name","help","own_data","hyperparameters":[{"name","type","min","max","words","default",
 * "shape","help"}],"metrics":[{"name","help"}]}: docs/protocol.md, "Tables of plug-ins". */
void asy_plugin_write(const struct asy_plugin *plugin, struct asy_buf *ret_json);
#endif
