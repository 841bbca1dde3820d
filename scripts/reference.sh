#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# reference.sh - writes the pages of docs/reference from the program's own tables.
#
#   scripts/reference.sh ASSAY           writes them (cmake --build --preset dev --target reference)
#   scripts/reference.sh --check ASSAY   fails if one is not up to date
set -euo pipefail
folder=$(dirname "$0")/../docs/reference
check=
[ "${1:-}" = --check ] && check=yes && shift
assay=${1:?the assay program}

status=0
mkdir -p "$folder"
for page in commands settings study-file; do
    text=$("$assay" reference "$page")
    if [ -z "$check" ]; then
        printf '%s\n' "$text" >"$folder/$page.md"
    elif ! diff -u "$folder/$page.md" <(printf '%s\n' "$text"); then
        echo "docs/reference/$page.md is not up to date: build the target 'reference'" >&2
        status=1
    fi
done
exit "$status"
