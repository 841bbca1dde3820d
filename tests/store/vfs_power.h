/* SPDX-License-Identifier: Apache-2.0
 * vfs_power.h - an SQLite VFS that knows what a power loss would leave.
 *
 * It hands every call on to the default VFS, so the program runs on real files, and beside that
 * keeps for each file what is surely on disk and what was written since its last sync. An image is
 * a folder as it may be found after a power loss: of the writes since, each 512-byte sector holds
 * its old bytes or those of any later write; a file whose name was not synced into its folder may
 * be missing; a deleted one may still be there.
 *
 * Only one power may exist at a time (VFS names are global). Threads: one. */
#ifndef ASY_TEST_VFS_POWER_H
#define ASY_TEST_VFS_POWER_H
#include <stdint.h>
#include <asy/error.h>

#define POWER_VFS "power"

enum power_fault {               /* syncs that say they worked and do nothing */
    POWER_DROP_DB = 1u << 0,
    POWER_DROP_WAL = 1u << 1,
    POWER_DROP_JOURNAL = 1u << 2,
    POWER_DROP_FOLDER = 1u << 3, /* of the folder, by SQLite */
};

struct power;
/* before_sync is called before each sync takes effect. */
ASY_MUST_CHECK int power_create(uint64_t seed, unsigned faults,
                                void (*before_sync)(void *arg, struct power *power), void *arg,
                                struct power **ret_power, struct asy_error *err);
void power_destroy(struct power *power);
/* The program under test has synced the folder itself. */
void power_folder_synced(struct power *power);
/* Bytes by which files may still grow before writes fail as on a full disk; < 0: no limit. */
void power_set_room(struct power *power, int64_t bytes);
/* Syncs of these kinds fail from now on. As on Linux, what they were to write never gets to the
 * disk, though the next one says that it worked. */
void power_fail(struct power *power, unsigned faults);
/* Writes an image into a folder that exists. Each call draws another one. */
ASY_MUST_CHECK int power_image(struct power *power, const char *folder, struct asy_error *err);
#endif
