/* SPDX-License-Identifier: Apache-2.0
 * proc.h - what proc.c and proc_image.c share: the memory a child needs, made before the fork. */
#ifndef ASY__PROC_H
#define ASY__PROC_H
#include <asy/proc.h>

struct asy__image {
    char **candidates; /* paths to try, NULL-terminated; one block */
    char **env;        /* NULL-terminated; inherited entries are borrowed from environ */
};

ASY_MUST_CHECK int asy__image_make(const struct asy_proc_spec *spec, struct asy__image *ret,
                                   struct asy_error *err);
void asy__image_fini(struct asy__image *image);
#endif
