#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every file that the documents name or link to is there. A path in code quotes may leave out the
folders before it, as `core/session.c` does."""
import os
import re
import sys

LINK = re.compile(r"\]\(([^)#\s]+)")
CODE = re.compile(r"`((?:[\w.-]+/)+(?:[\w.-]+\.(?:c|h|sh|py|proto|md|yaml|sql|txt|gz))?)`")
OURS = ("cli", "common", "coordinator", "kernels", "proto", "tests", "tuner", "worker", "docs",
        "examples", "scripts", "cmake", ".ci")

source = sys.argv[1]
documents, known = [], set()
for top in OURS + ("",):
    for folder, folders, files in os.walk(os.path.join(source, top)):
        names = files + [f + "/" for f in folders if top or f in OURS]
        if not top:
            folders.clear()
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), source)
            path += "/" if name.endswith("/") else ""
            parts = path.split("/")
            known.update("/".join(parts[i:]) for i in range(len(parts) - path.endswith("/")))
            if path.endswith(".md") and "/." not in path:
                documents.append(path)

missing = []
for document in sorted(set(documents)):
    with open(os.path.join(source, document), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            for link in LINK.findall(line):
                where = os.path.join(source, os.path.dirname(document), link)
                if ":" not in link and not os.path.exists(where):
                    missing.append(f"{document}:{number}: {link}")
            for path in CODE.findall(line):
                path = path.removeprefix("./")
                folder = path.endswith("/")  # others are those of a home
                if path not in known and (path.split("/")[0] in OURS if folder
                                          else "NNNN" not in path):
                    missing.append(f"{document}:{number}: {path}")
if missing or len(documents) < 10:
    sys.exit("\n".join(missing) or f"only {len(documents)} documents")
