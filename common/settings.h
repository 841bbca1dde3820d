/* SPDX-License-Identifier: Apache-2.0
 * settings.h - what settings.c and settings_reference.c share. */
#ifndef ASY__SETTINGS_H
#define ASY__SETTINGS_H
#include <asy/settings.h>

/* A limit in the notation of the file: the largest unit that divides it. Returns text. */
const char *asy__setting_limit(enum asy_setting_type type, double value, char text[32]);
#endif
