#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages named as arguments; runs as root. A policy-rc.d that
# answers 101 keeps every package from starting a daemon; an existing one is left
# alone. PostgreSQL is installed without its first cluster, by a file beside the
# machine's own configuration of new clusters; both files are there only meanwhile.
set -eu
policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.d/arkgate-test.conf
made=
trap 'rm -f $made' EXIT
trap 'exit 1' HUP INT TERM
if [ ! -e "$policy" ]; then
    made=$policy
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
case " $* " in *" postgresql-"*)
    if [ ! -e "$clusters" ]; then
        mkdir -p "${clusters%/*}"
        made="$made $clusters"
        printf 'create_main_cluster = false\n' >"$clusters"
    fi
    ;;
esac
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o DPkg::Lock::Timeout=300 update
apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
