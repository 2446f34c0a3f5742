#!/bin/sh
# usage: python313.sh COMMAND...
#
# Runs COMMAND in the project's folder with PYTHON set to a Python 3.13. It is looked for on PATH, among pyenv's and
# uv's own installations, and else taken from Debian trixie, unpacked once into the user's cache folder; COMMAND then
# runs inside that system, which sees the project, the home folder and /tmp at their usual places.
# PYTHON313 decides instead: the path of an interpreter, or the word debootstrap.
set -eu

tree=$(cd "$(dirname "$0")/../.." && pwd)
cd "$tree"
PATH=$PATH:/usr/sbin:/sbin # where the tools of root are, on some machines not on PATH
system=${XDG_CACHE_HOME:-$HOME/.cache}/synapse-otel/python-3.13-trixie

say() { printf 'Python 3.13: %s\n' "$*" >&2; }

# Nobody is stopped by a missing second Python, but a machine of CI does not leave it out in silence.
give_up() {
    say "$*"
    if [ "${CI:-false}" = true ]; then
        say "CI must not leave this run out: stopping"
        exit 1
    fi
    say "NOT RUN: install Python 3.13, or name it with PYTHON313=/path/to/python3.13"
    exit 0
}

is_313() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1; }

find_313() {
    for candidate in \
        python3.13 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13 \
        "${XDG_DATA_HOME:-$HOME/.local/share}"/uv/python/cpython-3.13*/bin/python3.13; do
        if is_313 "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

unpack_trixie() {
    if ! command -v debootstrap >/dev/null; then
        command -v apt-get >/dev/null || give_up "none found, and no apt-get here to unpack one with"
        say "installing the system's package debootstrap, to unpack a system that has Python 3.13"
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap; } \
            </dev/null >/dev/null || give_up "could not install debootstrap"
    fi
    say "unpacking Debian trixie with Python 3.13 into $system (once, about a minute)"
    mkdir -p "${system%/*}"
    unfinished=$(mktemp -d "$system.XXXXXX")
    trap 'rm -rf --one-file-system "$unfinished"' EXIT
    trap 'exit 130' INT TERM
    if ! debootstrap --variant=minbase --include=python3.13,python3.13-venv trixie "$unfinished" \
        </dev/null >"$unfinished.log" 2>&1; then
        tail -n 5 "$unfinished.log" >&2
        give_up "debootstrap failed; the whole log: $unfinished.log"
    fi
    chmod 755 "$unfinished"
    rm -f "$unfinished.log"
    [ -d "$system" ] || mv "$unfinished" "$system" # unless another run was quicker
    rm -rf --one-file-system "$unfinished"
    trap - EXIT INT TERM
}

# In a mount namespace of its own: what is mounted is gone when COMMAND ends, however it ends.
run_in_trixie() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    exec unshare --mount --propagation private sh -euc '
        system=$1 tree=$2
        shift 2
        for folder in /proc /dev /sys /tmp /etc/ssl "$HOME" "$tree"; do
            mkdir -p "$system$folder"
            mount --rbind "$folder" "$system$folder"
        done
        cp -L /etc/resolv.conf /etc/hosts "$system/etc/"
        exec chroot "$system" /usr/bin/env PATH=/usr/bin:/bin:/usr/sbin:/sbin PYTHON=/usr/bin/python3.13 \
            sh -euc "cd \"\$0\"; exec \"\$@\"" "$tree" "$@"
    ' sh "$system" "$tree" "$@"
}

case ${PYTHON313:-} in
    debootstrap) ;;
    ?*)
        is_313 "$PYTHON313" || { say "PYTHON313=$PYTHON313 is not a Python 3.13"; exit 1; }
        export PYTHON="$PYTHON313"
        exec "$@"
        ;;
    *)
        if PYTHON=$(find_313); then
            export PYTHON
            exec "$@"
        fi
        ;;
esac

[ "$(id -u)" -eq 0 ] || give_up "none found, and only root can unpack a system that has it"
[ -x "$system/usr/bin/python3.13" ] || unpack_trixie
unshare --mount true 2>/dev/null || give_up "none found, and this machine does not let us mount folders"
run_in_trixie "$@"
