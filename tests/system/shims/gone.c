/* SPDX-License-Identifier: Apache-2.0
 * A shared library that the program beside it cannot find any more. */
int gone(void);

__attribute__((visibility("default"))) int gone(void)
{
    return 0;
}
