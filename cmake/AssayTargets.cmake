# SPDX-License-Identifier: Apache-2.0
# How libraries, programs and tests of this tree are declared.
#
#   asy_add_library(asy-tuner SOURCES a.c b.c DEPS asy-common [LINK m] [HEADERS asy/tuner.h ...])
#   asy_add_program(assay-worker SOURCES main.c DEPS asy-agent)
#   asy_add_test(test_buf SOURCES test_buf.c DEPS asy-common [LABEL unit] [TIMEOUT 600]
#                [PROCESSORS 1])
#   asy_add_test(test_nomem SOURCES test_nomem.c DEPS asy-common NOMEM)     with tests/nomem.h
#
# A library's public headers stand in its include/ folder; only DEPS put other include folders on
# the path, so a forbidden include does not compile.

add_library(asy_warnings INTERFACE)
target_compile_options(asy_warnings INTERFACE
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef
    -Wno-missing-field-initializers
    $<$<C_COMPILER_ID:GNU>:-Wjump-misses-init -Wduplicated-cond -Wlogical-op>
    $<$<BOOL:${ASY_WERROR}>:-Werror>)

# What every object of the tree is compiled with; generated code takes this without the warnings.
add_library(asy_build INTERFACE)
target_compile_definitions(asy_build INTERFACE _GNU_SOURCE)
target_compile_options(asy_build INTERFACE -fno-math-errno -fno-trapping-math -ffp-contract=off
                                           -fvisibility=hidden -fno-omit-frame-pointer)
if(ASY_SANITIZE)
    target_compile_options(asy_build INTERFACE -fsanitize=${ASY_SANITIZE}
                           -fno-sanitize-recover=all)
    target_link_options(asy_build INTERFACE -fsanitize=${ASY_SANITIZE})
endif()
if(ASY_FUZZ)
    target_compile_options(asy_build INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(asy_add_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LINK" ${ARGN})
    add_library(${name} STATIC ${ARG_SOURCES})
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/include)
        file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/include/*.h)
        target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${headers})
        set_target_properties(${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
    endif()
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE asy_build asy_warnings ${ARG_LINK})
endfunction()

function(asy_add_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE ${ARG_DEPS} ${ARG_LINK} asy_build asy_warnings)
    target_link_options(${name} PRIVATE -Wl,--as-needed)
    set_property(GLOBAL APPEND PROPERTY ASY_PROGRAMS ${name})
endfunction()

function(asy_add_test name)
    cmake_parse_arguments(ARG "NOMEM" "LABEL;TIMEOUT;PROCESSORS" "SOURCES;DEPS;LINK;ARGS" ${ARGN})
    if(NOT ARG_LABEL)
        set(ARG_LABEL unit)
    endif()
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 600)
    endif()
    if(NOT ARG_PROCESSORS)
        set(ARG_PROCESSORS 1)
    endif()
    add_executable(${name} ${ARG_SOURCES})
    if(ARG_NOMEM)
        target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/nomem.c)
        target_link_options(${name} PRIVATE
            -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray
            -Wl,--wrap=strdup,--wrap=strndup)
    endif()
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(${name} PRIVATE ${ARG_DEPS} ${ARG_LINK} PkgConfig::CUNIT asy_build
                                          asy_warnings)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
    set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
                                            PROCESSORS ${ARG_PROCESSORS})
endfunction()

# A fuzz target: SOURCES define LLVMFuzzerTestOneInput; run as fuzz_x -max_total_time=20 CORPUS.
# Without ASY_FUZZ the same source is built with a driver that replays the committed corpus.
function(asy_add_fuzz name)
    cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;DEPS;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(${name} PRIVATE ${ARG_DEPS} ${ARG_LINK} asy_build asy_warnings)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    if(ASY_FUZZ)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        add_test(NAME ${name} COMMAND ${name} -max_total_time=20 -rss_limit_mb=1024 -timeout=10
                 ${CMAKE_BINARY_DIR}/fuzz/corpus-${name} ${ARG_CORPUS})
        file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz/corpus-${name})
    else()
        target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.c)
        add_test(NAME ${name} COMMAND ${name} ${ARG_CORPUS})
    endif()
    set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 600)
    add_dependencies(fuzzers ${name})
endfunction()
