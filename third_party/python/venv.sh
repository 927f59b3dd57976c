#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a virtual environment of Debian's Python that holds exactly what a requirement
# file pins, and prints its python. One that is there already is taken as it is; another
# content of the file, or another Python, makes another one. Only wheels with the pinned
# sums are installed, by the machine's own pip settings; nothing of them is compiled or run.
#
#   venv.sh REQUIREMENTS FOLDER
set -euo pipefail

readonly PYTHON=/usr/bin/python3

say() {
    echo "venv: $*" >&2
}

# What pip has to say goes to LOG; its end is shown when it fails.
build() { # VENV REQUIREMENTS LOG
    if ! "$PYTHON" -m venv "$1" >"$3" 2>&1; then
        say "$PYTHON cannot make a virtual environment (python3-venv is missing?):"
        tail -n 5 "$3" >&2
        return 1
    fi
    if ! "$1/bin/python" -m pip install --require-hashes --no-deps --only-binary=:all: \
        --no-compile --disable-pip-version-check -r "$2" >>"$3" 2>&1; then
        say "pip cannot install what $2 pins; the end of $3:"
        tail -n 15 "$3" >&2
        return 1
    fi
}

main() {
    local requirements folder name key venv old

    if [ $# -ne 2 ]; then
        echo "usage: venv.sh REQUIREMENTS FOLDER" >&2
        exit 2
    fi
    requirements=$1
    mkdir -p "$2"
    folder=$(cd "$2" && pwd)
    name=$(basename "$requirements" .txt)
    key=$({ cat "$requirements" && "$PYTHON" --version; } | sha256sum | cut -c1-16)
    venv=$folder/$name-$key

    # One at a time makes it, the others find it; the stamp comes last, so half of one is
    # begun again.
    exec 9>"$folder/$name.lock"
    flock 9
    if [ ! -f "$venv/stamp" ]; then
        rm -rf "$venv"
        say "making $name"
        if ! build "$venv" "$requirements" "$folder/$name.log"; then
            rm -rf "$venv"
            exit 1
        fi
        touch "$venv/stamp"
        for old in "$folder/$name"-*; do
            [ "$old" = "$venv" ] || rm -rf "$old"
        done
    fi
    echo "$venv/bin/python"
}

main "$@"
