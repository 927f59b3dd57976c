#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings CivetWeb's pinned source, as Debian ships it, onto this machine: downloads
# the source package into CACHE (once), checks it, and puts the patched files that
# the build needs into DEST. Touches no system file and needs no root.
#
#   fetch.sh CACHE DEST [PATCH]
#
# PATCH is applied after Debian's own series when the file exists.
set -euo pipefail

readonly VERSION=1.15+dfsg-4
readonly ORIG=civetweb_1.15+dfsg.orig.tar.xz
readonly ORIG_SHA256=ec372e9737bc820118bbb735f46a07d41f795814ca0f38bc6e67048e7a460f33
readonly DEBIAN=civetweb_1.15+dfsg-4.debian.tar.xz
readonly DEBIAN_SHA256=2fe67d05a15be93764398275372f41f6228b17497b23d04f149482ffde7b3fb8

say() {
    echo "civetweb: $*" >&2
}

# True when the file exists and is the pinned one.
is_pinned() { # FILE SHA256
    [ -f "$1" ] && echo "$2  $1" | sha256sum --check --status
}

have_both() { # FOLDER
    is_pinned "$1/$ORIG" "$ORIG_SHA256" && is_pinned "$1/$DEBIAN" "$DEBIAN_SHA256"
}

# The machine's own apt entries, binary ones turned into source ones.
write_sources() { # FOLDER
    local file etc=/etc/apt

    if [ -f "$etc/sources.list" ]; then
        sed -E 's/^[[:space:]]*deb([[:space:]])/deb-src\1/' "$etc/sources.list" \
            >"$1/machine.list"
    fi
    for file in "$etc"/sources.list.d/*.list; do
        [ -f "$file" ] || continue
        sed -E 's/^[[:space:]]*deb([[:space:]])/deb-src\1/' "$file" >"$1/$(basename "$file")"
    done
    for file in "$etc"/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        sed -E 's/^Types:.*/Types: deb-src/I' "$file" >"$1/$(basename "$file")"
    done
}

download() { # CACHE
    local work
    local -a options

    work=$(mktemp -d "$1/fetch.XXXXXX")
    # shellcheck disable=SC2064 # the folder of this call, not of the exit
    trap "rm -rf '$work'" EXIT
    mkdir -p "$work/sources" "$work/lists/partial" "$work/cache/archives/partial" "$work/out"
    write_sources "$work/sources"

    # hooks that the machine runs after its own updates have no business here
    printf '#clear APT::Update::%s;\n' Pre-Invoke Post-Invoke Post-Invoke-Success \
        >"$work/hooks.conf"

    options=(-qq -c "$work/hooks.conf"
        -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$work/sources"
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
        -o "Acquire::Languages=none")
    if [ "$(id -u)" -eq 0 ]; then
        # the unprivileged download user cannot enter a private folder
        options+=(-o "APT::Sandbox::User=root")
    fi
    say "downloading the source package $VERSION"
    if ! apt-get "${options[@]}" update >&2; then
        say "apt-get update failed; the network or an apt entry is at fault"
        return 1
    fi
    if ! (cd "$work/out" &&
        apt-get "${options[@]}" source --download-only "civetweb=$VERSION" >&2); then
        say "no apt entry of this machine offers the source of civetweb $VERSION (Debian 12)"
        return 1
    fi
    if ! have_both "$work/out"; then
        say "the download is not the pinned source package: refused"
        sha256sum "$work/out"/*.tar.xz >&2 || true
        return 1
    fi
    # renames, so that two configures at once do not see half a file
    mv -f "$work/out/$ORIG" "$1/$ORIG"
    mv -f "$work/out/$DEBIAN" "$1/$DEBIAN"
    rm -rf "$work"
    trap - EXIT
}

unpack() { # CACHE DEST PATCH STAMP
    local work name
    work=$(mktemp -d "$2.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT

    mkdir "$work/tree" "$work/dest"
    tar -xJf "$1/$ORIG" -C "$work/tree" --strip-components=1 --no-same-owner
    tar -xJf "$1/$DEBIAN" -C "$work/tree" --no-same-owner
    while read -r name _; do
        case $name in
        '' | '#'*) continue ;;
        esac
        patch -s -d "$work/tree" -p1 <"$work/tree/debian/patches/$name"
    done <"$work/tree/debian/patches/series"
    if [ -f "$3" ]; then
        # no fuzz: a hunk that moved is a hunk to read again
        patch -s -d "$work/tree" -p1 --fuzz=0 <"$3"
    fi
    cp "$work/tree/src/civetweb.c" "$work/tree"/src/*.inl "$work/tree/include/civetweb.h" \
        "$work/tree/LICENSE.md" "$work/dest/"
    echo "$4" >"$work/dest/stamp"
    rm -rf "$2"
    mv "$work/dest" "$2"
    rm -rf "$work"
    trap - EXIT
}

main() {
    local cache dest patch stamp

    if [ $# -lt 2 ] || [ $# -gt 3 ]; then
        echo "usage: fetch.sh CACHE DEST [PATCH]" >&2
        exit 2
    fi
    cache=$1 dest=${2%/} patch=${3:-/dev/null}
    mkdir -p "$cache" "$(dirname "$dest")"
    # absolute, because the download runs in a folder of its own
    cache=$(cd "$cache" && pwd)

    stamp="$ORIG_SHA256 $DEBIAN_SHA256 $(sha256sum <"$0")"
    if [ -f "$patch" ]; then
        stamp="$stamp $(sha256sum <"$patch")"
    fi
    if [ -f "$dest/stamp" ] && [ "$(cat "$dest/stamp")" = "$stamp" ]; then
        exit 0
    fi
    if ! have_both "$cache"; then
        download "$cache"
    fi
    unpack "$cache" "$dest" "$patch" "$stamp"
}

main "$@"
