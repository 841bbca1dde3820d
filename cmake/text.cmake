# SPDX-License-Identifier: Apache-2.0
# Files, one after the other, as one text of a C program:
#   cmake -D OUT=source.c -D NAME=text -P text.cmake -- FILE...
set(bytes)
set(is_file FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
    if(is_file)
        file(READ "${CMAKE_ARGV${i}}" hex HEX)
        string(APPEND bytes "${hex}")
    elseif(CMAKE_ARGV${i} STREQUAL "--")
        set(is_file TRUE)
    endif()
endforeach()
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE "${OUT}" "extern const char ${NAME}[];\nconst char ${NAME}[] = {\n${bytes}0 };\n")
