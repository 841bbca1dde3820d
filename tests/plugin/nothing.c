/* SPDX-License-Identifier: Apache-2.0
 * nothing.c - a library that is no plug-in. */
int nothing_to_see(void);

int nothing_to_see(void)
{
    return 0;
}
