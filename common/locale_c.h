/* SPDX-License-Identifier: Apache-2.0
 * locale_c.h - the C locale as an object, so that numbers read and print alike whatever
 * setlocale() a library called. */
#ifndef ASY__LOCALE_C_H
#define ASY__LOCALE_C_H
#include <locale.h>

/* (locale_t)0 if there was no memory for it. Made once, kept for the life of the process. */
locale_t asy__locale_c(void);
#endif
