/* SPDX-License-Identifier: Apache-2.0
 * A program that does not start, since a library is not found. */
int gone(void);

int main(void)
{
    return gone();
}
