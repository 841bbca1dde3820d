# SPDX-License-Identifier: Apache-2.0
# What Assay links, with the least version that is known to work and the Debian package that has it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(asy_need prefix module version package)
    pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${module}>=${version})
    if(NOT ${prefix}_FOUND)
        pkg_check_modules(${prefix}_OLD QUIET ${module})
        set(old)
        if(${prefix}_OLD_FOUND)
            set(old " (${${prefix}_OLD_VERSION} is here)")
        endif()
        message(FATAL_ERROR "Assay needs ${module} ${version} or newer${old}: "
                            "apt-get install ${package} "
                            "(./scripts/install-deps.sh installs all that a build needs)")
    endif()
    set_property(GLOBAL APPEND PROPERTY ASY_VERSIONS "${module} ${${prefix}_VERSION}")
endfunction()

asy_need(JANSSON jansson 2.13 libjansson-dev)
asy_need(YAML yaml-0.1 0.2.2 libyaml-dev)
asy_need(CRYPTO libcrypto 3.0 libssl-dev)
asy_need(ZMQ libzmq 4.3.2 libzmq3-dev)
asy_need(SODIUM libsodium 1.0.18 libsodium-dev)
asy_need(PROTOBUFC libprotobuf-c 1.4.0 libprotobuf-c-dev)
asy_need(OPENBLAS openblas 0.3.13 libopenblas-dev)
asy_need(HWLOC hwloc 2.4 libhwloc-dev)
asy_need(SQLITE sqlite3 3.34 libsqlite3-dev)
asy_need(ZLIB zlib 1.2.11 zlib1g-dev)
asy_need(PCRE2 libpcre2-8 10.36 libpcre2-dev)

find_program(PROTOC_C protoc-c)
if(NOT PROTOC_C)
    message(FATAL_ERROR "Assay needs protoc-c: apt-get install protobuf-c-compiler")
endif()
find_path(ONNX_PROTO_DIR onnx.proto PATH_SUFFIXES onnx)
if(NOT ONNX_PROTO_DIR)
    message(FATAL_ERROR "Assay needs the definition of ONNX, onnx/onnx.proto: "
                        "apt-get install libonnx-dev "
                        "(./scripts/install-deps.sh installs all that a build needs)")
endif()
find_package(MPI COMPONENTS C)
if(NOT MPI_C_FOUND)
    message(FATAL_ERROR "Assay needs Open MPI: apt-get install libopenmpi-dev openmpi-bin")
endif()
