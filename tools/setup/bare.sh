#!/bin/sh
# usage: bare.sh DISTRIBUTION
#
# Clones the tree into a Debian (bookworm, trixie or sid) that has Python, make and git and nothing else, with an empty
# home, and runs `make demo` and `make test` there, or what COMMANDS says. Needs root. The caches of built servers and of
# downloaded packages are this machine's, unless COLD=1. What the root is told of the network is what this machine is told.
set -eu

tree=$(cd "$(dirname "$0")/../.." && pwd)
cd "$tree"
. tools/setup/debian.sh

say() { printf '%s: %s\n' "$distribution" "$*" >&2; }
give_up() { say "$*"; exit 1; }

distribution=$1
packages=python3,python3-venv,make,git,ca-certificates
case $distribution in
    bookworm | trixie) ;;
    sid) packages=$packages,python3.15,python3.15-venv ;;
    *) give_up "DISTRIBUTION is bookworm, trixie or sid" ;;
esac
caches=${XDG_CACHE_HOME:-$HOME/.cache}
[ "${COLD:-}" != 1 ] || caches=''
system=${XDG_CACHE_HOME:-$HOME/.cache}/synapse-otel/bare-$distribution
[ "${COLD:-}" != 1 ] || rm -rf --one-file-system "$system"
unpack "$distribution" "$system" "$packages"

root=$(mktemp -d "$system.XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM
cp -a "$system/." "$root"
home=/root
git clone --quiet "$tree" "$root$home/synapse-otel"

# Of this machine's network: names, certificates that its owner has added, pip's settings.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
for file in /usr/local/share/ca-certificates/*.crt /etc/pip.conf; do
    if [ -f "$file" ]; then cp -L "$file" "$root$file"; fi
done
chroot "$root" update-ca-certificates >/dev/null 2>&1
# shellcheck disable=SC2016 # sed's own
network=$(env | sed -nE '/^(PIP_(CERT|INDEX_URL|EXTRA_INDEX_URL)|[a-z]+_proxy|[A-Z]+_PROXY|GOPROXY|GOSUMDB)=[^ ]*$/p')
export COMMANDS="${COMMANDS:-make demo
CI=true make test}"

# In namespaces of its own: what is mounted and what runs is gone when it ends, however it ends.
# shellcheck disable=SC2016,SC2086 # expanded by the inner shells; each word of $network is a variable
unshare --mount --pid --fork --kill-child --propagation private sh -euc '
    root=$1 home=$2 caches=$3
    shift 3
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    for folder in /dev /sys; do mount --rbind "$folder" "$root$folder"; done
    if [ -n "$caches" ]; then
        for name in pip uv synapse-otel; do
            mkdir -p "$caches/$name" "$root$home/.cache/$name"
            mount --bind "$caches/$name" "$root$home/.cache/$name"
        done
    fi
    # The root of the mount namespace, as on a machine: in a mere chroot, what joins a container of a Docker engine, as
    # its health checks do, would find itself outside of it.
    cd "$root"
    pivot_root . mnt
    umount -l /mnt
    exec /usr/bin/env -i HOME="$home" LANG=C.UTF-8 TERM="${TERM:-dumb}" COMMANDS="$COMMANDS" \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" sh -euc "
            cd ~/synapse-otel
            printf \"%s\\n\" \"\$COMMANDS\" | while read -r command; do
                begin=\$(date +%s)
                echo \"== \$command\"
                sh -c \"\$command\" </dev/null || { echo \"== \$command: failed\"; exit 1; }
                echo \"== \$command: \$((\$(date +%s) - begin)) s\"
            done
        "
' sh "$root" "$home" "$caches" $network
