# SPDX-License-Identifier: Apache-2.0
# Turns the text file IN into the C source OUT: const char NAME[], terminated by a zero.
file(READ ${IN} bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUT}.new "/* Made from a text file of the tree by embed.cmake. */
extern const char ${NAME}[];
const char ${NAME}[] = {
${bytes}0
};
")
file(RENAME ${OUT}.new ${OUT})
