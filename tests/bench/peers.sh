# SPDX-License-Identifier: Apache-2.0
# peers.sh - the virtual environment of peers from PyPI; sourced by the areas that have such.

venv=build/bench-peers

# Each on its own, so that one that will not install is only missing.
install_peers() {
    local peer
    python3 -m venv "$venv"
    for peer in numpy scipy "$@"; do
        "$venv/bin/pip" install --quiet --disable-pip-version-check "$peer" ||
            echo "$peer cannot be installed; its rows will say so" >&2
    done
}
