# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by ./demo and ./test: which packages of apt.txt are missing, and
# installing them (apt_install.sh, the one part that runs as root).

# install_missing SET...: one line "package version what for" for each package of
# the sets that is absent or older than apt.txt asks.
install_missing() {
    local list set package version what state have
    list=$(dirname "${BASH_SOURCE[0]}")/apt.txt
    while read -r set package version what; do
        case "$set" in '' | '#'*) continue ;; esac
        case " $* " in *" $set "*) ;; *) continue ;; esac
        read -r state have < <(dpkg-query -W -f='${db:Status-Status} ${Version}\n' \
            "$package" 2>/dev/null || echo absent 0)
        if [ "$state" != installed ] || dpkg --compare-versions "$have" lt "$version"; then
            printf '%s %s %s\n' "$package" "$version" "$what"
        fi
    done <"$list"
}

# install_sets MODE SET...: MODE is list (say what is missing, fail if anything
# is), ask (once, on the terminal) or yes. Talks on stderr only.
install_sets() {
    local mode=$1 missing packages answer runner=()
    shift
    if ! command -v dpkg-query >/dev/null; then
        echo "This machine has no dpkg: install by hand what third_party/apt.txt names." >&2
        return 1
    fi
    missing=$(install_missing "$@")
    if [ -z "$missing" ]; then
        return 0
    fi
    {
        echo "Missing Debian packages (third_party/apt.txt):"
        while read -r package version what; do
            printf '  %-22s >= %-18s %s\n' "$package" "$version" "$what"
        done <<<"$missing"
    } >&2
    mapfile -t packages < <(cut -d' ' -f1 <<<"$missing")
    if [ "$mode" = list ]; then
        return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Not root, and there is no sudo. As root: apt-get install ${packages[*]}" >&2
            return 1
        fi
        runner=(sudo)
    fi
    if [ "$mode" = ask ]; then
        if [ ! -t 0 ]; then
            echo "Nobody to ask: run again with --yes, or install them yourself." >&2
            return 1
        fi
        read -r -p "Install them now with apt-get${runner[0]:+ through sudo}? [Y/n] " answer
        case "$answer" in
        '' | [Yy]*) ;;
        *)
            echo "Nothing was installed." >&2
            return 1
            ;;
        esac
    fi
    echo "Installing ${#packages[@]} packages${runner[0]:+ through sudo} (no service is started)." >&2
    "${runner[@]}" sh "$(dirname "${BASH_SOURCE[0]}")/apt_install.sh" "${packages[@]}" >&2
}

# build_quietly DIR TARGETS -- CMAKE_ARGS: configures once, builds, and shows the
# log's tail only when something fails. Ninja configures again by itself.
build_quietly() {
    local dir=$1 targets=() log
    shift
    while [ "$1" != -- ]; do
        targets+=("$1")
        shift
    done
    shift
    mkdir -p "$dir" || return 1
    log=$dir/build.log
    : >"$log" || return 1
    if [ ! -f "$dir/build.ninja" ]; then
        if ! cmake -S . -B "$dir" -G Ninja "$@" >>"$log" 2>&1; then
            # Half a configuration must not pass for one.
            rm -f "$dir/build.ninja"
            build_failed "$log"
            return 1
        fi
    fi
    if ! ninja -C "$dir" "${targets[@]}" >>"$log" 2>&1; then
        build_failed "$log"
        return 1
    fi
}

build_failed() {
    echo "The build failed; the end of $1:" >&2
    tail -n 40 "$1" >&2
}
