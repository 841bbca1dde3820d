# SPDX-License-Identifier: Apache-2.0
# Writes OUT, a header that names the commit of the tree in SOURCE, unless it says so already.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE} describe --always --abbrev=12 --dirty=+ --exclude=*
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(COMMAND git -C ${SOURCE} log -1 --format=%ct
                OUTPUT_VARIABLE seconds OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit OR NOT seconds) # an unpacked archive
    set(commit unknown)
    set(seconds 0)
endif()
file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT
     "/* made by cmake/commit.cmake */\n#define ASY_COMMIT \"@commit@\"\n#define ASY_COMMIT_S @seconds@\n")
