/* SPDX-License-Identifier: Apache-2.0
 * dvc.h - the id that DVC 3 gives to a folder: md5 over the list of its files, as JSON in the way
 * that Python writes it. Threads: any. */
#ifndef ASY__DVC_H
#define ASY__DVC_H
#include <asy/hash.h>

#define ASY__DVC_TEXT (ASY_MD5_TEXT + 4) /* ".dir" */

/* ASY_E_UNSUPPORTED: there is no md5, or a name in the folder is not plain ASCII. */
ASY_MUST_CHECK int asy__dvc_folder_id(const char *folder, char ret_id[ASY__DVC_TEXT],
                                      struct asy_error *err);
#endif
