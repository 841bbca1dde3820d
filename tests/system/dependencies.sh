#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What configuring says where a library is missing or too old: which, how new, the package.
set -euo pipefail
cmake=$1 source=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# Configures with PKG_CONFIG_… as the caller set it, which must fail in these words.
says() { # name, words
    local name=$1 text
    shift
    if text=$("$cmake" -S "$source" -B "$folder/build" 2>&1); then
        echo "$name: configured all the same"
        failed=1
    fi
    rm -rf "$folder/build"
    text=$(tr -s '[:space:]' ' ' <<<"$text") # cmake breaks lines anywhere
    for word in "$@"; do
        [[ $text == *"$word"* ]] || { echo "$name: no '$word' in: $text"; failed=1; }
    done
}

mkdir "$folder/old" "$folder/none"
printf 'Name: jansson\nDescription: old\nVersion: 2.4\n' >"$folder/old/jansson.pc"
PKG_CONFIG_PATH=$folder/old says "too old" "Assay needs jansson 2.13 or newer (2.4 is here)" \
    "apt-get install libjansson-dev" "install-deps.sh"
PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR=$folder/none says "missing" \
    "Assay needs jansson 2.13 or newer: apt-get install libjansson-dev"
exit $failed
